//! Two streams within a time of one another: each row with those of the other side that have its key and a time near enough.
//!
//! Rows without a partner come out, where the kind of the join says so, as soon as stream time has passed all times that could
//! match and the grace. A row that comes after that is late.
//!
//! Where no time is near enough (the last time that could match lies before the first), no row finds a partner: rows come out
//! alone at once, or not at all.
//!
//! Where rows meet in windows, which are among their keys, each stands at the last time of its window: its partners stand there
//! too, and it is late when the window and the grace are over.

mod arena;
mod bytes;
mod kept;
mod unmatched;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BinaryArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::batch::{Input, LEADING, op};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::kernels::joined::{Cause, OutRows, row_of_nulls};
use crate::kernels::operator::{Dropped, Operator, Running, check_keys, check_output, entries};
use crate::kernels::stream_join::bytes::read_entry_key;
use crate::kernels::stream_join::kept::KeptRows;
use crate::kernels::stream_join::unmatched::{Unmatched, Waiting};
use crate::kernels::walk::{Place, walk};
use crate::rows::{KeyCodec, Keys, RowBytes, RowCodec};
use crate::spec::{Changes, JoinKind, JoinWindow, KernelSpec, Spec};
use crate::store::Store;
use crate::tasks::{Part, Task, Tasks};
use crate::time::StreamTime;

/// Make the kernel from its specification and the schemas of its inputs and output.
pub fn make(spec: &Spec, inputs: Vec<SchemaRef>, output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let KernelSpec::StreamJoin(join) = &spec.kernel else {
        return Err(Error::spec("this is no join of streams"));
    };
    if spec
        .inputs
        .iter()
        .any(|changes| *changes != Changes::Append)
    {
        return Err(Error::spec("the rows of a stream are APPEND changes"));
    }
    let never = join.before.saturating_add(join.after) < 0;
    if join.grace < 0 || (!never && (join.before < 0 || join.after < 0)) {
        return Err(Error::spec("the times of a join are not negative"));
    }
    check_keys(&inputs, spec.keys)?;
    if let Some(window) = join.window {
        let bounds = inputs[0].fields()[LEADING..].get(window.key);
        if window.key >= spec.keys
            || bounds.is_none_or(|field| field.data_type() != &DataType::Int64)
            || [join.before, join.after] != [0, 0]
        {
            return Err(Error::spec(
                "a window is an int64 among the keys, and takes the place of times before and after",
            ));
        }
    }
    let key_rows = RowCodec::of_keys(&inputs[0], spec.keys)?;
    let rows = [
        RowCodec::of_values(&inputs[0], spec.keys)?,
        RowCodec::of_values(&inputs[1], spec.keys)?,
    ];
    check_output(
        &output,
        &[key_rows.types(), rows[0].types(), rows[1].types()],
    )?;
    let join = StreamJoin {
        keys: KeyCodec::new(&inputs[0], spec.keys)?,
        key_rows,
        nothing: [row_of_nulls(&rows[0])?, row_of_nulls(&rows[1])?],
        rows,
        outer: [
            matches!(join.kind, JoinKind::Left | JoinKind::Full),
            matches!(join.kind, JoinKind::Right | JoinKind::Full),
        ],
        reach: [join.after, join.before],
        never,
        grace: join.grace,
        window: join.window,
        output,
    };
    Ok(Box::new(Running::new(join, spec)))
}

struct StreamJoin {
    keys: KeyCodec,
    key_rows: RowCodec,
    rows: [RowCodec; 2],
    /// What stands for the row of a side where there is none.
    nothing: [Box<[u8]>; 2],
    /// Whether the rows of a side come out without a partner too.
    outer: [bool; 2],
    /// How much later than a row of a side its partners may be.
    reach: [i64; 2],
    /// No time is near enough.
    never: bool,
    grace: i64,
    window: Option<JoinWindow>,
    output: SchemaRef,
}

struct StreamJoinTask {
    store: Store,
    time: StreamTime,
    kept: KeptRows,
    unmatched: Unmatched,
    /// The highest `_seq` seen.
    seq: i64,
    /// As those of `KeptRows::open`.
    keep: i64,
    ahead: i64,
}

impl StreamJoinTask {
    fn open_rows(store: &Store, keep: i64, ahead: i64, time: &StreamTime) -> Result<KeptRows> {
        let now = time.now();
        let now = (now != StreamTime::NEVER).then_some(now);
        KeptRows::open(store, keep, ahead, now)
    }
}

impl Task for StreamJoinTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.time, &mut self.kept, &mut self.unmatched]
    }

    fn rolled_back(&mut self) -> Result<()> {
        self.kept = Self::open_rows(&self.store, self.keep, self.ahead, &self.time)?;
        Ok(())
    }
}

/// One row.
#[derive(Clone, Copy)]
struct Step<'a> {
    cause: Cause,
    side: usize,
    key: &'a [u8],
    hash: u64,
    row: &'a [u8],
    matches: bool,
}

impl StreamJoin {
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
            self.rows[side].encode(input.values, input.rows())?,
        )))
    }

    /// Give where a row stands in time: where it comes, or at the end of its window.
    fn place(&self, input: &Input<'_>, row: usize) -> i64 {
        match self.window {
            None => input.time[row],
            Some(window) => {
                let bounds = input.keys[window.key].as_primitive::<Int64Type>();
                bounds
                    .value(row)
                    .saturating_add(window.until)
                    .saturating_sub(1)
            }
        }
    }

    /// The last time at which a partner of a row could come.
    fn last_match(&self, side: usize, time: i64) -> i64 {
        time.saturating_add(self.reach[side])
    }

    fn is_late(&self, side: usize, time: i64, now: i64) -> bool {
        self.last_match(side, time).saturating_add(self.grace) < now
    }

    /// Give the rows out that stream time leaves without a partner, and forget those that are too old.
    fn close(&self, task: &mut StreamJoinTask, cause: Cause, out: &mut OutRows<3>) -> Result<()> {
        let now = task.time.now();
        while let Some(((last_match, number), waiting)) =
            task.unmatched.pop_before(now.saturating_sub(self.grace))?
        {
            let side = waiting.side;
            let time = last_match.saturating_sub(self.reach[side]);
            let row = match waiting.row {
                Some(row) => row,
                None => task.kept.row(&waiting.key, side, time, number)?,
            };
            let pieces = self.pieces(side, &waiting.key, &row, &self.nothing[1 - side]);
            out.push(Cause { time, ..cause }, op::INSERT, pieces);
        }
        task.kept.expire(now.saturating_sub(task.keep));
        Ok(())
    }

    /// After a restart: read what the store has, rather than row by row.
    fn load_all(&self, task: &mut StreamJoinTask) -> Result<()> {
        task.unmatched.load_all()?;
        let unmatched = &task.unmatched;
        task.kept.load_all(|side, time, number| {
            Ok(self.outer[side] && unmatched.contains((self.last_match(side, time), number))?)
        })
    }

    fn take(&self, task: &mut StreamJoinTask, step: Step<'_>, out: &mut OutRows<3>) -> Result<()> {
        let (side, other, time) = (step.side, 1 - step.side, step.cause.time);
        let number = task.kept.number();
        let place = (self.last_match(side, time), number);
        if !step.matches {
            let waiting = Waiting::new(side, step.key, Some(step.row));
            task.unmatched.add(place, waiting);
            return Ok(());
        }
        let unmatched = &task.unmatched;
        let group = task.kept.group(step.key, step.hash, |side, time, number| {
            Ok(self.outer[side] && unmatched.contains((self.last_match(side, time), number))?)
        })?;
        // A partner whose own time has run out is gone, even if it would match.
        let closed = task.time.now().saturating_sub(self.grace);
        let first =
            (time.saturating_sub(self.reach[other])).max(closed.saturating_sub(self.reach[other]));
        let last = self.last_match(side, time);
        let (partners, rows) = task.kept.side(group, other);
        let from = partners.partition_point(|partner| partner.time < first);
        let mut alone = true;
        for partner in partners[from..]
            .iter_mut()
            .take_while(|partner| partner.time <= last)
        {
            alone = false;
            if partner.take_unmatched() {
                task.unmatched
                    .remove((self.last_match(other, partner.time), partner.number));
            }
            let cause = Cause {
                time: time.max(partner.time),
                ..step.cause
            };
            out.push(
                cause,
                op::INSERT,
                self.pieces(side, step.key, step.row, rows.get(partner.place())),
            );
        }
        let unmatched = alone && self.outer[side];
        if unmatched {
            let waiting = Waiting::new(side, step.key, None);
            task.unmatched.add(place, waiting);
        }
        task.kept
            .add(group, side, (time, number), step.row, unmatched);
        Ok(())
    }

    fn pieces<'a>(
        &self,
        side: usize,
        key: &'a [u8],
        mine: &'a [u8],
        theirs: &'a [u8],
    ) -> [&'a [u8]; 3] {
        match side {
            0 => [key, mine, theirs],
            _ => [key, theirs, mine],
        }
    }

    fn finish(&self, out: OutRows<3>) -> Result<RecordBatch> {
        out.finish(&self.output, [&self.key_rows, &self.rows[0], &self.rows[1]])
    }
}

impl Operator for StreamJoin {
    type Task = StreamJoinTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        let time = StreamTime::open(store)?;
        let ahead = self.window.map_or(0, |window| window.size);
        let keep = self.reach[0]
            .max(self.reach[1])
            .max(ahead)
            .saturating_add(self.grace);
        Ok(StreamJoinTask {
            store: store.clone(),
            kept: StreamJoinTask::open_rows(store, keep, ahead, &time)?,
            unmatched: Unmatched::open(store, unmatched::PREFIX)?,
            time,
            seq: 0,
            keep,
            ahead,
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
        for rows in walk(inputs) {
            let task = tasks.get(rows.partition)?;
            if task.kept.wants_all() {
                self.load_all(task)?;
            }
            for Place { input: side, row } in rows.places {
                let (side, row) = (side as usize, row as usize);
                let (Some(input), Some((keys, values))) = (&inputs[side], &encoded[side]) else {
                    continue;
                };
                let cause = Cause::of(input, row);
                task.seq = task.seq.max(cause.seq);
                if self.never {
                    if self.outer[side] {
                        let (key, row) = (keys.key(row), values.row(row));
                        let pieces = self.pieces(side, key, row, &self.nothing[1 - side]);
                        out.push(cause, op::INSERT, pieces);
                    }
                    continue;
                }
                let place = self.place(input, row);
                if self.is_late(side, place, task.time.now()) {
                    dropped.late[side].push(row as i32);
                    continue;
                }
                if task.time.advance(cause.time) {
                    self.close(task, cause, &mut out)?;
                }
                let step = Step {
                    cause: Cause {
                        time: place,
                        ..cause
                    },
                    side,
                    key: keys.key(row),
                    hash: keys.hash(row),
                    row: values.row(row),
                    matches: !keys.any_null(row),
                };
                if step.matches || self.outer[side] {
                    self.take(task, step, &mut out)?;
                } else {
                    dropped.null_keys += 1;
                }
            }
        }
        self.finish(out)
    }

    fn advance(&self, task: &mut Self::Task, partition: i32, time: i64) -> Result<RecordBatch> {
        let mut out = OutRows::default();
        if task.time.advance(time) {
            let seq = task.seq;
            self.close(
                task,
                Cause {
                    partition,
                    seq,
                    time,
                },
                &mut out,
            )?;
        }
        self.finish(out)
    }

    /// Gives the rows that wait for partners, with nulls for the other side's columns, and their times.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let mut out = OutRows::<3>::default();
        let mut times = Vec::new();
        for (key, row) in entries(keys, values, bytes::PREFIX) {
            let (key, side, time, _) = read_entry_key(key)?;
            out.push_pieces(self.pieces(side, key, row, &self.nothing[1 - side]));
            times.push(time);
        }
        let mut columns = out.columns([&self.key_rows, &self.rows[0], &self.rows[1]])?;
        columns.push(Arc::new(Int64Array::from(times)));
        let mut fields = self.output.fields()[LEADING..].to_vec();
        fields.push(Arc::new(Field::new("time", DataType::Int64, false)));
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    fn output(&self) -> &SchemaRef {
        &self.output
    }
}
