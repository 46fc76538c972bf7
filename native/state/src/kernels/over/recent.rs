//! Over facts: each with the n rows of its part that came before it.
//!
//! The rows of a part are entries of a group in the order in which they came: the suffix is a rising number, the value the bytes
//! of the arguments. A batch puts in only those that are among the last n when it ends.

use std::collections::{HashMap, VecDeque};

use arrow_array::{BinaryArray, RecordBatch};

use super::frames::{Frames, Member, arguments};
use super::{NUMBER, PREFIX, Shared, number_of};
use crate::batch::{Input, op};
use crate::error::{Error, Result};
use crate::kernels::groups::{GroupId, Groups};
use crate::kernels::joined::{ByteRows, Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, entries};
use crate::kernels::walk::walk;
use crate::rows::RowCodec;
use crate::store::Store;
use crate::tasks::{Part, Task, Tasks};

pub(super) struct Recent {
    shared: Shared,
    /// Of the arguments.
    rows: RowCodec,
    preceding: usize,
}

impl Recent {
    pub(super) fn new(shared: Shared, preceding: usize) -> Result<Self> {
        let rows = RowCodec::new(&shared.value_rows.types()[..shared.arguments])?;
        Ok(Self {
            shared,
            rows,
            preceding,
        })
    }
}

pub(super) struct RecentTask {
    groups: Groups,
}

impl Task for RecentTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.groups]
    }
}

/// The rows of a part while a batch is walked.
struct Window {
    group: GroupId,
    /// The last rows, at most one more than come before a row.
    members: VecDeque<Member>,
    /// How many of the batch there are.
    arrived: usize,
}

/// All rows that frames are made of: those that were kept, and those of the batch.
#[derive(Default)]
struct Known {
    rows: ByteRows,
    count: Member,
}

impl Known {
    fn push(&mut self, row: &[u8]) -> Member {
        self.rows.push(row);
        self.count += 1;
        self.count - 1
    }
}

impl Recent {
    /// Begin with the rows of a part that are kept.
    fn window(&self, groups: &Groups, group: GroupId, known: &mut Known) -> Window {
        let kept = groups.entries(group).iter();
        Window {
            group,
            members: kept.map(|(_, row)| known.push(row)).collect(),
            arrived: 0,
        }
    }

    /// Keep what comes before the next row of a part.
    fn keep<'a>(
        &self,
        groups: &mut Groups,
        window: &Window,
        row_of: impl Fn(Member) -> &'a [u8],
    ) -> Result<()> {
        let entries = groups.entries(window.group);
        let mut number = match entries.last() {
            Some((last, _)) => number_of(last)? + 1,
            None => 0,
        };
        let gone = (entries.len() + window.arrived).saturating_sub(self.preceding);
        let gone: Vec<Box<[u8]>> = entries
            .iter()
            .take(gone)
            .map(|(suffix, _)| suffix.into())
            .collect();
        for suffix in gone {
            groups.remove(window.group, &suffix);
        }
        let fresh = window.arrived.min(self.preceding);
        for member in window.members.iter().skip(window.members.len() - fresh) {
            groups.put(window.group, &number.to_be_bytes(), row_of(*member));
            number += 1;
        }
        Ok(())
    }
}

impl Operator for Recent {
    type Task = RecentTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(RecentTask {
            groups: Groups::open(store, PREFIX)?,
        })
    }

    fn process(
        &self,
        tasks: &mut Tasks<Self::Task>,
        inputs: &[Option<Input<'_>>],
        dropped: &mut Dropped,
    ) -> Result<RecordBatch> {
        let mut out = OutRows::<3>::default();
        let shared = &self.shared;
        if let Some(input) = &inputs[0] {
            if input.op.iter().any(|op| *op != op::INSERT) {
                return Err(Error::spec("a row of an APPEND input is not inserted"));
            }
            let keys = shared.encode_keys(input)?;
            let values = shared.value_rows.encode(input.values, input.rows())?;
            let fresh = self
                .rows
                .encode(&input.values[..shared.arguments], input.rows())?;
            // The rows of the batch come first: a member below their number is one of them.
            let mut known = Known::default();
            for row in 0..input.rows() {
                known.push(fresh.row(row));
            }
            let mut frames = Frames::default();
            let mut told = Vec::with_capacity(input.rows());
            for rows in walk(inputs) {
                let groups = &mut tasks.get(rows.partition)?.groups;
                let mut windows: Vec<Window> = Vec::new();
                let mut places: HashMap<&[u8], usize> = HashMap::new();
                for row in rows.places.iter().map(|place| place.row as usize) {
                    let key = keys.key(row);
                    let place = match places.get(key) {
                        Some(place) => *place,
                        None => {
                            let group = groups.group(key, keys.hash(row))?;
                            windows.push(self.window(groups, group, &mut known));
                            places.insert(key, windows.len() - 1);
                            windows.len() - 1
                        }
                    };
                    let window = &mut windows[place];
                    window.members.push_back(row as Member);
                    window.arrived += 1;
                    if window.members.len() > self.preceding.saturating_add(1) {
                        window.members.pop_front();
                    }
                    told.push((row, frames.push(window.members.iter().copied())));
                }
                for window in &windows {
                    self.keep(groups, window, |member| fresh.row(member as usize))?;
                }
            }
            let results = frames.results(shared, &arguments(shared, &known.rows, &self.rows)?)?;
            for (row, frame) in told {
                match results.get(frame) {
                    Ok(found) => out.push(
                        Cause::of(input, row),
                        op::INSERT,
                        [keys.key(row), found, values.row(row)],
                    ),
                    Err(failure) => dropped.fail(0, row, failure.0),
                }
            }
        }
        out.finish(
            &shared.output,
            [&shared.key_rows, &shared.result_rows, &shared.value_rows],
        )
    }

    /// Gives keys and the arguments of the rows that are kept.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let (mut key_rows, mut rows) = (Vec::new(), Vec::new());
        for (key, value) in entries(keys, values, PREFIX) {
            let Some((key, _)) = key.split_last_chunk::<NUMBER>() else {
                return Err(Error::damaged("a row without its number"));
            };
            key_rows.push(key);
            rows.push(value);
        }
        let first = self.shared.first_value();
        let schema = self.shared.columns(first..first + self.shared.arguments);
        let count = rows.len();
        let mut columns = self.shared.key_rows.decode(key_rows)?;
        columns.extend(self.rows.decode(rows)?);
        super::batch_of(schema, columns, count)
    }

    fn output(&self) -> &arrow_schema::SchemaRef {
        &self.shared.output
    }
}
