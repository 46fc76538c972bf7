//! The newest writes of a store, in memory: one value a key, however often it was written.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::small_bytes::SmallBytes;

type Value = Option<SmallBytes>;

/// What an entry takes beside the bytes that do not lie in it: its part of a node, which is two thirds full on the average.
const ENTRY: usize = (size_of::<SmallBytes>() + size_of::<Value>()) * 3 / 2;

/// Short keys and values lie in the nodes themselves: to follow a pointer for each comparison would be most of a write's time.
#[derive(Default)]
pub struct Memtable {
    entries: BTreeMap<SmallBytes, Value>,
    bytes: usize,
}

impl Memtable {
    pub fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let value = value.map(SmallBytes::new);
        self.bytes += heap(&value);
        if let Some(old) = self.entries.get_mut(key) {
            self.bytes -= heap(old);
            *old = value;
            return;
        }
        let key = SmallBytes::new(key);
        self.bytes += ENTRY + key.heap();
        self.entries.insert(key, value);
    }

    /// Give what is known of a key: None nothing, Some(None) that it was deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.entries.get(key).map(slice)
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
            .map(|(key, value)| (key.bytes(), slice(value)))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.entries
            .iter()
            .map(|(key, value)| (key.bytes(), slice(value)))
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn slice(value: &Value) -> Option<&[u8]> {
    value.as_ref().map(SmallBytes::bytes)
}

fn heap(value: &Value) -> usize {
    value.as_ref().map_or(0, SmallBytes::heap)
}
