//! A session as it is kept, and what comes out of its changes.

use crate::accumulators::{Accumulators, Group};
use crate::error::Result;

use super::super::encoding::Reader;
use super::super::output::{Bounds, Cause, Output};
use super::super::pieces::Piece;

pub struct Session {
    /// The time of the row that made it, which always lies in it.
    pub id: i64,
    /// Times of the first and the last row.
    pub bounds: Bounds,
    /// EMIT FINAL: tells which of two was touched first.
    pub first: u64,
    pub group: Group,
    /// EMIT COMMIT: what happened since the flush.
    pub changed: Option<Box<Changed>>,
}

pub struct Changed {
    /// The largest time of the rows.
    pub time: i64,
    /// Sessions that were given at the flush and are this one, or part of it, now; with their rows, if old results are wanted.
    pub given: Vec<(Bounds, Option<Group>)>,
}

impl Piece for Session {
    type Notes = ();

    fn id(&self) -> i64 {
        self.id
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn group_mut(&mut self) -> &mut Group {
        &mut self.group
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bounds.0.to_be_bytes());
        out.extend_from_slice(&self.bounds.1.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
    }

    fn decode(id: i64, reader: &mut Reader<'_>, accumulators: &Accumulators) -> Result<Self> {
        Ok(Self {
            id,
            bounds: (reader.int()?, reader.int()?),
            first: reader.int()?.cast_unsigned(),
            group: reader.group(accumulators)?,
            changed: None,
        })
    }
}

/// Give a session that has come to be, or has changed, by one row.
pub fn give(cause: Cause, key: &[u8], session: &Session, parts: &[Session], out: &mut Output<'_>) {
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
pub fn give_changes(
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
pub fn changes(retracts: bool, time: i64, parts: Vec<Session>) -> Changed {
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
