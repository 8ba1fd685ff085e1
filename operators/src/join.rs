//! Equi-joins of keyed rows. Rows concatenate to the joined row, since encodings of columns do.

use crate::lookup::KeyedRows;
use crate::rows::{KeyArranged, RowArranged, Rows, arrange_keys};
use crate::total::distinct;

/// Left row followed by right row, for all pairs of equal key.
pub fn pairs<'scope>(left: RowArranged<'scope>, right: RowArranged<'scope>) -> Rows<'scope> {
    left.join_core(right, |_key, left, right| {
        let mut row = Vec::with_capacity(left.len() + right.len());
        row.extend_from_slice(left);
        row.extend_from_slice(right);
        Some(row)
    })
}

/// The keys that occur, once each.
pub fn keys_of<'scope>(rows: KeyedRows<'scope>, name: &str) -> KeyArranged<'scope> {
    let keys = distinct(rows.map(|(key, _)| key), name);
    arrange_keys(keys, &format!("{name}: arranged"))
}

/// The rows whose key occurs in `keys`.
pub fn matching<'scope>(rows: RowArranged<'scope>, keys: KeyArranged<'scope>) -> Rows<'scope> {
    rows.join_core(keys, |_key, row, &()| Some(row.to_vec()))
}
