//! What all kernels of kept rows (joins, tables, ranks, sorts, aggregates over rows) share: how they pass commits on to their tasks.

use std::collections::HashMap;

use arrow_array::{BinaryArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use crate::batch::{Input, LEADING};
use crate::error::{Error, Result};
use crate::kernel::{Failure, Kernel, Processed, Stats};
use crate::spec::Spec;
use crate::store::Store;
use crate::tasks::{Task, Tasks};

/// An operator without its tasks.
pub trait Operator: Send {
    type Task: Task + Send;

    fn open(&self, store: &Store) -> Result<Self::Task>;

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch>;

    /// Move stream time on. Most have no clock.
    fn advance(&self, _: &mut Self::Task, _partition: i32, _time: i64) -> Result<RecordBatch> {
        Ok(RecordBatch::new_empty(self.output().clone()))
    }

    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        store: Option<&Store>,
    ) -> Result<RecordBatch>;

    fn output(&self) -> &SchemaRef;
}

/// Rows that had no effect.
#[derive(Default)]
pub struct Dropped {
    /// Of each input, by number; in any order.
    pub late: Vec<Vec<i32>>,
    pub null_keys: u64,
    /// At most one for each row; in any order.
    pub failed: Vec<Failure>,
}

impl Dropped {
    /// Note why a row has no result, or not the one that it should have.
    pub fn fail(&mut self, input: usize, row: usize, reason: &str) {
        let last = self.failed.last();
        if last.is_none_or(|last| (last.input, last.row) != (input, row)) {
            self.failed.push(Failure {
                input,
                row,
                reason: reason.to_owned(),
            });
        }
    }
}

/// An operator with its tasks.
pub struct Running<O: Operator> {
    operator: O,
    tasks: Tasks<O::Task>,
    /// Key columns of each input.
    keys: usize,
    inputs: usize,
    late: u64,
    null_keys: u64,
}

impl<O: Operator> Running<O> {
    pub fn new(operator: O, spec: &Spec) -> Self {
        Self {
            operator,
            tasks: Tasks::default(),
            keys: spec.keys,
            inputs: spec.inputs.len(),
            late: 0,
            null_keys: 0,
        }
    }
}

impl<O: Operator> Kernel for Running<O> {
    fn open(&mut self, partition: i32, store: Store) -> Result<()> {
        let task = self.operator.open(&store)?;
        self.tasks.open(partition, store, task)
    }

    fn close(&mut self, partition: i32) {
        self.tasks.close(partition);
    }

    fn process(&mut self, batches: &[Option<RecordBatch>]) -> Result<Processed> {
        let inputs = batches
            .iter()
            .map(|batch| {
                batch
                    .as_ref()
                    .map(|batch| Input::new(batch, self.keys))
                    .transpose()
            })
            .collect::<Result<Vec<_>>>()?;
        if inputs.len() != self.inputs {
            return Err(Error::spec("as many batches as inputs are needed"));
        }
        let mut dropped = Dropped {
            late: vec![Vec::new(); self.inputs],
            ..Dropped::default()
        };
        let rows = self
            .operator
            .process(&mut self.tasks, &inputs, &mut dropped)?;
        self.null_keys += dropped.null_keys;
        for late in &mut dropped.late {
            late.sort_unstable();
            self.late += late.len() as u64;
        }
        Ok(Processed {
            rows,
            late: dropped.late,
            failed: dropped.failed,
        })
    }

    fn advance(&mut self, partition: i32, time: i64) -> Result<Processed> {
        let task = self.tasks.get(partition)?;
        let rows = self.operator.advance(task, partition, time)?;
        Ok(Processed {
            rows,
            ..Processed::nothing(self.operator.output(), self.inputs)
        })
    }

    fn flush(&mut self) -> Result<RecordBatch> {
        Ok(RecordBatch::new_empty(self.operator.output().clone()))
    }

    fn changes(&mut self) -> Result<RecordBatch> {
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
        self.operator.decode(keys, values, store)
    }

    fn limit(&mut self, bytes: usize) {
        self.tasks.limit(bytes);
    }

    fn stats(&mut self) -> Stats {
        Stats {
            late: self.late,
            null_keys: self.null_keys,
            ..self.tasks.stats()
        }
    }
}

/// Check that the operator's own columns in its output are of these types.
pub fn check_output(output: &SchemaRef, types: &[&[DataType]]) -> Result<()> {
    let expected = types.concat();
    let found: Vec<DataType> = output.fields()[LEADING..]
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    if expected == found {
        Ok(())
    } else {
        Err(Error::spec(format!(
            "the rows of this operator are {expected:?}, not {found:?}"
        )))
    }
}

/// Check that the keys of both inputs of a join are of the same types.
pub fn check_keys(inputs: &[SchemaRef], keys: usize) -> Result<()> {
    let types = |schema: &SchemaRef| -> Vec<DataType> {
        schema.fields()[LEADING..LEADING + keys]
            .iter()
            .map(|field| field.data_type().clone())
            .collect()
    };
    let (left, right) = (types(&inputs[0]), types(&inputs[1]));
    if left == right {
        Ok(())
    } else {
        Err(Error::spec(format!(
            "the keys of a join are of the same types on both sides, not {left:?} and {right:?}"
        )))
    }
}

/// Give the entries whose key begins with a prefix: the rest of the key, and the value.
pub fn entries<'a>(
    keys: &'a BinaryArray,
    values: &'a BinaryArray,
    prefix: &'a [u8],
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    keys.iter()
        .flatten()
        .zip(values.iter().map(Option::unwrap_or_default))
        .filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
}
