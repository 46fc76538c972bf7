//! Sums of rows that wait: whether one of them would be too large is found out when a row comes, which is then left out.
//! When it comes out, it would be too late to say which record it was.

use super::frames::{arguments, batch};
use super::timed::{Timed, TimedTask};
use crate::accumulators::{BoundRows, Failure, Group};
use crate::error::Result;
use crate::kernels::groups::GroupId;
use crate::kernels::joined::ByteRows;
use crate::kernels::queue::{read_place, time_bytes};
use crate::rows::hash;

/// So many rows of a part, none of which is large, never make a sum that is too large.
const SAFE_ROWS: usize = 1 << 16;

impl Timed {
    /// Say what is wrong with a row with which a sum would be too large: its own, or that of another row that has yet to come out.
    ///
    /// Args:
    /// - `time`: its own.
    /// - `row`: the bytes of its arguments, and where they stand.
    pub(super) fn check_sums(
        &self,
        task: &mut TimedTask,
        (group, key): (GroupId, &[u8]),
        time: i64,
        (row, place, bound): (&[u8], usize, &BoundRows<'_>),
    ) -> Result<std::result::Result<(), Failure>> {
        let accumulators = &self.shared.accumulators;
        if !accumulators.may_fail() {
            return Ok(Ok(()));
        }
        let since = match self.length {
            Some(length) => time.saturating_sub(length),
            // What is older is in the totals.
            None => task.clock.now().saturating_sub(self.grace),
        };
        let nothing = accumulators.group();
        let slot = match self.length {
            Some(_) => None,
            None => task.totals.find(key, hash(key))?,
        };
        let total = slot.and_then(|slot| task.totals.get(slot));
        let total: &Group = total.unwrap_or(&nothing);
        let entries = task.groups.entries(group);
        let is_safe = bound.is_safe(place, total, SAFE_ROWS as u64);
        if is_safe && task.large.get() <= since.max(0).unsigned_abs() && entries.len() < SAFE_ROWS {
            return Ok(Ok(()));
        }
        if !is_safe {
            task.large.raise(time.max(0).unsigned_abs() + 1);
        }
        let until = self
            .length
            .map_or(i64::MAX, |length| time.saturating_add(length));
        let mut rows: Vec<(i64, &[u8])> = Vec::new();
        for (suffix, row) in entries.from(&time_bytes(since)) {
            let (at, _) = read_place(suffix)?;
            if at > until {
                break;
            }
            rows.push((at, row));
        }
        let own = rows.partition_point(|(at, _)| *at <= time);
        rows.insert(own, (time, row));
        let mut known = ByteRows::default();
        for (_, row) in &rows {
            known.push(row);
        }
        let columns = arguments(&self.shared, &known, &self.rows)?;
        let batch = batch(&columns, rows.len())?;
        let bound = accumulators.bind(&batch)?;
        for end in own..rows.len() {
            let at = rows[end].0;
            if rows.get(end + 1).is_some_and(|next| next.0 == at) {
                continue;
            }
            let since = self
                .length
                .map_or(i64::MIN, |length| at.saturating_sub(length));
            let start = rows.partition_point(|(at, _)| *at < since);
            let mut sum = total.clone();
            for row in start..=end {
                if let Err(failure) = bound.add(row, &mut sum) {
                    return Ok(Err(failure));
                }
            }
        }
        Ok(Ok(()))
    }
}
