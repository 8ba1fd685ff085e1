//! Values that do not form a group (smallest, largest, last): all values of a key are kept and merged into one.

use std::collections::BTreeMap;

use differential_dataflow::trace::cursor::{Cursor, cursor_list};
use differential_dataflow::{AsCollection, VecCollection};

use crate::rows::{Row, arrange_rows, bucket_of};
use crate::total::on_batches;

/// One value a key: `merge` of all its values, given in ascending order. Values whose multiplicity is not positive do not
/// take part. What a key had is not kept but made again when it changes.
fn merge_by_key<'scope>(
    values: VecCollection<'scope, u64, (Row, Row), i64>,
    name: &str,
    merge: impl Fn(&[&[u8]]) -> Row + 'static,
) -> VecCollection<'scope, u64, (Row, Row), i64> {
    let merged = move |values: &BTreeMap<&[u8], i64>| {
        let present: Vec<&[u8]> = values.iter().filter(|(_, count)| **count > 0).map(|(value, _)| *value).collect();
        (!present.is_empty()).then(|| merge(&present))
    };
    on_batches(arrange_rows(values, name), name, move |batches, before, give| {
        let (mut changes, change_storage) = cursor_list(batches);
        let (mut known, known_storage) = cursor_list(before);
        while let Some(key) = changes.get_key(&change_storage) {
            let mut values = BTreeMap::<&[u8], i64>::new();
            known.seek_key(&known_storage, key);
            if known.get_key(&known_storage) == Some(key) {
                while let Some(value) = known.get_val(&known_storage) {
                    known.map_times(&known_storage, |_, diff| *values.entry(value).or_default() += diff);
                    known.step_val(&known_storage);
                }
            }
            let mut by_time = BTreeMap::<u64, Vec<(&[u8], i64)>>::new();
            while let Some(value) = changes.get_val(&change_storage) {
                changes.map_times(&change_storage, |time, diff| by_time.entry(*time).or_default().push((value, *diff)));
                changes.step_val(&change_storage);
            }
            let mut old = merged(&values);
            for (time, diffs) in by_time {
                diffs.into_iter().for_each(|(value, diff)| *values.entry(value).or_default() += diff);
                let new = merged(&values);
                if new != old {
                    let differences = [(old, -1), (new.clone(), 1)];
                    let differences = differences.into_iter().filter_map(|(row, count)| Some((row?, count)));
                    differences.for_each(|(row, count)| give((key.to_vec(), row), time, count));
                }
                old = new;
            }
            changes.step_key(&change_storage);
        }
    })
}

/// One value a key: `merge` of all its values, given in ascending order. They are merged within 256 buckets first, so one
/// change re-reads one bucket and the buckets' results.
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
