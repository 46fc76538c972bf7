//! Sums that fit in each pane, and not in a window.

use crate::accumulators::{Failure, Group};
use crate::error::Result;

use super::super::{Context, Row};
use super::Panes;

impl Panes {
    /// Say what is wrong with a row of which some window would be too large, though no sub-window is.
    pub fn check(
        &mut self,
        context: Context<'_, Self>,
        pane: i64,
        open: i64,
        row: &Row<'_>,
    ) -> Result<std::result::Result<(), Failure>> {
        let (accumulators, fixed) = (&context.plan.accumulators, context.shape);
        let slot = match row.slot {
            Some(slot) => Some(slot),
            None => self.segments.table(pane)?.find(row.key, row.hash)?,
        };
        let kept = slot.and_then(|slot| Some(&self.pane((pane, slot))?.group));
        let others = (fixed.size / fixed.pane - 1).unsigned_abs();
        let is_safe = match kept {
            Some(group) => row.values.is_safe(row.number, group, others),
            None => row
                .values
                .is_safe(row.number, &accumulators.group(), others),
        };
        let since = pane.saturating_sub(fixed.size).saturating_add(1);
        if is_safe && self.large.get() <= since.max(0).unsigned_abs() {
            return Ok(Ok(()));
        }
        let mut group = kept.map_or_else(|| accumulators.group(), Group::clone);
        if !is_safe {
            self.large.raise(pane.unsigned_abs() + 1);
        }
        if let Err(failure) = row.add_to(&mut group) {
            return Ok(Err(failure));
        }
        let places = self.of_key(row.key, row.hash, since, pane + fixed.size)?;
        let fits = fixed
            .windows_of(pane)
            .filter(|window| *window >= open)
            .try_for_each(|window| {
                let others = places
                    .iter()
                    .filter(|place| place.0 != pane && fixed.has(window, place.0));
                let groups = others.filter_map(|place| Some(&self.pane(*place)?.group));
                accumulators.check(groups.chain([&group]))
            });
        Ok(fits)
    }
}
