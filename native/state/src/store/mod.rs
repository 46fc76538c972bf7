//! The state of one task on this machine: several stores by name, each ordered by key and in step with a position of its
//! changelog. On disk, or in memory for tests and for the embedded log that lives in memory.
//!
//! What is in a store is always something that the log has committed. So it is only written by [`LocalStore::restore`], with
//! what stands in the changelog, and by [`Store::write`], after the changelog has been committed.

mod disk;
mod memory;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};

/// All stores of one task. Thread safe; clones are the same stores. The files are let go when the last clone and the last
/// [`Store`] are gone.
#[derive(Clone)]
pub struct LocalStore {
    backend: Arc<dyn Backend>,
}

/// One named store of a task. Thread safe; clones are the same store.
#[derive(Clone)]
pub struct Store {
    entries: Arc<dyn Entries>,
}

/// Usual size of the cache of blocks.
pub const CACHE_BYTES: usize = 64 << 20;

/// A key, and its value or None to delete it.
pub type Write<'a> = (&'a [u8], Option<&'a [u8]>);

/// What keeps the stores of one task.
trait Backend: Send + Sync {
    fn names(&self) -> Result<Vec<String>>;
    fn fingerprint(&self, store: &str) -> Result<Option<String>>;
    fn begin(&self, store: &str, fingerprint: &str) -> Result<()>;
    fn open(&self, store: &str) -> Result<Option<Arc<dyn Entries>>>;
}

/// The entries of one store.
trait Entries: Send + Sync {
    fn position(&self) -> Result<Option<i64>>;
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<()>;
    fn scan(&self, from: &[u8], to: Option<&[u8]>, read: &mut Visit<'_>) -> Result<()>;
    fn write(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()>;
    /// As `write`, of many writes.
    fn restore(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        self.write(writes, position)
    }
}

/// Takes a key and its value, in key order, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>> + 'a;

impl LocalStore {
    /// As `open_with_cache`, with the cache's usual size.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        Self::open_with_cache(path, CACHE_BYTES)
    }

    /// Open, or make, the stores in a directory; None: in memory.
    ///
    /// Args:
    /// - `cache_bytes`: size of the cache of blocks that all stores of the process share; the first call decides.
    ///
    /// # Errors
    /// [`Error::Locked`]: the directory is in use.
    pub fn open_with_cache(path: Option<&Path>, cache_bytes: usize) -> Result<Self> {
        let backend: Arc<dyn Backend> = match path {
            None => Arc::new(memory::Memory::default()),
            Some(path) => Arc::new(disk::Disk::open(path, cache_bytes)?),
        };
        Ok(Self { backend })
    }

    /// Give the names of the stores, in order.
    pub fn names(&self) -> Result<Vec<String>> {
        self.backend.names()
    }

    /// Give what was told to `begin`; None if there is no such store.
    pub fn fingerprint(&self, store: &str) -> Result<Option<String>> {
        self.backend.fingerprint(store)
    }

    /// Make an empty store without a position; what is there under the name goes, so nobody may use it.
    pub fn begin(&self, store: &str, fingerprint: &str) -> Result<()> {
        self.backend.begin(store, fingerprint)
    }

    /// Give a store that `begin` has made.
    pub fn store(&self, name: &str) -> Result<Store> {
        match self.backend.open(name)? {
            Some(entries) => Ok(Store { entries }),
            None => Err(Error::spec(format!(
                "there is no store `{name}`: begin it first"
            ))),
        }
    }

    /// Give the position of the changelog that a store corresponds to; None if it was only begun, or does not exist.
    pub fn position(&self, store: &str) -> Result<Option<i64>> {
        match self.backend.open(store)? {
            Some(entries) => entries.position(),
            None => Ok(None),
        }
    }

    /// Take records of the changelog in, in one atomic write with the position after them. A record costs the less the more
    /// there are.
    pub fn restore(
        &self,
        store: &str,
        writes: &mut dyn Iterator<Item = Write<'_>>,
        position: i64,
    ) -> Result<()> {
        self.store(store)?.entries.restore(writes, position)
    }
}

impl Store {
    /// Give the position of the changelog that the entries correspond to.
    pub fn position(&self) -> Result<Option<i64>> {
        self.entries.position()
    }

    /// Read the value of a key, if there is one.
    pub fn get<T>(&self, key: &[u8], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>> {
        let (mut read, mut found) = (Some(read), None);
        self.entries.get(key, &mut |value| {
            found = read.take().map(|read| read(value));
        })?;
        Ok(found)
    }

    /// Walk the entries with `from <= key < to` in the order of their keys (bytes). `read` must not call this store.
    pub fn scan(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        mut read: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.entries.scan(from, to, &mut read)
    }

    /// Say whether no key begins with a prefix.
    pub fn is_empty(&self, prefix: &[u8]) -> Result<bool> {
        let mut empty = true;
        self.scan(prefix, prefix_end(prefix).as_deref(), |_, _| {
            empty = false;
            Ok(ControlFlow::Break(()))
        })?;
        Ok(empty)
    }

    /// Write all, and the position of the changelog after it, or nothing.
    pub fn write(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        self.entries.write(writes, position)
    }
}

/// Give the first key after all that begin with a prefix; None if there is none.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
