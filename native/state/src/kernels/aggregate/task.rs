//! The groups of one partition.

use std::ops::Range;
use std::sync::Arc;

use super::outcome::{Answers, Flushed};
use super::{Batch, Groups};
use crate::accumulators::{Accumulators, BoundRows, Failure as Overflow, Group, ResultColumns};
use crate::batch::op;
use crate::error::Result;
use crate::kernel::Failure;
use crate::kernels::joined::Cause;
use crate::store::Store;
use crate::table::{Slot, StateTable};
use crate::tasks::{Part, Task};

/// The groups of so many rows are looked up before the first of them changes: short work that waits for memory overlaps.
const CHUNK: usize = 256;

/// The groups of one partition.
pub(super) struct GroupTask {
    groups: StateTable<Arc<Accumulators>>,
    /// Groups that have changed since the last flush, in order.
    touched: Vec<Touched>,
    marks: Marks,
    /// What was given last of touched groups; only with `retracts`.
    before: ResultColumns,
    /// The `_seq` of the last row that touched a group: the highest, since they ascend.
    seq: i64,
}

/// A group that has changed since the last flush.
struct Touched {
    slot: Slot,
    /// The largest time of a row.
    time: i64,
    before: Before,
}

/// What was given of a group before.
#[derive(Clone, Copy)]
enum Before {
    /// It was not there, or could not be given.
    Absent,
    /// It was there; nobody asks what it was like.
    Present,
    /// Its row in the columns of what was given last.
    Row(usize),
}

/// Which slots have been touched, and where they stand among the touched.
#[derive(Default)]
struct Marks(Vec<u32>);

impl Marks {
    /// Give the place of a slot, None if it has none yet.
    fn get(&self, slot: Slot) -> Option<usize> {
        match self.0.get(slot.number()) {
            None | Some(0) => None,
            Some(place) => Some(*place as usize - 1),
        }
    }

    fn set(&mut self, slot: Slot, place: usize) {
        if self.0.len() <= slot.number() {
            self.0.resize(slot.number() + 1, 0);
        }
        self.0[slot.number()] = u32::try_from(place + 1).expect("fewer slots than 4 billion");
    }

    fn clear(&mut self, slot: Slot) {
        self.0[slot.number()] = 0;
    }
}

impl Task for GroupTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.groups]
    }

    fn rolled_back(&mut self) -> Result<()> {
        self.marks.0.clear();
        self.touched.clear();
        self.forget_befores();
        Ok(())
    }
}

impl GroupTask {
    pub(super) fn open(groups: &Groups, store: &Store) -> Result<Self> {
        Ok(Self {
            groups: StateTable::open(store, super::PREFIX, Arc::clone(&groups.accumulators))?,
            touched: Vec::new(),
            marks: Marks::default(),
            before: groups.accumulators.result_columns(),
            seq: i64::MIN,
        })
    }

    /// Remember that a group is about to change, and what it was like if it has not since the last flush. Gives what
    /// `untouch` needs: the time that the group had.
    fn touch(&mut self, shared: &Groups, slot: Slot, time: i64) -> Option<i64> {
        if let Some(place) = self.marks.get(slot) {
            let touched = &mut self.touched[place];
            let earlier = touched.time;
            touched.time = earlier.max(time);
            return Some(earlier);
        }
        let group = self.groups.get(slot);
        let before = match group.filter(|group| shared.accumulators.gives(group)) {
            None => Before::Absent,
            Some(_) if !shared.retracts => Before::Present,
            Some(group) => Before::Row(self.before.push(&shared.accumulators, group)),
        };
        self.marks.set(slot, self.touched.len());
        self.touched.push(Touched { slot, time, before });
        None
    }

    /// Undo the last `touch`: the row had no effect.
    fn untouch(&mut self, slot: Slot, earlier: Option<i64>) {
        match (earlier, self.marks.get(slot)) {
            (Some(earlier), Some(place)) => self.touched[place].time = earlier,
            _ => {
                self.marks.clear(slot);
                if let Some(Touched {
                    before: Before::Row(_),
                    ..
                }) = self.touched.pop()
                {
                    self.before.pop();
                }
            }
        }
    }

    fn forget_befores(&mut self) -> ResultColumns {
        let columns = self.groups.codec().result_columns();
        std::mem::replace(&mut self.before, columns)
    }

    /// Take a row in or away. On failure the group is as it was.
    fn apply(
        &mut self,
        shared: &Groups,
        rows: &BoundRows<'_>,
        (row, weight): (usize, i8),
        slot: Slot,
    ) -> std::result::Result<(), Overflow> {
        let Some(group) = self.groups.edit(slot) else {
            let mut group = shared.accumulators.group();
            change(rows, row, weight, &mut group)?;
            *self.groups.edit(slot) = Some(group);
            return Ok(());
        };
        change(rows, row, weight, group)?;
        if group.rows() == 0 {
            // Nothing of what was must show in what comes.
            *group = shared.accumulators.group();
        }
        Ok(())
    }

    /// Give a group that is part of the result.
    fn given(&self, shared: &Groups, slot: Slot) -> Option<&Group> {
        let group = self.groups.get(slot)?;
        shared.accumulators.gives(group).then_some(group)
    }

    /// Say whether the results of a group can be given, if it is there. It has taken its rows in, and goes on to be right: only
    /// its results are missing until others make them such that they can be given.
    fn check(&self, shared: &Groups, slot: Slot) -> std::result::Result<(), Overflow> {
        match self.groups.get(slot) {
            Some(group) if group.exists() => shared.accumulators.check_results(group),
            _ => Ok(()),
        }
    }

    /// Remove a group that has no rows left.
    fn remove_if_empty(&mut self, slot: Slot) {
        if self.groups.get(slot).is_some_and(|group| group.rows() == 0) {
            *self.groups.edit(slot) = None;
        }
    }

    /// Give all touched groups, and remove those that have no rows left.
    pub(super) fn flush(&mut self, shared: &Groups, partition: i32, out: &mut Flushed) {
        let befores = out.befores.len();
        for Touched { slot, time, before } in std::mem::take(&mut self.touched) {
            self.marks.clear(slot);
            let group = self.given(shared, slot);
            let existed = !matches!(before, Before::Absent);
            if let Some(op) = shared.verdict(existed, group.is_some()) {
                let cause = Cause {
                    partition,
                    seq: self.seq,
                    time,
                };
                let key = self.groups.key(slot);
                match (before, op, group) {
                    (Before::Row(row), op::DELETE, _) => {
                        out.push(cause, op, key, (1 + befores, row))
                    }
                    (before, _, Some(group)) => {
                        if let Before::Row(row) = before {
                            out.push(cause, op::UPDATE_BEFORE, key, (1 + befores, row));
                        }
                        let row = out.afters.push(&shared.accumulators, group);
                        out.push(cause, op, key, (0, row));
                    }
                    (_, _, None) => {
                        let row = out.afters.push_null();
                        out.push(cause, op, key, (0, row));
                    }
                }
            }
            self.remove_if_empty(slot);
        }
        let before = self.forget_befores();
        out.befores.push(before);
    }

    /// Whether results wait for a flush.
    pub(super) fn waits(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Take rows in; results wait for the flush. Gives the number of rows without a key.
    pub(super) fn gather(
        &mut self,
        shared: &Groups,
        batch: &Batch<'_>,
        run: Range<usize>,
        failed: &mut Vec<Failure>,
    ) -> Result<u64> {
        let mut null_keys = 0;
        let mut slots = Vec::with_capacity(CHUNK);
        for start in run.clone().step_by(CHUNK) {
            let rows = start..run.end.min(start + CHUNK);
            self.find(batch, rows.clone(), &mut slots)?;
            for (row, slot) in rows.zip(slots.drain(..)) {
                let Some(slot) = slot else {
                    null_keys += 1;
                    continue;
                };
                let earlier = self.touch(shared, slot, batch.input.time[row]);
                match self.apply(shared, &batch.rows, (row, batch.input.op[row]), slot) {
                    Ok(()) => {
                        self.seq = batch.input.seq[row];
                        if shared.accumulators.may_withhold()
                            && !batch.is_first_half(row)
                            && let Err(overflow) = self.check(shared, slot)
                        {
                            failed.push(failure(row, overflow));
                        }
                    }
                    Err(overflow) => {
                        self.untouch(slot, earlier);
                        failed.push(failure(row, overflow));
                    }
                }
            }
        }
        Ok(null_keys)
    }

    /// Give the group of each row; None: its key is null.
    fn find(
        &mut self,
        batch: &Batch<'_>,
        rows: Range<usize>,
        slots: &mut Vec<Option<Slot>>,
    ) -> Result<()> {
        let mut last: Option<(usize, Slot)> = None;
        for row in rows {
            if batch.keys.all_null(row) {
                slots.push(None);
                continue;
            }
            let (key, hash) = (batch.keys.key(row), batch.keys.hash(row));
            // Rows of one key often follow one another.
            let slot = match last {
                Some((other, slot))
                    if batch.keys.hash(other) == hash && batch.keys.key(other) == key =>
                {
                    slot
                }
                _ => self.groups.slot(key, hash)?,
            };
            last = Some((row, slot));
            slots.push(Some(slot));
        }
        Ok(())
    }

    /// Take rows in, and give results at once. Gives the number of rows without a key.
    pub(super) fn answer(
        &mut self,
        shared: &Groups,
        batch: &Batch<'_>,
        run: Range<usize>,
        failed: &mut Vec<Failure>,
        out: &mut Answers,
    ) -> Result<u64> {
        let mut null_keys = 0;
        let mut row = run.start;
        while row < run.end {
            let first = row;
            row += if batch.is_update(first) { 2 } else { 1 };
            if batch.keys.all_null(first) {
                null_keys += (row - first) as u64;
                continue;
            }
            let key = batch.keys.key(first);
            let slot = self.groups.slot(key, batch.keys.hash(first))?;
            let before = self.given(shared, slot);
            let existed = before.is_some();
            out.remember(shared, before);
            let mut has_effect = false;
            for row in first..row {
                match self.apply(shared, &batch.rows, (row, batch.input.op[row]), slot) {
                    Ok(()) => has_effect = true,
                    Err(overflow) => failed.push(failure(row, overflow)),
                }
            }
            if shared.accumulators.may_withhold()
                && !batch.is_first_half(row - 1)
                && let Err(overflow) = self.check(shared, slot)
            {
                failed.push(failure(row - 1, overflow));
            }
            let after = self.given(shared, slot);
            let of = (Cause::of(&batch.input, first), key);
            out.give(shared, of, (existed, after), has_effect);
            self.remove_if_empty(slot);
        }
        Ok(null_keys)
    }
}

fn failure(row: usize, overflow: Overflow) -> Failure {
    Failure {
        input: 0,
        row,
        reason: overflow.0.to_owned(),
    }
}

fn change(
    rows: &BoundRows<'_>,
    row: usize,
    weight: i8,
    group: &mut Group,
) -> std::result::Result<(), Overflow> {
    if weight > 0 {
        rows.add(row, group)
    } else {
        rows.take_away(row, group)
    }
}
