//! Windows of several panes that close one after another: what they share is merged once.
//!
//! Time is cut into stretches as long as a window. So a window is the end of one stretch and the beginning of the next, and one of
//! them may be empty. Of each key there are the suffixes of the stretch behind, one from each of its panes up to the cut, and a
//! prefix of the stretch ahead, into which panes are merged as windows come to them. Each pane is merged twice, and one suffix
//! with one prefix for each result, however many panes there are in a window (van Herk; Gil and Werman).
//!
//! The cuts depend on time alone, and so do the last bits of sums of floating-point numbers: they are the same after a restart.
//! Nothing here is kept with the state; all of it can be had from the panes again.

use hashbrown::HashTable;

use crate::accumulators::{Accumulators, Group};
use crate::changes::Changes;
use crate::error::Result;
use crate::rows::hash;
use crate::small_bytes::SmallBytes;
use crate::tasks::{Part, PartStats};

use super::super::bounds::Fixed;
use super::super::output::{Cause, Output};
use super::super::plan::Plan;
use super::super::segments::{Segments, entries};
use super::state::{Pane, PaneCodec};

type Table = Segments<PaneCodec>;

/// Place of no suffix.
const NONE: u32 = u32::MAX;

/// The panes of a task, merged up to the end of the window that has closed last.
pub struct Sliding {
    /// Where the two stretches meet; `i64::MIN` before any window has closed.
    cut: i64,
    /// Panes before this are merged.
    merged: i64,
    index: HashTable<u32>,
    keys: Vec<OfKey>,
    suffixes: Vec<Suffix>,
    /// Keys with rows that came into panes after they were merged.
    stale: Vec<u32>,
    /// The keys of the last window, by mark.
    order: Vec<(u64, u32)>,
    /// For a suffix with a prefix.
    whole: Group,
}

struct OfKey {
    key: SmallBytes,
    /// The first suffix that begins in the last window.
    suffix: u32,
    prefix: Option<Group>,
    /// The least one of the panes in the prefix.
    mark: u64,
    is_stale: bool,
}

/// The panes of a key from one of them up to the cut.
struct Suffix {
    pane: i64,
    group: Group,
    mark: u64,
    /// The next shorter one.
    next: u32,
}

impl Sliding {
    pub fn new(accumulators: &Accumulators) -> Self {
        Self::of(accumulators.group())
    }

    fn of(whole: Group) -> Self {
        Self {
            cut: i64::MIN,
            merged: i64::MIN,
            index: HashTable::new(),
            keys: Vec::new(),
            suffixes: Vec::new(),
            stale: Vec::new(),
            order: Vec::new(),
            whole,
        }
    }

    /// Whether a pane is merged: then a row that comes into it must be told.
    pub fn has(&self, pane: i64) -> bool {
        pane < self.merged
    }

    /// Take note of a row that has come into a merged pane.
    pub fn touch(&mut self, key: &[u8], hash: u64) {
        let number = self.number(key, hash);
        let found = &mut self.keys[number as usize];
        if !found.is_stale {
            found.is_stale = true;
            self.stale.push(number);
        }
    }

    /// Give the results of a window that closes, in the order in which its keys came.
    pub fn close(
        &mut self,
        plan: &Plan,
        fixed: &Fixed,
        window: i64,
        panes: &mut Table,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let (start, end) = fixed.bounds(window);
        let cut = fixed.cut(window);
        if cut == self.cut {
            self.renew(&plan.accumulators, start, panes)?;
        } else {
            self.begin(&plan.accumulators, start, cut, panes)?;
        }
        self.extend(&plan.accumulators, end, panes)?;
        self.put_in_order(start);
        for (_, number) in &self.order {
            let found = &self.keys[*number as usize];
            let group = match (&found.prefix, found.suffix) {
                (Some(prefix), NONE) => prefix,
                (None, suffix) => &self.suffixes[suffix as usize].group,
                (Some(prefix), suffix) => {
                    self.whole.copy_from(&self.suffixes[suffix as usize].group);
                    plan.accumulators.merge(&mut self.whole, prefix);
                    &self.whole
                }
            };
            out.insert(cause, found.key.bytes(), (start, end), group);
        }
        Ok(())
    }

    /// Merge the panes before another cut.
    fn begin(
        &mut self,
        accumulators: &Accumulators,
        start: i64,
        cut: i64,
        panes: &mut Table,
    ) -> Result<()> {
        self.clear();
        let times: Vec<i64> = panes.times(start..cut).rev().collect();
        for time in times {
            let table = panes.table(time)?;
            for slot in entries(table)? {
                if let Some(pane) = table.get(slot) {
                    let key = table.key(slot);
                    let number = self.number(key, hash(key));
                    self.put_before(accumulators, number, time, pane);
                }
            }
        }
        (self.cut, self.merged) = (cut, cut);
        Ok(())
    }

    /// Merge the panes of stale keys anew.
    fn renew(&mut self, accumulators: &Accumulators, start: i64, panes: &mut Table) -> Result<()> {
        for number in std::mem::take(&mut self.stale) {
            let found = &mut self.keys[number as usize];
            found.is_stale = false;
            found.suffix = NONE;
            found.prefix = None;
            let key = found.key.bytes();
            let places = panes.find(start..self.merged, key, hash(key))?;
            let middle = places.partition_point(|place| place.0 < self.cut);
            let (before, behind) = places.split_at(middle);
            for (time, slot) in before.iter().rev() {
                if let Some(pane) = panes.get(*time).and_then(|table| table.get(*slot)) {
                    self.put_before(accumulators, number, *time, pane);
                }
            }
            for (time, slot) in behind {
                if let Some(pane) = panes.get(*time).and_then(|table| table.get(*slot)) {
                    self.put_behind(accumulators, number, pane);
                }
            }
        }
        Ok(())
    }

    /// Merge the panes up to the end of a window.
    fn extend(&mut self, accumulators: &Accumulators, end: i64, panes: &mut Table) -> Result<()> {
        for (_, table) in panes.range_mut(self.merged..end) {
            for slot in entries(table)? {
                if let Some(pane) = table.get(slot) {
                    let key = table.key(slot);
                    let number = self.number(key, hash(key));
                    self.put_behind(accumulators, number, pane);
                }
            }
        }
        self.merged = end;
        Ok(())
    }

    fn put_before(&mut self, accumulators: &Accumulators, number: u32, time: i64, pane: &Pane) {
        let found = &mut self.keys[number as usize];
        let mut suffix = Suffix {
            pane: time,
            group: pane.group.clone(),
            mark: pane.mark,
            next: found.suffix,
        };
        if let Some(next) = self.suffixes.get(found.suffix as usize) {
            accumulators.merge(&mut suffix.group, &next.group);
            suffix.mark = suffix.mark.min(next.mark);
        }
        found.suffix = place_of(self.suffixes.len());
        self.suffixes.push(suffix);
    }

    fn put_behind(&mut self, accumulators: &Accumulators, number: u32, pane: &Pane) {
        let found = &mut self.keys[number as usize];
        match &mut found.prefix {
            Some(prefix) => {
                accumulators.merge(prefix, &pane.group);
                found.mark = found.mark.min(pane.mark);
            }
            None => {
                found.prefix = Some(pane.group.clone());
                found.mark = pane.mark;
            }
        }
    }

    /// Find the keys of a window.
    fn put_in_order(&mut self, start: i64) {
        self.order.clear();
        for (found, number) in self.keys.iter_mut().zip(0..) {
            let mut mark = match found.prefix {
                Some(_) => found.mark,
                None => u64::MAX,
            };
            while let Some(suffix) = self.suffixes.get(found.suffix as usize) {
                if suffix.pane >= start {
                    mark = mark.min(suffix.mark);
                    break;
                }
                found.suffix = suffix.next;
            }
            if found.prefix.is_some() || found.suffix != NONE {
                self.order.push((mark, number));
            }
        }
        self.order.sort_unstable();
    }

    fn number(&mut self, key: &[u8], hashed: u64) -> u32 {
        let keys = &self.keys;
        let is_it = |number: &u32| keys[*number as usize].key.bytes() == key;
        if let Some(number) = self.index.find(hashed, is_it) {
            return *number;
        }
        let number = place_of(self.keys.len());
        self.keys.push(OfKey {
            key: SmallBytes::new(key),
            suffix: NONE,
            prefix: None,
            mark: 0,
            is_stale: false,
        });
        let keys = &self.keys;
        self.index.insert_unique(hashed, number, |number| {
            hash(keys[*number as usize].key.bytes())
        });
        number
    }

    fn clear(&mut self) {
        (self.cut, self.merged) = (i64::MIN, i64::MIN);
        self.index.clear();
        self.keys.clear();
        self.suffixes.clear();
        self.stale.clear();
    }

    fn bytes(&self) -> usize {
        let groups = self.whole.heap_size() * (self.keys.len() + self.suffixes.len());
        self.keys.capacity() * size_of::<OfKey>()
            + self.suffixes.capacity() * size_of::<Suffix>()
            + groups
    }
}

fn place_of(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 4 billion panes fit into memory")
}

/// Merge the panes of a window of a key, given with their times, ascending: as [`Sliding`] does.
pub fn merge(plan: &Plan, fixed: &Fixed, window: i64, panes: &[(i64, &Group)]) -> Option<Group> {
    let groups = panes.iter().map(|(_, group)| *group);
    if !plan.accumulators.is_flat() {
        return plan.merge(groups);
    }
    let cut = fixed.cut(window);
    let middle = panes.partition_point(|(pane, _)| *pane < cut);
    let suffix = groups.clone().take(middle).rev().map(Group::clone);
    let suffix = suffix.reduce(|after, mut group| {
        plan.accumulators.merge(&mut group, &after);
        group
    });
    let prefix = plan.merge(groups.skip(middle));
    match (suffix, prefix) {
        (Some(mut suffix), Some(prefix)) => {
            plan.accumulators.merge(&mut suffix, &prefix);
            Some(suffix)
        }
        (suffix, prefix) => suffix.or(prefix),
    }
}

/// None of it is kept with the state.
impl Part for Sliding {
    fn collect(&mut self, _: &mut Changes) -> Result<()> {
        Ok(())
    }

    fn settle(&mut self) {}

    fn rollback(&mut self) -> Result<()> {
        self.clear();
        Ok(())
    }

    /// All of it goes or nothing: the next window that closes begins anew.
    fn shrink(&mut self, bytes: usize) {
        if self.bytes() > bytes {
            *self = Self::of(self.whole.clone());
        }
    }

    fn stats(&self) -> PartStats {
        PartStats {
            clean_bytes: self.bytes(),
            bytes: self.bytes(),
            ..PartStats::default()
        }
    }
}
