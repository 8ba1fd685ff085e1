//! Named views: created, redefined, dropped, kept on disk and built again at the start.

use std::sync::Arc;

use watershed_query::view::ViewPlan;

use super::{Engine, Problem, Request, Resolved, Target, columns_of, state};
use crate::exports::Sender;
use crate::rows::Column;

/// Longest name of a view.
const LONGEST_NAME: usize = 63;

/// A view with a name.
#[derive(Debug, Clone)]
pub(crate) struct NamedView {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) doc: String,
    /// Always on, neither redefined nor dropped.
    pub(crate) bundled: bool,
    pub(crate) columns: Vec<Column>,
    /// Names of the columns that identify a row.
    pub(crate) key: Vec<String>,
    /// What its script sends for as long as it stands.
    pub(super) exports: Vec<Arc<Sender>>,
}

impl Engine {
    /// All named views by name.
    pub(crate) fn named_views(&self) -> Vec<NamedView> {
        self.views().values().cloned().collect()
    }

    /// Builds the bundled views, then those that the state directory holds. A bundled view that cannot be built is an
    /// error; one of a user is reported and left alone.
    pub(crate) async fn restore(self: &Arc<Self>) -> Result<(), Problem> {
        for script in watershed_query::bundled().iter().filter(|script| script.always_on) {
            let name = script.name.rsplit('/').next().unwrap_or(script.name);
            self.create(name, script.text, script.name, Some(script.doc)).await?;
        }
        let Some(directory) = &self.state else { return Ok(()) };
        let mut waiting = state::read(directory).map_err(|error| Problem::Failed(error.to_string()))?;
        // A view may read others, and files have no order: go on as long as one more could be built.
        loop {
            let before = waiting.len();
            let mut failed = Vec::new();
            for (name, text) in waiting {
                if let Err(problem) = self.create(&name, &text, &name, None).await {
                    failed.push((name, text, problem));
                }
            }
            if failed.is_empty() || failed.len() == before {
                for (name, _, problem) in failed {
                    tracing::error!(view = name, %problem, "a view of the state directory cannot be built");
                }
                return Ok(());
            }
            waiting = failed.into_iter().map(|(name, text, _)| (name, text)).collect();
        }
    }

    /// Creates a view or redefines the one of that name; whether it was there before.
    pub(crate) async fn create_view(self: &Arc<Self>, name: &str, text: &str, origin: &str) -> Result<bool, Problem> {
        check_name(name)?;
        let redefined = self.create(name, text, origin, None).await?;
        if let Some(directory) = &self.state {
            state::write(directory, name, text).map_err(|error| Problem::Failed(error.to_string()))?;
        }
        Ok(redefined)
    }

    /// Drops a view of a user.
    pub(crate) async fn drop_view(&self, name: &str) -> Result<(), Problem> {
        let _changing = self.changing.lock().await;
        let Some(view) = self.views().get(name).cloned() else {
            return Err(Problem::NotFound(format!("there is no view named `{name}`")));
        };
        if view.bundled {
            return Err(Problem::Protected(format!("`{name}` is a bundled view, which is always on")));
        }
        self.remove(name).await;
        if let Some(directory) = &self.state {
            state::remove(directory, name).map_err(|error| Problem::Failed(error.to_string()))?;
        }
        Ok(())
    }

    /// Takes a view away, whoever's it is.
    pub(super) async fn remove(&self, name: &str) {
        self.views().remove(name);
        self.catalog.drop_view(name);
        self.unbuild(name).await;
    }

    pub(super) async fn create(
        self: &Arc<Self>,
        name: &str,
        text: &str,
        origin: &str,
        bundled: Option<&str>,
    ) -> Result<bool, Problem> {
        let _changing = self.changing.lock().await;
        let before = self.views().get(name).cloned();
        if before.as_ref().is_some_and(|view| view.bundled) {
            return Err(Problem::Protected(format!(
                "`{name}` is a bundled view, which is always on; take another name"
            )));
        }
        // The old definition is out of sight, so a script that reads itself is found out.
        if before.is_some() {
            self.catalog.drop_view(name);
        }
        let (mut view, plan) = match self.plan(name, text, origin, bundled) {
            Ok(planned) => planned,
            Err(problem) => {
                if let Some(before) = &before {
                    let _ = self.catalog.define_view(name, &before.text);
                }
                return Err(problem);
            }
        };
        if before.is_some() {
            self.unbuild(name).await;
        }
        if let Err(problem) = self.build(name, plan).await {
            self.views().remove(name);
            return Err(problem);
        }
        self.catalog.define_view(name, text).map_err(Problem::of_script)?;
        let target = Target::Text { text: text.to_owned(), origin: origin.to_owned(), vis: None };
        view.exports = self.start_exports(&Request { target, arguments: [].into() })?;
        self.views().insert(name.to_owned(), view);
        Ok(before.is_some())
    }

    pub(super) fn plan(
        &self,
        name: &str,
        text: &str,
        origin: &str,
        bundled: Option<&str>,
    ) -> Result<(NamedView, ViewPlan), Problem> {
        let target = Target::Text { text: text.to_owned(), origin: origin.to_owned(), vis: None };
        let resolved = self.resolve(&Request { target, arguments: [].into() })?;
        let [table] = resolved.tables.as_slice() else {
            let message = format!("a view is one statement, this script has {}", resolved.tables.len());
            return Err(Problem::script(origin, message, "create one view for each"));
        };
        let plan =
            watershed_query::lower(&self.catalog, table).map_err(|refusal| Problem::of_refusal(name, refusal))?;
        self.check_exports(&resolved)?;
        let columns = columns_of(table);
        let key = plan.key.iter().flatten().filter_map(|&at| columns.get(at)).map(|column| column.name.clone());
        let view = NamedView {
            name: name.to_owned(),
            text: text.to_owned(),
            doc: bundled.unwrap_or_default().to_owned(),
            bundled: bundled.is_some(),
            key: key.collect(),
            columns,
            exports: Vec::new(),
        };
        Ok((view, plan))
    }

    /// What is wrong with what a script exports, if anything is.
    pub(super) fn check_exports(&self, resolved: &Resolved) -> Result<(), Problem> {
        for export in &resolved.exports {
            self.exports.check(export)?;
            watershed_query::lower(&self.catalog, &export.table)
                .map_err(|refusal| Problem::of_refusal(&export.table.name, refusal))?;
        }
        Ok(())
    }

    /// Begins what a script exports.
    pub(super) fn start_exports(self: &Arc<Self>, request: &Request) -> Result<Vec<Arc<Sender>>, Problem> {
        let resolved = self.resolve(request)?;
        resolved.exports.iter().map(|export| self.exports.start(self, export)).collect()
    }

    pub(super) async fn build(&self, name: &str, plan: ViewPlan) -> Result<(), Problem> {
        let (dataflow, view, built) = (self.dataflow.clone(), name.to_owned(), plan.clone());
        let built = tokio::task::spawn_blocking(move || dataflow.create_view(&view, built)).await;
        let built = built.map_err(|error| Problem::Failed(error.to_string()))?;
        built.map_err(|error| Problem::Failed(error.to_string()))?;
        self.catalog.keep(name, &plan);
        Ok(())
    }

    /// Whether a view is bundled, and so never dropped or redefined.
    pub(super) fn is_always_on(&self, name: &str) -> bool {
        self.views().get(name).is_some_and(|view| view.bundled)
    }

    pub(super) async fn unbuild(&self, name: &str) {
        self.catalog.forget(name);
        let (dataflow, view) = (self.dataflow.clone(), name.to_owned());
        let dropped = tokio::task::spawn_blocking(move || dataflow.drop_view(&view)).await;
        match dropped {
            // With the dataflow its views are gone too.
            Ok(Ok(()) | Err(watershed_dataflow::Error::Closed)) | Err(_) => {}
            Ok(Err(error)) => tracing::error!(view = name, %error, "a view could not be dropped"),
        }
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    let invalid = |message: String| Err(Problem::Invalid { field: "name", message });
    let starts_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !starts_well || !is_plain || name.len() > LONGEST_NAME {
        return invalid(format!(
            "`{name}` is no name of a view: lower-case letters, digits and `_`, not beginning with a digit, at most \
             {LONGEST_NAME}"
        ));
    }
    if watershed_model::tables::by_name(name).is_some() {
        return invalid(format!("`{name}` is a table; take another name"));
    }
    Ok(())
}
