//! What is retained: event batches within a budget of bytes, the oldest out first, and state tables as sets of rows.
//! One-shot scripts read it; views are hydrated from it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use arrow::array::RecordBatch;
use watershed_model::tables::{ALL, by_name};
use watershed_model::{Kind, StateChange, Table, Tick, TickTime};
use watershed_query::Snapshot;

use crate::codec::{Codec, batch_of};
use crate::losses::Losses;

struct EventBatch {
    tick: TickTime,
    batch: RecordBatch,
    bytes: usize,
}

type RowChange = (Vec<u8>, i64);

struct StateTable {
    table: &'static Table,
    codec: Codec,
    rows: HashMap<Vec<u8>, i64, foldhash::fast::RandomState>,
    /// Changes after the last closed tick, so that the closed state can be read while later ticks are on their way.
    open: VecDeque<(TickTime, Vec<RowChange>)>,
}

impl StateTable {
    fn new(table: &'static Table) -> Option<Self> {
        let codec = Codec::of(&table.storage_schema()).ok()?;
        Some(StateTable { table, codec, rows: HashMap::default(), open: VecDeque::new() })
    }

    fn apply(&mut self, tick: TickTime, change: &StateChange) -> Result<(), arrow::error::ArrowError> {
        let encoded = self.codec.encode(change.rows.columns())?;
        let mut changes = Vec::with_capacity(change.diffs.len());
        for (at, diff) in change.diffs.iter().enumerate().take(change.rows.num_rows()) {
            let row = encoded.row(at).to_vec();
            add(&mut self.rows, row.clone(), *diff);
            changes.push((row, *diff));
        }
        self.open.push_back((tick, changes));
        Ok(())
    }

    fn at(&self, time: TickTime) -> Vec<(Vec<u8>, i64)> {
        let later: Vec<_> = self.open.iter().filter(|(tick, _)| *tick > time).collect();
        if later.is_empty() {
            return self.rows.iter().map(|(row, count)| (row.clone(), *count)).collect();
        }
        let mut rows = self.rows.clone();
        for (row, diff) in later.iter().flat_map(|(_, changes)| changes) {
            add(&mut rows, row.clone(), -diff);
        }
        rows.into_iter().collect()
    }

    /// Rows, repeated by multiplicity.
    fn batch(&self, time: TickTime) -> Option<RecordBatch> {
        let rows = self.at(time);
        let repeated = || rows.iter().flat_map(|(row, n)| std::iter::repeat_n(row.as_slice(), (*n).max(0) as usize));
        let count = repeated().count();
        let columns = self.codec.decode(repeated()).ok()?;
        batch_of(&self.table.storage_schema(), columns, count).ok()
    }
}

fn add(rows: &mut HashMap<Vec<u8>, i64, foldhash::fast::RandomState>, row: Vec<u8>, diff: i64) {
    let entry = rows.entry(row);
    if let std::collections::hash_map::Entry::Occupied(mut known) = entry {
        *known.get_mut() += diff;
        if *known.get() == 0 {
            known.remove();
        }
    } else if diff != 0 {
        entry.or_insert(diff);
    }
}

/// Retained rows and bytes of a table.
#[derive(Debug, Clone)]
pub struct TableStatus {
    /// The table.
    pub name: &'static str,
    /// Rows retained.
    pub rows: usize,
    /// Bytes retained.
    pub bytes: usize,
    /// Tick of the oldest batch, if there is one.
    pub first_time: Option<TickTime>,
    /// Tick of the youngest batch.
    pub last_time: Option<TickTime>,
}

/// The table store.
pub(crate) struct Store {
    budget: usize,
    bytes: usize,
    events: BTreeMap<&'static str, VecDeque<EventBatch>>,
    /// The last tick that each event table has lost rows of.
    evicted: HashMap<&'static str, TickTime>,
    states: BTreeMap<&'static str, StateTable>,
    last: TickTime,
    losses: Losses,
}

impl Store {
    pub(crate) fn new(budget: usize, losses: Losses) -> Self {
        let tables = ALL.iter().copied();
        let events = tables.clone().filter(|t| t.kind == Kind::Event).map(|t| (t.name, VecDeque::new())).collect();
        let states =
            tables.filter(|t| t.kind == Kind::State).filter_map(|t| Some((t.name, StateTable::new(t)?))).collect();
        Store { budget, bytes: 0, events, evicted: HashMap::new(), states, last: TickTime(0), losses }
    }

    /// The last tick that was added.
    pub(crate) fn last(&self) -> TickTime {
        self.last
    }

    /// Adds a tick; what does not fit a table's schema is taken out of it and counted.
    pub(crate) fn add(&mut self, tick: &mut Tick) {
        self.last = tick.time;
        let losses = self.losses.clone();
        tick.events.retain(|(name, batch)| {
            let fits = by_name(name).is_some_and(|table| fits(table, Kind::Event, batch));
            if !fits {
                losses.add("dataflow", "malformed_batch", batch.num_rows() as i64, 0);
            }
            fits && batch.num_rows() > 0
        });
        tick.states.retain(|change| {
            let fits = by_name(change.table).is_some_and(|table| fits(table, Kind::State, &change.rows));
            let fits = fits && change.diffs.len() == change.rows.num_rows();
            if !fits {
                losses.add("dataflow", "malformed_batch", change.rows.num_rows() as i64, 0);
            }
            fits
        });
        for (name, batch) in &tick.events {
            let bytes = batch.get_array_memory_size();
            self.bytes += bytes;
            let batches = self.events.entry(*name).or_default();
            batches.push_back(EventBatch { tick: tick.time, batch: batch.clone(), bytes });
        }
        for change in &tick.states {
            let applied = self.states.get_mut(change.table).map(|state| state.apply(tick.time, change));
            if applied.is_none_or(|applied| applied.is_err()) {
                losses.add("dataflow", "malformed_batch", change.rows.num_rows() as i64, 0);
            }
        }
        self.evict();
    }

    fn evict(&mut self) {
        while self.bytes > self.budget {
            let filled = self.events.iter_mut().filter(|(_, batches)| !batches.is_empty());
            let oldest = filled.min_by_key(|(_, batches)| batches.front().map(|batch| batch.tick));
            let Some((table, batch)) = oldest.and_then(|(table, batches)| Some((*table, batches.pop_front()?))) else {
                return;
            };
            self.bytes -= batch.bytes;
            self.evicted.insert(table, batch.tick);
        }
    }

    /// Forgets what it takes to read states before `closed`.
    pub(crate) fn close(&mut self, closed: TickTime) {
        for state in self.states.values_mut() {
            while state.open.front().is_some_and(|(tick, _)| *tick <= closed) {
                state.open.pop_front();
            }
        }
    }

    /// All tables at a closed time or at the last tick.
    pub(crate) fn snapshot(&self, time: TickTime) -> StoreSnapshot {
        let mut batches: HashMap<&'static str, Vec<RecordBatch>> = HashMap::new();
        for (name, events) in &self.events {
            let until = events.iter().filter(|b| b.tick <= time).map(|b| b.batch.clone()).collect();
            batches.insert(name, until);
        }
        for (name, state) in &self.states {
            batches.insert(name, state.batch(time).into_iter().collect());
        }
        StoreSnapshot { time, batches: Arc::new(batches), evicted: self.evicted.clone() }
    }

    /// What is retained of each table.
    pub(crate) fn tables(&self) -> Vec<TableStatus> {
        ALL.iter()
            .map(|table| match self.states.get(table.name) {
                Some(state) => TableStatus {
                    name: table.name,
                    rows: state.rows.values().map(|count| (*count).max(0) as usize).sum(),
                    bytes: state.rows.keys().map(Vec::len).sum(),
                    first_time: None,
                    last_time: None,
                },
                None => {
                    let none = VecDeque::new();
                    let batches = self.events.get(table.name).unwrap_or(&none);
                    TableStatus {
                        name: table.name,
                        rows: batches.iter().map(|b| b.batch.num_rows()).sum(),
                        bytes: batches.iter().map(|b| b.bytes).sum(),
                        first_time: batches.front().map(|b| b.tick),
                        last_time: batches.back().map(|b| b.tick),
                    }
                }
            })
            .collect()
    }
}

fn fits(table: &Table, kind: Kind, batch: &RecordBatch) -> bool {
    let fields = batch.schema_ref().fields();
    let same = || fields.iter().zip(table.columns).all(|(f, c)| f.data_type() == c.storage_field().data_type());
    table.kind == kind && fields.len() == table.columns.len() && same()
}

/// All tables at one time; cheap to clone and independent of what happens later.
#[derive(Debug, Clone)]
pub struct StoreSnapshot {
    time: TickTime,
    batches: Arc<HashMap<&'static str, Vec<RecordBatch>>>,
    evicted: HashMap<&'static str, TickTime>,
}

impl StoreSnapshot {
    /// Event tables that have lost rows to the budget, each with the last tick that it lost rows of.
    #[must_use]
    pub fn evicted(&self) -> &HashMap<&'static str, TickTime> {
        &self.evicted
    }
}

impl Snapshot for StoreSnapshot {
    fn time(&self) -> TickTime {
        self.time
    }

    fn batches(&self, table: &str) -> Vec<RecordBatch> {
        self.batches.get(table).cloned().unwrap_or_default()
    }
}
