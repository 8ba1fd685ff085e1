//! Unnamed views: the statements that subscribers follow, shared by their plan, whatever scripts it comes from, and
//! dropped with the last of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;
use watershed_query::ScriptTable;
use watershed_query::view::identity;

use super::{Engine, Problem};

/// Unnamed views that may exist at a time.
const MOST: usize = 1000;

/// Unnamed views by the identity of their plan.
#[derive(Default)]
pub(super) struct Registry {
    views: Mutex<HashMap<String, Shared>>,
    created: AtomicU64,
}

struct Shared {
    name: String,
    users: usize,
}

/// Keeps an unnamed view alive.
pub(crate) struct Lease {
    engine: Arc<Engine>,
    /// `None` of a view that is always on.
    key: Option<String>,
    pub(super) name: String,
}

impl Lease {
    /// A lease of the view of a statement, which is created if there is none with its plan yet.
    pub(crate) async fn take(engine: &Arc<Engine>, table: &ScriptTable) -> Result<Self, Problem> {
        let plan = watershed_query::lower(&engine.catalog, table)
            .map_err(|refusal| Problem::of_refusal(&table.name, refusal))?;
        let lease = |name: &str, key| Self { engine: Arc::clone(engine), key, name: name.to_owned() };
        if let Some(running) = engine.catalog.running(&plan).filter(|name| engine.is_always_on(name)) {
            return Ok(lease(&running, None));
        }
        let mut views = engine.shared.views.lock().await;
        let name = format!("~{}", engine.shared.created.fetch_add(1, Ordering::Relaxed) + 1);
        // Plans that cannot be compared are not shared.
        let key = identity::of_view(&plan).unwrap_or_else(|| name.clone());
        if let Some(shared) = views.get_mut(&key) {
            shared.users += 1;
            return Ok(lease(&shared.name, Some(key)));
        }
        if views.len() >= MOST {
            return Err(Problem::Failed(format!("there are {MOST} unnamed views already; end some subscriptions")));
        }
        engine.build(&name, plan).await?;
        views.insert(key.clone(), Shared { name: name.clone(), users: 1 });
        Ok(lease(&name, Some(key)))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let Some(key) = self.key.take() else { return };
        let engine = Arc::clone(&self.engine);
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
