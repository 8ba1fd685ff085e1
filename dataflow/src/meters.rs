//! Counters of each operator, folded from the logs of Timely and Differential within the worker that they belong to
//! and read by others without waiting.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use differential_dataflow::logging::{DifferentialEvent, DifferentialEventBuilder};
use timely::logging::{OperatesEvent, ScheduleEvent, StartStop, TimelyEvent, TimelyEventBuilder};
use timely::worker::Worker;

/// A number with one writer.
#[derive(Default)]
pub(crate) struct Counter(AtomicI64);

impl Counter {
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only for the worker that owns it.
    fn add(&self, more: i64) {
        self.0.store(self.get().saturating_add(more), Ordering::Relaxed);
    }
}

/// What is known of an operator.
pub(crate) struct Meter {
    pub(crate) view: Arc<str>,
    pub(crate) operator: String,
    pub(crate) worker: i64,
    /// Nanoseconds in the operator itself, without those within it.
    pub(crate) elapsed: Counter,
    pub(crate) activations: Counter,
    pub(crate) records: Counter,
    pub(crate) batches: Counter,
    arranges: AtomicBool,
    ended: AtomicBool,
}

impl Meter {
    /// Whether it ever kept a batch.
    pub(crate) fn arranges(&self) -> bool {
        self.arranges.load(Ordering::Relaxed)
    }

    /// Whether the operator was shut down.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

struct Fold {
    worker: i64,
    meters: HashMap<usize, Arc<Meter>, foldhash::fast::RandomState>,
    /// Operators of dataflows whose name is not known yet: it is logged last.
    nameless: Vec<OperatesEvent>,
    /// Operators that run now, the innermost last: since when, and the time of those within.
    running: Vec<(usize, Duration, Duration)>,
    created: Sender<Arc<Meter>>,
}

/// Follows the operators of a worker; to be called before it builds any.
pub(crate) fn follow(worker: &Worker, created: Sender<Arc<Meter>>) {
    let Some(mut registry) = worker.log_register() else { return };
    let fold = Rc::new(RefCell::new(Fold {
        worker: worker.index() as i64,
        meters: HashMap::default(),
        nameless: Vec::new(),
        running: Vec::new(),
        created,
    }));
    let arrangements = Rc::clone(&fold);
    registry.insert::<TimelyEventBuilder, _>("timely", move |_, events| {
        if let Some(events) = events {
            let mut fold = fold.borrow_mut();
            events.drain(..).for_each(|(time, event)| fold.timely(time, event));
        }
    });
    registry.insert::<DifferentialEventBuilder, _>("differential/arrange", move |_, events| {
        if let Some(events) = events {
            let fold = arrangements.borrow();
            events.drain(..).for_each(|(_, event)| fold.differential(&event));
        }
    });
}

impl Fold {
    fn timely(&mut self, time: Duration, event: TimelyEvent) {
        match event {
            TimelyEvent::Schedule(ScheduleEvent { id, start_stop: StartStop::Start }) => {
                self.running.push((id, time, Duration::ZERO));
            }
            TimelyEvent::Schedule(ScheduleEvent { id, start_stop: StartStop::Stop }) => self.stopped(id, time),
            TimelyEvent::Operates(event) if event.addr.len() > 1 => self.nameless.push(event),
            TimelyEvent::Operates(event) => self.built(&event),
            TimelyEvent::Shutdown(event) => {
                if let Some(meter) = self.meters.remove(&event.id) {
                    meter.ended.store(true, Ordering::Relaxed);
                }
            }
            _ => {}
        }
    }

    fn stopped(&mut self, id: usize, time: Duration) {
        // A start without its end cannot be; were there one, this finds the way back.
        while let Some((running, since, within)) = self.running.pop() {
            let elapsed = time.saturating_sub(since);
            if running == id {
                if let Some((_, _, within)) = self.running.last_mut() {
                    *within += elapsed;
                }
                if let Some(meter) = self.meters.get(&id) {
                    meter.elapsed.add(elapsed.saturating_sub(within).as_nanos() as i64);
                    meter.activations.add(1);
                }
                break;
            }
        }
    }

    /// A dataflow was built: its operators have a name to go by now.
    fn built(&mut self, dataflow: &OperatesEvent) {
        let view: Arc<str> = dataflow.name.as_str().into();
        for operator in std::mem::take(&mut self.nameless) {
            if operator.addr.first() == dataflow.addr.first() {
                self.add(operator.id, &view, operator.name);
            } else {
                self.nameless.push(operator);
            }
        }
        self.add(dataflow.id, &view, "Dataflow".to_owned());
    }

    fn add(&mut self, id: usize, view: &Arc<str>, operator: String) {
        let meter = Arc::new(Meter {
            view: Arc::clone(view),
            operator,
            worker: self.worker,
            elapsed: Counter::default(),
            activations: Counter::default(),
            records: Counter::default(),
            batches: Counter::default(),
            arranges: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let _ = self.created.send(Arc::clone(&meter));
        self.meters.insert(id, meter);
    }

    fn differential(&self, event: &DifferentialEvent) {
        let (operator, records, batches) = match event {
            DifferentialEvent::Batch(batch) => (batch.operator, batch.length as i64, 1),
            DifferentialEvent::Merge(merge) => match merge.complete {
                Some(length) => (merge.operator, length as i64 - merge.length1 as i64 - merge.length2 as i64, -1),
                None => return,
            },
            DifferentialEvent::Drop(dropped) => (dropped.operator, -(dropped.length as i64), -1),
            DifferentialEvent::MergeShortfall(_) | DifferentialEvent::TraceShare(_) | DifferentialEvent::Batcher(_) => {
                return;
            }
        };
        let Some(meter) = self.meters.get(&operator) else { return };
        meter.records.add(records);
        meter.batches.add(batches);
        if batches > 0 {
            meter.arranges.store(true, Ordering::Relaxed);
        }
    }
}
