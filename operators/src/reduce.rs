//! Values that do not form a group (smallest, largest, last): all values of a key are kept and merged into one.

use differential_dataflow::AsCollection;
use differential_dataflow::VecCollection;
use differential_dataflow::trace::implementations::containers::BatchContainer;

use crate::rows::{Row, RowBuilder, RowSpine, arrange_rows, bucket_of};

/// One value a key: `merge` of all its values, given in ascending order. Values whose multiplicity is not positive do
/// not take part.
pub fn merge_by_key<'scope>(
    values: VecCollection<'scope, u64, (Row, Row), i64>,
    name: &str,
    merge: impl Fn(&[&[u8]]) -> Row + 'static,
) -> VecCollection<'scope, u64, (Row, Row), i64> {
    arrange_rows(values, name)
        .reduce_abelian::<_, RowBuilder, RowSpine, crate::rows::Bytes, _>(
            name,
            move |_key, values, output| {
                let present: Vec<&[u8]> =
                    values.iter().filter(|(_, count)| *count > 0).map(|(value, _)| *value).collect();
                if !present.is_empty() {
                    output.push((merge(&present), 1));
                }
            },
            |updates, key, changes| {
                updates.clear();
                updates.extend(changes.drain(..).map(|(value, time, diff)| ((key.to_vec(), value), time, diff)));
            },
        )
        .as_collection(|key, value| (crate::rows::Bytes::into_owned(key), crate::rows::Bytes::into_owned(value)))
}

/// As [`merge_by_key`] for keys of many values: values are merged within 256 buckets first, so one change re-reads
/// one bucket and the buckets' results.
pub fn merge_values<'scope, F>(
    values: VecCollection<'scope, u64, (Row, Row), i64>,
    name: &str,
    merge: F,
) -> VecCollection<'scope, u64, (Row, Row), i64>
where
    F: Fn(&[&[u8]]) -> Row + Clone + 'static,
{
    let bucketed = values.map(|(mut key, value)| {
        key.push(bucket_of(&value));
        (key, value)
    });
    let by_bucket = merge_by_key(bucketed, &format!("{name}: buckets"), merge.clone());
    let by_key = by_bucket.inner.as_collection().map(|(mut key, value)| {
        key.pop();
        (key, value)
    });
    merge_by_key(by_key, name, merge)
}
