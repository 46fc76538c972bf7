//! The rows of both streams that may still find partners, by join key.
//!
//! Each row is an entry of the store: prefix, bucket, join key, side, time, number → row. A *bucket* is a stretch of time, a
//! part of how long rows are kept: what is too old stands together at the beginning and goes away bucket by bucket, and the
//! rows of a key are found by looking into each bucket that is still of use.
//!
//! In memory the rows of a key are whole or not at all. Rows that came while the kernel was open are found in memory; only a key
//! that is not there may have rows in buckets of before that time, and costs a look into the store.
//!
//! The bytes of rows lie packed by bucket ([`super::arena`]); beside them a row takes 24 bytes.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use hashbrown::HashTable;

use super::arena::{Arena, RowPlace};
use super::bytes::{PREFIX, TAIL, head, read_entry_key, read_tail, tail};
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::kernels::queue::read_u64;
use crate::rows::hash;
use crate::slab::Slab;
use crate::small_bytes::SmallBytes;
use crate::store::{Store, prefix_end};
use crate::tasks::{Part, PartStats};

/// The number of the next row.
const NEXT: &[u8] = b"n";
/// How many buckets the time in which rows are kept is cut into.
const BUCKETS: i64 = 4;
/// Set in a row's offset: it comes out alone if it finds no partner in time, and has found none yet.
const UNMATCHED: u32 = 1 << 31;
/// Of what memory may take, rows that are too many leave so many hundredths, so that they are not moved at every commit.
const LEFT_PERCENT: usize = 75;
/// Bytes that the rows of a key take beside them and the key, about.
const GROUP_BYTES: usize = size_of::<Group>() + 32;
/// At least so many rows that are too old are removed at a commit.
const FEWEST_REMOVED: usize = 4096;
/// After so many looks into the store it is cheaper to read all rows at once,
const MANY_MISSES: u64 = 1000;
/// if there are not more than this.
const MOST_LOADED: usize = 1_000_000;

/// A row that waits for partners.
#[derive(Clone, Copy)]
pub struct Kept {
    pub time: i64,
    /// Rises with each row of the task.
    pub number: u64,
    segment: u32,
    /// In the segment; with `UNMATCHED`.
    offset: u32,
}

impl Kept {
    fn new(time: i64, number: u64, place: RowPlace, unmatched: bool) -> Self {
        Self {
            time,
            number,
            segment: place.segment,
            offset: place.offset | if unmatched { UNMATCHED } else { 0 },
        }
    }

    /// Say whether it has waited for its first partner until now; from now on it does not.
    pub fn take_unmatched(&mut self) -> bool {
        let unmatched = self.offset & UNMATCHED != 0;
        self.offset &= !UNMATCHED;
        unmatched
    }

    pub fn place(&self) -> RowPlace {
        RowPlace {
            segment: self.segment,
            offset: self.offset & !UNMATCHED,
        }
    }

    fn set_place(&mut self, place: RowPlace) {
        self.segment = place.segment;
        self.offset = place.offset | (self.offset & UNMATCHED);
    }
}

/// The rows of a key, of each side, by time and number.
struct Group {
    key: SmallBytes,
    sides: [Vec<Kept>; 2],
    /// The last bucket that was told to `buckets`.
    bucket: i64,
    /// Looked at since the clock's hand last came by.
    used: bool,
    free: bool,
}

impl Group {
    /// Bytes it takes beside its rows' own.
    fn bytes(&self) -> usize {
        let rows: usize = self.sides.iter().map(Vec::capacity).sum();
        GROUP_BYTES + self.key.heap() + rows * size_of::<Kept>()
    }
}

/// The place of the rows of a key in memory; valid until the next call that takes `&mut` and expires or commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupId(u32);

/// A row that came since the last commit. Unless its bucket is over, it and its group are in memory.
struct Added {
    group: u32,
    side: u8,
    bucket: i64,
    kept: Kept,
}

pub struct KeptRows {
    store: Store,
    /// Length of a bucket.
    width: i64,
    index: HashTable<u32>,
    groups: Slab<Group>,
    /// Which groups have rows in a bucket; some have not any more.
    buckets: BTreeMap<i64, Vec<u32>>,
    rows: Arena,
    added: Vec<Added>,
    /// Keys in the store of rows that are too old, to be removed by the next commit.
    removed: Vec<Box<[u8]>>,
    /// Where the search for such rows goes on.
    swept: Box<[u8]>,
    /// The first bucket that is of use.
    first: i64,
    /// Groups that are not in memory have no rows in this bucket and those after it.
    complete_from: i64,
    /// The last bucket that may have rows.
    last: i64,
    next: u64,
    committed_next: u64,
    count: usize,
    /// Of groups, without the bytes of rows.
    group_bytes: usize,
    /// Whether reading all rows at once was not tried yet.
    may_load_all: bool,
    hand: u32,
    hits: u64,
    misses: u64,
}

impl KeptRows {
    /// Args:
    /// - `keep`: how long a row may find partners.
    /// - `ahead`: how much later than stream time rows may stand.
    /// - `now`: the stream time that was last committed, None before anything was seen.
    pub fn open(store: &Store, keep: i64, ahead: i64, now: Option<i64>) -> Result<Self> {
        let width = (keep / BUCKETS).max(1);
        let next = match store.get(NEXT, read_u64)? {
            None => 0,
            Some(next) => next?,
        };
        let last = now.map_or(i64::MIN, |now| now.saturating_add(ahead).div_euclid(width));
        Ok(Self {
            store: store.clone(),
            width,
            index: HashTable::new(),
            groups: Slab::default(),
            buckets: BTreeMap::new(),
            rows: Arena::default(),
            added: Vec::new(),
            removed: Vec::new(),
            swept: PREFIX.into(),
            first: now.map_or(i64::MIN, |now| now.saturating_sub(keep).div_euclid(width)),
            complete_from: now.map_or(i64::MIN, |_| last.saturating_add(1)),
            last,
            next,
            committed_next: next,
            count: 0,
            group_bytes: 0,
            may_load_all: true,
            hand: 0,
            hits: 0,
            misses: 0,
        })
    }

    /// Whether `load_all` would help.
    pub fn wants_all(&self) -> bool {
        self.may_load_all && self.misses >= MANY_MISSES && self.complete_from > self.first
    }

    /// Read all rows that are of use, unless they are too many.
    ///
    /// Args:
    /// - `is_unmatched`: as for `group`; must not look into the store.
    pub fn load_all(
        &mut self,
        is_unmatched: impl Fn(usize, i64, u64) -> Result<bool>,
    ) -> Result<()> {
        self.may_load_all = false;
        let (store, from, to) = (
            self.store.clone(),
            head(self.first),
            head(self.complete_from),
        );
        let (mut count, mut fresh) = (0, HashSet::new());
        store.scan(&from, Some(&to), |entry, row| {
            count += 1;
            if count > MOST_LOADED {
                return Ok(ControlFlow::Break(()));
            }
            let (key, side, time, number) = read_entry_key(&entry[PREFIX.len()..])?;
            let hash = hash(key);
            let group = match self.resident(key, hash) {
                Some(group) if !fresh.contains(&group.0) => return Ok(ControlFlow::Continue(())),
                Some(group) => group,
                None => {
                    let group = self.admit(key, hash);
                    fresh.insert(group.0);
                    group
                }
            };
            let unmatched = is_unmatched(side, time, number)?;
            let bucket = time.div_euclid(self.width);
            let kept = Kept::new(time, number, self.rows.push(bucket, row), unmatched);
            self.insert(group, side, bucket, kept);
            Ok(ControlFlow::Continue(()))
        })?;
        if count > MOST_LOADED {
            // Of a key in memory all rows are.
            fresh
                .into_iter()
                .for_each(|group| self.forget(GroupId(group)));
            self.pack();
        } else {
            self.complete_from = i64::MIN;
        }
        Ok(())
    }

    /// Give the rows of a key; where there are none yet, a place for them.
    ///
    /// Args:
    /// - `is_unmatched`: tells of a row from the store, by side, time and number, whether it still has no partner.
    pub fn group(
        &mut self,
        key: &[u8],
        hash: u64,
        is_unmatched: impl Fn(usize, i64, u64) -> Result<bool>,
    ) -> Result<GroupId> {
        if let Some(group) = self.resident(key, hash) {
            self.groups.get_mut(group.0).used = true;
            self.hits += 1;
            return Ok(group);
        }
        let group = self.admit(key, hash);
        if self.complete_from > self.first {
            self.misses += 1;
            self.load(group, key, is_unmatched)?;
        }
        Ok(group)
    }

    fn admit(&mut self, key: &[u8], hash: u64) -> GroupId {
        let group = Group {
            key: SmallBytes::new(key),
            sides: [Vec::new(), Vec::new()],
            bucket: i64::MIN,
            used: true,
            free: false,
        };
        self.group_bytes += group.bytes();
        let number = self.groups.insert(group);
        let groups = &self.groups;
        self.index
            .insert_unique(hash, number, |number| hash_of(groups.get(*number)));
        GroupId(number)
    }

    fn resident(&self, key: &[u8], hash: u64) -> Option<GroupId> {
        let found = self
            .index
            .find(hash, |number| self.groups.get(*number).key.bytes() == key)?;
        Some(GroupId(*found))
    }

    /// Read the rows of a key that are in buckets of use.
    fn load(
        &mut self,
        group: GroupId,
        key: &[u8],
        is_unmatched: impl Fn(usize, i64, u64) -> Result<bool>,
    ) -> Result<()> {
        for bucket in self.first..self.complete_from {
            let low = [&head(bucket), key].concat();
            let mut found = Vec::new();
            self.store
                .scan(&low, prefix_end(&low).as_deref(), |key, row| {
                    found.push((read_tail(&key[low.len()..])?, Box::<[u8]>::from(row)));
                    Ok(ControlFlow::Continue(()))
                })?;
            for ((side, time, number), row) in found {
                let unmatched = is_unmatched(side, time, number)?;
                let kept = Kept::new(time, number, self.rows.push(bucket, &row), unmatched);
                self.insert(group, side, bucket, kept);
            }
        }
        Ok(())
    }

    /// Give the rows of one side, by time and then by arrival, and what has their bytes.
    pub fn side(&mut self, group: GroupId, side: usize) -> (&mut [Kept], &Arena) {
        let rows = &mut self.groups.get_mut(group.0).sides[side];
        (rows, &self.rows)
    }

    /// Give the next row its number.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Keep a row.
    ///
    /// Args:
    /// - `unmatched`: it comes out alone if it finds no partner in time, and has found none yet.
    pub fn add(
        &mut self,
        group: GroupId,
        side: usize,
        (time, number): (i64, u64),
        row: &[u8],
        unmatched: bool,
    ) {
        let bucket = time.div_euclid(self.width);
        self.last = self.last.max(bucket);
        let kept = Kept::new(time, number, self.rows.push(bucket, row), unmatched);
        self.added.push(Added {
            group: group.0,
            side: side as u8,
            bucket,
            kept,
        });
        self.insert(group, side, bucket, kept);
    }

    fn insert(&mut self, group: GroupId, side: usize, bucket: i64, kept: Kept) {
        let found = self.groups.get_mut(group.0);
        if found.bucket != bucket {
            found.bucket = bucket;
            self.buckets.entry(bucket).or_default().push(group.0);
        }
        self.count += 1;
        let rows = &mut found.sides[side];
        let place =
            rows.partition_point(|other| (other.time, other.number) < (kept.time, kept.number));
        let room = rows.capacity();
        if rows.len() == room {
            // By half: most keys have few rows, and there are many keys.
            rows.reserve_exact((room / 2).max(1));
            self.group_bytes += (rows.capacity() - room) * size_of::<Kept>();
        }
        rows.insert(place, kept);
    }

    /// Read one row, wherever it is.
    pub fn row(&self, key: &[u8], side: usize, time: i64, number: u64) -> Result<Box<[u8]>> {
        if let Some(group) = self.resident(key, hash(key)) {
            let rows = &self.groups.get(group.0).sides[side];
            if let Ok(place) =
                rows.binary_search_by_key(&(time, number), |row| (row.time, row.number))
            {
                return Ok(self.rows.get(rows[place].place()).into());
            }
        }
        let bucket = time.div_euclid(self.width);
        let key = [&head(bucket), key, &tail(side, time, number)].concat();
        self.store
            .get(&key, |row| row.into())?
            .ok_or_else(|| Error::damaged("a row that waits for a partner is not in the store"))
    }

    /// Forget the buckets that have only rows of before a time.
    pub fn expire(&mut self, oldest: i64) {
        let first = oldest.div_euclid(self.width);
        if first <= self.first {
            return;
        }
        self.first = first;
        let start = first.saturating_mul(self.width);
        let kept = self.buckets.split_off(&first);
        for number in std::mem::replace(&mut self.buckets, kept)
            .into_values()
            .flatten()
        {
            let group = self.groups.get_mut(number);
            let before = group.bytes();
            for rows in &mut group.sides {
                let gone = rows.partition_point(|row| row.time < start);
                self.count -= gone;
                rows.drain(..gone);
                if rows.len() < rows.capacity() / 4 {
                    rows.shrink_to_fit();
                }
            }
            if !group.free {
                self.group_bytes -= before - group.bytes();
            }
            if !group.free && group.sides.iter().all(Vec::is_empty) {
                self.forget(GroupId(number));
            }
        }
        self.rows.drop_before(first);
    }

    fn forget(&mut self, group: GroupId) {
        let found = self.groups.get_mut(group.0);
        let hash = hash_of(found);
        for row in found.sides.iter().flatten() {
            self.count -= 1;
            self.rows
                .release(row.time.div_euclid(self.width), row.place());
        }
        self.group_bytes -= found.bytes();
        *found = Group {
            key: SmallBytes::new(&[]),
            sides: [Vec::new(), Vec::new()],
            bucket: i64::MIN,
            used: false,
            free: true,
        };
        if let Ok(found) = self.index.find_entry(hash, |number| *number == group.0) {
            found.remove();
        }
        self.groups.release(group.0);
    }

    /// Give bytes of no use back where they are many: the rows beside them are moved together.
    fn pack(&mut self) {
        let moving = self.rows.start_moving();
        if moving.is_empty() {
            return;
        }
        for number in 0..self.groups.numbers() {
            for row in self.groups.get_mut(number).sides.iter_mut().flatten() {
                let bucket = row.time.div_euclid(self.width);
                if moving.has(bucket) {
                    row.set_place(self.rows.move_row(bucket, row.place()));
                }
            }
        }
        self.rows.finish_moving(moving);
    }

    /// Bytes of what could be dropped.
    fn bytes(&self) -> usize {
        self.group_bytes + self.rows.capacity()
    }

    /// Find rows in the store that are too old: not all at once, so that no commit takes long, but faster than they come.
    fn sweep(&mut self) -> Result<()> {
        let most = FEWEST_REMOVED.max(2 * self.added.len());
        let end = head(self.first);
        let removed = &mut self.removed;
        self.store.scan(&self.swept, Some(&end), |key, _| {
            removed.push(key.into());
            Ok(match removed.len() < most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })
    }
}

impl Part for KeptRows {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        self.removed.clear();
        self.sweep()?;
        for key in &self.removed {
            let (_, time, _) = read_tail(&key[key.len().saturating_sub(TAIL)..])?;
            changes.push(key, None, Some(time.max(0)))?;
        }
        // What came and went between two commits was never anywhere.
        let mut key = Vec::new();
        for added in self.added.iter().filter(|added| added.bucket >= self.first) {
            let (time, number) = (added.kept.time, added.kept.number);
            key.clear();
            key.extend_from_slice(&head(added.bucket));
            key.extend_from_slice(self.groups.get(added.group).key.bytes());
            key.extend_from_slice(&tail(usize::from(added.side), time, number));
            let row = self.rows.get(added.kept.place());
            changes.push(&key, Some(row), Some(time.max(0)))?;
        }
        if self.next != self.committed_next {
            changes.push(NEXT, Some(&self.next.to_be_bytes()), None)?;
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.committed_next = self.next;
        self.added = Vec::new();
        if let Some(key) = self.removed.pop() {
            self.swept = key;
            self.removed.clear();
        }
    }

    /// The task opens them anew, with the stream time that was committed: all rows go, and are read again as they are
    /// asked for.
    fn rollback(&mut self) -> Result<()> {
        Ok(())
    }

    /// The rows of a key go when the clock's hand meets them and they were not used since it last came by.
    fn shrink(&mut self, bytes: usize) {
        if self.bytes() <= bytes {
            return;
        }
        let left = bytes / 100 * LEFT_PERCENT;
        let numbers = self.groups.numbers();
        for _ in 0..2 * u64::from(numbers) {
            if self.group_bytes + self.rows.live() <= left {
                break;
            }
            self.hand = (self.hand + 1) % numbers;
            let group = self.groups.get_mut(self.hand);
            if group.used {
                group.used = false;
            } else if !group.free {
                self.forget(GroupId(self.hand));
                self.complete_from = self.last.saturating_add(1);
            }
        }
        self.pack();
    }

    fn stats(&self) -> PartStats {
        let added = self.added.capacity() * size_of::<Added>();
        PartStats {
            entries: self.count,
            clean_bytes: self.bytes(),
            bytes: self.bytes() + added,
            hits: self.hits,
            misses: self.misses,
        }
    }
}

fn hash_of(group: &Group) -> u64 {
    hash(group.key.bytes())
}

#[cfg(test)]
mod tests;
