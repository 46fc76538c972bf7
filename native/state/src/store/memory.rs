//! Stores that live as long as the object: the slow and simple twin of the stores on disk.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Backend, Entries, Visit, Write};
use crate::error::Result;

#[derive(Default)]
pub struct Memory {
    stores: RwLock<BTreeMap<String, (String, Arc<MemoryStore>)>>,
}

#[derive(Default)]
struct MemoryStore {
    content: RwLock<Content>,
}

#[derive(Default)]
struct Content {
    entries: BTreeMap<Box<[u8]>, Box<[u8]>>,
    position: Option<i64>,
}

/// A thread that panicked while it held a lock has changed nothing by half: every change is one call of a map.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Memory {
    fn names(&self) -> Result<Vec<String>> {
        Ok(read(&self.stores).keys().cloned().collect())
    }

    fn fingerprint(&self, store: &str) -> Result<Option<String>> {
        Ok(read(&self.stores)
            .get(store)
            .map(|(fingerprint, _)| fingerprint.clone()))
    }

    fn begin(&self, store: &str, fingerprint: &str) -> Result<()> {
        write(&self.stores).insert(
            store.to_owned(),
            (fingerprint.to_owned(), Arc::new(MemoryStore::default())),
        );
        Ok(())
    }

    fn open(&self, store: &str) -> Result<Option<Arc<dyn Entries>>> {
        Ok(read(&self.stores)
            .get(store)
            .map(|(_, store)| Arc::clone(store) as Arc<dyn Entries>))
    }
}

impl Entries for MemoryStore {
    fn position(&self) -> Result<Option<i64>> {
        Ok(read(&self.content).position)
    }

    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = read(&self.content).entries.get(key) {
            found(value);
        }
        Ok(())
    }

    fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        let content = read(&self.content);
        for (key, value) in content
            .entries
            .range::<[u8], _>((Bound::Included(from), end))
        {
            if visit(key, value)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn write(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        let mut content = write(&self.content);
        for (key, value) in writes {
            match value {
                Some(value) => content.entries.insert(key.into(), value.into()),
                None => content.entries.remove(key),
            };
        }
        content.position = Some(position);
        Ok(())
    }
}
