//! A view that tests change by hand: the naive model that every endpoint is compared with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use watershed_sinks::{Ended, Event, Feed, Follow, Pending, Shape};

/// Rows with their multiplicities, as JSON.
pub(crate) type Rows = BTreeMap<String, i64>;

/// A row of the view: `key` and `n`.
pub(crate) type Row = (String, i64);

#[derive(Default)]
struct State {
    time: u64,
    rows: BTreeMap<Row, i64>,
    followers: Vec<UnboundedSender<Event>>,
    follows: usize,
}

/// The view; clones are the same.
#[derive(Clone)]
pub(crate) struct View {
    state: Arc<Mutex<State>>,
    keyed: bool,
    append: bool,
    padding: String,
}

impl View {
    pub(crate) fn new(keyed: bool) -> Self {
        Self::padded(keyed, 0)
    }

    /// Rows as a table has them: without a key, and only more of them.
    pub(crate) fn table() -> Self {
        Self { append: true, ..Self::new(false) }
    }

    /// Keys get so many letters more.
    pub(crate) fn padded(keyed: bool, padding: usize) -> Self {
        let state = State { time: 1_700_000_000_000, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), keyed, append: false, padding: "x".repeat(padding) }
    }

    /// Changes rows at the next time, and closes it.
    pub(crate) fn change(&self, changes: &[(&str, i64, i64)]) -> u64 {
        let changes: Vec<(Row, i64)> = changes.iter().map(|(key, n, diff)| ((self.key(key), *n), *diff)).collect();
        let mut state = self.state.lock().unwrap();
        state.time += 100;
        let time = state.time;
        for (row, diff) in &changes {
            let count = state.rows.entry(row.clone()).or_default();
            *count += diff;
        }
        state.rows.retain(|_, count| *count != 0);
        let events = [changes_event(time, &changes, false), Event::Progress(time)];
        state.followers.retain(|follower| events.iter().all(|event| follower.send(event.clone()).is_ok()));
        time
    }

    /// Replaces the row of a key.
    pub(crate) fn set(&self, key: &str, n: i64) -> u64 {
        let old = self.state.lock().unwrap().rows.keys().find(|row| row.0 == self.key(key)).cloned();
        let mut changes = Vec::new();
        if let Some((_, n)) = &old {
            changes.push((key, *n, -1));
        }
        changes.push((key, n, 1));
        self.change(&changes)
    }

    fn key(&self, key: &str) -> String {
        format!("{key}{}", self.padding)
    }

    /// The rows as JSON.
    pub(crate) fn rows(&self) -> Rows {
        let state = self.state.lock().unwrap();
        state.rows.iter().map(|((key, n), count)| (format!("{{\"key\":\"{key}\",\"n\":{n}}}"), *count)).collect()
    }

    /// The last closed time.
    pub(crate) fn time(&self) -> u64 {
        self.state.lock().unwrap().time
    }

    /// What its rows are.
    pub(crate) fn shape(&self) -> Shape {
        let key = if self.keyed { vec!["key".to_owned()] } else { Vec::new() };
        Shape { view: "numbers".to_owned(), schema: schema(), key, append: self.append }
    }

    /// How often it was followed.
    pub(crate) fn follows(&self) -> usize {
        self.state.lock().unwrap().follows
    }
}

impl Feed for View {
    fn follow(&self) -> Pending<'_, Result<Box<dyn Follow>, Ended>> {
        let mut state = self.state.lock().unwrap();
        let (sender, receiver) = unbounded_channel();
        let rows: Vec<(Row, i64)> = state.rows.iter().map(|(row, count)| (row.clone(), *count)).collect();
        sender.send(changes_event(state.time, &rows, true)).unwrap();
        sender.send(Event::Progress(state.time)).unwrap();
        state.followers.push(sender);
        state.follows += 1;
        let follower: Box<dyn Follow> = Box::new(Follower { shape: self.shape(), receiver });
        Box::pin(async { Ok(follower) })
    }
}

struct Follower {
    shape: Shape,
    receiver: UnboundedReceiver<Event>,
}

impl Follow for Follower {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn next(&mut self) -> Pending<'_, Result<Event, Ended>> {
        Box::pin(async { self.receiver.recv().await.ok_or_else(|| Ended("the view is gone".to_owned())) })
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("key", DataType::Utf8, false), Field::new("n", DataType::Int64, false)]))
}

fn changes_event(time: u64, changes: &[(Row, i64)], snapshot: bool) -> Event {
    let keys = StringArray::from_iter_values(changes.iter().map(|((key, _), _)| key));
    let numbers = Int64Array::from_iter_values(changes.iter().map(|((_, n), _)| *n));
    let rows = RecordBatch::try_new(schema(), vec![Arc::new(keys), Arc::new(numbers)]).unwrap();
    Event::Changes { time, rows, diffs: changes.iter().map(|(_, diff)| *diff).collect(), snapshot }
}
