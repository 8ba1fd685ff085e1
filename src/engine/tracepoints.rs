//! What scripts ask to trace: each tracepoint's state and reason are a row of `system.tracepoints`, which
//! `px.GetTracepointStatus()` reads. No agent of this version compiles programs of users into probes, so each fails
//! and says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray, TimestampNanosecondArray};
use tokio::sync::Mutex;
use watershed_model::tables::SYSTEM_TRACEPOINTS;
use watershed_model::{StateChange, TickTime};
use watershed_query::tracepoint::{Definition, Program, Tracepoint};

use crate::feed::{Fed, Feed};

/// Tracepoints at a time.
const TRACEPOINTS_MAX: usize = 200;

/// What stands, by name.
#[derive(Default)]
pub(super) struct Tracepoints {
    standing: Mutex<BTreeMap<String, Standing>>,
}

struct Standing {
    definition: Definition,
    row: RecordBatch,
    /// When it ends by itself.
    until: TickTime,
}

impl Tracepoints {
    /// Carries out what a script asks for at the time that is closed.
    pub(super) async fn apply(&self, feed: &Feed, now: TickTime, tracepoints: &[Tracepoint]) {
        let mut standing = self.standing.lock().await;
        let mut changes = Vec::new();
        let over: Vec<_> = standing.iter().filter(|(_, one)| one.until <= now).map(|(name, _)| name.clone()).collect();
        changes.extend(over.into_iter().filter_map(|name| standing.remove(&name)).map(|gone| (gone.row, -1)));
        for tracepoint in tracepoints {
            match tracepoint {
                Tracepoint::Delete(name) => changes.extend(standing.remove(name).map(|gone| (gone.row, -1))),
                Tracepoint::Upsert(definition) => {
                    if standing.get(&definition.name).is_some_and(|one| one.definition == *definition) {
                        continue;
                    }
                    changes.extend(standing.remove(&definition.name).map(|gone| (gone.row, -1)));
                    if standing.len() >= TRACEPOINTS_MAX {
                        tracing::error!("there are {TRACEPOINTS_MAX} tracepoints already; delete some");
                        continue;
                    }
                    let until = TickTime(now.0.saturating_add(definition.ttl.as_millis() as u64));
                    let row = row(definition, until);
                    changes.push((row.clone(), 1));
                    standing.insert(definition.name.clone(), Standing { definition: definition.clone(), row, until });
                }
            }
        }
        let changes: Vec<_> = changes.into_iter().map(|(rows, diff)| change(rows, diff)).collect();
        if !changes.is_empty() {
            feed.send(Fed::States(changes)).await;
        }
    }
}

fn change(rows: RecordBatch, diff: i64) -> StateChange {
    StateChange { table: SYSTEM_TRACEPOINTS.name, rows, diffs: vec![diff] }
}

/// Why a tracepoint does not run.
fn reason(definition: &Definition) -> &'static str {
    match definition.programs.first() {
        Some(Program::BpfTrace { .. }) => "this agent does not compile bpftrace programs",
        Some(Program::Function { .. }) | None => "this agent does not attach probes to functions that scripts name",
    }
}

fn row(definition: &Definition, until: TickTime) -> RecordBatch {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let time = TimestampNanosecondArray::from(vec![until.as_nanoseconds()]).with_timezone("+00:00");
    let id = FixedSizeBinaryArray::try_from_iter(std::iter::once(id_of(&definition.name)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(id.expect("one id of 16 bytes")),
        text(&definition.name),
        text("FAILED"),
        text(reason(definition)),
        text(&serde_json::json!([definition.table]).to_string()),
        Arc::new(time),
    ];
    RecordBatch::try_new(SYSTEM_TRACEPOINTS.storage_schema(), columns).expect("the columns are those of the table")
}

/// The same for the same name (FNV-1a).
fn id_of(name: &str) -> [u8; 16] {
    let step = |hash: u128, byte: u8| (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
    name.bytes().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, step).to_be_bytes()
}
