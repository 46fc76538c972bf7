//! Sliding windows: for each time t at which a key has rows the window [t - size, t] and, if there are rows in it, the window
//! [t + 1, t + 1 + size]. Both ends are part of a window; none begins before zero: the earliest rows share [0, size].
//!
//! An entry of the state is all points of one key that an open window may need, a point being the rows of one time. A window
//! is a merge of points.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::accumulators::{Accumulators, Failure, Group};
use crate::error::{Error, Result};
use crate::rows::hash;
use crate::spec::Emit;
use crate::store::Store;
use crate::table::{Codec, Slot, StateTable, read};
use crate::tasks::{Part, Task};

use super::clock::Clock;
use super::counter::Counter;
use super::encoding::{Reader, put_group};
use super::output::{Bounds, Cause, Output};
use super::plan::Plan;
use super::timers::Timers;
use super::{Context, Entry, Row, Taken, Windows};

/// First bytes of keys in the store.
const POINTS: u8 = b's';
const TIMERS: u8 = b't';
const COUNTER: u8 = b'c';

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

struct Point {
    time: i64,
    /// EMIT FINAL: tells which of two was touched first.
    first: u64,
    group: Group,
}

/// The points of a key.
pub struct OfKey {
    /// When the timer of this key is due; there may be earlier ones that mean nothing.
    timer: i64,
    /// By time.
    points: Vec<Point>,
    /// EMIT COMMIT: windows that have changed since the flush, by start, with their place in `Slides::changed`.
    changed: BTreeMap<i64, usize>,
}

impl OfKey {
    /// Give the points from one time to another, both included.
    fn between(&self, (from, to): Bounds) -> &[Point] {
        let begin = self.points.partition_point(|point| point.time < from);
        let end = self.points.partition_point(|point| point.time <= to);
        &self.points[begin..end.max(begin)]
    }

    /// Give where the point of a time is, or would be.
    fn place(&self, time: i64) -> std::result::Result<usize, usize> {
        self.points.binary_search_by_key(&time, |point| point.time)
    }

    fn has(&self, time: i64) -> bool {
        self.place(time).is_ok()
    }

    /// Whether there is a window that begins here.
    fn is_window(&self, span: Span, start: i64) -> bool {
        let (from, to) = span.bounds(start);
        if start == 0 {
            return !self.between((0, to)).is_empty();
        }
        self.has(to) || self.has(start - 1) && !self.between((from, to)).is_empty()
    }

    /// Give the starts of windows among those that begin from one time to another, both included; ascending.
    fn windows(&self, span: Span, from: i64, to: i64) -> Vec<i64> {
        let from = from.max(0);
        let ending = self.between((from.saturating_add(span.size), to.saturating_add(span.size)));
        let following = self.between((from - 1, to.saturating_sub(1)));
        let mut starts: Vec<i64> = ending
            .iter()
            .map(|point| span.left_of(point.time))
            .collect();
        starts.extend(following.iter().map(|point| point.time + 1));
        if from == 0 {
            starts.push(0);
        }
        starts.sort_unstable();
        starts.dedup();
        starts.retain(|start| self.is_window(span, *start));
        starts
    }

    fn merge(&self, plan: &Plan, bounds: Bounds) -> Option<Group> {
        plan.merge(self.between(bounds).iter().map(|point| &point.group))
    }

    /// Give the windows that a row of a time is about to change, and the one right after it, if they are there already; with
    /// their rows if old results are wanted.
    fn known_windows(
        &self,
        context: Context<'_, Slides>,
        time: i64,
    ) -> Result<BTreeMap<i64, Option<Group>>> {
        let (plan, span) = (context.plan, *context.shape);
        let mut known = BTreeMap::new();
        for start in self.windows(span, time - span.size, time + 1) {
            let group = match plan.retracts {
                true => self.merge(plan, span.bounds(start)),
                false => None,
            };
            known.insert(start, group);
        }
        Ok(known)
    }

    /// Tell when a window came to be: with the row at which it ends, or the later one of the row before it and its first.
    fn first_touch(&self, span: Span, start: i64) -> u64 {
        let (from, to) = span.bounds(start);
        let earliest = |points: &[Point]| {
            points
                .iter()
                .map(|point| point.first)
                .min()
                .unwrap_or(u64::MAX)
        };
        if start == 0 {
            return earliest(self.between((from, to)));
        }
        let follows = match self.between((start - 1, start - 1)) {
            [before] => before.first.max(earliest(self.between((from, to)))),
            _ => u64::MAX,
        };
        earliest(self.between((to, to))).min(follows)
    }

    /// Tell when to look at the key again, given stream time.
    fn next_timer(&self, span: Span, emit: Emit, now: i64) -> Option<i64> {
        // The window after the oldest point closes last of all that need the point.
        let expiry = span.last_time(self.points.first()?.time.saturating_add(1));
        if emit != Emit::Final {
            return Some(expiry);
        }
        let open = now.saturating_sub(span.size).saturating_sub(span.grace);
        let close = self
            .windows(span, open, i64::MAX)
            .first()
            .map(|start| span.last_time(*start));
        Some(close.map_or(expiry, |close| close.min(expiry)))
    }
}

pub struct PointCodec {
    accumulators: Arc<Accumulators>,
    span: Span,
}

impl Codec for PointCodec {
    type Value = OfKey;

    fn encode(&self, value: &OfKey, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.timer.to_be_bytes());
        for point in &value.points {
            out.extend_from_slice(&point.time.to_be_bytes());
            out.extend_from_slice(&point.first.to_be_bytes());
            put_group(&self.accumulators, &point.group, out);
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<OfKey> {
        let mut reader = Reader::new(bytes);
        let mut value = OfKey {
            timer: reader.int()?,
            points: Vec::new(),
            changed: BTreeMap::new(),
        };
        while !reader.is_at_end() {
            value.points.push(Point {
                time: reader.int()?,
                first: reader.int()?.cast_unsigned(),
                group: reader.group(&self.accumulators)?,
            });
        }
        Ok(value)
    }

    fn heap(&self, value: &OfKey) -> usize {
        let groups: usize = value
            .points
            .iter()
            .map(|point| point.group.heap_size())
            .sum();
        value.points.capacity() * size_of::<Point>() + groups
    }

    fn timestamp(&self, _: &[u8], value: Option<&OfKey>) -> Option<i64> {
        Some(
            self.span
                .last_time(value?.points.last()?.time.saturating_add(1)),
        )
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
    table: StateTable<PointCodec>,
    timers: Timers,
    /// In the order in which they changed first. EMIT COMMIT only.
    changed: Vec<Changed>,
}

impl Task for Slides {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![
            &mut self.clock,
            &mut self.counter,
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
        let codec = PointCodec {
            accumulators: Arc::clone(&plan.accumulators),
            span: *span,
        };
        Ok(Self {
            clock: Clock::open(store)?,
            counter: Counter::open(store, COUNTER)?,
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
            Ok(())
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
        let emit = context.plan.emit;
        if emit == Emit::Commit {
            self.freeze(context, slot, time)?;
        }
        let known = match self.table.get(slot) {
            Some(value) if emit != Emit::Final => value.known_windows(context, time)?,
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
                let number = *value.changed.entry(start).or_insert(self.changed.len());
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
            value.changed.clear();
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
        self.at_timers(context, |_, _| Ok(()))
    }

    /// Gives points, not windows: each with its time as both bounds.
    fn decode(context: Context<'_, Self>, entry: Entry<'_>, out: &mut Output<'_>) -> Result<()> {
        let Some(key) = entry.key.strip_prefix(&[POINTS]) else {
            return Ok(());
        };
        let codec = PointCodec {
            accumulators: Arc::clone(&context.plan.accumulators),
            span: *context.shape,
        };
        let cause = Cause {
            partition: 0,
            seq: 0,
            time: 0,
        };
        for point in read(&codec, (&[POINTS], key), entry.value, entry.store)?.points {
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
        mut visit: impl FnMut(&[u8], &OfKey) -> Result<()>,
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
            visit(&key, value)?;
            value
                .points
                .retain(|point| !span.is_closed(point.time.saturating_add(1), now));
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
            return row.add_to(&mut value.points[at].group);
        }
        let mut group = plan.accumulators.group();
        row.add_to(&mut group)?;
        let first = match plan.emit {
            Emit::Final => self.counter.next(),
            _ => 0,
        };
        let value = self.table.edit(slot).get_or_insert_with(|| OfKey {
            timer: i64::MAX,
            points: Vec::with_capacity(1),
            changed: BTreeMap::new(),
        });
        let at = value.place(time).unwrap_or_else(|at| at);
        value.points.insert(at, Point { time, first, group });
        Ok(())
    }

    /// A row is about to come in at a time: keep the results of closed windows around it that wait for the flush.
    fn freeze(&mut self, context: Context<'_, Self>, slot: Slot, time: i64) -> Result<()> {
        let (span, now) = (*context.shape, self.clock.now());
        let Some(value) = self.table.get(slot) else {
            return Ok(());
        };
        for (start, number) in value.changed.range(time.saturating_sub(span.size)..=time) {
            let changed = &mut self.changed[*number];
            if changed.frozen.is_none() && span.is_closed(*start, now) {
                changed.frozen = value.merge(context.plan, span.bounds(*start));
            }
        }
        Ok(())
    }
}
