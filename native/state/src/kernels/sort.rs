//! A stream in the order of its event time: ORDER BY time, and then by columns.
//!
//! Rows wait until stream time has passed theirs and the grace; then all rows of that time come out together, each at its own
//! time, ordered by the columns and, among equals, as they came. A row whose time has passed like this already is late.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, SortOptions};

use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::joined::{Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, Running, check_output, entries};
use crate::kernels::queue::{Place, Queue, apart, joined, read_place};
use crate::kernels::walk::walk;
use crate::kernels::windows::clock::Clock;
use crate::rows::RowCodec;
use crate::spec::{Changes, KernelSpec, Spec};
use crate::store::Store;
use crate::tasks::{Part, Task, Tasks};

/// Of the rows in the store.
const PREFIX: u8 = b'q';

/// Make the kernel from its specification and the schemas of its input and output.
pub fn make(spec: &Spec, inputs: &[SchemaRef], output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::Sort(sort) = &spec.kernel else {
        return Err(Error::spec("this is no sort"));
    };
    if spec.inputs[0] != Changes::Append {
        return Err(Error::spec("the rows of a stream are APPEND changes"));
    }
    if sort.grace < 0 {
        return Err(Error::spec("the grace of a sort is not negative"));
    }
    // Keys and values: the kernel does not look at either.
    let rows = RowCodec::of_values(&inputs[0], 0)?;
    check_output(&output, &[rows.types()])?;
    let mut columns = Vec::new();
    let (mut types, mut options) = (Vec::new(), Vec::new());
    for term in &sort.order {
        let column = spec.keys + term.column;
        let Some(data_type) = rows.types().get(column) else {
            return Err(Error::spec("there is no such column to order by"));
        };
        columns.push(column);
        types.push(data_type.clone());
        options.push(SortOptions {
            descending: term.descending,
            nulls_first: term.nulls_first,
        });
    }
    let sort = Sort {
        rows,
        order: RowCodec::ordered(&types, &options)?,
        columns,
        grace: sort.grace,
        output,
    };
    Ok(Box::new(Running::new(sort, spec)))
}

struct Sort {
    rows: RowCodec,
    order: RowCodec,
    /// Of the order, among the rows'.
    columns: Vec<usize>,
    grace: i64,
    output: SchemaRef,
}

struct SortTask {
    clock: Clock,
    waiting: Queue<Box<[u8]>>,
}

impl Task for SortTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.clock, &mut self.waiting]
    }
}

impl Sort {
    /// Give out the rows whose time has passed.
    fn close(&self, task: &mut SortTask, cause: Cause, out: &mut OutRows<1>) -> Result<()> {
        let passed = task.clock.now().saturating_sub(self.grace);
        let mut equals: Vec<(Place, Box<[u8]>)> = Vec::new();
        while let Some(next) = task.waiting.pop_before(passed)? {
            if equals
                .first()
                .is_some_and(|((time, _), _)| *time != next.0.0)
            {
                self.give(&mut equals, cause, out)?;
            }
            equals.push(next);
        }
        self.give(&mut equals, cause, out)
    }

    /// Give out rows of one time, which stand as they came.
    fn give(
        &self,
        rows: &mut Vec<(Place, Box<[u8]>)>,
        cause: Cause,
        out: &mut OutRows<1>,
    ) -> Result<()> {
        let mut found = Vec::with_capacity(rows.len());
        for ((time, _), bytes) in rows.iter() {
            let (order, row) = apart(bytes)?;
            found.push((order, *time, row));
        }
        found.sort_by_key(|(order, ..)| *order);
        for (_, time, row) in found {
            out.push(Cause { time, ..cause }, op::INSERT, [row]);
        }
        rows.clear();
        Ok(())
    }
}

impl Operator for Sort {
    type Task = SortTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(SortTask {
            clock: Clock::open(store)?,
            waiting: Queue::open(store, PREFIX)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = OutRows::default();
        if let Some(input) = &inputs[0] {
            let columns = [input.keys, input.values].concat();
            let rows = self.rows.encode(&columns, input.rows())?;
            let order: Vec<ArrayRef> = self
                .columns
                .iter()
                .map(|column| Arc::clone(&columns[*column]))
                .collect();
            let order = self.order.encode(&order, input.rows())?;
            for run in walk(inputs) {
                let task = tasks.get(run.partition)?;
                for row in run.places.iter().map(|place| place.row as usize) {
                    let cause = Cause::of(input, row);
                    task.clock.see(cause.seq);
                    if cause.time.saturating_add(self.grace) < task.clock.now() {
                        dropped.late[0].push(row as i32);
                        continue;
                    }
                    if task.clock.advance(cause.time) {
                        self.close(task, cause, &mut out)?;
                    }
                    let place = (cause.time, task.clock.arrive());
                    let waits = joined(order.row(row), rows.row(row));
                    task.waiting.add(place, waits);
                }
            }
        }
        out.finish(&self.output, [&self.rows])
    }

    fn advance(&self, task: &mut Self::Task, partition: i32, time: i64) -> Result<RecordBatch> {
        let mut out = OutRows::default();
        if task.clock.advance(time) {
            let seq = task.clock.seq();
            let cause = Cause {
                partition,
                seq,
                time,
            };
            self.close(task, cause, &mut out)?;
        }
        out.finish(&self.output, [&self.rows])
    }

    /// Gives the rows that wait for their turn, and their times.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        for (key, value) in entries(keys, values, &[PREFIX]) {
            times.push(read_place(key)?.0);
            rows.push(apart(value)?.1);
        }
        let mut columns = self.rows.decode(rows)?;
        columns.push(Arc::new(Int64Array::from(times)));
        let mut fields = self.output.fields()[LEADING..].to_vec();
        fields.push(Arc::new(Field::new("time", DataType::Int64, false)));
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
