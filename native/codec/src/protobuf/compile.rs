//! From a message of a schema and the type that is wanted to a program.

use std::collections::HashMap;

use arrow_schema::DataType;
use protox::prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};

use super::read::{Absent, Coding, Field, Op, Record, Rival, Shape};
use super::schema::Result;
use super::types::{Known, within, wrapped};
use super::wire::{BYTES, FIXED32, FIXED64, VARINT, put_bytes, put_varint, put_zigzag};
use crate::fault::Unsupported;

/// Compile a program for a message; `target` is its type, or that type without some fields.
pub fn record(message: &MessageDescriptor, target: &DataType) -> Result<Record> {
    let DataType::Struct(wanted) = target else {
        return Err(misfit(message.full_name(), target));
    };
    let mut fields = Vec::with_capacity(wanted.len());
    for (child, arrow) in wanted.iter().enumerate() {
        let field = message.get_field_by_name(arrow.name()).ok_or_else(|| {
            Unsupported::new(format!(
                "message `{}` has no field `{}`",
                message.full_name(),
                arrow.name()
            ))
        })?;
        let (op, shape) =
            member(&field, arrow.data_type()).map_err(|error| within(field.name(), &error))?;
        fields.push(Field {
            number: field.number(),
            name: field.name().to_owned(),
            child,
            op,
            shape,
            rivals: Vec::new(),
        });
    }
    fields.sort_by_key(|field| field.number);
    let place = |number: u32| fields.binary_search_by_key(&number, |field: &Field| field.number);
    let mut rivals = Vec::new();
    let mut of_fields = Vec::new();
    for group in message.oneofs() {
        let wanted: Vec<usize> = group
            .fields()
            .filter_map(|field| place(field.number()).ok())
            .collect();
        for field in group.fields() {
            match place(field.number()) {
                Ok(at) => of_fields.push((at, without(&wanted, at))),
                Err(_) if !wanted.is_empty() => rivals.push(Rival {
                    number: field.number(),
                    wire: wire(&field.kind()),
                    of: wanted.clone(),
                }),
                Err(_) => {}
            }
        }
    }
    for (at, others) in of_fields {
        fields[at].rivals = others;
    }
    Ok(Record { fields, rivals })
}

fn without(places: &[usize], at: usize) -> Vec<usize> {
    places
        .iter()
        .copied()
        .filter(|other| *other != at)
        .collect()
}

/// How the values of a kind are written.
pub fn wire(kind: &Kind) -> u8 {
    match kind {
        Kind::Bool | Kind::Enum(_) => VARINT,
        Kind::Float => FIXED32,
        Kind::Double => FIXED64,
        _ => coding(kind).map_or(BYTES, Coding::wire),
    }
}

fn member(field: &FieldDescriptor, target: &DataType) -> Result<(Op, Shape)> {
    if field.is_map() {
        let (DataType::Map(entries, _), Kind::Message(entry)) = (target, field.kind()) else {
            return Err(misfit("a map", target));
        };
        let DataType::Struct(parts) = entries.data_type() else {
            unreachable!("a map's entries are a struct");
        };
        let keys = op(&entry.map_entry_key_field().kind(), parts[0].data_type())?;
        let values = op(&entry.map_entry_value_field().kind(), parts[1].data_type())?;
        return Ok((values, Shape::Map(keys)));
    }
    if field.is_list() {
        let DataType::List(item) = target else {
            return Err(misfit("a repeated field", target));
        };
        return Ok((op(&field.kind(), item.data_type())?, Shape::List));
    }
    let op = op(&field.kind(), target)?;
    let absent = if field.cardinality() == Cardinality::Required {
        Absent::Refused
    } else if field.field_descriptor_proto().default_value.is_some() {
        Absent::Declared(written(&field.kind(), &field.default_value()))
    } else if field.supports_presence() {
        Absent::Null
    } else {
        Absent::Default
    };
    Ok((op, Shape::One(absent)))
}

/// How a kind of number is written.
pub fn coding(kind: &Kind) -> Option<Coding> {
    Some(match kind {
        Kind::Int32 => Coding::Int32,
        Kind::Int64 => Coding::Int64,
        Kind::Uint32 => Coding::Uint32,
        Kind::Uint64 => Coding::Uint64,
        Kind::Sint32 => Coding::Sint32,
        Kind::Sint64 => Coding::Sint64,
        Kind::Fixed32 => Coding::Fixed32,
        Kind::Fixed64 => Coding::Fixed64,
        Kind::Sfixed32 => Coding::Sfixed32,
        Kind::Sfixed64 => Coding::Sfixed64,
        _ => return None,
    })
}

fn op(kind: &Kind, target: &DataType) -> Result<Op> {
    if let Some(coding) = coding(kind) {
        return match target {
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Ok(Op::Number(coding)),
            DataType::Decimal128(precision, 0) if *precision >= 20 => Ok(Op::Number(coding)),
            _ => Err(misfit("a whole number", target)),
        };
    }
    Ok(match (kind, target) {
        (Kind::Bool, DataType::Boolean) => Op::Bool,
        (Kind::Float, DataType::Float32) => Op::Float,
        (Kind::Float, DataType::Float64) => Op::FloatToDouble,
        (Kind::Double, DataType::Float64) => Op::Double,
        (Kind::String, DataType::Utf8) => Op::Text,
        (Kind::Bytes, DataType::Binary) => Op::Bytes,
        (Kind::Enum(symbols), DataType::Utf8) => Op::Enum(names(symbols)),
        (Kind::Message(message), _) => match (Known::of(message), target) {
            (Some(Known::Timestamp), DataType::Timestamp(unit, _)) => Op::Timestamp(*unit),
            (Some(Known::Date), DataType::Date32) => Op::Date,
            (Some(Known::TimeOfDay), DataType::Time32(unit) | DataType::Time64(unit)) => {
                Op::TimeOfDay(*unit)
            }
            (Some(Known::Decimal), DataType::Decimal128(precision, scale)) => Op::Decimal {
                precision: *precision,
                scale: *scale,
            },
            (Some(Known::Wrapper), _) => {
                Op::Wrapper(Box::new(op(&wrapped(message)?.kind(), target)?))
            }
            (Some(Known::Flag), DataType::Boolean) => Op::Flag,
            (None, _) => Op::Record(record(message, target)?),
            _ => return Err(misfit(message.full_name(), target)),
        },
        _ => return Err(misfit(&format!("{kind:?}").to_lowercase(), target)),
    })
}

fn names(symbols: &EnumDescriptor) -> HashMap<i32, Box<[u8]>> {
    let mut found = HashMap::new();
    for symbol in symbols.values() {
        // Of several names of one number the first counts.
        found
            .entry(symbol.number())
            .or_insert_with(|| symbol.name().as_bytes().into());
    }
    found
}

/// Give a scalar as it would be written.
fn written(kind: &Kind, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let zigzag = matches!(kind, Kind::Sint32 | Kind::Sint64);
    let fixed = matches!(
        kind,
        Kind::Fixed32 | Kind::Fixed64 | Kind::Sfixed32 | Kind::Sfixed64
    );
    match value {
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::I32(value) if zigzag => put_zigzag(i64::from(*value), &mut out),
        Value::I64(value) if zigzag => put_zigzag(*value, &mut out),
        Value::I32(value) if fixed => out.extend(value.to_le_bytes()),
        Value::I64(value) if fixed => out.extend(value.to_le_bytes()),
        Value::U32(value) if fixed => out.extend(value.to_le_bytes()),
        Value::U64(value) if fixed => out.extend(value.to_le_bytes()),
        Value::I32(value) | Value::EnumNumber(value) => {
            put_varint(i64::from(*value) as u64, &mut out);
        }
        Value::I64(value) => put_varint(*value as u64, &mut out),
        Value::U32(value) => put_varint(u64::from(*value), &mut out),
        Value::U64(value) => put_varint(*value, &mut out),
        Value::F32(value) => out.extend(value.to_le_bytes()),
        Value::F64(value) => out.extend(value.to_le_bytes()),
        Value::String(value) => put_bytes(value.as_bytes(), &mut out),
        Value::Bytes(value) => put_bytes(value, &mut out),
        Value::Message(_) | Value::List(_) | Value::Map(_) => unreachable!("has no default"),
    }
    out
}

fn misfit(what: &str, target: &DataType) -> Unsupported {
    Unsupported::new(format!("{what} does not fit type {target}"))
}
