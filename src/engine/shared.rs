//! Unnamed views: the statements that subscribers follow, shared by their text and dropped with the last of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use watershed_query::ScriptTable;

use super::{Engine, Problem};

/// Unnamed views that may exist at a time.
const MOST: usize = 1000;

/// Unnamed views by their script and the position of the statement in it.
#[derive(Default)]
pub(super) struct Registry {
    views: Mutex<HashMap<Key, Shared>>,
    created: AtomicU64,
}

type Key = (String, usize);

struct Shared {
    name: String,
    users: usize,
}

/// Keeps an unnamed view alive.
pub(super) struct Lease {
    engine: Arc<Engine>,
    key: Key,
    pub(super) name: String,
}

impl Lease {
    /// A lease of the view of a statement, which is created if nobody follows it yet.
    pub(super) async fn take(engine: &Arc<Engine>, key: Key, table: &ScriptTable) -> Result<Self, Problem> {
        let mut views = engine.shared.views.lock().await;
        if let Some(shared) = views.get_mut(&key) {
            shared.users += 1;
            return Ok(Self { engine: Arc::clone(engine), name: shared.name.clone(), key });
        }
        if views.len() >= MOST {
            return Err(Problem::Failed(format!("there are {MOST} unnamed views already; end some subscriptions")));
        }
        let plan = watershed_query::lower(&engine.catalog, table)
            .map_err(|refusal| Problem::of_refusal(&table.name, refusal))?;
        let name = format!("~{}", engine.shared.created.fetch_add(1, Ordering::Relaxed) + 1);
        engine.build(&name, plan).await?;
        views.insert(key.clone(), Shared { name: name.clone(), users: 1 });
        Ok(Self { engine: Arc::clone(engine), key, name })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (engine, key) = (Arc::clone(&self.engine), self.key.clone());
        runtime.spawn(async move {
            let mut views = engine.shared.views.lock().await;
            let Some(shared) = views.get_mut(&key) else { return };
            shared.users -= 1;
            if shared.users == 0
                && let Some(shared) = views.remove(&key)
            {
                engine.unbuild(&shared.name).await;
            }
        });
    }
}
