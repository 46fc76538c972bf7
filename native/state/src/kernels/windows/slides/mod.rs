//! Sliding windows: for each time t at which a key has rows the window [t - size, t] and, if there are rows in it, the window
//! [t + 1, t + 1 + size]. Both ends are part of a window; none begins before zero: the earliest rows share [0, size].
//!
//! An entry of the state, with its members, is all points of one key that an open window may need, a point being the rows of one time. A window
//! is a merge of points.

mod points;
mod sums;

use std::collections::BTreeMap;

use crate::accumulators::{Failure, Group};
use crate::error::{Error, Result};
use crate::rows::hash;
use crate::spec::Emit;
use crate::store::Store;
use crate::table::{Slot, StateTable, read};
use crate::tasks::{Part, Task};

use super::clock::Clock;
use super::counter::Counter;
use super::output::{Bounds, Cause, Output};
use super::pieces::{OfKey, PieceCodec};
use super::plan::Plan;
use super::timers::Timers;
use super::{Context, Entry, Row, Taken, Windows};
use points::Point;

/// First bytes of keys in the store.
const POINTS: u8 = b's';
const TIMERS: u8 = b't';
const COUNTER: u8 = b'c';
const LARGE: u8 = b'l';

/// How long windows are, and live.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    size: i64,
    grace: i64,
}

impl Span {
    fn bounds(self, start: i64) -> Bounds {
        (start, start.saturating_add(self.size))
    }

    /// Stream time up to which the window takes rows.
    fn last_time(self, start: i64) -> i64 {
        start.saturating_add(self.size).saturating_add(self.grace)
    }

    fn is_closed(self, start: i64, now: i64) -> bool {
        self.last_time(start) < now
    }

    /// The window that ends at a time.
    fn left_of(self, time: i64) -> i64 {
        (time - self.size).max(0)
    }
}

/// A window that has changed since the flush.
struct Changed {
    slot: Slot,
    start: i64,
    /// The largest time of the rows that changed it.
    time: i64,
    /// Whether it was there at the flush.
    existed: bool,
    /// Its rows at the flush, if old results are wanted.
    before: Option<Group>,
    /// Its rows, if it has closed and other rows have come into its points.
    frozen: Option<Group>,
}

/// The points of one task.
pub struct Slides {
    clock: Clock,
    counter: Counter,
    /// 1 + the time of the last point that is so large that a window of it and others like it might be too large.
    large: Counter,
    /// Whether a window may be too large though no point is.
    may_overflow: bool,
    table: StateTable<PieceCodec<Point>>,
    timers: Timers,
    /// In the order in which they changed first. EMIT COMMIT only.
    changed: Vec<Changed>,
}

impl Task for Slides {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![
            &mut self.clock,
            &mut self.counter,
            &mut self.large,
            &mut self.table,
            &mut self.timers,
        ]
    }

    fn rolled_back(&mut self) -> Result<()> {
        self.changed.clear();
        Ok(())
    }
}

impl Windows for Slides {
    type Shape = Span;

    fn shape(plan: &Plan) -> Result<Span> {
        let span = Span {
            size: plan.window.size,
            grace: plan.window.grace,
        };
        if span.size < 0 || span.grace < 0 {
            return Err(Error::spec(
                "a sliding window needs a size and a grace of at least zero",
            ));
        }
        Ok(span)
    }

    fn open(plan: &Plan, span: &Span, store: &Store) -> Result<Self> {
        let codec = PieceCodec::new(&plan.accumulators);
        Ok(Self {
            clock: Clock::open(store)?,
            counter: Counter::open(store, COUNTER)?,
            large: Counter::open(store, LARGE)?,
            may_overflow: plan.accumulators.may_fail(),
            table: StateTable::open(store, &[POINTS], codec)?,
            timers: Timers::open(store, TIMERS, span.last_time(0) / 16)?,
            changed: Vec::new(),
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
        let (plan, span, now) = (context.plan, *context.shape, self.clock.now());
        // The windows that were open until now: start + size + grace is not below the past, but below now.
        let lead = span.size.saturating_add(span.grace);
        let (from, to) = (
            past.saturating_sub(lead),
            now.saturating_sub(lead).saturating_sub(1),
        );
        let mut closed: Vec<(i64, u64, Box<[u8]>, Group)> = Vec::new();
        self.at_timers(context, |key, value| {
            for start in value.windows(span, from, to) {
                if let Some(group) = value.merge(plan, span.bounds(start)) {
                    closed.push((start, value.first_touch(span, start), key.into(), group));
                }
            }
        })?;
        closed.sort_by_key(|(start, first, _, _)| (*start, *first));
        for (start, _, key, group) in closed {
            let bounds = span.bounds(start);
            out.insert(
                Cause {
                    time: bounds.1,
                    ..cause
                },
                &key,
                bounds,
                &group,
            );
        }
        Ok(())
    }

    fn look_ahead(&mut self, _: Context<'_, Self>, row: &Row<'_>) -> Option<Slot> {
        self.table.resident(row.key, row.hash)
    }

    fn add(
        &mut self,
        context: Context<'_, Self>,
        row: &Row<'_>,
        out: &mut Output<'_>,
    ) -> Result<Taken> {
        let (span, now, time) = (*context.shape, self.clock.now(), row.cause.time);
        if time < 0 || span.is_closed(time, now) {
            return Ok(Taken::Late);
        }
        let slot = match row.slot {
            Some(slot) => slot,
            None => self.table.slot(row.key, row.hash)?,
        };
        if self.may_overflow
            && let Err(failure) = self.check(context, slot, row)
        {
            return Ok(Taken::Failed(failure));
        }
        let emit = context.plan.emit;
        if emit == Emit::Commit {
            self.freeze(context, slot, time);
        }
        let known = match self.table.get(slot) {
            Some(value) if emit != Emit::Final => value.known_windows(context.plan, span, time),
            _ => BTreeMap::new(),
        };
        if let Err(failure) = self.put(context.plan, slot, row) {
            return Ok(Taken::Failed(failure));
        }
        let Some(value) = self.table.edit(slot) else {
            return Ok(Taken::In);
        };
        if let Some(timer) = value.next_timer(span, emit, now)
            && timer < value.timer
        {
            value.timer = timer;
            self.timers.set(timer, row.key)?;
        }
        if emit == Emit::Final {
            return Ok(Taken::In);
        }
        for start in value.windows(span, time - span.size, time + 1) {
            let before = known.get(&start);
            // The window after the row is told only if the row has made it.
            if span.is_closed(start, now) || start > time && before.is_some() {
                continue;
            }
            if emit == Emit::Commit {
                let number = *value.notes.entry(start).or_insert(self.changed.len());
                match self.changed.get_mut(number) {
                    Some(changed) => changed.time = changed.time.max(time),
                    None => self.changed.push(Changed {
                        slot,
                        start,
                        time,
                        existed: before.is_some(),
                        before: before.cloned().flatten(),
                        frozen: None,
                    }),
                }
                continue;
            }
            let bounds = span.bounds(start);
            let Some(group) = value.merge(context.plan, bounds) else {
                continue;
            };
            match before {
                Some(before) => out.update(row.cause, row.key, bounds, before.as_ref(), &group),
                None => out.insert(row.cause, row.key, bounds, &group),
            }
        }
        Ok(Taken::In)
    }

    fn flush(
        &mut self,
        context: Context<'_, Self>,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let span = *context.shape;
        for changed in std::mem::take(&mut self.changed) {
            let Some(value) = self.table.edit(changed.slot) else {
                continue;
            };
            value.notes.clear();
            let bounds = span.bounds(changed.start);
            let group = match changed.frozen {
                Some(group) => Some(group),
                None => value.merge(context.plan, bounds),
            };
            let Some(group) = group else { continue };
            let (cause, key) = (
                Cause {
                    time: changed.time,
                    ..cause
                },
                self.table.key(changed.slot),
            );
            if changed.existed {
                out.update(cause, key, bounds, changed.before.as_ref(), &group);
            } else {
                out.insert(cause, key, bounds, &group);
            }
        }
        Ok(())
    }

    fn has_results(&self) -> bool {
        !self.changed.is_empty()
    }

    fn expire(&mut self, context: Context<'_, Self>) -> Result<()> {
        self.at_timers(context, |_, _| {})
    }

    /// Gives points, not windows: each with its time as both bounds.
    fn decode(context: Context<'_, Self>, entry: Entry<'_>, out: &mut Output<'_>) -> Result<()> {
        let Some(key) = entry.key.strip_prefix(&[POINTS]) else {
            return Ok(());
        };
        let codec = PieceCodec::new(&context.plan.accumulators);
        let cause = Cause {
            partition: 0,
            seq: 0,
            time: 0,
        };
        let value: OfKey<Point> = read(&codec, (&[POINTS], key), entry.value, entry.store)?;
        for point in value.pieces() {
            out.insert(cause, key, (point.time, point.time), &point.group);
        }
        Ok(())
    }
}

impl Slides {
    /// Visit the keys whose timers are due; then forget their points that no open window needs.
    fn at_timers(
        &mut self,
        context: Context<'_, Self>,
        mut visit: impl FnMut(&[u8], &OfKey<Point>),
    ) -> Result<()> {
        let (span, now) = (*context.shape, self.clock.now());
        while let Some((due, key)) = self.timers.take_before(now)? {
            let Some(slot) = self.table.find(&key, hash(&key))? else {
                continue;
            };
            if self.table.get(slot).is_none_or(|value| value.timer != due) {
                continue;
            }
            let entry = self.table.edit(slot);
            let Some(value) = entry else { continue };
            visit(&key, value);
            value.remove_where(|point| span.is_closed(point.time.saturating_add(1), now));
            match value.next_timer(span, context.plan.emit, now) {
                Some(next) => {
                    value.timer = next;
                    self.timers.set(next, &key)?;
                }
                None => *entry = None,
            }
        }
        Ok(())
    }

    /// Add a row to the point of its time.
    fn put(&mut self, plan: &Plan, slot: Slot, row: &Row<'_>) -> std::result::Result<(), Failure> {
        let time = row.cause.time;
        if let Some(value) = self.table.edit(slot)
            && let Ok(at) = value.place(time)
        {
            return row.add_to(&mut value.edit(at).group);
        }
        let mut group = plan.accumulators.group();
        row.add_to(&mut group)?;
        let first = match plan.emit {
            Emit::Final => self.counter.next(),
            _ => 0,
        };
        let value = self.table.edit(slot).get_or_insert_with(OfKey::new);
        value.insert(Point { time, first, group });
        Ok(())
    }

    /// A row is about to come in at a time: keep the results of closed windows around it that wait for the flush.
    fn freeze(&mut self, context: Context<'_, Self>, slot: Slot, time: i64) {
        let (span, now) = (*context.shape, self.clock.now());
        let Some(value) = self.table.get(slot) else {
            return;
        };
        for (start, number) in value.notes.range(time.saturating_sub(span.size)..=time) {
            let changed = &mut self.changed[*number];
            if changed.frozen.is_none() && span.is_closed(*start, now) {
                changed.frozen = value.merge(context.plan, span.bounds(*start));
            }
        }
    }
}
