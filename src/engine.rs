//! What the API offers, without any wire: scripts run once or followed, named views, tables. It owns the catalog and
//! the handle of the dataflow.

pub(crate) mod arguments;
mod follow;
mod own;
mod problem;
mod shape;
mod shared;
mod state;
mod tracepoints;
mod views;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::sync::watch;
use watershed_dataflow::{Dataflow, StoreSnapshot};
use watershed_proto::v1;
use watershed_query::script::Inputs;
use watershed_query::tracepoint::Tracepoint;
use watershed_query::{Catalog, Export, ScriptTable, Snapshot, reads_since};

pub(crate) use follow::{Beginning, Follower};
pub(crate) use own::AlertScript;
pub(crate) use problem::{Problem, ScriptProblem};
pub(crate) use shared::Lease;
pub(crate) use views::NamedView;

use crate::exports::Exports;
use crate::feed::Feed;
use crate::rows::{Answer, Column, TableRows, TableSchema};
use crate::scripts::{Library, Script};

/// What to run or follow.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) target: Target,
    /// Values of `$name` parameters.
    pub(crate) arguments: BTreeMap<String, String>,
}

/// A name that the server knows, or a script's text.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// A named view, else a bundled script.
    Named(String),
    Text {
        text: String,
        /// File name for error messages.
        origin: String,
        /// The `vis.json` beside it.
        vis: Option<String>,
    },
}

/// Shared by all requests.
pub(crate) struct Engine {
    pub(crate) catalog: Catalog,
    pub(crate) dataflow: Dataflow,
    pub(crate) library: Library,
    views: Mutex<BTreeMap<String, NamedView>>,
    /// Held while views are created, redefined or dropped, so that the catalog, the dataflow and the files agree.
    changing: tokio::sync::Mutex<()>,
    shared: shared::Registry,
    state: Option<PathBuf>,
    tracepoints: tracepoints::Tracepoints,
    pub(crate) exports: Exports,
    feed: Feed,
    stopping: watch::Receiver<bool>,
    pub(crate) started: Instant,
}

/// A script that was resolved: its statements, and the named view that it is, if it is one.
struct Resolved {
    tables: Vec<ScriptTable>,
    tracepoints: Vec<Tracepoint>,
    exports: Vec<Export>,
    view: Option<String>,
}

impl Engine {
    /// An engine without views; `stopping` turns true when the server shuts down.
    pub(crate) fn new(
        dataflow: Dataflow,
        feed: Feed,
        exports: Exports,
        state: Option<PathBuf>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            catalog: Catalog::new(),
            dataflow,
            library: Library::default(),
            views: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            shared: shared::Registry::default(),
            state,
            tracepoints: tracepoints::Tracepoints::default(),
            exports,
            feed,
            stopping,
            started: Instant::now(),
        }
    }

    /// Runs a script once over what the tables hold at one instant.
    pub(crate) async fn query(&self, request: &Request) -> Result<Answer, Problem> {
        let resolved = self.resolve(request)?;
        self.trace(&resolved).await;
        let snapshot = self.dataflow.snapshot();
        let mut tables = Vec::new();
        for table in &resolved.tables {
            let rows: Arc<dyn Snapshot> = Arc::clone(&snapshot) as _;
            let batches = watershed_query::execute(&self.catalog, table, rows)
                .await
                .map_err(|error| Problem::Failed(error.to_string()))?;
            let arrow = batches.first().map_or_else(|| Arc::clone(&table.schema), |batch| batch.schema());
            tables.push(TableRows { schema: resolved.schema_of(table), arrow, batches });
        }
        let mut notes = self.rows_gone(&resolved.tables, &snapshot);
        for export in &resolved.exports {
            let read: Arc<dyn Snapshot> = Arc::clone(&snapshot) as _;
            notes.push(self.exports.send(self, export, read).await?);
        }
        Ok(Answer { time: snapshot.time().0, tables, notes })
    }

    /// Which rows statements want that are not kept any more.
    fn rows_gone(&self, statements: &[ScriptTable], snapshot: &StoreSnapshot) -> Vec<String> {
        let evicted = snapshot.evicted();
        if evicted.is_empty() {
            return Vec::new();
        }
        let reads = statements.iter().filter_map(|of| reads_since(&self.catalog, of, snapshot.time()).ok()).flatten();
        let gone = reads.filter_map(|(table, since)| {
            let last = evicted.get(table).filter(|last| since.is_none_or(|since| last.as_nanoseconds() >= since))?;
            Some((table, last.0))
        });
        let gone: BTreeMap<&str, u64> = gone.collect();
        let note = |(table, last): (&str, u64)| {
            let last = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(last));
            format!("rows of `{table}` up to {last} are gone and not counted; a larger --data-budget keeps more")
        };
        gone.into_iter().map(note).collect()
    }

    /// Carries out what a script asks to trace.
    async fn trace(&self, resolved: &Resolved) {
        if !resolved.tracepoints.is_empty() {
            self.tracepoints.apply(&self.feed, self.dataflow.closed(), &resolved.tracepoints).await;
        }
    }

    /// Says whether a script compiles, which of its statements can be views, and what they would keep.
    pub(crate) fn check(&self, target: Target) -> v1::CheckScriptResponse {
        let origin = match &target {
            Target::Named(name) => name.clone(),
            Target::Text { origin, .. } => origin.clone(),
        };
        match self.resolve(&Request { target, arguments: BTreeMap::new() }) {
            Ok(resolved) => {
                let shown = resolved.tables.iter().map(|table| (resolved.schema_of(table), table));
                let exported = resolved.exports.iter().map(|Export { table, .. }| {
                    (TableSchema { name: table.name.clone(), columns: columns_of(table) }, table)
                });
                let tables = shown.chain(exported).map(|(schema, table)| self.checked(schema, table));
                v1::CheckScriptResponse { problems: Vec::new(), tables: tables.collect() }
            }
            Err(problem) => {
                v1::CheckScriptResponse { problems: problem.into_script_problems(&origin), tables: Vec::new() }
            }
        }
    }

    fn checked(&self, schema: TableSchema, table: &ScriptTable) -> v1::CheckedTable {
        let explained = watershed_query::explain(&self.catalog, table);
        let explanation = explained.lines();
        let (reason, hint) = explained.refusal.map(|refusal| (refusal.reason, refusal.hint)).unwrap_or_default();
        v1::CheckedTable { schema: Some(schema.into()), can_be_view: reason.is_empty(), reason, hint, explanation }
    }

    fn resolve(&self, request: &Request) -> Result<Resolved, Problem> {
        let (text, origin, view, vis) = match &request.target {
            Target::Text { text, origin, vis } => (text.clone(), origin.clone(), None, vis.clone()),
            Target::Named(name) => {
                // Taken out of the lock, which naming the nearest view needs as well.
                let view = self.views().get(name).cloned();
                match view {
                    Some(view) => (view.text, name.clone(), Some(name.clone()), None),
                    None => {
                        let script = self.script(name)?;
                        (script.text.clone(), script.file.clone(), None, script.vis.clone())
                    }
                }
            }
        };
        let text = if watershed_query::pxl::is_pxl(&text, &origin) {
            text
        } else {
            arguments::fill(&text, &request.arguments).map_err(|message| Problem::script(&origin, message, ""))?
        };
        let inputs = Inputs { arguments: &request.arguments, vis: vis.as_deref() };
        let script =
            watershed_query::compile_with(&self.catalog, &text, &origin, &inputs).map_err(Problem::of_script)?;
        Ok(Resolved { tables: script.tables, tracepoints: script.tracepoints, exports: script.exports, view })
    }

    fn script(&self, name: &str) -> Result<Arc<Script>, Problem> {
        if let Some(script) = self.library.named(name) {
            return Ok(script);
        }
        if let Some(own) = self.library.own().get(name) {
            return Err(Problem::script(name, own.error.clone(), ""));
        }
        let names: Vec<String> = self.views().keys().cloned().chain(self.library.names()).collect();
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => "; `watershed view list` and `watershed script list` tell what there is".to_owned(),
        };
        Err(Problem::NotFound(format!("there is no view or script named `{name}`{hint}")))
    }

    fn views(&self) -> MutexGuard<'_, BTreeMap<String, NamedView>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolved {
    /// A named view's rows go by its name, a script's by their statement's.
    fn name_of(&self, table: &ScriptTable) -> String {
        self.view.clone().unwrap_or_else(|| table.name.clone())
    }

    fn schema_of(&self, table: &ScriptTable) -> TableSchema {
        TableSchema { name: self.name_of(table), columns: columns_of(table) }
    }
}

/// The columns of a statement as users see them.
pub(crate) fn columns_of(table: &ScriptTable) -> Vec<Column> {
    let column = |column: &watershed_query::OutputColumn| Column {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        semantic: column.semantic.name().to_owned(),
    };
    table.columns.iter().map(column).collect()
}

/// The name most like the one given, if one is like it at all.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|other| (strsim::jaro_winkler(name, other), other));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, other)| other)
}
