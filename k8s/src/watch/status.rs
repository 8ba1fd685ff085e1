//! How the watches are: rows of `system.watches`.

use std::collections::BTreeMap;

use watershed_model::tables::SYSTEM_WATCHES;

use crate::facts::{Change, Facts, Row, Value};
use crate::object::Kind;

/// How a watch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Everything is being listed.
    Listing,
    /// Changes are told as they happen.
    Watching,
    /// No right to the kind, or the server does not have it.
    Refused,
    /// The server does not answer.
    Away,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            State::Listing => "listing",
            State::Watching => "watching",
            State::Refused => "refused",
            State::Away => "away",
        }
    }
}

#[derive(Debug, Clone)]
struct Status {
    state: State,
    since_ns: i64,
    error: String,
    unread: i64,
    row: Option<Row>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Statuses(BTreeMap<Kind, Status>);

impl Statuses {
    pub(super) fn new(now_ns: i64) -> Self {
        let status = Status { state: State::Listing, since_ns: now_ns, error: String::new(), unread: 0, row: None };
        Statuses(Kind::ALL.into_iter().map(|kind| (kind, status.clone())).collect())
    }

    /// Takes a state in; says whether it is another than before.
    pub(super) fn set(&mut self, kind: Kind, state: State, error: String, now_ns: i64) -> bool {
        let Some(status) = self.0.get_mut(&kind) else { return false };
        let changed = status.state != state;
        if changed {
            (status.state, status.since_ns) = (state, now_ns);
        }
        status.error = error;
        changed
    }

    pub(super) fn unread(&mut self, kind: Kind, count: u64) {
        if let Some(status) = self.0.get_mut(&kind) {
            status.unread += count as i64;
        }
    }

    /// The changes of rows since the last call.
    pub(super) fn changes(&mut self, facts: &Facts) -> Vec<Change> {
        let mut changes = Vec::new();
        for (kind, status) in &mut self.0 {
            let row = Row {
                table: &SYSTEM_WATCHES,
                values: [
                    Value::Text(kind.name().into()),
                    Value::Text(status.state.name().into()),
                    Value::Time(status.since_ns),
                    Value::Number(facts.living(*kind) as i64),
                    Value::Number(status.unread + facts.refused(*kind) as i64),
                    Value::Text(status.error.as_str().into()),
                ]
                .into(),
            };
            let before: Vec<_> = status.row.replace(row.clone()).into_iter().collect();
            Change::between(before, &[row], &mut changes);
        }
        changes
    }
}
