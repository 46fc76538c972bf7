//! A batch of values in and out: the loop over rows, and what becomes of a row that fails.

use arrow_array::{Array, BinaryArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;

use crate::column::Column;
use crate::fault::{Fault, Result, Unsupported};
use crate::projection::{self, Path};

/// One array a path, each as long as the input, and the rows that failed with the reasons.
pub struct Decoded {
    pub columns: Vec<ArrayData>,
    pub errors: Vec<(usize, Fault)>,
}

/// The bytes of the rows, and the rows that failed with the reasons.
pub struct Encoded {
    pub data: BinaryArray,
    pub errors: Vec<(usize, Fault)>,
}

/// The type that is read for some paths of a type, and how the columns are taken out of it.
pub struct Target {
    data_type: DataType,
    places: Vec<Vec<usize>>,
}

impl Target {
    pub fn new(data_type: &DataType, paths: &[Path]) -> std::result::Result<Self, Unsupported> {
        let data_type = projection::prune(data_type, paths)?;
        let places = paths
            .iter()
            .map(|path| projection::place(&data_type, path))
            .collect::<std::result::Result<_, _>>()?;
        // Fail now, not at the first batch.
        Column::new(&data_type, 0)?;
        Ok(Self { data_type, places })
    }

    /// What is really read: the type without the fields that no path asks for.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Decode each value with `read`, which appends exactly one row or fails after appending anything.
    pub fn decode<'a>(
        &self,
        data: &'a BinaryArray,
        mut read: impl FnMut(&'a [u8], &mut Column) -> Result<()>,
    ) -> Decoded {
        let mut column = Column::new(&self.data_type, data.len()).expect("checked when made");
        let mut errors = Vec::new();
        let offsets = data.value_offsets();
        let bytes = data.value_data();
        for row in 0..data.len() {
            if data.is_null(row) {
                column.push_null();
                continue;
            }
            let value = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
            if let Err(fault) = read(value, &mut column) {
                column.truncate(row);
                column.push_null();
                errors.push((row, *fault));
            }
            debug_assert_eq!(column.len(), row + 1);
        }
        let root = column.finish();
        let columns = self
            .places
            .iter()
            .map(|place| {
                place
                    .iter()
                    .fold(root.clone(), |at, child| at.child_data()[*child].clone())
            })
            .collect();
        Decoded { columns, errors }
    }
}

/// Encode `rows` rows with `write`, which appends the bytes of a row or fails after appending anything.
pub fn encode(
    rows: usize,
    size_hint: usize,
    is_null: impl Fn(usize) -> bool,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<()>,
) -> Encoded {
    let mut data = Vec::with_capacity(rows * size_hint);
    let mut offsets: Vec<i32> = Vec::with_capacity(rows + 1);
    let mut nulls = NullBufferBuilder::new(rows);
    let mut errors = Vec::new();
    offsets.push(0);
    for row in 0..rows {
        let start = data.len();
        if is_null(row) {
            nulls.append_null();
        } else {
            let done = write(row, &mut data).and_then(|()| {
                if data.len() > i32::MAX as usize {
                    Err(Fault::new("the batch grows over 2 GiB"))
                } else {
                    Ok(())
                }
            });
            match done {
                Ok(()) => nulls.append_non_null(),
                Err(fault) => {
                    data.truncate(start);
                    nulls.append_null();
                    errors.push((row, *fault));
                }
            }
        }
        offsets.push(data.len() as i32);
    }
    let data = BinaryArray::new(
        OffsetBuffer::new(ScalarBuffer::from(offsets)),
        Buffer::from_vec(data),
        nulls.finish(),
    );
    Encoded { data, errors }
}
