//! Alerts on disk, `DIR/alerts/NAME.alerts.json`, and messages that were not posted yet, `DIR/alerts/webhooks.json`;
//! rows may hold what is private, so only their owner reads them.

use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::machine::Alert;
use super::webhook::Waiting;
use crate::kept::{Folder, Readers};

/// Messages that wait for an address.
const WEBHOOKS: &str = "webhooks.json";

/// Where alerts are kept, if they are.
#[derive(Debug, Clone)]
pub(super) struct Kept(Option<Folder>);

impl Kept {
    pub(super) fn of(state: Option<&Path>) -> Self {
        Kept(state.map(|state| Folder::of(state, "alerts")))
    }

    /// The alerts of a script when it was last watched.
    pub(super) async fn alerts(&self, script: &str) -> Vec<Alert> {
        let alerts: Vec<Alert> = self.read(file(script)).await;
        // What a hand changed is not to be posted as JSON when it is none.
        let is_json = |text: &str| serde_json::from_str::<&RawValue>(text).is_ok();
        alerts.into_iter().filter(|alert| is_json(&alert.subject) && is_json(&alert.row)).collect()
    }

    pub(super) async fn keep_alerts(&self, script: &str, alerts: Vec<Alert>) {
        self.write(file(script), alerts).await;
    }

    pub(super) async fn waiting(&self) -> Vec<Waiting> {
        self.read(WEBHOOKS.to_owned()).await
    }

    pub(super) async fn keep_waiting(&self, messages: Vec<Waiting>) {
        self.write(WEBHOOKS.to_owned(), messages).await;
    }

    async fn read<T: DeserializeOwned + Send + 'static>(&self, file: String) -> Vec<T> {
        let read = |folder: &Folder, file: &str| match folder.read(file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        self.within(file, read).await.unwrap_or_default()
    }

    /// Nothing is no file.
    async fn write<T: Serialize + Send + 'static>(&self, file: String, all: Vec<T>) {
        let write = move |folder: &Folder, file: &str| {
            if all.is_empty() {
                return folder.remove(file);
            }
            folder.write(file, &serde_json::to_vec(&all)?, Readers::Owner)
        };
        self.within(file, write).await;
    }

    /// Does something with a file on a thread that may wait for the disk; what fails is logged.
    async fn within<T: Send + 'static>(
        &self,
        file: String,
        act: impl FnOnce(&Folder, &str) -> io::Result<T> + Send + 'static,
    ) -> Option<T> {
        let folder = self.0.clone()?;
        let path = folder.path(&file);
        let done = tokio::task::spawn_blocking(move || act(&folder, &file)).await;
        match done.map_err(io::Error::other).flatten() {
            Ok(done) => Some(done),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "alerts are not kept");
                None
            }
        }
    }
}

fn file(script: &str) -> String {
    format!("{}.alerts.json", script.replace('%', "%25").replace('/', "%2F"))
}
