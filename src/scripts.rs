//! Scripts by name: the bundled ones, and those of a user's folder, which is read again whenever it changes. What is
//! broken is told and its last good text stays.

mod folder;
mod manifest;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use folder::{Found, Stamp};
pub(crate) use manifest::{Manifest, post_address};

/// A script that can be run by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// Folder below `scripts/`, such as `ws/service_map`.
    pub(crate) name: String,
    /// Name of its file; the ending tells the language.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) vis: Option<String>,
    pub(crate) manifest: Manifest,
}

/// A script of a user's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    /// What was good last; `None` if it never was.
    pub(crate) script: Option<Arc<Script>>,
    /// Why what lies in the folder is not that; empty if it is.
    pub(crate) error: String,
}

/// The scripts of a user's folder by name.
#[derive(Debug, Default)]
pub(crate) struct Library {
    own: Mutex<BTreeMap<String, Own>>,
}

impl Library {
    /// A script by name.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Script>> {
        let own = self.own().get(name).and_then(|own| own.script.clone());
        own.or_else(|| watershed_query::bundled().iter().find(|script| script.name == name).map(bundled))
    }

    /// The user's scripts by name.
    pub(crate) fn own(&self) -> MutexGuard<'_, BTreeMap<String, Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All names.
    pub(crate) fn names(&self) -> Vec<String> {
        let own = self.own().keys().cloned().collect::<Vec<_>>();
        own.into_iter().chain(watershed_query::bundled().iter().map(|script| script.name.to_owned())).collect()
    }

    /// Takes what was found in the folder; `check` says what is wrong with a script. Whether anything is another than
    /// before.
    pub(crate) fn replace(&self, found: Vec<Found>, check: impl Fn(&Script) -> Result<(), String>) -> bool {
        let before = self.own().clone();
        let mut after = BTreeMap::new();
        for Found { name, script } in found {
            let last = before.get(&name);
            let taken = watershed_query::bundled().iter().any(|script| script.name == name);
            let checked = match script {
                _ if taken => Err(format!("{name} is the name of a bundled script; rename the folder")),
                Err(error) => Err(error),
                Ok(script) if last.is_some_and(|own| own.is(&script)) => Ok(script),
                Ok(script) => check(&script).map(|()| script),
            };
            let own = match checked {
                Ok(script) => Own { script: Some(Arc::new(script)), error: String::new() },
                Err(error) => Own { script: last.and_then(|own| own.script.clone()), error },
            };
            if last.is_none_or(|last| last.error != own.error) && !own.error.is_empty() {
                tracing::error!(script = name, "{}", own.error);
            }
            after.insert(name, own);
        }
        let changed = before != after;
        *self.own() = after;
        changed
    }
}

impl Own {
    fn is(&self, script: &Script) -> bool {
        self.error.is_empty() && self.script.as_deref() == Some(script)
    }
}

/// A bundled script as one of a library.
pub(crate) fn bundled(script: &watershed_query::Bundled) -> Arc<Script> {
    Arc::new(Script {
        name: script.name.to_owned(),
        file: script.file.to_owned(),
        text: script.text.to_owned(),
        vis: script.vis.map(str::to_owned),
        manifest: Manifest { doc: script.doc.to_owned(), always_on: script.always_on, ..Manifest::default() },
    })
}

/// The folder's stamp, and its scripts if it is another one than before.
pub(crate) fn look(directory: &Path, before: Option<&Stamp>) -> (Stamp, Option<Vec<Found>>) {
    let stamp = folder::stamp(directory);
    let found = (before != Some(&stamp)).then(|| folder::read(directory));
    (stamp, found)
}

#[cfg(test)]
mod tests;
