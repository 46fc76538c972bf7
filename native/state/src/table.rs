//! The entries of a kernel in one task: a hash table of typed values over a part of the task's store.
//!
//! # How to use it
//!
//! ```text
//! let mut groups = StateTable::open(&store, b"g", codec)?;         // per task
//!
//! let slot = groups.slot(keys.key(row), keys.hash(row))?;          // per row: hash once, one probe
//! if groups.touch(slot) { /* first change since the commit: `get` is still what was committed */ }
//! groups.edit(slot).get_or_insert_with(Group::default).count += 1;
//!
//! for slot in groups.changed() { … groups.key(*slot), groups.get(*slot) … }   // at flush, in order of first touch
//! ```
//!
//! The rest – `collect`, `settle`, `rollback`, `shrink` – is [`Part`], which [`crate::tasks::Tasks`] calls at commits.
//!
//! # What it holds
//!
//! An entry is *changed* from the first `touch` or `edit` until the commit, else *clean*: then it is what the store holds.
//! Changed entries stay in memory, clean ones may be dropped after a commit and are read from the store when asked for again.
//! A key without a value is an entry too while somebody looks at it: `slot` gives one for any key.
//!
//! A [`Slot`] is valid until the next commit or rollback. So slots can be kept for the rows of a batch, to update a column at
//! a time.
//!
//! A table is *complete* while all its entries are in memory: it has been so from the beginning, or was loaded whole. Then
//! no key that is missing is looked for in the store.
//!
//! # Keys
//!
//! The key in the store is the prefix of the table and then the key's bytes; `scan` goes by their order. Several tables may
//! share a store if no prefix is the beginning of another; none begins with a zero byte (our own entries do). A table may be
//! opened for a part of a larger one (the prefix and more), as long as only one of them is used at a time. Opening a table
//! costs one look into the store.
//!
//! # Members
//!
//! A value may be large where only a bit of it changes at a time: a set of values, the sessions of a key. A codec may keep such
//! parts as *members*, entries of their own: the prefix of the table with its first letter as a capital, the key of the entry,
//! and a suffix that says which member it is. In memory a value is whole or not there at all.
//!
//! What is removed goes to the changelog as tombstones. Retention alone would leave a whole day of dead windows to be
//! read by a restore, and the store on disk would differ from one that was restored.

use std::ops::ControlFlow;

use hashbrown::HashTable;

use crate::changes::Changes;
pub use crate::codec::{Bytes, Codec, read};
use crate::codec::{members_of, read_members};
use crate::error::Result;
use crate::members::MemberWrites;
use crate::rows::hash;
use crate::slab::Slab;
use crate::small_bytes::SmallBytes;
use crate::store::{Store, prefix_end};
use crate::tasks::{Part, PartStats};

/// The place of an entry in memory; valid until the next commit or rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(u32);

impl Slot {
    /// A small number of its own, to note things beside the table.
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

const CHANGED: u8 = 1;
/// The store has a value for the key.
const STORED: u8 = 2;
/// Looked at since the clock's hand last came by.
const USED: u8 = 4;
/// No entry is here.
const FREE: u8 = 8;
/// The store has members of the entry.
const MEMBERS: u8 = 16;

/// Bytes an entry takes in the index: a number and a byte, at a load between a half and seven eighths.
const INDEX_BYTES: usize = 8;

struct Entry<V> {
    key: SmallBytes,
    value: Option<V>,
    flags: u8,
}

/// A hash table of typed values over a part of a store.
pub struct StateTable<C: Codec> {
    codec: C,
    store: Store,
    prefix: Box<[u8]>,
    index: HashTable<u32>,
    entries: Slab<Entry<C::Value>>,
    /// In order of first touch.
    changed: Vec<Slot>,
    /// Entries that had no value when they were made; they go at the next commit if nobody gave them one.
    vacant: Vec<Slot>,
    complete: bool,
    /// Bytes of the clean entries.
    clean_bytes: usize,
    /// Where the search for entries to drop goes on.
    hand: u32,
    hits: u64,
    misses: u64,
    /// For keys with the prefix before them, and for bytes of values.
    scratch: Vec<u8>,
}

impl<C: Codec> StateTable<C> {
    /// Open the table of all keys of the store that begin with `prefix`.
    pub fn open(store: &Store, prefix: &[u8], codec: C) -> Result<Self> {
        Ok(Self {
            codec,
            store: store.clone(),
            prefix: prefix.into(),
            index: HashTable::new(),
            entries: Slab::default(),
            changed: Vec::new(),
            vacant: Vec::new(),
            complete: store.is_empty(prefix)?,
            clean_bytes: 0,
            hand: 0,
            hits: 0,
            misses: 0,
            scratch: Vec::new(),
        })
    }

    pub fn codec(&self) -> &C {
        &self.codec
    }

    /// Give the entry of a key, read from the store if need be; one without a value if there is none.
    ///
    /// Args:
    /// - `hash`: [`crate::rows::hash`] of the key.
    pub fn slot(&mut self, key: &[u8], hash: u64) -> Result<Slot> {
        if let Some(slot) = self.resident(key, hash) {
            return Ok(slot);
        }
        if let Some(slot) = self.load(key, hash)? {
            return Ok(slot);
        }
        let slot = self.insert(key, hash, None, 0);
        self.vacant.push(slot);
        Ok(slot)
    }

    /// Give the entry of a key if it has a value. For reading: leaves nothing behind for keys that have none.
    pub fn find(&mut self, key: &[u8], hash: u64) -> Result<Option<Slot>> {
        let slot = match self.resident(key, hash) {
            Some(slot) => Some(slot),
            None => self.load(key, hash)?,
        };
        Ok(slot.filter(|slot| self.get(*slot).is_some()))
    }

    pub fn key(&self, slot: Slot) -> &[u8] {
        self.entries.get(slot.0).key.bytes()
    }

    pub fn get(&self, slot: Slot) -> Option<&C::Value> {
        self.entries.get(slot.0).value.as_ref()
    }

    /// Mark an entry changed; true if it was clean. Its value is then still that of the last commit.
    pub fn touch(&mut self, slot: Slot) -> bool {
        let entry = self.entries.get_mut(slot.0);
        let first = entry.flags & CHANGED == 0;
        if first {
            entry.flags |= CHANGED;
            self.changed.push(slot);
            if entry.value.is_some() {
                self.clean_bytes -= size(&self.codec, entry);
            }
        }
        first
    }

    /// Mark an entry changed and give its value to change, to fill in or, with None, to remove.
    pub fn edit(&mut self, slot: Slot) -> &mut Option<C::Value> {
        self.touch(slot);
        &mut self.entries.get_mut(slot.0).value
    }

    /// Give the entries that have changed since the last commit, those removed too, in order of first touch.
    pub fn changed(&self) -> &[Slot] {
        &self.changed
    }

    /// Give all entries with a value that are in memory, in no order worth relying on.
    pub fn resident_slots(&self) -> impl Iterator<Item = Slot> {
        (0..self.entries.numbers())
            .filter(|number| self.entries.get(*number).value.is_some())
            .map(Slot)
    }

    /// Whether all entries are in memory.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Give the entries with `from <= key < to` that have a value, in the order of their keys; loads what is not in memory.
    ///
    /// Costs a walk over this part of the store and one over all changed entries.
    pub fn scan(&mut self, from: &[u8], to: Option<&[u8]>) -> Result<Vec<Slot>> {
        let (mut slots, mut in_parts) = (Vec::new(), Vec::new());
        let low = [&self.prefix, from].concat();
        let high = match to {
            Some(to) => Some([&self.prefix, to].concat()),
            None => prefix_end(&self.prefix),
        };
        let (store, skip) = (self.store.clone(), self.prefix.len());
        store.scan(&low, high.as_deref(), |key, value| {
            let key = &key[skip..];
            let hash = hash(key);
            if let Some(slot) = self.resident(key, hash) {
                slots.push(slot);
                return Ok(ControlFlow::Continue(()));
            }
            let value = self.codec.decode(value)?;
            if self.codec.has_members(&value) {
                in_parts.push((Box::<[u8]>::from(key), value));
            } else {
                slots.push(self.admit(key, hash, value, STORED));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        // Not while the walk goes on: a store is not asked from within.
        let mut unordered = !in_parts.is_empty();
        for (key, mut value) in in_parts {
            read_members(&self.codec, &store, &self.prefix, &key, &mut value)?;
            slots.push(self.admit(&key, hash(&key), value, STORED | MEMBERS));
        }
        slots.retain(|slot| self.get(*slot).is_some());
        // What the store has not got yet was not met above.
        let added = self.changed.iter().copied().filter(|slot| {
            let entry = self.entries.get(slot.0);
            let key = entry.key.bytes();
            entry.flags & STORED == 0
                && entry.value.is_some()
                && key >= from
                && to.is_none_or(|to| key < to)
        });
        let before = slots.len();
        slots.extend(added);
        unordered |= slots.len() > before;
        if unordered {
            slots.sort_by(|left, right| self.key(*left).cmp(self.key(*right)));
        }
        Ok(slots)
    }

    /// Load every entry; the table is complete afterwards.
    pub fn load_all(&mut self) -> Result<()> {
        if !self.complete {
            self.scan(&[], None)?;
            self.complete = true;
        }
        Ok(())
    }

    /// Give the entry of a key if it is in memory. To look at the keys of some rows before the rows are worked one by one:
    /// then the memory of all of them is waited for at once.
    pub fn resident(&mut self, key: &[u8], hash: u64) -> Option<Slot> {
        let found = *self
            .index
            .find(hash, |number| self.entries.get(*number).key.bytes() == key)?;
        self.entries.get_mut(found).flags |= USED;
        self.hits += 1;
        Some(Slot(found))
    }

    fn load(&mut self, key: &[u8], hash: u64) -> Result<Option<Slot>> {
        if self.complete {
            return Ok(None);
        }
        self.misses += 1;
        match self.stored(key)? {
            Some((value, flags)) => Ok(Some(self.admit(key, hash, value, flags | USED))),
            None => Ok(None),
        }
    }

    /// Read the value of a key from the store, and the flags of an entry that is so.
    fn stored(&mut self, key: &[u8]) -> Result<Option<(C::Value, u8)>> {
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.prefix);
        self.scratch.extend_from_slice(key);
        let codec = &self.codec;
        let found = self.store.get(&self.scratch, |bytes| codec.decode(bytes))?;
        let Some(mut value) = found.transpose()? else {
            return Ok(None);
        };
        if !codec.has_members(&value) {
            return Ok(Some((value, STORED)));
        }
        read_members(codec, &self.store, &self.prefix, key, &mut value)?;
        Ok(Some((value, STORED | MEMBERS)))
    }

    /// Take an entry of the store in that is not in memory.
    fn admit(&mut self, key: &[u8], hash: u64, value: C::Value, flags: u8) -> Slot {
        let slot = self.insert(key, hash, Some(value), flags);
        self.clean_bytes += size(&self.codec, self.entries.get(slot.0));
        slot
    }

    fn insert(&mut self, key: &[u8], hash: u64, value: Option<C::Value>, flags: u8) -> Slot {
        let number = self.entries.insert(Entry {
            key: SmallBytes::new(key),
            value,
            flags,
        });
        let entries = &self.entries;
        self.index.insert_unique(hash, number, |number| {
            crate::rows::hash(entries.get(*number).key.bytes())
        });
        Slot(number)
    }

    /// Forget an entry. Its bytes must not be counted any more.
    fn drop_entry(&mut self, slot: Slot) {
        let key = hash(self.key(slot));
        if let Ok(found) = self.index.find_entry(key, |number| *number == slot.0) {
            found.remove();
        }
        let entry = self.entries.get_mut(slot.0);
        *entry = Entry {
            key: SmallBytes::new(&[]),
            value: None,
            flags: FREE,
        };
        self.entries.release(slot.0);
    }

    fn drop_vacant(&mut self) {
        for slot in std::mem::take(&mut self.vacant) {
            let entry = self.entries.get(slot.0);
            if entry.value.is_none() && entry.flags & (CHANGED | FREE) == 0 {
                self.drop_entry(slot);
            }
        }
    }
}

/// Bytes that an entry takes, all in.
fn size<C: Codec>(codec: &C, entry: &Entry<C::Value>) -> usize {
    size_of::<Entry<C::Value>>()
        + INDEX_BYTES
        + entry.key.heap()
        + entry.value.as_ref().map_or(0, |value| codec.heap(value))
}

impl<C: Codec> Part for StateTable<C> {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        let (mut key_bytes, mut value_bytes) = (std::mem::take(&mut self.scratch), Vec::new());
        for slot in &self.changed {
            let entry = self.entries.get_mut(slot.0);
            if let Some(value) = &mut entry.value {
                self.codec.divide(value);
            }
            let key = entry.key.bytes();
            key_bytes.clear();
            key_bytes.extend_from_slice(&self.prefix);
            key_bytes.extend_from_slice(key);
            let timestamp = self.codec.timestamp(key, entry.value.as_ref());
            match &entry.value {
                Some(value) => {
                    value_bytes.clear();
                    self.codec.encode(value, &mut value_bytes);
                    changes.push(&key_bytes, Some(&value_bytes), timestamp)?;
                }
                // What came and went between two commits was never anywhere.
                None if entry.flags & STORED == 0 => {}
                None => changes.push(&key_bytes, None, timestamp)?,
            }
            let are_stored = entry.flags & MEMBERS != 0;
            if are_stored
                || (entry.value.as_ref()).is_some_and(|value| self.codec.has_members(value))
            {
                let mut writes = MemberWrites::default();
                match &entry.value {
                    Some(value) => self.codec.members(value, &mut writes),
                    None => writes.clear(&[]),
                }
                let members = members_of(&self.prefix, key);
                for (suffix, value) in writes.finish(&members, are_stored.then_some(&self.store))? {
                    let key = [&*members, &suffix].concat();
                    changes.push(&key, value.as_deref(), timestamp)?;
                }
            }
        }
        self.scratch = key_bytes;
        Ok(())
    }

    fn settle(&mut self) {
        for slot in std::mem::take(&mut self.changed) {
            let entry = self.entries.get_mut(slot.0);
            if let Some(value) = &mut entry.value {
                self.codec.settle(value);
                entry.flags = entry.flags & !(CHANGED | MEMBERS) | STORED;
                if self.codec.has_members(value) {
                    entry.flags |= MEMBERS;
                }
                self.clean_bytes += size(&self.codec, entry);
            } else {
                self.drop_entry(slot);
            }
        }
        self.drop_vacant();
    }

    fn rollback(&mut self) -> Result<()> {
        for slot in std::mem::take(&mut self.changed) {
            // A complete table stays complete.
            let stored = if self.complete && self.entries.get(slot.0).flags & STORED != 0 {
                let key = self.key(slot).to_vec();
                self.stored(&key)?
            } else {
                None
            };
            let Some((value, flags)) = stored else {
                self.drop_entry(slot);
                continue;
            };
            let entry = self.entries.get_mut(slot.0);
            entry.value = Some(value);
            entry.flags = flags;
            self.clean_bytes += size(&self.codec, entry);
        }
        self.drop_vacant();
        Ok(())
    }

    /// An entry goes when the clock's hand meets it and it was not used since the hand last came by.
    fn shrink(&mut self, bytes: usize) {
        let numbers = self.entries.numbers();
        // Two rounds: the first may only find that all were used.
        for _ in 0..2 * u64::from(numbers) {
            if self.clean_bytes <= bytes {
                break;
            }
            self.hand = (self.hand + 1) % numbers;
            let entry = self.entries.get_mut(self.hand);
            if entry.flags & (CHANGED | FREE) != 0 || entry.value.is_none() {
                continue;
            }
            if entry.flags & USED != 0 {
                entry.flags &= !USED;
                continue;
            }
            self.clean_bytes -= size(&self.codec, self.entries.get(self.hand));
            self.drop_entry(Slot(self.hand));
            self.complete = false;
        }
    }

    fn stats(&self) -> PartStats {
        let changed: usize = self
            .changed
            .iter()
            .map(|slot| size(&self.codec, self.entries.get(slot.0)))
            .sum();
        PartStats {
            entries: self.index.len(),
            clean_bytes: self.clean_bytes,
            bytes: self.clean_bytes + changed,
            hits: self.hits,
            misses: self.misses,
        }
    }
}
