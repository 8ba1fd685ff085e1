//! A user's scripts: checked, kept up where they say so, and read again when their folder changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::views::check_name;
use super::{Engine, Problem, Request, Target};
use crate::exports::Sender;
use crate::scripts::{Script, Stamp, look};
use crate::signals::stopped;

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A user's folder, its state when it was looked at last, and the views that its scripts became.
struct Folder {
    engine: Arc<Engine>,
    directory: PathBuf,
    seen: Option<Stamp>,
    views: BTreeMap<String, Arc<Script>>,
    /// What scripts send that are always on and show no table.
    exports: BTreeMap<String, (Arc<Script>, Vec<Arc<Sender>>)>,
    changed: watch::Sender<u64>,
}

/// A script whose rows are alerts, and which of its tables they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlertScript {
    pub(crate) script: Arc<Script>,
    /// Name of the table.
    pub(crate) table: String,
}

impl Engine {
    /// Reads a folder of scripts, then again whenever it changed, until the server stops. The receiver tells each time
    /// that scripts are others.
    pub(crate) async fn keep_own(self: &Arc<Self>, directory: PathBuf) -> (watch::Receiver<u64>, JoinHandle<()>) {
        let (changed, changes) = watch::channel(0);
        let engine = Arc::clone(self);
        let (views, exports) = (BTreeMap::new(), BTreeMap::new());
        let mut folder = Folder { engine, directory, seen: None, views, exports, changed };
        folder.look().await;
        (changes, tokio::spawn(folder.watch()))
    }

    /// The user's scripts whose rows are alerts, by name.
    pub(crate) fn alert_scripts(&self) -> BTreeMap<String, AlertScript> {
        let own: Vec<_> = self.library.own().values().filter_map(|own| own.script.clone()).collect();
        let alert = |script: Arc<Script>| {
            let table = self.alert_table(&script).ok().flatten()?;
            Some((script.name.clone(), AlertScript { script, table }))
        };
        own.into_iter().filter_map(alert).collect()
    }

    /// What to ask for to run a user's script.
    pub(crate) fn request_of(script: &Script) -> Request {
        let origin = format!("{}/{}", script.name, script.file);
        let target = Target::Text { text: script.text.clone(), origin, vis: script.vis.clone() };
        Request { target, arguments: BTreeMap::new() }
    }

    /// Names of the columns that tell the rows of one of a script's tables apart, as far as that is known.
    pub(crate) fn key_of(&self, request: &Request, table: &str) -> Result<Vec<String>, Problem> {
        let resolved = self.resolve(request)?;
        let Some(table) = resolved.tables.iter().find(|other| other.name == table) else {
            return Err(Problem::NotFound(format!("the script has no table `{table}`")));
        };
        let plan = watershed_query::lower(&self.catalog, table)
            .map_err(|refusal| Problem::of_refusal(&table.name, refusal))?;
        let name = |at: &usize| table.columns.get(*at).map(|column| column.name.clone());
        Ok(plan.key.iter().flatten().filter_map(name).collect())
    }

    /// The table whose rows are alerts: the one that is named so, or the only one of a script that says so.
    fn alert_table(&self, script: &Script) -> Result<Option<String>, Problem> {
        let manifest = &script.manifest;
        if manifest.alert == Some(false) || !(manifest.always_on || manifest.alert == Some(true)) {
            return Ok(None);
        }
        let resolved = self.resolve(&Self::request_of(script))?;
        let named = resolved.tables.iter().find(|table| table.name == "alerts");
        let found = match (named, resolved.tables.as_slice()) {
            (Some(table), _) => table,
            (None, [only]) if manifest.alert == Some(true) => only,
            (None, _) if manifest.alert == Some(true) => {
                return Err(Problem::script(
                    &script.name,
                    "it is to be an alert, but none of its tables is `alerts`",
                    "",
                ));
            }
            (None, _) => return Ok(None),
        };
        watershed_query::lower(&self.catalog, found).map_err(|refusal| Problem::of_refusal(&found.name, refusal))?;
        let columns = found.columns.iter().map(|column| column.name.as_str());
        let is_column = |key: &&String| columns.clone().any(|column| column == key.as_str());
        match manifest.rule.key.iter().find(|key| !is_column(key)) {
            Some(key) => Err(Problem::script(&script.name, format!("key: `{}` has no column `{key}`", found.name), "")),
            None => Ok(Some(found.name.clone())),
        }
    }

    /// Whether a script shows nothing, but sends something.
    fn only_exports(&self, script: &Script) -> bool {
        let resolved = self.resolve(&Self::request_of(script));
        resolved.is_ok_and(|resolved| resolved.tables.is_empty() && !resolved.exports.is_empty())
    }

    /// What is wrong with a user's script.
    fn check_own(&self, script: &Script) -> Result<(), Problem> {
        let resolved = self.resolve(&Self::request_of(script))?;
        if script.manifest.always_on {
            self.check_exports(&resolved)?;
        }
        if resolved.tables.is_empty() && !resolved.exports.is_empty() {
            return Ok(());
        }
        if self.alert_table(script)?.is_some() || !script.manifest.always_on {
            return Ok(());
        }
        let name = view_name(script);
        check_name(name)?;
        let origin = format!("{}/{}", script.name, script.file);
        self.plan(name, &script.text, &origin, Some(&script.manifest.doc)).map(drop)
    }
}

impl Folder {
    async fn watch(mut self) {
        let mut stopping = self.engine.stopping.clone();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                _ = looks.tick() => self.look().await,
                () = stopped(&mut stopping) => return,
            }
        }
    }

    async fn look(&mut self) {
        let (engine, directory, seen) = (Arc::clone(&self.engine), self.directory.clone(), self.seen.take());
        let looked = tokio::task::spawn_blocking(move || {
            let (stamp, found) = look(&directory, seen.as_ref());
            let check = |script: &Script| engine.check_own(script).map_err(|problem| problem.to_string());
            (stamp, found.is_some_and(|found| engine.library.replace(found, check)))
        });
        let Ok((stamp, changed)) = looked.await else { return };
        self.seen = Some(stamp);
        if changed {
            self.keep_views().await;
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Begins what scripts send that are always on, and ends what those sent that are gone or others.
    fn keep_exports(&mut self, scripts: Vec<Arc<Script>>) {
        let mut before = std::mem::take(&mut self.exports);
        for script in scripts.into_iter().filter(|script| script.manifest.always_on) {
            if let Some(kept) = before.remove(&script.name).filter(|(known, _)| *known == script) {
                self.exports.insert(script.name.clone(), kept);
                continue;
            }
            match self.engine.start_exports(&Engine::request_of(&script)) {
                Ok(senders) => drop(self.exports.insert(script.name.clone(), (script, senders))),
                Err(problem) => tracing::error!(script = script.name, %problem, "a script cannot export"),
            }
        }
    }

    /// Builds the views of scripts that are always on, and takes away those of scripts that are gone or others.
    async fn keep_views(&mut self) {
        let alerts = self.engine.alert_scripts();
        let own: Vec<Arc<Script>> = self.engine.library.own().values().filter_map(|own| own.script.clone()).collect();
        let (exporting, own): (Vec<_>, Vec<_>) = own.into_iter().partition(|script| self.engine.only_exports(script));
        self.keep_exports(exporting);
        let kept = own.into_iter().filter(|script| script.manifest.always_on && !alerts.contains_key(&script.name));
        let wanted: BTreeMap<_, _> = kept.map(|script| (view_name(&script).to_owned(), script)).collect();
        let obsolete = |(name, script): &(&String, &Arc<Script>)| wanted.get(*name) != Some(script);
        let gone: Vec<_> = self.views.iter().filter(obsolete).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.views.remove(&name);
            let _changing = self.engine.changing.lock().await;
            self.engine.remove(&name).await;
        }
        for (name, script) in wanted {
            if self.views.contains_key(&name) {
                continue;
            }
            let origin = format!("{}/{}", script.name, script.file);
            match self.engine.create(&name, &script.text, &origin, Some(&script.manifest.doc)).await {
                Ok(_) => {
                    self.views.insert(name, script);
                }
                Err(problem) => {
                    tracing::error!(script = script.name, %problem, "the view of a script cannot be built");
                    if let Some(own) = self.engine.library.own().get_mut(&script.name) {
                        own.error = problem.to_string();
                    }
                }
            }
        }
    }
}

/// The view that a script becomes is named as its folder.
fn view_name(script: &Script) -> &str {
    script.name.rsplit('/').next().unwrap_or(&script.name)
}
