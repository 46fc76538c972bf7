//! Batches of rows on the way into and out of kernels: four columns of our own, then the columns of the input or operator.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, Int8Array, Int32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use crate::error::{Error, Result};

/// How many columns stand before the columns of an input or operator: `_partition`, `_seq`, `_time`, `_op`.
pub const LEADING: usize = 4;

/// What a row does to the relation that it belongs to (the column `_op`). The sign is its weight in an aggregate.
pub mod op {
    pub const INSERT: i8 = 1;
    /// The new state of a row whose old state stands right before it, as `UPDATE_BEFORE`.
    pub const UPDATE_AFTER: i8 = 2;
    pub const DELETE: i8 = -1;
    pub const UPDATE_BEFORE: i8 = -2;
}

/// The rows of one input, in order. Borrows from the batch; all slices are equally long.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub partition: &'a [i32],
    pub seq: &'a [i64],
    pub time: &'a [i64],
    pub op: &'a [i8],
    pub keys: &'a [ArrayRef],
    pub values: &'a [ArrayRef],
}

impl<'a> Input<'a> {
    /// Take a batch apart.
    ///
    /// # Errors
    /// The four columns are not there, are of another type or hold nulls; or there are fewer than `keys` more.
    pub fn new(batch: &'a RecordBatch, keys: usize) -> Result<Self> {
        check_leading(&batch.schema(), keys)?;
        let columns = batch.columns();
        if columns[..LEADING]
            .iter()
            .any(|column| column.null_count() > 0)
        {
            return Err(Error::spec(
                "a null among `_partition`, `_seq`, `_time`, `_op`",
            ));
        }
        let (keys, values) = columns[LEADING..].split_at(keys);
        Ok(Self {
            partition: columns[0].as_primitive::<Int32Type>().values(),
            seq: columns[1].as_primitive::<Int64Type>().values(),
            time: columns[2].as_primitive::<Int64Type>().values(),
            op: columns[3].as_primitive::<Int8Type>().values(),
            keys,
            values,
        })
    }

    pub fn rows(&self) -> usize {
        self.partition.len()
    }
}

/// Check that the schema of an input begins as every batch does and has `keys` columns after that.
pub fn check_leading(schema: &SchemaRef, keys: usize) -> Result<()> {
    let expected = [
        ("_partition", DataType::Int32),
        ("_seq", DataType::Int64),
        ("_time", DataType::Int64),
        ("_op", DataType::Int8),
    ];
    let fits = schema.fields().len() >= LEADING + keys
        && expected
            .iter()
            .zip(schema.fields())
            .all(|((name, data_type), field)| {
                field.name() == name && field.data_type() == data_type
            });
    if fits {
        Ok(())
    } else {
        Err(Error::spec(format!(
            "a batch begins with `_partition`, `_seq`, `_time`, `_op` and {keys} key columns; this one has {:?}",
            schema
                .fields()
                .iter()
                .map(|field| field.name())
                .collect::<Vec<_>>()
        )))
    }
}

/// The first four columns of the rows that come out, grown row by row; the other columns are made in bulk beside it.
#[derive(Default)]
pub struct Leading {
    partition: Vec<i32>,
    seq: Vec<i64>,
    time: Vec<i64>,
    op: Vec<i8>,
}

impl Leading {
    pub fn push(&mut self, partition: i32, seq: i64, time: i64, op: i8) {
        self.partition.push(partition);
        self.seq.push(seq);
        self.time.push(time);
        self.op.push(op);
    }

    pub fn len(&self) -> usize {
        self.op.len()
    }

    pub fn is_empty(&self) -> bool {
        self.op.is_empty()
    }

    /// Put the operator's own columns beside, which must fit `schema` (whose first four fields are ours).
    pub fn finish(self, schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
        let mut all: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(self.partition)),
            Arc::new(Int64Array::from(self.seq)),
            Arc::new(Int64Array::from(self.time)),
            Arc::new(Int8Array::from(self.op)),
        ];
        all.extend(columns);
        Ok(RecordBatch::try_new(Arc::clone(schema), all)?)
    }
}
