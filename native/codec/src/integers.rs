//! Arrays of whole numbers, whatever their width.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_schema::{DataType, TimeUnit};

use crate::json::timestamps;

/// Integers of any width.
pub enum Integers<'a> {
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
}

impl<'a> Integers<'a> {
    pub fn of(array: &'a dyn Array) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Int8 => Self::I8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Self::I16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Self::I32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Self::I64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt8 => Self::U8(array.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Self::U16(array.as_primitive::<UInt16Type>().values()),
            DataType::UInt32 => Self::U32(array.as_primitive::<UInt32Type>().values()),
            DataType::Date32 => Self::I32(array.as_primitive::<Date32Type>().values()),
            DataType::Time32(TimeUnit::Millisecond) => {
                Self::I32(array.as_primitive::<Time32MillisecondType>().values())
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                Self::I64(array.as_primitive::<Time64MicrosecondType>().values())
            }
            DataType::Timestamp(unit, _) => Self::I64(timestamps(array, *unit)),
            _ => return None,
        })
    }

    /// Whether all values fit into 32 bits.
    pub fn narrow(&self) -> bool {
        !matches!(self, Self::I64(_) | Self::U32(_))
    }

    #[inline]
    pub fn get(&self, row: usize) -> i64 {
        match self {
            Self::I8(values) => i64::from(values[row]),
            Self::I16(values) => i64::from(values[row]),
            Self::I32(values) => i64::from(values[row]),
            Self::I64(values) => values[row],
            Self::U8(values) => i64::from(values[row]),
            Self::U16(values) => i64::from(values[row]),
            Self::U32(values) => i64::from(values[row]),
        }
    }
}
