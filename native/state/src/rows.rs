//! Columns to row bytes and back. Row bytes of the same columns compare, byte by byte, as the rows do (nulls first), and none
//! is the beginning of another, so that they can be keys of a store, with more bytes after them.

use std::hash::Hasher;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_row::{RowConverter, RowParser, Rows, SortField};
use arrow_schema::{DataType, SchemaRef, SortOptions};
use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use crate::batch::LEADING;
use crate::error::Result;

/// Turns rows of some columns into bytes and back. Any type goes, nested ones too.
pub struct RowCodec {
    converter: RowConverter,
    parser: RowParser,
    types: Vec<DataType>,
}

impl RowCodec {
    /// # Errors
    /// A type that has no row bytes.
    pub fn new(types: &[DataType]) -> Result<Self> {
        Self::ordered(types, &vec![SortOptions::default(); types.len()])
    }

    /// As `new`, with an order of its own for each column: the bytes compare by it.
    pub fn ordered(types: &[DataType], options: &[SortOptions]) -> Result<Self> {
        let fields = types
            .iter()
            .zip(options)
            .map(|(data_type, options)| SortField::new_with_options(data_type.clone(), *options))
            .collect();
        let converter = RowConverter::new(fields)?;
        let parser = converter.parser();
        Ok(Self {
            converter,
            parser,
            types: types.to_vec(),
        })
    }

    /// The key columns of an input: `keys` columns after the four that every batch has.
    pub fn of_keys(schema: &SchemaRef, keys: usize) -> Result<Self> {
        Self::new(&types(schema, LEADING, LEADING + keys))
    }

    /// The columns of an input after its keys.
    pub fn of_values(schema: &SchemaRef, keys: usize) -> Result<Self> {
        Self::new(&types(schema, LEADING + keys, schema.fields().len()))
    }

    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Give the bytes of all rows. `rows` is only needed where there are no columns (each row then has no bytes).
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<RowBytes> {
        let encoded = match columns {
            [] => None,
            columns => Some(self.converter.convert_columns(columns)?),
        };
        Ok(RowBytes { encoded, rows })
    }

    /// Give the columns of rows, in the order given. The bytes must come from `encode` of the same types, or from a store.
    pub fn decode<'a>(&'a self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        if self.types.is_empty() {
            return Ok(Vec::new());
        }
        let rows = rows.into_iter().map(|bytes| self.parser.parse(bytes));
        Ok(self.converter.convert_rows(rows)?)
    }
}

fn types(schema: &SchemaRef, from: usize, to: usize) -> Vec<DataType> {
    schema.fields()[from..to]
        .iter()
        .map(|field| field.data_type().clone())
        .collect()
}

/// The bytes of the rows of a batch.
pub struct RowBytes {
    /// None: there are no columns.
    encoded: Option<Rows>,
    rows: usize,
}

impl RowBytes {
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub fn row(&self, row: usize) -> &[u8] {
        self.encoded
            .as_ref()
            .map_or(&[], |rows| rows.row(row).data())
    }
}

/// Turns key columns into the bytes by which rows are grouped, joined or told apart.
///
/// Numbers that are equal in SQL have equal bytes: -0.0 is 0.0, and every NaN is the same one.
pub struct KeyCodec {
    rows: RowCodec,
}

impl KeyCodec {
    /// The key columns of an input: `keys` columns after the four that every batch has.
    pub fn new(schema: &SchemaRef, keys: usize) -> Result<Self> {
        Ok(Self {
            rows: RowCodec::of_keys(schema, keys)?,
        })
    }

    /// Give the bytes and hashes of all keys, and which have only nulls or any null.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<Keys> {
        let columns: Vec<ArrayRef> = columns.iter().map(canonical).collect();
        let bytes = self.rows.encode(&columns, rows)?;
        let hashes = (0..rows).map(|row| hash(bytes.row(row))).collect();
        // Of each column; a column of the null type has nulls without saying so.
        let nulls: Vec<Option<NullBuffer>> = columns
            .iter()
            .map(|column| column.logical_nulls())
            .collect();
        let count = |row: usize| {
            let null = |nulls: &&Option<NullBuffer>| {
                nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
            };
            nulls.iter().filter(null).count()
        };
        let nullable = nulls.iter().flatten().any(|nulls| nulls.null_count() > 0);
        let (mut all_null, mut any_null) = (Vec::new(), Vec::new());
        if nullable {
            all_null.extend((0..rows).map(|row| count(row) == columns.len()));
            any_null.extend((0..rows).map(|row| count(row) > 0));
        }
        Ok(Keys {
            bytes,
            hashes,
            all_null,
            any_null,
        })
    }

    /// Give the key columns of bytes, in the order given.
    pub fn decode<'a>(&'a self, keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        self.rows.decode(keys)
    }
}

/// The keys of the rows of a batch.
pub struct Keys {
    bytes: RowBytes,
    hashes: Vec<u64>,
    /// Empty where no column has a null.
    all_null: Vec<bool>,
    any_null: Vec<bool>,
}

impl Keys {
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub fn key(&self, row: usize) -> &[u8] {
        self.bytes.row(row)
    }

    /// The hash of the key, for [`crate::table::StateTable`].
    pub fn hash(&self, row: usize) -> u64 {
        self.hashes[row]
    }

    /// Whether there are key columns and all of them are null: no group has such a key.
    pub fn all_null(&self, row: usize) -> bool {
        self.all_null.get(row).copied().unwrap_or(false)
    }

    /// Let keys of nothing but nulls be keys like others.
    pub fn keep_nulls(&mut self) {
        self.all_null.clear();
    }

    /// Whether a key column is null: such a key matches no other.
    pub fn any_null(&self, row: usize) -> bool {
        self.any_null.get(row).copied().unwrap_or(false)
    }
}

/// Give a column whose equal numbers have equal bits.
fn canonical(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        // Adding zero turns -0.0 into 0.0 and nothing else into anything else.
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|number| {
                    if number.is_nan() {
                        f64::NAN
                    } else {
                        number + 0.0
                    }
                }),
        ),
        DataType::Float32 => Arc::new(
            column
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|number| {
                    if number.is_nan() {
                        f32::NAN
                    } else {
                        number + 0.0
                    }
                }),
        ),
        _ => Arc::clone(column),
    }
}

/// Hash the bytes of a key for [`crate::table::StateTable`]. Other in each process, so that nobody can choose keys that all
/// fall together: no result may depend on it.
pub fn hash(key: &[u8]) -> u64 {
    let mut hasher = FoldHasher::with_seed(0, SharedSeed::global_random());
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Float64Array, Int64Array, NullArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn keys(columns: &[ArrayRef]) -> Keys {
        let leading = [
            ("_partition", DataType::Int32),
            ("_seq", DataType::Int64),
            ("_time", DataType::Int64),
            ("_op", DataType::Int8),
        ];
        let mut fields: Vec<Field> = leading
            .into_iter()
            .map(|(name, data_type)| Field::new(name, data_type, false))
            .collect();
        fields.extend(
            columns
                .iter()
                .map(|column| Field::new("k", column.data_type().clone(), true)),
        );
        let codec = KeyCodec::new(&Arc::new(Schema::new(fields)), columns.len()).unwrap();
        codec
            .encode(columns, columns.first().map_or(2, |column| column.len()))
            .unwrap()
    }

    #[test]
    fn equal_numbers_are_equal_keys() {
        let numbers = [0.0, -0.0, f64::NAN, -f64::NAN, 1.0];
        let keys = keys(&[Arc::new(Float64Array::from(numbers.to_vec()))]);
        assert_eq!((keys.key(0), keys.hash(0)), (keys.key(1), keys.hash(1)));
        assert_eq!(keys.key(2), keys.key(3));
        assert_ne!(keys.key(0), keys.key(4));
    }

    #[test]
    fn nulls_of_a_key() {
        let keys = keys(&[
            Arc::new(Int64Array::from(vec![Some(1), None])),
            Arc::new(NullArray::new(2)),
        ]);
        assert_eq!([keys.all_null(0), keys.all_null(1)], [false, true]);
        assert_eq!([keys.any_null(0), keys.any_null(1)], [true, true]);
    }

    #[test]
    fn without_columns_all_keys_are_one_and_not_null() {
        let keys = keys(&[]);
        assert_eq!(
            (keys.key(0), keys.all_null(0), keys.any_null(1)),
            (&b""[..], false, false)
        );
        assert_eq!(keys.hash(0), keys.hash(1));
    }
}
