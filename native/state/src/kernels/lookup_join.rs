//! A stream, each row with the row that a table has for its key at that moment.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch, UInt32Array};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::take::take;

use crate::batch::{Input, LEADING, Leading, op};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::joined::{ByteRows, row_of_nulls};
use crate::kernels::operator::{Dropped, Operator, Running, check_keys, check_output, entries};
use crate::kernels::walk::{Place, walk};
use crate::rows::{KeyCodec, Keys, RowCodec};
use crate::spec::{Changes, JoinKind, KernelSpec, Spec};
use crate::store::Store;
use crate::table::{Bytes, Slot, StateTable};
use crate::tasks::{Part, Task, Tasks};

const PREFIX: &[u8] = b"t";
/// The inputs.
const STREAM: usize = 0;
const TABLE: usize = 1;
/// The task whose table all look into, if there is one table for all.
const WHOLE: i32 = -1;

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
        broadcast: join.broadcast,
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
    broadcast: bool,
}

struct LookupTask {
    table: StateTable<Bytes>,
}

impl Task for LookupTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.table]
    }
}

/// The rows that come out: rows of the stream by number, each with the bytes of a row of the table.
#[derive(Default)]
struct Found {
    leading: Leading,
    stream_rows: Vec<u32>,
    table_rows: ByteRows,
}

/// One input with the keys of its rows.
struct Keyed<'a> {
    input: &'a Input<'a>,
    keys: Keys,
}

impl LookupJoin {
    fn keyed<'a>(&self, input: &'a Option<Input<'a>>) -> Result<Option<Keyed<'a>>> {
        let Some(input) = input else { return Ok(None) };
        let keys = self.keys.encode(input.keys, input.rows())?;
        Ok(Some(Keyed { input, keys }))
    }

    /// Look rows of the stream up between which the table does not change. All are looked for before any is used: so the
    /// processor waits for the memory of several at once.
    fn look_up(
        &self,
        table: &mut StateTable<Bytes>,
        stream: &Keyed<'_>,
        places: &[Place],
        out: &mut Found,
        dropped: &mut Dropped,
    ) -> Result<()> {
        let mut slots: Vec<Option<Slot>> = Vec::with_capacity(places.len());
        for row in places.iter().map(|place| place.row as usize) {
            slots.push(match stream.keys.any_null(row) {
                false => table.find(stream.keys.key(row), stream.keys.hash(row))?,
                true => None,
            });
        }
        let input = stream.input;
        for (place, slot) in places.iter().zip(slots) {
            let row = place.row as usize;
            match slot
                .and_then(|slot| table.get(slot))
                .or(self.nothing.as_ref())
            {
                Some(found) => {
                    out.leading.push(
                        input.partition[row],
                        input.seq[row],
                        input.time[row],
                        op::INSERT,
                    );
                    out.stream_rows.push(place.row);
                    out.table_rows.push(found);
                }
                None => dropped.null_keys += u64::from(stream.keys.any_null(row)),
            }
        }
        Ok(())
    }

    fn finish(&self, stream: &Option<Keyed<'_>>, out: Found) -> Result<RecordBatch> {
        let Some(stream) = stream.as_ref().filter(|_| !out.leading.is_empty()) else {
            return Ok(RecordBatch::new_empty(self.output.clone()));
        };
        let rows = out.stream_rows;
        let columns = stream.input.keys.iter().chain(stream.input.values);
        let all = rows.len() == stream.input.rows() && rows.is_sorted();
        let mut columns: Vec<ArrayRef> = if all {
            columns.map(Arc::clone).collect()
        } else {
            let rows = UInt32Array::from(rows);
            columns
                .map(|column| Ok(take(column, &rows, None)?))
                .collect::<Result<_>>()?
        };
        columns.extend(self.table_rows.decode(out.table_rows.iter())?);
        out.leading.finish(&self.output, columns)
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
        let stream = self.keyed(&inputs[STREAM])?;
        let changes = self.keyed(&inputs[TABLE])?;
        let rows_of_table = match &inputs[TABLE] {
            Some(input) => Some(self.table_rows.encode(input.values, input.rows())?),
            None => None,
        };
        let mut out = Found::default();
        for rows in walk(inputs) {
            let owner = if self.broadcast {
                WHOLE
            } else {
                rows.partition
            };
            let table = &mut tasks.get(owner)?.table;
            for run in rows.places.chunk_by(|one, two| one.input == two.input) {
                if run[0].input as usize == STREAM {
                    if let Some(stream) = &stream {
                        self.look_up(table, stream, run, &mut out, dropped)?;
                    }
                    continue;
                }
                let (Some(Keyed { input, keys }), Some(values)) = (&changes, &rows_of_table) else {
                    continue;
                };
                for row in run.iter().map(|place| place.row as usize) {
                    if keys.any_null(row) {
                        dropped.null_keys += 1;
                        continue;
                    }
                    let slot = table.slot(keys.key(row), keys.hash(row))?;
                    let come = (input.op[row] > 0).then(|| values.row(row));
                    if table.get(slot).map(AsRef::as_ref) != come {
                        *table.edit(slot) = come.map(Into::into);
                    }
                }
            }
        }
        self.finish(&stream, out)
    }

    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
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
