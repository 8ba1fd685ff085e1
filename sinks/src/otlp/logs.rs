//! Rows that come and go as log records, which is what anomalies and alerts are. Pure.

use std::collections::BTreeMap;

use arrow::datatypes::Field;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use watershed_model::cells::{Cell, Cells, hexadecimal};

use super::transport::Message;
use super::{ITEMS, attribute, resource, scope, text};
use crate::endpoint::{Batch, Changes};
use crate::lines;

/// Whether the rows of a view are log records unless the manifest says otherwise.
pub(super) fn are_usual_for(view: &str) -> bool {
    let name = view.rsplit('/').next().unwrap_or(view);
    matches!(name, "anomalies" | "alerts")
}

/// The rows that were told and stand, by their JSON.
#[derive(Debug, Default)]
pub(super) struct Standing {
    rows: BTreeMap<String, Row>,
}

#[derive(Debug, Clone)]
struct Row {
    count: i64,
    raised: LogRecord,
    /// Whether the row says itself what became of it, as those of alerts do; then nothing is told when it goes.
    has_state: bool,
}

/// What became of the cause of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Raised,
    Cleared,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Event::Raised => "raised",
            Event::Cleared => "cleared",
        }
    }

    fn severity(self) -> SeverityNumber {
        match self {
            Event::Raised => SeverityNumber::Warn,
            Event::Cleared => SeverityNumber::Info,
        }
    }
}

impl Standing {
    /// The records of a batch; of a snapshot, what differs from what was told.
    pub(super) fn apply(&mut self, batch: &Batch, prefix: &str) -> Vec<LogRecord> {
        let mut records = Vec::new();
        if batch.snapshot {
            let before = std::mem::take(&mut self.rows);
            let mut found = Standing::default();
            for changes in &batch.changes {
                drop(found.change(changes, &batch.shape.view, prefix));
            }
            for (line, row) in &before {
                if !found.rows.contains_key(line) {
                    records.extend(row.cleared(batch.frontier));
                }
            }
            let is_new = |(line, _): &(&String, &Row)| !before.contains_key(*line);
            records.extend(found.rows.iter().filter(is_new).map(|(_, row)| row.raised.clone()));
            self.rows = found.rows;
            return records;
        }
        for changes in &batch.changes {
            records.extend(self.change(changes, &batch.shape.view, prefix));
        }
        records
    }

    /// The records of what changed at one time: of rows that were not there and are, and the reverse.
    fn change(&mut self, changes: &Changes, view: &str, prefix: &str) -> Vec<LogRecord> {
        let columns = Columns::of(changes, view, prefix);
        let mut net: BTreeMap<String, (usize, i64)> = BTreeMap::new();
        for (at, (line, diff)) in lines::rows(changes).enumerate() {
            net.entry(line).or_insert((at, 0)).1 += diff;
        }
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        for (line, (at, diff)) in net {
            let Some(row) = self.rows.get_mut(&line) else {
                if diff > 0 {
                    let row = columns.row(at, diff);
                    come.push(row.raised.clone());
                    self.rows.insert(line, row);
                }
                continue;
            };
            row.count += diff;
            if row.count <= 0 {
                gone.extend(row.cleared(changes.time));
                self.rows.remove(&line);
            }
        }
        gone.append(&mut come);
        gone
    }
}

impl Row {
    /// The record of a row that is gone at `time` (ms).
    fn cleared(&self, time: u64) -> Option<LogRecord> {
        let nanoseconds = time.saturating_mul(1_000_000);
        (!self.has_state).then(|| LogRecord {
            time_unix_nano: nanoseconds,
            observed_time_unix_nano: nanoseconds,
            ..told(self.raised.clone(), Event::Cleared)
        })
    }
}

/// The record with its severity and the end of its name.
fn told(record: LogRecord, event: Event) -> LogRecord {
    let name = record.event_name.rsplit_once('.').map_or(record.event_name.as_str(), |(name, _)| name);
    LogRecord {
        event_name: format!("{name}.{}", event.name()),
        severity_number: event.severity().into(),
        severity_text: if event == Event::Raised { "WARN" } else { "INFO" }.to_owned(),
        ..record
    }
}

/// The columns of a batch by name.
struct Columns<'a> {
    columns: Vec<(String, Cells)>,
    /// When it changed, in nanoseconds.
    time: u64,
    view: &'a str,
    prefix: &'a str,
}

impl<'a> Columns<'a> {
    fn of(changes: &Changes, view: &'a str, prefix: &'a str) -> Self {
        let schema = changes.rows.schema();
        let named = schema.fields().iter().map(|field| Field::name(field).clone());
        let columns = named.zip(changes.rows.columns().iter().map(Cells::of)).collect();
        Self { columns, time: changes.time.saturating_mul(1_000_000), view, prefix }
    }

    fn row(&self, at: usize, count: i64) -> Row {
        let state = self.text(at, "state");
        let event = if state.as_deref() == Some("cleared") { Event::Cleared } else { Event::Raised };
        let time = self.time_of(at, if event == Event::Cleared { "cleared" } else { "since" });
        let record = LogRecord {
            time_unix_nano: time.unwrap_or(self.time),
            observed_time_unix_nano: self.time,
            body: self.body(at).map(|body| AnyValue { value: Some(Value::StringValue(body)) }),
            attributes: self.attributes(at),
            event_name: format!("{}.{}.", self.prefix, self.view.rsplit('/').next().unwrap_or(self.view)),
            ..LogRecord::default()
        };
        Row { count, raised: told(record, event), has_state: state.is_some() }
    }

    /// What is told to people: who, and why if it is said.
    fn body(&self, at: usize) -> Option<String> {
        let named = ["detector", "alert", "subject", "reason"].map(|column| self.text(at, column));
        let parts: Vec<String> = named.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(": "))
    }

    fn attributes(&self, at: usize) -> Vec<KeyValue> {
        let all = self.columns.iter().filter_map(|(name, cells)| Some((name, value(cells.at(at))?)));
        all.map(|(name, value)| attribute(&format!("{}.{name}", self.prefix), value)).collect()
    }

    fn cell(&self, at: usize, column: &str) -> Option<Cell<'_>> {
        let (_, cells) = self.columns.iter().find(|(name, _)| name == column)?;
        Some(cells.at(at))
    }

    fn text(&self, at: usize, column: &str) -> Option<String> {
        match self.cell(at, column)? {
            Cell::Text(text) if !text.is_empty() => Some(text.to_owned()),
            _ => None,
        }
    }

    fn time_of(&self, at: usize, column: &str) -> Option<u64> {
        match self.cell(at, column)? {
            Cell::Integer(time) => u64::try_from(time).ok().filter(|time| *time > 0),
            _ => None,
        }
    }
}

fn value(cell: Cell<'_>) -> Option<Value> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Boolean(value) => Value::BoolValue(value),
        Cell::Integer(value) => match i64::try_from(value) {
            Ok(value) => Value::IntValue(value),
            Err(_) => Value::StringValue(value.to_string()),
        },
        Cell::Id(value) => Value::StringValue(value.to_string()),
        Cell::Float(value) => Value::DoubleValue(value),
        Cell::Text(value) => Value::StringValue(value.to_owned()),
        Cell::Bytes(value) => Value::StringValue(hexadecimal(value)),
    })
}

/// Records as requests.
pub(super) fn messages(records: &[LogRecord], attributes: &[KeyValue]) -> Vec<Message> {
    records.chunks(ITEMS).map(|records| message(records, attributes)).collect()
}

fn message(records: &[LogRecord], attributes: &[KeyValue]) -> Message {
    let mut attributes = attributes.to_vec();
    attributes.push(text("service.name", "watershed".to_owned()));
    let log_records = records.to_vec();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    let one = ResourceLogs { resource: resource(attributes), scope_logs, ..ResourceLogs::default() };
    Message::Logs(ExportLogsServiceRequest { resource_logs: vec![one] }, records.len())
}

#[cfg(test)]
mod tests;
