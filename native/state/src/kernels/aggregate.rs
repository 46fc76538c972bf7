//! GROUP BY without a window: what is known of each group, over rows that come (APPEND) or come and go (RETRACT).
//!
//! A group is there while it has rows. With `emit = commit` each group that was touched comes out once at the flush; with
//! `emit = record` with each change of the input, where an UPDATE_BEFORE and the UPDATE_AFTER right behind it are one change
//! if they are of one group. Without calls it is DISTINCT, and only coming and going are told.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch, RecordBatchOptions, make_array};
use arrow_data::transform::MutableArrayData;
use arrow_schema::{Schema, SchemaRef};

use crate::accumulators::{Accumulators, BoundRows, Failure as Overflow, Group, ResultColumns};
use crate::batch::{Input, LEADING, Leading, op};
use crate::error::{Error, Result};
use crate::kernel::{Failure, Kernel, Processed, Stats};
use crate::kernels::joined::{ByteRows, Cause};
use crate::kernels::operator::entries;
use crate::rows::{KeyCodec, Keys};
use crate::spec::{self, Changes, Emit, KernelSpec, Spec};
use crate::store::Store;
use crate::table::{Codec, Slot, StateTable};
use crate::tasks::{Part, Task, Tasks};

const PREFIX: &[u8] = b"g";

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::Aggregate(aggregate) = &spec.kernel else {
        return Err(Error::spec("this is no aggregate"));
    };
    let retracting = match spec.inputs[0] {
        Changes::Append => false,
        Changes::Retract => true,
        Changes::Upsert => {
            return Err(Error::spec("an aggregate takes APPEND or RETRACT changes"));
        }
    };
    if aggregate.emit == Emit::Final {
        return Err(Error::spec("only windows have a final result"));
    }
    Ok(Box::new(Aggregate {
        groups: Groups::new(aggregate, spec.keys, &inputs[0], &output, retracting)?,
        output,
        retracting,
        tasks: Tasks::default(),
        null_keys: 0,
    }))
}

/// What all tasks share.
struct Groups {
    accumulators: Arc<Accumulators>,
    keys: KeyCodec,
    key_columns: usize,
    /// Only coming and going are told.
    distinct: bool,
    /// What goes is given whole.
    retracts: bool,
    emit: Emit,
}

impl Groups {
    fn new(
        aggregate: &spec::Aggregate,
        keys: usize,
        input: &Schema,
        output: &Schema,
        retracting: bool,
    ) -> Result<Self> {
        let (key_fields, results) = output.fields()[LEADING..]
            .split_at_checked(keys)
            .ok_or_else(|| Error::spec("the output has fewer columns than the key"))?;
        let types_differ = key_fields
            .iter()
            .zip(&input.fields()[LEADING..])
            .any(|(output, input)| output.data_type() != input.data_type());
        if types_differ {
            return Err(Error::spec("the keys of input and output differ in type"));
        }
        let calls = &aggregate.calls;
        Ok(Self {
            accumulators: Arc::new(Accumulators::new(calls, input, keys, results, retracting)?),
            keys: KeyCodec::new(&Arc::new(input.clone()), keys)?,
            key_columns: keys,
            distinct: calls.is_empty(),
            retracts: aggregate.retracts,
            emit: aggregate.emit,
        })
    }

    /// Say what became of a group, if there is anything to say.
    fn verdict(&self, before: bool, after: bool) -> Option<i8> {
        match (before, after) {
            (false, false) => None,
            (false, true) => Some(op::INSERT),
            (true, false) => Some(op::DELETE),
            (true, true) => (!self.distinct).then_some(op::UPDATE_AFTER),
        }
    }
}

/// The groups of one partition.
struct GroupTask {
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
    /// It was not there.
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
    fn open(groups: &Groups, store: &Store) -> Result<Self> {
        Ok(Self {
            groups: StateTable::open(store, PREFIX, Arc::clone(&groups.accumulators))?,
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
        let before = match self.groups.get(slot).filter(|group| group.exists()) {
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

    /// Remove a group that has no rows left.
    fn remove_if_empty(&mut self, slot: Slot) {
        if self.groups.get(slot).is_some_and(|group| group.rows() == 0) {
            *self.groups.edit(slot) = None;
        }
    }

    /// Give all touched groups, and remove those that have no rows left.
    fn flush(&mut self, shared: &Groups, partition: i32, out: &mut Flushed) {
        let befores = out.befores.len();
        for Touched { slot, time, before } in std::mem::take(&mut self.touched) {
            self.marks.clear(slot);
            let group = self.groups.get(slot).filter(|group| group.exists());
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

/// Rows that come out at a flush.
struct Flushed {
    leading: Leading,
    keys: ByteRows,
    /// Present results of all tasks.
    afters: ResultColumns,
    /// What was given last, task by task.
    befores: Vec<ResultColumns>,
    /// For each row that comes out where its results are: 0 for the present ones or 1 + the number of a task, and the row.
    places: Vec<(usize, usize)>,
}

impl Flushed {
    fn push(&mut self, cause: Cause, op: i8, key: &[u8], place: (usize, usize)) {
        self.leading
            .push(cause.partition, cause.seq, cause.time, op);
        self.keys.push(key);
        self.places.push(place);
    }

    fn finish(self, shared: &Groups, schema: &SchemaRef) -> Result<RecordBatch> {
        if self.leading.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let mut columns = shared.keys.decode(self.keys.iter())?;
        let afters = self.afters.finish()?;
        if shared.retracts {
            let befores: Vec<_> = self
                .befores
                .into_iter()
                .map(ResultColumns::finish)
                .collect::<Result<_>>()?;
            for (index, after) in afters.iter().enumerate() {
                let sources =
                    std::iter::once(after).chain(befores.iter().map(|columns| &columns[index]));
                columns.push(gather(sources, &self.places)?);
            }
        } else {
            columns.extend(afters); // they are in the order of the rows
        }
        self.leading.finish(schema, columns)
    }
}

/// Put rows of several columns of one type together: for each place a column and a row.
fn gather<'a>(
    sources: impl Iterator<Item = &'a ArrayRef>,
    places: &[(usize, usize)],
) -> Result<ArrayRef> {
    let data: Vec<_> = sources.map(|source| source.to_data()).collect();
    let mut gathered = MutableArrayData::new(data.iter().collect(), false, places.len());
    for (source, row) in places {
        gathered.try_extend(*source, *row, row + 1)?;
    }
    Ok(make_array(gathered.freeze()))
}

/// The kernel.
struct Aggregate {
    groups: Groups,
    output: SchemaRef,
    /// The input is RETRACT changes.
    retracting: bool,
    tasks: Tasks<GroupTask>,
    null_keys: u64,
}

/// The rows of a batch and what is known of each.
struct Batch<'a> {
    input: Input<'a>,
    keys: Keys,
    rows: BoundRows<'a>,
}

impl Batch<'_> {
    /// Whether a row goes and the next one comes in its place, in the same group.
    fn is_update(&self, row: usize) -> bool {
        let (input, next) = (&self.input, row + 1);
        input.op[row] == op::UPDATE_BEFORE
            && next < input.rows()
            && input.op[next] == op::UPDATE_AFTER
            && input.seq[next] == input.seq[row]
            && input.partition[next] == input.partition[row]
            && self.keys.key(next) == self.keys.key(row)
    }

    /// Give the row after the run of rows of one partition that begins with this one.
    fn end_of_run(&self, row: usize) -> usize {
        let partition = self.input.partition[row];
        let others = self.input.partition[row..]
            .iter()
            .take_while(|other| **other == partition);
        row + others.count()
    }
}

impl Aggregate {
    /// Take rows of one partition in; results wait for the flush.
    fn gather(
        &mut self,
        batch: &Batch<'_>,
        run: std::ops::Range<usize>,
        failed: &mut Vec<Failure>,
    ) -> Result<()> {
        let task = self.tasks.get(batch.input.partition[run.start])?;
        let mut last: Option<(usize, Slot)> = None;
        for row in run {
            if batch.keys.all_null(row) {
                self.null_keys += 1;
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
                _ => task.groups.slot(key, hash)?,
            };
            last = Some((row, slot));
            let earlier = task.touch(&self.groups, slot, batch.input.time[row]);
            if let Err(overflow) =
                task.apply(&self.groups, &batch.rows, (row, batch.input.op[row]), slot)
            {
                task.untouch(slot, earlier);
                failed.push(failure(row, overflow));
            } else {
                task.seq = batch.input.seq[row];
            }
        }
        Ok(())
    }

    /// Take rows of one partition in, and give results at once.
    fn answer(
        &mut self,
        batch: &Batch<'_>,
        run: std::ops::Range<usize>,
        failed: &mut Vec<Failure>,
        out: &mut Answers,
    ) -> Result<()> {
        let shared = &self.groups;
        let task = self.tasks.get(batch.input.partition[run.start])?;
        let mut row = run.start;
        while row < run.end {
            let first = row;
            row += if batch.is_update(first) { 2 } else { 1 };
            if batch.keys.all_null(first) {
                self.null_keys += (row - first) as u64;
                continue;
            }
            let slot = task
                .groups
                .slot(batch.keys.key(first), batch.keys.hash(first))?;
            let before = task.groups.get(slot).filter(|group| group.exists());
            let existed = before.is_some();
            if let Some(group) = before.filter(|_| shared.retracts) {
                out.results.push(&shared.accumulators, group);
            }
            let mut has_effect = false;
            for row in first..row {
                match task.apply(shared, &batch.rows, (row, batch.input.op[row]), slot) {
                    Ok(()) => has_effect = true,
                    Err(overflow) => failed.push(failure(row, overflow)),
                }
            }
            let after = task.groups.get(slot).filter(|group| group.exists());
            let of = (Cause::of(&batch.input, first), batch.keys.key(first));
            out.give(shared, of, (existed, after), has_effect);
            task.remove_if_empty(slot);
        }
        Ok(())
    }
}

fn failure(row: usize, overflow: Overflow) -> Failure {
    Failure {
        input: 0,
        row,
        reason: overflow.0.to_owned(),
    }
}

/// Rows that come out with each change of the input.
struct Answers {
    leading: Leading,
    keys: ByteRows,
    /// With `retracts` the results before a change stand at the end while the change is made.
    results: ResultColumns,
}

impl Answers {
    /// Give what has become of a group: of one that `existed` and, with `retracts`, whose results were remembered.
    fn give(
        &mut self,
        shared: &Groups,
        (cause, key): (Cause, &[u8]),
        (existed, after): (bool, Option<&Group>),
        has_effect: bool,
    ) {
        let remembered = shared.retracts && existed;
        let verdict = shared.verdict(existed, after.is_some());
        let Some(op) = verdict.filter(|_| has_effect) else {
            if remembered {
                self.results.pop();
            }
            return;
        };
        if remembered {
            let gone = if op == op::DELETE {
                op
            } else {
                op::UPDATE_BEFORE
            };
            self.push(cause, gone, key);
        }
        match after {
            Some(group) => {
                self.results.push(&shared.accumulators, group);
                self.push(cause, op, key);
            }
            None if !remembered => {
                self.results.push_null();
                self.push(cause, op, key);
            }
            None => {}
        }
    }

    fn push(&mut self, cause: Cause, op: i8, key: &[u8]) {
        self.leading
            .push(cause.partition, cause.seq, cause.time, op);
        self.keys.push(key);
    }

    fn finish(self, shared: &Groups, schema: &SchemaRef) -> Result<RecordBatch> {
        if self.leading.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let mut columns = shared.keys.decode(self.keys.iter())?;
        columns.extend(self.results.finish()?);
        self.leading.finish(schema, columns)
    }
}

impl Kernel for Aggregate {
    fn open(&mut self, partition: i32, store: Store) -> Result<()> {
        let task = GroupTask::open(&self.groups, &store)?;
        self.tasks.open(partition, store, task)
    }

    fn close(&mut self, partition: i32) {
        self.tasks.close(partition);
    }

    fn process(&mut self, inputs: &[Option<RecordBatch>]) -> Result<Processed> {
        let [input] = inputs else {
            return Err(Error::spec("an aggregate has one input"));
        };
        let Some(rows) = input else {
            return Ok(Processed::nothing(&self.output, 1));
        };
        let accumulators = Arc::clone(&self.groups.accumulators);
        let input = Input::new(rows, self.groups.key_columns)?;
        if !self.retracting && input.op.iter().any(|op| *op != op::INSERT) {
            return Err(Error::spec("a row of an APPEND input is not inserted"));
        }
        let batch = Batch {
            keys: self.groups.keys.encode(input.keys, input.rows())?,
            rows: accumulators.bind(rows)?,
            input,
        };
        let mut answers = Answers {
            leading: Leading::default(),
            keys: ByteRows::default(),
            results: accumulators.result_columns(),
        };
        let mut failed = Vec::new();
        let mut row = 0;
        while row < batch.input.rows() {
            let run = row..batch.end_of_run(row);
            row = run.end;
            if self.groups.emit == Emit::Record {
                self.answer(&batch, run, &mut failed, &mut answers)?;
            } else {
                self.gather(&batch, run, &mut failed)?;
            }
        }
        Ok(Processed {
            rows: answers.finish(&self.groups, &self.output)?,
            late: vec![Vec::new()],
            failed,
        })
    }

    /// Groups without a window have no clock.
    fn advance(&mut self, partition: i32, _: i64) -> Result<Processed> {
        self.tasks.get(partition)?;
        Ok(Processed::nothing(&self.output, 1))
    }

    fn flush(&mut self) -> Result<RecordBatch> {
        let mut out = Flushed {
            leading: Leading::default(),
            keys: ByteRows::default(),
            afters: self.groups.accumulators.result_columns(),
            befores: Vec::new(),
            places: Vec::new(),
        };
        for (partition, task) in self.tasks.iter_mut() {
            task.flush(&self.groups, partition, &mut out);
        }
        out.finish(&self.groups, &self.output)
    }

    fn changes(&mut self) -> Result<RecordBatch> {
        if self
            .tasks
            .iter_mut()
            .any(|(_, task)| !task.touched.is_empty())
        {
            return Err(Error::spec("results wait: flush before a commit"));
        }
        self.tasks.changes()
    }

    fn committed(&mut self, positions: &HashMap<i32, i64>) -> Result<()> {
        self.tasks.committed(positions)
    }

    fn rollback(&mut self) -> Result<()> {
        self.tasks.rollback()
    }

    fn decode(&self, keys: &BinaryArray, values: &BinaryArray) -> Result<RecordBatch> {
        let mut results = self.groups.accumulators.results();
        let mut key_rows = ByteRows::default();
        for (key, value) in entries(keys, values, PREFIX) {
            let group = self.groups.accumulators.decode(value)?;
            if group.exists() {
                key_rows.push(key);
                results.push(&group);
            }
        }
        let rows = results.len();
        let mut columns = self.groups.keys.decode(key_rows.iter())?;
        columns.extend(results.finish()?);
        let schema = Arc::new(Schema::new(self.output.fields()[LEADING..].to_vec()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }

    fn limit(&mut self, bytes: usize) {
        self.tasks.limit(bytes);
    }

    fn stats(&mut self) -> Stats {
        Stats {
            null_keys: self.null_keys,
            ..self.tasks.stats()
        }
    }
}
