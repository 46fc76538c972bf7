//! Results on their way into Arrow columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray, make_array};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, NullBufferBuilder, OffsetBuffer,
    ScalarBuffer,
};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field};

use super::values::{Codec, Form, Value};
use crate::error::Result;

/// A growing column of results.
pub struct Column {
    codec: Arc<Codec>,
    data: Data,
    nulls: NullBufferBuilder,
}

enum Data {
    Int(Vec<i64>),
    Float(Vec<f64>),
    Wide(Vec<i128>),
    Bytes {
        ends: Vec<i32>,
        bytes: Vec<u8>,
    },
    /// Each result is a list; the items are never null.
    List {
        ends: Vec<i32>,
        items: Box<Column>,
        field: Arc<Field>,
    },
}

impl Column {
    /// Begin a column of values.
    pub fn new(codec: &Arc<Codec>) -> Self {
        let data = match codec.form() {
            Form::Int => Data::Int(Vec::new()),
            Form::Float => Data::Float(Vec::new()),
            Form::Wide => Data::Wide(Vec::new()),
            Form::Bytes | Form::Row => Data::Bytes {
                ends: vec![0],
                bytes: Vec::new(),
            },
        };
        Self {
            codec: Arc::clone(codec),
            data,
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// Begin a column of lists; the codec is that of the items.
    pub fn lists(items: &Arc<Codec>, field: &Arc<Field>) -> Self {
        let data = Data::List {
            ends: vec![0],
            items: Box::new(Self::new(items)),
            field: Arc::clone(field),
        };
        Self {
            codec: Arc::clone(items),
            data,
            nulls: NullBufferBuilder::new(0),
        }
    }

    /// Append a value of the column's form.
    pub fn push(&mut self, value: Value<'_>) {
        match (&mut self.data, value) {
            (Data::Int(values), Value::Int(value)) => values.push(value),
            (Data::Float(values), Value::Float(value)) => values.push(value),
            (Data::Wide(values), Value::Wide(value)) => values.push(value),
            (Data::Bytes { ends, bytes }, Value::Bytes(value)) => {
                bytes.extend_from_slice(value);
                ends.push(end_of(bytes.len()));
            }
            _ => unreachable!("the form of a result is settled when the call is compiled"),
        }
        self.nulls.append_non_null();
    }

    /// Append a value by its sortable bytes.
    pub fn push_sortable(&mut self, bytes: &[u8]) {
        self.push(Value::from_sortable(self.codec.form(), bytes));
    }

    /// Append a list of values, each by its sortable bytes.
    pub fn push_list<'b>(&mut self, values: impl Iterator<Item = &'b [u8]>) {
        let Data::List { ends, items, .. } = &mut self.data else {
            unreachable!("the form of a result is settled when the call is compiled")
        };
        values.for_each(|value| items.push_sortable(value));
        ends.push(end_of(items.nulls.len()));
        self.nulls.append_non_null();
    }

    pub fn push_null(&mut self) {
        match &mut self.data {
            Data::Int(values) => values.push(0),
            Data::Float(values) => values.push(0.0),
            Data::Wide(values) => values.push(0),
            Data::Bytes { ends, .. } | Data::List { ends, .. } => {
                ends.push(*ends.last().expect("begins with 0"))
            }
        }
        self.nulls.append_null();
    }

    /// Forget the rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.data {
            Data::Int(values) => values.truncate(len),
            Data::Float(values) => values.truncate(len),
            Data::Wide(values) => values.truncate(len),
            Data::Bytes { ends, bytes } => {
                ends.truncate(len + 1);
                bytes.truncate(ends[len] as usize);
            }
            Data::List { ends, items, .. } => {
                ends.truncate(len + 1);
                items.truncate(ends[len] as usize);
            }
        }
        self.nulls.truncate(len);
    }

    pub fn finish(mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        match self.data {
            Data::Int(values) => from_integers(self.codec.data_type(), values, nulls),
            Data::Float(values) => {
                let buffer = match self.codec.data_type() {
                    #[allow(clippy::cast_possible_truncation)] // it was an f32
                    DataType::Float32 => {
                        Buffer::from_vec(values.iter().map(|v| *v as f32).collect())
                    }
                    _ => Buffer::from_vec(values.clone()),
                };
                array_of(self.codec.data_type(), values.len(), vec![buffer], nulls)
            }
            Data::Wide(values) => {
                let buffer = match self.codec.data_type() {
                    DataType::UInt64 => narrow::<u64, _>(&values),
                    _ => Buffer::from_vec(values.clone()),
                };
                array_of(self.codec.data_type(), values.len(), vec![buffer], nulls)
            }
            Data::Bytes { ends, bytes } => self.codec.column(bytes, ends, nulls),
            Data::List { ends, items, field } => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                Ok(Arc::new(ListArray::try_new(
                    field,
                    ends,
                    items.finish()?,
                    nulls,
                )?))
            }
        }
    }
}

fn end_of(len: usize) -> i32 {
    i32::try_from(len).expect("a batch of results holds less than 2 GiB")
}

fn from_integers(
    data_type: &DataType,
    values: Vec<i64>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let len = values.len();
    let buffer = match data_type {
        DataType::Boolean => BooleanBuffer::collect_bool(len, |row| values[row] != 0).into_inner(),
        DataType::Int8 => narrow::<i8, _>(&values),
        DataType::Int16 => narrow::<i16, _>(&values),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => narrow::<i32, _>(&values),
        DataType::UInt8 => narrow::<u8, _>(&values),
        DataType::UInt16 => narrow::<u16, _>(&values),
        DataType::UInt32 => narrow::<u32, _>(&values),
        _ => Buffer::from_vec(values),
    };
    array_of(data_type, len, vec![buffer], nulls)
}

/// Values that came from a narrower type go back into it.
fn narrow<T: ArrowNativeType + TryFrom<W>, W: Copy>(values: &[W]) -> Buffer {
    Buffer::from_vec(
        values
            .iter()
            .map(|value| T::try_from(*value).unwrap_or_default())
            .collect::<Vec<T>>(),
    )
}

pub fn array_of(
    data_type: &DataType,
    len: usize,
    buffers: Vec<Buffer>,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let data = ArrayData::builder(data_type.clone())
        .len(len)
        .buffers(buffers)
        .nulls(nulls)
        .build()?;
    Ok(make_array(data))
}
