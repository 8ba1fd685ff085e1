#![allow(clippy::unwrap_used)]

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use super::*;
use crate::endpoint::Changes;
use crate::feed::Shape;

fn shape() -> Arc<Shape> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    Arc::new(Shape { view: "numbers".to_owned(), schema, key: Vec::new(), append: false })
}

fn batch(shape: &Arc<Shape>, frontier: u64, snapshot: bool) -> Batch {
    let column = Int64Array::from(vec![frontier as i64]);
    let rows = RecordBatch::try_new(Arc::clone(&shape.schema), vec![Arc::new(column)]).unwrap();
    let changes = vec![Changes { time: frontier, rows, diffs: vec![1] }];
    Batch { frontier, snapshot, shape: Arc::clone(shape), changes }
}

fn times(batch: &Batch) -> Vec<u64> {
    batch.changes.iter().map(|changes| changes.time).collect()
}

#[test]
fn what_waits_is_one_batch_in_order_where_it_may_be_joined() {
    let (buffer, shape) = (Buffer::new(1 << 20), shape());
    for (time, snapshot) in [(1, true), (2, false), (3, false), (4, false)] {
        buffer.push(0, batch(&shape, time, snapshot)).unwrap();
    }
    let first = buffer.try_pop(1 << 20).unwrap();
    assert_eq!((first.snapshot, first.frontier, times(&first)), (true, 1, vec![1]));
    let joined = buffer.try_pop(1 << 20).unwrap();
    assert_eq!((joined.snapshot, joined.frontier, times(&joined)), (false, 4, vec![2, 3, 4]));
    assert_eq!((buffer.try_pop(1 << 20).is_none(), buffer.bytes()), (true, 0));
}

#[test]
fn batches_are_joined_up_to_so_many_bytes() {
    let (buffer, shape) = (Buffer::new(1 << 20), shape());
    for time in 1..=4 {
        buffer.push(0, batch(&shape, time, false)).unwrap();
    }
    let most_bytes = 5 * batch(&shape, 1, false).bytes() / 2;
    assert_eq!(times(&buffer.try_pop(most_bytes).unwrap()), [1, 2]);
    assert_eq!(times(&buffer.try_pop(0).unwrap()), [3]);
    assert_eq!(times(&buffer.try_pop(most_bytes).unwrap()), [4]);
}

#[test]
fn batches_of_two_subscriptions_are_not_joined() {
    let buffer = Buffer::new(1 << 20);
    for time in 1..=2 {
        buffer.push(0, batch(&shape(), time, false)).unwrap();
    }
    assert_eq!(buffer.try_pop(1 << 20).unwrap().frontier, 1);
    assert_eq!(buffer.try_pop(1 << 20).unwrap().frontier, 2);
}
