//! Over RETRACT changes: each row with the n rows of its part that stand before it in an order of columns.
//!
//! The rows of a part are entries of a group in their order: the suffix is the bytes of the order's columns, then a number that
//! rises with the arrival of rows that are equal in them. A change gives first what became of its own row, then, in their
//! order, what became of the results of the rows behind it. A row whose results cannot be given is not there until they can.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::{DataType, SortOptions};

use super::frames::{FrameId, Frames, Member, arguments};
use super::{NUMBER, PREFIX, Shared, number_of};
use crate::batch::Input;
use crate::error::{Error, Result};
use crate::kernels::groups::{Entries, GroupId, Groups};
use crate::kernels::joined::{ByteRows, Cause, OutRows};
use crate::kernels::operator::{Dropped, Operator, entries};
use crate::kernels::walk::{changes, walk};
use crate::rows::RowCodec;
use crate::spec;
use crate::store::Store;
use crate::tasks::{Part, Task, Tasks};

pub(super) struct Changing {
    shared: Shared,
    order: RowCodec,
    /// Keys, and then what they are ordered by.
    ordered_keys: RowCodec,
    /// Of the order, among the values.
    columns: Vec<usize>,
    preceding: usize,
}

impl Changing {
    pub(super) fn new(shared: Shared, over: &spec::Over, preceding: usize) -> Result<Self> {
        let types = shared.value_rows.types();
        if over.order.iter().any(|term| term.column >= types.len()) {
            return Err(Error::spec("there is no such column to order by"));
        }
        let (types, options): (Vec<DataType>, Vec<SortOptions>) = over
            .order
            .iter()
            .map(|term| {
                (
                    types[term.column].clone(),
                    SortOptions {
                        descending: term.descending,
                        nulls_first: term.nulls_first,
                    },
                )
            })
            .unzip();
        let plain = vec![SortOptions::default(); shared.key_rows.types().len()];
        Ok(Self {
            order: RowCodec::ordered(&types, &options)?,
            ordered_keys: RowCodec::ordered(
                &[shared.key_rows.types(), &types].concat(),
                &[plain, options].concat(),
            )?,
            columns: over.order.iter().map(|term| term.column).collect(),
            shared,
            preceding,
        })
    }
}

pub(super) struct ChangingTask {
    groups: Groups,
}

impl Task for ChangingTask {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.groups]
    }
}

/// A row and what it is given with.
#[derive(Clone, Copy)]
struct Given {
    row: Member,
    frame: FrameId,
}

/// What a change does to one row.
#[derive(Default, Clone, Copy)]
struct Told {
    old: Option<Given>,
    new: Option<Given>,
}

/// The rows that frames are made of.
#[derive(Default)]
struct Known {
    rows: ByteRows,
    places: HashMap<(GroupId, Box<[u8]>), Member>,
    count: Member,
}

impl Known {
    fn member(&mut self, group: GroupId, (suffix, row): (&[u8], &[u8])) -> Member {
        let next = self.count;
        let member = *self.places.entry((group, suffix.into())).or_insert(next);
        if member == next {
            self.rows.push(row);
            self.count += 1;
        }
        member
    }

    /// Another row may come to stand in this place.
    fn forget(&mut self, group: GroupId, suffix: &[u8]) {
        self.places.remove(&(group, Box::from(suffix)));
    }
}

/// The rows of a part around a place: those before it, as many as a frame has, and those behind it whose frames hold it.
struct Around {
    before: Vec<Member>,
    own: Option<Member>,
    behind: Vec<(Box<[u8]>, Member)>,
}

impl Around {
    fn new(
        entries: &Entries,
        group: GroupId,
        suffix: &[u8],
        preceding: usize,
        known: &mut Known,
    ) -> Self {
        let mut before = Vec::new();
        let mut at = suffix;
        while before.len() < preceding
            && let Some(entry) = entries.before(at)
        {
            before.push(known.member(group, entry));
            at = entry.0;
        }
        before.reverse();
        let mut own = None;
        let mut behind = Vec::new();
        for entry in entries.from(suffix) {
            if entry.0 == suffix {
                own = Some(known.member(group, entry));
            } else if behind.len() < preceding {
                behind.push((entry.0.into(), known.member(group, entry)));
            } else {
                break;
            }
        }
        Self {
            before,
            own,
            behind,
        }
    }

    /// Give the frames of the row itself and of those behind it, with it or as if it were not there.
    fn frames(
        &self,
        own: Option<Member>,
        preceding: usize,
        frames: &mut Frames,
    ) -> (Option<Given>, Vec<Given>) {
        let mut rows = self.before.clone();
        rows.extend(own);
        let mut frame_of = |rows: &[Member], row: Member| Given {
            row,
            frame: frames.push(
                rows[rows.len().saturating_sub(preceding + 1)..]
                    .iter()
                    .copied(),
            ),
        };
        let first = own.map(|own| frame_of(&rows, own));
        let behind = self
            .behind
            .iter()
            .map(|(_, member)| {
                rows.push(*member);
                frame_of(&rows, *member)
            })
            .collect();
        (first, behind)
    }
}

/// What a change does to a part, while it is found.
#[derive(Default)]
struct Effects {
    own: Told,
    others: BTreeMap<Box<[u8]>, Told>,
}

impl Changing {
    /// Let a row come or go at a place, where it is there already or still.
    fn shift(
        &self,
        groups: &Groups,
        (group, suffix): (GroupId, &[u8]),
        inserted: bool,
        state: (&mut Known, &mut Frames),
        effects: &mut Effects,
    ) {
        let (known, frames) = state;
        let around = Around::new(groups.entries(group), group, suffix, self.preceding, known);
        let (own, with) = around.frames(around.own, self.preceding, frames);
        let (_, without) = around.frames(None, self.preceding, frames);
        let (old, new) = if inserted {
            effects.own.new = own;
            (without, with)
        } else {
            effects.own.old = own;
            (with, without)
        };
        for (((suffix, _), old), new) in around.behind.into_iter().zip(old).zip(new) {
            let told = effects.others.entry(suffix).or_insert(Told {
                old: Some(old),
                new: None,
            });
            told.new = Some(new);
        }
    }

    fn remove(
        &self,
        groups: &mut Groups,
        group: GroupId,
        (order, row): (&[u8], &[u8]),
        (known, frames): (&mut Known, &mut Frames),
        effects: &mut Effects,
    ) {
        let found = groups
            .entries(group)
            .from(order)
            .take_while(|(suffix, _)| suffix.starts_with(order))
            .find(|(_, other)| *other == row);
        let Some((suffix, _)) = found else {
            return;
        };
        let suffix = suffix.to_vec();
        self.shift(groups, (group, &suffix), false, (known, frames), effects);
        groups.remove(group, &suffix);
        known.forget(group, &suffix);
    }

    fn insert(
        &self,
        groups: &mut Groups,
        group: GroupId,
        (order, row): (&[u8], &[u8]),
        (known, frames): (&mut Known, &mut Frames),
        effects: &mut Effects,
    ) -> Result<()> {
        let mut suffix = [order, &u64::MAX.to_be_bytes()].concat();
        let number = match groups.entries(group).before(&suffix) {
            Some((before, _)) if before.starts_with(order) => number_of(before)? + 1,
            _ => 0,
        };
        suffix.truncate(order.len());
        suffix.extend_from_slice(&number.to_be_bytes());
        groups.put(group, &suffix, row);
        // A row that came and went before may be told of still: it has a number of its own.
        self.shift(groups, (group, &suffix), true, (known, frames), effects);
        Ok(())
    }
}

impl Operator for Changing {
    type Task = ChangingTask;

    fn open(&self, store: &Store) -> Result<Self::Task> {
        Ok(ChangingTask {
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
            let keys = shared.encode_keys(input)?;
            let values = shared.value_rows.encode(input.values, input.rows())?;
            let columns: Vec<ArrayRef> = self
                .columns
                .iter()
                .map(|column| Arc::clone(&input.values[*column]))
                .collect();
            let orders = self.order.encode(&columns, input.rows())?;
            let entry = |row: usize| (orders.row(row), values.row(row));
            let mut frames = Frames::default();
            let mut told: Vec<(usize, Told)> = Vec::new();
            let mut all = ByteRows::default();
            let mut offset = 0;
            for rows in walk(inputs) {
                let groups = &mut tasks.get(rows.partition)?.groups;
                // Groups of other tasks have the same numbers.
                let mut known = Known {
                    count: offset,
                    rows: std::mem::take(&mut all),
                    ..Known::default()
                };
                let same_key = |_, one, two| keys.key(one) == keys.key(two);
                for change in changes(inputs, &rows.places, same_key) {
                    let row = change.row();
                    let group = groups.group(keys.key(row), keys.hash(row))?;
                    let mut effects = Effects::default();
                    if let Some(gone) = change.gone {
                        let state = (&mut known, &mut frames);
                        self.remove(groups, group, entry(gone), state, &mut effects);
                    }
                    if let Some(come) = change.come {
                        let state = (&mut known, &mut frames);
                        self.insert(groups, group, entry(come), state, &mut effects)?;
                    }
                    told.push((row, effects.own));
                    // A row that came to stand where one went is told of as the change's own.
                    told.extend(effects.others.into_values().map(|told| (row, told)));
                }
                offset = known.count;
                all = known.rows;
            }
            let results = frames.results(shared, &arguments(shared, &all, &shared.value_rows)?)?;
            let rows: Vec<&[u8]> = all.iter().collect();
            for (row, Told { old, new }) in told {
                let old = old.and_then(|old| {
                    let found = results.get(old.frame).ok()?;
                    Some([keys.key(row), found, rows[old.row as usize]])
                });
                let new = match new.map(|new| (results.get(new.frame), new.row)) {
                    Some((Ok(found), member)) => {
                        Some([keys.key(row), found, rows[member as usize]])
                    }
                    Some((Err(failure), _)) => {
                        dropped.fail(0, row, failure.0);
                        None
                    }
                    None => None,
                };
                out.push_difference(Cause::of(input, row), old, new);
            }
        }
        out.finish(
            &shared.output,
            [&shared.key_rows, &shared.result_rows, &shared.value_rows],
        )
    }

    /// Gives keys and rows; the results of a row follow from the others of its key.
    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        _: Option<&Store>,
    ) -> Result<RecordBatch> {
        let (mut ordered_keys, mut rows) = (Vec::new(), Vec::new());
        for (key, value) in entries(keys, values, PREFIX) {
            let Some((ordered_key, _)) = key.split_last_chunk::<NUMBER>() else {
                return Err(Error::damaged("a row without its number"));
            };
            ordered_keys.push(ordered_key);
            rows.push(value);
        }
        let count = rows.len();
        let mut columns = self.ordered_keys.decode(ordered_keys)?;
        columns.truncate(self.shared.key_rows.types().len());
        columns.extend(self.shared.value_rows.decode(rows)?);
        let first = self.shared.first_value();
        let values = self.shared.value_rows.types().len();
        super::batch_of(self.shared.columns(first..first + values), columns, count)
    }

    fn output(&self) -> &arrow_schema::SchemaRef {
        &self.shared.output
    }
}
