//! Two tables on equal keys: for each key all rows of one side with all rows of the other. RETRACT changes out.
//!
//! Rows of a key are told apart by all of their columns and counted, or, on a side whose join key is the table's own key
//! (UPSERT), there is at most one. A row without a partner that is kept nevertheless (LEFT, RIGHT, FULL) stands beside nulls;
//! its first partner makes that an update, and so does the going of its last.

use std::sync::Arc;

use arrow_array::{BinaryArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::batch::{Input, LEADING};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::groups::{GroupId, Groups};
use crate::kernels::joined::{Cause, OutRows, row_of_nulls};
use crate::kernels::operator::{Dropped, Operator, Running, check_keys, check_output, entries};
use crate::kernels::walk::{changes, walk};
use crate::rows::{KeyCodec, Keys, RowBytes, RowCodec};
use crate::spec::{Changes, JoinKind, KernelSpec, Spec};
use crate::store::Store;
use crate::tasks::{Part, Task, Tasks};

/// Of the rows of each side.
const PREFIXES: [&[u8]; 2] = [b"l", b"r"];

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::TableJoin(join) = &spec.kernel else {
        return Err(Error::spec("this is no join of tables"));
    };
    check_keys(&inputs, spec.keys)?;
    let key_rows = RowCodec::of_keys(&inputs[0], spec.keys)?;
    let [left, right] = [
        Side::new(
            &inputs[0],
            spec.keys,
            spec.inputs[0],
            matches!(join.kind, JoinKind::Left | JoinKind::Full),
        )?,
        Side::new(
            &inputs[1],
            spec.keys,
            spec.inputs[1],
            matches!(join.kind, JoinKind::Right | JoinKind::Full),
        )?,
    ];
    check_output(
        &output,
        &[key_rows.types(), left.rows.types(), right.rows.types()],
    )?;
    let join = TableJoin {
        keys: KeyCodec::new(&inputs[0], spec.keys)?,
        key_rows,
        sides: [left, right],
        output,
    };
    Ok(Box::new(Running::new(join, spec)))
}

/// One of the two tables.
struct Side {
    rows: RowCodec,
    /// Of its rows with the key before them.
    keyed_rows: RowCodec,
    /// What stands for its row where there is none.
    nothing: Box<[u8]>,
    /// A key has at most one row, and the next one takes its place.
    single: bool,
    /// Its rows come out without a partner too.
    outer: bool,
}

impl Side {
    fn new(schema: &SchemaRef, keys: usize, changes: Changes, outer: bool) -> Result<Self> {
        let rows = RowCodec::of_values(schema, keys)?;
        let key_rows = RowCodec::of_keys(schema, keys)?;
        let nothing = row_of_nulls(&rows)?;
        Ok(Self {
            keyed_rows: RowCodec::new(&[key_rows.types(), rows.types()].concat())?,
            rows,
            nothing,
            single: changes == Changes::Upsert,
            outer,
        })
    }
}

struct TableJoin {
    keys: KeyCodec,
    key_rows: RowCodec,
    sides: [Side; 2],
    output: SchemaRef,
}

/// The rows of both sides by join key. Of a single row: no suffix, and the row. Otherwise: the row, and its number.
struct TableJoinTask {
    sides: [Groups; 2],
}

impl Task for TableJoinTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        self.sides
            .iter_mut()
            .map(|side| side as &mut dyn Part)
            .collect()
    }
}

/// How many equal rows an entry stands for; no bytes for one, as nearly all do.
fn number(value: &[u8]) -> Result<u32> {
    if value.is_empty() {
        return Ok(1);
    }
    let bytes = value
        .try_into()
        .map_err(|_| Error::damaged("the number of equal rows is not four bytes"))?;
    Ok(u32::from_be_bytes(bytes))
}

fn put_number(groups: &mut Groups, group: GroupId, row: &[u8], number: u32) {
    match number {
        0 => groups.remove(group, row),
        1 => groups.put(group, row, &[]),
        _ => groups.put(group, row, &number.to_be_bytes()),
    }
}

/// One change of one side.
#[derive(Clone, Copy)]
struct Step<'a> {
    cause: Cause,
    side: usize,
    key: &'a [u8],
    hash: u64,
    gone: Option<&'a [u8]>,
    come: Option<&'a [u8]>,
}

impl TableJoin {
    fn encode(
        &self,
        inputs: &[Option<Input<'_>>],
        side: usize,
    ) -> Result<Option<(Keys, RowBytes)>> {
        let Some(input) = &inputs[side] else {
            return Ok(None);
        };
        Ok(Some((
            self.keys.encode(input.keys, input.rows())?,
            self.sides[side].rows.encode(input.values, input.rows())?,
        )))
    }

    /// Take a row with a key that matches nothing.
    fn take_alone(
        &self,
        task: &mut TableJoinTask,
        step: Step<'_>,
        out: &mut OutRows<3>,
    ) -> Result<()> {
        let mut gone = step.gone.map(Box::<[u8]>::from);
        if self.sides[step.side].single {
            let mine = &mut task.sides[step.side];
            let group = mine.group(step.key, step.hash)?;
            gone = replace(mine, group, step.come);
        }
        self.tell(step, gone.as_deref(), step.come, None, out);
        Ok(())
    }

    fn take(&self, task: &mut TableJoinTask, step: Step<'_>, out: &mut OutRows<3>) -> Result<()> {
        let (side, other) = (step.side, 1 - step.side);
        let mine = &mut task.sides[side];
        let group = mine.group(step.key, step.hash)?;
        let was_empty = mine.entries(group).is_empty();
        let gone = if self.sides[side].single {
            replace(mine, group, step.come)
        } else {
            change(mine, group, step.gone, step.come)?
        };
        let gone = gone.as_deref();
        if gone == step.come {
            return Ok(());
        }
        let is_empty = mine.entries(group).is_empty();
        let theirs = &mut task.sides[other];
        let partners = match theirs.find(step.key, step.hash)? {
            Some(group) if !theirs.entries(group).is_empty() => theirs.entries(group),
            _ => {
                if self.sides[side].outer {
                    self.tell(step, gone, step.come, None, out);
                }
                return Ok(());
            }
        };
        // What the other side's rows stood beside, and stand beside now.
        let alone = self.sides[other]
            .outer
            .then(|| self.sides[side].nothing.as_ref());
        let before = gone.or(alone.filter(|_| was_empty));
        let after = step.come.or(alone.filter(|_| is_empty));
        for (suffix, value) in partners.iter() {
            let (partner, times) = match self.sides[other].single {
                true => (value, 1),
                false => (suffix, number(value)?),
            };
            for _ in 0..times {
                self.tell(step, before, after, Some(partner), out);
            }
        }
        Ok(())
    }

    /// Give the difference between a row of one side before and after, beside a row of the other or nulls.
    fn tell(
        &self,
        step: Step<'_>,
        before: Option<&[u8]>,
        after: Option<&[u8]>,
        partner: Option<&[u8]>,
        out: &mut OutRows<3>,
    ) {
        let partner = partner.unwrap_or(&self.sides[1 - step.side].nothing);
        let joined = |mine| match step.side {
            0 => [step.key, mine, partner],
            _ => [step.key, partner, mine],
        };
        out.push_difference(step.cause, before.map(joined), after.map(joined));
    }
}

/// Put a row in the place of the one of its key; give that one.
fn replace(groups: &mut Groups, group: GroupId, come: Option<&[u8]>) -> Option<Box<[u8]>> {
    let old = groups.entries(group).get(&[]).map(Box::<[u8]>::from);
    match come {
        Some(come) if old.as_deref() != Some(come) => groups.put(group, &[], come),
        Some(_) => {}
        None => groups.remove(group, &[]),
    }
    old
}

/// Take a row from those of its key, and add another. Gives the one taken, if it was there.
fn change(
    groups: &mut Groups,
    group: GroupId,
    gone: Option<&[u8]>,
    come: Option<&[u8]>,
) -> Result<Option<Box<[u8]>>> {
    if gone == come {
        return Ok(come.map(Into::into));
    }
    let mut taken = None;
    if let Some(gone) = gone
        && let Some(value) = groups.entries(group).get(gone)
    {
        let number = number(value)?;
        put_number(groups, group, gone, number - 1);
        taken = Some(gone.into());
    }
    if let Some(come) = come {
        let number = groups.entries(group).get(come).map_or(Ok(0), number)?;
        put_number(groups, group, come, number + 1);
    }
    Ok(taken)
}

impl Operator for TableJoin {
    type Task = TableJoinTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(TableJoinTask {
            sides: [
                Groups::open(store, PREFIXES[0])?,
                Groups::open(store, PREFIXES[1])?,
            ],
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = OutRows::<3>::default();
        let encoded = [self.encode(inputs, 0)?, self.encode(inputs, 1)?];
        let same_key = |side: usize, one, two| {
            encoded[side]
                .as_ref()
                .is_some_and(|(keys, _)| keys.key(one) == keys.key(two))
        };
        for rows in walk(inputs) {
            let task = tasks.get(rows.partition)?;
            for change in changes(inputs, &rows.places, same_key) {
                let (side, row) = (change.input, change.row());
                let (Some(input), Some((keys, values))) = (&inputs[side], &encoded[side]) else {
                    continue;
                };
                let step = Step {
                    cause: Cause::of(input, row),
                    side,
                    key: keys.key(row),
                    hash: keys.hash(row),
                    gone: change.gone.map(|row| values.row(row)),
                    come: change.come.map(|row| values.row(row)),
                };
                let table = &self.sides[side];
                if !keys.any_null(row) {
                    self.take(task, step, &mut out)?;
                } else if table.outer && !(table.single && keys.all_null(row)) {
                    self.take_alone(task, step, &mut out)?;
                } else {
                    dropped.null_keys += change.rows();
                }
            }
        }
        out.finish(
            &self.output,
            [&self.key_rows, &self.sides[0].rows, &self.sides[1].rows],
        )
    }

    /// Gives the rows of both sides, each with nulls for the other's columns, and how many there are of each.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let mut rows: OutRows<3> = OutRows::default();
        let mut numbers = Vec::new();
        for (side, prefix) in PREFIXES.into_iter().enumerate() {
            let mut keyed = Vec::new();
            for (key, value) in entries(keys, values, prefix) {
                let single = self.sides[side].single;
                keyed.push(if single {
                    [key, value].concat()
                } else {
                    key.to_vec()
                });
                numbers.push(if single { 1 } else { i64::from(number(value)?) });
            }
            // A key and a row without a mark between them are a row of the columns of both.
            let columns = self.sides[side]
                .keyed_rows
                .decode(keyed.iter().map(Vec::as_slice))?;
            let (key_columns, value_columns) = columns.split_at(self.key_rows.types().len());
            let found_keys = self.key_rows.encode(key_columns, keyed.len())?;
            let found_rows = self.sides[side].rows.encode(value_columns, keyed.len())?;
            let nothing = self.sides[1 - side].nothing.as_ref();
            for entry in 0..keyed.len() {
                let (key, row) = (found_keys.row(entry), found_rows.row(entry));
                rows.push_pieces(if side == 0 {
                    [key, row, nothing]
                } else {
                    [key, nothing, row]
                });
            }
        }
        let mut columns =
            rows.columns([&self.key_rows, &self.sides[0].rows, &self.sides[1].rows])?;
        columns.push(Arc::new(Int64Array::from(numbers)));
        let mut fields = self.output.fields()[LEADING..].to_vec();
        fields.push(Arc::new(Field::new("rows", DataType::Int64, false)));
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
