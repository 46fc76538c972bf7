//! EMIT RECORD: results with each row.

use crate::accumulators::Group;
use crate::error::Result;

use super::super::output::Output;
use super::super::{Context, Row, Taken};
use super::sliding::merge;
use super::state::Pane;
use super::{Panes, Place};

impl Panes {
    /// Add a row to a tumbling window and give it.
    pub fn add_to_one(
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
            if let Err(failure) = row.add_to(&mut pane.group) {
                return Ok(Taken::Failed(failure));
            }
            out.update(row.cause, row.key, bounds, before.as_ref(), &pane.group);
            return Ok(Taken::In);
        }
        let mut group = plan.accumulators.group();
        if let Err(failure) = row.add_to(&mut group) {
            return Ok(Taken::Failed(failure));
        }
        out.insert(row.cause, row.key, bounds, &group);
        *table.edit(slot) = Some(Pane { group, mark: 0 });
        Ok(Taken::In)
    }

    /// Add a row and give each of its windows that has not closed.
    pub fn add_and_give(
        &mut self,
        context: Context<'_, Self>,
        pane: i64,
        open: i64,
        row: &Row<'_>,
        out: &mut Output<'_>,
    ) -> Result<Taken> {
        let (plan, fixed) = (context.plan, context.shape);
        let mut places =
            self.of_key(row.key, row.hash, pane - fixed.size + 1, pane + fixed.size)?;
        let before = |window: i64| {
            if plan.retracts {
                self.merged(context, window, &places).map(Some)
            } else {
                let mut inside = places.iter().filter(|place| fixed.has(window, place.0));
                inside.next().map(|_| None)
            }
        };
        let windows = fixed.windows_of(pane).filter(|window| *window >= open);
        let windows: Vec<(i64, Option<Option<Group>>)> =
            windows.map(|window| (window, before(window))).collect();
        let table = self.segments.table(pane)?;
        let slot = match row.slot {
            Some(slot) => slot,
            None => table.slot(row.key, row.hash)?,
        };
        if table.get(slot).is_some() {
            if let Some(pane) = table.edit(slot)
                && let Err(failure) = row.add_to(&mut pane.group)
            {
                return Ok(Taken::Failed(failure));
            }
        } else {
            let mut group = plan.accumulators.group();
            if let Err(failure) = row.add_to(&mut group) {
                return Ok(Taken::Failed(failure));
            }
            *table.edit(slot) = Some(Pane { group, mark: 0 });
            let at = places.partition_point(|place| place.0 < pane);
            places.insert(at, (pane, slot));
        }
        for (window, before) in windows {
            let Some(merged) = self.merged(context, window, &places) else {
                continue;
            };
            let bounds = fixed.bounds(window);
            match before {
                Some(before) => out.update(row.cause, row.key, bounds, before.as_ref(), &merged),
                None => out.insert(row.cause, row.key, bounds, &merged),
            }
        }
        Ok(Taken::In)
    }

    fn merged(&self, context: Context<'_, Self>, window: i64, places: &[Place]) -> Option<Group> {
        let inside = places
            .iter()
            .filter(|place| context.shape.has(window, place.0));
        let panes = inside.filter_map(|place| Some((place.0, &self.pane(*place)?.group)));
        merge(
            context.plan,
            context.shape,
            window,
            &panes.collect::<Vec<_>>(),
        )
    }
}
