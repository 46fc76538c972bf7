//! Column builders that can be cut back to any row.

use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder};
use arrow_data::ArrayData;
use arrow_schema::{DataType, TimeUnit};

use crate::fault::{Fault, Result, Unsupported};

/// A growing array of any type that the formats know.
pub struct Column {
    data_type: DataType,
    nulls: NullBufferBuilder,
    pub values: Values,
}

/// Values by their physical form; what they mean is in the type of the column.
pub enum Values {
    Null,
    Bool(BooleanBufferBuilder),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    Bytes {
        ends: Vec<i32>,
        data: Vec<u8>,
    },
    /// A list; a map is a list of a struct of key and value.
    List {
        ends: Vec<i32>,
        item: Box<Column>,
    },
    Struct(Vec<Column>),
}

impl Column {
    pub fn new(data_type: &DataType, capacity: usize) -> std::result::Result<Self, Unsupported> {
        let ends = || {
            let mut ends = Vec::with_capacity(capacity + 1);
            ends.push(0);
            ends
        };
        let values = match data_type {
            DataType::Null => Values::Null,
            DataType::Boolean => Values::Bool(BooleanBufferBuilder::new(capacity)),
            DataType::Int8 => Values::I8(Vec::with_capacity(capacity)),
            DataType::Int16 => Values::I16(Vec::with_capacity(capacity)),
            DataType::Int32 | DataType::Date32 | DataType::Time32(_) => {
                Values::I32(Vec::with_capacity(capacity))
            }
            DataType::Int64 | DataType::Time64(_) | DataType::Timestamp(_, _) => {
                Values::I64(Vec::with_capacity(capacity))
            }
            DataType::UInt8 => Values::U8(Vec::with_capacity(capacity)),
            DataType::UInt16 => Values::U16(Vec::with_capacity(capacity)),
            DataType::UInt32 => Values::U32(Vec::with_capacity(capacity)),
            DataType::UInt64 => Values::U64(Vec::with_capacity(capacity)),
            DataType::Float32 => Values::F32(Vec::with_capacity(capacity)),
            DataType::Float64 => Values::F64(Vec::with_capacity(capacity)),
            DataType::Decimal128(_, _) => Values::I128(Vec::with_capacity(capacity)),
            DataType::Utf8 | DataType::Binary => Values::Bytes {
                ends: ends(),
                data: Vec::with_capacity(capacity * 8),
            },
            DataType::List(item) => Values::List {
                ends: ends(),
                item: Box::new(Self::new(item.data_type(), capacity)?),
            },
            DataType::Map(entries, _) => Values::List {
                ends: ends(),
                item: Box::new(Self::new(entries.data_type(), capacity)?),
            },
            DataType::Struct(fields) => Values::Struct(
                fields
                    .iter()
                    .map(|field| Self::new(field.data_type(), capacity))
                    .collect::<std::result::Result<_, _>>()?,
            ),
            other => {
                return Err(Unsupported::new(format!("type {other} is not supported")));
            }
        };
        Ok(Self {
            data_type: data_type.clone(),
            nulls: NullBufferBuilder::new(capacity),
            values,
        })
    }

    pub fn len(&self) -> usize {
        self.nulls.len()
    }

    /// Mark the value that has just been appended to `values` as present.
    #[inline]
    pub fn present(&mut self) {
        self.nulls.append_non_null();
    }

    pub fn push_null(&mut self) {
        match &mut self.values {
            Values::Null => {}
            Values::Bool(values) => values.append(false),
            Values::I8(values) => values.push(0),
            Values::I16(values) => values.push(0),
            Values::I32(values) => values.push(0),
            Values::I64(values) => values.push(0),
            Values::U8(values) => values.push(0),
            Values::U16(values) => values.push(0),
            Values::U32(values) => values.push(0),
            Values::U64(values) => values.push(0),
            Values::F32(values) => values.push(0.0),
            Values::F64(values) => values.push(0.0),
            Values::I128(values) => values.push(0),
            Values::Bytes { ends, .. } | Values::List { ends, .. } => {
                ends.push(*ends.last().expect("starts with 0"));
            }
            Values::Struct(children) => children.iter_mut().for_each(Self::push_null),
        }
        self.nulls.append_null();
    }

    /// Forget all rows from `len` on, complete or not.
    pub fn truncate(&mut self, len: usize) {
        match &mut self.values {
            Values::Null => {}
            Values::Bool(values) => values.truncate(len),
            Values::I8(values) => values.truncate(len),
            Values::I16(values) => values.truncate(len),
            Values::I32(values) => values.truncate(len),
            Values::I64(values) => values.truncate(len),
            Values::U8(values) => values.truncate(len),
            Values::U16(values) => values.truncate(len),
            Values::U32(values) => values.truncate(len),
            Values::U64(values) => values.truncate(len),
            Values::F32(values) => values.truncate(len),
            Values::F64(values) => values.truncate(len),
            Values::I128(values) => values.truncate(len),
            Values::Bytes { ends, data } => {
                ends.truncate(len + 1);
                data.truncate(*ends.last().expect("starts with 0") as usize);
            }
            Values::List { ends, item } => {
                ends.truncate(len + 1);
                item.truncate(*ends.last().expect("starts with 0") as usize);
            }
            Values::Struct(children) => children.iter_mut().for_each(|child| child.truncate(len)),
        }
        if self.nulls.len() > len {
            self.nulls.truncate(len);
        }
    }

    /// Append text or bytes.
    #[inline]
    pub fn push_bytes(&mut self, value: &[u8]) -> Result<()> {
        let Values::Bytes { data, .. } = &mut self.values else {
            unreachable!("the program fits the column");
        };
        data.extend_from_slice(value);
        self.end_bytes()
    }

    /// Close a text or bytes value whose content has been appended to `data` already.
    #[inline]
    pub fn end_bytes(&mut self) -> Result<()> {
        let Values::Bytes { ends, data } = &mut self.values else {
            unreachable!("the program fits the column");
        };
        let end = i32::try_from(data.len())
            .map_err(|_| Fault::new("the column grows over 2 GiB in one batch"))?;
        ends.push(end);
        self.nulls.append_non_null();
        Ok(())
    }

    /// Close a list whose items have been appended already.
    pub fn end_list(&mut self) -> Result<()> {
        let Values::List { ends, item } = &mut self.values else {
            unreachable!("the program fits the column");
        };
        let end = i32::try_from(item.len())
            .map_err(|_| Fault::new("over two thousand million list items in one batch"))?;
        ends.push(end);
        self.nulls.append_non_null();
        Ok(())
    }

    pub fn finish(mut self) -> ArrayData {
        let len = self.nulls.len();
        let nulls = match self.data_type {
            DataType::Null => None,
            _ => self.nulls.finish(),
        };
        let mut builder = ArrayData::builder(self.data_type).len(len).nulls(nulls);
        builder = match self.values {
            Values::Null => builder,
            Values::Bool(mut values) => builder.add_buffer(values.finish().into_inner()),
            Values::I8(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::I16(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::I32(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::I64(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::U8(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::U16(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::U32(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::U64(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::F32(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::F64(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::I128(values) => builder.add_buffer(Buffer::from_vec(values)),
            Values::Bytes { ends, data } => builder
                .add_buffer(Buffer::from_vec(ends))
                .add_buffer(Buffer::from_vec(data)),
            Values::List { ends, item } => builder
                .add_buffer(Buffer::from_vec(ends))
                .add_child_data(item.finish()),
            Values::Struct(children) => {
                builder.child_data(children.into_iter().map(Self::finish).collect())
            }
        };
        // SAFETY: the buffers were built for this type above, each with `len` values; text columns only ever take
        // bytes that were checked to be UTF-8. A field that is declared as never null may hold nulls where JSON lacks
        // it: that is advice to readers and not an invariant of memory.
        unsafe { builder.build_unchecked() }
    }
}

/// Units of a second.
pub fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}
