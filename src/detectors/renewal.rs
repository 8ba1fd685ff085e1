//! Another version of a detector's model: seen in its file, built and tried on real rows beside the work, and handed over
//! for the time between two batches.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use watershed_detectors::model::{self, Scorer};
use watershed_detectors::{Manifest, Observation, trial};

use super::model_file::ModelFile;
use super::work::{nanoseconds, thread_time};

/// How often the file is to be looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A version that is not ready after so long is given up.
const LONGEST_TRIAL: Duration = Duration::from_secs(60);

/// A version that can go live.
pub(super) struct Version {
    pub(super) file: Vec<u8>,
    pub(super) scorer: Box<dyn Scorer>,
}

/// Where another version comes from.
pub(super) struct Renewal {
    file: Option<ModelFile>,
    trying: Option<Trying>,
}

struct Trying {
    since: Instant,
    task: JoinHandle<Result<Version, String>>,
}

impl Renewal {
    /// Looks at a file, if there is one.
    pub(super) fn new(file: Option<ModelFile>) -> Self {
        Self { file, trying: None }
    }

    /// A version that is ready, or why one is not; never waits for a model. `rows` are those of the view.
    pub(super) async fn look(
        &mut self,
        manifest: &Manifest,
        time: u64,
        rows: impl FnOnce() -> Vec<Observation>,
    ) -> Option<Result<Version, String>> {
        if let Some(trying) = self.trying.take() {
            return self.tried(trying).await;
        }
        match self.read().await? {
            Ok(file) => {
                let (manifest, rows) = (manifest.clone(), rows());
                let task = tokio::task::spawn_blocking(move || make(&manifest, time, file, &rows));
                self.trying = Some(Trying { since: Instant::now(), task });
                None
            }
            Err(problem) => Some(Err(problem)),
        }
    }

    async fn tried(&mut self, trying: Trying) -> Option<Result<Version, String>> {
        if trying.task.is_finished() {
            let made = trying.task.await;
            return Some(made.unwrap_or_else(|_| Err("building the model panicked".to_owned())));
        }
        if trying.since.elapsed() > LONGEST_TRIAL {
            return Some(Err(format!("the model is not ready after {LONGEST_TRIAL:?}")));
        }
        self.trying = Some(trying);
        None
    }

    async fn read(&mut self) -> Option<Result<Vec<u8>, String>> {
        let mut file = self.file.take()?;
        let looking = tokio::task::spawn_blocking(move || {
            let found = file.look();
            (file, found)
        });
        let (file, found) = looking.await.ok()?;
        self.file = Some(file);
        found
    }
}

fn make(manifest: &Manifest, time: u64, file: Vec<u8>, rows: &[Observation]) -> Result<Version, String> {
    let mut scorer = model::build(manifest, &file)?;
    trial(manifest, scorer.as_mut(), nanoseconds(time), rows, &thread_time)?;
    Ok(Version { file, scorer })
}
