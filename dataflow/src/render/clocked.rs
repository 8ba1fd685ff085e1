//! Maps that depend on what the time is.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampNanosecondArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use watershed_model::{DataType, TickTime};
use watershed_operators::{Counts, Row, Rows, at_each_tick, leaf};
use watershed_query::view::{Map, Node};

use super::{CHECKED, Feeds, Renderer};
use crate::codec::{Codec, batch_of, relaxed};
use crate::losses::Losses;
use crate::scan::Item;
use crate::vector::Chain;

/// Most rows that are made anew at each tick, a worker; while there are more, none are shown.
const ROWS_MAX: usize = 100_000;

impl<'scope> Renderer<'_, 'scope> {
    pub(super) fn clocked(&mut self, input: &Node, map: &Map, schema: &SchemaRef) -> Rows<'scope> {
        let rows = self.rows(input);
        let name = self.label("clock");
        let (clock, ticks) = leaf(self.scope, &name, |_tick, item: Option<Item>, emit: &mut dyn FnMut((), i64)| {
            if item.is_none() {
                emit((), 1);
            }
        });
        self.ends.leaves.push((Feeds::Ticks, clock));
        let seen = with_now(&input.schema);
        let maker = Maker {
            decoder: Codec::of(&input.schema).expect(CHECKED),
            encoder: Codec::of(schema).expect(CHECKED),
            chain: self.chain(vec![(map.clone(), Arc::clone(schema))], Vec::new()),
            seen,
            losses: self.losses.clone(),
            owner: self.view.to_owned(),
        };
        let label = self.label("clocked");
        at_each_tick(rows, ticks, &label, move |tick, rows, give| maker.make(TickTime(tick), rows, give))
    }
}

fn with_now(schema: &Schema) -> SchemaRef {
    let now = Arc::new(Field::new("now", DataType::Time64Ns.arrow(), false));
    let fields: Vec<_> = schema.fields().iter().cloned().chain([now]).collect();
    relaxed(&Schema::new(fields))
}

/// Makes rows of rows and the time.
struct Maker {
    decoder: Codec,
    encoder: Codec,
    chain: Chain,
    /// The columns of the rows, and the time.
    seen: SchemaRef,
    losses: Losses,
    owner: String,
}

impl Maker {
    fn make(&self, now: TickTime, rows: &Counts, give: &mut dyn FnMut(Row, i64)) {
        if rows.len() > ROWS_MAX {
            return self.losses.add(&self.owner, "too_many_rows_for_now", rows.len() as i64, 0);
        }
        let counts: Vec<i64> = rows.values().copied().collect();
        if counts.is_empty() {
            return;
        }
        let Ok(batch) = self.batch(now, rows) else {
            return self.losses.add(&self.owner, "malformed_batch", rows.len() as i64, 0);
        };
        for piece in self.chain.run(&batch) {
            let Ok(made) = self.encoder.encode(&piece.columns) else {
                self.losses.add(&self.owner, "malformed_batch", piece.len() as i64, 0);
                continue;
            };
            for (at, origin) in piece.origins.values().iter().enumerate() {
                give(made.row(at).to_vec(), counts[*origin as usize]);
            }
        }
    }

    fn batch(&self, now: TickTime, rows: &Counts) -> Result<RecordBatch, ArrowError> {
        let mut columns = self.decoder.decode(rows.keys().map(Vec::as_slice))?;
        let now = TimestampNanosecondArray::from_value(now.as_nanoseconds(), rows.len()).with_timezone("+00:00");
        columns.push(Arc::new(now) as ArrayRef);
        batch_of(&self.seen, columns, rows.len())
    }
}
