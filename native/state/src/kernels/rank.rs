//! The first rows of each key in an order: ROW_NUMBER(), RANK() or DENSE_RANK() OVER (PARTITION BY … ORDER BY …) <= limit.
//!
//! The rows of a key are entries of a group in their order: the suffix is the bytes of the order's columns, then a number that
//! rises with the arrival of rows that are equal in them. Over facts only the best rows are kept; over RETRACT changes all, since
//! those below come up when one goes. With RANK and DENSE_RANK rows that are equal in the order have equal numbers, so that there
//! may be more of them than the limit says; what tells them apart is their place, from 1.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Schema, SchemaRef, SortOptions};

use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::groups::{Entries, GroupId, Groups};
use crate::kernels::joined::{Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, Running, check_output, entries};
use crate::kernels::walk::walk;
use crate::rows::{KeyCodec, RowCodec};
use crate::spec::{Changes, KernelSpec, RankFunction, Spec};
use crate::store::Store;
use crate::tasks::{Part, Task, Tasks};

const PREFIX: &[u8] = b"r";
/// Bytes of the number at the end of a suffix.
const NUMBER: usize = 8;

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::Rank(rank) = &spec.kernel else {
        return Err(Error::spec("this is no rank"));
    };
    let keeps_all = match spec.inputs[0] {
        Changes::Append => false,
        Changes::Retract => true,
        Changes::Upsert => return Err(Error::spec("a rank takes APPEND or RETRACT changes")),
    };
    if rank.limit == 0 {
        return Err(Error::spec("the limit of a rank is at least 1"));
    }
    let key_rows = RowCodec::of_keys(&inputs[0], spec.keys)?;
    let value_rows = RowCodec::of_values(&inputs[0], spec.keys)?;
    let numbers: &[DataType] = match rank.function {
        RankFunction::RowNumber => &[DataType::Int64],
        _ => &[DataType::Int64, DataType::Int64],
    };
    check_output(&output, &[key_rows.types(), numbers, value_rows.types()])?;
    if rank
        .order
        .iter()
        .any(|term| term.column >= value_rows.types().len())
    {
        return Err(Error::spec("there is no such column to order by"));
    }
    let (types, options): (Vec<DataType>, Vec<SortOptions>) = rank
        .order
        .iter()
        .map(|term| {
            let options = SortOptions {
                descending: term.descending,
                nulls_first: term.nulls_first,
            };
            (value_rows.types()[term.column].clone(), options)
        })
        .unzip();
    let plain = vec![SortOptions::default(); spec.keys];
    Ok(Box::new(Running::new(
        Rank {
            keys: KeyCodec::new(&inputs[0], spec.keys)?,
            order: RowCodec::ordered(&types, &options)?,
            ordered_keys: RowCodec::ordered(
                &[key_rows.types(), &types].concat(),
                &[plain, options].concat(),
            )?,
            key_rows,
            value_rows,
            columns: rank.order.iter().map(|term| term.column).collect(),
            function: rank.function,
            numbers: numbers.len(),
            limit: rank.limit,
            retracts: rank.retracts,
            keeps_all,
            output,
        },
        spec,
    )))
}

struct Rank {
    keys: KeyCodec,
    key_rows: RowCodec,
    value_rows: RowCodec,
    order: RowCodec,
    /// Keys, and then what they are ordered by.
    ordered_keys: RowCodec,
    /// Of the order, among the values.
    columns: Vec<usize>,
    function: RankFunction,
    /// Columns of numbers that come out.
    numbers: usize,
    limit: usize,
    retracts: bool,
    keeps_all: bool,
    output: SchemaRef,
}

struct RankTask {
    groups: Groups,
}

impl Task for RankTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.groups]
    }
}

/// A row with its number.
type Numbered<'a> = (i64, &'a [u8]);

/// Number rows that stand in their order, up to a limit.
fn numbered<'a>(
    rows: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    function: RankFunction,
    limit: usize,
) -> impl Iterator<Item = Numbered<'a>> {
    let (mut place, mut number) = (0, 0);
    let mut last: Option<&[u8]> = None;
    rows.map_while(move |(suffix, row)| {
        place += 1;
        let order = order_of(suffix);
        if function == RankFunction::RowNumber || last != Some(order) {
            number = match function {
                RankFunction::DenseRank => number + 1,
                _ => place,
            };
        }
        last = Some(order);
        (number <= limit as i64).then_some((number, row))
    })
}

/// The rows that come out: key, place of the row and its number, row.
struct Ranked {
    rows: OutRows<2>,
    places: Vec<i64>,
    /// Only where it is another one than the place.
    numbers: Vec<i64>,
    function: RankFunction,
    retracts: bool,
}

impl Ranked {
    /// Give what has changed at a place.
    fn tell(
        &mut self,
        cause: Cause,
        key: &[u8],
        place: usize,
        old: Option<Numbered<'_>>,
        new: Option<Numbered<'_>>,
    ) {
        if old == new {
            return;
        }
        let update = old.is_some() && new.is_some();
        if let Some(old) = old.filter(|_| self.retracts || !update) {
            let kind = if update {
                op::UPDATE_BEFORE
            } else {
                op::DELETE
            };
            self.push(cause, kind, key, place, old);
        }
        if let Some(new) = new {
            let kind = if update { op::UPDATE_AFTER } else { op::INSERT };
            self.push(cause, kind, key, place, new);
        }
    }

    fn push(
        &mut self,
        cause: Cause,
        kind: i8,
        key: &[u8],
        place: usize,
        (number, row): Numbered<'_>,
    ) {
        self.rows.push(cause, kind, [key, row]);
        self.places.push(place as i64 + 1);
        if self.function != RankFunction::RowNumber {
            self.numbers.push(number);
        }
    }

    /// Give what has changed from the place `first` on, where `entries` has a row with this suffix that the others once stood
    /// without; or the other way round.
    fn tell_shift(
        &mut self,
        step: Step<'_>,
        (first, suffix): (usize, &[u8]),
        limit: usize,
        entries: &Entries,
        inserted: bool,
    ) {
        let others = entries.iter().filter(|(other, _)| *other != suffix);
        let mut with = numbered(entries.iter(), self.function, limit).skip(first);
        let mut without = numbered(others, self.function, limit).skip(first);
        for place in first.. {
            let (with, without) = (with.next(), without.next());
            if with.is_none() && without.is_none() {
                break;
            }
            let (old, new) = if inserted {
                (without, with)
            } else {
                (with, without)
            };
            self.tell(step.cause, step.key, place, old, new);
        }
    }
}

impl Rank {
    fn insert(
        &self,
        groups: &mut Groups,
        group: GroupId,
        step: Step<'_>,
        out: &mut Ranked,
    ) -> Result<()> {
        let entries = groups.entries(group);
        let mut suffix = [step.order, &u64::MAX.to_be_bytes()].concat();
        let number = match entries.before(&suffix) {
            Some((before, _)) if before.starts_with(step.order) => number_of(before)? + 1,
            _ => 0,
        };
        if !self.keeps_all && self.is_beyond(entries, step.order) {
            return Ok(());
        }
        suffix.truncate(step.order.len());
        suffix.extend_from_slice(&number.to_be_bytes());
        groups.put(group, &suffix, step.row);
        let entries = groups.entries(group);
        let place = self.place_of(entries, &suffix);
        out.tell_shift(step, (place, &suffix), self.limit, entries, true);
        if !self.keeps_all && entries.len() > self.limit {
            let kept = numbered(entries.iter(), self.function, self.limit).count();
            let beyond: Vec<Box<[u8]>> = entries
                .iter()
                .skip(kept)
                .map(|(suffix, _)| suffix.into())
                .collect();
            for suffix in beyond {
                groups.remove(group, &suffix);
            }
        }
        Ok(())
    }

    /// Count the entries before one, as far as they have numbers up to the limit.
    fn place_of(&self, entries: &Entries, suffix: &[u8]) -> usize {
        let numbers = numbered(entries.iter(), self.function, self.limit);
        entries
            .iter()
            .zip(numbers)
            .take_while(|((other, _), _)| *other < suffix)
            .count()
    }

    /// Whether a row in this place of the order has a number above the limit, and can never get another: it is behind all that
    /// are kept, none of which goes.
    fn is_beyond(&self, entries: &Entries, order: &[u8]) -> bool {
        let Some((last, _)) = entries.last().filter(|_| entries.len() >= self.limit) else {
            return false;
        };
        match (self.function, order_of(last).cmp(order)) {
            (RankFunction::RowNumber, found) => found.is_le(),
            (_, found) if !found.is_lt() => false,
            (RankFunction::Rank, _) => true,
            (RankFunction::DenseRank, _) => {
                let numbers = numbered(entries.iter(), self.function, self.limit);
                numbers
                    .last()
                    .is_some_and(|(number, _)| number >= self.limit as i64)
            }
        }
    }

    fn remove(&self, groups: &mut Groups, group: GroupId, step: Step<'_>, out: &mut Ranked) {
        let entries = groups.entries(group);
        let found = entries
            .from(step.order)
            .take_while(|(suffix, _)| suffix.starts_with(step.order))
            .find(|(_, row)| *row == step.row);
        let Some((suffix, _)) = found else {
            return;
        };
        let suffix = suffix.to_vec();
        let place = self.place_of(entries, &suffix);
        out.tell_shift(step, (place, &suffix), self.limit, entries, false);
        groups.remove(group, &suffix);
    }
}

/// One row.
#[derive(Clone, Copy)]
struct Step<'a> {
    cause: Cause,
    key: &'a [u8],
    order: &'a [u8],
    row: &'a [u8],
}

/// Give the bytes of the order's columns.
fn order_of(suffix: &[u8]) -> &[u8] {
    &suffix[..suffix.len().saturating_sub(NUMBER)]
}

fn number_of(suffix: &[u8]) -> Result<u64> {
    match suffix.last_chunk::<NUMBER>() {
        Some(number) => Ok(u64::from_be_bytes(*number)),
        None => Err(Error::damaged("a ranked row without its number")),
    }
}

impl Operator for Rank {
    type Task = RankTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(RankTask {
            groups: Groups::open(store, PREFIX)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = Ranked {
            rows: OutRows::default(),
            places: Vec::new(),
            numbers: Vec::new(),
            function: self.function,
            retracts: self.retracts,
        };
        if let Some(input) = &inputs[0] {
            let keys = self.keys.encode(input.keys, input.rows())?;
            let values = self.value_rows.encode(input.values, input.rows())?;
            let columns: Vec<ArrayRef> = self
                .columns
                .iter()
                .map(|column| Arc::clone(&input.values[*column]))
                .collect();
            let orders = self.order.encode(&columns, input.rows())?;
            for rows in walk(inputs) {
                let groups = &mut tasks.get(rows.partition)?.groups;
                for row in rows.places.iter().map(|place| place.row as usize) {
                    if keys.all_null(row) {
                        dropped.null_keys += 1;
                        continue;
                    }
                    let step = Step {
                        cause: Cause::of(input, row),
                        key: keys.key(row),
                        order: orders.row(row),
                        row: values.row(row),
                    };
                    let group = groups.group(step.key, keys.hash(row))?;
                    if input.op[row] > 0 {
                        self.insert(groups, group, step, &mut out)?;
                    } else {
                        self.remove(groups, group, step, &mut out);
                    }
                }
            }
        }
        let mut numbers: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(out.places))];
        if self.function != RankFunction::RowNumber {
            numbers.push(Arc::new(Int64Array::from(out.numbers)));
        }
        out.rows
            .finish_between(&self.output, [&self.key_rows, &self.value_rows], numbers)
    }

    /// Gives keys and rows; the rank of a row follows from the others of its key.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let (mut ordered_keys, mut rows) = (Vec::new(), Vec::new());
        for (key, value) in entries(keys, values, PREFIX) {
            let Some((ordered_key, _)) = key.split_last_chunk::<NUMBER>() else {
                return Err(Error::damaged("a ranked row without its number"));
            };
            ordered_keys.push(ordered_key);
            rows.push(value);
        }
        let key_count = self.key_rows.types().len();
        let mut columns = self.ordered_keys.decode(ordered_keys)?;
        columns.truncate(key_count);
        columns.extend(self.value_rows.decode(rows)?);
        let mut fields = self.output.fields()[LEADING..].to_vec();
        fields.drain(key_count..key_count + self.numbers);
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
