//! The first rows of each key in an order: ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) <= limit.
//!
//! The rows of a key are entries of a group in their order: the suffix is the bytes of the order's columns, then a number that
//! rises with the arrival of rows that are equal in them. Over facts only the best rows are kept; over RETRACT changes all, since
//! those below come up when one goes.

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
use crate::spec::{Changes, KernelSpec, Spec};
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
    let ranks = [DataType::Int64];
    check_output(&output, &[key_rows.types(), &ranks, value_rows.types()])?;
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

/// The rows that come out: key, number of the rank, row.
struct Ranked {
    rows: OutRows<2>,
    ranks: Vec<i64>,
    retracts: bool,
}

impl Ranked {
    /// Give what has changed at a rank.
    fn tell(
        &mut self,
        cause: Cause,
        key: &[u8],
        rank: usize,
        old: Option<&[u8]>,
        new: Option<&[u8]>,
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
            self.rows.push(cause, kind, [key, old]);
            self.ranks.push(rank as i64 + 1);
        }
        if let Some(new) = new {
            let kind = if update { op::UPDATE_AFTER } else { op::INSERT };
            self.rows.push(cause, kind, [key, new]);
            self.ranks.push(rank as i64 + 1);
        }
    }

    /// Give what has changed at the ranks from `first`, where `entries` has a row that the others once stood without, so that
    /// each of them is now one rank lower; or the other way round.
    fn tell_shift(
        &mut self,
        cause: Cause,
        key: &[u8],
        first: usize,
        limit: usize,
        entries: &Entries,
        inserted: bool,
    ) {
        let mut rows = entries.iter().skip(first).map(|(_, row)| row);
        let mut with = rows.next();
        for rank in first..limit {
            if with.is_none() {
                break;
            }
            let without = rows.next();
            let (old, new) = if inserted {
                (without, with)
            } else {
                (with, without)
            };
            self.tell(cause, key, rank, old, new);
            with = without;
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
        if !self.keeps_all
            && entries.len() >= self.limit
            && entries
                .last()
                .is_some_and(|(last, _)| last < suffix.as_slice())
        {
            return Ok(());
        }
        suffix.truncate(step.order.len());
        suffix.extend_from_slice(&number.to_be_bytes());
        groups.put(group, &suffix, step.row);
        let entries = groups.entries(group);
        let rank = rank_of(entries, &suffix, self.limit);
        out.tell_shift(step.cause, step.key, rank, self.limit, entries, true);
        if !self.keeps_all
            && entries.len() > self.limit
            && let Some((last, _)) = entries.last()
        {
            let last = last.to_vec();
            groups.remove(group, &last);
        }
        Ok(())
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
        let rank = rank_of(entries, &suffix, self.limit);
        out.tell_shift(step.cause, step.key, rank, self.limit, entries, false);
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

/// Count the entries before one, up to a limit.
fn rank_of(entries: &Entries, suffix: &[u8], limit: usize) -> usize {
    entries
        .iter()
        .take(limit)
        .take_while(|(other, _)| *other < suffix)
        .count()
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
            ranks: Vec::new(),
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
        let ranks: ArrayRef = Arc::new(Int64Array::from(out.ranks));
        out.rows.finish_between(
            &self.output,
            [&self.key_rows, &self.value_rows],
            vec![ranks],
        )
    }

    /// Gives keys and rows; the rank of a row follows from the others of its key.
    fn decode(&self, keys: &BinaryArray, values: &BinaryArray) -> Result<RecordBatch> {
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
        fields.remove(key_count);
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
