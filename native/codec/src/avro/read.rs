//! A program that reads values of a writer's schema into columns of the reader's type.

use arrow_schema::TimeUnit;

use super::schema::Schema;
use super::skip::{Skip, no_branch};
use super::wire::Input;
use crate::column::{Column, Values, per_second};
use crate::decimal;
use crate::fault::{Fault, Result};
use crate::text::{
    push_bool, push_decimal, push_f32, push_f64, push_i32, push_i64, push_integer, push_time,
};

/// Reads one value and appends it to a column.
#[derive(Debug)]
pub enum Op {
    Null,
    Bool,
    /// An int into 32 bits.
    Int32,
    /// An int or long into 64 bits.
    Int64,
    /// An int or long into an integer of another width.
    Integer,
    /// An int or long as a floating point number.
    IntegerToFloat,
    IntegerToDouble,
    Float,
    FloatToDouble,
    Double,
    Text,
    Bytes,
    Fixed(usize),
    /// The text of each symbol; None where the reader has none.
    Enum(Vec<Option<Box<[u8]>>>),
    /// Sixteen bytes as the text of a UUID.
    Uuid,
    Decimal {
        /// None: bytes after their length.
        size: Option<usize>,
        from: i8,
        to: i8,
        precision: u8,
    },
    /// A time of the day, from one unit into another.
    Time(TimeUnit, TimeUnit),
    /// An int or long times a factor into 64 bits: finer units of time.
    Multiplied(i64),
    /// A long by a divisor, rounded down: coarser units of time.
    Divided(i64),
    Nullable {
        null: usize,
        value: Box<Op>,
    },
    Union(Vec<Op>),
    /// A branch that the reader cannot take.
    Refuse(&'static str),
    /// One branch of a union of several types: the child it belongs to (None: nobody wants it).
    Branch(Option<usize>, Box<Op>),
    Skip(Skip),
    Array(Box<Op>, usize),
    Map(Box<Op>, usize),
    Record(Record),
}

#[derive(Debug)]
pub struct Record {
    /// In the order of the writer: what to pass over, and what to read into which child.
    pub steps: Vec<Step>,
    /// Children that the writer does not have: the default, as the reader would write it.
    pub defaults: Vec<(usize, Vec<u8>, Op)>,
}

#[derive(Debug)]
pub enum Step {
    Skip(Skip),
    Read(usize, String, Op),
}

impl Op {
    /// Read one value; may fail after appending anything.
    pub fn run(&self, input: &mut Input<'_>, column: &mut Column) -> Result<()> {
        match self {
            Self::Null => {
                column.push_null();
                Ok(())
            }
            Self::Bool => {
                push_bool(column, input.boolean()?);
                Ok(())
            }
            Self::Int32 => {
                push_i32(column, input.int()?);
                Ok(())
            }
            Self::Int64 => {
                push_i64(column, input.long()?);
                Ok(())
            }
            Self::Integer => push_integer(column, i128::from(input.long()?)),
            Self::IntegerToFloat => push_f32(column, input.long()? as f32),
            Self::IntegerToDouble => push_f64(column, input.long()? as f64),
            Self::Float => push_f32(column, f32::from_le_bytes(input.array()?)),
            Self::FloatToDouble => push_f64(column, f64::from(f32::from_le_bytes(input.array()?))),
            Self::Double => push_f64(column, f64::from_le_bytes(input.array()?)),
            Self::Text => column.push_bytes(input.text()?),
            Self::Bytes => column.push_bytes(input.bytes()?),
            Self::Fixed(size) => column.push_bytes(input.take(*size)?),
            Self::Enum(symbols) => {
                let symbol = symbols
                    .get(input.index()?)
                    .ok_or_else(|| Fault::new("an enum has no symbol of this index"))?;
                match symbol {
                    Some(symbol) => column.push_bytes(symbol),
                    None => Err(Fault::new("the reader's enum lacks this symbol")),
                }
            }
            Self::Uuid => column.push_bytes(&uuid_text(&input.array()?)),
            Self::Decimal {
                size,
                from,
                to,
                precision,
            } => {
                let bytes = match size {
                    Some(size) => input.take(*size)?,
                    None => input.bytes()?,
                };
                let value = decimal::rescale(decimal::unscaled(bytes)?, *from, *to, *precision)?;
                push_decimal(column, value);
                Ok(())
            }
            Self::Time(from, to) => {
                let (value, from) = (input.long()?, per_second(*from));
                if !(0..86_400 * from).contains(&value) {
                    return Err(Fault::new("a time that is not in a day"));
                }
                // At most the nanoseconds of a day times a thousand million: far from the end of 128 bits.
                let scaled = i128::from(value) * i128::from(per_second(*to)) / i128::from(from);
                push_time(column, scaled as i64, *to);
                Ok(())
            }
            Self::Multiplied(factor) => {
                let value = input
                    .long()?
                    .checked_mul(*factor)
                    .ok_or_else(|| Fault::new("time out of range"))?;
                push_i64(column, value);
                Ok(())
            }
            Self::Divided(divisor) => {
                push_i64(column, input.long()?.div_euclid(*divisor));
                Ok(())
            }
            Self::Nullable { null, value } => match input.index()? {
                index if index == *null => {
                    column.push_null();
                    Ok(())
                }
                0 | 1 => value.run(input, column),
                _ => Err(no_branch()),
            },
            Self::Union(branches) => branches
                .get(input.index()?)
                .ok_or_else(no_branch)?
                .run(input, column),
            Self::Refuse(reason) => Err(Fault::new(*reason)),
            Self::Branch(child, op) => {
                let row = column.len();
                let Values::Struct(children) = &mut column.values else {
                    unreachable!("the program fits the column");
                };
                match child {
                    Some(child) => op.run(input, &mut children[*child])?,
                    None => {
                        if let Self::Skip(skip) = op.as_ref() {
                            skip.run(input)?;
                        }
                    }
                }
                for child in children {
                    if child.len() == row {
                        child.push_null();
                    }
                }
                column.present();
                Ok(())
            }
            Self::Skip(skip) => {
                skip.run(input)?;
                column.push_null();
                Ok(())
            }
            Self::Array(item, least) => {
                let Values::List { item: items, .. } = &mut column.values else {
                    unreachable!("the program fits the column");
                };
                loop {
                    let (count, _) = input.block(*least)?;
                    if count == 0 {
                        break;
                    }
                    for _ in 0..count {
                        item.run(input, items)?;
                    }
                }
                column.end_list()
            }
            Self::Map(value, least) => run_map(value, *least, input, column),
            Self::Record(record) => {
                let Values::Struct(children) = &mut column.values else {
                    unreachable!("the program fits the column");
                };
                for step in &record.steps {
                    match step {
                        Step::Skip(skip) => skip.run(input)?,
                        Step::Read(child, name, op) => op
                            .run(input, &mut children[*child])
                            .map_err(|fault| fault.within(name))?,
                    }
                }
                for (child, bytes, op) in &record.defaults {
                    op.run(&mut Input::new(bytes), &mut children[*child])?;
                }
                column.present();
                Ok(())
            }
        }
    }
}

fn run_map(value: &Op, least: usize, input: &mut Input<'_>, column: &mut Column) -> Result<()> {
    let Values::List { item: entries, .. } = &mut column.values else {
        unreachable!("the program fits the column");
    };
    let mut keys: Vec<&[u8]> = Vec::new();
    loop {
        let (count, _) = input.block(least)?;
        if count == 0 {
            break;
        }
        for _ in 0..count {
            let Values::Struct(parts) = &mut entries.values else {
                unreachable!("a map's entries are a struct");
            };
            let key = input.text()?;
            keys.push(key);
            parts[0].push_bytes(key)?;
            value.run(input, &mut parts[1])?;
            entries.present();
        }
    }
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Fault::new("a map has a key twice"));
    }
    column.end_list()
}

fn uuid_text(bytes: &[u8; 16]) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}

/// The fewest bytes of an entry of a map.
pub fn least_entry(value: &Schema) -> usize {
    value.least_size().saturating_add(1)
}
