//! A running `watershed subscribe`, whose rows are added up as they come.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::agent::Agent;
use crate::processes::Owned;

/// Ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    _process: Owned,
    seen: Arc<Mutex<Seen>>,
}

/// What came so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Rows with their multiplicities at the last progress mark.
    pub rows: BTreeMap<String, i64>,
    /// All changes up to then, in order.
    pub changes: Vec<(String, i64)>,
    pending: Vec<(String, i64)>,
}

impl Subscription {
    /// Subscribes to a SQL text.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub fn start(agent: &Agent, sql: &str) -> Result<Self> {
        let mut command = agent.command(&["subscribe", "-o", "jsonl", "-s", sql]);
        let mut process = Owned::spawn(command.stdout(Stdio::piped()))?;
        let lines = BufReader::new(process.0.stdout.take().context("stdout is piped")?).lines();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Ok(line) = serde_json::from_str(&line) else { continue };
                shared.lock().unwrap_or_else(PoisonError::into_inner).take(&line);
            }
        });
        Ok(Subscription { _process: process, seen })
    }

    /// What came until the last progress mark.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Seen {
    fn take(&mut self, line: &Value) {
        if line.get("restart").is_some() {
            *self = Seen::default();
        } else if line.get("progress").is_some() {
            for (row, diff) in std::mem::take(&mut self.pending) {
                *self.rows.entry(row.clone()).or_default() += diff;
                self.changes.push((row, diff));
            }
            self.rows.retain(|_, count| *count != 0);
        } else if let (Some(row), Some(diff)) = (line.get("row"), line["diff"].as_i64()) {
            self.pending.push((row.to_string(), diff));
        }
    }
}
