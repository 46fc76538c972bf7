//! Values by how often they are there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use xxhash_rust::xxh3::xxh3_128;

use super::bytes::{Reader, damaged, put, put_bytes, put_len};
use crate::error::Result;
use crate::members::MemberWrites;

/// Sortable bytes of values, each with a count that is never 0.
///
/// A count may be negative for a while: where changes come out of order, a value can be taken away before it is added.
///
/// A small set lies in the entry of its group. Once it is large (`divide`) it is *divided*: each value is a member of the
/// group's entry, so that a change costs one small write, however many values there are.
#[derive(Debug, Default)]
pub struct Multiset {
    counts: BTreeMap<Box<[u8]>, i64>,
    present: i64,
    /// Bytes of the values alone.
    bytes: usize,
    divided: Option<Box<Divided>>,
}

/// What a divided set knows of the store.
#[derive(Debug)]
enum Divided {
    /// Nothing of this set is there; whatever stands in its place is of another.
    New,
    /// The values whose counts differ from those in the store, each with whether the store has it.
    Changed(BTreeMap<Box<[u8]>, bool>),
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
/// In place of the number of values: they are members.
const ELSEWHERE: i64 = -1;
/// First byte of a member: the value follows, or stands behind the count and its hash follows.
const SHORT: u8 = 0;
const LONG: u8 = 1;
/// Keys of a store are shorter than 64 KiB. Two of 2^32 long values have the same hash once in 2^65 groups.
const LONGEST_SHORT: usize = 1024;

/// A copy is a set of its own: the members stay those of the original.
impl Clone for Multiset {
    fn clone(&self) -> Self {
        Self {
            counts: self.counts.clone(),
            present: self.present,
            bytes: self.bytes,
            divided: None,
        }
    }
}

impl PartialEq for Multiset {
    fn eq(&self, other: &Self) -> bool {
        self.counts == other.counts
    }
}

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
                self.bytes += value.len();
                self.counts.insert(value.into(), by);
            }
            (0, by)
        };
        if after == 0 && before != 0 {
            self.counts.remove(value);
            self.bytes -= value.len();
        }
        if let Some(Divided::Changed(changed)) = self.divided.as_deref_mut()
            && before != after
            && !changed.contains_key(value)
        {
            changed.insert(value.into(), before != 0);
        }
        let change = match (before > 0, after > 0) {
            (false, true) => Change::Came,
            (true, false) => Change::Went,
            _ => Change::None,
        };
        self.present += i64::from(change == Change::Came) - i64::from(change == Change::Went);
        change
    }

    /// Make the count of a value at most so much; of a value that is not there, exactly so much.
    pub fn lower(&mut self, value: &[u8], to: i64) {
        let count = self.counts.get(value).copied();
        self.change(value, count.map_or(to, |count| to.min(count) - count));
    }

    /// Say whether a value has a count.
    pub fn contains(&self, value: &[u8]) -> bool {
        self.counts.contains_key(value)
    }

    /// Remove a value.
    pub fn remove(&mut self, value: &[u8]) {
        let count = self.counts.get(value).copied().unwrap_or(0);
        self.change(value, -count);
    }

    /// How many different values are there.
    pub fn present(&self) -> i64 {
        self.present
    }

    /// Walk the values that are there and their counts, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], i64)> {
        self.all().filter(|(_, count)| *count > 0)
    }

    /// Walk all values with their counts, also the negative ones, ascending.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = (&[u8], i64)> {
        self.counts.iter().map(|(value, count)| (&**value, *count))
    }

    /// Give the values by their counts; equal counts: ascending by value.
    pub fn by_count(&self, descending: bool) -> Vec<&[u8]> {
        let mut values: Vec<_> = self.iter().collect();
        values.sort_by_key(|(_, count)| if descending { -count } else { *count }); // stable
        values.into_iter().map(|(value, _)| value).collect()
    }

    /// How many bytes it takes in memory beside its own `size_of`.
    pub fn size(&self) -> usize {
        self.bytes + self.counts.len() * ENTRY
    }

    // -- In the store

    /// Divide a set whose values take more than so many bytes in the entry of its group.
    pub fn divide(&mut self, limit: usize) {
        let bytes = self.bytes + 2 * self.counts.len(); // a length and a count, as short as they can be
        if bytes > limit && self.divided.is_none() {
            self.divided = Some(Box::new(Divided::New));
        }
    }

    pub fn is_divided(&self) -> bool {
        self.divided.is_some()
    }

    /// Give the members that have changed, under a prefix of their own.
    pub fn members(&self, prefix: &[u8], writes: &mut MemberWrites) {
        match self.divided.as_deref() {
            None => writes.clear(prefix),
            Some(Divided::New) => {
                writes.clear(prefix);
                for (value, count) in &self.counts {
                    write(prefix, value, Some(*count), writes);
                }
            }
            Some(Divided::Changed(changed)) => {
                for (value, is_stored) in changed {
                    let count = self.counts.get(value).copied();
                    if count.is_some() || *is_stored {
                        write(prefix, value, count, writes);
                    }
                }
            }
        }
    }

    /// All members are in the store.
    pub fn settle(&mut self) {
        if let Some(divided) = &mut self.divided {
            **divided = Divided::Changed(BTreeMap::new());
        }
    }

    /// Take in a member that the store has; the suffix is what stands behind the prefix.
    pub fn admit(&mut self, suffix: &[u8], bytes: &[u8]) -> Result<()> {
        let (kind, rest) = suffix.split_first().ok_or_else(damaged)?;
        let mut reader = Reader::new(bytes);
        let count = reader.int()?;
        let value = match *kind {
            SHORT => rest,
            LONG => reader.rest(),
            _ => return Err(damaged()),
        };
        self.insert(value, count)
    }

    fn insert(&mut self, value: &[u8], count: i64) -> Result<()> {
        let Entry::Vacant(entry) = self.counts.entry(value.into()) else {
            return Err(damaged());
        };
        if count == 0 {
            return Err(damaged());
        }
        entry.insert(count);
        self.bytes += value.len();
        self.present += i64::from(count > 0);
        Ok(())
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        if self.is_divided() {
            return put(out, ELSEWHERE);
        }
        put_len(out, self.counts.len());
        for (value, count) in &self.counts {
            put_bytes(out, value);
            put(out, *count);
        }
    }

    /// Read what `encode` has written; the members of a divided set are still to be admitted.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let mut set = Self::default();
        if reader.peek_int()? == ELSEWHERE {
            reader.int()?;
            set.divided = Some(Box::new(Divided::Changed(BTreeMap::new())));
            return Ok(set);
        }
        for _ in 0..reader.len()? {
            let value = reader.bytes()?;
            let count = reader.int()?;
            set.insert(value, count)?;
        }
        Ok(set)
    }
}

fn write(prefix: &[u8], value: &[u8], count: Option<i64>, writes: &mut MemberWrites) {
    let mut bytes = Vec::new();
    if let Some(count) = count {
        put(&mut bytes, count);
    }
    let mut key = prefix.to_vec();
    if value.len() <= LONGEST_SHORT {
        key.push(SHORT);
        key.extend_from_slice(value);
    } else {
        key.push(LONG);
        key.extend_from_slice(&xxh3_128(value).to_be_bytes());
        bytes.extend_from_slice(value);
    }
    writes.put(&key, count.is_some().then_some(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::MemberWrite;

    fn set(values: &[(&[u8], i64)]) -> Multiset {
        let mut set = Multiset::default();
        for (value, by) in values {
            set.change(value, *by);
        }
        set
    }

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
        let set = set(&[(b"bb", 3), (b"", 1), (b"c", -2)]);
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        assert_eq!(Multiset::decode(&mut Reader::new(&bytes)).unwrap(), set);
        assert_eq!(set.by_count(true), [&b"bb"[..], b""]);
    }

    /// What a divided set writes, by key.
    fn written(set: &Multiset) -> Vec<MemberWrite> {
        let mut writes = MemberWrites::default();
        set.members(b"p", &mut writes);
        writes.puts
    }

    #[test]
    fn a_divided_set_writes_what_has_changed_and_comes_back() {
        let long = vec![7; 100_000];
        let mut set = set(&[(b"a", 1), (b"b", 2), (&long, 3)]);
        set.divide(1);
        let mut stored: BTreeMap<_, _> = written(&set).into_iter().collect();
        assert_eq!(stored.len(), 3);
        set.settle();
        assert_eq!(written(&set), []);
        set.change(b"a", -1);
        set.change(b"b", 1);
        set.change(b"c", 1);
        set.change(b"d", 1);
        set.change(b"d", -1);
        let changes = written(&set);
        assert_eq!(changes.len(), 3);
        for (key, value) in changes {
            match value {
                Some(value) => drop(stored.insert(key, Some(value))),
                None => drop(stored.remove(&key).unwrap()),
            }
        }
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        assert_eq!(bytes.len(), 1);
        let mut read = Multiset::decode(&mut Reader::new(&bytes)).unwrap();
        for (key, value) in stored {
            assert!(key.len() < 1_100);
            read.admit(&key[1..], &value.unwrap()).unwrap();
        }
        assert_eq!((&read, read.present(), read.size()), (&set, 3, set.size()));
        assert!(read.is_divided() && !read.clone().is_divided());
    }
}
