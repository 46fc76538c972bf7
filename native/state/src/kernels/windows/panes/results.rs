//! From panes to the results of windows: at the flush, and when windows close.

use std::hint::black_box;

use hashbrown::HashTable;

use crate::accumulators::Group;
use crate::error::Result;
use crate::rows::hash;
use crate::small_bytes::SmallBytes;

use super::super::output::{Cause, Output};
use super::super::segments::entries;
use super::super::{AHEAD, Context, Row};
use super::sliding::merge;
use super::state::{Dirty, Frozen, Pane};
use super::{Panes, Place};

impl Panes {
    /// Give a tumbling window.
    pub fn flush_pane(
        &self,
        context: Context<'_, Self>,
        number: usize,
        cause: Cause,
        out: &mut Output<'_>,
    ) {
        let dirty = &self.dirty[number];
        let Some(table) = self.segments.get(dirty.pane) else {
            return;
        };
        let Some(pane) = table.get(dirty.slot) else {
            return;
        };
        let cause = Cause {
            time: dirty.time,
            ..cause
        };
        let (key, bounds) = (table.key(dirty.slot), context.shape.bounds(dirty.pane));
        if dirty.existed {
            out.update(cause, key, bounds, dirty.before.as_ref(), &pane.group);
        } else {
            out.insert(cause, key, bounds, &pane.group);
        }
    }

    /// Give the windows of a pane that no earlier one was part of.
    pub fn flush_windows(
        &mut self,
        context: Context<'_, Self>,
        number: usize,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let fixed = context.shape;
        let Dirty {
            pane, slot, since, ..
        } = self.dirty[number];
        let Some(table) = self.segments.get(pane) else {
            return Ok(());
        };
        let key: Box<[u8]> = table.key(slot).into();
        let places = self.of_key(&key, hash(&key), pane - fixed.size + 1, pane + fixed.size)?;
        let open = fixed.first_open(since);
        for start in fixed.windows_of(pane).filter(|start| *start >= open) {
            let inside = places.iter().filter(|place| fixed.has(start, place.0));
            let first = inside
                .filter_map(|place| Some(self.dirty_of(self.pane(*place)?)?.0))
                .min();
            if first != Some(number) {
                continue;
            }
            let found = match self.frozen.remove(&(key.clone(), start)) {
                Some(frozen) => Some(frozen),
                None => self.window(context, start, &places),
            };
            let Some(found) = found else { continue };
            let (cause, bounds) = (
                Cause {
                    time: found.time,
                    ..cause
                },
                fixed.bounds(start),
            );
            if found.existed {
                out.update(cause, &key, bounds, found.before.as_ref(), &found.group);
            } else {
                out.insert(cause, &key, bounds, &found.group);
            }
        }
        Ok(())
    }

    /// Give the state of a window of a key, and what it was at the flush.
    fn window(&self, context: Context<'_, Self>, start: i64, places: &[Place]) -> Option<Frozen> {
        let Context { plan, shape: fixed } = context;
        let panes: Vec<(i64, &Pane)> = places
            .iter()
            .filter(|place| fixed.has(start, place.0))
            .filter_map(|place| Some((place.0, self.pane(*place)?)))
            .collect();
        let groups: Vec<_> = panes
            .iter()
            .map(|(time, pane)| (*time, &pane.group))
            .collect();
        let group = merge(plan, fixed, start, &groups)?;
        let (mut time, mut existed) = (i64::MIN, false);
        let mut before = Vec::with_capacity(panes.len());
        for (pane_time, pane) in panes {
            match self.dirty_of(pane) {
                Some((_, dirty)) => {
                    time = time.max(dirty.time);
                    existed |= dirty.existed;
                    before.extend(dirty.before.iter().map(|group| (pane_time, group)));
                }
                None => {
                    existed = true;
                    before.push((pane_time, &pane.group));
                }
            }
        }
        let before = if plan.retracts {
            merge(plan, fixed, start, &before)
        } else {
            None
        };
        Some(Frozen {
            time,
            existed,
            before,
            group,
        })
    }

    /// A row is about to come into a pane of which some windows have closed: keep the results of those that wait for the flush.
    pub fn freeze(
        &mut self,
        context: Context<'_, Self>,
        pane: i64,
        open: i64,
        row: &Row<'_>,
    ) -> Result<()> {
        let fixed = context.shape;
        let places = self.of_key(row.key, row.hash, pane - fixed.size + 1, pane + fixed.size)?;
        for start in fixed.windows_of(pane).take_while(|start| *start < open) {
            let touched = |place: &Place| {
                let dirty = self.pane(*place).and_then(|pane| self.dirty_of(pane));
                dirty.is_some_and(|(_, dirty)| start >= fixed.first_open(dirty.since))
            };
            let inside = |place: &&Place| fixed.has(start, place.0);
            let name = (row.key.into(), start);
            if !self.frozen.contains_key(&name)
                && places.iter().filter(inside).any(touched)
                && let Some(frozen) = self.window(context, start, &places)
            {
                self.frozen.insert(name, frozen);
            }
        }
        Ok(())
    }

    /// Give the final results of a window.
    pub fn close_window(
        &mut self,
        context: Context<'_, Self>,
        start: i64,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let bounds = context.shape.bounds(start);
        if context.shape.is_single() {
            let table = self.segments.table(start)?;
            let mut slots: Vec<_> = entries(table)?
                .into_iter()
                .filter_map(|slot| Some((table.get(slot)?.mark, slot)))
                .collect();
            slots.sort_unstable_by_key(|(mark, _)| *mark);
            for (_, slot) in slots {
                if let Some(pane) = table.get(slot) {
                    out.insert(cause, table.key(slot), bounds, &pane.group);
                }
            }
            return Ok(());
        }
        if context.plan.accumulators.is_flat() {
            let (panes, sliding) = (&mut self.segments, &mut self.sliding);
            return sliding.close(context.plan, context.shape, start, panes, cause, out);
        }
        let mut index: HashTable<usize> = HashTable::new();
        let mut merged: Vec<(u64, SmallBytes, Group)> = Vec::new();
        for (_, table) in self.segments.range_mut(bounds.0..bounds.1) {
            let slots = entries(table)?;
            if merged.is_empty() {
                // As many keys as in the window before, most likely.
                let room = slots.len().max(self.last_keys);
                merged.reserve(room);
                index.reserve(room, |number| hash(merged[*number].1.bytes()));
            }
            // Keys differ within a table, so some can be looked up before any is merged: their memory is waited for at once.
            for slots in slots.chunks(AHEAD) {
                let known = slots.iter().map(|slot| {
                    let key = table.key(*slot);
                    let number =
                        *index.find(hash(key), |number| merged[*number].1.bytes() == key)?;
                    black_box(merged[number].2.rows());
                    Some(number)
                });
                let known: Vec<Option<usize>> = known.collect();
                for (slot, number) in slots.iter().zip(known) {
                    let (key, Some(pane)) = (table.key(*slot), table.get(*slot)) else {
                        continue;
                    };
                    if let Some(number) = number {
                        let (mark, _, group) = &mut merged[number];
                        *mark = pane.mark.min(*mark);
                        context.plan.accumulators.merge(group, &pane.group);
                    } else {
                        index.insert_unique(hash(key), merged.len(), |number| {
                            hash(merged[*number].1.bytes())
                        });
                        merged.push((pane.mark, SmallBytes::new(key), pane.group.clone()));
                    }
                }
            }
        }
        self.last_keys = merged.len();
        // Marks are sorted by themselves: groups are large.
        let mut order: Vec<(u64, usize)> = Vec::with_capacity(merged.len());
        order.extend((0..merged.len()).map(|number| (merged[number].0, number)));
        order.sort_unstable();
        for (_, number) in order {
            let (_, key, group) = &merged[number];
            out.insert(cause, key.bytes(), bounds, group);
        }
        Ok(())
    }
}
