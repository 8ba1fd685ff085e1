//! PostgreSQL: what is asked stands in a queue that the server's messages walk through.

use std::collections::{BTreeMap, VecDeque};

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part};
use super::{Said, number, plain, scalar, text};

/// Longer answers are compared by their lengths.
const TEXT_BYTES: u64 = 900;

/// So much of an executed statement is compared: no parameter of the conversation comes before.
const EXECUTED_CHARACTERS: usize = 7;

/// Something asked and what it got so far.
#[derive(Debug, Default)]
struct Asked {
    kind: String,
    sql: String,
    asked: u64,
    answered: u64,
    last: String,
    failed: bool,
}

/// One connection.
#[derive(Debug, Default)]
struct Session {
    waiting: VecDeque<Asked>,
    statements: BTreeMap<String, String>,
    portals: BTreeMap<String, String>,
    skips: bool,
}

impl Session {
    fn ask(&mut self, message: &Value, bytes: u64) {
        let field = |name: &str| scalar(&message[name]);
        let (kind, sql) = match field("pgsql.type").as_str() {
            "SSL request" => ("SSL REQUEST", String::new()),
            "Startup message" => ("STARTUP", String::new()),
            "Simple query" => ("QUERY", field("pgsql.query")),
            "Parse" => {
                self.statements.insert(field("pgsql.statement"), field("pgsql.query"));
                ("PARSE", field("pgsql.query"))
            }
            "Bind" => {
                let sql = self.statements.get(&field("pgsql.statement")).cloned().unwrap_or_default();
                self.portals.insert(field("pgsql.portal"), sql.clone());
                ("BIND", sql)
            }
            "Describe" => ("DESCRIBE", String::new()),
            "Execute" => ("EXECUTE", self.portals.get(&field("pgsql.portal")).cloned().unwrap_or_default()),
            "Close" => ("CLOSE", String::new()),
            "Sync" => ("SYNC", String::new()),
            "Copy data" | "Copy completion" => {
                if let Some(front) = self.waiting.front_mut() {
                    front.asked += bytes;
                }
                return;
            }
            _ => return,
        };
        if !self.skips || kind == "SYNC" {
            self.skips = false;
            self.waiting.push_back(Asked { kind: kind.into(), sql, asked: bytes, ..Asked::default() });
        }
    }

    /// What is complete after a message of the server.
    fn answer(&mut self, message: &Value, bytes: u64) -> Option<Asked> {
        let kind = scalar(&message["pgsql.type"]);
        if matches!(kind.as_str(), "Parameter status" | "Notice") {
            return None;
        }
        let front = self.waiting.front_mut()?;
        front.answered += bytes;
        match kind.as_str() {
            "Error" => (front.failed, front.last) = (true, scalar(&message["pgsql.message"])),
            "Command completion" => front.last = scalar(&message["pgsql.tag"]),
            _ => {}
        }
        let done = match (front.kind.as_str(), kind.as_str()) {
            ("STARTUP", "Error") => true,
            ("STARTUP" | "QUERY" | "SYNC", kind) => kind == "Ready for query",
            ("PARSE", "Parse completion") | ("BIND", "Bind completion") | ("CLOSE", "Close completion") => true,
            ("DESCRIBE", "Row description" | "No data") => true,
            ("EXECUTE", "Command completion" | "Empty query" | "Portal suspended") => true,
            (_, "Error") => {
                let failed = self.waiting.pop_front();
                while self.waiting.front().is_some_and(|front| front.kind != "SYNC") {
                    self.waiting.pop_front();
                }
                self.skips = self.waiting.is_empty();
                return failed;
            }
            _ => false,
        };
        if done { self.waiting.pop_front() } else { None }
    }
}

fn words(kind: &str, sql: &str, bytes: u64) -> String {
    // Values stand where the parameters were.
    let head = sql.char_indices().nth(EXECUTED_CHARACTERS).map_or(sql, |(at, _)| &sql[..at]);
    let sql = if kind == "EXECUTE" { head } else { sql };
    format!("{kind} {bytes} {}", plain(sql))
}

fn answer(bytes: u64, failed: bool, last: &str) -> String {
    format!("{bytes} {failed} {}", if bytes < TEXT_BYTES { last } else { "" })
}

/// Queries, statements that are parsed and executions are rows; binding, describing, closing and syncing when they fail.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut sessions = BTreeMap::<u16, Session>::new();
    let mut found = Vec::new();
    for Part { connection, from_client, what } in capture.layers("pgsql")? {
        let session = sessions.entry(connection).or_default();
        let length: u64 = scalar(&what["pgsql.length"]).parse().unwrap_or(0);
        let untyped = matches!(scalar(&what["pgsql.type"]).as_str(), "SSL request" | "Startup message");
        let bytes = length + u64::from(!untyped);
        if from_client {
            session.ask(&what, bytes);
            if scalar(&what["pgsql.type"]) == "SSL request" {
                // tshark does not know the one letter that is the answer.
                session.waiting.clear();
                let request = words("SSL REQUEST", "", bytes);
                found.push(Said { connection, request, answer: answer(1, false, "") });
            }
            continue;
        }
        if scalar(&what["pgsql.type"]) == "Notification" {
            found.push(Said { connection, request: words("NOTIFICATION", "", 0), answer: answer(bytes, false, "") });
            continue;
        }
        let Some(done) = session.answer(&what, bytes) else { continue };
        if done.failed || matches!(done.kind.as_str(), "STARTUP" | "QUERY" | "PARSE" | "EXECUTE") {
            let request = words(&done.kind, &done.sql, done.asked);
            found.push(Said { connection, request, answer: answer(done.answered, done.failed, &done.last) });
        }
    }
    Ok(found)
}

/// What a row says. The tag or the error is the answer's last line; an error has its code before it.
#[must_use]
pub fn found(row: &Value) -> Said {
    let bytes = |column: &str| u64::try_from(number(row, column)).unwrap_or(0);
    let (kind, failed, sql) = (text(row, "req_cmd"), row["failed"] == true, text(row, "req"));
    let line = text(row, "resp").lines().last().unwrap_or_default();
    let last = match kind {
        _ if failed => line.splitn(3, ' ').nth(2).unwrap_or_default(),
        "QUERY" | "EXECUTE" => line,
        _ => "",
    };
    let sql = match kind {
        "STARTUP" => "",
        _ => sql,
    };
    Said::by(row, words(kind, sql, bytes("req_bytes")), answer(bytes("resp_bytes"), failed, last))
}
