//! The formats without structure: STRING, INT, LONG and BYTES, as Kafka's own serializers write them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, BinaryArray};
use arrow_schema::DataType;

use crate::batch::{self, Decoded, Encoded, Target};
use crate::column::Column;
use crate::fault::{Fault, Result, Unsupported};
use crate::projection::Path;
use crate::text;

/// How the bytes of a primitive value are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    /// UTF-8.
    String,
    /// Four bytes, big endian.
    Int,
    /// Eight bytes, big endian.
    Long,
    Bytes,
}

impl Primitive {
    pub fn named(name: &str) -> std::result::Result<Self, Unsupported> {
        match name {
            "STRING" => Ok(Self::String),
            "INT" => Ok(Self::Int),
            "LONG" => Ok(Self::Long),
            "BYTES" => Ok(Self::Bytes),
            _ => Err(Unsupported::new(format!(
                "`{name}` is not a primitive format"
            ))),
        }
    }

    pub fn data_type(self) -> DataType {
        match self {
            Self::String => DataType::Utf8,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Bytes => DataType::Binary,
        }
    }

    /// Decode; each path must be the whole value.
    pub fn decode(
        self,
        data: &BinaryArray,
        paths: &[Path],
    ) -> std::result::Result<Decoded, Unsupported> {
        let target = Target::new(&self.data_type(), paths)?;
        Ok(target.decode(data, |bytes, column| self.read(bytes, column)))
    }

    fn read(self, bytes: &[u8], column: &mut Column) -> Result<()> {
        match self {
            Self::String => {
                if std::str::from_utf8(bytes).is_err() {
                    return Err(Fault::new("not UTF-8"));
                }
                column.push_bytes(bytes)
            }
            Self::Bytes => column.push_bytes(bytes),
            Self::Int => {
                let bytes = bytes.try_into().map_err(|_| length(4, bytes.len()))?;
                text::push_i32(column, i32::from_be_bytes(bytes));
                Ok(())
            }
            Self::Long => {
                let bytes = bytes.try_into().map_err(|_| length(8, bytes.len()))?;
                text::push_i64(column, i64::from_be_bytes(bytes));
                Ok(())
            }
        }
    }

    /// Encode an array of `data_type`.
    pub fn encode(self, values: &dyn Array) -> Encoded {
        let is_null = |row: usize| values.is_null(row);
        match self {
            Self::String => {
                let array = values.as_string::<i32>();
                batch::encode(values.len(), 16, is_null, |row, out| {
                    out.extend_from_slice(array.value(row).as_bytes());
                    Ok(())
                })
            }
            Self::Bytes => {
                let array = values.as_binary::<i32>();
                batch::encode(values.len(), 16, is_null, |row, out| {
                    out.extend_from_slice(array.value(row));
                    Ok(())
                })
            }
            Self::Int => {
                let array = values.as_primitive::<Int32Type>();
                batch::encode(values.len(), 4, is_null, |row, out| {
                    out.extend_from_slice(&array.value(row).to_be_bytes());
                    Ok(())
                })
            }
            Self::Long => {
                let array = values.as_primitive::<Int64Type>();
                batch::encode(values.len(), 8, is_null, |row, out| {
                    out.extend_from_slice(&array.value(row).to_be_bytes());
                    Ok(())
                })
            }
        }
    }
}

fn length(expected: usize, found: usize) -> Box<Fault> {
    Fault::new(format!("{found} bytes where {expected} are expected"))
}
