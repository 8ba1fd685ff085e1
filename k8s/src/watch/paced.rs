//! Reads a stream by the handful: an event that comes alone wakes all that is between the socket and its reader, which
//! costs far more than the event itself.

use std::time::Duration;

use futures::{Stream, StreamExt};

/// Events that come meanwhile are read together. It is also how much later than it could an event may be read.
const PAUSE: Duration = Duration::from_millis(100);
/// Nothing for so long, and what had come is read.
const LULL: Duration = Duration::from_millis(3);
/// So many events without a lull come faster than pausing would be good for.
const BURST: u32 = 32;

/// A stream that is left alone for a while after each handful. The first event after silence is not held back, and
/// those of a burst are read as fast as they come.
#[derive(Debug)]
pub(super) struct Paced<S> {
    events: S,
    /// Events since the last lull.
    read: u32,
}

impl<S: Stream + Unpin> Paced<S> {
    pub(super) fn new(events: S) -> Self {
        Paced { events, read: 0 }
    }

    pub(super) async fn next(&mut self) -> Option<S::Item> {
        if self.read > 0 {
            if let Ok(next) = tokio::time::timeout(LULL, self.events.next()).await {
                self.read = self.read.saturating_add(1);
                return next;
            }
            if std::mem::take(&mut self.read) < BURST {
                tokio::time::sleep(PAUSE).await;
            }
        }
        let next = self.events.next().await;
        self.read = 1;
        next
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// When events are read that come after these pauses.
    async fn read(pauses: Vec<u64>) -> Vec<u128> {
        let started = Instant::now();
        let (told, events_of_reader) = tokio::sync::mpsc::unbounded_channel();
        let sent = tokio::spawn(async move {
            for pause in pauses {
                sleep(Duration::from_millis(pause)).await;
                assert!(told.send(()).is_ok(), "all is read");
            }
        });
        let receive =
            |mut from: tokio::sync::mpsc::UnboundedReceiver<()>| async move { Some((from.recv().await?, from)) };
        let mut paced = Paced::new(Box::pin(stream::unfold(events_of_reader, receive)));
        let mut times = Vec::new();
        while paced.next().await.is_some() {
            times.push(started.elapsed().as_millis());
        }
        assert!(sent.await.is_ok());
        times
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_after_silence_is_read_at_once() {
        assert_eq!(read(vec![500, 1000, 1000]).await, [500, 1500, 2500]);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_come_one_by_one_are_read_by_the_handful() {
        let times = read(vec![10; 100]).await;
        let mut handfuls = times.clone();
        handfuls.dedup();
        assert!(handfuls.len() <= 30, "{handfuls:?}");
        let late = times.iter().zip(1..).map(|(at, event)| at - 10 * event).max();
        assert!(late <= Some(PAUSE.as_millis()), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_not_held_back() {
        let mut times = read(vec![0; 5000]).await;
        assert_eq!(times.pop(), Some(0));
        let slower = read(vec![1; 1000]).await;
        assert!(slower.last() <= Some(&1100), "{slower:?}");
    }
}
