//! What every stateful operator offers, and how one is made from its specification.

use std::collections::HashMap;

use arrow_array::{BinaryArray, RecordBatch};
use arrow_schema::SchemaRef;

use crate::batch::check_leading;
use crate::error::{Error, Result};
use crate::kernels;
use crate::spec::{KernelSpec, Spec};
use crate::store::Store;

/// One operator in one thread, with the state of all tasks that the thread runs. A task is named by its partition.
///
/// After an error of any method but `decode`, the state is that of no moment: the caller must call `rollback`.
pub trait Kernel: Send {
    /// Take a task on; its store must hold what was last committed.
    fn open(&mut self, partition: i32, store: Store) -> Result<()>;

    /// Forget a task. Nothing is written. A partition that is not open is ignored.
    fn close(&mut self, partition: i32);

    /// Walk the rows of all inputs (None: no rows), which may be of several tasks, all of them open.
    fn process(&mut self, inputs: &[Option<RecordBatch>]) -> Result<Processed>;

    /// Move the stream time of a task on without a row; going back does nothing.
    fn advance(&mut self, partition: i32, time: i64) -> Result<Processed>;

    /// Give the results that wait for a commit.
    fn flush(&mut self) -> Result<RecordBatch>;

    /// Give what has changed in the state since `committed`; see [`crate::changes::schema`]. Nothing may be processed
    /// between this and `committed` or `rollback`.
    fn changes(&mut self) -> Result<RecordBatch>;

    /// Write the last `changes` to the local stores, each together with the position of its changelog after them.
    fn committed(&mut self, positions: &HashMap<i32, i64>) -> Result<()>;

    /// Forget all that happened since `committed`.
    fn rollback(&mut self) -> Result<()>;

    /// Read entries of the store as a table for people: the operator's columns as far as the state knows them.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        store: Option<&Store>,
    ) -> Result<RecordBatch>;

    /// Keep at most so many bytes of entries in memory beside those that have changed since `committed`.
    fn limit(&mut self, bytes: usize);

    fn stats(&mut self) -> Stats;
}

/// What came of the rows of one call.
pub struct Processed {
    /// With the schema of the operator's output.
    pub rows: RecordBatch,
    /// For each input the rows that came too late, ascending.
    pub late: Vec<Vec<i32>>,
    pub failed: Vec<Failure>,
}

impl Processed {
    /// Nothing came out.
    pub fn nothing(output: &SchemaRef, inputs: usize) -> Self {
        Self {
            rows: RecordBatch::new_empty(output.clone()),
            late: vec![Vec::new(); inputs],
            failed: Vec::new(),
        }
    }
}

/// A row that could not be taken in, and had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub input: usize,
    pub row: usize,
    /// Names no data of the record.
    pub reason: String,
}

/// Counters since the kernel was made, and sizes now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows dropped because they came too late.
    pub late: u64,
    /// Rows dropped because their key is null.
    pub null_keys: u64,
    /// Entries in memory.
    pub entries: u64,
    /// Bytes of the entries in memory.
    pub bytes: u64,
    /// Entries looked for and found in memory.
    pub hits: u64,
    /// Entries looked for in the local store.
    pub misses: u64,
}

impl Stats {
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("late", self.late),
            ("null_keys", self.null_keys),
            ("entries", self.entries),
            ("bytes", self.bytes),
            ("hits", self.hits),
            ("misses", self.misses),
        ]
    }
}

/// Make the kernel of a specification.
///
/// # Errors
/// The kernel cannot work on these schemas.
pub fn kernel(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    if inputs.len() != spec.inputs.len() {
        return Err(Error::spec("as many schemas as inputs are needed"));
    }
    for schema in &inputs {
        check_leading(schema, spec.keys)?;
    }
    check_leading(&output, 0)?;
    match &spec.kernel {
        KernelSpec::Aggregate(aggregate) if aggregate.window.is_some() => {
            kernels::windows::make(spec, &inputs, output)
        }
        KernelSpec::Aggregate(_) => kernels::aggregate::make(spec, inputs, output),
        KernelSpec::StreamJoin(_) => kernels::stream_join::make(spec, inputs, output),
        KernelSpec::LookupJoin(_) => kernels::lookup_join::make(spec, inputs, output),
        KernelSpec::TableJoin(_) => kernels::table_join::make(spec, inputs, output),
        KernelSpec::Table(_) => kernels::table::make(spec, inputs, output),
        KernelSpec::Rank(_) => kernels::rank::make(spec, inputs, output),
        KernelSpec::Sort(_) => kernels::sort::make(spec, &inputs, output),
        KernelSpec::Over(_) => kernels::over::make(spec, inputs, output),
        KernelSpec::Match(_) => kernels::matching::make(spec, inputs, output),
    }
}
