//! Tables by time: all entries of one window, or of one stretch of time, in a table of their own. So a window is walked and
//! dropped whole, and no key is looked for in windows that do not exist.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range, RangeBounds};

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::store::{Store, prefix_end};
use crate::table::{Codec, Slot, StateTable};
use crate::tasks::{Part, PartStats};

/// A codec of the entries of all tables.
pub trait SegmentCodec: Codec + Clone {
    /// Give the codec of the table of a time.
    fn at(&self, time: i64) -> Self;
}

/// State tables by a time of at least zero. Their keys in the store: one byte, the time (8 bytes, big endian), the key.
pub struct Segments<C: SegmentCodec> {
    store: Store,
    prefix: u8,
    codec: C,
    tables: BTreeMap<i64, StateTable<C>>,
    /// Tables of which every entry has been removed since the last commit.
    emptied: Vec<i64>,
}

impl<C: SegmentCodec> Segments<C> {
    /// Find the tables that the store has entries for: one look for each.
    pub fn open(store: &Store, prefix: u8, codec: C) -> Result<Self> {
        let mut segments = Self {
            store: store.clone(),
            prefix,
            codec,
            tables: BTreeMap::new(),
            emptied: Vec::new(),
        };
        segments.find_stored()?;
        Ok(segments)
    }

    fn find_stored(&mut self) -> Result<()> {
        let (mut from, end) = (vec![self.prefix], prefix_end(&[self.prefix]));
        loop {
            let mut found = None;
            self.store.scan(&from, end.as_deref(), |key, _| {
                found = Some(time_of(key)?);
                Ok(ControlFlow::Break(()))
            })?;
            let Some(time) = found else { return Ok(()) };
            self.table(time)?;
            match prefix_end(&key_prefix(self.prefix, time)) {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// Give the table of a time, a new one if there is none.
    pub fn table(&mut self, time: i64) -> Result<&mut StateTable<C>> {
        use std::collections::btree_map::Entry;
        Ok(match self.tables.entry(time) {
            Entry::Occupied(table) => table.into_mut(),
            Entry::Vacant(place) => {
                let prefix = key_prefix(self.prefix, time);
                place.insert(StateTable::open(&self.store, &prefix, self.codec.at(time))?)
            }
        })
    }

    /// Give the table of a time if there is one.
    pub fn get(&self, time: i64) -> Option<&StateTable<C>> {
        self.tables.get(&time)
    }

    pub fn get_mut(&mut self, time: i64) -> Option<&mut StateTable<C>> {
        self.tables.get_mut(&time)
    }

    /// Give tables with their times, ascending.
    pub fn range_mut(
        &mut self,
        times: impl RangeBounds<i64>,
    ) -> impl Iterator<Item = (i64, &mut StateTable<C>)> {
        self.tables
            .range_mut(times)
            .map(|(time, table)| (*time, table))
    }

    /// Give where a key has entries, in the tables of some times, ascending.
    pub fn find(&mut self, times: Range<i64>, key: &[u8], hash: u64) -> Result<Vec<(i64, Slot)>> {
        let mut places = Vec::new();
        for (time, table) in self.tables.range_mut(times) {
            if let Some(slot) = table.find(key, hash)? {
                places.push((*time, slot));
            }
        }
        Ok(places)
    }

    /// Give the times of tables, ascending.
    pub fn times(&self, times: impl RangeBounds<i64>) -> impl DoubleEndedIterator<Item = i64> {
        self.tables.range(times).map(|(time, _)| *time)
    }

    /// Remove every entry of the tables before a time.
    pub fn remove_before(&mut self, time: i64) -> Result<()> {
        for (time, table) in self.tables.range_mut(..time) {
            if self.emptied.contains(time) {
                continue;
            }
            for slot in entries(table)? {
                *table.edit(slot) = None;
            }
            self.emptied.push(*time);
        }
        Ok(())
    }

    /// Forget tables without entries.
    fn prune(&mut self) {
        self.tables
            .retain(|_, table| !table.is_complete() || table.stats().entries > 0);
    }
}

/// Give all entries of a table that have a value, in no order worth relying on.
pub fn entries<C: Codec>(table: &mut StateTable<C>) -> Result<Vec<Slot>> {
    if table.is_complete() {
        Ok(table.resident_slots().collect())
    } else {
        table.scan(&[], None)
    }
}

fn key_prefix(prefix: u8, time: i64) -> [u8; 9] {
    let mut key = [prefix; 9];
    key[1..].copy_from_slice(&time.to_be_bytes());
    key
}

/// Read the time from a key of the store.
pub fn time_of(key: &[u8]) -> Result<i64> {
    key.get(1..9)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i64::from_be_bytes)
        .ok_or_else(|| Error::damaged("a key in the store is too short for its time"))
}

impl<C: SegmentCodec> Part for Segments<C> {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        self.tables
            .values_mut()
            .try_for_each(|table| table.collect(changes))
    }

    fn settle(&mut self) {
        self.tables.values_mut().for_each(Part::settle);
        for time in std::mem::take(&mut self.emptied) {
            self.tables.remove(&time);
        }
        self.prune();
    }

    fn rollback(&mut self) -> Result<()> {
        self.emptied.clear();
        self.tables.values_mut().try_for_each(Part::rollback)?;
        self.prune();
        Ok(())
    }

    /// Each table by the same share.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )] // an estimate
    fn shrink(&mut self, bytes: usize) {
        let total = self.stats().clean_bytes;
        if total > bytes {
            let share = bytes as f64 / total as f64;
            for table in self.tables.values_mut() {
                table.shrink((table.stats().clean_bytes as f64 * share) as usize);
            }
        }
    }

    fn stats(&self) -> PartStats {
        let mut sum = PartStats::default();
        for table in self.tables.values() {
            let stats = table.stats();
            sum.entries += stats.entries;
            sum.clean_bytes += stats.clean_bytes;
            sum.bytes += stats.bytes;
            sum.hits += stats.hits;
            sum.misses += stats.misses;
        }
        sum
    }
}
