//! Groups of rows by key, each row an entry of the store: so a change of one row is one small write, however large its group.
//!
//! A group is in memory whole, in the order of its entries, or not at all. An entry is a *suffix*, which tells it apart in its
//! group and gives the order, and a value. Its key in the store is the prefix of the table, the key of the group, the suffix.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hashbrown::HashTable;

use crate::changes::Changes;
use crate::error::Result;
use crate::rows::hash;
use crate::slab::Slab;
use crate::store::{Store, prefix_end};
use crate::tasks::{Part, PartStats};

type Entry = (Box<[u8]>, Box<[u8]>);
type Tree = BTreeMap<Box<[u8]>, Box<[u8]>>;

/// The entries of a group by suffix. Most groups are small, and then a vector is smaller and faster than a tree.
#[derive(Default)]
pub struct Entries {
    few: Vec<Entry>,
    /// All entries, once there are more than [`MOST_FEW`].
    many: Option<Box<Tree>>,
}

const MOST_FEW: usize = 64;
/// Bytes that an entry takes beside those of its suffix and value, about.
const ENTRY_BYTES: usize = size_of::<Entry>() + 16;
/// Bytes that a group takes beside those of its key and entries, about.
const GROUP_BYTES: usize = size_of::<Group>() + 8;

impl Entries {
    pub fn len(&self) -> usize {
        self.many.as_ref().map_or(self.few.len(), |many| many.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, suffix: &[u8]) -> Option<&[u8]> {
        match &self.many {
            Some(many) => many.get(suffix).map(AsRef::as_ref),
            None => {
                let place = self.place(suffix).ok()?;
                Some(&self.few[place].1)
            }
        }
    }

    /// Give suffixes and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.from(&[])
    }

    /// As `iter`, from the first entry that is not before `suffix`.
    pub fn from(&self, suffix: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let few = self.place(suffix).unwrap_or_else(|place| place);
        let few = self.few[few..]
            .iter()
            .map(|(suffix, value)| (suffix, value));
        let many = self.many.iter().flat_map(move |many| {
            many.range::<[u8], _>((
                std::ops::Bound::Included(suffix),
                std::ops::Bound::Unbounded,
            ))
        });
        // One of the two is always empty.
        few.chain(many)
            .map(|(suffix, value)| (suffix.as_ref(), value.as_ref()))
    }

    /// Give the last entry that is before `suffix`.
    pub fn before(&self, suffix: &[u8]) -> Option<(&[u8], &[u8])> {
        let (suffix, value) = match &self.many {
            Some(many) => many
                .range::<[u8], _>((
                    std::ops::Bound::Unbounded,
                    std::ops::Bound::Excluded(suffix),
                ))
                .next_back()?,
            None => {
                let place = self.place(suffix).unwrap_or_else(|place| place);
                let (suffix, value) = self.few[..place].last()?;
                (suffix, value)
            }
        };
        Some((suffix, value))
    }

    pub fn last(&self) -> Option<(&[u8], &[u8])> {
        let (suffix, value) = match &self.many {
            Some(many) => many.last_key_value()?,
            None => self.few.last().map(|(suffix, value)| (suffix, value))?,
        };
        Some((suffix, value))
    }

    fn place(&self, suffix: &[u8]) -> std::result::Result<usize, usize> {
        self.few
            .binary_search_by(|(other, _)| other.as_ref().cmp(suffix))
    }

    fn insert(&mut self, suffix: Box<[u8]>, value: Box<[u8]>) -> Option<Box<[u8]>> {
        if let Some(many) = &mut self.many {
            return many.insert(suffix, value);
        }
        match self.place(&suffix) {
            Ok(place) => return Some(std::mem::replace(&mut self.few[place].1, value)),
            Err(place) => {
                if self.few.is_empty() {
                    self.few.reserve_exact(1);
                }
                self.few.insert(place, (suffix, value));
            }
        }
        if self.few.len() > MOST_FEW {
            self.many = Some(Box::new(
                std::mem::take(&mut self.few).into_iter().collect(),
            ));
        }
        None
    }

    fn remove(&mut self, suffix: &[u8]) -> Option<Entry> {
        match &mut self.many {
            Some(many) => many.remove_entry(suffix),
            None => {
                let place = self.place(suffix).ok()?;
                Some(self.few.remove(place))
            }
        }
    }

    fn bytes(&self) -> usize {
        self.iter()
            .map(|(suffix, value)| suffix.len() + value.len() + ENTRY_BYTES)
            .sum()
    }
}

struct Group {
    key: Box<[u8]>,
    entries: Entries,
    /// Looked at since the clock's hand last came by.
    used: bool,
    free: bool,
}

/// A change of an entry since the last commit.
struct Write {
    /// In the store.
    key: Box<[u8]>,
    value: Option<Box<[u8]>>,
    /// Whether the store has the entry.
    stored: bool,
}

/// The place of a group in memory; valid until the next commit or rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupId(u32);

/// Groups of rows over a part of a store.
pub struct Groups {
    store: Store,
    prefix: Box<[u8]>,
    index: HashTable<u32>,
    groups: Slab<Group>,
    /// In order of first change.
    writes: Vec<Write>,
    /// Places in `writes` by key.
    written: HashTable<u32>,
    /// Groups that may be empty.
    emptied: Vec<GroupId>,
    /// Whether groups that are not in memory have no entries.
    complete: bool,
    entries: usize,
    bytes: usize,
    hand: u32,
    hits: u64,
    misses: u64,
}

impl Groups {
    /// Open the groups of all keys of the store that begin with `prefix`.
    pub fn open(store: &Store, prefix: &[u8]) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            prefix: prefix.into(),
            index: HashTable::new(),
            groups: Slab::default(),
            writes: Vec::new(),
            written: HashTable::new(),
            emptied: Vec::new(),
            complete: store.is_empty(prefix)?,
            entries: 0,
            bytes: 0,
            hand: 0,
            hits: 0,
            misses: 0,
        })
    }

    /// Give the group of a key, which may be empty.
    pub fn group(&mut self, key: &[u8], hash: u64) -> Result<GroupId> {
        if let Some(group) = self.find(key, hash)? {
            return Ok(group);
        }
        let group = self.admit(key, hash, Entries::default());
        self.emptied.push(group);
        Ok(group)
    }

    /// Give the group of a key if it has entries, or is in memory anyway.
    pub fn find(&mut self, key: &[u8], hash: u64) -> Result<Option<GroupId>> {
        let groups = &self.groups;
        if let Some(found) = self
            .index
            .find(hash, |number| groups.get(*number).key.as_ref() == key)
        {
            let group = GroupId(*found);
            self.groups.get_mut(group.0).used = true;
            self.hits += 1;
            return Ok(Some(group));
        }
        if self.complete {
            return Ok(None);
        }
        self.misses += 1;
        let entries = self.load(key)?;
        Ok((!entries.is_empty()).then(|| self.admit(key, hash, entries)))
    }

    /// The entries of a group.
    pub fn entries(&self, group: GroupId) -> &Entries {
        &self.groups.get(group.0).entries
    }

    /// Add an entry, or give it another value.
    pub fn put(&mut self, group: GroupId, suffix: &[u8], value: &[u8]) {
        let found = self.groups.get_mut(group.0);
        let old = found.entries.insert(suffix.into(), value.into());
        match &old {
            Some(old) => self.bytes -= old.len(),
            None => {
                self.entries += 1;
                self.bytes += suffix.len() + ENTRY_BYTES;
            }
        }
        self.bytes += value.len();
        self.write(group, suffix, Some(value.into()), old.is_some());
    }

    /// Remove an entry; nothing happens if it is not there.
    pub fn remove(&mut self, group: GroupId, suffix: &[u8]) {
        let found = self.groups.get_mut(group.0);
        let Some((suffix, value)) = found.entries.remove(suffix) else {
            return;
        };
        if found.entries.is_empty() {
            self.emptied.push(group);
        }
        self.entries -= 1;
        self.bytes -= suffix.len() + value.len() + ENTRY_BYTES;
        self.write(group, &suffix, None, true);
    }

    /// Note a change for the next commit. `existed`: the entry was there before this change.
    fn write(&mut self, group: GroupId, suffix: &[u8], value: Option<Box<[u8]>>, existed: bool) {
        let key = [&self.prefix, self.groups.get(group.0).key.as_ref(), suffix].concat();
        let hashed = hash(&key);
        let writes = &mut self.writes;
        let found = self
            .written
            .find(hashed, |place| *writes[*place as usize].key == *key);
        if let Some(place) = found {
            writes[*place as usize].value = value;
            return;
        }
        let place = writes.len() as u32;
        writes.push(Write {
            key: key.into_boxed_slice(),
            value,
            stored: existed,
        });
        self.written
            .insert_unique(hashed, place, |place| hash(&writes[*place as usize].key));
    }

    /// Read a group from the store.
    fn load(&self, key: &[u8]) -> Result<Entries> {
        let low = [&self.prefix, key].concat();
        let mut entries = Entries::default();
        self.store
            .scan(&low, prefix_end(&low).as_deref(), |key, value| {
                entries.insert(key[low.len()..].into(), value.into());
                Ok(ControlFlow::Continue(()))
            })?;
        Ok(entries)
    }

    fn admit(&mut self, key: &[u8], hash: u64, entries: Entries) -> GroupId {
        self.entries += entries.len();
        self.bytes += GROUP_BYTES + key.len() + entries.bytes();
        let number = self.groups.insert(Group {
            key: key.into(),
            entries,
            used: true,
            free: false,
        });
        let groups = &self.groups;
        self.index.insert_unique(hash, number, |number| {
            crate::rows::hash(&groups.get(*number).key)
        });
        GroupId(number)
    }

    fn forget(&mut self, group: GroupId) {
        let found = self.groups.get_mut(group.0);
        let hash = hash(&found.key);
        let gone = std::mem::replace(
            found,
            Group {
                key: Box::default(),
                entries: Entries::default(),
                used: false,
                free: true,
            },
        );
        if let Ok(found) = self.index.find_entry(hash, |number| *number == group.0) {
            found.remove();
        }
        self.groups.release(group.0);
        self.entries -= gone.entries.len();
        self.bytes -= GROUP_BYTES + gone.key.len() + gone.entries.bytes();
    }
}

impl Part for Groups {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        for write in &self.writes {
            // What came and went between two commits was never anywhere.
            if write.value.is_some() || write.stored {
                changes.push(&write.key, write.value.as_deref(), None)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.writes.clear();
        self.written.clear();
        for group in std::mem::take(&mut self.emptied) {
            let found = self.groups.get(group.0);
            if !found.free && found.entries.is_empty() {
                self.forget(group);
            }
        }
    }

    /// Rare: so all groups go, and are read again as they are asked for.
    fn rollback(&mut self) -> Result<()> {
        let fresh = Self::open(&self.store, &self.prefix)?;
        let (hits, misses) = (self.hits, self.misses);
        *self = Self {
            hits,
            misses,
            ..fresh
        };
        Ok(())
    }

    /// A group goes when the clock's hand meets it and it was not used since the hand last came by.
    fn shrink(&mut self, bytes: usize) {
        let numbers = self.groups.numbers();
        for _ in 0..2 * u64::from(numbers) {
            if self.bytes <= bytes {
                break;
            }
            self.hand = (self.hand + 1) % numbers;
            let group = self.groups.get_mut(self.hand);
            if group.used {
                group.used = false;
            } else if !group.free {
                self.forget(GroupId(self.hand));
                self.complete = false;
            }
        }
    }

    /// The bytes that changes wait in are told only as those of entries: after a commit there are none.
    fn stats(&self) -> PartStats {
        PartStats {
            entries: self.entries,
            clean_bytes: self.bytes,
            bytes: self.bytes,
            hits: self.hits,
            misses: self.misses,
        }
    }
}
