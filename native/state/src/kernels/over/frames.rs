//! The results over rows, all of a batch at once: which rows each is over is found first, then their columns are read once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int8Array, Int32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::Shared;
use crate::accumulators::{Failure, ResultColumns};
use crate::batch::LEADING;
use crate::error::Result;
use crate::kernels::joined::ByteRows;
use crate::rows::{RowBytes, RowCodec};

/// A row that frames are made of, by number.
pub(super) type Member = u32;

/// Frames of the rows of one batch and of rows that were kept.
#[derive(Default)]
pub(super) struct Frames {
    members: Vec<Member>,
    ranges: Vec<Range<usize>>,
}

/// The number of a frame.
pub(super) type FrameId = usize;

impl Frames {
    /// Add a frame: its members from the first to the last.
    pub(super) fn push(&mut self, members: impl IntoIterator<Item = Member>) -> FrameId {
        let start = self.members.len();
        self.members.extend(members);
        self.ranges.push(start..self.members.len());
        self.ranges.len() - 1
    }

    /// Make frames that are parts of lists: of each its list, and which of its members.
    pub(super) fn of_lists(lists: Vec<Vec<Member>>, parts: Vec<(usize, Range<usize>)>) -> Self {
        let mut starts = Vec::with_capacity(lists.len());
        let mut members = Vec::new();
        for list in lists {
            starts.push(members.len());
            members.extend(list);
        }
        let moved = |(list, part): (usize, Range<usize>)| {
            let start: usize = starts[list];
            start + part.start..start + part.end
        };
        Self {
            ranges: parts.into_iter().map(moved).collect(),
            members,
        }
    }

    /// Give the results of all frames over the arguments of their members.
    pub(super) fn results(&self, shared: &Shared, arguments: &[ArrayRef]) -> Result<FrameResults> {
        let accumulators = &shared.accumulators;
        let rows = arguments.first().map_or(0, |column| column.len());
        let batch = batch(arguments, rows)?;
        let bound = accumulators.bind(&batch)?;
        let mut columns = accumulators.result_columns();
        let mut failures = HashMap::new();
        let none = accumulators.group();
        let mut group = accumulators.group();
        for (frame, range) in self.ranges.iter().enumerate() {
            group.copy_from(&none);
            let mut members = self.members[range.clone()].iter();
            let added = members.try_for_each(|member| bound.add(*member as usize, &mut group));
            match added {
                Ok(()) => columns.push(accumulators, &group),
                Err(failure) => {
                    failures.insert(frame, failure);
                    columns.push_null()
                }
            };
        }
        FrameResults::new(shared, columns, self.ranges.len(), failures)
    }
}

/// The results of frames.
pub(super) struct FrameResults {
    rows: RowBytes,
    failures: HashMap<FrameId, Failure>,
}

impl FrameResults {
    /// Args:
    /// - `count`: of the frames.
    /// - `failures`: of those whose results cannot be given; in the columns they have nulls.
    pub(super) fn new(
        shared: &Shared,
        columns: ResultColumns,
        count: usize,
        failures: HashMap<FrameId, Failure>,
    ) -> Result<Self> {
        Ok(Self {
            rows: shared.result_rows.encode(&columns.finish()?, count)?,
            failures,
        })
    }

    /// Give the bytes of the results of a frame.
    ///
    /// # Errors
    /// They cannot be given: a sum is too large.
    pub(super) fn get(&self, frame: FrameId) -> std::result::Result<&[u8], Failure> {
        match self.failures.get(&frame) {
            Some(failure) => Err(*failure),
            None => Ok(self.rows.row(frame)),
        }
    }
}

/// Read the first columns of rows.
pub(super) fn arguments(
    shared: &Shared,
    rows: &ByteRows,
    codec: &RowCodec,
) -> Result<Vec<ArrayRef>> {
    let mut columns = codec.decode(rows.iter())?;
    columns.truncate(shared.arguments);
    if columns.is_empty() {
        // Something must say how many there are.
        let ones = Int8Array::from(vec![0; rows.iter().count()]);
        columns.push(Arc::new(ones));
    }
    Ok(columns)
}

/// The schema of batches of arguments.
pub(super) fn schema(types: &[DataType]) -> Schema {
    let leading = [
        DataType::Int32,
        DataType::Int64,
        DataType::Int64,
        DataType::Int8,
    ];
    let fields = leading
        .iter()
        .chain(types)
        .enumerate()
        .map(|(index, data_type)| Field::new(format!("c{index}"), data_type.clone(), true));
    Schema::new(fields.collect::<Vec<_>>())
}

/// Put what stands for the leading columns before arguments.
pub(super) fn batch(arguments: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
    let zeros: ArrayRef = Arc::new(Int64Array::from(vec![0; rows]));
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![0; rows])),
        Arc::clone(&zeros),
        zeros,
        Arc::new(Int8Array::from(vec![0; rows])),
    ];
    debug_assert_eq!(columns.len(), LEADING);
    columns.extend(arguments.iter().cloned());
    let types: Vec<DataType> = arguments
        .iter()
        .map(|column| column.data_type().clone())
        .collect();
    Ok(RecordBatch::try_new(Arc::new(schema(&types)), columns)?)
}
