//! The queue of one host.
//!
//! Invariant: first come, first served by the time at which an image became due. What somebody asks for
//! goes before that, but not always, so that a flood of it can't starve the rest. An image is in it at
//! most once, so its length is that of the images watched.
//!
//! Pure: the time is given.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

/// The number of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub u64);

/// How many that were asked for go ahead of one whose time has come: whoever asks waits little longer
/// for that, and the others keep a quarter.
const AHEAD: u32 = 3;

/// A host's queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    scheduled: BTreeSet<(Timestamp, Id)>,
    asked_for: VecDeque<Id>,
    /// How many went ahead since the last one whose time had come.
    ahead: u32,
    /// How many are being looked at.
    pub flying: usize,
    /// How long those that were looked at had been due, all together.
    pub waited: Duration,
}

impl Lane {
    /// Puts an image where its time is.
    pub fn schedule(&mut self, id: Id, due: Timestamp) {
        self.scheduled.insert((due, id));
    }

    /// Takes an image out, `due` being when it is.
    pub fn remove(&mut self, id: Id, due: Timestamp) {
        if !self.scheduled.remove(&(due, id)) {
            self.asked_for.retain(|other| *other != id);
        }
    }

    /// Has an image go ahead; `due` is when it is. One that does so already keeps its place.
    pub fn ask_for(&mut self, id: Id, due: Timestamp) {
        if self.scheduled.remove(&(due, id)) {
            self.asked_for.push_back(id);
        }
    }

    /// Takes the next one out.
    pub fn next(&mut self, now: Timestamp) -> Option<Id> {
        let due = self
            .scheduled
            .first()
            .copied()
            .filter(|(due, _)| *due <= now);
        if (self.ahead < AHEAD || due.is_none())
            && let Some(id) = self.asked_for.pop_front()
        {
            self.ahead = self.ahead.saturating_add(1);
            return Some(id);
        }
        let (due, id) = due?;
        self.ahead = 0;
        self.scheduled.remove(&(due, id));
        let waited = now.duration_since(due);
        if !waited.is_negative() {
            self.waited = self.waited.saturating_add(waited.unsigned_abs());
        }
        Some(id)
    }

    /// When there is one to look at next; the time itself if there is now.
    pub fn due(&self, now: Timestamp) -> Option<Timestamp> {
        if !self.asked_for.is_empty() {
            return Some(now);
        }
        self.scheduled.first().map(|(due, _)| (*due).max(now))
    }

    /// Those that come next, until `then`.
    pub fn soon(&self, then: Timestamp) -> impl Iterator<Item = Id> {
        let due = self
            .scheduled
            .iter()
            .take_while(move |(due, _)| *due <= then);
        self.asked_for.iter().copied().chain(due.map(|(_, id)| *id))
    }

    /// How many are due.
    pub fn length(&self, now: Timestamp) -> usize {
        let due = self.scheduled.iter().take_while(|(due, _)| *due <= now);
        self.asked_for.len() + due.count()
    }

    /// How long the first one has been due.
    pub fn lag(&self, now: Timestamp) -> Duration {
        let first = self.scheduled.first().filter(|(due, _)| *due <= now);
        first.map_or(Duration::ZERO, |(due, _)| {
            now.duration_since(*due).unsigned_abs()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn take(lane: &mut Lane, now: i64) -> Vec<u64> {
        std::iter::from_fn(|| lane.next(at(now)).map(|id| id.0)).collect()
    }

    #[test]
    fn the_longest_due_comes_first_and_nothing_before_its_time() {
        let mut lane = Lane::default();
        for (id, due) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
            lane.schedule(Id(id), at(due));
        }
        assert_eq!(lane.due(at(0)), Some(at(10)));
        assert_eq!(
            (lane.length(at(30)), lane.lag(at(30))),
            (3, Duration::from_secs(20))
        );
        assert_eq!(take(&mut lane, 30), [2, 3, 1]);
        assert_eq!(lane.waited, Duration::from_secs(30));
        assert!(take(&mut lane, 98).is_empty());
        assert_eq!(lane.due(at(98)), Some(at(99)));
    }

    #[test]
    fn what_is_asked_for_goes_ahead_and_starves_nobody() {
        let mut lane = Lane::default();
        for id in 0..4 {
            lane.schedule(Id(id), at(0));
        }
        for id in 10..18 {
            lane.schedule(Id(id), at(500));
            lane.ask_for(Id(id), at(500));
            lane.ask_for(Id(id), at(500));
        }
        assert_eq!(lane.due(at(0)), Some(at(0)));
        assert_eq!(lane.length(at(0)), 12);
        assert_eq!(
            take(&mut lane, 0),
            [10, 11, 12, 0, 13, 14, 15, 1, 16, 17, 2, 3]
        );
        assert_eq!(lane.due(at(0)), None);
    }

    #[test]
    fn what_is_removed_is_gone_from_either_place() {
        let mut lane = Lane::default();
        lane.schedule(Id(1), at(0));
        lane.schedule(Id(2), at(0));
        lane.ask_for(Id(2), at(0));
        lane.remove(Id(1), at(0));
        lane.remove(Id(2), at(0));
        assert!(take(&mut lane, 0).is_empty());
    }
}
