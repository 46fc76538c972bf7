//! When to look at a key again. Kept with the state, so that a restart needs no walk over all keys.

use std::collections::BTreeSet;

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::rows::hash;
use crate::store::Store;
use crate::table::Codec;
use crate::tasks::{Part, PartStats};

use super::segments::{SegmentCodec, Segments, entries};

/// Times of at least zero, each with a key. Stored by stretches of time; only the stretch that is near lies in order in memory.
pub struct Timers {
    segments: Segments<Nothing>,
    /// Length of a stretch.
    stretch: i64,
    /// Timers of the stretches before `near_end`.
    near: BTreeSet<(i64, Box<[u8]>)>,
    near_end: i64,
    scratch: Vec<u8>,
}

/// An entry that is only a key.
#[derive(Debug, Clone, Copy)]
struct Nothing;

impl Codec for Nothing {
    type Value = ();

    fn encode(&self, (): &(), _: &mut Vec<u8>) {}

    fn decode(&self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn heap(&self, (): &()) -> usize {
        0
    }

    fn timestamp(&self, key: &[u8], _: Option<&()>) -> Option<i64> {
        split(key).ok().map(|(time, _)| time)
    }
}

impl SegmentCodec for Nothing {
    fn at(&self, _: i64) -> Self {
        *self
    }
}

/// Give time and key of an entry.
fn split(entry: &[u8]) -> Result<(i64, &[u8])> {
    let (time, key) = entry
        .split_first_chunk()
        .ok_or_else(|| Error::damaged("a timer in the store is too short"))?;
    Ok((i64::from_be_bytes(*time), key))
}

impl Timers {
    /// Args:
    /// - `prefix`: first byte of the timers' keys in the store.
    /// - `stretch`: how far apart times of timers usually are; a few dozen stretches are in use then.
    pub fn open(store: &Store, prefix: u8, stretch: i64) -> Result<Self> {
        Ok(Self {
            segments: Segments::open(store, prefix, Nothing)?,
            stretch: stretch.max(1),
            near: BTreeSet::new(),
            near_end: 0,
            scratch: Vec::new(),
        })
    }

    pub fn set(&mut self, time: i64, key: &[u8]) -> Result<()> {
        self.write(time, key, Some(()))?;
        if time < self.near_end {
            self.near.insert((time, key.into()));
        }
        Ok(())
    }

    /// Take the earliest timer away, if its time is before `now`.
    pub fn take_before(&mut self, now: i64) -> Result<Option<(i64, Box<[u8]>)>> {
        self.bring_near(now)?;
        if self.near.first().is_none_or(|(time, _)| *time >= now) {
            return Ok(None);
        }
        let Some((time, key)) = self.near.pop_first() else {
            return Ok(None);
        };
        self.write(time, &key, None)?;
        Ok(Some((time, key)))
    }

    /// Put the timers of all stretches that begin before `now` in order.
    fn bring_near(&mut self, now: i64) -> Result<()> {
        if now <= self.near_end {
            return Ok(());
        }
        let end = now
            .saturating_sub(now % self.stretch)
            .saturating_add(self.stretch);
        for (_, table) in self.segments.range_mut(self.near_end..end) {
            for slot in entries(table)? {
                let (time, key) = split(table.key(slot))?;
                self.near.insert((time, key.into()));
            }
        }
        self.near_end = end;
        Ok(())
    }

    fn write(&mut self, time: i64, key: &[u8], value: Option<()>) -> Result<()> {
        self.scratch.clear();
        self.scratch.extend_from_slice(&time.to_be_bytes());
        self.scratch.extend_from_slice(key);
        let table = self.segments.table(time - time % self.stretch)?;
        let slot = table.slot(&self.scratch, hash(&self.scratch))?;
        *table.edit(slot) = value;
        Ok(())
    }
}

impl Part for Timers {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        self.segments.collect(changes)
    }

    fn settle(&mut self) {
        self.segments.settle();
    }

    fn rollback(&mut self) -> Result<()> {
        (self.near, self.near_end) = (BTreeSet::new(), 0);
        self.segments.rollback()
    }

    fn shrink(&mut self, bytes: usize) {
        self.segments.shrink(bytes);
    }

    fn stats(&self) -> PartStats {
        self.segments.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LocalStore;

    fn taken(timers: &mut Timers, now: i64) -> Vec<(i64, Box<[u8]>)> {
        std::iter::from_fn(|| timers.take_before(now).unwrap()).collect()
    }

    fn timer(time: i64, key: &[u8]) -> (i64, Box<[u8]>) {
        (time, key.into())
    }

    #[test]
    fn timers_come_in_the_order_of_their_times_each_once() {
        let local = LocalStore::open(None).unwrap();
        local.begin("s", "").unwrap();
        let mut timers = Timers::open(&local.store("s").unwrap(), b't', 10).unwrap();
        for (time, key) in [(25, b"a"), (3, b"b"), (3, b"a"), (107, b"c")] {
            timers.set(time, key).unwrap();
        }
        assert_eq!(taken(&mut timers, 3), []);
        assert_eq!(taken(&mut timers, 4), [timer(3, b"a"), timer(3, b"b")]);
        timers.set(4, b"d").unwrap();
        assert_eq!(taken(&mut timers, 26), [timer(4, b"d"), timer(25, b"a")]);
        timers.rollback().unwrap();
        assert_eq!(taken(&mut timers, 1000), []);
    }
}
