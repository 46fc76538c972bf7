//! The newest writes of a store, in memory: one value a key, however often it was written.

use std::collections::BTreeMap;
use std::ops::Bound;

/// What an entry takes beside its bytes: two fat pointers, its part of a node, and what allocators add.
const OVERHEAD: usize = 80;

#[derive(Default)]
pub struct Memtable {
    entries: BTreeMap<Box<[u8]>, Option<Box<[u8]>>>,
    bytes: usize,
}

impl Memtable {
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let Some(old) = self.entries.get_mut(key) else {
            self.bytes += key.len() + value.map_or(0, <[u8]>::len) + OVERHEAD;
            self.entries.insert(key.into(), value.map(Into::into));
            return;
        };
        match (old, value) {
            // Most values of a store are equally long: no allocation.
            (Some(old), Some(value)) if old.len() == value.len() => old.copy_from_slice(value),
            (old, value) => {
                self.bytes -= old.as_ref().map_or(0, |old| old.len());
                self.bytes += value.map_or(0, <[u8]>::len);
                *old = value.map(Into::into);
            }
        }
    }

    /// Give what is known of a key: None nothing, Some(None) that it was deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.entries.get(key).map(Option::as_deref)
    }

    /// Walk the keys with `from <= key < to`.
    pub fn range(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        let end = match to {
            // A range that ends before it begins has nothing; the map would panic.
            Some(to) => Bound::Excluded(to.max(from)),
            None => Bound::Unbounded,
        };
        self.entries
            .range::<[u8], _>((Bound::Included(from), end))
            .map(|(key, value)| (&**key, value.as_deref()))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.entries
            .iter()
            .map(|(key, value)| (&**key, value.as_deref()))
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
