//! Rows on their way out: those of a flush, and those that come with each change.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, make_array};
use arrow_data::transform::MutableArrayData;
use arrow_schema::SchemaRef;

use super::Groups;
use crate::accumulators::{Group, ResultColumns};
use crate::batch::{Leading, op};
use crate::error::Result;
use crate::kernels::joined::{ByteRows, Cause};

/// Rows that come out at a flush.
pub(super) struct Flushed {
    leading: Leading,
    keys: ByteRows,
    /// Present results of all tasks.
    pub(super) afters: ResultColumns,
    /// What was given last, task by task.
    pub(super) befores: Vec<ResultColumns>,
    /// For each row that comes out where its results are: 0 for the present ones or 1 + the number of a task, and the row.
    places: Vec<(usize, usize)>,
}

impl Flushed {
    pub(super) fn new(shared: &Groups) -> Self {
        Self {
            leading: Leading::default(),
            keys: ByteRows::default(),
            afters: shared.accumulators.result_columns(),
            befores: Vec::new(),
            places: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, cause: Cause, op: i8, key: &[u8], place: (usize, usize)) {
        self.leading
            .push(cause.partition, cause.seq, cause.time, op);
        self.keys.push(key);
        self.places.push(place);
    }

    pub(super) fn finish(self, shared: &Groups, schema: &SchemaRef) -> Result<RecordBatch> {
        if self.leading.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let mut columns = shared.keys.decode(self.keys.iter())?;
        let afters = self.afters.finish()?;
        if shared.retracts {
            let befores: Vec<_> = self
                .befores
                .into_iter()
                .map(ResultColumns::finish)
                .collect::<Result<_>>()?;
            for (index, after) in afters.iter().enumerate() {
                let sources =
                    std::iter::once(after).chain(befores.iter().map(|columns| &columns[index]));
                columns.push(gather(sources, &self.places)?);
            }
        } else {
            columns.extend(afters); // they are in the order of the rows
        }
        self.leading.finish(schema, columns)
    }
}

/// Put rows of several columns of one type together: for each place a column and a row.
fn gather<'a>(
    sources: impl Iterator<Item = &'a ArrayRef>,
    places: &[(usize, usize)],
) -> Result<ArrayRef> {
    let data: Vec<_> = sources.map(|source| source.to_data()).collect();
    let mut gathered = MutableArrayData::new(data.iter().collect(), false, places.len());
    for (source, row) in places {
        gathered.try_extend(*source, *row, row + 1)?;
    }
    Ok(make_array(gathered.freeze()))
}

/// Rows that come out with each change of the input.
pub(super) struct Answers {
    leading: Leading,
    keys: ByteRows,
    /// With `retracts` the results before a change stand at the end while the change is made.
    results: ResultColumns,
}

impl Answers {
    pub(super) fn new(shared: &Groups) -> Self {
        Self {
            leading: Leading::default(),
            keys: ByteRows::default(),
            results: shared.accumulators.result_columns(),
        }
    }

    /// Remember the results of a group that is about to change, if they will be asked for.
    pub(super) fn remember(&mut self, shared: &Groups, before: Option<&Group>) {
        if let Some(group) = before.filter(|_| shared.retracts) {
            self.results.push(&shared.accumulators, group);
        }
    }

    /// Give what has become of a group: of one that `existed` and was remembered.
    pub(super) fn give(
        &mut self,
        shared: &Groups,
        (cause, key): (Cause, &[u8]),
        (existed, after): (bool, Option<&Group>),
        has_effect: bool,
    ) {
        let remembered = shared.retracts && existed;
        let verdict = shared.verdict(existed, after.is_some());
        let Some(op) = verdict.filter(|_| has_effect) else {
            if remembered {
                self.results.pop();
            }
            return;
        };
        if remembered {
            let gone = if op == op::DELETE {
                op
            } else {
                op::UPDATE_BEFORE
            };
            self.push(cause, gone, key);
        }
        match after {
            Some(group) => {
                self.results.push(&shared.accumulators, group);
                self.push(cause, op, key);
            }
            None if !remembered => {
                self.results.push_null();
                self.push(cause, op, key);
            }
            None => {}
        }
    }

    fn push(&mut self, cause: Cause, op: i8, key: &[u8]) {
        self.leading
            .push(cause.partition, cause.seq, cause.time, op);
        self.keys.push(key);
    }

    pub(super) fn finish(self, shared: &Groups, schema: &SchemaRef) -> Result<RecordBatch> {
        if self.leading.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let mut columns = shared.keys.decode(self.keys.iter())?;
        columns.extend(self.results.finish()?);
        self.leading.finish(schema, columns)
    }
}
