//! Rows of a stream that follow one another as a pattern says (MATCH_RECOGNIZE): one row out for each match.
//!
//! Of each key the rows from the start of the search on are kept, and with PREV some before it. What the search knows of them
//! is not: it follows from the rows, and is found again when it is not in memory. When no match begins at a row, the search goes
//! on at the next one over the rows that are there.
//!
//! A match that may take only so long is given up, or decided, when stream time is that far beyond its first row; rows are noted
//! with the stream time at which they came, so that it does not matter when that is seen.

mod cells;
mod conditions;
mod kept;
mod measures;
mod program;
mod search;
pub mod spec;

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::batch::{Input, LEADING};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::joined::Cause;
use crate::kernels::operator::{Dropped, Operator, Running, entries};
use crate::kernels::walk::walk;
use crate::kernels::windows::timers::Timers;
use crate::rows::{KeyCodec, RowCodec, hash};
use crate::spec::{Changes, KernelSpec, Spec};
use crate::store::Store;
use crate::table::{Slot, StateTable};
use crate::tasks::{Part, Task, Tasks};
use crate::time::StreamTime;

use cells::{Cell, cell, is_readable};
use conditions::{Asked, Expression, References};
use kept::{At, Kept, Partition, PartitionCodec, read_row};
use measures::{Matches, Measures};
use program::Program;
use search::{Plan, Search};
use spec::{Match, Skip};

const PREFIX: &[u8] = b"m";
/// Of the rows, which are members.
const ROWS: &[u8] = b"M";
const TIMERS: u8 = b't';
/// Bytes of the number of a row, at the end of its key.
const NUMBER: usize = 8;

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::Match(found) = &spec.kernel else {
        return Err(Error::spec("this is no pattern"));
    };
    if spec.inputs[0] != Changes::Append {
        return Err(Error::spec("a pattern takes APPEND changes"));
    }
    if found.within.is_some_and(|within| within <= 0) {
        return Err(Error::spec("a match takes more than no time"));
    }
    let key_rows = RowCodec::of_keys(&inputs[0], spec.keys)?;
    let value_rows = RowCodec::of_values(&inputs[0], spec.keys)?;
    let (plan, columns) = compiled(found, value_rows.types())?;
    let conditions = plan.conditions.iter().flatten();
    let back = conditions.map(Expression::back).max().unwrap_or(0) as u64;
    let begun = Search::new(&plan);
    if !begun.is_open() {
        return Err(Error::spec("the pattern takes no row"));
    }
    let pattern = Matching {
        keys: KeyCodec::new(&inputs[0], spec.keys)?,
        measures: Measures::new(&found.measures, key_rows, value_rows, output)?,
        plan,
        columns,
        back,
        skip: found.skip,
        within: found.within,
    };
    Ok(Box::new(Running::new(pattern, spec)))
}

/// Compile a pattern; and give the value columns that its conditions look at, in the order of the cells of a row.
fn compiled(found: &Match, types: &[DataType]) -> Result<(Plan, Vec<usize>)> {
    let mut columns: Vec<usize> = Vec::new();
    let mut place = |column: usize| match columns.iter().position(|known| *known == column) {
        Some(place) => place,
        None => {
            columns.push(column);
            columns.len() - 1
        }
    };
    let references: Vec<Asked> = found
        .references
        .iter()
        .map(|reference| Asked::new(reference, &mut place))
        .collect::<Result<_>>()?;
    let count = references.len();
    let mut conditions = Vec::new();
    for condition in &found.conditions {
        conditions.push(match condition {
            Some(condition) => Some(Expression::new(condition, count, &mut place)?),
            None => None,
        });
    }
    let readable = |column: &usize| types.get(*column).is_some_and(is_readable);
    if !columns.iter().all(readable) {
        return Err(Error::spec("a condition cannot look at such a column"));
    }
    let plan = Plan {
        program: Program::new(&found.pattern, conditions.len())?,
        conditions,
        references: References::new(references),
    };
    Ok((plan, columns))
}

struct Matching {
    keys: KeyCodec,
    plan: Plan,
    measures: Measures,
    /// Value columns that conditions look at.
    columns: Vec<usize>,
    /// How many rows before the one at hand conditions look at.
    back: u64,
    skip: Skip,
    within: Option<i64>,
}

struct MatchTask {
    time: StreamTime,
    partitions: StateTable<PartitionCodec>,
    timers: Timers,
    /// The highest `_seq` seen.
    seq: i64,
}

impl Task for MatchTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.time, &mut self.partitions, &mut self.timers]
    }
}

impl Matching {
    /// Give the rows from `start` on to the search, and what it finds out, until it waits for more.
    fn search(
        &self,
        partition: &mut Partition,
        now: i64,
        cause: Cause,
        key: &[u8],
        out: &mut Matches,
    ) {
        while let Some(first) = partition.get(partition.start) {
            let start = partition.start;
            // The first time at which a row is too late.
            let until = self.within.map(|within| first.time.saturating_add(within));
            let is_over = |time: i64| until.is_some_and(|until| time >= until);
            let mut search = (partition.search.take()).unwrap_or_else(|| Search::new(&self.plan));
            while search.is_open() {
                let number = start + search.rows();
                let Some(row) = partition.get(number) else {
                    break;
                };
                if is_over(row.now) {
                    search.close();
                } else {
                    search.step(&self.plan, number, &At { partition, number }, &row.cells);
                }
            }
            if search.is_open() && !is_over(now) {
                partition.search = Some(search);
                break;
            }
            let found = search.found();
            if found.is_empty() {
                partition.start += 1;
            } else {
                self.measures.push(out, cause, key, partition, &found);
                partition.start = self.behind(&found).max(start + 1);
            }
        }
        partition.forget_before(partition.start.saturating_sub(self.back));
    }

    /// Give the row at which the search goes on behind a match.
    fn behind(&self, found: &[(u64, usize)]) -> u64 {
        let mut rows = found.iter();
        let row = match self.skip {
            Skip::ToNext => None,
            Skip::PastLast => found.last().map(|(row, _)| row + 1),
            Skip::ToFirst(to) => rows
                .find(|(_, variable)| *variable == to)
                .map(|(row, _)| *row),
            Skip::ToLast(to) => rows
                .rfind(|(_, variable)| *variable == to)
                .map(|(row, _)| *row),
        };
        row.unwrap_or(0)
    }

    /// Read the cells of rows that came from the store.
    fn read(&self, partition: &mut Partition) -> Result<()> {
        if partition.is_read {
            return Ok(());
        }
        let rows = partition.rows.iter().map(|row| &*row.row);
        let columns = self.measures.value_rows.decode(rows)?;
        for (number, row) in partition.rows.iter_mut().enumerate() {
            row.cells = self.cells(&columns, number)?;
        }
        partition.is_read = true;
        Ok(())
    }

    fn cells(&self, columns: &[ArrayRef], row: usize) -> Result<Box<[Cell]>> {
        self.columns
            .iter()
            .map(|column| cell(&columns[*column], row))
            .collect()
    }

    /// Work on a key: with a row that has come, or because time has.
    fn work(
        &self,
        task: &mut MatchTask,
        slot: Slot,
        row: Option<Kept>,
        cause: Cause,
        out: &mut Matches,
    ) -> Result<()> {
        let now = task.time.now();
        let key = task.partitions.key(slot).to_vec();
        let entry = task.partitions.edit(slot);
        let partition = entry.get_or_insert_with(Partition::new);
        self.read(partition)?;
        if let Some(row) = row {
            partition.push(row);
        }
        self.search(partition, now, cause, &key, out);
        if let (Some(within), Some(first)) = (self.within, partition.get(partition.start)) {
            let until = first.time.saturating_add(within);
            if partition.timer.is_none_or(|timer| timer > until) {
                partition.timer = Some(until);
                task.timers.set(until, &key)?;
            }
        }
        if partition.is_idle() {
            *entry = None;
        }
        Ok(())
    }

    /// Stream time has moved on: look at the keys whose time has come, in the order in which their matches end.
    fn close(&self, task: &mut MatchTask, cause: Cause, out: &mut Matches) -> Result<()> {
        let Some(within) = self.within else {
            return Ok(());
        };
        let now = task.time.now();
        let mut due = Vec::new();
        while let Some((time, key)) = task.timers.take_before(now.saturating_add(1))? {
            let Some(slot) = task.partitions.find(&key, hash(&key))? else {
                continue;
            };
            let Some(partition) = task.partitions.edit(slot) else {
                continue;
            };
            // An earlier timer has taken its place.
            if partition.timer == Some(time) {
                partition.timer = None;
                let first = partition.get(partition.start);
                due.push((
                    first.map_or(i64::MAX, |row| row.time.saturating_add(within)),
                    slot,
                    key,
                ));
            }
        }
        due.sort_by(|one, other| (one.0, &one.2).cmp(&(other.0, &other.2)));
        for (_, slot, _) in due {
            self.work(task, slot, None, cause, out)?;
        }
        Ok(())
    }
}

impl Operator for Matching {
    type Task = MatchTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        let codec = PartitionCodec {
            cells: self.columns.len(),
        };
        Ok(MatchTask {
            time: StreamTime::open(store)?,
            partitions: StateTable::open(store, PREFIX, codec)?,
            timers: Timers::open(store, TIMERS, self.within.unwrap_or(1))?,
            seq: 0,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = self.measures.matches();
        let Some(input) = &inputs[0] else {
            return self.measures.finish(out);
        };
        let keys = self.keys.encode(input.keys, input.rows())?;
        let values = self
            .measures
            .value_rows
            .encode(input.values, input.rows())?;
        for rows in walk(inputs) {
            let task = tasks.get(rows.partition)?;
            for row in rows.places.iter().map(|place| place.row as usize) {
                let cause = Cause::of(input, row);
                task.seq = task.seq.max(cause.seq);
                if self.within.is_some() && task.time.advance(cause.time) {
                    self.close(task, cause, &mut out)?;
                }
                if keys.all_null(row) {
                    dropped.null_keys += 1;
                    continue;
                }
                let kept = Kept {
                    time: cause.time,
                    now: task.time.now(),
                    row: values.row(row).into(),
                    cells: self.cells(input.values, row)?,
                };
                let slot = task.partitions.slot(keys.key(row), keys.hash(row))?;
                self.work(task, slot, Some(kept), cause, &mut out)?;
            }
        }
        self.measures.finish(out)
    }

    fn advance(&self, task: &mut Self::Task, partition: i32, time: i64) -> Result<RecordBatch> {
        let mut out = self.measures.matches();
        if self.within.is_some() && task.time.advance(time) {
            let cause = Cause {
                partition,
                seq: task.seq,
                time,
            };
            self.close(task, cause, &mut out)?;
        }
        self.measures.finish(out)
    }

    /// Gives the rows that a match may still need, with their keys and times.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let (mut found, mut rows, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in entries(keys, values, ROWS) {
            let Some((key, _)) = key.split_last_chunk::<NUMBER>() else {
                return Err(Error::damaged("a row of a pattern without its number"));
            };
            let (time, _, row) = read_row(value)?;
            found.push(key);
            rows.push(row);
            times.push(time);
        }
        let mut columns = self.measures.key_rows.decode(found)?;
        let mut fields = self.measures.output.fields()[LEADING..LEADING + columns.len()].to_vec();
        for (number, column) in self
            .measures
            .value_rows
            .decode(rows)?
            .into_iter()
            .enumerate()
        {
            let name = format!("v{number}");
            fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
            columns.push(column);
        }
        fields.push(Arc::new(Field::new("time", DataType::Int64, false)));
        columns.push(Arc::new(Int64Array::from(times)));
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    fn output(&self) -> &SchemaRef {
        &self.measures.output
    }
}
