//! Values by how often they are there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::bytes::{Reader, put, put_bytes, put_len};
use crate::error::Result;

/// Sortable bytes of values, each with a count that is never 0.
///
/// A count may be negative for a while: where changes come out of order, a value can be taken away before it is added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Multiset {
    counts: BTreeMap<Box<[u8]>, i64>,
    present: i64,
    size: usize,
}

/// What a change did to the presence of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Came,
    Went,
    None,
}

/// A rough count of bytes of an entry of the map beside the value itself: pointer and length, count, a share of the node,
/// and what the allocator rounds up.
const ENTRY: usize = 16 + 8 + 12 + 12;

impl Multiset {
    /// Add to the count of a value.
    pub fn change(&mut self, value: &[u8], by: i64) -> Change {
        // Looked up by reference first: most values of most sets are there already, and need no allocation.
        let (before, after) = if let Some(count) = self.counts.get_mut(value) {
            let before = *count;
            *count += by;
            (before, before + by)
        } else {
            if by != 0 {
                self.size += value.len() + ENTRY;
                self.counts.insert(value.into(), by);
            }
            (0, by)
        };
        if after == 0 && before != 0 {
            self.counts.remove(value);
            self.size -= value.len() + ENTRY;
        }
        let change = match (before > 0, after > 0) {
            (false, true) => Change::Came,
            (true, false) => Change::Went,
            _ => Change::None,
        };
        self.present += i64::from(change == Change::Came) - i64::from(change == Change::Went);
        change
    }

    /// Give a value the next place in the order of arrival, unless it has one.
    pub fn arrive(&mut self, value: &[u8]) {
        if !self.counts.contains_key(value) {
            self.change(value, self.present + 1);
        }
    }

    /// How many different values are there.
    pub fn present(&self) -> i64 {
        self.present
    }

    /// Walk the values that are there and their counts, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], i64)> {
        self.counts
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(value, count)| (&**value, *count))
    }

    /// Walk all values with their counts, also the negative ones.
    pub fn all(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.counts.iter().map(|(value, count)| (&**value, *count))
    }

    /// Give the values by their counts; equal counts: ascending by value.
    pub fn by_count(&self, descending: bool) -> Vec<&[u8]> {
        let mut values: Vec<_> = self.iter().collect();
        values.sort_by_key(|(_, count)| if descending { -count } else { *count }); // stable
        values.into_iter().map(|(value, _)| value).collect()
    }

    pub fn size(&self) -> usize {
        self.size
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        put_len(out, self.counts.len());
        for (value, count) in &self.counts {
            put_bytes(out, value);
            put(out, *count);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let mut set = Self::default();
        for _ in 0..reader.len()? {
            let value = reader.bytes()?;
            let count = reader.int()?;
            if let Entry::Vacant(entry) = set.counts.entry(value.into()) {
                entry.insert(count);
                set.size += value.len() + ENTRY;
                set.present += i64::from(count > 0);
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_goes_with_its_last_copy() {
        let mut set = Multiset::default();
        assert_eq!(set.change(b"a", 1), Change::Came);
        assert_eq!(set.change(b"a", 1), Change::None);
        assert_eq!(set.change(b"a", -1), Change::None);
        assert_eq!(set.change(b"a", -1), Change::Went);
        assert_eq!(set, Multiset::default());
    }

    #[test]
    fn taken_away_before_it_came() {
        let mut set = Multiset::default();
        assert_eq!(set.change(b"a", -1), Change::None);
        assert_eq!((set.present(), set.iter().count()), (0, 0));
        assert_eq!(set.change(b"a", 1), Change::None);
        assert_eq!(set.size(), 0);
    }

    #[test]
    fn bytes_and_back() {
        let mut set = Multiset::default();
        for (value, by) in [(&b"bb"[..], 3), (b"", 1), (b"c", -2)] {
            set.change(value, by);
        }
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        assert_eq!(Multiset::decode(&mut Reader::new(&bytes)).unwrap(), set);
        assert_eq!(set.by_count(true), [&b"bb"[..], b""]);
    }
}
