//! A recording as a source, at the speed at which it was recorded or as fast as it goes.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::event::{Attention, Event, Stream};
use crate::recording::{Block, Reader};
use crate::source::{Source, State};

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As it was recorded.
    Recorded,
    /// As fast as the reader goes.
    AsFast,
}

const IDLE_TICK: Duration = Duration::from_secs(1);
const SLEEP_MAX: Duration = Duration::from_millis(50);

pub(crate) struct Recording {
    reader: Reader<BufReader<File>>,
    pace: Pace,
    started: Instant,
    first_ms: Option<u64>,
    last_ms: u64,
    ended: Option<Instant>,
}

impl Recording {
    pub(crate) fn open(path: &Path, pace: Pace) -> Result<Self, crate::Error> {
        let file = File::open(path).map_err(|error| crate::Error::File { path: path.to_path_buf(), error })?;
        let reader = Reader::new(BufReader::new(file))?;
        Ok(Recording { reader, pace, started: Instant::now(), first_ms: None, last_ms: 0, ended: None })
    }

    /// After the end the clock stands still, but progress lives: one tick a second, a millisecond later each.
    fn idle(&mut self, since: Instant, each: &mut dyn FnMut(&Event<'_>)) {
        if since.elapsed() < IDLE_TICK {
            std::thread::sleep(SLEEP_MAX);
            return;
        }
        self.ended = Some(Instant::now());
        self.last_ms += 1;
        each(&Event::Tick { time: self.last_ms });
    }

    fn is_early(&self) -> bool {
        let recorded = Duration::from_millis(self.last_ms - self.first_ms.unwrap_or(self.last_ms).min(self.last_ms));
        self.pace == Pace::Recorded && self.started.elapsed() < recorded
    }
}

impl Source for Recording {
    fn poll(&mut self, each: &mut dyn FnMut(&Event<'_>)) -> Result<State, crate::Error> {
        if let Some(since) = self.ended {
            self.idle(since, each);
            return Ok(State::Ended);
        }
        if self.is_early() {
            std::thread::sleep(SLEEP_MAX);
            return Ok(State::Running);
        }
        let (first_ms, last_ms) = (&mut self.first_ms, &mut self.last_ms);
        let block = self.reader.read_block(&mut |event| {
            if let Event::Tick { time } = event {
                first_ms.get_or_insert(*time);
                *last_ms = (*last_ms).max(*time);
            }
            each(event);
        });
        let ended = match block {
            Ok(Block::Whole) => return Ok(State::Running),
            Ok(Block::End) => Ok(State::Ended),
            Ok(Block::CutOff) => {
                tracing::warn!("the recording is cut off; it was read up to its last whole block");
                Ok(State::Ended)
            }
            Err(error) => Err(error),
        };
        self.ended = Some(Instant::now());
        // One more second, so that counters of the last one become rows.
        self.last_ms = (self.last_ms / 1000 + 1) * 1000;
        each(&Event::Tick { time: self.last_ms });
        Ok(ended?)
    }

    fn attend(&mut self, _stream: Stream, _attention: Attention) {}
}
