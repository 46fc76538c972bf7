//! Over facts: each with all rows of its part that came before it, of which only what the functions know of them is kept.

use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch};

use super::{PREFIX, Shared};
use crate::accumulators::Accumulators;
use crate::batch::{Input, op};
use crate::error::{Error, Result};
use crate::kernels::joined::{ByteRows, Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, entries};
use crate::kernels::walk::walk;
use crate::store::Store;
use crate::table::{StateTable, read};
use crate::tasks::{Part, Task, Tasks};

pub(super) struct Totals {
    shared: Shared,
}

impl Totals {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared }
    }
}

pub(super) struct TotalsTask {
    groups: StateTable<Arc<Accumulators>>,
}

impl Task for TotalsTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.groups]
    }
}

impl Operator for Totals {
    type Task = TotalsTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        let accumulators = Arc::clone(&self.shared.accumulators);
        Ok(TotalsTask {
            groups: StateTable::open(store, PREFIX, accumulators)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let shared = &self.shared;
        let mut out = OutRows::<2>::default();
        let mut results = shared.accumulators.results();
        if let Some(input) = &inputs[0] {
            if input.op.iter().any(|op| *op != op::INSERT) {
                return Err(Error::spec("a row of an APPEND input is not inserted"));
            }
            let keys = shared.encode_keys(input)?;
            let values = shared.value_rows.encode(input.values, input.rows())?;
            let batch = super::frames::batch(&input.values[..shared.arguments], input.rows())?;
            let bound = shared.accumulators.bind(&batch)?;
            for rows in walk(inputs) {
                let groups = &mut tasks.get(rows.partition)?.groups;
                for row in rows.places.iter().map(|place| place.row as usize) {
                    let slot = groups.slot(keys.key(row), keys.hash(row))?;
                    let group = groups
                        .edit(slot)
                        .get_or_insert_with(|| shared.accumulators.group());
                    match bound.add(row, group) {
                        Ok(()) => {
                            results.push(group);
                            out.push(
                                Cause::of(input, row),
                                op::INSERT,
                                [keys.key(row), values.row(row)],
                            );
                        }
                        Err(failure) => dropped.fail(0, row, failure.0),
                    }
                }
            }
        }
        out.finish_between(
            &shared.output,
            [&shared.key_rows, &shared.value_rows],
            results.finish()?,
        )
    }

    /// Gives keys and results over all rows.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        store: Option<&Store>,
    ) -> Result<RecordBatch> {
        totals(&self.shared, (keys, values), store, PREFIX)
    }

    fn output(&self) -> &arrow_schema::SchemaRef {
        &self.shared.output
    }
}

/// Read totals: gives keys and results over all rows.
pub(super) fn totals(
    shared: &Shared,
    (keys, values): (&BinaryArray, &BinaryArray),
    store: Option<&Store>,
    prefix: &[u8],
) -> Result<RecordBatch> {
    let accumulators = &shared.accumulators;
    let mut results = accumulators.results();
    let mut key_rows = ByteRows::default();
    for (key, value) in entries(keys, values, prefix) {
        results.push(&read(accumulators, (prefix, key), value, store)?);
        key_rows.push(key);
    }
    let count = results.len();
    let mut columns = shared.key_rows.decode(key_rows.iter())?;
    columns.extend(results.finish()?);
    let schema = shared.columns(shared.key_rows.types().len()..shared.first_value());
    super::batch_of(schema, columns, count)
}
