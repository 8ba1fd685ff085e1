//! How answers find their requests: in the order of requests, or by an id. Both are bounded and count what they drop.

use std::collections::VecDeque;

use crate::exchange::Exchange;
use crate::protocol::{Output, Side};

/// After such a silence everything outstanding is taken to be answered.
const QUIET_NS: i64 = 200_000_000;

/// Answers that wait for a request which is still on its way: two threads of one process hand over their bytes in any
/// order.
const EARLY_MAX: usize = 16;

/// After so many requests in a row that each came behind one answer and before the next, nothing else is outstanding:
/// pipelined ones come together.
const ALONE_ENOUGH: u32 = 8;

/// Requests that are answered in their order. After something was missed no pair is guessed: a client that never
/// pipelined has one request outstanding, so its next one pairs again; one that did pairs again after a silence, or
/// when it has asked one by one for a while.
#[derive(Debug)]
pub struct InOrder {
    waiting: VecDeque<Box<Exchange>>,
    /// Answers that came before their request; `None` for one that was not kept.
    early: VecDeque<Option<Box<Exchange>>>,
    max: usize,
    pipelined: bool,
    /// Requests may be outstanding that were not seen.
    stale: bool,
    /// Answers in a row, since then, that came when one request waited.
    alone: u32,
    last_ns: i64,
}

impl InOrder {
    /// An empty queue of at most `max` requests; `from_start` as in [`crate::protocol::Setup`].
    #[must_use]
    pub fn new(max: usize, from_start: bool) -> Self {
        InOrder {
            waiting: VecDeque::new(),
            early: VecDeque::new(),
            max,
            pipelined: false,
            stale: !from_start,
            alone: 0,
            last_ns: i64::MIN / 2,
        }
    }

    /// A request is complete and waits for its answer.
    pub fn ask(&mut self, exchange: Box<Exchange>, output: &mut Output<'_>) {
        let now_ns = exchange.request.end_ns;
        let quiet = now_ns.saturating_sub(self.last_ns) > QUIET_NS;
        self.last_ns = now_ns;
        match self.early.pop_front() {
            Some(Some(mut answered)) => {
                answered.take_request(&exchange);
                output.pool.give(exchange);
                return output.emit(answered);
            }
            Some(None) => {
                output.counts.unpaired_requests += 1;
                return output.pool.give(exchange);
            }
            None => {}
        }
        let settled = quiet || self.alone >= ALONE_ENOUGH;
        if self.stale && self.waiting.is_empty() && (settled || !self.pipelined) {
            self.stale = !settled;
        }
        if self.waiting.len() >= self.max {
            output.counts.overflows += self.waiting.len() as u64;
            self.give_up(output);
            (self.stale, self.alone) = (true, 0);
        }
        self.pipelined |= !self.waiting.is_empty();
        self.waiting.push_back(exchange);
    }

    /// The request that an answer, which ends now, belongs to.
    pub fn answer(&mut self, now_ns: i64, output: &mut Output<'_>) -> Option<Box<Exchange>> {
        self.last_ns = now_ns;
        let ambiguous = self.stale && self.pipelined;
        self.alone = if self.waiting.len() == 1 { self.alone.saturating_add(1) } else { 0 };
        if ambiguous && !self.waiting.is_empty() {
            output.counts.unpaired_requests += self.waiting.len() as u64;
            self.give_up(output);
        }
        let found = self.waiting.pop_front();
        if found.is_none() {
            output.counts.unpaired_responses += 1;
            if !self.stale && self.early.len() < EARLY_MAX {
                self.early.push_back(None);
            }
        }
        found
    }

    /// Hands out a pair, for an answer that [`Self::answer`] found no request for as well: give it an exchange of
    /// the pool then. It waits for a request that is still on its way, where there can be one.
    pub fn complete(&mut self, exchange: Box<Exchange>, output: &mut Output<'_>) {
        if exchange.request.bytes > 0 {
            return output.emit(exchange);
        }
        match self.early.back_mut() {
            Some(early) if early.is_none() => {
                output.counts.unpaired_responses = output.counts.unpaired_responses.saturating_sub(1);
                *early = Some(exchange);
            }
            _ => output.pool.give(exchange),
        }
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
        output.counts.unpaired_responses += self.early.iter().flatten().count() as u64;
        self.give_up(output);
        (self.stale, self.alone) = (true, 0);
    }

    /// The connection is closed.
    pub fn finish(&mut self, output: &mut Output<'_>) {
        output.counts.unanswered_requests += self.waiting.len() as u64;
        output.counts.unpaired_responses += self.early.iter().flatten().count() as u64;
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
        for exchange in self.waiting.drain(..).chain(self.early.drain(..).flatten()) {
            output.pool.give(exchange);
        }
    }
}

/// Requests that are answered by id, in any order. The oldest come first, so that few waiting ones are found fast.
#[derive(Debug)]
pub struct ById<K> {
    waiting: VecDeque<(K, Box<Exchange>)>,
    early: VecDeque<(K, Box<Exchange>)>,
    max: usize,
}

impl<K: PartialEq> ById<K> {
    /// An empty set of at most `max` requests.
    #[must_use]
    pub fn new(max: usize) -> Self {
        ById { waiting: VecDeque::new(), early: VecDeque::new(), max }
    }

    /// A request waits for its answer. One with the same id that waits is given up, as is the oldest of too many.
    pub fn ask(&mut self, id: K, exchange: Box<Exchange>, output: &mut Output<'_>) {
        if !self.early.is_empty()
            && let Some(at) = self.early.iter().position(|(early, _)| *early == id)
            && let Some((_, mut answered)) = self.early.remove(at)
        {
            answered.take_request(&exchange);
            output.pool.give(exchange);
            return output.emit(answered);
        }
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

    /// Keeps an answer, for which [`Self::answer`] found no request, until that comes. Call only where everything was
    /// seen from the start, and give it an exchange of the pool.
    pub fn answer_early(&mut self, id: K, exchange: Box<Exchange>, output: &mut Output<'_>) {
        if self.early.len() >= EARLY_MAX
            && let Some((_, oldest)) = self.early.pop_front()
        {
            output.pool.give(oldest);
        }
        self.early.push_back((id, exchange));
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

    /// A request that is known to have failed without an answer.
    pub fn take_failed(&mut self) -> Option<Box<Exchange>> {
        let at = self.waiting.iter().position(|(_, exchange)| exchange.failed)?;
        self.waiting.remove(at).map(|(_, exchange)| exchange)
    }

    /// Answers or requests may have been missed; ids tell pairs apart still, but what waits is marked.
    pub fn missed(&mut self) {
        self.waiting.iter_mut().for_each(|(_, exchange)| exchange.partial = true);
    }

    /// The connection is closed.
    pub fn finish(&mut self, output: &mut Output<'_>) {
        output.counts.unanswered_requests += self.waiting.len() as u64;
        for (_, exchange) in self.waiting.drain(..).chain(self.early.drain(..)) {
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
