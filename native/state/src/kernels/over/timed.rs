//! Over facts in the order of their event time: each with the rows of its part in the stretch of time that ends at its own, those
//! of its own time among them, whichever of them came first.
//!
//! So rows wait until stream time has passed theirs and the grace; then all rows of that time come out together, each at its own
//! time and as they came. A row whose time has passed like this already is late.
//!
//! The arguments of the rows of a part are entries of a group from when they come: the suffix is the time, then a number that
//! rises with arrival. They go when no row can come out any more that they count for; of a stretch without a beginning as soon as
//! they have come out, for then the totals hold what the functions know of them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{BinaryArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::frames::{FrameId, FrameResults, Frames, Member, arguments, batch};
use super::{PREFIX, Shared};
use crate::accumulators::{Accumulators, BoundRows, ResultColumns};
use crate::batch::{Input, op};
use crate::error::{Error, Result};
use crate::kernels::groups::{GroupId, Groups};
use crate::kernels::joined::{ByteRows, Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, entries};
use crate::kernels::queue::{Place, Queue, apart, joined, place_bytes, read_place, time_bytes};
use crate::kernels::walk::walk;
use crate::kernels::windows::clock::Clock;
use crate::kernels::windows::counter::Counter;
use crate::rows::{RowCodec, hash};
use crate::spec::Stretch;
use crate::store::Store;
use crate::table::StateTable;
use crate::tasks::{Part, Task, Tasks};

/// Of the rows that wait, whole.
const WAITING: u8 = b'q';
/// Of the first row of each part that is kept.
const FIRSTS: u8 = b'e';
const TOTALS: &[u8] = b"s";
const LARGE: u8 = b'l';

pub(super) struct Timed {
    pub(super) shared: Shared,
    /// Of the arguments.
    pub(super) rows: RowCodec,
    /// How long the stretch is; None: it has no beginning.
    pub(super) length: Option<i64>,
    pub(super) grace: i64,
}

impl Timed {
    pub(super) fn new(shared: Shared, stretch: Stretch) -> Result<Self> {
        if stretch.grace < 0 || stretch.length.is_some_and(|length| length < 0) {
            return Err(Error::spec(
                "a stretch of time and its grace are not negative",
            ));
        }
        let rows = RowCodec::new(&shared.value_rows.types()[..shared.arguments])?;
        Ok(Self {
            shared,
            rows,
            length: stretch.length,
            grace: stretch.grace,
        })
    }
}

pub(super) struct TimedTask {
    pub(super) clock: Clock,
    /// Keys and rows.
    waiting: Queue<Box<[u8]>>,
    pub(super) groups: Groups,
    /// The key of each group that has rows, at the place of the first that it had when it was put in: when to look whether
    /// they still count. Of a stretch with a beginning only.
    firsts: Queue<Box<[u8]>>,
    /// Of a stretch without a beginning only.
    pub(super) totals: StateTable<Arc<Accumulators>>,
    /// 1 + the time of the last row that is so large that a sum of it and others might be too large.
    pub(super) large: Counter,
}

impl Task for TimedTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![
            &mut self.clock,
            &mut self.waiting,
            &mut self.groups,
            &mut self.firsts,
            &mut self.totals,
            &mut self.large,
        ]
    }
}

/// Rows of one part, from the first that counts for one that comes out.
struct List {
    number: usize,
    times: Vec<i64>,
    /// Those before this one do not count any more.
    first: usize,
}

/// The rows of a task that came with one call.
#[derive(Default)]
struct Arrived<'a> {
    batch: Option<&'a BoundRows<'a>>,
    /// The number of the first.
    first: u64,
    /// Their places in the batch; their numbers follow one another.
    rows: Vec<usize>,
    lists: HashMap<GroupId, List>,
}

/// What one call gives.
struct Turn {
    given: Vec<(Cause, Box<[u8]>, FrameId)>,
    known: ByteRows,
    count: Member,
    lists: Vec<Vec<Member>>,
    frames: Vec<(usize, Range<usize>)>,
    totals: ResultColumns,
    /// How many frames are of totals.
    sums: usize,
}

impl Timed {
    fn turn(&self) -> Turn {
        Turn {
            given: Vec::new(),
            known: ByteRows::default(),
            count: 0,
            lists: Vec::new(),
            frames: Vec::new(),
            totals: self.shared.accumulators.result_columns(),
            sums: 0,
        }
    }

    /// Let the rows come out whose time has passed.
    fn close(
        &self,
        task: &mut TimedTask,
        cause: Cause,
        arrived: &mut Arrived<'_>,
        turn: &mut Turn,
    ) -> Result<()> {
        let passed = task.clock.now().saturating_sub(self.grace);
        let mut peers: Vec<(Place, Box<[u8]>)> = Vec::new();
        while let Some(next) = task.waiting.pop_before(passed)? {
            if peers
                .first()
                .is_some_and(|((time, _), _)| *time != next.0.0)
            {
                self.give(task, &mut peers, cause, arrived, turn)?;
            }
            peers.push(next);
        }
        self.give(task, &mut peers, cause, arrived, turn)?;
        if let Some(length) = self.length {
            forget(task, passed.saturating_sub(length))?;
        }
        Ok(())
    }

    /// Let the rows of one time come out, which stand as they came.
    fn give(
        &self,
        task: &mut TimedTask,
        peers: &mut Vec<(Place, Box<[u8]>)>,
        cause: Cause,
        arrived: &mut Arrived<'_>,
        turn: &mut Turn,
    ) -> Result<()> {
        let mut frames: HashMap<GroupId, FrameId> = HashMap::new();
        for ((time, _), bytes) in peers.drain(..) {
            let (key, _) = apart(&bytes)?;
            let group = task.groups.group(key, hash(key))?;
            let frame = match (frames.get(&group), self.length) {
                (Some(frame), _) => *frame,
                (None, Some(length)) => recent(&task.groups, group, (time, length), arrived, turn)?,
                (None, None) => self.all(task, (group, key), time, arrived, turn)?,
            };
            frames.insert(group, frame);
            turn.given.push((Cause { time, ..cause }, bytes, frame));
        }
        Ok(())
    }

    /// Give the results over all rows of a part up to a time, of which those of this time are new.
    fn all(
        &self,
        task: &mut TimedTask,
        (group, key): (GroupId, &[u8]),
        time: i64,
        arrived: &Arrived<'_>,
        turn: &mut Turn,
    ) -> Result<FrameId> {
        let accumulators = &self.shared.accumulators;
        let slot = task.totals.slot(key, hash(key))?;
        let total = task
            .totals
            .edit(slot)
            .get_or_insert_with(|| accumulators.group());
        let mut gone: Vec<Box<[u8]>> = Vec::new();
        for (suffix, row) in task.groups.entries(group).from(&time_bytes(time)) {
            let (at, number) = read_place(suffix)?;
            if at != time {
                break;
            }
            let fresh = number.checked_sub(arrived.first);
            let fresh = fresh.and_then(|place| arrived.rows.get(place as usize));
            let added = match (arrived.batch, fresh) {
                (Some(bound), Some(place)) => bound.add(*place, total),
                _ => {
                    let mut one = ByteRows::default();
                    one.push(row);
                    let columns = arguments(&self.shared, &one, &self.rows)?;
                    let batch = batch(&columns, 1)?;
                    accumulators.bind(&batch)?.add(0, total)
                }
            };
            // It was found to fit when it came.
            added.map_err(|failure| Error::spec(failure.0))?;
            gone.push(suffix.into());
        }
        turn.totals.push(accumulators, total);
        turn.sums += 1;
        for suffix in gone {
            task.groups.remove(group, &suffix);
        }
        Ok(turn.sums - 1)
    }

    /// Give all that came out.
    fn finish(&self, turn: Turn) -> Result<RecordBatch> {
        let shared = &self.shared;
        let results = if self.length.is_some() {
            let columns = arguments(shared, &turn.known, &self.rows)?;
            Frames::of_lists(turn.lists, turn.frames).results(shared, &columns)?
        } else {
            FrameResults::new(shared, turn.totals, turn.sums, HashMap::new())?
        };
        let mut out = OutRows::<3>::default();
        for (cause, bytes, frame) in &turn.given {
            let (key, row) = apart(bytes)?;
            let found = results
                .get(*frame)
                .map_err(|failure| Error::spec(failure.0))?;
            out.push(*cause, op::INSERT, [key, found, row]);
        }
        out.finish(
            &shared.output,
            [&shared.key_rows, &shared.result_rows, &shared.value_rows],
        )
    }
}

/// Give the rows of a part in the stretch of time that ends at a time, and is so long.
fn recent(
    groups: &Groups,
    group: GroupId,
    (time, length): (i64, i64),
    arrived: &mut Arrived<'_>,
    turn: &mut Turn,
) -> Result<FrameId> {
    let since = time.saturating_sub(length);
    let mut from = time;
    let list = arrived.lists.entry(group).or_insert_with(|| {
        from = since;
        turn.lists.push(Vec::new());
        List {
            number: turn.lists.len() - 1,
            times: Vec::new(),
            first: 0,
        }
    });
    for (suffix, row) in groups.entries(group).from(&time_bytes(from)) {
        let (at, _) = read_place(suffix)?;
        if at > time {
            break;
        }
        turn.known.push(row);
        turn.lists[list.number].push(turn.count);
        turn.count += 1;
        list.times.push(at);
    }
    while list.times.get(list.first).is_some_and(|at| *at < since) {
        list.first += 1;
    }
    turn.frames
        .push((list.number, list.first..list.times.len()));
    Ok(turn.frames.len() - 1)
}

/// Drop the rows from before a time: they count for none that is still to come out.
fn forget(task: &mut TimedTask, time: i64) -> Result<()> {
    while let Some((_, key)) = task.firsts.pop_before(time)? {
        let group = task.groups.group(&key, hash(&key))?;
        let mut gone: Vec<Box<[u8]>> = Vec::new();
        let mut first = None;
        for (suffix, _) in task.groups.entries(group).iter() {
            let place = read_place(suffix)?;
            if place.0 >= time {
                first = Some(place);
                break;
            }
            gone.push(suffix.into());
        }
        for suffix in gone {
            task.groups.remove(group, &suffix);
        }
        if let Some(first) = first {
            task.firsts.add(first, key);
        }
    }
    Ok(())
}

impl Operator for Timed {
    type Task = TimedTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(TimedTask {
            clock: Clock::open(store)?,
            waiting: Queue::open(store, WAITING)?,
            groups: Groups::open(store, PREFIX)?,
            firsts: Queue::open(store, FIRSTS)?,
            totals: StateTable::open(store, TOTALS, Arc::clone(&self.shared.accumulators))?,
            large: Counter::open(store, LARGE)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut turn = self.turn();
        let Some(input) = &inputs[0] else {
            return self.finish(turn);
        };
        if input.op.iter().any(|op| *op != op::INSERT) {
            return Err(Error::spec("a row of an APPEND input is not inserted"));
        }
        let shared = &self.shared;
        let keys = shared.encode_keys(input)?;
        let values = shared.value_rows.encode(input.values, input.rows())?;
        let fresh = &input.values[..shared.arguments];
        let batch = batch(fresh, input.rows())?;
        let fresh = self.rows.encode(fresh, input.rows())?;
        let bound = shared.accumulators.bind(&batch)?;
        for run in walk(inputs) {
            let task = tasks.get(run.partition)?;
            let mut arrived = Arrived {
                batch: Some(&bound),
                ..Arrived::default()
            };
            for row in run.places.iter().map(|place| place.row as usize) {
                let cause = Cause::of(input, row);
                task.clock.see(cause.seq);
                if cause.time.saturating_add(self.grace) < task.clock.now() {
                    dropped.late[0].push(row as i32);
                    continue;
                }
                if task.clock.advance(cause.time) {
                    self.close(task, cause, &mut arrived, &mut turn)?;
                }
                let key = keys.key(row);
                let group = task.groups.group(key, keys.hash(row))?;
                let own = (fresh.row(row), row, &bound);
                if let Err(failure) = self.check_sums(task, (group, key), cause.time, own)? {
                    dropped.fail(0, row, failure.0);
                    continue;
                }
                let place = (cause.time, task.clock.arrive());
                if arrived.rows.is_empty() {
                    arrived.first = place.1;
                }
                arrived.rows.push(row);
                if self.length.is_some() && task.groups.entries(group).is_empty() {
                    task.firsts.add(place, key.into());
                }
                task.groups.put(group, &place_bytes(place), fresh.row(row));
                task.waiting.add(place, joined(key, values.row(row)));
            }
        }
        self.finish(turn)
    }

    fn advance(&self, task: &mut Self::Task, partition: i32, time: i64) -> Result<RecordBatch> {
        let mut turn = self.turn();
        if task.clock.advance(time) {
            let seq = task.clock.seq();
            let cause = Cause {
                partition,
                seq,
                time,
            };
            self.close(task, cause, &mut Arrived::default(), &mut turn)?;
        }
        self.finish(turn)
    }

    /// Gives keys, the arguments of the rows that are kept, and their times; of a stretch without a beginning the keys and the
    /// results over all rows that have come out.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        store: Option<&Store>,
    ) -> Result<RecordBatch> {
        let shared = &self.shared;
        if self.length.is_none() {
            return super::running::totals(shared, (keys, values), store, TOTALS);
        }
        let (mut key_rows, mut rows, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for (key, value) in entries(keys, values, PREFIX) {
            let Some((key, place)) = key.split_last_chunk::<16>() else {
                return Err(Error::damaged("a row without its time"));
            };
            key_rows.push(key);
            times.push(read_place(place)?.0);
            rows.push(value);
        }
        let first = shared.first_value();
        let named = shared.columns(first..first + shared.arguments);
        let mut fields = named.fields().to_vec();
        fields.push(Arc::new(Field::new("time", DataType::Int64, false)));
        let count = rows.len();
        let mut columns = shared.key_rows.decode(key_rows)?;
        columns.extend(self.rows.decode(rows)?);
        columns.push(Arc::new(Int64Array::from(times)));
        super::batch_of(Arc::new(Schema::new(fields)), columns, count)
    }

    fn output(&self) -> &arrow_schema::SchemaRef {
        &self.shared.output
    }
}
