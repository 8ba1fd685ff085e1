//! The leaves of a view: event scans with their windows, aggregated per tick where a reduce stands right above them.

mod inlined;
mod keyed;
mod reduce;
mod spans;

use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use watershed_model::TickTime;
use watershed_operators::Row;
use watershed_query::view::{EventScan, Map, Window};

use crate::codec::Codec;
use crate::losses::Losses;
use crate::panes::{Panes, Standing};
use crate::stored::StoredBatch;
use crate::vector::Chain;

pub(crate) use keyed::{Keyed, KeyedReader, Keying};
pub(crate) use reduce::ReduceScan;

/// An event scan and the maps above it, in order.
pub(crate) type Scanned<'p> = (&'p EventScan, Vec<(Map, SchemaRef)>);

/// What a leaf is fed with.
pub(crate) enum Item {
    /// Events of a tick, or retained ones when the view is built.
    Events(Rc<StoredBatch>),
    /// Changes of a state table.
    Changes(Rc<StoredBatch>, Arc<Vec<i64>>),
    /// The rows of a constant.
    Constant(RecordBatch),
    /// What other dataflows keep of state tables is another.
    Moved,
}

/// Reads an event table's rows through the scan's expressions.
pub(crate) struct EventReader {
    pub(crate) columns: Vec<usize>,
    pub(crate) chain: Chain,
    pub(crate) owner: String,
    pub(crate) losses: Losses,
}

impl EventReader {
    /// Calls `each` with pieces of the batch and the `time_` of their rows.
    pub(crate) fn read(&self, stored: &StoredBatch, mut each: impl FnMut(&[ArrayRef], Vec<i64>)) {
        let (Some(times), Ok(batch)) = (stored.times(), stored.columns(&self.columns)) else {
            self.losses.add(&self.owner, "malformed_batch", stored.rows() as i64, 0);
            return;
        };
        for piece in self.chain.run(&batch) {
            let times = piece.origins.values().iter().map(|origin| times[*origin as usize]).collect();
            each(&piece.columns, times);
        }
    }
}

/// A scan whose rows come out one by one.
pub(crate) struct RowScan {
    reader: EventReader,
    codec: Codec,
    panes: Panes<Vec<Row>>,
    now: Option<u64>,
}

impl RowScan {
    pub(crate) fn new(reader: EventReader, codec: Codec, window: Option<Window>) -> Self {
        RowScan { reader, codec, panes: Panes::new(window), now: None }
    }

    pub(crate) fn step(&mut self, tick: u64, item: Option<Item>, emit: &mut dyn FnMut(Row, i64)) {
        let now_ns = TickTime(tick).as_nanoseconds();
        if self.now != Some(tick) {
            self.now = Some(tick);
            for (_, rows) in self.panes.left(now_ns).into_iter().filter(|(inside, _)| *inside) {
                rows.into_iter().for_each(|row| emit(row, -1));
            }
            for rows in self.panes.entered(now_ns).iter().filter_map(|pane| self.panes.get(*pane)) {
                rows.iter().for_each(|row| emit(row.clone(), 1));
            }
            self.panes.settled();
        }
        let Some(Item::Events(stored)) = item else { return };
        let RowScan { reader, codec, panes, .. } = self;
        reader.read(&stored, |columns, times| {
            let Ok(rows) = codec.encode(columns) else {
                reader.losses.add(&reader.owner, "malformed_batch", times.len() as i64, 0);
                return;
            };
            for (row, time) in times.iter().enumerate() {
                let pane = panes.pane_of(*time);
                let standing = panes.standing(pane, now_ns);
                if standing == Standing::Inside {
                    emit(rows.row(row).to_vec(), 1);
                }
                if panes.keeps(standing) {
                    panes.contents(pane, standing).push(rows.row(row).to_vec());
                }
            }
        });
    }
}
