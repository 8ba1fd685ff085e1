//! The engine's views as what sinks follow.

use std::sync::Arc;

use watershed_dataflow::Pace;
use watershed_ingest::redaction::Patterns;
use watershed_model::{Kind, tables};
use watershed_sinks::{Ended, Event, Feed, Follow, Follows, Manifest, Pending, Shape};

use crate::engine::{Beginning, Engine, Follower, Problem, Request, Target};
use crate::{leaving, rows};

/// Rows of a table are there to be followed this long. A sink that is away longer misses rows of tables.
const TABLE_WINDOW: &str = "1 minute";

/// A request that can be followed again and again.
pub(super) struct EngineFeed {
    engine: Arc<Engine>,
    request: Request,
    /// The table whose rows are followed, if it is one.
    table: Option<String>,
    peer: String,
    hidden: Arc<Patterns>,
}

impl EngineFeed {
    /// What a manifest says to follow; `script` is the text of its script if that is a file, and its name.
    pub(super) fn new(
        engine: Arc<Engine>,
        manifest: &Manifest,
        script: Option<(String, String)>,
        hidden: Arc<Patterns>,
    ) -> Result<Self, Problem> {
        let (target, table) = match (&manifest.follows, script) {
            (Follows::Script(_), Some((text, origin))) => (Target::Text { text, origin, vis: None }, None),
            (Follows::View(name) | Follows::Script(name), _) => (Target::Named(name.clone()), None),
            (Follows::Table(name), _) => (followed_table(name)?, Some(name.clone())),
        };
        let request = Request { target, arguments: [].into() };
        Ok(Self { engine, request, table, peer: format!("sink/{}", manifest.name), hidden })
    }

    /// The columns, or why it cannot be followed.
    pub(super) fn shape(&self) -> Result<Shape, Problem> {
        let mut shape = self.engine.shape(&self.request)?;
        if let Some(table) = &self.table {
            shape.append = tables::by_name(table).is_some_and(|table| table.kind == Kind::Event);
            shape.view.clone_from(table);
        }
        Ok(shape)
    }
}

fn followed_table(name: &str) -> Result<Target, Problem> {
    let Some(table) = tables::by_name(name) else {
        let near = crate::engine::nearest(name, tables::ALL.iter().map(|table| table.name));
        let hint = near.map_or_else(
            || "; `watershed table list` tells what there is".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        return Err(Problem::NotFound(format!("there is no table named `{name}`{hint}")));
    };
    let text = match table.kind {
        Kind::Event => format!("SELECT * FROM {name} WHERE time_ > now() - INTERVAL '{TABLE_WINDOW}'"),
        Kind::State => format!("SELECT * FROM {name}"),
    };
    Ok(Target::Text { text, origin: name.to_owned(), vis: None })
}

impl Feed for EngineFeed {
    fn follow(&self) -> Pending<'_, Result<Box<dyn Follow>, Ended>> {
        Box::pin(async {
            let shape = self.shape()?;
            let (engine, request) = (Arc::clone(&self.engine), self.request.clone());
            let follower = Follower::start(engine, request, self.peer.clone(), Beginning::Snapshot, Pace::Live);
            let follower = follower.await?;
            let follow: Box<dyn Follow + '_> = Box::new(EngineFollow { feed: self.again(), follower, shape });
            Ok(follow)
        })
    }
}

impl EngineFeed {
    fn again(&self) -> Self {
        Self {
            engine: Arc::clone(&self.engine),
            request: self.request.clone(),
            table: self.table.clone(),
            peer: self.peer.clone(),
            hidden: Arc::clone(&self.hidden),
        }
    }
}

struct EngineFollow {
    feed: EngineFeed,
    follower: Follower,
    shape: Shape,
}

impl Follow for EngineFollow {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn next(&mut self) -> Pending<'_, Result<Event, Ended>> {
        Box::pin(async {
            loop {
                return Ok(match self.follower.next().await? {
                    rows::Event::Schema(_) => continue,
                    rows::Event::Progress(time) => Event::Progress(time),
                    rows::Event::Restart(reason) => {
                        // The view may have been redefined with other columns.
                        self.shape = self.feed.shape()?;
                        Event::Restart(reason)
                    }
                    rows::Event::Changes(rows::Changes { time, rows, diffs, snapshot, .. }) => {
                        let rows = leaving::rows(&rows, &self.shape.key, &self.feed.hidden);
                        Event::Changes { time, rows, diffs, snapshot }
                    }
                });
            }
        })
    }
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Ended(problem.to_string())
    }
}
