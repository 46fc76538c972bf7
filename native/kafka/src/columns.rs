//! The columns of a batch to send.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use arrow_array::{Array, BinaryArray, ListArray, PrimitiveArray, RecordBatch, StructArray};
use arrow_schema::{DataType, TimeUnit};

use crate::error::{Error, Result};

/// The columns of a batch to send, with their types checked.
pub(crate) struct Columns<'a> {
    key: Option<&'a BinaryArray>,
    value: &'a BinaryArray,
    timestamp: Option<&'a PrimitiveArray<TimestampMillisecondType>>,
    partition: Option<&'a PrimitiveArray<Int32Type>>,
    headers: Option<&'a ListArray>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(records: &'a RecordBatch) -> Result<Self> {
        let column = |name: &str, fits: fn(&DataType) -> bool| match records.column_by_name(name) {
            Some(array) if !fits(array.data_type()) => Err(Error::local(format!(
                "column {name} has type {}",
                array.data_type()
            ))),
            found => Ok(found),
        };
        let binary = |kind: &DataType| *kind == DataType::Binary;
        Ok(Self {
            key: column("key", binary)?.map(|array| array.as_binary()),
            value: column("value", binary)?
                .map(|array| array.as_binary())
                .ok_or_else(|| Error::local("the batch has no column value"))?,
            timestamp: column("timestamp", |kind| {
                matches!(kind, DataType::Timestamp(TimeUnit::Millisecond, _))
            })?
            .map(|array| array.as_primitive()),
            partition: column("partition", |kind| *kind == DataType::Int32)?
                .map(|array| array.as_primitive()),
            headers: column("headers", headers_type)?.map(|array| array.as_list()),
        })
    }

    pub(crate) fn key(&self, row: usize) -> Option<&'a [u8]> {
        bytes(self.key?, row)
    }

    pub(crate) fn value(&self, row: usize) -> Option<&'a [u8]> {
        bytes(self.value, row)
    }

    /// Milliseconds since the epoch; None for now.
    pub(crate) fn timestamp(&self, row: usize) -> Option<i64> {
        let column = self.timestamp.filter(|column| column.is_valid(row))?;
        Some(column.value(row))
    }

    /// None leaves the choice to the key.
    pub(crate) fn partition(&self, row: usize) -> Option<i32> {
        let column = self.partition.filter(|column| column.is_valid(row))?;
        Some(column.value(row))
    }

    /// None where the row has none.
    pub(crate) fn headers(&self, row: usize) -> Option<Headers> {
        let column = self.headers.filter(|column| column.is_valid(row))?;
        Some(Headers(column.value(row).as_struct().clone()))
    }

    /// Bytes of all keys and values.
    pub(crate) fn bytes(&self) -> usize {
        let of = |column: &BinaryArray| {
            let offsets = column.value_offsets();
            usize::try_from(offsets[offsets.len() - 1] - offsets[0]).unwrap_or_default()
        };
        of(self.value) + self.key.map_or(0, of)
    }
}

fn bytes(column: &BinaryArray, row: usize) -> Option<&[u8]> {
    column.is_valid(row).then(|| column.value(row))
}

/// The headers of one row.
pub(crate) struct Headers(StructArray);

impl Headers {
    /// Name and value of each.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Option<&[u8]>)> {
        let names = self.0.column(0).as_string::<i32>();
        let values = self.0.column(1).as_binary::<i32>();
        (0..self.0.len()).map(|index| (names.value(index), bytes(values, index)))
    }
}

fn headers_type(kind: &DataType) -> bool {
    let DataType::List(item) = kind else {
        return false;
    };
    let DataType::Struct(fields) = item.data_type() else {
        return false;
    };
    fields.len() == 2
        && *fields[0].data_type() == DataType::Utf8
        && *fields[1].data_type() == DataType::Binary
}
