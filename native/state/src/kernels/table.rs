//! The latest row of each key: UPSERT changes in, RETRACT changes out.
//!
//! Also its `counted` form: the input is RETRACT changes of which those of one key come from several tasks, in an order that
//! nobody knows. Then the rows of a key that are there are counted, and the one that came last is the row of the key.

use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};

use crate::batch::{Input, LEADING};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::joined::{Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, Running, check_output, entries};
use crate::kernels::walk::{changes, walk};
use crate::rows::{KeyCodec, RowCodec};
use crate::spec::{Changes, KernelSpec, Spec};
use crate::store::Store;
use crate::table::{Bytes, Codec, Slot, StateTable};
use crate::tasks::{Part, Task, Tasks};

const PREFIX: &[u8] = b"t";

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::Table(table) = &spec.kernel else {
        return Err(Error::spec("this is no table"));
    };
    let counted = table.counted;
    if spec.inputs[0]
        != if counted {
            Changes::Retract
        } else {
            Changes::Upsert
        }
    {
        return Err(Error::spec(
            "a table takes UPSERT changes, with `counted` RETRACT changes",
        ));
    }
    let key_rows = RowCodec::of_keys(&inputs[0], spec.keys)?;
    let value_rows = RowCodec::of_values(&inputs[0], spec.keys)?;
    check_output(&output, &[key_rows.types(), value_rows.types()])?;
    let keys = KeyCodec::new(&inputs[0], spec.keys)?;
    Ok(if counted {
        Box::new(Running::new(
            Table {
                keys,
                key_rows,
                value_rows,
                output,
                latest: Counted,
            },
            spec,
        ))
    } else {
        Box::new(Running::new(
            Table {
                keys,
                key_rows,
                value_rows,
                output,
                latest: Bytes,
            },
            spec,
        ))
    })
}

/// How the row of a key follows from the changes of the key.
trait Latest: Codec + Copy + Send + Sized
where
    Self::Value: Send,
{
    /// Take a change in, and tell the row of the key before and after it.
    fn take(
        table: &mut StateTable<Self>,
        slot: Slot,
        gone: Option<&[u8]>,
        come: Option<&[u8]>,
        tell: impl FnOnce(Option<&[u8]>, Option<&[u8]>),
    );

    fn current(value: &Self::Value) -> Option<&[u8]>;
}

/// The row that came last.
impl Latest for Bytes {
    fn take(
        table: &mut StateTable<Self>,
        slot: Slot,
        _gone: Option<&[u8]>,
        come: Option<&[u8]>,
        tell: impl FnOnce(Option<&[u8]>, Option<&[u8]>),
    ) {
        let old = table.get(slot).map(AsRef::as_ref);
        if old == come {
            return;
        }
        tell(old, come);
        *table.edit(slot) = come.map(Into::into);
    }

    fn current(value: &Box<[u8]>) -> Option<&[u8]> {
        Some(value)
    }
}

/// The rows that are there with their numbers, in the order in which they came to be there.
#[derive(Clone, Copy)]
struct Counted;

type Counts = Vec<(u32, Box<[u8]>)>;

impl Latest for Counted {
    fn take(
        table: &mut StateTable<Self>,
        slot: Slot,
        gone: Option<&[u8]>,
        come: Option<&[u8]>,
        tell: impl FnOnce(Option<&[u8]>, Option<&[u8]>),
    ) {
        if gone == come {
            return;
        }
        let value = table.edit(slot);
        let mut counts = value.take().unwrap_or_default();
        let old = counts.last().map(|(_, row)| row.clone());
        if let Some(gone) = gone
            && let Some(place) = counts.iter().position(|(_, row)| row.as_ref() == gone)
        {
            counts[place].0 -= 1;
            if counts[place].0 == 0 {
                counts.remove(place);
            }
        }
        if let Some(come) = come {
            match counts.iter_mut().find(|(_, row)| row.as_ref() == come) {
                Some((count, _)) => *count += 1,
                None => counts.push((1, come.into())),
            }
        }
        tell(old.as_deref(), counts.last().map(|(_, row)| row.as_ref()));
        *value = Some(counts).filter(|counts| !counts.is_empty());
    }

    fn current(value: &Counts) -> Option<&[u8]> {
        value.last().map(|(_, row)| row.as_ref())
    }
}

impl Codec for Counted {
    type Value = Counts;

    fn encode(&self, counts: &Counts, out: &mut Vec<u8>) {
        for (count, row) in counts {
            out.extend_from_slice(&count.to_be_bytes());
            out.extend_from_slice(&(row.len() as u32).to_be_bytes());
            out.extend_from_slice(row);
        }
    }

    fn decode(&self, mut bytes: &[u8]) -> Result<Counts> {
        let mut counts = Vec::new();
        while !bytes.is_empty() {
            let entry = split_number(bytes)
                .and_then(|(count, rest)| split_number(rest).map(|(len, rest)| (count, len, rest)))
                .and_then(|(count, len, rest)| Some((count, rest.split_at_checked(len as usize)?)));
            let Some((count, (row, rest))) = entry else {
                return Err(Error::damaged("the counted rows of a key end too early"));
            };
            counts.push((count, row.into()));
            bytes = rest;
        }
        Ok(counts)
    }

    fn heap(&self, counts: &Counts) -> usize {
        counts.capacity() * size_of::<(u32, Box<[u8]>)>()
            + counts.iter().map(|(_, row)| row.len()).sum::<usize>()
    }
}

fn split_number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*number), rest))
}

struct Table<L> {
    keys: KeyCodec,
    key_rows: RowCodec,
    value_rows: RowCodec,
    output: SchemaRef,
    latest: L,
}

struct TableTask<L: Codec> {
    rows: StateTable<L>,
}

impl<L: Codec> Task for TableTask<L> {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.rows]
    }
}

impl<L: Latest> Operator for Table<L>
where
    L::Value: Send,
{
    type Task = TableTask<L>;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(TableTask {
            rows: StateTable::open(store, PREFIX, self.latest)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = OutRows::<2>::default();
        if let Some(input) = &inputs[0] {
            let keys = self.keys.encode(input.keys, input.rows())?;
            let values = self.value_rows.encode(input.values, input.rows())?;
            for rows in walk(inputs) {
                let task = tasks.get(rows.partition)?;
                let same_key = |_, one, two| keys.key(one) == keys.key(two);
                for change in changes(inputs, &rows.places, same_key) {
                    let row = change.row();
                    if keys.all_null(row) {
                        dropped.null_keys += change.rows();
                        continue;
                    }
                    let key = keys.key(row);
                    let slot = task.rows.slot(key, keys.hash(row))?;
                    let (gone, come) = (
                        change.gone.map(|row| values.row(row)),
                        change.come.map(|row| values.row(row)),
                    );
                    let cause = Cause::of(input, row);
                    L::take(&mut task.rows, slot, gone, come, |old, new| {
                        out.push_difference(
                            cause,
                            old.map(|old| [key, old]),
                            new.map(|new| [key, new]),
                        );
                    });
                }
            }
        }
        out.finish(&self.output, [&self.key_rows, &self.value_rows])
    }

    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let mut rows = Vec::new();
        for (key, value) in entries(keys, values, PREFIX) {
            let value = self.latest.decode(value)?;
            if let Some(row) = L::current(&value) {
                rows.push((key, Box::<[u8]>::from(row)));
            }
        }
        let mut columns = self.key_rows.decode(rows.iter().map(|(key, _)| *key))?;
        columns.extend(
            self.value_rows
                .decode(rows.iter().map(|(_, row)| row.as_ref()))?,
        );
        let schema = Arc::new(Schema::new(self.output.fields()[LEADING..].to_vec()));
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
