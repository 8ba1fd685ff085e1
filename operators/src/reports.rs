//! What operators keep without an arrangement, told to those who follow arrangements.

use differential_dataflow::logging::{BatchEvent, DifferentialEventBuilder, Logger, MergeEvent};
use timely::worker::Worker;

/// What is kept is one batch, and others are merged into it.
pub(crate) struct Reports {
    log: Option<Logger>,
    operator: usize,
    told: Option<usize>,
}

impl Reports {
    pub(crate) fn new(worker: &Worker, operator: usize) -> Self {
        let log = worker.logger_for::<DifferentialEventBuilder>("differential/arrange").map(Into::into);
        Reports { log, operator, told: None }
    }

    /// Tells how many records there are.
    pub(crate) fn report(&mut self, length: usize) {
        let Reports { log: Some(log), operator, told } = self else { return };
        let operator = *operator;
        match *told {
            None if length == 0 => return,
            Some(before) if before == length => return,
            None => log.log(BatchEvent { operator, length }),
            Some(before) => {
                let come = length.saturating_sub(before);
                log.log(BatchEvent { operator, length: come });
                let complete = Some(length);
                log.log(MergeEvent { operator, scale: 0, length1: before, length2: come, complete });
            }
        }
        *told = Some(length);
    }
}
