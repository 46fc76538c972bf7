//! Tumbling, hopping and cumulating windows. Rows are kept in panes, stretches of time that every window is made up of; a row is in one
//! pane, however many windows overlap. A tumbling window is one pane.

mod results;
mod state;

use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;
use std::sync::Arc;

use crate::accumulators::Group;
use crate::error::Result;
use crate::spec::Emit;
use crate::store::Store;
use crate::table::{Codec, Slot};
use crate::tasks::{Part, Task};

use super::bounds::Fixed;
use super::clock::Clock;
use super::counter::Counter;
use super::output::{Cause, Output};
use super::plan::Plan;
use super::segments::{Segments, time_of};
use super::{Context, Row, Taken, Windows};
use state::{Dirty, Frozen, Pane, PaneCodec};

/// First bytes of keys in the store.
const PANES: u8 = b'p';
const COUNTER: u8 = b'c';

/// The panes of one task.
pub struct Panes {
    clock: Clock,
    counter: Counter,
    segments: Segments<PaneCodec>,
    /// In the order in which they changed. EMIT COMMIT only.
    dirty: Vec<Dirty>,
    /// By key and window. EMIT COMMIT of windows of several panes only, and seldom.
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
        self.segments.remove_before(fixed.first_kept(still_open))
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
        if time < fixed.offset {
            return Ok(Taken::Late);
        }
        let open = fixed.first_open(self.clock.now());
        let pane = fixed.pane_of(time);
        if fixed.last_window_of(pane) < open {
            return Ok(Taken::Late);
        }
        match context.plan.emit {
            Emit::Final => self.add_for_close(context.plan, pane, row),
            Emit::Record if fixed.is_single() => self.add_to_one(context, pane, row, out),
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
        let open = context.shape.first_open(self.clock.now());
        self.segments.remove_before(context.shape.first_kept(open))
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

    /// Add a row to a tumbling window and give it.
    fn add_to_one(
        &mut self,
        context: Context<'_, Self>,
        start: i64,
        row: &Row<'_>,
        out: &mut Output<'_>,
    ) -> Result<Taken> {
        let plan = context.plan;
        let bounds = context.shape.bounds(start);
        let table = self.segments.table(start)?;
        let slot = match row.slot {
            Some(slot) => slot,
            None => table.slot(row.key, row.hash)?,
        };
        if let Some(pane) = table.edit(slot) {
            let before = plan.retracts.then(|| pane.group.clone());
            if let Err(failure) = row.values.add(row.number, &mut pane.group) {
                return Ok(Taken::Failed(failure));
            }
            out.update(row.cause, row.key, bounds, before.as_ref(), &pane.group);
            return Ok(Taken::In);
        }
        let mut group = plan.accumulators.group();
        if let Err(failure) = row.values.add(row.number, &mut group) {
            return Ok(Taken::Failed(failure));
        }
        out.insert(row.cause, row.key, bounds, &group);
        *table.edit(slot) = Some(Pane { group, mark: 0 });
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
            let inside = |place: &&Place| fixed.has(start, place.0);
            let others = || places.iter().filter(inside).filter(|place| place.0 != pane);
            let mut parts: Vec<(i64, &Group)> = others()
                .filter_map(|place| Some((place.0, &self.pane(*place)?.group)))
                .collect();
            let at = parts.partition_point(|part| part.0 < pane);
            parts.insert(at, (pane, &group));
            let Some(merged) = plan.merge(parts.iter().map(|part| part.1))? else {
                continue;
            };
            let bounds = fixed.bounds(start);
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
}
