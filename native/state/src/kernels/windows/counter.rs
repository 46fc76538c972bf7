//! Numbers that only rise, across restarts: they tell which of two things was first, or the last of something.

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::tasks::{Part, PartStats};

/// A number that is kept with the state of a task, at first 0.
pub struct Counter {
    store: Store,
    key: [u8; 1],
    committed: u64,
    next: u64,
}

impl Counter {
    /// Args:
    /// - `key`: of the counter's entry in the store; not the beginning of any other key.
    pub fn open(store: &Store, key: u8) -> Result<Self> {
        let mut counter = Self {
            store: store.clone(),
            key: [key],
            committed: 0,
            next: 0,
        };
        counter.rollback()?;
        Ok(counter)
    }

    /// Give the number, and count on.
    pub fn next(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub fn get(&self) -> u64 {
        self.next
    }

    pub fn raise(&mut self, to: u64) {
        self.next = self.next.max(to);
    }
}

impl Part for Counter {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        if self.next == self.committed {
            return Ok(());
        }
        changes.push(&self.key, Some(&self.next.to_be_bytes()), None)
    }

    fn settle(&mut self) {
        self.committed = self.next;
    }

    fn rollback(&mut self) -> Result<()> {
        let stored = self
            .store
            .get(&self.key, |bytes| bytes.try_into().map(u64::from_be_bytes))?;
        self.next = match stored {
            None => 0,
            Some(number) => {
                number.map_err(|_| Error::damaged("the counter in the store is not eight bytes"))?
            }
        };
        self.committed = self.next;
        Ok(())
    }

    fn shrink(&mut self, _: usize) {}

    fn stats(&self) -> PartStats {
        PartStats::default()
    }
}
