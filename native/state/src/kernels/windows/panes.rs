//! Tumbling and hopping windows. Rows are kept in panes, stretches of time that every window is made up of; a row is in one
//! pane, however many windows overlap. A tumbling window is one pane.

use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::accumulators::{Accumulators, Group};
use crate::error::{Error, Result};
use crate::rows::hash;
use crate::spec::Emit;
use crate::store::Store;
use crate::table::{Codec, Key, Slot};
use crate::tasks::{Part, Task};

use super::bounds::Fixed;
use super::clock::Clock;
use super::counter::Counter;
use super::output::{Cause, Output};
use super::plan::Plan;
use super::segments::{SegmentCodec, Segments, entries, time_of};
use super::{Context, Row, Taken, Windows};

/// First bytes of keys in the store.
const PANES: u8 = b'p';
const COUNTER: u8 = b'c';

/// The rows of one key in one pane.
pub struct Pane {
    group: Group,
    /// EMIT FINAL: which of two was touched first (kept with the state). EMIT COMMIT: 1 + its place in `Panes::dirty`, 0 if
    /// nothing has changed since the flush.
    mark: u64,
}

#[derive(Clone)]
pub struct PaneCodec {
    accumulators: Arc<Accumulators>,
    emit: Emit,
    /// The end of the last window that the pane is part of.
    end: i64,
    size: i64,
}

impl Codec for PaneCodec {
    type Value = Pane;

    fn encode(&self, pane: &Pane, out: &mut Vec<u8>) {
        if self.emit == Emit::Final {
            out.extend_from_slice(&pane.mark.to_be_bytes());
        }
        self.accumulators.encode(&pane.group, out);
    }

    fn decode(&self, bytes: &[u8]) -> Result<Pane> {
        let (mark, bytes) = if self.emit == Emit::Final {
            let (mark, rest) = bytes
                .split_first_chunk()
                .ok_or_else(|| Error::damaged("a pane in the store is too short"))?;
            (u64::from_be_bytes(*mark), rest)
        } else {
            (0, bytes)
        };
        Ok(Pane {
            group: self.accumulators.decode(bytes)?,
            mark,
        })
    }

    fn heap(&self, pane: &Pane) -> usize {
        pane.group.heap_size()
    }

    fn timestamp(&self, _: &[u8], _: Option<&Pane>) -> Option<i64> {
        Some(self.end)
    }
}

impl SegmentCodec for PaneCodec {
    fn at(&self, pane: i64) -> Self {
        Self {
            end: pane.saturating_add(self.size),
            ..self.clone()
        }
    }
}

/// A pane that has changed since the flush.
struct Dirty {
    pane: i64,
    slot: Slot,
    /// Stream time when it changed first.
    since: i64,
    /// The largest time of the rows.
    time: i64,
    /// Whether it was there at the flush.
    existed: bool,
    /// Its rows at the flush, if old results are wanted.
    before: Option<Group>,
}

/// The result of a window that closed after it had changed, and before other rows came into its panes.
struct Frozen {
    time: i64,
    existed: bool,
    before: Option<Group>,
    group: Group,
}

/// The panes of one task.
pub struct Panes {
    clock: Clock,
    counter: Counter,
    segments: Segments<PaneCodec>,
    /// In the order in which they changed. EMIT COMMIT only.
    dirty: Vec<Dirty>,
    /// By key and start. EMIT COMMIT of hopping windows only, and seldom.
    frozen: HashMap<(Box<[u8]>, i64), Frozen>,
}

impl Task for Panes {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.clock, &mut self.counter, &mut self.segments]
    }

    fn rolled_back(&mut self) -> Result<()> {
        self.dirty.clear();
        self.frozen.clear();
        Ok(())
    }
}

impl Windows for Panes {
    type Shape = Fixed;

    fn shape(plan: &Plan) -> Result<Fixed> {
        Fixed::new(&plan.window)
    }

    fn open(plan: &Plan, fixed: &Fixed, store: &Store) -> Result<Self> {
        let codec = PaneCodec {
            accumulators: Arc::clone(&plan.accumulators),
            emit: plan.emit,
            end: 0,
            size: fixed.size,
        };
        Ok(Self {
            clock: Clock::open(store)?,
            counter: Counter::open(store, COUNTER)?,
            segments: Segments::open(store, PANES, codec)?,
            dirty: Vec::new(),
            frozen: HashMap::new(),
        })
    }

    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    fn close(
        &mut self,
        context: Context<'_, Self>,
        past: i64,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let fixed = context.shape;
        let (open, still_open) = (fixed.first_open(past), fixed.first_open(self.clock.now()));
        if open >= still_open {
            return Ok(());
        }
        let panes = self.segments.times(..still_open.saturating_add(fixed.size));
        let closing: BTreeSet<i64> = panes
            .flat_map(|pane| fixed.windows_of(pane))
            .filter(|start| (open..still_open).contains(start))
            .collect();
        for start in closing {
            let cause = Cause {
                time: fixed.end(start) - 1,
                ..cause
            };
            self.close_window(context, start, cause, out)?;
        }
        self.segments.remove_before(still_open)
    }

    fn look_ahead(&mut self, context: Context<'_, Self>, row: &Row<'_>) -> Option<Slot> {
        let table = self
            .segments
            .get_mut(context.shape.pane_of(row.cause.time))?;
        let slot = table.resident(row.key, row.hash)?;
        black_box(table.get(slot).map(|pane| pane.group.rows()));
        Some(slot)
    }

    fn add(
        &mut self,
        context: Context<'_, Self>,
        row: &Row<'_>,
        out: &mut Output<'_>,
    ) -> Result<Taken> {
        let fixed = context.shape;
        let time = row.cause.time;
        if time < 0 {
            return Ok(Taken::Late);
        }
        let open = fixed.first_open(self.clock.now());
        let pane = fixed.pane_of(time);
        if fixed.last_window_of(pane) < open {
            return Ok(Taken::Late);
        }
        match context.plan.emit {
            Emit::Final => self.add_for_close(context.plan, pane, row),
            Emit::Record => self.add_and_give(context, pane, open, row, out),
            Emit::Commit => {
                if fixed.first_window_of(pane) < open {
                    self.freeze(context, pane, open, row)?;
                }
                self.add_for_flush(context.plan, pane, row)
            }
        }
    }

    fn flush(
        &mut self,
        context: Context<'_, Self>,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        for number in 0..self.dirty.len() {
            if context.shape.is_single() {
                self.flush_pane(context, number, cause, out);
            } else {
                self.flush_windows(context, number, cause, out)?;
            }
        }
        for dirty in std::mem::take(&mut self.dirty) {
            if let Some(pane) = self.segments.table(dirty.pane)?.edit(dirty.slot) {
                pane.mark = 0;
            }
        }
        self.frozen.clear();
        Ok(())
    }

    fn has_results(&self) -> bool {
        !self.dirty.is_empty()
    }

    fn expire(&mut self, context: Context<'_, Self>) -> Result<()> {
        self.segments
            .remove_before(context.shape.first_open(self.clock.now()))
    }

    fn decode(
        context: Context<'_, Self>,
        key: &[u8],
        value: &[u8],
        out: &mut Output<'_>,
    ) -> Result<()> {
        if key.first() != Some(&PANES) {
            return Ok(());
        }
        let start = time_of(key)?;
        let codec = PaneCodec {
            accumulators: Arc::clone(&context.plan.accumulators),
            emit: context.plan.emit,
            end: 0,
            size: context.shape.size,
        };
        let pane = codec.decode(value)?;
        let cause = Cause {
            partition: 0,
            seq: 0,
            time: 0,
        };
        out.insert(
            cause,
            &key[9..],
            (start, start.saturating_add(context.shape.pane)),
            &pane.group,
        );
        Ok(())
    }
}

/// A pane of a key: its start, and where it is.
type Place = (i64, Slot);

impl Panes {
    /// Give the panes of a key that begin in a stretch of time, ascending.
    fn of_key(&mut self, key: &[u8], hash: u64, from: i64, to: i64) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        for (pane, table) in self.segments.range_mut(from.max(0)..to) {
            if let Some(slot) = table.find(key, hash)? {
                places.push((pane, slot));
            }
        }
        Ok(places)
    }

    fn pane(&self, (pane, slot): Place) -> Option<&Pane> {
        self.segments.get(pane)?.get(slot)
    }

    fn dirty_of(&self, pane: &Pane) -> Option<(usize, &Dirty)> {
        let number = usize::try_from(pane.mark).ok()?.checked_sub(1)?;
        Some((number, &self.dirty[number]))
    }

    fn add_for_close(&mut self, plan: &Plan, pane: i64, row: &Row<'_>) -> Result<Taken> {
        let table = self.segments.table(pane)?;
        let slot = match row.slot {
            Some(slot) => slot,
            None => table.slot(row.key, row.hash)?,
        };
        if table.get(slot).is_some() {
            return Ok(
                match table
                    .edit(slot)
                    .as_mut()
                    .map(|pane| row.values.add(row.number, &mut pane.group))
                {
                    Some(Err(failure)) => Taken::Failed(failure),
                    _ => Taken::In,
                },
            );
        }
        let mut group = plan.accumulators.group();
        if let Err(failure) = row.values.add(row.number, &mut group) {
            return Ok(Taken::Failed(failure));
        }
        *table.edit(slot) = Some(Pane {
            group,
            mark: self.counter.next(),
        });
        Ok(Taken::In)
    }

    fn add_for_flush(&mut self, plan: &Plan, pane: i64, row: &Row<'_>) -> Result<Taken> {
        let now = self.clock.now();
        let table = self.segments.table(pane)?;
        let slot = match row.slot {
            Some(slot) => slot,
            None => table.slot(row.key, row.hash)?,
        };
        let next = self.dirty.len() as u64 + 1;
        let dirty = |existed, before| Dirty {
            pane,
            slot,
            since: now,
            time: row.cause.time,
            existed,
            before,
        };
        if table.get(slot).is_none() {
            let mut group = plan.accumulators.group();
            if let Err(failure) = row.values.add(row.number, &mut group) {
                return Ok(Taken::Failed(failure));
            }
            *table.edit(slot) = Some(Pane { group, mark: next });
            self.dirty.push(dirty(false, None));
            return Ok(Taken::In);
        }
        let Some(pane) = table.edit(slot) else {
            return Ok(Taken::In);
        };
        let before = (plan.retracts && pane.mark == 0).then(|| pane.group.clone());
        if let Err(failure) = row.values.add(row.number, &mut pane.group) {
            return Ok(Taken::Failed(failure));
        }
        if pane.mark == 0 {
            pane.mark = next;
            self.dirty.push(dirty(true, before));
        } else {
            let dirty = &mut self.dirty[pane.mark as usize - 1];
            dirty.time = dirty.time.max(row.cause.time);
        }
        Ok(Taken::In)
    }

    /// Add a row and give each of its windows that has not closed.
    fn add_and_give(
        &mut self,
        context: Context<'_, Self>,
        pane: i64,
        open: i64,
        row: &Row<'_>,
        out: &mut Output<'_>,
    ) -> Result<Taken> {
        let (plan, fixed) = (context.plan, context.shape);
        let table = self.segments.table(pane)?;
        let slot = match row.slot {
            Some(slot) => slot,
            None => table.slot(row.key, row.hash)?,
        };
        let existed = table.get(slot).is_some();
        let mut group = match table.get(slot) {
            Some(pane) => pane.group.clone(),
            None => plan.accumulators.group(),
        };
        if let Err(failure) = row.values.add(row.number, &mut group) {
            return Ok(Taken::Failed(failure));
        }
        let places = self.of_key(row.key, row.hash, pane - fixed.size + 1, pane + fixed.size)?;
        for start in fixed.windows_of(pane).filter(|start| *start >= open) {
            let inside = |place: &&Place| (start..fixed.end(start)).contains(&place.0);
            let others = || places.iter().filter(inside).filter(|place| place.0 != pane);
            let mut parts: Vec<(i64, &Group)> = others()
                .filter_map(|place| Some((place.0, &self.pane(*place)?.group)))
                .collect();
            let at = parts.partition_point(|part| part.0 < pane);
            parts.insert(at, (pane, &group));
            let Some(merged) = plan.merge(parts.iter().map(|part| part.1))? else {
                continue;
            };
            let bounds = (start, fixed.end(start));
            if parts.len() == 1 && !existed {
                out.insert(row.cause, row.key, bounds, &merged);
                continue;
            }
            let mut before = None;
            if plan.retracts {
                match self.pane((pane, slot)) {
                    Some(old) => parts[at].1 = &old.group,
                    None => drop(parts.remove(at)),
                }
                before = plan.merge(parts.iter().map(|part| part.1))?;
            }
            out.update(row.cause, row.key, bounds, before.as_ref(), &merged);
        }
        *self.segments.table(pane)?.edit(slot) = Some(Pane { group, mark: 0 });
        Ok(Taken::In)
    }

    /// Give a tumbling window.
    fn flush_pane(
        &self,
        context: Context<'_, Self>,
        number: usize,
        cause: Cause,
        out: &mut Output<'_>,
    ) {
        let dirty = &self.dirty[number];
        let Some(table) = self.segments.get(dirty.pane) else {
            return;
        };
        let Some(pane) = table.get(dirty.slot) else {
            return;
        };
        let cause = Cause {
            time: dirty.time,
            ..cause
        };
        let (key, bounds) = (
            table.key(dirty.slot),
            (dirty.pane, context.shape.end(dirty.pane)),
        );
        if dirty.existed {
            out.update(cause, key, bounds, dirty.before.as_ref(), &pane.group);
        } else {
            out.insert(cause, key, bounds, &pane.group);
        }
    }

    /// Give the windows of a pane that no earlier one was part of.
    fn flush_windows(
        &mut self,
        context: Context<'_, Self>,
        number: usize,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let fixed = context.shape;
        let Dirty {
            pane, slot, since, ..
        } = self.dirty[number];
        let Some(table) = self.segments.get(pane) else {
            return Ok(());
        };
        let key: Box<[u8]> = table.key(slot).into();
        let places = self.of_key(&key, hash(&key), pane - fixed.size + 1, pane + fixed.size)?;
        let open = fixed.first_open(since);
        for start in fixed.windows_of(pane).filter(|start| *start >= open) {
            let inside = places
                .iter()
                .filter(|place| (start..fixed.end(start)).contains(&place.0));
            let first = inside
                .filter_map(|place| Some(self.dirty_of(self.pane(*place)?)?.0))
                .min();
            if first != Some(number) {
                continue;
            }
            let found = match self.frozen.remove(&(key.clone(), start)) {
                Some(frozen) => Some(frozen),
                None => self.window(context, start, &places)?,
            };
            let Some(found) = found else { continue };
            let (cause, bounds) = (
                Cause {
                    time: found.time,
                    ..cause
                },
                (start, fixed.end(start)),
            );
            if found.existed {
                out.update(cause, &key, bounds, found.before.as_ref(), &found.group);
            } else {
                out.insert(cause, &key, bounds, &found.group);
            }
        }
        Ok(())
    }

    /// Give the state of a window of a key, and what it was at the flush.
    fn window(
        &self,
        context: Context<'_, Self>,
        start: i64,
        places: &[Place],
    ) -> Result<Option<Frozen>> {
        let end = context.shape.end(start);
        let panes: Vec<&Pane> = places
            .iter()
            .filter(|place| (start..end).contains(&place.0))
            .filter_map(|place| self.pane(*place))
            .collect();
        let Some(group) = context.plan.merge(panes.iter().map(|pane| &pane.group))? else {
            return Ok(None);
        };
        let (mut time, mut existed) = (i64::MIN, false);
        let mut before = Vec::with_capacity(panes.len());
        for pane in panes {
            match self.dirty_of(pane) {
                Some((_, dirty)) => {
                    time = time.max(dirty.time);
                    existed |= dirty.existed;
                    before.extend(&dirty.before);
                }
                None => {
                    existed = true;
                    before.push(&pane.group);
                }
            }
        }
        let before = if context.plan.retracts {
            context.plan.merge(before)?
        } else {
            None
        };
        Ok(Some(Frozen {
            time,
            existed,
            before,
            group,
        }))
    }

    /// A row is about to come into a pane of which some windows have closed: keep the results of those that wait for the flush.
    fn freeze(
        &mut self,
        context: Context<'_, Self>,
        pane: i64,
        open: i64,
        row: &Row<'_>,
    ) -> Result<()> {
        let fixed = context.shape;
        let places = self.of_key(row.key, row.hash, pane - fixed.size + 1, pane + fixed.size)?;
        for start in fixed.windows_of(pane).take_while(|start| *start < open) {
            let touched = |place: &Place| {
                let dirty = self.pane(*place).and_then(|pane| self.dirty_of(pane));
                dirty.is_some_and(|(_, dirty)| start >= fixed.first_open(dirty.since))
            };
            let inside = |place: &&Place| (start..fixed.end(start)).contains(&place.0);
            let name = (row.key.into(), start);
            if !self.frozen.contains_key(&name)
                && places.iter().filter(inside).any(touched)
                && let Some(frozen) = self.window(context, start, &places)?
            {
                self.frozen.insert(name, frozen);
            }
        }
        Ok(())
    }

    /// Give the final results of a window.
    fn close_window(
        &mut self,
        context: Context<'_, Self>,
        start: i64,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let bounds = (start, context.shape.end(start));
        if context.shape.is_single() {
            let table = self.segments.table(start)?;
            let mut slots: Vec<_> = entries(table)?
                .into_iter()
                .filter_map(|slot| Some((table.get(slot)?.mark, slot)))
                .collect();
            slots.sort_unstable_by_key(|(mark, _)| *mark);
            for (_, slot) in slots {
                if let Some(pane) = table.get(slot) {
                    out.insert(cause, table.key(slot), bounds, &pane.group);
                }
            }
            return Ok(());
        }
        let mut index: HashTable<usize> = HashTable::new();
        let mut merged: Vec<(u64, Key, Group)> = Vec::new();
        for (_, table) in self.segments.range_mut(start..bounds.1) {
            for slot in entries(table)? {
                let (key, Some(pane)) = (table.key(slot), table.get(slot)) else {
                    continue;
                };
                match index.find(hash(key), |number| merged[*number].1.bytes() == key) {
                    Some(number) => {
                        let (mark, _, group) = &mut merged[*number];
                        *mark = pane.mark.min(*mark);
                        context.plan.merge_into(group, &pane.group)?;
                    }
                    None => {
                        index.insert_unique(hash(key), merged.len(), |number| {
                            hash(merged[*number].1.bytes())
                        });
                        merged.push((pane.mark, Key::new(key), pane.group.clone()));
                    }
                }
            }
        }
        merged.sort_unstable_by_key(|(mark, _, _)| *mark);
        for (_, key, group) in merged {
            out.insert(cause, key.bytes(), bounds, &group);
        }
        Ok(())
    }
}
