//! Single values, as conditions compare them.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::error::{Error, Result};

use super::spec::Literal;

/// A value. Only values of one kind are compared: the planner brings them to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    /// A whole number; also a time in the unit of its type.
    Int(i64),
    Float(f64),
    /// All digits; how many of them stand behind the point is known to the planner.
    Decimal(i128),
    Bytes(Arc<[u8]>),
}

impl Cell {
    pub fn of(literal: &Literal) -> Result<Self> {
        Ok(match literal {
            Literal::Null => Self::Null,
            Literal::Bool(value) => Self::Bool(*value),
            Literal::Int(value) => Self::Int(*value),
            Literal::Float(value) => Self::Float(*value),
            Literal::Decimal(digits) => Self::Decimal(
                digits
                    .parse()
                    .map_err(|_| Error::spec("a decimal number has other than digits"))?,
            ),
            Literal::Text(text) => Self::Bytes(text.as_bytes().into()),
        })
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// Compare with a value of the same kind; None: one of them is null.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        Some(match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Int(left), Self::Int(right)) => left.cmp(right),
            (Self::Float(left), Self::Float(right)) => floats(*left, *right),
            (Self::Decimal(left), Self::Decimal(right)) => left.cmp(right),
            (Self::Bytes(left), Self::Bytes(right)) => left.cmp(right),
            _ => return None,
        })
    }

    /// Give a number as a floating one.
    pub fn float(&self, scale: u32) -> Self {
        match self {
            Self::Int(value) => Self::Float(*value as f64),
            Self::Decimal(digits) => Self::Float(*digits as f64 / 10f64.powi(scale as i32)),
            other => other.clone(),
        }
    }

    /// Give a number with so many more digits behind the point.
    pub fn decimal(&self, digits: u32) -> Self {
        let value = match self {
            Self::Int(value) => i128::from(*value),
            Self::Decimal(value) => *value,
            _ => return Self::Null,
        };
        10i128
            .checked_pow(digits)
            .and_then(|factor| value.checked_mul(factor))
            .map_or(Self::Null, Self::Decimal)
    }
}

/// As DuckDB has it: a NaN is equal to itself and above all else.
fn floats(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right)
        .unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

/// Whether conditions can look at columns of a type.
pub fn is_readable(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Utf8
            | DataType::Binary
            | DataType::Date32
            | DataType::Timestamp(..)
            | DataType::Null
    )
}

/// Read a value of a column whose type `is_readable`.
pub fn cell(column: &ArrayRef, row: usize) -> Result<Cell> {
    if column.is_null(row) {
        return Ok(Cell::Null);
    }
    Ok(match column.data_type() {
        DataType::Boolean => Cell::Bool(column.as_boolean().value(row)),
        DataType::Int8 => Cell::Int(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Cell::Int(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Cell::Int(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Cell::Int(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Cell::Int(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Cell::Int(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Cell::Int(column.as_primitive::<UInt32Type>().value(row).into()),
        DataType::Float32 => Cell::Float(column.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => Cell::Float(column.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => {
            Cell::Decimal(column.as_primitive::<Decimal128Type>().value(row))
        }
        DataType::Utf8 => Cell::Bytes(column.as_string::<i32>().value(row).as_bytes().into()),
        DataType::Binary => Cell::Bytes(column.as_binary::<i32>().value(row).into()),
        DataType::Date32 => Cell::Int(column.as_primitive::<Date32Type>().value(row).into()),
        DataType::Timestamp(..) => {
            // All units are one 64-bit number.
            let data = column.to_data();
            Cell::Int(data.buffer::<i64>(0)[row])
        }
        DataType::Null => Cell::Null,
        other => {
            return Err(Error::spec(format!(
                "no condition can look at a column of type {other}"
            )));
        }
    })
}
