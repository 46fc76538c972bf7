//! The stream time of a task, kept with its state.

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::tasks::{Part, PartStats};

/// Its key. Tables have prefixes of their own, none of which begins with a zero.
const KEY: &[u8] = b"\0time";

/// The largest time that a kernel has seen in a task; survives restarts.
pub struct StreamTime {
    store: Store,
    committed: i64,
    now: i64,
}

impl StreamTime {
    /// Stream time before anything was seen.
    pub const NEVER: i64 = i64::MIN;

    /// Read what was last committed.
    pub fn open(store: &Store) -> Result<Self> {
        let now = load(store)?;
        Ok(Self {
            store: store.clone(),
            committed: now,
            now,
        })
    }

    /// Give the largest time seen, or [`Self::NEVER`].
    pub fn now(&self) -> i64 {
        self.now
    }

    /// Take note of a time; true if stream time moves on.
    pub fn advance(&mut self, time: i64) -> bool {
        let moves = time > self.now;
        if moves {
            self.now = time;
        }
        moves
    }
}

fn load(store: &Store) -> Result<i64> {
    match store.get(KEY, |bytes| bytes.try_into().map(i64::from_be_bytes))? {
        None => Ok(StreamTime::NEVER),
        Some(time) => {
            time.map_err(|_| Error::damaged("the stream time in the store is not eight bytes"))
        }
    }
}

impl Part for StreamTime {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        if self.now == self.committed {
            return Ok(());
        }
        changes.push(KEY, Some(&self.now.to_be_bytes()), Some(self.now.max(0)))
    }

    fn settle(&mut self) {
        self.committed = self.now;
    }

    fn rollback(&mut self) -> Result<()> {
        self.now = load(&self.store)?;
        self.committed = self.now;
        Ok(())
    }

    fn shrink(&mut self, _: usize) {}

    fn stats(&self) -> PartStats {
        PartStats::default()
    }
}

/// Whether a key of the store is that of the stream time, for `decode`.
pub fn is_stream_time(key: &[u8]) -> bool {
    key == KEY
}
