//! When a score becomes a flag and when the flag goes: two levels and a time, so that nothing flickers.

use serde::{Deserialize, Serialize};

/// The levels and the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// A score above this is suspicious.
    pub above: f64,
    /// A standing flag goes when the score is below this.
    pub clear_below: f64,
    /// The score must have been above for so long, in nanoseconds.
    pub for_ns: i64,
}

/// Where a subject stands; times are nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing is wrong.
    #[default]
    Quiet,
    /// The score is above, not yet for long enough.
    Suspected {
        /// Since when.
        since: i64,
    },
    /// Flagged.
    Flagged {
        /// Since when the score was above.
        since: i64,
    },
}

/// What a score changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    Same,
    /// A flag is to be asserted.
    Raised {
        /// Since when the score was above.
        since: i64,
    },
    /// The standing flag is to be retracted.
    Cleared,
}

impl Standing {
    /// Takes the score at a time in; times do not go back. `None` is a subject without a score: nothing is wrong.
    pub fn step(&mut self, score: Option<f64>, time: i64, levels: &Levels) -> Turn {
        let score = score.unwrap_or(f64::NEG_INFINITY);
        let since = match *self {
            Standing::Flagged { .. } if score < levels.clear_below => {
                *self = Standing::Quiet;
                return Turn::Cleared;
            }
            Standing::Flagged { .. } => return Turn::Same,
            Standing::Quiet | Standing::Suspected { .. } if score <= levels.above => {
                *self = Standing::Quiet;
                return Turn::Same;
            }
            Standing::Suspected { since } => since,
            Standing::Quiet => time,
        };
        if time - since < levels.for_ns {
            *self = Standing::Suspected { since };
            return Turn::Same;
        }
        *self = Standing::Flagged { since };
        Turn::Raised { since }
    }

    /// Whether a flag stands.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        matches!(self, Standing::Flagged { .. })
    }
}

#[cfg(test)]
mod tests;
