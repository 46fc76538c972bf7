//! How far a task has come.

use crate::changes::Changes;
use crate::error::Result;
use crate::store::Store;
use crate::tasks::{Part, PartStats};
use crate::time::StreamTime;

use super::counter::Counter;

/// First byte of the key in the store.
const ARRIVALS: u8 = b'a';

/// Stream time, how many rows have come, and the place of the last one. The last is not kept with the state.
pub struct Clock {
    time: StreamTime,
    /// Counts only where somebody asks.
    arrivals: Counter,
    seq: i64,
    committed_seq: i64,
}

impl Clock {
    pub fn open(store: &Store) -> Result<Self> {
        Ok(Self {
            time: StreamTime::open(store)?,
            arrivals: Counter::open(store, ARRIVALS)?,
            seq: 0,
            committed_seq: 0,
        })
    }

    /// Give stream time: below zero before anything was seen.
    pub fn now(&self) -> i64 {
        self.time.now()
    }

    /// Give the highest `_seq` seen since the task was opened; 0 before that.
    pub fn seq(&self) -> i64 {
        self.seq
    }

    pub fn see(&mut self, seq: i64) {
        self.seq = self.seq.max(seq);
    }

    /// Give the number of a row that comes in.
    pub fn arrive(&mut self) -> u64 {
        self.arrivals.next()
    }

    /// Take note of a time; true if stream time moves on.
    pub fn advance(&mut self, time: i64) -> bool {
        self.time.advance(time)
    }
}

impl Part for Clock {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        self.time.collect(changes)?;
        self.arrivals.collect(changes)
    }

    fn settle(&mut self) {
        self.committed_seq = self.seq;
        self.time.settle();
        self.arrivals.settle();
    }

    fn rollback(&mut self) -> Result<()> {
        self.seq = self.committed_seq;
        self.time.rollback()?;
        self.arrivals.rollback()
    }

    fn shrink(&mut self, _: usize) {}

    fn stats(&self) -> PartStats {
        PartStats::default()
    }
}
