//! Columns into Avro values in the registry's framing.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::*;
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;

use super::default::put_default;
use super::schema::{Kind, Logical, Record, Result, Schema, branch_columns};
use super::wire::{put_bytes, put_long};
use crate::batch::{self, Encoded};
use crate::column::per_second;
use crate::decimal;
use crate::fault::{self, Fault, Unsupported};
use crate::integers::Integers;
use crate::json::timestamps;

/// Encodes arrays of one type with one schema.
pub struct Encoder {
    schema: Schema,
    head: [u8; 5],
    size_hint: usize,
}

impl Encoder {
    pub fn new(schema: &str, id: u32, data_type: &DataType) -> Result<Self> {
        let schema = Schema::parse(schema)?;
        Writer::of(&schema, new_empty_array(data_type).as_ref())?;
        let [a, b, c, d] = id.to_be_bytes();
        Ok(Self {
            schema,
            head: [0, a, b, c, d],
            size_hint: 32,
        })
    }

    /// Encode the rows of an array of the encoder's type; a null row stays null, it is not the schema's null.
    pub fn encode(&mut self, values: &dyn Array) -> Result<Encoded> {
        let writer = Writer::of(&self.schema, values)?;
        let head = self.head;
        let encoded = batch::encode(
            values.len(),
            self.size_hint,
            |row| values.is_null(row),
            |row, out| {
                out.extend_from_slice(&head);
                writer.put(row, out)
            },
        );
        if !values.is_empty() {
            self.size_hint = encoded.data.value_data().len() / values.len() + 4;
        }
        Ok(encoded)
    }
}

/// The arrays of one batch beside the schema. `nulls` of a value is looked at by whoever holds it.
struct Writer<'a> {
    nulls: Option<&'a NullBuffer>,
    form: Form<'a>,
}

enum Form<'a> {
    Null,
    Bool(&'a BooleanArray),
    Integer(Integers<'a>),
    /// Units of time: times the first number, then divided by the second and rounded down.
    Time(&'a [i64], i64, i64),
    Float(&'a Float32Array),
    FloatAsDouble(&'a Float32Array),
    Double(&'a Float64Array),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Fixed(&'a BinaryArray, usize),
    Uuid(&'a StringArray),
    Enum(&'a StringArray, HashMap<&'a str, i64>),
    Decimal {
        values: &'a Decimal128Array,
        from: i8,
        to: i8,
        precision: u8,
        size: Option<usize>,
    },
    Nullable {
        null: u8,
        value: u8,
        inner: Box<Writer<'a>>,
    },
    /// A struct with a child for each branch that is not null.
    Union {
        null: Option<i64>,
        branches: Vec<(i64, Writer<'a>)>,
    },
    List(&'a ListArray, Box<Writer<'a>>),
    Map(&'a MapArray, &'a StringArray, Box<Writer<'a>>),
    Record(Vec<Member<'a>>),
}

enum Member<'a> {
    Value(&'a str, Writer<'a>),
    Default(Vec<u8>),
}

impl<'a> Writer<'a> {
    fn of(schema: &'a Schema, array: &'a dyn Array) -> Result<Self> {
        let form = match &schema.kind {
            Kind::Union(branches) => Self::union(branches, array)?,
            Kind::Record(record) => Self::record(record, array)?,
            _ => Self::form(schema, array)?,
        };
        Ok(Self {
            nulls: array.nulls(),
            form,
        })
    }

    fn form(schema: &'a Schema, array: &'a dyn Array) -> Result<Form<'a>> {
        let unfit = || {
            Unsupported::new(format!(
                "type {} does not fit Avro {}",
                array.data_type(),
                schema.branch_name()
            ))
        };
        Ok(match (&schema.kind, array.data_type()) {
            (Kind::Null, DataType::Null) => Form::Null,
            (Kind::Boolean, DataType::Boolean) => Form::Bool(array.as_boolean()),
            (Kind::Long, DataType::Timestamp(unit, _)) => {
                let to = match schema.logical {
                    Some(Logical::Timestamp(to)) => to,
                    _ => *unit,
                };
                let (from, to) = (per_second(*unit), per_second(to));
                Form::Time(
                    timestamps(array, *unit),
                    (to / from).max(1),
                    (from / to).max(1),
                )
            }
            (Kind::Int | Kind::Long, _) => {
                let integers = Integers::of(array).ok_or_else(unfit)?;
                if matches!(schema.kind, Kind::Int) && !integers.narrow() {
                    return Err(unfit());
                }
                Form::Integer(integers)
            }
            (Kind::Float, DataType::Float32) => Form::Float(array.as_primitive()),
            (Kind::Double, DataType::Float32) => Form::FloatAsDouble(array.as_primitive()),
            (Kind::Double, DataType::Float64) => Form::Double(array.as_primitive()),
            (Kind::String | Kind::Bytes, DataType::Utf8) => Form::Text(array.as_string()),
            (Kind::Bytes | Kind::Fixed(_), DataType::Decimal128(_, from)) => {
                let Some(Logical::Decimal(precision, to)) = schema.logical else {
                    return Err(unfit());
                };
                Form::Decimal {
                    values: array.as_primitive(),
                    from: *from,
                    to,
                    precision,
                    size: match &schema.kind {
                        Kind::Fixed(fixed) => Some(fixed.size),
                        _ => None,
                    },
                }
            }
            (Kind::Bytes, DataType::Binary) => Form::Bytes(array.as_binary()),
            (Kind::Fixed(fixed), DataType::Binary) => Form::Fixed(array.as_binary(), fixed.size),
            (Kind::Fixed(_), DataType::Utf8) if schema.logical == Some(Logical::Uuid) => {
                Form::Uuid(array.as_string())
            }
            (Kind::Enum(one), DataType::Utf8) => {
                let symbols = one.symbols.iter().enumerate();
                Form::Enum(
                    array.as_string(),
                    symbols
                        .map(|(index, symbol)| (&symbol[..], index as i64))
                        .collect(),
                )
            }
            (Kind::Array(item), DataType::List(_)) => {
                let array = array.as_list::<i32>();
                Form::List(array, Box::new(Self::of(item, array.values())?))
            }
            (Kind::Map(value), DataType::Map(entries, _)) => {
                if !matches!(entries.data_type(), DataType::Struct(parts) if parts[0].data_type() == &DataType::Utf8)
                {
                    return Err(Unsupported::new("Avro has only maps with text as keys"));
                }
                let array = array.as_map();
                Form::Map(
                    array,
                    array.keys().as_string(),
                    Box::new(Self::of(value, array.values())?),
                )
            }
            _ => return Err(unfit()),
        })
    }

    fn union(branches: &'a [Schema], array: &'a dyn Array) -> Result<Form<'a>> {
        let null = branches.iter().position(Schema::is_null);
        let columns = branch_columns(branches);
        if let [(index, _)] = columns[..] {
            let inner = Box::new(Self::of(&branches[index], array)?);
            return Ok(match null {
                // A union of two has the indexes 0 and 1, which are the bytes 0 and 2.
                Some(null) => Form::Nullable {
                    null: null as u8 * 2,
                    value: index as u8 * 2,
                    inner,
                },
                None => Form::Union {
                    null: None,
                    branches: vec![(index as i64, *inner)],
                },
            });
        }
        let DataType::Struct(fields) = array.data_type() else {
            return Err(Unsupported::new(format!(
                "type {} does not fit a union of several types",
                array.data_type()
            )));
        };
        for field in fields {
            if !columns.iter().any(|(_, name)| name == field.name()) {
                return Err(Unsupported::new(format!(
                    "the union has no branch `{}`",
                    field.name()
                )));
            }
        }
        let parts = array.as_struct();
        let mut writers = Vec::new();
        for (index, name) in columns {
            if let Some((child, _)) = fields.find(&name) {
                let writer = Self::of(&branches[index], parts.column(child))?;
                writers.push((index as i64, writer));
            }
        }
        Ok(Form::Union {
            null: null.map(|null| null as i64),
            branches: writers,
        })
    }

    fn record(record: &'a Record, array: &'a dyn Array) -> Result<Form<'a>> {
        let DataType::Struct(fields) = array.data_type() else {
            return Err(Unsupported::new(format!(
                "type {} does not fit the record `{}`",
                array.data_type(),
                record.name.full
            )));
        };
        for field in fields {
            if !record
                .fields
                .iter()
                .any(|other| other.name == *field.name())
            {
                return Err(Unsupported::new(format!(
                    "the schema has no field `{}`",
                    field.name()
                )));
            }
        }
        let parts = array.as_struct();
        let mut members = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let within =
                |error: Unsupported| Unsupported::new(format!("field `{}`: {error}", field.name));
            members.push(match (fields.find(&field.name), &field.default) {
                (Some((child, _)), _) => Member::Value(
                    &field.name,
                    Self::of(&field.schema, parts.column(child)).map_err(within)?,
                ),
                (None, Some(default)) => {
                    let mut bytes = Vec::new();
                    put_default(&field.schema, default, &mut bytes).map_err(within)?;
                    Member::Default(bytes)
                }
                (None, None) => {
                    return Err(Unsupported::new(format!(
                        "the schema wants the field `{}`, which has no default",
                        field.name
                    )));
                }
            });
        }
        Ok(Form::Record(members))
    }

    #[inline]
    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Append one value; null only where the schema has it.
    fn put(&self, row: usize, out: &mut Vec<u8>) -> fault::Result<()> {
        if self.is_null(row) {
            return self.put_null(out);
        }
        match &self.form {
            Form::Null => {}
            Form::Bool(array) => out.push(u8::from(array.value(row))),
            Form::Integer(values) => put_long(values.get(row), out),
            Form::Time(values, factor, divisor) => {
                let value = values[row]
                    .checked_mul(*factor)
                    .ok_or_else(|| Fault::new("timestamp out of range"))?;
                put_long(value.div_euclid(*divisor), out);
            }
            Form::Float(array) => out.extend_from_slice(&array.value(row).to_le_bytes()),
            Form::FloatAsDouble(array) => {
                out.extend_from_slice(&f64::from(array.value(row)).to_le_bytes());
            }
            Form::Double(array) => out.extend_from_slice(&array.value(row).to_le_bytes()),
            Form::Text(array) => put_bytes(array.value(row).as_bytes(), out),
            Form::Bytes(array) => put_bytes(array.value(row), out),
            Form::Fixed(array, size) => {
                let value = array.value(row);
                if value.len() != *size {
                    return Err(Fault::new(format!(
                        "{} bytes where the schema wants {size}",
                        value.len()
                    )));
                }
                out.extend_from_slice(value);
            }
            Form::Uuid(array) => put_uuid(array.value(row), out)?,
            Form::Enum(array, symbols) => {
                let index = symbols
                    .get(array.value(row))
                    .ok_or_else(|| Fault::new("text that is no symbol of the enum"))?;
                put_long(*index, out);
            }
            Form::Decimal {
                values,
                from,
                to,
                precision,
                size,
            } => {
                let value = decimal::rescale(values.value(row), *from, *to, *precision)?;
                put_decimal(value, *size, out)?;
            }
            Form::Nullable { value, inner, .. } => {
                out.push(*value);
                inner.put(row, out)?;
            }
            Form::Union { branches, .. } => {
                let mut set = branches.iter().filter(|(_, one)| {
                    // A union of one type has no struct around it.
                    branches.len() == 1 || !one.is_null(row)
                });
                let (index, writer) = set
                    .next()
                    .ok_or_else(|| Fault::new("no branch of the union is set"))?;
                if set.next().is_some() {
                    return Err(Fault::new("more than one branch of the union is set"));
                }
                put_long(*index, out);
                writer.put(row, out)?;
            }
            Form::List(array, item) => {
                let offsets = array.value_offsets();
                let items = offsets[row] as usize..offsets[row + 1] as usize;
                if !items.is_empty() {
                    put_long(items.len() as i64, out);
                    for at in items {
                        item.put(at, out)?;
                    }
                }
                out.push(0);
            }
            Form::Map(array, keys, value) => {
                let offsets = array.value_offsets();
                let entries = offsets[row] as usize..offsets[row + 1] as usize;
                if !entries.is_empty() {
                    put_long(entries.len() as i64, out);
                    for at in entries {
                        put_bytes(keys.value(at).as_bytes(), out);
                        value.put(at, out)?;
                    }
                }
                out.push(0);
            }
            Form::Record(members) => {
                for member in members {
                    match member {
                        Member::Value(name, writer) => {
                            writer.put(row, out).map_err(|fault| fault.within(name))?;
                        }
                        Member::Default(bytes) => out.extend_from_slice(bytes),
                    }
                }
            }
        }
        Ok(())
    }

    fn put_null(&self, out: &mut Vec<u8>) -> fault::Result<()> {
        match &self.form {
            Form::Null => {}
            Form::Nullable { null, .. } => out.push(*null),
            Form::Union {
                null: Some(null), ..
            } => put_long(*null, out),
            _ => return Err(Fault::new("null where the schema has no null")),
        }
        Ok(())
    }
}

/// Append the shortest two's complement form, or the form of a fixed size.
fn put_decimal(value: i128, size: Option<usize>, out: &mut Vec<u8>) -> fault::Result<()> {
    let bytes = value.to_be_bytes();
    let shortest = decimal::shortest(&bytes);
    match size {
        None => put_bytes(shortest, out),
        Some(size) if shortest.len() <= size => {
            let fill = if value < 0 { 0xff } else { 0 };
            out.extend(std::iter::repeat_n(fill, size - shortest.len()));
            out.extend_from_slice(shortest);
        }
        Some(size) => {
            return Err(Fault::new(format!(
                "a decimal does not fit into {size} bytes"
            )));
        }
    }
    Ok(())
}

fn put_uuid(text: &str, out: &mut Vec<u8>) -> fault::Result<()> {
    let wrong = || Fault::new("text that is no UUID");
    let text = text.as_bytes();
    if text.len() != 36 || [8, 13, 18, 23].iter().any(|at| text[*at] != b'-') {
        return Err(wrong());
    }
    let mut digits = text
        .iter()
        .enumerate()
        .filter(|(at, _)| ![8, 13, 18, 23].contains(at))
        .map(|(_, letter)| char::from(*letter).to_digit(16).ok_or_else(wrong));
    while let Some(high) = digits.next() {
        let low = digits.next().ok_or_else(wrong)?;
        out.push((high? << 4 | low?) as u8);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: i128) -> Vec<u8> {
        let mut out = Vec::new();
        put_decimal(value, None, &mut out).unwrap();
        out.remove(0);
        out
    }

    #[test]
    fn decimals_take_the_fewest_bytes() {
        assert_eq!(bytes(0), [0]);
        assert_eq!(bytes(-1), [0xff]);
        assert_eq!(bytes(127), [0x7f]);
        assert_eq!(bytes(128), [0, 0x80]);
        assert_eq!(bytes(-128), [0x80]);
        assert_eq!(bytes(-129), [0xff, 0x7f]);
        assert_eq!(bytes(i128::MIN).len(), 16);
    }
}
