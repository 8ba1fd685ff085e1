//! A view followed by `watershed subscribe -o jsonl`: the rows as of the last progress mark.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use super::children::{Agent, Owned};
use crate::failure::Outcome;

/// A row by column name.
pub(super) type Row = Map<String, Value>;

/// A view's rows, kept up by a thread of their own until this is dropped.
#[derive(Debug)]
pub(super) struct LiveView {
    rows: Arc<Mutex<Vec<Row>>>,
    _subscriber: Owned,
}

impl LiveView {
    /// Subscribes to a view of the agent.
    pub(super) fn follow(agent: &Agent, view: &str) -> Outcome<Self> {
        let mut command = agent.command(&["subscribe", view, "-o", "jsonl"])?;
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut subscriber = Owned::spawn(command, "watershed subscribe")?;
        let lines = BufReader::new(subscriber.0.stdout.take().expect("stdout is piped")).lines();
        let rows = Arc::new(Mutex::new(Vec::new()));
        let published = Arc::clone(&rows);
        std::thread::spawn(move || {
            let mut state = State::default();
            for line in lines.map_while(Result::ok) {
                if let Some(closed) = state.apply(&line) {
                    *published.lock().unwrap_or_else(PoisonError::into_inner) = closed;
                }
            }
        });
        Ok(LiveView { rows, _subscriber: subscriber })
    }

    /// The rows as of the last closed time.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Rows with their multiplicities, as the lines of a subscription add them up.
#[derive(Debug, Default)]
struct State {
    counts: HashMap<String, i64>,
}

impl State {
    /// Applies one line; at a progress mark, all rows.
    fn apply(&mut self, line: &str) -> Option<Vec<Row>> {
        let Ok(Value::Object(line)) = serde_json::from_str(line) else { return None };
        if line.contains_key("restart") {
            self.counts.clear();
        }
        if let (Some(row), Some(diff)) = (line.get("row"), line.get("diff").and_then(Value::as_i64)) {
            *self.counts.entry(row.to_string()).or_default() += diff;
            return None;
        }
        line.get("progress")?;
        self.counts.retain(|_, count| *count != 0);
        Some(self.counts.keys().filter_map(|row| serde_json::from_str(row).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn rows_are_shown_when_their_time_is_closed() {
        let mut state = State::default();
        assert_eq!(state.apply(r#"{"snapshot":"v","time":1,"diff":1,"row":{"n":1}}"#), None);
        let closed = state.apply(r#"{"progress":1}"#).unwrap_or_default();
        assert_eq!(closed.len(), 1);
        state.apply(r#"{"table":"v","time":2,"diff":-1,"row":{"n":1}}"#);
        state.apply(r#"{"table":"v","time":2,"diff":1,"row":{"n":2}}"#);
        let closed = state.apply(r#"{"progress":2}"#).unwrap_or_default();
        assert_eq!(closed.len(), 1);
        assert_eq!(closed[0]["n"], 2);
        state.apply(r#"{"restart":"slow"}"#);
        assert_eq!(state.apply(r#"{"progress":3}"#), Some(Vec::new()));
    }
}
