//! Session windows: rows of a key that are at most a gap apart. An entry of the state, with its members, is all sessions of one key that have not
//! closed; a timer says when the first of them may.

mod session;

use crate::accumulators::Failure;
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
use session::{Changed, Session, changes, give, give_changes};

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

/// The sessions of one task.
pub struct Sessions {
    clock: Clock,
    counter: Counter,
    table: StateTable<PieceCodec<Session>>,
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
        let codec = PieceCodec::new(&plan.accumulators);
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
        let sessions = self.table.get(slot).map_or(&[][..], OfKey::pieces);
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
            [at] => self.extend(plan, row, *at, &place, out),
            _ => self.merge(plan, row, &place, out),
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
            for session in value.not_kept() {
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
        let codec = PieceCodec::new(&context.plan.accumulators);
        let cause = Cause {
            partition: 0,
            seq: 0,
            time: 0,
        };
        let value: OfKey<Session> = read(&codec, (&[SESSIONS], key), entry.value, entry.store)?;
        for session in value.pieces() {
            out.insert(cause, key, session.bounds, &session.group);
        }
        Ok(())
    }
}

fn has_no_changes(value: &OfKey<Session>) -> bool {
    let mut sessions = value.pieces().iter();
    sessions.all(|session| session.changed.is_none())
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
    /// Add a row to a session.
    fn extend(
        &mut self,
        plan: &Plan,
        row: &Row<'_>,
        at: usize,
        place: &Place<'_>,
        out: &mut Output<'_>,
    ) -> std::result::Result<(), Failure> {
        let Some(value) = self.table.edit(place.slot) else {
            return Ok(());
        };
        let is_first_change = has_no_changes(value);
        let session = value.edit(at);
        let is_given = plan.emit == Emit::Record || session.changed.is_none();
        let before = (plan.retracts && is_given).then(|| session.group.clone());
        row.add_to(&mut session.group)?;
        let old = std::mem::replace(&mut session.bounds, place.bounds);
        match plan.emit {
            Emit::Final => {}
            Emit::Record if old == place.bounds => {
                out.update(row.cause, row.key, old, before.as_ref(), &session.group);
            }
            Emit::Record => {
                out.delete(row.cause, row.key, old, before.as_ref());
                out.insert(row.cause, row.key, place.bounds, &session.group);
            }
            Emit::Commit => match &mut session.changed {
                Some(changed) => changed.time = changed.time.max(row.cause.time),
                None => {
                    session.changed = Some(Box::new(Changed {
                        time: row.cause.time,
                        given: vec![(old, before)],
                    }));
                    if is_first_change {
                        self.changed.push(place.slot);
                    }
                }
            },
        }
        Ok(())
    }

    /// Make one session of a row and all that it joins, if any.
    fn merge(
        &mut self,
        plan: &Plan,
        row: &Row<'_>,
        place: &Place<'_>,
        out: &mut Output<'_>,
    ) -> std::result::Result<(), Failure> {
        let accumulators = &plan.accumulators;
        let mut group = accumulators.group();
        row.add_to(&mut group)?;
        let known = self.table.get(place.slot).map_or(&[][..], OfKey::pieces);
        let groups = place.joined.iter().map(|at| &known[*at].group);
        accumulators.check(groups.chain([&group]))?;

        let value = self.table.edit(place.slot).get_or_insert_with(OfKey::new);
        let is_first_change = has_no_changes(value);
        // From the last to the first, so that the numbers stay right; then in order.
        let joined = place.joined.iter().rev();
        let mut parts: Vec<Session> = joined.map(|at| value.remove(*at)).collect();
        parts.reverse();
        let mut session = Session {
            id: parts.first().map_or(row.cause.time, |part| part.id),
            bounds: place.bounds,
            first: 0,
            group,
            changed: None,
        };
        if let Some((first, others)) = parts.split_first_mut() {
            // What is kept of the first part stays where it is; a copy tells what was.
            let copy = if plan.retracts {
                first.group.clone()
            } else {
                accumulators.group()
            };
            let mut merged = std::mem::replace(&mut first.group, copy);
            for part in others {
                accumulators.merge(&mut merged, &part.group);
            }
            accumulators.merge(&mut merged, &session.group);
            session.group = merged;
        }
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
        value.insert(session);
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
            let closed = value.remove_where(|session| gap.is_closed(session.bounds.1, now));
            closed
                .into_iter()
                .for_each(|session| removed(&key, session));
            match value
                .pieces()
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
