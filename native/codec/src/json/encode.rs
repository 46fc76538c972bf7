//! Columns into JSON text.

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::batch::{self, Encoded};
use crate::column::per_second;
use crate::decimal;
use crate::fault::{Fault, Result, Unsupported};
use crate::temporal;
use crate::text::Scalar;

/// Encodes arrays of one type.
pub struct Encoder {
    shape: Shape,
    size_hint: usize,
}

/// What does not change from batch to batch: names, escaped.
enum Shape {
    Leaf,
    List(Box<Shape>),
    Map(Box<Shape>),
    /// What stands before each value: `{"a":` or `,"b":`.
    Struct(Vec<(Vec<u8>, String, Shape)>),
}

impl Encoder {
    pub fn new(data_type: &DataType) -> std::result::Result<Self, Unsupported> {
        Ok(Self {
            shape: Shape::of(data_type)?,
            size_hint: 64,
        })
    }

    /// Encode the rows of an array of the encoder's type.
    pub fn encode(&mut self, values: &dyn Array) -> Encoded {
        let writer = Writer::of(&self.shape, values);
        let encoded = batch::encode(
            values.len(),
            self.size_hint,
            |row| values.is_null(row),
            |row, out| writer.value(row, out),
        );
        if !values.is_empty() {
            self.size_hint = encoded.data.value_data().len() / values.len() + 8;
        }
        encoded
    }
}

impl Shape {
    fn of(data_type: &DataType) -> std::result::Result<Self, Unsupported> {
        Ok(match data_type {
            DataType::Null => Self::Leaf,
            DataType::List(item) => Self::List(Box::new(Self::of(item.data_type())?)),
            DataType::Map(entries, _) => {
                let DataType::Struct(parts) = entries.data_type() else {
                    unreachable!("a map's entries are a struct");
                };
                if parts[0].data_type() != &DataType::Utf8 {
                    return Err(Unsupported::new("JSON has only maps with text as keys"));
                }
                Self::Map(Box::new(Self::of(parts[1].data_type())?))
            }
            DataType::Struct(fields) => {
                let mut members = Vec::with_capacity(fields.len());
                for field in fields {
                    let mut prefix = vec![if members.is_empty() { b'{' } else { b',' }];
                    text(field.name().as_bytes(), &mut prefix);
                    prefix.push(b':');
                    members.push((prefix, field.name().clone(), Self::of(field.data_type())?));
                }
                Self::Struct(members)
            }
            other if Scalar::of(other).is_some() => Self::Leaf,
            other => return Err(Unsupported::new(format!("JSON has no type {other}"))),
        })
    }
}

/// The arrays of one batch.
enum Writer<'a> {
    Null,
    Bool(&'a BooleanArray),
    I8(&'a Int8Array),
    I16(&'a Int16Array),
    I32(&'a Int32Array),
    I64(&'a Int64Array),
    U8(&'a UInt8Array),
    U16(&'a UInt16Array),
    U32(&'a UInt32Array),
    U64(&'a UInt64Array),
    F32(&'a Float32Array),
    F64(&'a Float64Array),
    Text(&'a StringArray),
    Binary(&'a BinaryArray),
    Decimal(&'a Decimal128Array, i8),
    Date(&'a Date32Array),
    Time32(&'a [i32], &'a dyn Array, TimeUnit),
    Time64(&'a [i64], &'a dyn Array, TimeUnit),
    Timestamp(&'a [i64], &'a dyn Array, TimeUnit),
    List(&'a ListArray, Box<Writer<'a>>),
    Map(&'a MapArray, &'a StringArray, Box<Writer<'a>>),
    Struct(&'a StructArray, Vec<(&'a [u8], &'a str, Writer<'a>)>),
}

impl<'a> Writer<'a> {
    fn of(shape: &'a Shape, array: &'a dyn Array) -> Self {
        match (array.data_type(), shape) {
            (DataType::Boolean, _) => Self::Bool(array.as_boolean()),
            (DataType::Int8, _) => Self::I8(array.as_primitive()),
            (DataType::Int16, _) => Self::I16(array.as_primitive()),
            (DataType::Int32, _) => Self::I32(array.as_primitive()),
            (DataType::Int64, _) => Self::I64(array.as_primitive()),
            (DataType::UInt8, _) => Self::U8(array.as_primitive()),
            (DataType::UInt16, _) => Self::U16(array.as_primitive()),
            (DataType::UInt32, _) => Self::U32(array.as_primitive()),
            (DataType::UInt64, _) => Self::U64(array.as_primitive()),
            (DataType::Float32, _) => Self::F32(array.as_primitive()),
            (DataType::Float64, _) => Self::F64(array.as_primitive()),
            (DataType::Utf8, _) => Self::Text(array.as_string()),
            (DataType::Binary, _) => Self::Binary(array.as_binary()),
            (DataType::Decimal128(_, scale), _) => Self::Decimal(array.as_primitive(), *scale),
            (DataType::Date32, _) => Self::Date(array.as_primitive()),
            (DataType::Time32(unit), _) => Self::Time32(values32(array, *unit), array, *unit),
            (DataType::Time64(unit), _) => Self::Time64(values64(array, *unit), array, *unit),
            (DataType::Timestamp(unit, _), _) => {
                Self::Timestamp(timestamps(array, *unit), array, *unit)
            }
            (DataType::List(_), Shape::List(item)) => {
                let array = array.as_list::<i32>();
                Self::List(array, Box::new(Self::of(item, array.values())))
            }
            (DataType::Map(_, _), Shape::Map(value)) => {
                let array = array.as_map();
                Self::Map(
                    array,
                    array.keys().as_string(),
                    Box::new(Self::of(value, array.values())),
                )
            }
            (DataType::Struct(_), Shape::Struct(members)) => {
                let array = array.as_struct();
                let children = members
                    .iter()
                    .zip(array.columns())
                    .map(|((prefix, name, shape), child)| {
                        (&prefix[..], &name[..], Self::of(shape, child))
                    })
                    .collect();
                Self::Struct(array, children)
            }
            _ => Self::Null,
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(array) => array.is_null(row),
            Self::I8(array) => array.is_null(row),
            Self::I16(array) => array.is_null(row),
            Self::I32(array) => array.is_null(row),
            Self::I64(array) => array.is_null(row),
            Self::U8(array) => array.is_null(row),
            Self::U16(array) => array.is_null(row),
            Self::U32(array) => array.is_null(row),
            Self::U64(array) => array.is_null(row),
            Self::F32(array) => array.is_null(row),
            Self::F64(array) => array.is_null(row),
            Self::Text(array) => array.is_null(row),
            Self::Binary(array) => array.is_null(row),
            Self::Decimal(array, _) => array.is_null(row),
            Self::Date(array) => array.is_null(row),
            Self::Time32(_, array, _)
            | Self::Time64(_, array, _)
            | Self::Timestamp(_, array, _) => array.is_null(row),
            Self::List(array, _) => array.is_null(row),
            Self::Map(array, _, _) => array.is_null(row),
            Self::Struct(array, _) => array.is_null(row),
        }
    }

    fn value(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if self.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(array) => {
                out.extend_from_slice(if array.value(row) { b"true" } else { b"false" })
            }
            Self::I8(array) => integer(array.value(row), out),
            Self::I16(array) => integer(array.value(row), out),
            Self::I32(array) => integer(array.value(row), out),
            Self::I64(array) => integer(array.value(row), out),
            Self::U8(array) => integer(array.value(row), out),
            Self::U16(array) => integer(array.value(row), out),
            Self::U32(array) => integer(array.value(row), out),
            Self::U64(array) => integer(array.value(row), out),
            Self::F32(array) => float(array.value(row), out)?,
            Self::F64(array) => float(array.value(row), out)?,
            Self::Text(array) => text(array.value(row).as_bytes(), out),
            Self::Binary(array) => {
                out.push(b'"');
                out.extend_from_slice(STANDARD.encode(array.value(row)).as_bytes());
                out.push(b'"');
            }
            Self::Decimal(array, scale) => decimal::format(array.value(row), *scale, out),
            Self::Date(array) => {
                out.push(b'"');
                temporal::format_date(array.value(row), out);
                out.push(b'"');
            }
            Self::Time32(values, _, unit) => time(i64::from(values[row]), *unit, out)?,
            Self::Time64(values, _, unit) => time(values[row], *unit, out)?,
            Self::Timestamp(values, _, unit) => integer(epoch_millis(values[row], *unit)?, out),
            Self::List(array, item) => {
                let offsets = array.value_offsets();
                out.push(b'[');
                for (index, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.value(at as usize, out)?;
                }
                out.push(b']');
            }
            Self::Map(array, keys, value) => {
                let offsets = array.value_offsets();
                out.push(b'{');
                for (index, at) in (offsets[row]..offsets[row + 1]).enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    text(keys.value(at as usize).as_bytes(), out);
                    out.push(b':');
                    value.value(at as usize, out)?;
                }
                out.push(b'}');
            }
            Self::Struct(_, members) => {
                if members.is_empty() {
                    out.push(b'{');
                }
                for (prefix, name, writer) in members {
                    out.extend_from_slice(prefix);
                    writer.value(row, out).map_err(|fault| fault.within(name))?;
                }
                out.push(b'}');
            }
        }
        Ok(())
    }
}

fn values32(array: &dyn Array, unit: TimeUnit) -> &[i32] {
    match unit {
        TimeUnit::Second => array.as_primitive::<Time32SecondType>().values(),
        _ => array.as_primitive::<Time32MillisecondType>().values(),
    }
}

fn values64(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Microsecond => array.as_primitive::<Time64MicrosecondType>().values(),
        _ => array.as_primitive::<Time64NanosecondType>().values(),
    }
}

/// The numbers of a timestamp array of any unit.
pub(crate) fn timestamps(array: &dyn Array, unit: TimeUnit) -> &[i64] {
    match unit {
        TimeUnit::Second => array.as_primitive::<TimestampSecondType>().values(),
        TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().values(),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().values(),
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().values(),
    }
}

/// Milliseconds since the epoch, cut off towards the past.
fn epoch_millis(value: i64, unit: TimeUnit) -> Result<i64> {
    match unit {
        TimeUnit::Second => value
            .checked_mul(1_000)
            .ok_or_else(|| Fault::new("timestamp out of range")),
        _ => Ok(value.div_euclid(per_second(unit) / 1_000)),
    }
}

fn time(value: i64, unit: TimeUnit, out: &mut Vec<u8>) -> Result<()> {
    if !(0..86_400 * per_second(unit)).contains(&value) {
        return Err(Fault::new("time out of range"));
    }
    out.push(b'"');
    temporal::format_time(value, unit, out);
    out.push(b'"');
    Ok(())
}

#[inline]
fn integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[inline]
fn float(value: impl zmij::Float + Into<f64> + Copy, out: &mut Vec<u8>) -> Result<()> {
    if !Into::<f64>::into(value).is_finite() {
        return Err(Fault::new("JSON has no NaN and no infinity"));
    }
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    Ok(())
}

/// Append a string with its quotes.
fn text(value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut start = 0;
    for (at, byte) in value.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&value[start..at]);
        start = at + 1;
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&value[start..]);
    out.push(b'"');
}
