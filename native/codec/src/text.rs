//! Scalars: what a leaf of a type is, and how it is read from text or from an integer.

use arrow_schema::{DataType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::column::{Column, Values, per_second};
use crate::decimal;
use crate::fault::{Fault, Result};
use crate::temporal;

/// The meaning of a type without parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    Bool,
    Integer,
    Float,
    Text,
    Binary,
    Decimal(u8, i8),
    Date,
    Time(TimeUnit),
    Timestamp(TimeUnit),
}

impl Scalar {
    pub fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Bool,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Integer,
            DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Utf8 => Self::Text,
            DataType::Binary => Self::Binary,
            DataType::Decimal128(precision, scale) => Self::Decimal(*precision, *scale),
            DataType::Date32 => Self::Date,
            DataType::Time32(unit) | DataType::Time64(unit) => Self::Time(*unit),
            DataType::Timestamp(unit, _) => Self::Timestamp(*unit),
            _ => return None,
        })
    }

    /// For messages: what is expected.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::Text => "text",
            Self::Binary => "base64 text",
            Self::Decimal(_, _) => "a decimal number",
            Self::Date => "a date",
            Self::Time(_) => "a time",
            Self::Timestamp(_) => "a timestamp",
        }
    }
}

/// Append an integer to an integer column of any width.
#[inline]
pub fn push_integer(column: &mut Column, value: i128) -> Result<()> {
    macro_rules! push {
        ($values:expr, $type:ty) => {
            $values.push(
                <$type>::try_from(value).map_err(|_| {
                    Fault::new(concat!("integer out of range of ", stringify!($type)))
                })?,
            )
        };
    }
    match &mut column.values {
        Values::I8(values) => push!(values, i8),
        Values::I16(values) => push!(values, i16),
        Values::I32(values) => push!(values, i32),
        Values::I64(values) => push!(values, i64),
        Values::U8(values) => push!(values, u8),
        Values::U16(values) => push!(values, u16),
        Values::U32(values) => push!(values, u32),
        Values::U64(values) => push!(values, u64),
        _ => unreachable!("the program fits the column"),
    }
    column.present();
    Ok(())
}

/// Append a decimal that has the scale of the column already.
#[inline]
pub fn push_decimal(column: &mut Column, value: i128) {
    let Values::I128(values) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    values.push(value);
    column.present();
}

#[inline]
pub fn push_bool(column: &mut Column, value: bool) {
    let Values::Bool(values) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    values.append(value);
    column.present();
}

#[inline]
pub fn push_i64(column: &mut Column, value: i64) {
    let Values::I64(values) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    values.push(value);
    column.present();
}

#[inline]
pub fn push_i32(column: &mut Column, value: i32) {
    let Values::I32(values) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    values.push(value);
    column.present();
}

#[inline]
pub fn push_f32(column: &mut Column, value: f32) -> Result<()> {
    let Values::F32(values) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    values.push(value);
    column.present();
    Ok(())
}

#[inline]
pub fn push_f64(column: &mut Column, value: f64) -> Result<()> {
    let Values::F64(values) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    values.push(value);
    column.present();
    Ok(())
}

/// Append a number that stands for a date (days), a time (milliseconds of the day) or a timestamp (epoch milliseconds).
pub fn push_temporal_integer(column: &mut Column, scalar: Scalar, value: i128) -> Result<()> {
    let out_of_range = || Fault::new(format!("number out of range of {}", scalar.name()));
    match scalar {
        Scalar::Date => {
            let days = i32::try_from(value).map_err(|_| out_of_range())?;
            push_i32(column, days);
        }
        Scalar::Time(unit) => {
            if !(0..86_400_000).contains(&value) {
                return Err(out_of_range());
            }
            push_time(column, value as i64 * per_second(unit) / 1_000, unit);
        }
        Scalar::Timestamp(unit) => {
            let value = value
                .checked_mul(i128::from(per_second(unit)))
                .map(|scaled| scaled.div_euclid(1_000))
                .and_then(|scaled| i64::try_from(scaled).ok())
                .ok_or_else(out_of_range)?;
            push_i64(column, value);
        }
        _ => unreachable!("only for dates and times"),
    }
    Ok(())
}

/// Append units since midnight to a time column, which is 32 or 64 bits wide by its unit.
pub fn push_time(column: &mut Column, value: i64, unit: TimeUnit) {
    match unit {
        TimeUnit::Second | TimeUnit::Millisecond => push_i32(column, value as i32),
        TimeUnit::Microsecond | TimeUnit::Nanosecond => push_i64(column, value),
    }
}

/// Append a finite number.
pub fn push_float_text(column: &mut Column, text: &[u8]) -> Result<()> {
    let wrong = || Fault::new("not a number");
    let text = std::str::from_utf8(text).map_err(|_| wrong())?;
    let too_large = || Fault::new("number out of range of a floating point number");
    match &mut column.values {
        Values::F64(values) => {
            let value: f64 = text.parse().map_err(|_| wrong())?;
            values.push(
                Some(value)
                    .filter(|v| v.is_finite())
                    .ok_or_else(too_large)?,
            );
        }
        Values::F32(values) => {
            let value: f32 = text.parse().map_err(|_| wrong())?;
            values.push(
                Some(value)
                    .filter(|v| v.is_finite())
                    .ok_or_else(too_large)?,
            );
        }
        _ => unreachable!("the program fits the column"),
    }
    column.present();
    Ok(())
}

/// Append a date, a time, a timestamp, a decimal or bytes that stand in text.
pub fn push_quoted(column: &mut Column, scalar: Scalar, text: &[u8]) -> Result<()> {
    match scalar {
        Scalar::Date => push_i32(column, temporal::parse_date(text)?),
        Scalar::Time(unit) => push_time(column, temporal::parse_time(text, unit)?, unit),
        Scalar::Timestamp(unit) => push_i64(column, temporal::parse_timestamp(text, unit)?),
        Scalar::Decimal(precision, scale) => {
            push_decimal(column, decimal::parse(text, precision, scale)?);
        }
        Scalar::Binary => {
            let Values::Bytes { data, .. } = &mut column.values else {
                unreachable!("the program fits the column");
            };
            STANDARD
                .decode_vec(text, data)
                .map_err(|_| Fault::new("not base64 text"))?;
            column.end_bytes()?;
        }
        _ => unreachable!("no other scalar is read from quoted text"),
    }
    Ok(())
}
