//! Tumbling, hopping and cumulating windows. Rows are kept in panes, stretches of time that every window is made up of; a row is in one
//! pane, however many windows overlap. A tumbling window is one pane.

mod at_once;
mod results;
mod sliding;
mod state;
mod sums;

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use crate::error::Result;
use crate::spec::Emit;
use crate::store::Store;
use crate::table::{Slot, read};
use crate::tasks::{Part, Task};

use super::bounds::Fixed;
use super::clock::Clock;
use super::counter::Counter;
use super::output::{Cause, Output};
use super::plan::Plan;
use super::segments::{Segments, time_of};
use super::{Context, Entry, Row, Taken, Windows};
use sliding::Sliding;
use state::{Dirty, Frozen, Pane, PaneCodec};

/// First bytes of keys in the store.
const PANES: u8 = b'p';
const COUNTER: u8 = b'c';
const LARGE: u8 = b'l';

/// The panes of one task.
pub struct Panes {
    clock: Clock,
    counter: Counter,
    /// 1 + the start of the last pane that is so large that a window of it and others like it might be too large.
    large: Counter,
    /// Whether a window may be too large though no pane is.
    may_overflow: bool,
    segments: Segments<PaneCodec>,
    /// EMIT FINAL of windows of several panes only, and if groups are flat.
    sliding: Sliding,
    /// How many keys the last window had that closed, where `sliding` is not used.
    last_keys: usize,
    /// In the order in which they changed. EMIT COMMIT only.
    dirty: Vec<Dirty>,
    /// By key and window. EMIT COMMIT of windows of several panes only, and seldom.
    frozen: HashMap<(Box<[u8]>, i64), Frozen>,
}

impl Task for Panes {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![
            &mut self.clock,
            &mut self.counter,
            &mut self.large,
            &mut self.segments,
            &mut self.sliding,
        ]
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
            large: Counter::open(store, LARGE)?,
            may_overflow: !fixed.is_single() && plan.accumulators.may_fail(),
            segments: Segments::open(store, PANES, codec)?,
            sliding: Sliding::new(&plan.accumulators),
            last_keys: 0,
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
        let closing: Vec<i64> = fixed.windows_of_all(panes, open..still_open).collect();
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
        if self.may_overflow
            && let Err(failure) = self.check(context, pane, open, row)?
        {
            return Ok(Taken::Failed(failure));
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

    fn decode(context: Context<'_, Self>, entry: Entry<'_>, out: &mut Output<'_>) -> Result<()> {
        let key = entry.key;
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
        let pane = read(&codec, key.split_at(9), entry.value, entry.store)?;
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
        self.segments.find(from.max(0)..to, key, hash)
    }

    fn pane(&self, (pane, slot): Place) -> Option<&Pane> {
        self.segments.get(pane)?.get(slot)
    }

    fn dirty_of(&self, pane: &Pane) -> Option<(usize, &Dirty)> {
        let number = usize::try_from(pane.mark).ok()?.checked_sub(1)?;
        Some((number, &self.dirty[number]))
    }

    fn add_for_close(&mut self, plan: &Plan, pane: i64, row: &Row<'_>) -> Result<Taken> {
        let taken = self.add_to_pane(plan, pane, row)?;
        if matches!(taken, Taken::In) && self.sliding.has(pane) {
            self.sliding.touch(row.key, row.hash);
        }
        Ok(taken)
    }

    fn add_to_pane(&mut self, plan: &Plan, pane: i64, row: &Row<'_>) -> Result<Taken> {
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
                    .map(|pane| row.add_to(&mut pane.group))
                {
                    Some(Err(failure)) => Taken::Failed(failure),
                    _ => Taken::In,
                },
            );
        }
        let mut group = plan.accumulators.group();
        if let Err(failure) = row.add_to(&mut group) {
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
            if let Err(failure) = row.add_to(&mut group) {
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
        if let Err(failure) = row.add_to(&mut pane.group) {
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
}
