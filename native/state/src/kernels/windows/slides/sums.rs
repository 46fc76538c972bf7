//! Sums that fit in each point, and not in a window.

use crate::accumulators::Failure;
use crate::table::Slot;

use super::super::pieces::OfKey;
use super::super::{Context, Row};
use super::Slides;
use super::points::Point;

/// So many points of one key, none of which is large, never make a window that is too large.
const SAFE_POINTS: usize = 4096;

impl Slides {
    /// Say what is wrong with a row of which some window would be too large, though no point is.
    pub fn check(
        &mut self,
        context: Context<'_, Self>,
        slot: Slot,
        row: &Row<'_>,
    ) -> std::result::Result<(), Failure> {
        let (plan, span, time) = (context.plan, *context.shape, row.cause.time);
        let nothing = plan.accumulators.group();
        let known = self.table.get(slot);
        let kept = known.and_then(|value| Some(&value.pieces()[value.place(time).ok()?].group));
        let is_safe = row
            .values
            .is_safe(row.number, kept.unwrap_or(&nothing), SAFE_POINTS as u64);
        let since = time.saturating_sub(span.size).max(0).unsigned_abs();
        if is_safe
            && self.large.get() <= since
            && known.is_none_or(|value| value.pieces().len() < SAFE_POINTS)
        {
            return Ok(());
        }
        let mut group = kept.unwrap_or(&nothing).clone();
        let mut tried = known.cloned().unwrap_or_else(OfKey::new);
        if !is_safe {
            self.large.raise(time.unsigned_abs() + 1);
        }
        row.add_to(&mut group)?;
        match tried.place(time) {
            Ok(at) => tried.edit(at).group = group,
            Err(_) => tried.insert(Point {
                time,
                first: 0,
                group,
            }),
        }
        tried
            .windows(span, time - span.size, time + 1)
            .into_iter()
            .filter(|start| !span.is_closed(*start, self.clock.now()))
            .try_for_each(|start| {
                let points = tried.between(span.bounds(start)).iter();
                plan.accumulators.check(points.map(|point| &point.group))
            })
    }
}
