//! Session windows: rows of a key that are at most a gap apart. An entry of the state is all sessions of one key that have not
//! closed; a timer says when the first of them may.

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
const SESSIONS: u8 = b's';
const TIMERS: u8 = b't';
const COUNTER: u8 = b'c';

/// How long sessions live.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    gap: i64,
    grace: i64,
}

impl Gap {
    /// Stream time up to which a session that ends here takes rows.
    fn last_time(self, end: i64) -> i64 {
        end.saturating_add(self.gap).saturating_add(self.grace)
    }

    fn is_closed(self, end: i64, now: i64) -> bool {
        self.last_time(end) < now
    }

    fn joins(self, (start, end): Bounds, time: i64) -> bool {
        start.saturating_sub(self.gap) <= time && time <= end.saturating_add(self.gap)
    }
}

struct Session {
    /// Times of the first and the last row.
    bounds: Bounds,
    /// EMIT FINAL: tells which of two was touched first.
    first: u64,
    group: Group,
    /// EMIT COMMIT: what happened since the flush.
    changed: Option<Box<Changed>>,
}

struct Changed {
    /// The largest time of the rows.
    time: i64,
    /// Sessions that were given at the flush and are this one, or part of it, now; with their rows, if old results are wanted.
    given: Vec<(Bounds, Option<Group>)>,
}

/// The sessions of a key.
pub struct OfKey {
    /// When the timer of this key is due; there may be earlier ones that mean nothing.
    timer: i64,
    /// By start; closed ones that were not given yet are among them.
    sessions: Vec<Session>,
}

impl OfKey {
    fn has_no_changes(&self) -> bool {
        self.sessions
            .iter()
            .all(|session| session.changed.is_none())
    }
}

pub struct SessionCodec {
    accumulators: Arc<Accumulators>,
    gap: Gap,
}

impl Codec for SessionCodec {
    type Value = OfKey;

    fn encode(&self, value: &OfKey, out: &mut Vec<u8>) {
        out.extend_from_slice(&value.timer.to_be_bytes());
        for session in &value.sessions {
            out.extend_from_slice(&session.bounds.0.to_be_bytes());
            out.extend_from_slice(&session.bounds.1.to_be_bytes());
            out.extend_from_slice(&session.first.to_be_bytes());
            put_group(&self.accumulators, &session.group, out);
        }
    }

    fn decode(&self, bytes: &[u8]) -> Result<OfKey> {
        let mut reader = Reader::new(bytes);
        let mut value = OfKey {
            timer: reader.int()?,
            sessions: Vec::new(),
        };
        while !reader.is_at_end() {
            value.sessions.push(Session {
                bounds: (reader.int()?, reader.int()?),
                first: reader.int()?.cast_unsigned(),
                group: reader.group(&self.accumulators)?,
                changed: None,
            });
        }
        Ok(value)
    }

    fn heap(&self, value: &OfKey) -> usize {
        let groups: usize = value
            .sessions
            .iter()
            .map(|session| session.group.heap_size())
            .sum();
        value.sessions.capacity() * size_of::<Session>() + groups
    }

    fn timestamp(&self, _: &[u8], value: Option<&OfKey>) -> Option<i64> {
        let last = value?
            .sessions
            .iter()
            .map(|session| session.bounds.1)
            .max()?;
        Some(self.gap.last_time(last))
    }
}

/// The sessions of one task.
pub struct Sessions {
    clock: Clock,
    counter: Counter,
    table: StateTable<SessionCodec>,
    timers: Timers,
    /// Keys with changes since the flush, in the order of their first. EMIT COMMIT only.
    changed: Vec<Slot>,
}

impl Task for Sessions {
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

impl Windows for Sessions {
    type Shape = Gap;

    fn shape(plan: &Plan) -> Result<Gap> {
        let gap = Gap {
            gap: plan.window.size,
            grace: plan.window.grace,
        };
        if gap.gap < 0 || gap.grace < 0 {
            return Err(Error::spec(
                "a session window needs a gap and a grace of at least zero",
            ));
        }
        Ok(gap)
    }

    fn open(plan: &Plan, gap: &Gap, store: &Store) -> Result<Self> {
        let codec = SessionCodec {
            accumulators: Arc::clone(&plan.accumulators),
            gap: *gap,
        };
        Ok(Self {
            clock: Clock::open(store)?,
            counter: Counter::open(store, COUNTER)?,
            table: StateTable::open(store, &[SESSIONS], codec)?,
            timers: Timers::open(store, TIMERS, gap.last_time(0) / 16)?,
            changed: Vec::new(),
        })
    }

    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    fn close(
        &mut self,
        context: Context<'_, Self>,
        _: i64,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let mut closed = Vec::new();
        self.remove_closed(*context.shape, |key, session| {
            closed.push((session, Box::<[u8]>::from(key)))
        })?;
        closed.sort_by_key(|(session, _)| (session.bounds.1, session.first));
        for (session, key) in closed {
            let cause = Cause {
                time: session.bounds.1,
                ..cause
            };
            out.insert(cause, &key, session.bounds, &session.group);
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
        let (plan, gap, now, time) = (
            context.plan,
            *context.shape,
            self.clock.now(),
            row.cause.time,
        );
        if time < 0 {
            return Ok(Taken::Late);
        }
        let slot = match row.slot {
            Some(slot) => slot,
            None => self.table.slot(row.key, row.hash)?,
        };
        let sessions = self
            .table
            .get(slot)
            .map_or(&[][..], |value| &value.sessions);
        let joined: Vec<usize> = (0..sessions.len())
            .filter(|at| {
                let bounds = sessions[*at].bounds;
                gap.joins(bounds, time) && !gap.is_closed(bounds.1, now)
            })
            .collect();
        let bounds = joined.iter().fold((time, time), |(start, end), at| {
            let other = sessions[*at].bounds;
            (start.min(other.0), end.max(other.1))
        });
        if gap.is_closed(bounds.1, now) {
            return Ok(Taken::Late);
        }
        let place = Place {
            slot,
            joined: &joined,
            bounds,
        };
        let taken = match joined.as_slice() {
            [at] if !(plan.retracts && sessions[*at].changed.is_none()) => {
                self.extend(context, row, *at, &place, out)
            }
            _ => self.merge(context, row, &place, out),
        };
        if let Err(failure) = taken {
            return Ok(Taken::Failed(failure));
        }
        let due = gap.last_time(bounds.1);
        if let Some(value) = self.table.edit(slot)
            && due < value.timer
        {
            value.timer = due;
            self.timers.set(due, row.key)?;
        }
        Ok(Taken::In)
    }

    fn flush(&mut self, _: Context<'_, Self>, cause: Cause, out: &mut Output<'_>) -> Result<()> {
        for slot in std::mem::take(&mut self.changed) {
            let Some(mut value) = self.table.edit(slot).take() else {
                continue;
            };
            for session in &mut value.sessions {
                if let Some(changed) = session.changed.take() {
                    let cause = Cause {
                        time: changed.time,
                        ..cause
                    };
                    give_changes(cause, self.table.key(slot), session, *changed, out);
                }
            }
            *self.table.edit(slot) = Some(value);
        }
        Ok(())
    }

    fn has_results(&self) -> bool {
        !self.changed.is_empty()
    }

    fn expire(&mut self, context: Context<'_, Self>) -> Result<()> {
        self.remove_closed(*context.shape, |_, _| {})
    }

    fn decode(context: Context<'_, Self>, entry: Entry<'_>, out: &mut Output<'_>) -> Result<()> {
        let Some(key) = entry.key.strip_prefix(&[SESSIONS]) else {
            return Ok(());
        };
        let codec = SessionCodec {
            accumulators: Arc::clone(&context.plan.accumulators),
            gap: *context.shape,
        };
        let cause = Cause {
            partition: 0,
            seq: 0,
            time: 0,
        };
        for session in read(&codec, (&[SESSIONS], key), entry.value, entry.store)?.sessions {
            out.insert(cause, key, session.bounds, &session.group);
        }
        Ok(())
    }
}

/// Where a row goes.
struct Place<'a> {
    slot: Slot,
    /// The sessions that it joins, by number, ascending.
    joined: &'a [usize],
    /// Those of the session that comes of it.
    bounds: Bounds,
}

impl Sessions {
    /// Add a row to a session whose old rows nobody asks for.
    fn extend(
        &mut self,
        context: Context<'_, Self>,
        row: &Row<'_>,
        at: usize,
        place: &Place<'_>,
        out: &mut Output<'_>,
    ) -> std::result::Result<(), Failure> {
        let Some(value) = self.table.edit(place.slot) else {
            return Ok(());
        };
        let is_first_change = value.has_no_changes();
        let session = &mut value.sessions[at];
        row.add_to(&mut session.group)?;
        let old = std::mem::replace(&mut session.bounds, place.bounds);
        match context.plan.emit {
            Emit::Final => {}
            Emit::Record if old == place.bounds => {
                out.update(row.cause, row.key, old, None, &session.group);
            }
            Emit::Record => {
                out.delete(row.cause, row.key, old, None);
                out.insert(row.cause, row.key, place.bounds, &session.group);
            }
            Emit::Commit => match &mut session.changed {
                Some(changed) => changed.time = changed.time.max(row.cause.time),
                None => {
                    session.changed = Some(Box::new(Changed {
                        time: row.cause.time,
                        given: vec![(old, None)],
                    }));
                    if is_first_change {
                        self.changed.push(place.slot);
                    }
                }
            },
        }
        value.sessions.sort_by_key(|session| session.bounds);
        Ok(())
    }

    /// Make one session of a row and all that it joins, if any.
    fn merge(
        &mut self,
        context: Context<'_, Self>,
        row: &Row<'_>,
        place: &Place<'_>,
        out: &mut Output<'_>,
    ) -> std::result::Result<(), Failure> {
        let plan = context.plan;
        let sessions = self
            .table
            .get(place.slot)
            .map_or(&[][..], |value| &value.sessions);
        let mut group = plan.accumulators.group();
        row.add_to(&mut group)?;
        let groups = place.joined.iter().map(|at| &sessions[*at].group);
        plan.accumulators.check(groups.clone().chain([&group]))?;
        let group = plan
            .merge(groups.chain([&group]))
            .unwrap_or_else(|| plan.accumulators.group());

        let value = self.table.edit(place.slot).get_or_insert_with(|| OfKey {
            timer: i64::MAX,
            sessions: Vec::with_capacity(1),
        });
        let is_first_change = value.has_no_changes();
        // From the last to the first, so that the numbers stay right; then in order.
        let joined = place.joined.iter().rev();
        let mut parts: Vec<Session> = joined.map(|at| value.sessions.remove(*at)).collect();
        parts.reverse();
        let mut session = Session {
            bounds: place.bounds,
            first: 0,
            group,
            changed: None,
        };
        match plan.emit {
            Emit::Final => {
                let first = parts.iter().map(|part| part.first).min();
                session.first = first.unwrap_or_else(|| self.counter.next());
            }
            Emit::Record => give(row.cause, row.key, &session, &parts, out),
            Emit::Commit => {
                session.changed = Some(Box::new(changes(plan.retracts, row.cause.time, parts)));
                if is_first_change {
                    self.changed.push(place.slot);
                }
            }
        }
        value.sessions.push(session);
        value.sessions.sort_by_key(|session| session.bounds);
        Ok(())
    }

    /// Take the sessions out that have closed.
    fn remove_closed(&mut self, gap: Gap, mut removed: impl FnMut(&[u8], Session)) -> Result<()> {
        let now = self.clock.now();
        while let Some((due, key)) = self.timers.take_before(now)? {
            let Some(slot) = self.table.find(&key, hash(&key))? else {
                continue;
            };
            if self.table.get(slot).is_none_or(|value| value.timer != due) {
                continue;
            }
            let entry = self.table.edit(slot);
            let Some(value) = entry else { continue };
            let (closed, open) = std::mem::take(&mut value.sessions)
                .into_iter()
                .partition(|session| gap.is_closed(session.bounds.1, now));
            value.sessions = open;
            Vec::into_iter(closed).for_each(|session| removed(&key, session));
            match value
                .sessions
                .iter()
                .map(|session| gap.last_time(session.bounds.1))
                .min()
            {
                Some(next) => {
                    value.timer = next;
                    self.timers.set(next, &key)?;
                }
                None => *entry = None,
            }
        }
        Ok(())
    }
}

/// Give a session that has come to be, or has changed, by one row.
fn give(cause: Cause, key: &[u8], session: &Session, parts: &[Session], out: &mut Output<'_>) {
    if let [part] = parts
        && part.bounds == session.bounds
    {
        return out.update(
            cause,
            key,
            session.bounds,
            Some(&part.group),
            &session.group,
        );
    }
    for part in parts {
        out.delete(cause, key, part.bounds, Some(&part.group));
    }
    out.insert(cause, key, session.bounds, &session.group);
}

/// Give a session that has changed since the flush.
fn give_changes(
    cause: Cause,
    key: &[u8],
    session: &Session,
    changed: Changed,
    out: &mut Output<'_>,
) {
    let mut given = changed.given;
    given.sort_unstable_by_key(|(bounds, _)| *bounds);
    let mut same = None;
    for (bounds, before) in given {
        if bounds == session.bounds {
            same = Some(before);
        } else {
            out.delete(cause, key, bounds, before.as_ref());
        }
    }
    match same {
        Some(before) => out.update(cause, key, session.bounds, before.as_ref(), &session.group),
        None => out.insert(cause, key, session.bounds, &session.group),
    }
}

/// What has happened since the flush to a session made of some parts and a row.
fn changes(retracts: bool, time: i64, parts: Vec<Session>) -> Changed {
    let mut changed = Changed {
        time,
        given: Vec::new(),
    };
    for part in parts {
        match part.changed {
            Some(earlier) => {
                changed.time = changed.time.max(earlier.time);
                changed.given.extend(earlier.given);
            }
            None => changed
                .given
                .push((part.bounds, retracts.then_some(part.group))),
        }
    }
    changed
}
