//! Values of any type in a few physical forms: read from Arrow columns, and kept as words or as bytes that sort as the values do.
//! [`super::column`] puts them into Arrow columns again.
//!
//! Order and equality are DuckDB's: NaN is one value, greater than all others; -0.0 equals 0.0; a null inside a nested value
//! comes last. Text and bytes are ordered by their bytes.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StructArray, new_null_array};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::{DataType, SortOptions};

use super::column::array_of;
use crate::error::{Error, Result};

/// How values of a type are handled inside accumulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Booleans, integers of up to 64 bits (signed), dates, times: an i64.
    Int,
    /// An f64.
    Float,
    /// Decimals and unsigned integers of 64 bits: an i128.
    Wide,
    /// Text and bytes as they are.
    Bytes,
    /// All else: the bytes of a row of one column.
    Row,
}

impl Form {
    pub fn of(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(_, _) => Self::Int,
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::UInt64 | DataType::Decimal128(_, _) => Self::Wide,
            DataType::Utf8 | DataType::Binary => Self::Bytes,
            _ => Self::Row,
        }
    }

    /// The number of 64-bit words of a value; 0 where it varies.
    pub fn words(self) -> usize {
        match self {
            Self::Int | Self::Float => 1,
            Self::Wide => 2,
            Self::Bytes | Self::Row => 0,
        }
    }
}

/// One value that is not null.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Int(i64),
    Float(f64),
    Wide(i128),
    /// Text, bytes or the bytes of a row.
    Bytes(&'a [u8]),
    /// The values of two columns, for functions of two arguments.
    Pair(f64, f64),
}

/// Room for the sortable bytes of a value of fixed size.
pub type Scratch = [u8; 16];

const SIGN: u64 = 1 << 63;
const WIDE_SIGN: u128 = 1 << 127;

impl<'a> Value<'a> {
    /// Give the value that stands for all that are equal to this one.
    pub fn canonical(self) -> Self {
        match self {
            Self::Float(value) => Self::Float(canonical_float(value)),
            other => other,
        }
    }

    /// Give bytes that compare as canonical values do; different values have different bytes.
    pub fn sortable<'s>(self, scratch: &'s mut Scratch) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Self::Int(value) => {
                scratch[..8].copy_from_slice(&(value.cast_unsigned() ^ SIGN).to_be_bytes());
                &scratch[..8]
            }
            Self::Float(value) => {
                let bits = value.to_bits();
                let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
                scratch[..8].copy_from_slice(&ordered.to_be_bytes());
                &scratch[..8]
            }
            Self::Wide(value) => {
                scratch.copy_from_slice(&(value.cast_unsigned() ^ WIDE_SIGN).to_be_bytes());
                &scratch[..]
            }
            Self::Bytes(value) => value,
            Self::Pair(..) => unreachable!("pairs are not kept"),
        }
    }

    /// Read what `sortable` has given.
    pub fn from_sortable(form: Form, bytes: &'a [u8]) -> Self {
        let word = || u64::from_be_bytes(bytes.try_into().expect("8 bytes"));
        match form {
            Form::Int => Self::Int((word() ^ SIGN).cast_signed()),
            Form::Float => {
                let ordered = word();
                Self::Float(f64::from_bits(if ordered & SIGN == 0 {
                    !ordered
                } else {
                    ordered ^ SIGN
                }))
            }
            Form::Wide => {
                let wide = u128::from_be_bytes(bytes.try_into().expect("16 bytes"));
                Self::Wide((wide ^ WIDE_SIGN).cast_signed())
            }
            Form::Bytes | Form::Row => Self::Bytes(bytes),
        }
    }

    /// Put a value of fixed size into words.
    pub fn to_words(self, words: &mut [u64]) {
        match self {
            Self::Int(value) => words[0] = value.cast_unsigned(),
            Self::Float(value) => words[0] = value.to_bits(),
            Self::Wide(value) => set_wide(words, value),
            Self::Bytes(_) | Self::Pair(..) => {
                unreachable!("a value of varying size, or of two, has no words")
            }
        }
    }

    /// Read what `to_words` has written.
    pub fn from_words(form: Form, words: &[u64]) -> Self {
        match form {
            Form::Int => Self::Int(words[0].cast_signed()),
            Form::Float => Self::Float(f64::from_bits(words[0])),
            Form::Wide => Self::Wide(wide(words)),
            Form::Bytes | Form::Row => unreachable!("a value of varying size has no words"),
        }
    }
}

pub fn canonical_float(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        value + 0.0 // -0.0 + 0.0 = 0.0
    }
}

/// Read an i128 from two words.
pub fn wide(words: &[u64]) -> i128 {
    (u128::from(words[0]) | u128::from(words[1]) << 64).cast_signed()
}

/// Write an i128 into two words.
#[allow(clippy::cast_possible_truncation)] // that is the point
pub fn set_wide(words: &mut [u64], value: i128) {
    let value = value.cast_unsigned();
    words[0] = value as u64;
    words[1] = (value >> 64) as u64;
}

/// Reads and makes columns of one type.
pub struct Codec {
    data_type: DataType,
    form: Form,
    rows: Option<RowCodec>,
}

struct RowCodec {
    converter: RowConverter,
    parser: RowParser,
    null: Vec<u8>,
    has_floats: bool,
}

impl Codec {
    /// # Errors
    /// Values of the type cannot be kept.
    pub fn new(data_type: &DataType) -> Result<Self> {
        let form = Form::of(data_type);
        let rows = (form == Form::Row)
            .then(|| RowCodec::new(data_type))
            .transpose()?;
        Ok(Self {
            data_type: data_type.clone(),
            form,
            rows,
        })
    }

    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    pub fn form(&self) -> Form {
        self.form
    }

    /// Read a column of this type, once for all rows.
    pub fn read(&self, array: &ArrayRef) -> Result<Values> {
        if array.data_type() != &self.data_type {
            return Err(Error::spec(format!(
                "a column of {} where {} is expected",
                array.data_type(),
                self.data_type
            )));
        }
        let values = match self.form {
            Form::Int => Values::Int(integers(array)),
            Form::Float => Values::Float(match array.data_type() {
                DataType::Float32 => array
                    .as_primitive::<Float32Type>()
                    .values()
                    .iter()
                    .map(|v| f64::from(*v))
                    .collect(),
                _ => array.as_primitive::<Float64Type>().values().clone(),
            }),
            Form::Wide => Values::Wide(match array.data_type() {
                DataType::UInt64 => array
                    .as_primitive::<UInt64Type>()
                    .values()
                    .iter()
                    .map(|v| i128::from(*v))
                    .collect(),
                _ => physical(array),
            }),
            Form::Bytes => {
                let data = array.to_data();
                let ends = OffsetBuffer::new(ScalarBuffer::new(
                    data.buffers()[0].clone(),
                    data.offset(),
                    data.len() + 1,
                ));
                Values::Bytes(ends, data.buffers()[1].clone())
            }
            Form::Row => {
                let codec = self.rows.as_ref().expect("made with the form");
                let array = if codec.has_floats {
                    canonical_array(array)?
                } else {
                    Arc::clone(array)
                };
                Values::Row(codec.converter.convert_columns(&[array])?)
            }
        };
        Ok(values)
    }

    /// Make a column from bytes that `sortable` gave for values of this type.
    pub(super) fn column(
        &self,
        bytes: Vec<u8>,
        ends: Vec<i32>,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef> {
        let Some(codec) = &self.rows else {
            return array_of(
                &self.data_type,
                ends.len() - 1,
                vec![Buffer::from_vec(ends), Buffer::from_vec(bytes)],
                nulls,
            );
        };
        let rows = (0..ends.len() - 1).map(|row| {
            let present = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
            codec.parser.parse(if present {
                between(&bytes, &ends, row)
            } else {
                &codec.null
            })
        });
        Ok(codec.converter.convert_rows(rows)?.remove(0))
    }
}

impl RowCodec {
    fn new(data_type: &DataType) -> Result<Self> {
        // Nulls last: DuckDB's order of nested values.
        let options = SortOptions {
            descending: false,
            nulls_first: false,
        };
        let converter = RowConverter::new(vec![SortField::new_with_options(
            data_type.clone(),
            options,
        )])?;
        let nulls = converter.convert_columns(&[new_null_array(data_type, 1)])?;
        let null = nulls.row(0).data().to_vec();
        let parser = converter.parser();
        Ok(Self {
            converter,
            parser,
            null,
            has_floats: has_floats(data_type),
        })
    }
}

/// A column of arguments. Nulls are not its business.
pub enum Values {
    Int(ScalarBuffer<i64>),
    Float(ScalarBuffer<f64>),
    Wide(ScalarBuffer<i128>),
    Bytes(OffsetBuffer<i32>, Buffer),
    Row(Rows),
    Pair(ScalarBuffer<f64>, ScalarBuffer<f64>),
}

/// What a call reads of a batch.
pub enum Argument {
    One(usize, Codec),
    /// Two columns of doubles.
    Two(usize, usize),
}

impl Argument {
    /// Read the columns, once for all rows.
    pub fn read(&self, batch: &RecordBatch) -> Result<Values> {
        let doubles = |column: &usize| {
            let array = batch.column(*column);
            array.as_primitive::<Float64Type>().values().clone()
        };
        match self {
            Self::One(column, codec) => codec.read(batch.column(*column)),
            Self::Two(first, second) => Ok(Values::Pair(doubles(first), doubles(second))),
        }
    }
}

impl Values {
    /// Give the value of a row that is not null.
    #[inline]
    pub fn get(&self, row: usize) -> Value<'_> {
        match self {
            Self::Int(values) => Value::Int(values[row]),
            Self::Float(values) => Value::Float(values[row]),
            Self::Wide(values) => Value::Wide(values[row]),
            Self::Bytes(ends, data) => Value::Bytes(between(data, ends, row)),
            Self::Row(rows) => {
                // The lifetime of `data` is that of the rows, not of this `Row`.
                Value::Bytes(rows.row(row).data())
            }
            Self::Pair(first, second) => Value::Pair(first[row], second[row]),
        }
    }
}

#[allow(clippy::cast_sign_loss)] // offsets are not negative
fn between<'a>(data: &'a [u8], ends: &[i32], row: usize) -> &'a [u8] {
    &data[ends[row] as usize..ends[row + 1] as usize]
}

/// Give the rows in which arguments count: none is null there, and the filter is true. None: in all.
pub fn mask(
    batch: &RecordBatch,
    values: [Option<usize>; 2],
    filter: Option<usize>,
) -> Option<BooleanBuffer> {
    let valid = values
        .into_iter()
        .flatten()
        .filter_map(|column| batch.column(column).logical_nulls())
        .map(|nulls| nulls.inner().clone())
        .reduce(|first, second| &first & &second);
    let chosen = filter.map(|column| {
        let flags = batch.column(column).as_boolean();
        flags.nulls().map_or_else(
            || flags.values().clone(),
            |nulls| flags.values() & nulls.inner(),
        )
    });
    match (valid, chosen) {
        (Some(valid), Some(chosen)) => Some(&valid & &chosen),
        (valid, chosen) => valid.or(chosen),
    }
}

fn physical<T: ArrowNativeType>(array: &ArrayRef) -> ScalarBuffer<T> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

fn integers(array: &ArrayRef) -> ScalarBuffer<i64> {
    match array.data_type() {
        DataType::Boolean => array.as_boolean().values().iter().map(i64::from).collect(),
        DataType::Int8 => array
            .as_primitive::<Int8Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::Int16 => array
            .as_primitive::<Int16Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::Int32 => array
            .as_primitive::<Int32Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::UInt8 => array
            .as_primitive::<UInt8Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::UInt16 => array
            .as_primitive::<UInt16Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::UInt32 => array
            .as_primitive::<UInt32Type>()
            .values()
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        DataType::Date32 | DataType::Time32(_) => physical::<i32>(array)
            .iter()
            .map(|v| i64::from(*v))
            .collect(),
        _ => physical(array),
    }
}

fn has_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => true,
        DataType::List(item) | DataType::Map(item, _) => has_floats(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(field.data_type())),
        _ => false,
    }
}

/// Put the canonical value in place of each floating-point number inside a nested column.
fn canonical_array(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(canonical_float),
        ),
        DataType::Float32 => {
            let canonical = |value: f32| {
                if value.is_nan() {
                    f32::NAN
                } else {
                    value + 0.0
                }
            };
            Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(canonical),
            )
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let values = canonical_array(list.values())?;
            Arc::new(ListArray::try_new(
                Arc::clone(item),
                list.offsets().clone(),
                values,
                list.nulls().cloned(),
            )?)
        }
        DataType::Map(entries, sorted) => {
            let map = array.as_map();
            let inner: ArrayRef = Arc::new(map.entries().clone());
            let inner = canonical_array(&inner)?.as_struct().clone();
            Arc::new(MapArray::try_new(
                Arc::clone(entries),
                map.offsets().clone(),
                inner,
                map.nulls().cloned(),
                *sorted,
            )?)
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let structs = array.as_struct();
            let columns = structs
                .columns()
                .iter()
                .map(canonical_array)
                .collect::<Result<_>>()?;
            Arc::new(StructArray::try_new(
                fields.clone(),
                columns,
                structs.nulls().cloned(),
            )?)
        }
        _ => Arc::clone(array),
    })
}
