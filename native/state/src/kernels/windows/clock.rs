//! How far a task has come.

use crate::changes::Changes;
use crate::error::Result;
use crate::store::Store;
use crate::tasks::{Part, PartStats};
use crate::time::StreamTime;

/// Stream time, and the place of the last row. Only stream time is kept with the state.
pub struct Clock {
    time: StreamTime,
    seq: i64,
    committed_seq: i64,
}

impl Clock {
    pub fn open(store: &Store) -> Result<Self> {
        Ok(Self {
            time: StreamTime::open(store)?,
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

    /// Take note of a time; true if stream time moves on.
    pub fn advance(&mut self, time: i64) -> bool {
        self.time.advance(time)
    }
}

impl Part for Clock {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        self.time.collect(changes)
    }

    fn settle(&mut self) {
        self.committed_seq = self.seq;
        self.time.settle();
    }

    fn rollback(&mut self) -> Result<()> {
        self.seq = self.committed_seq;
        self.time.rollback()
    }

    fn shrink(&mut self, _: usize) {}

    fn stats(&self) -> PartStats {
        PartStats::default()
    }
}
