//! ROWS: how records lie in our own topics between the parts of a program. Any type goes.
//!
//! Four bytes checksum, then the columns of the row as `arrow_row` writes them. The checksum covers the type too, so that bytes
//! that are damaged, or were written for another type, are a fault of their record; reading them could not be trusted.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray, new_empty_array, new_null_array};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_row::{RowConverter, RowParser, SortField};
use arrow_schema::{DataType, Fields};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::batch::{self, Decoded, Encoded};
use crate::fault::{Fault, Unsupported};
use crate::projection::{self, Path};

const CHECKSUM: usize = 4;

/// Reads and writes values of one type. A struct is a record with its fields as columns.
pub struct Rows {
    data_type: DataType,
    converter: RowConverter,
    parser: RowParser,
    seed: u64,
    /// The bytes that stand for a row that is null or cannot be read, while a batch is decoded.
    absent: Vec<u8>,
}

impl Rows {
    pub fn new(data_type: &DataType) -> Result<Self, Unsupported> {
        let types = columns_of(data_type);
        let fields = types.iter().cloned().map(SortField::new).collect();
        let refused = |error| Unsupported::new(format!("ROWS cannot hold {data_type}: {error}"));
        let converter = RowConverter::new(fields).map_err(refused)?;
        let nulls: Vec<ArrayRef> = types
            .iter()
            .map(|data_type| new_null_array(data_type, 1))
            .collect();
        let absent = match nulls.as_slice() {
            [] => Vec::new(),
            nulls => converter
                .convert_columns(nulls)
                .map_err(refused)?
                .row(0)
                .data()
                .to_vec(),
        };
        let mut text = String::new();
        describe(data_type, &mut text);
        Ok(Self {
            data_type: data_type.clone(),
            parser: converter.parser(),
            converter,
            seed: xxh3_64(text.as_bytes()),
            absent,
        })
    }

    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    fn checksum(&self, row: &[u8]) -> [u8; CHECKSUM] {
        (xxh3_64_with_seed(row, self.seed) as u32).to_le_bytes()
    }

    /// Encode an array of `data_type`.
    pub fn encode(&self, values: &ArrayRef) -> Encoded {
        let columns = match values.data_type() {
            DataType::Struct(_) => values.as_struct().columns().to_vec(),
            _ => vec![Arc::clone(values)],
        };
        let rows = (!columns.is_empty()).then(|| {
            self.converter
                .convert_columns(&columns)
                .expect("columns of the type that was checked when made")
        });
        // The rows of the null type are null without saying so.
        let nulls = values.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        batch::encode(values.len(), 32, is_null, |row, out| {
            let bytes = rows.as_ref().map_or(&[][..], |rows| rows.row(row).data());
            out.extend_from_slice(&self.checksum(bytes));
            out.extend_from_slice(bytes);
            Ok(())
        })
    }

    /// Decode the parts that some paths lead to.
    pub fn decode(&self, data: &BinaryArray, paths: &[Path]) -> Result<Decoded, Unsupported> {
        let places: Vec<Vec<usize>> = paths
            .iter()
            .map(|path| projection::place(&self.data_type, path))
            .collect::<Result<_, _>>()?;
        let mut errors = Vec::new();
        let mut sound = Vec::with_capacity(data.len());
        let mut rows = Vec::with_capacity(data.len());
        for row in 0..data.len() {
            let bytes = data.is_valid(row).then(|| data.value(row));
            let found = bytes.and_then(|bytes| self.check(bytes));
            if bytes.is_some() && found.is_none() {
                errors.push((
                    row,
                    *Fault::new("the bytes are damaged, or of another type"),
                ));
            }
            sound.push(found.is_some());
            rows.push(self.parser.parse(found.unwrap_or(&self.absent)));
        }
        let length = data.len();
        let columns = match rows.is_empty() || columns_of(&self.data_type).is_empty() {
            true => columns_of(&self.data_type)
                .iter()
                .map(new_empty_array)
                .collect(),
            false => self
                .converter
                .convert_rows(rows)
                .map_err(|error| Unsupported::new(error.to_string()))?,
        };
        let root = self.root(columns, length, sound)?;
        let columns = places
            .iter()
            .map(|place| {
                place
                    .iter()
                    .fold(root.clone(), |at, child| at.child_data()[*child].clone())
            })
            .collect();
        Ok(Decoded { columns, errors })
    }

    /// Give the bytes of a row if they are what was written.
    fn check<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (checksum, row) = bytes.split_first_chunk::<CHECKSUM>()?;
        (self.checksum(row) == *checksum).then_some(row)
    }

    /// Put the columns together to an array of the whole type.
    fn root(
        &self,
        columns: Vec<ArrayRef>,
        length: usize,
        sound: Vec<bool>,
    ) -> Result<ArrayData, Unsupported> {
        if !matches!(self.data_type, DataType::Struct(_)) {
            return Ok(columns.into_iter().next().expect("one column").to_data());
        }
        let nulls = NullBuffer::from(sound);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        // Null rows have null fields, whatever the fields' own declaration says.
        ArrayData::builder(self.data_type.clone())
            .len(length)
            .nulls(nulls)
            .child_data(columns.iter().map(|column| column.to_data()).collect())
            .build()
            .map_err(|error| Unsupported::new(error.to_string()))
    }
}

fn columns_of(data_type: &DataType) -> Vec<DataType> {
    match data_type {
        DataType::Struct(fields) => fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect(),
        other => vec![other.clone()],
    }
}

/// Write what the bytes of a type depend on: the types of its parts and the names of the fields of structs.
fn describe(data_type: &DataType, out: &mut String) {
    let mut fields = |fields: &Fields| {
        out.push('{');
        for field in fields {
            let _ = write!(out, "{:?}:", field.name());
            describe(field.data_type(), out);
            out.push(',');
        }
        out.push('}');
    };
    match data_type {
        DataType::Struct(parts) => fields(parts),
        DataType::List(item) | DataType::Map(item, _) => {
            out.push(if matches!(data_type, DataType::List(_)) {
                'L'
            } else {
                'M'
            });
            describe(item.data_type(), out);
        }
        other => {
            let _ = write!(out, "{other:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringArray, StructArray, make_array};
    use arrow_schema::Field;

    use super::*;

    fn records() -> ArrayRef {
        let fields: Fields = vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
        ]
        .into();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])),
            Arc::new(StringArray::from(vec![Some("a"), Some(""), None])),
        ];
        let nulls = NullBuffer::from(vec![true, true, false]);
        Arc::new(StructArray::new(fields, columns, Some(nulls)))
    }

    #[test]
    fn rows_come_back() {
        let records = records();
        let rows = Rows::new(records.data_type()).unwrap();
        let encoded = rows.encode(&records);
        assert!(encoded.data.is_null(2));
        let decoded = rows.decode(&encoded.data, &[vec![]]).unwrap();
        assert!(decoded.errors.is_empty());
        assert_eq!(
            make_array(decoded.columns[0].clone()).as_ref(),
            records.as_ref()
        );
    }

    #[test]
    fn whatever_is_damaged_is_a_fault_of_its_record() {
        let records = records();
        let rows = Rows::new(records.data_type()).unwrap();
        let encoded = rows.encode(&records);
        let sound = encoded.data.value(0).to_vec();
        for length in 0..sound.len() {
            let data = BinaryArray::from_iter_values([&sound[..length], &sound[..]]);
            let decoded = rows.decode(&data, &[vec!["id".to_owned()]]).unwrap();
            assert_eq!(
                decoded
                    .errors
                    .iter()
                    .map(|(row, _)| *row)
                    .collect::<Vec<_>>(),
                [0]
            );
            let ids = make_array(decoded.columns[0].clone());
            assert!(ids.is_null(0) && ids.is_valid(1));
        }
        for place in 0..sound.len() * 8 {
            let mut damaged = sound.clone();
            damaged[place / 8] ^= 1 << (place % 8);
            let decoded = rows
                .decode(&BinaryArray::from_iter_values([damaged]), &[vec![]])
                .unwrap();
            assert_eq!(decoded.errors.len(), 1);
        }
    }

    #[test]
    fn another_type_is_a_fault() {
        let number: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        let encoded = Rows::new(&DataType::Int64).unwrap().encode(&number);
        let decoded = Rows::new(&DataType::UInt64)
            .unwrap()
            .decode(&encoded.data, &[vec![]])
            .unwrap();
        assert_eq!(decoded.errors.len(), 1);
    }
}
