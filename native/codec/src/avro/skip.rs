//! Passing over what nobody wants, without allocation.

use super::schema::{Kind, Schema};
use super::wire::Input;
use crate::fault::{Fault, Result};

/// How the bytes of a type are passed over.
#[derive(Debug)]
pub enum Skip {
    Bytes(usize),
    Number,
    Prefixed,
    /// The items, and the fewest bytes of one.
    Array(Box<Skip>, usize),
    Map(Box<Skip>, usize),
    Union(Vec<Skip>),
    Record(Vec<Skip>),
}

impl Skip {
    pub fn of(schema: &Schema) -> Self {
        match &schema.kind {
            Kind::Null => Self::Bytes(0),
            Kind::Boolean => Self::Bytes(1),
            Kind::Float => Self::Bytes(4),
            Kind::Double => Self::Bytes(8),
            Kind::Fixed(fixed) => Self::Bytes(fixed.size),
            Kind::Int | Kind::Long | Kind::Enum(_) => Self::Number,
            Kind::Bytes | Kind::String => Self::Prefixed,
            Kind::Array(item) => Self::Array(Box::new(Self::of(item)), item.least_size()),
            Kind::Map(item) => Self::Map(
                Box::new(Self::of(item)),
                item.least_size().saturating_add(1),
            ),
            Kind::Union(branches) => Self::Union(branches.iter().map(Self::of).collect()),
            Kind::Record(record) => {
                let mut parts: Vec<Self> = Vec::new();
                for field in &record.fields {
                    match (parts.last_mut(), Self::of(&field.schema)) {
                        (Some(Self::Bytes(sum)), Self::Bytes(more)) => {
                            *sum = sum.saturating_add(more);
                        }
                        (_, part) => parts.push(part),
                    }
                }
                match parts.len() {
                    0 => Self::Bytes(0),
                    1 => parts.remove(0),
                    _ => Self::Record(parts),
                }
            }
        }
    }

    pub fn run(&self, input: &mut Input<'_>) -> Result<()> {
        match self {
            Self::Bytes(count) => input.take(*count).map(|_| ()),
            Self::Number => input.long().map(|_| ()),
            Self::Prefixed => input.bytes().map(|_| ()),
            Self::Array(item, least) => skip_blocks(input, *least, |input| item.run(input)),
            Self::Map(value, least) => skip_blocks(input, *least, |input| {
                input.bytes()?;
                value.run(input)
            }),
            Self::Union(branches) => {
                let index = input.index()?;
                branches.get(index).ok_or_else(no_branch)?.run(input)
            }
            Self::Record(parts) => parts.iter().try_for_each(|part| part.run(input)),
        }
    }
}

fn skip_blocks(
    input: &mut Input<'_>,
    least: usize,
    mut item: impl FnMut(&mut Input<'_>) -> Result<()>,
) -> Result<()> {
    loop {
        match input.block(least)? {
            (0, _) => return Ok(()),
            (_, Some(size)) => {
                input.take(size)?;
            }
            (count, None) => (0..count).try_for_each(|_| item(input))?,
        }
    }
}

pub fn no_branch() -> Box<Fault> {
    Fault::new("a union has no branch of this index")
}
