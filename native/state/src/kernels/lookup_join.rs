//! A stream, each row with the row that a table has for its key at that moment.

use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};

use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::joined::{Cause, OutRows, row_of_nulls};
use crate::kernels::operator::{Dropped, Operator, Running, check_keys, check_output, entries};
use crate::kernels::walk::{Place, walk};
use crate::rows::{KeyCodec, Keys, RowBytes, RowCodec};
use crate::spec::{Changes, JoinKind, KernelSpec, Spec};
use crate::store::Store;
use crate::table::{Bytes, StateTable};
use crate::tasks::{Part, Task, Tasks};

const PREFIX: &[u8] = b"t";
/// The inputs.
const STREAM: usize = 0;
const TABLE: usize = 1;

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::LookupJoin(join) = &spec.kernel else {
        return Err(Error::spec("this is no join with a table"));
    };
    if !matches!(join.kind, JoinKind::Inner | JoinKind::Left) {
        return Err(Error::spec("a stream joins a table by INNER or LEFT"));
    }
    if spec.inputs[STREAM] != Changes::Append {
        return Err(Error::spec("the rows of a stream are APPEND changes"));
    }
    check_keys(&inputs, spec.keys)?;
    let key_rows = RowCodec::of_keys(&inputs[STREAM], spec.keys)?;
    let stream_rows = RowCodec::of_values(&inputs[STREAM], spec.keys)?;
    let table_rows = RowCodec::of_values(&inputs[TABLE], spec.keys)?;
    check_output(
        &output,
        &[key_rows.types(), stream_rows.types(), table_rows.types()],
    )?;
    let nothing = row_of_nulls(&table_rows)?;
    let join = LookupJoin {
        keys: KeyCodec::new(&inputs[STREAM], spec.keys)?,
        key_rows,
        stream_rows,
        table_rows,
        output,
        nothing: (join.kind == JoinKind::Left).then_some(nothing),
    };
    Ok(Box::new(Running::new(join, spec)))
}

struct LookupJoin {
    keys: KeyCodec,
    key_rows: RowCodec,
    stream_rows: RowCodec,
    table_rows: RowCodec,
    output: SchemaRef,
    /// What stands for the table's row where there is none; None: such rows are dropped.
    nothing: Option<Box<[u8]>>,
}

struct LookupTask {
    table: StateTable<Bytes>,
}

impl Task for LookupTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.table]
    }
}

impl LookupJoin {
    fn encode(
        &self,
        inputs: &[Option<Input<'_>>],
        side: usize,
    ) -> Result<Option<(Keys, RowBytes)>> {
        let Some(input) = &inputs[side] else {
            return Ok(None);
        };
        let codec = if side == STREAM {
            &self.stream_rows
        } else {
            &self.table_rows
        };
        Ok(Some((
            self.keys.encode(input.keys, input.rows())?,
            codec.encode(input.values, input.rows())?,
        )))
    }
}

impl Operator for LookupJoin {
    type Task = LookupTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(LookupTask {
            table: StateTable::open(store, PREFIX, Bytes)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = OutRows::<3>::default();
        let sides = [self.encode(inputs, STREAM)?, self.encode(inputs, TABLE)?];
        for rows in walk(inputs) {
            let table = &mut tasks.get(rows.partition)?.table;
            for Place { input: side, row } in rows.places {
                let (side, row) = (side as usize, row as usize);
                let (Some(input), Some((keys, values))) = (&inputs[side], &sides[side]) else {
                    continue;
                };
                let matches = !keys.any_null(row);
                if side == TABLE {
                    if !matches {
                        dropped.null_keys += 1;
                        continue;
                    }
                    let slot = table.slot(keys.key(row), keys.hash(row))?;
                    let come = (input.op[row] > 0).then(|| values.row(row));
                    if table.get(slot).map(AsRef::as_ref) != come {
                        *table.edit(slot) = come.map(Into::into);
                    }
                    continue;
                }
                let found = match matches {
                    true => table.find(keys.key(row), keys.hash(row))?,
                    false => None,
                };
                let found = found.and_then(|slot| table.get(slot));
                match found.or(self.nothing.as_ref()) {
                    Some(found) => out.push(
                        Cause::of(input, row),
                        op::INSERT,
                        [keys.key(row), values.row(row), found],
                    ),
                    None => dropped.null_keys += u64::from(!matches),
                }
            }
        }
        out.finish(
            &self.output,
            [&self.key_rows, &self.stream_rows, &self.table_rows],
        )
    }

    fn decode(&self, keys: &BinaryArray, values: &BinaryArray) -> Result<RecordBatch> {
        let mut columns = self
            .key_rows
            .decode(entries(keys, values, PREFIX).map(|(key, _)| key))?;
        columns.extend(
            self.table_rows
                .decode(entries(keys, values, PREFIX).map(|(_, row)| row))?,
        );
        let fields = &self.output.fields()[LEADING..];
        let (key_fields, joined) = fields.split_at(self.key_rows.types().len());
        let table_fields = &joined[self.stream_rows.types().len()..];
        let schema = Arc::new(Schema::new([key_fields, table_fields].concat()));
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
