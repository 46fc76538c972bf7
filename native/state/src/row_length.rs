//! How long the bytes of a row are that stand at the beginning of longer ones.

use arrow_schema::DataType;

use crate::error::{Error, Result};

/// As `arrow_row` writes them: after the byte that says what follows, blocks of so many bytes, each with its end behind it.
const SMALL_BLOCK: usize = 8;
const SMALL_BLOCKS: usize = 4;
const BLOCK: usize = 32;
const GOES_ON: u8 = 0xff;
/// What follows the first byte of text and bytes.
const BLOCKS: u8 = 2;

/// Give the length of the row of these types that `bytes` begin with.
///
/// # Errors
/// A type whose length is not known here, or bytes that are no such row.
pub fn row_length(types: &[DataType], bytes: &[u8]) -> Result<usize> {
    let mut at = 0;
    for data_type in types {
        at += length(data_type, bytes.get(at..).ok_or_else(damaged)?)?;
    }
    if at <= bytes.len() {
        Ok(at)
    } else {
        Err(damaged())
    }
}

/// Whether [`row_length`] knows a type.
pub fn has_row_length(data_type: &DataType) -> bool {
    match data_type {
        DataType::Struct(fields) => fields.iter().all(|field| has_row_length(field.data_type())),
        other => is_varying(other) || width(other).is_some(),
    }
}

fn length(data_type: &DataType, bytes: &[u8]) -> Result<usize> {
    if let DataType::Struct(fields) = data_type {
        let types: Vec<_> = fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        return Ok(1 + row_length(&types, bytes.get(1..).ok_or_else(damaged)?)?);
    }
    if is_varying(data_type) {
        return varying(bytes);
    }
    match width(data_type) {
        Some(width) => Ok(1 + width),
        None => Err(Error::spec(format!("keys of {data_type} cannot be cut"))),
    }
}

fn is_varying(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary
    )
}

fn width(data_type: &DataType) -> Option<usize> {
    match data_type {
        DataType::Boolean => Some(1),
        DataType::FixedSizeBinary(width) => usize::try_from(*width).ok(),
        other => other.primitive_width(),
    }
}

fn varying(bytes: &[u8]) -> Result<usize> {
    if *bytes.first().ok_or_else(damaged)? != BLOCKS {
        return Ok(1);
    }
    let mut at = 1;
    for number in 0.. {
        at += if number < SMALL_BLOCKS {
            SMALL_BLOCK
        } else {
            BLOCK
        };
        let end = *bytes.get(at).ok_or_else(damaged)?;
        at += 1;
        if end != GOES_ON {
            break;
        }
    }
    Ok(at)
}

fn damaged() -> Error {
    Error::damaged("a key in the store is too short")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Int64Array, StringArray, StructArray,
    };
    use arrow_schema::Field;

    use super::*;
    use crate::rows::RowCodec;

    #[test]
    fn a_row_is_cut_off_from_what_follows() {
        let texts: Vec<Option<String>> = (0..80)
            .map(|length| (length != 3).then(|| "x".repeat(length)))
            .collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter(
            (0..80).map(|row| (row % 7 != 0).then_some(row)),
        ));
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(
            (0..80u8).map(|row| vec![0xff; usize::from(row)]),
        ));
        let truths: ArrayRef = Arc::new(BooleanArray::from_iter((0..80).map(|row| Some(row > 5))));
        let decimals: ArrayRef = Arc::new(Decimal128Array::from_iter_values(0..80));
        let nested: ArrayRef = Arc::new(StructArray::from(vec![
            (
                Arc::new(Field::new("a", DataType::Utf8, true)),
                Arc::clone(&texts),
            ),
            (
                Arc::new(Field::new("b", DataType::Int64, true)),
                Arc::clone(&numbers),
            ),
        ]));
        let columns = [numbers, texts, nested, bytes, truths, decimals];
        let types: Vec<_> = columns
            .iter()
            .map(|column| column.data_type().clone())
            .collect();
        assert!(types.iter().all(has_row_length));
        let rows = RowCodec::new(&types).unwrap().encode(&columns, 80).unwrap();
        for number in 0..80 {
            let row = rows.row(number);
            let longer = [row, &[2, 0xff, 0, 1]].concat();
            assert_eq!(
                row_length(&types, &longer).unwrap(),
                row.len(),
                "row {number}"
            );
            assert!(row_length(&types, &row[..row.len() - 1]).is_err());
        }
    }

    #[test]
    fn lists_are_not_cut() {
        let list = DataType::new_list(DataType::Int64, true);
        assert!(!has_row_length(&list));
        assert!(matches!(row_length(&[list], &[1, 2]), Err(Error::Spec(_))));
    }
}
