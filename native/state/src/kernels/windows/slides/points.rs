//! The rows of one key at one time, and the windows that such points make up.

use std::collections::BTreeMap;

use crate::accumulators::{Accumulators, Group};
use crate::error::Result;
use crate::spec::Emit;

use super::super::encoding::Reader;
use super::super::output::Bounds;
use super::super::pieces::{OfKey, Piece};
use super::super::plan::Plan;
use super::Span;

#[derive(Clone)]
pub struct Point {
    pub time: i64,
    /// EMIT FINAL: tells which of two was touched first.
    pub first: u64,
    pub group: Group,
}

impl Piece for Point {
    /// EMIT COMMIT: windows that have changed since the flush, by start, with their place in `Slides::changed`.
    type Notes = BTreeMap<i64, usize>;

    fn id(&self) -> i64 {
        self.time
    }

    fn group(&self) -> &Group {
        &self.group
    }

    fn group_mut(&mut self) -> &mut Group {
        &mut self.group
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.first.to_be_bytes());
    }

    fn decode(id: i64, reader: &mut Reader<'_>, accumulators: &Accumulators) -> Result<Self> {
        Ok(Self {
            time: id,
            first: reader.int()?.cast_unsigned(),
            group: reader.group(accumulators)?,
        })
    }
}

impl OfKey<Point> {
    /// Give the points from one time to another, both included.
    pub fn between(&self, (from, to): Bounds) -> &[Point] {
        let begin = self.pieces().partition_point(|point| point.time < from);
        let end = self.pieces().partition_point(|point| point.time <= to);
        &self.pieces()[begin..end.max(begin)]
    }

    pub fn has(&self, time: i64) -> bool {
        self.place(time).is_ok()
    }

    /// Whether there is a window that begins here.
    pub fn is_window(&self, span: Span, start: i64) -> bool {
        let (from, to) = span.bounds(start);
        if start == 0 {
            return !self.between((0, to)).is_empty();
        }
        self.has(to) || self.has(start - 1) && !self.between((from, to)).is_empty()
    }

    /// Give the starts of windows among those that begin from one time to another, both included; ascending.
    pub fn windows(&self, span: Span, from: i64, to: i64) -> Vec<i64> {
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

    pub fn merge(&self, plan: &Plan, bounds: Bounds) -> Option<Group> {
        plan.merge(self.between(bounds).iter().map(|point| &point.group))
    }

    /// Give the windows that a row of a time is about to change, and the one right after it, if they are there already; with
    /// their rows if old results are wanted.
    pub fn known_windows(
        &self,
        plan: &Plan,
        span: Span,
        time: i64,
    ) -> BTreeMap<i64, Option<Group>> {
        let mut known = BTreeMap::new();
        for start in self.windows(span, time - span.size, time + 1) {
            let group = match plan.retracts {
                true => self.merge(plan, span.bounds(start)),
                false => None,
            };
            known.insert(start, group);
        }
        known
    }

    /// Tell when a window came to be: with the row at which it ends, or the later one of the row before it and its first.
    pub fn first_touch(&self, span: Span, start: i64) -> u64 {
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
    pub fn next_timer(&self, span: Span, emit: Emit, now: i64) -> Option<i64> {
        // The window after the oldest point closes last of all that need the point.
        let expiry = span.last_time(self.pieces().first()?.time.saturating_add(1));
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
