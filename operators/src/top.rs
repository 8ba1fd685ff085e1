//! The first rows in an order.

use differential_dataflow::VecCollection;

use crate::reduce::made_by_key;
use crate::rows::{Row, Rows, bucket_of};

/// The rows at positions `skip..skip + fetch` of the ascending byte order, counting multiplicities. Found within 256
/// buckets first, so one change re-reads one bucket and the buckets' firsts.
pub fn first_rows<'scope>(rows: Rows<'scope>, name: &str, skip: usize, fetch: usize) -> Rows<'scope> {
    let enough = i64::try_from(skip.saturating_add(fetch)).unwrap_or(i64::MAX);
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    let bucketed = rows.map(|row| (vec![bucket_of(&row)], row));
    let candidates = positions(bucketed, &format!("{name}: buckets"), 0, enough);
    positions(candidates.map(|(_, row)| (Row::new(), row)), name, skip, enough).map(|(_, row)| row)
}

fn positions<'scope>(
    rows: VecCollection<'scope, u64, (Row, Row), i64>,
    name: &str,
    from: i64,
    until: i64,
) -> VecCollection<'scope, u64, (Row, Row), i64> {
    made_by_key(rows, name, move |rows| {
        let (mut position, mut found) = (0i64, Vec::new());
        for (row, count) in rows {
            let next = position.saturating_add(*count);
            let taken = next.min(until) - position.max(from);
            if taken > 0 {
                found.push((row.to_vec(), taken));
            }
            position = next;
            if position >= until {
                break;
            }
        }
        found
    })
}
