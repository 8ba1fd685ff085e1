//! Differential operators over rows of bytes, and the diff that carries aggregates. Each is a pure core with a thin
//! wrapper; none knows about plans, tables or Arrow.

mod accumulator;
mod blocks;
mod clock;
mod complete;
mod join;
mod lookup;
mod reduce;
mod reports;
mod rows;
mod source;
mod sums;
mod top;
mod total;

pub use accumulator::{Accumulator, Lane, Packed};
pub use clock::{Counts, at_each_tick};
pub use join::{keys_of, matching, pairs};
pub use lookup::{Elsewhere, Further, KeyedRows, KeyedUpdates, Made, Updates, Wanted, lookup, lookup_elsewhere};
pub use reduce::merge_values;
pub use rows::{
    Bytes, KeyArranged, KeyTrace, Row, RowArranged, RowTrace, Rows, Times, arrange_keys, arrange_rows, bucket_of,
    reserve_gently,
};
pub use source::{Emit, Feed, Leaf, leaf};
pub use sums::{KeySums, accumulate};
pub use top::first_rows;
pub use total::distinct;
