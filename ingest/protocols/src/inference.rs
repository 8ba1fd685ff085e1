//! Which protocol a connection speaks: scores of all protocols over its first messages in both directions. Bounded,
//! and good for connections met in the middle.

use crate::protocol::{CERTAIN, Inference, LIKELY, Side};
use crate::registry::Entry;
use crate::segment::{Direction, Segment};

/// Beginnings of directions are put together so far; a message that is told apart only later is not told apart.
const HEAD_BYTES: usize = 512;
/// Messages that are scored.
const MESSAGES_MAX: u32 = 12;
/// What is good enough when there is nothing better to come.
const GUESS: u32 = 60;
/// Denied messages take off at most so much.
const DENIED_MAX: u32 = 20;
/// The best must lead by so much, when it is not certain.
const LEAD: u32 = 25;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Not enough was seen.
    Undecided,
    /// The candidate at this index; requests go this way.
    Is {
        /// Index in the list of candidates.
        candidate: usize,
        /// Which way requests go.
        requests: Direction,
    },
    /// None of them.
    Unknown,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Sum of scores of messages that were likely.
    sum: u32,
    /// The best score of one that was not likely.
    weak: u32,
    /// Messages scored, likely or not.
    messages: u32,
    /// Messages that were certainly not its own.
    denied: u32,
    /// Votes on who asks: above 0 what is sent are requests.
    sent_asks: i32,
}

/// Scores so far.
#[derive(Debug)]
pub struct Scores {
    tallies: Vec<Tally>,
    /// Beginnings of what may be a message, by direction.
    heads: [Vec<u8>; 2],
    messages: u32,
    /// What the sockets say about who asks.
    client: Option<Direction>,
}

impl Scores {
    /// Nothing seen yet. `client` is the direction in which the side sends that opened the connection, if known.
    #[must_use]
    pub fn new(candidates: &[Entry], client: Option<Direction>) -> Self {
        Scores { tallies: vec![Tally::default(); candidates.len()], heads: Default::default(), messages: 0, client }
    }

    /// Takes a segment into account and says what is known then. `barred` is a candidate that was found wrong.
    pub fn segment(
        &mut self,
        candidates: &[Entry],
        segment: &Segment<'_>,
        datagram: bool,
        barred: Option<usize>,
    ) -> Verdict {
        if segment.captured.is_empty() {
            return self.verdict(barred);
        }
        let at = segment.direction as usize;
        let mut head = std::mem::take(&mut self.heads[at]);
        let continues = !head.is_empty();
        let room = HEAD_BYTES.saturating_sub(head.len()).min(segment.captured.len());
        let bytes = if continues {
            head.extend_from_slice(&segment.captured[..room]);
            &head[..]
        } else {
            segment.captured
        };
        let mut open = false;
        for (candidate, tally) in candidates.iter().zip(&mut self.tallies) {
            if !(if datagram { candidate.description.datagrams } else { candidate.description.streams }) {
                tally.denied = u32::MAX / 2;
                continue;
            }
            let infer = if datagram { candidate.infer_datagram } else { candidate.infer };
            let mut found = infer(bytes);
            if continues && found.score < LIKELY {
                let afresh = infer(segment.captured);
                found = if afresh.score > found.score { afresh } else { found };
            }
            open |= (1..LIKELY).contains(&found.score);
            tally.add(found, segment.direction);
        }
        self.messages += u32::from(!continues);
        let verdict = self.verdict(barred);
        if verdict == Verdict::Undecided && open && !datagram && segment.captured.len() == segment.length as usize {
            if !continues {
                head.extend_from_slice(&segment.captured[..room]);
            }
            if head.len() < HEAD_BYTES {
                self.heads[at] = head;
            }
        }
        verdict
    }

    /// What is the best guess when nothing more will come.
    #[must_use]
    pub fn at_end(&self, barred: Option<usize>) -> Verdict {
        match self.ranked(barred) {
            (best, second, index) if best >= GUESS && best >= second + LEAD => self.is(index),
            _ => Verdict::Unknown,
        }
    }

    fn verdict(&self, barred: Option<usize>) -> Verdict {
        let exhausted = self.messages >= MESSAGES_MAX;
        match self.ranked(barred) {
            (best, second, index) if best >= u32::from(CERTAIN) && best > second => self.is(index),
            (best, second, index) if best >= u32::from(LIKELY) && best >= second + LEAD => self.is(index),
            (best, second, index) if exhausted && best >= GUESS && best > second => self.is(index),
            _ if exhausted => Verdict::Unknown,
            _ => Verdict::Undecided,
        }
    }

    /// The best value, the second, and whose the best is.
    fn ranked(&self, barred: Option<usize>) -> (u32, u32, usize) {
        let (mut best, mut second, mut whose) = (0, 0, 0);
        for (index, tally) in self.tallies.iter().enumerate().filter(|(index, _)| barred != Some(*index)) {
            let value = tally.value();
            if value > best {
                (best, second, whose) = (value, best, index);
            } else {
                second = second.max(value);
            }
        }
        (best, second, whose)
    }

    fn is(&self, candidate: usize) -> Verdict {
        let voted = if self.tallies[candidate].sent_asks < 0 { Direction::Received } else { Direction::Sent };
        let requests = self.client.unwrap_or(voted);
        Verdict::Is { candidate, requests }
    }
}

impl Tally {
    fn add(&mut self, found: Inference, direction: Direction) {
        self.messages += 1;
        if found.score == 0 {
            self.denied = self.denied.saturating_add(1);
            return;
        }
        if found.score < LIKELY {
            self.weak = self.weak.max(found.score.into());
            return;
        }
        self.sum += u32::from(found.score);
        let sent = if direction == Direction::Sent { 1 } else { -1 };
        match found.side {
            Some(Side::Client) => self.sent_asks += sent,
            Some(Side::Server) => self.sent_asks -= sent,
            None => {}
        }
    }

    /// 100 for a certain message; a little less for what was seen and was none, since another segment may bring
    /// anything of a message.
    fn value(&self) -> u32 {
        if self.denied > self.messages {
            return 0;
        }
        let best = self.sum.max(self.weak);
        best.saturating_sub((self.denied * 5).min(DENIED_MAX))
    }
}

#[cfg(test)]
mod tests;
