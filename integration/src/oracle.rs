//! The judge of the parsers: a conversation with a real server is decoded a second time, by tshark where it knows the
//! protocol, and compared with the rows of our tables. Every protocol is one file: what was said by the capture
//! (`expected`), and what a row says (`found`), in the same words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::agent::integer;

pub mod amqp;
pub mod capture;
pub mod cql;
pub mod dns;
pub mod http2;
pub mod kafka;
pub mod mongodb;
pub mod mysql;
pub mod nats;
pub mod pgsql;
pub mod redis;
pub mod servers;
pub mod stage;
pub mod tls;

/// One exchange in words that both sides use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// The client's port, which tells connections apart.
    pub connection: u16,
    /// What was asked.
    pub request: String,
    /// What was answered; empty when nothing was.
    pub answer: String,
}

impl Said {
    /// Of a row: the client's port is at this end when the row was made there.
    #[must_use]
    pub fn by(row: &Value, request: String, answer: String) -> Self {
        let port = if number(row, "trace_role") == 1 { "local_port" } else { "remote_port" };
        Said { connection: u16::try_from(number(row, port)).unwrap_or(0), request, answer }
    }
}

/// A row's integer.
#[must_use]
pub fn number(row: &Value, column: &str) -> i64 {
    integer(&row[column]).unwrap_or(-1)
}

/// A row's text.
#[must_use]
pub fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().unwrap_or_default()
}

/// A value of tshark's JSON or ours as plain text; empty for what is not there or has parts.
#[must_use]
pub fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// The letters of a text that everybody encodes alike, at most the first 500.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii).take(500).collect()
}

/// How rows compare with what was said.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Exchanges that are in the table as they were said.
    pub matched: usize,
    /// Said, and not in the table.
    pub missed: Vec<Said>,
    /// The same request with another answer: as said, as in the table.
    pub wrong: Vec<(Said, Said)>,
    /// In the table, and not said.
    pub invented: Vec<Said>,
    /// Answers that their client did not read.
    pub unread: Vec<Said>,
}

/// Compares as multisets.
#[must_use]
pub fn compare(expected: &[Said], found: &[Said]) -> Verdict {
    let mut counts = BTreeMap::<&Said, i64>::new();
    expected.iter().for_each(|said| *counts.entry(said).or_default() += 1);
    found.iter().for_each(|said| *counts.entry(said).or_default() -= 1);
    let mut verdict = Verdict::default();
    let mut invented = Vec::new();
    for (said, count) in counts {
        let times = usize::try_from(count.unsigned_abs()).unwrap_or(0);
        let side = if count > 0 { &mut verdict.missed } else { &mut invented };
        side.extend(std::iter::repeat_n(said.clone(), times));
    }
    verdict.matched = expected.len() - verdict.missed.len();
    for row in invented {
        let same = |said: &Said| said.connection == row.connection && said.request == row.request;
        match verdict.missed.iter().position(same) {
            Some(at) => verdict.wrong.push((verdict.missed.remove(at), row)),
            None => verdict.invented.push(row),
        }
    }
    verdict
}

impl Verdict {
    /// Takes back the last missed answer on connections that were reset by their client: it went away without reading.
    pub fn excuse(&mut self, resets: &BTreeSet<u16>) {
        for connection in resets {
            let of_it = |said: &Said| said.connection == *connection;
            if let Some(at) = self.missed.iter().position(of_it) {
                self.unread.push(self.missed.remove(at));
            }
        }
    }

    /// Whether at least 999 of 1000 match and nothing is invented.
    #[must_use]
    pub fn holds(&self) -> bool {
        let not = self.missed.len() + self.wrong.len();
        self.matched > 0 && self.invented.is_empty() && not * 1000 <= self.matched + not
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { matched, missed, wrong, invented, unread } = self;
        write!(out, "matched {matched}, missed {}, wrong {}", missed.len(), wrong.len())?;
        write!(out, ", invented {}, unread {}", invented.len(), unread.len())?;
        missed.iter().take(15).try_for_each(|said| write!(out, "\n  missed   {said:?}"))?;
        wrong.iter().take(15).try_for_each(|(said, row)| write!(out, "\n  wrong    {said:?}\n    row    {row:?}"))?;
        invented.iter().take(15).try_for_each(|said| write!(out, "\n  invented {said:?}"))
    }
}
