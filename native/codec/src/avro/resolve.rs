//! Schema resolution: from a writer's schema, a reader's schema and the type that is wanted to a program.

use arrow_schema::{DataType, TimeUnit};

use super::default::put_default;
use super::read::{Op, Record, Step, least_entry};
use super::schema::{self, Kind, Logical, Name, Result, Schema, branch_columns};
use super::skip::Skip;
use crate::column::per_second;
use crate::fault::Unsupported;

/// Compile a program.
///
/// Args: `target` is the Arrow type of the reader's schema, or that type without some fields.
pub fn compile(writer: &Schema, reader: &Schema, target: &DataType) -> Result<Op> {
    match (&writer.kind, &reader.kind) {
        (Kind::Union(branches), _) => writer_union(branches, reader, target),
        (_, Kind::Union(branches)) => reader_union(writer, branches, target),
        (Kind::Null, Kind::Null) => Ok(Op::Null),
        (Kind::Record(from), Kind::Record(to)) => record(from, to, target),
        (Kind::Array(from), Kind::Array(to)) => {
            let DataType::List(item) = target else {
                return Err(misfit(reader, target));
            };
            let op = compile(from, to, item.data_type())?;
            Ok(Op::Array(Box::new(op), from.least_size()))
        }
        (Kind::Map(from), Kind::Map(to)) => {
            let DataType::Map(entries, _) = target else {
                return Err(misfit(reader, target));
            };
            let DataType::Struct(parts) = entries.data_type() else {
                unreachable!("a map's entries are a struct");
            };
            let op = compile(from, to, parts[1].data_type())?;
            Ok(Op::Map(Box::new(op), least_entry(from)))
        }
        (Kind::Enum(from), Kind::Enum(to)) => {
            text_target(reader, target)?;
            let symbols = from.symbols.iter().map(|symbol| {
                if to.symbols.contains(symbol) {
                    Some(symbol.as_bytes().into())
                } else {
                    to.default.as_ref().map(|symbol| symbol.as_bytes().into())
                }
            });
            Ok(Op::Enum(symbols.collect()))
        }
        // An enum is text for whoever declared the column as text.
        (Kind::Enum(from), Kind::String) => {
            text_target(reader, target)?;
            let symbols = from.symbols.iter();
            Ok(Op::Enum(
                symbols
                    .map(|symbol| Some(symbol.as_bytes().into()))
                    .collect(),
            ))
        }
        _ => scalar(writer, reader, target),
    }
}

fn scalar(writer: &Schema, reader: &Schema, target: &DataType) -> Result<Op> {
    let promoted = match (&writer.kind, &reader.kind) {
        (Kind::Int, Kind::Int | Kind::Long | Kind::Float | Kind::Double)
        | (Kind::Long, Kind::Long | Kind::Float | Kind::Double)
        | (Kind::Float, Kind::Float | Kind::Double)
        | (Kind::Double, Kind::Double)
        | (Kind::Boolean, Kind::Boolean)
        | (Kind::String | Kind::Bytes, Kind::String | Kind::Bytes)
        // A column of bytes takes a fixed as well; the specification would refuse it.
        | (Kind::Fixed(_), Kind::Bytes) => true,
        (Kind::Fixed(_), Kind::String) => writer.logical == Some(Logical::Uuid),
        (Kind::Fixed(from), Kind::Fixed(to)) => from.size == to.size,
        _ => false,
    };
    if !promoted {
        return Err(incompatible(writer, reader));
    }
    let unfit = || misfit(reader, target);
    Ok(match (&writer.kind, target) {
        (Kind::Boolean, DataType::Boolean) => Op::Bool,
        (Kind::Int, DataType::Int32 | DataType::Date32) => Op::Int32,
        (Kind::Int | Kind::Long, DataType::Int64) => Op::Int64,
        (Kind::Int | Kind::Long, DataType::Time32(unit) | DataType::Time64(unit)) => {
            let from = match (writer.logical, reader.logical) {
                (Some(Logical::Time(unit)), _) | (_, Some(Logical::Time(unit))) => unit,
                _ => *unit,
            };
            Op::Time(from, *unit)
        }
        (Kind::Int | Kind::Long, DataType::Timestamp(unit, _)) => {
            let from = match (writer.logical, reader.logical) {
                (Some(Logical::Timestamp(unit)), _) | (_, Some(Logical::Timestamp(unit))) => unit,
                _ => *unit,
            };
            scaled(from, *unit)
        }
        (
            Kind::Int | Kind::Long,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64,
        ) => Op::Integer,
        (Kind::Int | Kind::Long, DataType::Float32) => Op::IntegerToFloat,
        (Kind::Int | Kind::Long, DataType::Float64) => Op::IntegerToDouble,
        (Kind::Float, DataType::Float32) => Op::Float,
        (Kind::Float, DataType::Float64) => Op::FloatToDouble,
        (Kind::Double, DataType::Float64) => Op::Double,
        (Kind::String | Kind::Bytes, DataType::Utf8) => Op::Text,
        (Kind::String | Kind::Bytes, DataType::Binary) => Op::Bytes,
        (Kind::Fixed(_), DataType::Utf8) if writer.logical == Some(Logical::Uuid) => Op::Uuid,
        (Kind::Fixed(fixed), DataType::Binary) => Op::Fixed(fixed.size),
        (Kind::Bytes | Kind::Fixed(_), DataType::Decimal128(precision, to)) => {
            let from = match (writer.logical, reader.logical) {
                (Some(Logical::Decimal(_, scale)), _) | (_, Some(Logical::Decimal(_, scale))) => {
                    scale
                }
                _ => return Err(unfit()),
            };
            if from > *to {
                return Err(Unsupported::new(format!(
                    "a decimal with {from} places does not fit into one with {to}"
                )));
            }
            let size = match &writer.kind {
                Kind::Fixed(fixed) => Some(fixed.size),
                _ => None,
            };
            Op::Decimal {
                size,
                from,
                to: *to,
                precision: *precision,
            }
        }
        _ => return Err(unfit()),
    })
}

fn scaled(from: TimeUnit, to: TimeUnit) -> Op {
    let (from, to) = (per_second(from), per_second(to));
    match from.cmp(&to) {
        std::cmp::Ordering::Equal => Op::Int64,
        std::cmp::Ordering::Less => Op::Multiplied(to / from),
        std::cmp::Ordering::Greater => Op::Divided(from / to),
    }
}

fn record(from: &schema::Record, to: &schema::Record, target: &DataType) -> Result<Op> {
    let DataType::Struct(wanted) = target else {
        return Err(Unsupported::new(format!(
            "record `{}` does not fit type {target}",
            to.name.full
        )));
    };
    // Which of the writer's fields each of the reader's fields is, by name before alias.
    let source = |field: &schema::Field| {
        let named = |name: &String| from.fields.iter().position(|other| other.name == *name);
        named(&field.name).or_else(|| field.aliases.iter().find_map(named))
    };
    let mut reads: Vec<Option<Step>> = from.fields.iter().map(|_| None).collect();
    let mut defaults = Vec::new();
    for field in &to.fields {
        let child = wanted.find(&field.name);
        match (source(field), child) {
            (Some(index), Some((child, arrow))) => {
                let op = compile(&from.fields[index].schema, &field.schema, arrow.data_type())
                    .map_err(|error| within(&field.name, &error))?;
                reads[index] = Some(Step::Read(child, field.name.clone(), op));
            }
            (None, Some((child, arrow))) => {
                let Some(default) = &field.default else {
                    return Err(Unsupported::new(format!(
                        "field `{}` is missing in the writer's schema and has no default",
                        field.name
                    )));
                };
                let mut bytes = Vec::new();
                put_default(&field.schema, default, &mut bytes)
                    .map_err(|error| within(&field.name, &error))?;
                let op = compile(&field.schema, &field.schema, arrow.data_type())
                    .map_err(|error| within(&field.name, &error))?;
                defaults.push((child, bytes, op));
            }
            (_, None) => {}
        }
    }
    for field in wanted {
        if !to.fields.iter().any(|other| other.name == *field.name()) {
            return Err(Unsupported::new(format!(
                "the schema has no field `{}`",
                field.name()
            )));
        }
    }
    let mut steps: Vec<Step> = Vec::new();
    for (field, read) in from.fields.iter().zip(reads) {
        match (steps.last_mut(), read) {
            (_, Some(read)) => steps.push(read),
            (Some(Step::Skip(Skip::Bytes(sum))), None)
                if matches!(Skip::of(&field.schema), Skip::Bytes(_)) =>
            {
                if let Skip::Bytes(more) = Skip::of(&field.schema) {
                    *sum = sum.saturating_add(more);
                }
            }
            (_, None) => steps.push(Step::Skip(Skip::of(&field.schema))),
        }
    }
    Ok(Op::Record(Record { steps, defaults }))
}

/// Each branch by itself; a branch that the reader cannot take fails only where it occurs.
fn writer_union(branches: &[Schema], reader: &Schema, target: &DataType) -> Result<Op> {
    let mut fits = 0;
    let mut first_error = None;
    let mut ops = Vec::with_capacity(branches.len());
    for branch in branches {
        match compile(branch, reader, target) {
            Ok(op) => {
                fits += 1;
                ops.push(op);
            }
            Err(error) => {
                first_error.get_or_insert(error);
                ops.push(Op::Refuse(if branch.is_null() {
                    "null where the reader's schema has no null"
                } else {
                    "a branch of a union that the reader's schema does not have"
                }));
            }
        }
    }
    if let (0, Some(error)) = (fits, first_error) {
        return Err(error);
    }
    if let [a, b] = &branches
        && a.is_null() != b.is_null()
        && fits == 2
    {
        let null = usize::from(b.is_null());
        let value = Box::new(ops.swap_remove(1 - null));
        return Ok(Op::Nullable { null, value });
    }
    Ok(Op::Union(ops))
}

/// A writer that is no union, into the branch that fits best: the same type, else the first that it can be promoted to.
fn reader_union(writer: &Schema, branches: &[Schema], target: &DataType) -> Result<Op> {
    if writer.is_null() {
        return if branches.iter().any(Schema::is_null) {
            Ok(Op::Null)
        } else {
            Err(Unsupported::new(
                "null where the reader's schema has no null",
            ))
        };
    }
    let columns = branch_columns(branches);
    if let [(index, _)] = columns[..] {
        return compile(writer, &branches[index], target);
    }
    let DataType::Struct(wanted) = target else {
        return Err(Unsupported::new(format!(
            "a union of several types does not fit type {target}"
        )));
    };
    let attempt = |index: usize, name: &str| -> Result<Op> {
        match wanted.find(name) {
            Some((child, field)) => {
                let op = compile(writer, &branches[index], field.data_type())?;
                Ok(Op::Branch(Some(child), Box::new(op)))
            }
            None => Ok(Op::Branch(None, Box::new(Op::Skip(Skip::of(writer))))),
        }
    };
    let same = |exactly: bool| {
        columns
            .iter()
            .find(|(index, _)| same_type(writer, &branches[*index], exactly))
    };
    if let Some((index, name)) = same(true).or_else(|| same(false)) {
        return attempt(*index, name);
    }
    columns
        .iter()
        .filter(|(index, _)| promotes(writer, &branches[*index]))
        .find_map(|(index, name)| attempt(*index, name).ok())
        .ok_or_else(|| {
            Unsupported::new(format!(
                "the reader's union has no branch for {}",
                writer.branch_name()
            ))
        })
}

/// Whether two types are the same branch: the same kind and, for named types, the same name; not exactly: without its namespace,
/// or an alias.
fn same_type(writer: &Schema, reader: &Schema, exactly: bool) -> bool {
    let same = |reader: &Name, writer: &Name| {
        if exactly {
            reader.full == writer.full
        } else {
            reader.matches(writer)
        }
    };
    match (&writer.kind, &reader.kind) {
        (Kind::Record(writer), Kind::Record(reader)) => same(&reader.name, &writer.name),
        (Kind::Enum(writer), Kind::Enum(reader)) => same(&reader.name, &writer.name),
        (Kind::Fixed(writer), Kind::Fixed(reader)) => {
            same(&reader.name, &writer.name) && reader.size == writer.size
        }
        (writer, reader) => std::mem::discriminant(writer) == std::mem::discriminant(reader),
    }
}

fn promotes(writer: &Schema, reader: &Schema) -> bool {
    matches!(
        (&writer.kind, &reader.kind),
        (Kind::Int, Kind::Long | Kind::Float | Kind::Double)
            | (Kind::Long, Kind::Float | Kind::Double)
            | (Kind::Float, Kind::Double)
            | (Kind::String, Kind::Bytes)
            | (Kind::Bytes | Kind::Enum(_), Kind::String)
            | (Kind::Fixed(_), Kind::Bytes)
            | (Kind::Record(_), Kind::Record(_))
    )
}

fn text_target(reader: &Schema, target: &DataType) -> Result<()> {
    match target {
        DataType::Utf8 => Ok(()),
        _ => Err(misfit(reader, target)),
    }
}

fn misfit(reader: &Schema, target: &DataType) -> Unsupported {
    Unsupported::new(format!(
        "Avro {} does not fit type {target}",
        reader.branch_name()
    ))
}

fn incompatible(writer: &Schema, reader: &Schema) -> Unsupported {
    Unsupported::new(format!(
        "the writer's {} cannot be read as {}",
        writer.branch_name(),
        reader.branch_name()
    ))
}

fn within(field: &str, error: &Unsupported) -> Unsupported {
    Unsupported::new(format!("field `{field}`: {error}"))
}
