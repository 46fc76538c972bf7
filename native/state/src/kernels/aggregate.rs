//! GROUP BY without a window: what is known of each group, over rows that come (APPEND) or come and go (RETRACT).
//!
//! A group is there while it has rows, and, over a table, its sums are not too large to be given; the row that makes them so fails,
//! although it is in. With `emit = commit` each group that was touched comes out once at the flush; with
//! `emit = record` with each change of the input, where an UPDATE_BEFORE and the UPDATE_AFTER right behind it are one change
//! if they are of one group. Without calls it is DISTINCT, and only coming and going are told.

mod outcome;
mod task;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};

use crate::accumulators::{Accumulators, BoundRows, Rows};
use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Processed, Stats};
use crate::kernels::joined::ByteRows;
use crate::kernels::operator::entries;
use crate::rows::{KeyCodec, Keys};
use crate::spec::{self, Changes, Emit, KernelSpec, Spec};
use crate::store::Store;
use crate::table::read;
use crate::tasks::Tasks;
use outcome::{Answers, Flushed};
use task::GroupTask;

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
    keeps_nulls: bool,
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
        let rows = if retracting {
            Rows::ComeAndGo
        } else {
            Rows::Come
        };
        Ok(Self {
            accumulators: Arc::new(
                Accumulators::new(calls, input, keys, results, rows)?
                    .divided_above(aggregate.inline_bytes),
            ),
            keys: KeyCodec::new(&Arc::new(input.clone()), keys)?,
            key_columns: keys,
            distinct: calls.is_empty(),
            retracts: aggregate.retracts,
            keeps_nulls: aggregate.keeps_nulls,
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

    /// Whether a row goes and the next one comes, at the same time and in the same group: of an update that came through a topic
    /// this is what is left. In between, sums may be what nobody asks for.
    fn is_first_half(&self, row: usize) -> bool {
        let (input, next) = (&self.input, row + 1);
        input.op[row] < 0
            && next < input.rows()
            && input.op[next] > 0
            && input.time[next] == input.time[row]
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
        let mut keys = self.groups.keys.encode(input.keys, input.rows())?;
        if self.groups.keeps_nulls {
            keys.keep_nulls();
        }
        let batch = Batch {
            keys,
            rows: accumulators.bind(rows)?,
            input,
        };
        let mut answers = Answers::new(&self.groups);
        let mut failed = Vec::new();
        let mut row = 0;
        while row < batch.input.rows() {
            let run = row..batch.end_of_run(row);
            row = run.end;
            let task = self.tasks.get(batch.input.partition[run.start])?;
            self.null_keys += if self.groups.emit == Emit::Record {
                task.answer(&self.groups, &batch, run, &mut failed, &mut answers)?
            } else {
                task.gather(&self.groups, &batch, run, &mut failed)?
            };
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
        let mut out = Flushed::new(&self.groups);
        for (partition, task) in self.tasks.iter_mut() {
            task.flush(&self.groups, partition, &mut out);
        }
        out.finish(&self.groups, &self.output)
    }

    fn changes(&mut self) -> Result<RecordBatch> {
        if self.tasks.iter_mut().any(|(_, task)| task.waits()) {
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

    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        store: Option<&Store>,
    ) -> Result<RecordBatch> {
        let mut results = self.groups.accumulators.results();
        let mut key_rows = ByteRows::default();
        for (key, value) in entries(keys, values, PREFIX) {
            let group = read(&self.groups.accumulators, (PREFIX, key), value, store)?;
            if self.groups.accumulators.gives(&group) {
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
