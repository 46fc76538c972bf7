//! Results of groups, on their way out.

use arrow_array::ArrayRef;

use super::column::Column;
use super::group::Group;
use super::values::Value;
use super::{Accumulators, From};
use crate::error::Result;

/// Columns of results, grown group by group.
pub struct Results<'a> {
    pub(super) accumulators: &'a Accumulators,
    pub(super) columns: ResultColumns,
}

impl Results<'_> {
    /// Append the results of a group; gives their row.
    pub fn push(&mut self, group: &Group) -> usize {
        self.columns.push(self.accumulators, group)
    }

    /// Append nulls: for a deletion of which only the key counts.
    pub fn push_null(&mut self) -> usize {
        self.columns.push_null()
    }

    /// Forget the last row.
    pub fn pop(&mut self) {
        self.columns.pop();
    }

    pub fn len(&self) -> usize {
        self.columns.rows
    }

    pub fn is_empty(&self) -> bool {
        self.columns.rows == 0
    }

    /// Give the columns, in the order of the calls.
    pub fn finish(self) -> Result<Vec<ArrayRef>> {
        self.columns.finish()
    }
}

/// Columns of results that do not hold on to the accumulators they are of.
pub struct ResultColumns {
    pub(super) columns: Vec<Column>,
    pub(super) rows: usize,
}

impl ResultColumns {
    /// Append the results of a group of these accumulators; gives their row.
    pub fn push(&mut self, accumulators: &Accumulators, group: &Group) -> usize {
        let (words, heaps) = group.parts();
        for (output, column) in accumulators.outputs.iter().zip(&mut self.columns) {
            match output.from {
                From::Rows => column.push(Value::Int(words[0].cast_signed())),
                From::Tally(tally) => column.push(Value::Int(words[1 + tally].cast_signed())),
                From::Call(call) => {
                    let call = &accumulators.calls[call];
                    let n = words[1 + call.tally].cast_signed();
                    let (words, heaps) = (&words[call.words.clone()], &heaps[call.heaps.clone()]);
                    call.accumulator.result(n, words, heaps, column);
                }
            }
        }
        self.rows += 1;
        self.rows - 1
    }

    /// Append nulls.
    pub fn push_null(&mut self) -> usize {
        self.columns.iter_mut().for_each(Column::push_null);
        self.rows += 1;
        self.rows - 1
    }

    /// Forget the last row.
    pub fn pop(&mut self) {
        self.rows -= 1;
        let rows = self.rows;
        self.columns
            .iter_mut()
            .for_each(|column| column.truncate(rows));
    }

    /// Give the columns, in the order of the calls.
    pub fn finish(self) -> Result<Vec<ArrayRef>> {
        self.columns.into_iter().map(Column::finish).collect()
    }
}
