//! MySQL: commands and what the server says until the next one, which this protocol always waits for.

use anyhow::Result;
use serde_json::Value;

use super::capture::{Capture, Part};
use super::{Said, number, plain, scalar, text};

const LOGIN: i64 = 11;
const QUERY: i64 = 3;

struct Command {
    connection: u16,
    number: i64,
    body: String,
    asked: u64,
    answered: u64,
    error: String,
}

fn said(command: &Command) -> Said {
    let Command { connection, number, body, asked, answered, error } = command;
    Said {
        connection: *connection,
        request: format!("{number} {asked} {}", plain(body)),
        answer: format!("{answered} {error}"),
    }
}

/// Every command is a row, and every login.
///
/// # Errors
/// When the capture cannot be read.
pub fn expected(capture: &Capture) -> Result<Vec<Said>> {
    let mut found: Vec<Command> = Vec::new();
    for Part { connection, from_client, what } in capture.layers("mysql")? {
        let bytes = scalar(&what["mysql.packet_length"]).parse::<u64>().unwrap_or(0) + 4;
        let first = scalar(&what["mysql.packet_number"]) == "0";
        let last = found.iter_mut().rev().find(|command| command.connection == connection);
        match (from_client, last) {
            (true, None) => {
                let body = scalar(&what["mysql.login_request"]["mysql.user"]);
                found.push(Command {
                    connection,
                    number: LOGIN,
                    body,
                    asked: bytes,
                    answered: 0,
                    error: String::new(),
                });
            }
            (true, Some(_)) if first => {
                let request = &what["mysql.request"];
                let number = scalar(&request["mysql.command"]).parse().unwrap_or(-1);
                let body = [scalar(&request["mysql.query"]), scalar(&request["mysql.schema"])].concat();
                found.push(Command { connection, number, body, asked: bytes, answered: 0, error: String::new() });
            }
            (true, Some(last)) => last.asked += bytes,
            (false, Some(last)) => {
                last.answered += bytes;
                last.error += &scalar(&what["mysql.error.message"]);
            }
            (false, None) => {}
        }
    }
    Ok(found.iter().map(said).collect())
}

/// What a row says.
#[must_use]
pub fn found(row: &Value) -> Said {
    let error = if row["failed"] == true { text(row, "resp_body") } else { "" };
    let command = number(row, "req_cmd");
    let body = if matches!(command, QUERY | LOGIN | 2) { text(row, "req_body") } else { "" };
    let request = format!("{command} {} {}", number(row, "req_bytes"), plain(body));
    Said::by(row, request, format!("{} {error}", number(row, "resp_bytes")))
}
