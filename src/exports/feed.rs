//! A script's table as what a sink follows.

use std::sync::Arc;

use watershed_dataflow::{Delivery, Subscription};
use watershed_ingest::redaction::Patterns;
use watershed_query::ScriptTable;
use watershed_sinks::{Ended, Event, Feed, Follow, Pending, Shape};

use crate::engine::{Engine, Lease};
use crate::leaving;

/// A table that can be followed again and again.
pub(super) struct TableFeed {
    engine: Arc<Engine>,
    table: ScriptTable,
    hidden: Arc<Patterns>,
}

impl TableFeed {
    pub(super) fn new(engine: Arc<Engine>, table: ScriptTable, hidden: Arc<Patterns>) -> Self {
        Self { engine, table, hidden }
    }
}

impl Feed for TableFeed {
    fn follow(&self) -> Pending<'_, Result<Box<dyn Follow>, Ended>> {
        Box::pin(async {
            let (lease, subscription) = self.engine.follow_table(&self.table, super::NAME).await?;
            let follow = TableFollow {
                shape: super::shape(Arc::clone(&self.table.schema)),
                hidden: Arc::clone(&self.hidden),
                subscription,
                _lease: lease,
            };
            let follow: Box<dyn Follow> = Box::new(follow);
            Ok(follow)
        })
    }
}

struct TableFollow {
    shape: Shape,
    hidden: Arc<Patterns>,
    subscription: Subscription,
    /// Keeps the view alive.
    _lease: Lease,
}

impl Follow for TableFollow {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn next(&mut self) -> Pending<'_, Result<Event, Ended>> {
        Box::pin(async {
            Ok(match self.subscription.next().await {
                Some(Delivery::Changes { time, rows, diffs, snapshot }) => {
                    let rows = leaving::rows(&rows, &[], &self.hidden);
                    Event::Changes { time: time.0, rows, diffs, snapshot }
                }
                Some(Delivery::Progress(time)) => Event::Progress(time.0),
                Some(Delivery::Restart(reason)) => Event::Restart(reason),
                Some(Delivery::Dropped) | None => return Err(Ended("the view was dropped".to_owned())),
            })
        })
    }
}
