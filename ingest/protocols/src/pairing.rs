//! How answers find their requests: in the order of requests, or by an id. Both are bounded and count what they drop.

use std::collections::VecDeque;

use crate::exchange::Exchange;
use crate::protocol::{Output, Side};

/// After such a silence everything outstanding is taken to be answered.
const QUIET_NS: i64 = 200_000_000;

/// Requests that are answered in their order. After something was missed no pair is guessed: a client that never
/// pipelined has one request outstanding, so its next one pairs again; one that did pairs again after a silence.
#[derive(Debug)]
pub struct InOrder {
    waiting: VecDeque<Box<Exchange>>,
    max: usize,
    pipelined: bool,
    /// Requests may be outstanding that were not seen.
    stale: bool,
    last_ns: i64,
}

impl InOrder {
    /// An empty queue of at most `max` requests; `from_start` as in [`crate::protocol::Setup`].
    #[must_use]
    pub fn new(max: usize, from_start: bool) -> Self {
        InOrder { waiting: VecDeque::new(), max, pipelined: false, stale: !from_start, last_ns: i64::MIN / 2 }
    }

    /// A request is complete and waits for its answer.
    pub fn ask(&mut self, exchange: Box<Exchange>, output: &mut Output<'_>) {
        let now_ns = exchange.request.end_ns;
        let quiet = now_ns.saturating_sub(self.last_ns) > QUIET_NS;
        self.last_ns = now_ns;
        if self.stale && self.waiting.is_empty() && (quiet || !self.pipelined) {
            self.stale = !quiet;
        }
        if self.waiting.len() >= self.max {
            output.counts.overflows += self.waiting.len() as u64;
            self.give_up(output);
            self.stale = true;
        }
        self.pipelined |= !self.waiting.is_empty();
        self.waiting.push_back(exchange);
    }

    /// The request that an answer, which ends now, belongs to.
    pub fn answer(&mut self, now_ns: i64, output: &mut Output<'_>) -> Option<Box<Exchange>> {
        self.last_ns = now_ns;
        let ambiguous = self.stale && self.pipelined;
        if ambiguous && !self.waiting.is_empty() {
            output.counts.unpaired_requests += self.waiting.len() as u64;
            self.give_up(output);
        }
        let found = self.waiting.pop_front();
        output.counts.unpaired_responses += u64::from(found.is_none());
        found
    }

    /// The request that the next answer belongs to, without taking it.
    pub fn front(&mut self) -> Option<&mut Exchange> {
        if self.stale && self.pipelined { None } else { self.waiting.front_mut().map(|exchange| &mut **exchange) }
    }

    /// The request that was asked last.
    pub fn back(&mut self) -> Option<&mut Exchange> {
        self.waiting.back_mut().map(|exchange| &mut **exchange)
    }

    /// Messages of a side may have been missed.
    pub fn missed(&mut self, _side: Side, output: &mut Output<'_>) {
        output.counts.unpaired_requests += self.waiting.len() as u64;
        self.give_up(output);
        self.stale = true;
    }

    /// The connection is closed.
    pub fn finish(&mut self, output: &mut Output<'_>) {
        output.counts.unanswered_requests += self.waiting.len() as u64;
        self.give_up(output);
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn give_up(&mut self, output: &mut Output<'_>) {
        for exchange in self.waiting.drain(..) {
            output.pool.give(exchange);
        }
    }
}

/// Requests that are answered by id, in any order. The oldest come first, so that few waiting ones are found fast.
#[derive(Debug)]
pub struct ById<K> {
    waiting: VecDeque<(K, Box<Exchange>)>,
    max: usize,
}

impl<K: PartialEq> ById<K> {
    /// An empty set of at most `max` requests.
    #[must_use]
    pub fn new(max: usize) -> Self {
        ById { waiting: VecDeque::new(), max }
    }

    /// A request waits for its answer. One with the same id that waits is given up, as is the oldest of too many.
    pub fn ask(&mut self, id: K, exchange: Box<Exchange>, output: &mut Output<'_>) {
        if let Some(same) = self.take(&id) {
            output.counts.unpaired_requests += 1;
            output.pool.give(same);
        }
        if self.waiting.len() >= self.max
            && let Some((_, oldest)) = self.waiting.pop_front()
        {
            output.counts.overflows += 1;
            output.pool.give(oldest);
        }
        self.waiting.push_back((id, exchange));
    }

    /// The request that an answer belongs to; an answer without one is counted.
    pub fn answer(&mut self, id: &K, output: &mut Output<'_>) -> Option<Box<Exchange>> {
        let found = self.take(id);
        output.counts.unpaired_responses += u64::from(found.is_none());
        found
    }

    /// The request with an id, if it waits.
    pub fn take(&mut self, id: &K) -> Option<Box<Exchange>> {
        let at = self.waiting.iter().position(|(waiting, _)| waiting == id)?;
        self.waiting.remove(at).map(|(_, exchange)| exchange)
    }

    /// The request with an id, if it waits, to add to it.
    pub fn find(&mut self, id: &K) -> Option<&mut Exchange> {
        self.waiting.iter_mut().find(|(waiting, _)| waiting == id).map(|(_, exchange)| &mut **exchange)
    }

    /// The oldest request that ended before `before_ns`.
    pub fn take_older(&mut self, before_ns: i64) -> Option<(K, Box<Exchange>)> {
        let (_, oldest) = self.waiting.front()?;
        if oldest.request.end_ns < before_ns { self.waiting.pop_front() } else { None }
    }

    /// Answers or requests may have been missed; ids tell pairs apart still, but what waits is marked.
    pub fn missed(&mut self) {
        self.waiting.iter_mut().for_each(|(_, exchange)| exchange.partial = true);
    }

    /// The connection is closed.
    pub fn finish(&mut self, output: &mut Output<'_>) {
        output.counts.unanswered_requests += self.waiting.len() as u64;
        for (_, exchange) in self.waiting.drain(..) {
            output.pool.give(exchange);
        }
    }

    /// Requests that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
