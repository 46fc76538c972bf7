//! Columns into messages in the registry's framing.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use protox::prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};

use super::compile::{coding, wire};
use super::read::Coding;
use super::schema::{Result, Schema};
use super::types::{Known, declared_size, within, wrapped};
use super::wire::{BYTES, VARINT, prefix, put_bytes, put_varint, put_zigzag};
use crate::batch::{self, Encoded};
use crate::column::per_second;
use crate::decimal;
use crate::fault::{self, Fault, Unsupported};
use crate::integers::Integers;
use crate::json::timestamps;
use crate::temporal;

const NANOS: i64 = 1_000_000_000;

/// Encodes arrays of one type as one message of a schema.
pub struct Encoder {
    message: MessageDescriptor,
    head: Vec<u8>,
    size_hint: usize,
}

impl Encoder {
    pub fn new(schema: &str, message: &str, id: u32, data_type: &DataType) -> Result<Self> {
        let schema = Schema::parse(schema)?;
        let (path, message) = schema
            .messages()
            .into_iter()
            .find(|(_, found)| found.full_name() == message)
            .ok_or_else(|| Unsupported::new(format!("the schema has no message `{message}`")))?;
        Record::of(&message, new_empty_array(data_type).as_ref())?;
        let mut head = vec![0];
        head.extend(id.to_be_bytes());
        if path == [0] {
            head.push(0);
        } else {
            put_zigzag(path.len() as i64, &mut head);
            for index in path {
                put_zigzag(i64::from(index), &mut head);
            }
        }
        Ok(Self {
            message,
            head,
            size_hint: 32,
        })
    }

    /// Encode the rows of an array of the encoder's type; a null row stays null.
    pub fn encode(&mut self, values: &dyn Array) -> Result<Encoded> {
        let record = Record::of(&self.message, values)?;
        let head = &self.head;
        let encoded = batch::encode(
            values.len(),
            self.size_hint,
            |row| values.is_null(row),
            |row, out| {
                out.extend_from_slice(head);
                record.put(row, out)
            },
        );
        if !values.is_empty() {
            self.size_hint = encoded.data.value_data().len() / values.len() + 4;
        }
        Ok(encoded)
    }
}

/// The arrays of one batch beside the fields of a message.
struct Record<'a> {
    members: Vec<Member<'a>>,
    /// The members of each `oneof` that has several of them here.
    groups: Vec<(String, Vec<usize>)>,
}

struct Member<'a> {
    name: String,
    number: u32,
    nulls: Option<&'a NullBuffer>,
    form: Form<'a>,
    shape: Shape<'a>,
}

enum Shape<'a> {
    /// Whether null may be left out, and whether a value that is the default of its type is.
    One {
        nullable: bool,
        implicit: bool,
    },
    List {
        array: &'a ListArray,
        packed: bool,
    },
    Map {
        array: &'a MapArray,
        keys: Box<Form<'a>>,
    },
}

enum Form<'a> {
    Bool(&'a BooleanArray),
    Integer(Integers<'a>, Coding),
    /// Decimals without places as numbers.
    Whole(&'a Decimal128Array, Coding),
    Float(&'a Float32Array),
    FloatAsDouble(&'a Float32Array),
    Double(&'a Float64Array),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Enum(&'a StringArray, HashMap<String, i32>),
    Timestamp(&'a [i64], i64),
    Date(&'a [i32]),
    TimeOfDay(Integers<'a>, i64),
    Decimal {
        values: &'a Decimal128Array,
        from: i8,
        precision: u8,
        scale: i8,
    },
    Wrapper(Box<Form<'a>>),
    Flag(&'a BooleanArray),
    Record(Record<'a>),
}

impl<'a> Record<'a> {
    fn of(message: &MessageDescriptor, array: &'a dyn Array) -> Result<Self> {
        let DataType::Struct(columns) = array.data_type() else {
            return Err(misfit(message.full_name(), array));
        };
        let parts = array.as_struct();
        for column in columns {
            if message.get_field_by_name(column.name()).is_none() {
                return Err(Unsupported::new(format!(
                    "message `{}` has no field `{}`",
                    message.full_name(),
                    column.name()
                )));
            }
        }
        let mut members = Vec::with_capacity(columns.len());
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        // The descriptor gives them in the order of their numbers.
        for field in message.fields() {
            let Some((child, _)) = columns.find(field.name()) else {
                if field.cardinality() == Cardinality::Required {
                    return Err(Unsupported::new(format!(
                        "the required field `{}` is not written",
                        field.name()
                    )));
                }
                continue;
            };
            if let Some(group) = field.containing_oneof() {
                match groups.iter_mut().find(|(name, _)| name == group.name()) {
                    Some((_, places)) => places.push(members.len()),
                    None => groups.push((group.name().to_owned(), vec![members.len()])),
                }
            }
            let member = Member::of(&field, parts.column(child));
            members.push(member.map_err(|error| within(field.name(), &error))?);
        }
        groups.retain(|(_, places)| places.len() > 1);
        Ok(Self { members, groups })
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) -> fault::Result<()> {
        for (name, places) in &self.groups {
            let set = places
                .iter()
                .filter(|at| !self.members[**at].is_null(row))
                .count();
            if set > 1 {
                return Err(Fault::new(format!(
                    "more than one field of the oneof `{name}` is set"
                )));
            }
        }
        for member in &self.members {
            member
                .put(row, out)
                .map_err(|fault| fault.within(&member.name))?;
        }
        Ok(())
    }
}

impl<'a> Member<'a> {
    fn of(field: &FieldDescriptor, array: &'a dyn Array) -> Result<Self> {
        let (form, shape) = if field.is_map() {
            let (DataType::Map(_, _), Kind::Message(entry)) = (array.data_type(), field.kind())
            else {
                return Err(misfit("a map", array));
            };
            let array = array.as_map();
            let keys = Form::of(&entry.map_entry_key_field(), array.keys())?;
            let values = Form::of(&entry.map_entry_value_field(), array.values())?;
            let keys = Box::new(keys);
            (values, Shape::Map { array, keys })
        } else if field.is_list() {
            let DataType::List(_) = array.data_type() else {
                return Err(misfit("a repeated field", array));
            };
            let array = array.as_list::<i32>();
            let packed = field.is_packed();
            (
                Form::of(field, array.values())?,
                Shape::List { array, packed },
            )
        } else {
            let required = field.cardinality() == Cardinality::Required;
            let shape = Shape::One {
                nullable: field.supports_presence() && !required,
                implicit: !field.supports_presence(),
            };
            (Form::of(field, array)?, shape)
        };
        Ok(Self {
            name: field.name().to_owned(),
            number: field.number(),
            nulls: array.nulls(),
            form,
            shape,
        })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    fn put(&self, row: usize, out: &mut Vec<u8>) -> fault::Result<()> {
        if self.is_null(row) {
            return match self.shape {
                Shape::One {
                    nullable: false, ..
                } => Err(Fault::new("null where the schema always has a value")),
                // A list and a map without items are the same as none.
                _ => Ok(()),
            };
        }
        match &self.shape {
            Shape::One { implicit, .. } => {
                if *implicit && self.form.is_default(row) {
                    return Ok(());
                }
                self.form.put_tagged(self.number, row, out)
            }
            Shape::List { array, packed } => {
                let offsets = array.value_offsets();
                let items = offsets[row] as usize..offsets[row + 1] as usize;
                if items.is_empty() {
                    return Ok(());
                }
                if let Some(nulls) = array.values().nulls()
                    && items.clone().any(|at| nulls.is_null(at))
                {
                    return Err(Fault::new("null in a list: Protobuf has no such thing"));
                }
                if !*packed {
                    for at in items {
                        self.form.put_tagged(self.number, at, out)?;
                    }
                    return Ok(());
                }
                put_tag(self.number, BYTES, out);
                let start = out.len();
                for at in items {
                    self.form.put(at, out)?;
                }
                prefix(start, out);
                Ok(())
            }
            Shape::Map { array, keys } => {
                let offsets = array.value_offsets();
                for at in offsets[row] as usize..offsets[row + 1] as usize {
                    if array.values().is_null(at) {
                        return Err(Fault::new("null in a map: Protobuf has no such thing"));
                    }
                    put_tag(self.number, BYTES, out);
                    let start = out.len();
                    keys.put_tagged(1, at, out)?;
                    self.form.put_tagged(2, at, out)?;
                    prefix(start, out);
                }
                Ok(())
            }
        }
    }
}

impl<'a> Form<'a> {
    fn of(field: &FieldDescriptor, array: &'a dyn Array) -> Result<Self> {
        let kind = field.kind();
        if let Some(coding) = coding(&kind) {
            return match array.data_type() {
                DataType::Decimal128(_, 0) => Ok(Self::Whole(array.as_primitive(), coding)),
                _ => Integers::of(array)
                    .map(|integers| Self::Integer(integers, coding))
                    .ok_or_else(|| misfit("a whole number", array)),
            };
        }
        Ok(match (&kind, array.data_type()) {
            (Kind::Bool, DataType::Boolean) => Self::Bool(array.as_boolean()),
            (Kind::Float, DataType::Float32) => Self::Float(array.as_primitive()),
            (Kind::Double, DataType::Float32) => Self::FloatAsDouble(array.as_primitive()),
            (Kind::Double, DataType::Float64) => Self::Double(array.as_primitive()),
            (Kind::String, DataType::Utf8) => Self::Text(array.as_string()),
            (Kind::Bytes, DataType::Binary) => Self::Bytes(array.as_binary()),
            (Kind::Enum(symbols), DataType::Utf8) => {
                let numbers = symbols
                    .values()
                    .map(|symbol| (symbol.name().to_owned(), symbol.number()));
                Self::Enum(array.as_string(), numbers.collect())
            }
            (Kind::Message(message), _) => Self::message(field, message, array)?,
            _ => return Err(misfit(&format!("{kind:?}").to_lowercase(), array)),
        })
    }

    fn message(
        field: &FieldDescriptor,
        message: &MessageDescriptor,
        array: &'a dyn Array,
    ) -> Result<Self> {
        Ok(match (Known::of(message), array.data_type()) {
            (Some(Known::Timestamp), DataType::Timestamp(unit, _)) => {
                Self::Timestamp(timestamps(array, *unit), per_second(*unit))
            }
            (Some(Known::Date), DataType::Date32) => {
                Self::Date(array.as_primitive::<Date32Type>().values())
            }
            (
                Some(Known::TimeOfDay),
                DataType::Time32(unit @ TimeUnit::Millisecond)
                | DataType::Time64(unit @ TimeUnit::Microsecond),
            ) => match Integers::of(array) {
                Some(integers) => Self::TimeOfDay(integers, per_second(*unit)),
                None => return Err(misfit(message.full_name(), array)),
            },
            (Some(Known::Decimal), DataType::Decimal128(own, from)) => {
                let (precision, scale) = declared_size(field).unwrap_or((*own, *from));
                Self::Decimal {
                    values: array.as_primitive(),
                    from: *from,
                    precision,
                    scale,
                }
            }
            (Some(Known::Wrapper), _) => {
                Self::Wrapper(Box::new(Self::of(&wrapped(message)?, array)?))
            }
            (Some(Known::Flag), DataType::Boolean) => Self::Flag(array.as_boolean()),
            (None, DataType::Struct(_)) => Self::Record(Record::of(message, array)?),
            _ => return Err(misfit(message.full_name(), array)),
        })
    }

    fn wire(&self) -> u8 {
        match self {
            Self::Bool(_) | Self::Enum(_, _) => VARINT,
            Self::Integer(_, coding) | Self::Whole(_, coding) => coding.wire(),
            Self::Float(_) => wire(&Kind::Float),
            Self::FloatAsDouble(_) | Self::Double(_) => wire(&Kind::Double),
            _ => BYTES,
        }
    }

    /// Whether a value is what a field without presence has where it is not written.
    fn is_default(&self, row: usize) -> bool {
        match self {
            Self::Bool(values) => !values.value(row),
            Self::Integer(values, _) => values.get(row) == 0,
            Self::Whole(values, _) => values.value(row) == 0,
            Self::Float(values) | Self::FloatAsDouble(values) => values.value(row).to_bits() == 0,
            Self::Double(values) => values.value(row).to_bits() == 0,
            Self::Text(values) => values.value(row).is_empty(),
            Self::Bytes(values) => values.value(row).is_empty(),
            Self::Enum(values, numbers) => numbers.get(values.value(row)) == Some(&0),
            _ => false,
        }
    }

    fn put_tagged(&self, number: u32, row: usize, out: &mut Vec<u8>) -> fault::Result<()> {
        if let Self::Flag(values) = self
            && !values.value(row)
        {
            return Ok(());
        }
        put_tag(number, self.wire(), out);
        self.put(row, out)
    }

    /// Append a value, with its length where it has one.
    fn put(&self, row: usize, out: &mut Vec<u8>) -> fault::Result<()> {
        match self {
            Self::Bool(values) => out.push(u8::from(values.value(row))),
            Self::Integer(values, coding) => {
                return put_number(i128::from(values.get(row)), *coding, out);
            }
            Self::Whole(values, coding) => return put_number(values.value(row), *coding, out),
            Self::Float(values) => out.extend(values.value(row).to_le_bytes()),
            Self::FloatAsDouble(values) => out.extend(f64::from(values.value(row)).to_le_bytes()),
            Self::Double(values) => out.extend(values.value(row).to_le_bytes()),
            Self::Text(values) => put_bytes(values.value(row).as_bytes(), out),
            Self::Bytes(values) => put_bytes(values.value(row), out),
            Self::Enum(values, numbers) => {
                let name = values.value(row);
                // A number that has no name here was read as its digits.
                let number = numbers
                    .get(name)
                    .copied()
                    .or_else(|| name.parse().ok())
                    .ok_or_else(|| Fault::new("the enum has no such symbol"))?;
                put_varint(i64::from(number) as u64, out);
            }
            _ => {
                let start = out.len();
                self.put_message(row, out)?;
                prefix(start, out);
            }
        }
        Ok(())
    }

    fn put_message(&self, row: usize, out: &mut Vec<u8>) -> fault::Result<()> {
        match self {
            Self::Record(record) => return record.put(row, out),
            Self::Timestamp(values, per) => {
                put_field(1, values[row].div_euclid(*per), out);
                put_field(2, values[row].rem_euclid(*per) * (NANOS / per), out);
            }
            Self::Date(values) => {
                let (year, month, day) = temporal::date_of(values[row]);
                if !(1..=9999).contains(&year) {
                    return Err(Fault::new("date out of range"));
                }
                put_field(1, year, out);
                put_field(2, month, out);
                put_field(3, day, out);
            }
            Self::TimeOfDay(values, per) => {
                let (whole, part) = (
                    values.get(row).div_euclid(*per),
                    values.get(row).rem_euclid(*per),
                );
                put_field(1, whole / 3600, out);
                put_field(2, whole / 60 % 60, out);
                put_field(3, whole % 60, out);
                put_field(4, part * (NANOS / per), out);
            }
            Self::Decimal {
                values,
                from,
                precision,
                scale,
            } => {
                let value = decimal::rescale(values.value(row), *from, *scale, *precision)?;
                put_tag(1, BYTES, out);
                put_bytes(decimal::shortest(&value.to_be_bytes()), out);
                put_field(2, i64::from(*precision), out);
                put_field(3, i64::from(*scale), out);
            }
            Self::Wrapper(form) if !form.is_default(row) => return form.put_tagged(1, row, out),
            _ => {}
        }
        Ok(())
    }
}

fn put_tag(number: u32, wire: u8, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | u64::from(wire), out);
}

/// Append an integer field, left out where it is 0.
fn put_field(number: u32, value: i64, out: &mut Vec<u8>) {
    if value != 0 {
        put_tag(number, VARINT, out);
        put_varint(value as u64, out);
    }
}

fn put_number(value: i128, coding: Coding, out: &mut Vec<u8>) -> fault::Result<()> {
    macro_rules! narrow {
        ($type:ty) => {
            <$type>::try_from(value)
                .map_err(|_| Fault::new(concat!("integer out of range of ", stringify!($type))))?
        };
    }
    match coding {
        Coding::Int32 => put_varint(i64::from(narrow!(i32)) as u64, out),
        Coding::Int64 => put_varint(narrow!(i64) as u64, out),
        Coding::Uint32 => put_varint(u64::from(narrow!(u32)), out),
        Coding::Uint64 => put_varint(narrow!(u64), out),
        Coding::Sint32 => put_zigzag(i64::from(narrow!(i32)), out),
        Coding::Sint64 => put_zigzag(narrow!(i64), out),
        Coding::Fixed32 => out.extend(narrow!(u32).to_le_bytes()),
        Coding::Fixed64 => out.extend(narrow!(u64).to_le_bytes()),
        Coding::Sfixed32 => out.extend(narrow!(i32).to_le_bytes()),
        Coding::Sfixed64 => out.extend(narrow!(i64).to_le_bytes()),
    }
    Ok(())
}

fn misfit(what: &str, array: &dyn Array) -> Unsupported {
    Unsupported::new(format!("type {} does not fit {what}", array.data_type()))
}
