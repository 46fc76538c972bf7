//! A program that reads the bytes of a message into columns.

use std::collections::HashMap;

use arrow_schema::TimeUnit;

use super::wire::{BYTES, FIXED32, FIXED64, Input, VARINT, zigzag};
use crate::column::{Column, Values, per_second};
use crate::decimal;
use crate::fault::{Fault, Result};
use crate::temporal;
use crate::text::{
    push_bool, push_decimal, push_f32, push_f64, push_i32, push_i64, push_integer, push_time,
};

const NANOS: i64 = 1_000_000_000;

/// How a number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
}

impl Coding {
    pub fn wire(self) -> u8 {
        match self {
            Self::Fixed32 | Self::Sfixed32 => FIXED32,
            Self::Fixed64 | Self::Sfixed64 => FIXED64,
            _ => VARINT,
        }
    }

    /// Numbers of 32 bits are cut off where more were written, as the specification says.
    #[inline]
    fn read(self, input: &mut Input<'_>) -> Result<i128> {
        Ok(match self {
            Self::Int32 => i128::from(input.varint()? as i32),
            Self::Int64 => i128::from(input.varint()? as i64),
            Self::Uint32 => i128::from(input.varint()? as u32),
            Self::Uint64 => i128::from(input.varint()?),
            Self::Sint32 => i128::from(zigzag(u64::from(input.varint()? as u32)) as i32),
            Self::Sint64 => i128::from(zigzag(input.varint()?)),
            Self::Fixed32 => i128::from(u32::from_le_bytes(input.array()?)),
            Self::Fixed64 => i128::from(u64::from_le_bytes(input.array()?)),
            Self::Sfixed32 => i128::from(i32::from_le_bytes(input.array()?)),
            Self::Sfixed64 => i128::from(i64::from_le_bytes(input.array()?)),
        })
    }
}

/// Reads one value and appends it to a column.
#[derive(Debug)]
pub enum Op {
    Bool,
    Number(Coding),
    Float,
    FloatToDouble,
    Double,
    Text,
    Bytes,
    /// The name of each number.
    Enum(HashMap<i32, Box<[u8]>>),
    // The following are messages.
    Timestamp(TimeUnit),
    Date,
    TimeOfDay(TimeUnit),
    Decimal {
        precision: u8,
        scale: i8,
    },
    Wrapper(Box<Op>),
    Flag,
    Record(Record),
}

impl Op {
    pub fn wire(&self) -> u8 {
        match self {
            Self::Bool | Self::Enum(_) => VARINT,
            Self::Number(coding) => coding.wire(),
            Self::Float | Self::FloatToDouble => FIXED32,
            Self::Double => FIXED64,
            _ => BYTES,
        }
    }

    /// Whether several may stand behind one another without tags.
    fn packs(&self) -> bool {
        self.wire() != BYTES
    }

    /// Whether it is a message: what is written of it in several places belongs together.
    pub fn is_message(&self) -> bool {
        !matches!(self, Self::Text | Self::Bytes) && self.wire() == BYTES
    }

    /// Append the value of a field that is not there.
    fn push_default(&self, column: &mut Column) -> Result<()> {
        match self {
            Self::Bool => push_bool(column, false),
            Self::Number(_) => return push_number(column, 0),
            Self::Float => return push_f32(column, 0.0),
            Self::FloatToDouble | Self::Double => return push_f64(column, 0.0),
            Self::Text | Self::Bytes => return column.push_bytes(b""),
            Self::Enum(names) => match names.get(&0) {
                Some(name) => return column.push_bytes(name),
                None => return column.push_bytes(b"0"),
            },
            _ => column.push_null(),
        }
        Ok(())
    }

    /// Read one scalar value.
    #[inline]
    fn scalar(&self, input: &mut Input<'_>, column: &mut Column) -> Result<()> {
        match self {
            Self::Bool => push_bool(column, input.varint()? != 0),
            Self::Number(coding) => return push_number(column, coding.read(input)?),
            Self::Float => return push_f32(column, f32::from_le_bytes(input.array()?)),
            Self::FloatToDouble => {
                return push_f64(column, f64::from(f32::from_le_bytes(input.array()?)));
            }
            Self::Double => return push_f64(column, f64::from_le_bytes(input.array()?)),
            Self::Text => {
                let text = input.bytes()?;
                if std::str::from_utf8(text).is_err() {
                    return Err(Fault::new("text is not UTF-8"));
                }
                return column.push_bytes(text);
            }
            Self::Bytes => return column.push_bytes(input.bytes()?),
            Self::Enum(names) => {
                let number = input.varint()? as i32;
                return match names.get(&number) {
                    Some(name) => column.push_bytes(name),
                    // A later version of the schema has a name for it.
                    None => column.push_bytes(itoa::Buffer::new().format(number).as_bytes()),
                };
            }
            _ => unreachable!("a message is no scalar"),
        }
        Ok(())
    }

    /// Read one message whose bytes are all there.
    fn message<'a>(
        &self,
        bytes: &'a [u8],
        column: &mut Column,
        later: &mut Vec<Later<'a>>,
    ) -> Result<()> {
        match self {
            Self::Record(record) => return record.run(bytes, column, later),
            Self::Timestamp(unit) => {
                let [seconds, nanos] = integers(bytes)?;
                if !(0..NANOS).contains(&nanos) {
                    return Err(Fault::new("a timestamp has nanoseconds out of range"));
                }
                let per = per_second(*unit);
                let value = seconds
                    .checked_mul(per)
                    .and_then(|whole| whole.checked_add(nanos / (NANOS / per)))
                    .ok_or_else(|| Fault::new("timestamp out of range"))?;
                push_i64(column, value);
            }
            Self::Date => {
                let [year, month, day] = integers(bytes)?;
                let days = temporal::days_of(year, month, day)
                    .ok_or_else(|| Fault::new("a date that does not exist"))?;
                push_i32(column, days);
            }
            Self::TimeOfDay(unit) => {
                let [hours, minutes, seconds, nanos] = integers(bytes)?;
                let inside = (0..24).contains(&hours)
                    && (0..60).contains(&minutes)
                    && (0..60).contains(&seconds)
                    && (0..NANOS).contains(&nanos);
                if !inside {
                    return Err(Fault::new("a time that is not in a day"));
                }
                let per = per_second(*unit);
                let whole = (hours * 60 + minutes) * 60 + seconds;
                push_time(column, whole * per + nanos / (NANOS / per), *unit);
            }
            Self::Decimal { precision, scale } => {
                let (unscaled, from) = decimal_parts(bytes)?;
                let from =
                    i8::try_from(from).map_err(|_| Fault::new("a decimal has too many places"))?;
                let value =
                    decimal::rescale(decimal::unscaled(unscaled)?, from, *scale, *precision)?;
                push_decimal(column, value);
            }
            Self::Wrapper(op) => {
                let row = column.len();
                let mut input = Input(bytes);
                while !input.is_empty() {
                    let (number, wire) = input.tag()?;
                    if number == 1 && wire == op.wire() {
                        column.truncate(row);
                        op.scalar(&mut input, column)?;
                    } else {
                        input.skip(number, wire)?;
                    }
                }
                if column.len() == row {
                    op.push_default(column)?;
                }
            }
            Self::Flag => {
                let mut input = Input(bytes);
                while !input.is_empty() {
                    let (number, wire) = input.tag()?;
                    input.skip(number, wire)?;
                }
                push_bool(column, true);
            }
            _ => unreachable!("a scalar is no message"),
        }
        Ok(())
    }
}

/// The fields of a message that are wanted.
#[derive(Debug)]
pub struct Record {
    /// In the order of their numbers.
    pub fields: Vec<Field>,
    /// Members of a `oneof` that nobody wants: what they take the place of counts no longer.
    pub rivals: Vec<Rival>,
}

#[derive(Debug)]
pub struct Rival {
    pub number: u32,
    pub wire: u8,
    /// Places in the record.
    pub of: Vec<usize>,
}

#[derive(Debug)]
pub struct Field {
    pub number: u32,
    pub name: String,
    pub child: usize,
    pub op: Op,
    pub shape: Shape,
    /// The other wanted members of its `oneof`, by their places in the record.
    pub rivals: Vec<usize>,
}

#[derive(Debug)]
pub enum Shape {
    One(Absent),
    List,
    /// The keys; the values are the field's own.
    Map(Op),
}

/// What a field is that is not there.
#[derive(Debug)]
pub enum Absent {
    Null,
    /// That of its type.
    Default,
    /// One that the schema says, as it would be written.
    Declared(Vec<u8>),
    Refused,
}

/// A message or an entry of a map that is read when the whole of its parent has been seen; None takes back what was there
/// before.
pub type Later<'a> = (usize, Option<&'a [u8]>);

impl Record {
    /// Read a message, and append a row.
    ///
    /// `later` is a stack that the messages inside of one another share.
    pub fn run<'a>(
        &self,
        bytes: &'a [u8],
        column: &mut Column,
        later: &mut Vec<Later<'a>>,
    ) -> Result<()> {
        let row = column.len();
        let mark = later.len();
        let Values::Struct(children) = &mut column.values else {
            unreachable!("the program fits the column");
        };
        let mut input = Input(bytes);
        let mut next = 0;
        while !input.is_empty() {
            let (number, wire) = input.tag()?;
            let Some(at) = self.find(number, next) else {
                for rival in &self.rivals {
                    if rival.number == number && rival.wire == wire {
                        self.clear(&rival.of, row, children, later);
                    }
                }
                input.skip(number, wire)?;
                continue;
            };
            next = at + 1;
            let field = &self.fields[at];
            let child = &mut children[field.child];
            let within = |fault: Box<Fault>| fault.within(&field.name);
            match &field.shape {
                Shape::One(_) if wire == field.op.wire() => {
                    if field.op.is_message() {
                        later.push((at, Some(input.bytes().map_err(within)?)));
                    } else {
                        // Of several values the last one counts.
                        child.truncate(row);
                        field.op.scalar(&mut input, child).map_err(within)?;
                    }
                    self.clear(&field.rivals, row, children, later);
                }
                Shape::List => {
                    let Values::List { item, .. } = &mut child.values else {
                        unreachable!("the program fits the column");
                    };
                    if field.op.is_message() && wire == BYTES {
                        let message = input.bytes().map_err(within)?;
                        field.op.message(message, item, later).map_err(within)?;
                    } else if wire == field.op.wire() {
                        field.op.scalar(&mut input, item).map_err(within)?;
                    } else if wire == BYTES && field.op.packs() {
                        let mut packed = Input(input.bytes().map_err(within)?);
                        while !packed.is_empty() {
                            field.op.scalar(&mut packed, item).map_err(within)?;
                        }
                    } else {
                        input.skip(number, wire)?;
                    }
                }
                Shape::Map(_) if wire == BYTES => {
                    later.push((at, Some(input.bytes().map_err(within)?)));
                }
                // Written by a schema in which the field has another type.
                _ => input.skip(number, wire)?,
            }
        }
        if later.len() > mark {
            self.run_later(mark, row, children, later)?;
            later.truncate(mark);
        }
        for field in &self.fields {
            let child = &mut children[field.child];
            if child.len() == row {
                field
                    .fill(child)
                    .map_err(|fault| fault.within(&field.name))?;
            }
        }
        column.present();
        Ok(())
    }

    /// Take back what these members of a `oneof` had: the last one that is written counts.
    fn clear(
        &self,
        members: &[usize],
        row: usize,
        children: &mut [Column],
        later: &mut Vec<Later<'_>>,
    ) {
        for at in members {
            let field = &self.fields[*at];
            if field.op.is_message() {
                later.push((*at, None));
            } else {
                children[field.child].truncate(row);
            }
        }
    }

    /// Fields mostly come in the order of their numbers.
    #[inline]
    fn find(&self, number: u32, next: usize) -> Option<usize> {
        if let Some(field) = self.fields.get(next)
            && field.number == number
        {
            return Some(next);
        }
        self.fields
            .binary_search_by_key(&number, |field| field.number)
            .ok()
    }

    fn run_later<'a>(
        &self,
        mark: usize,
        row: usize,
        children: &mut [Column],
        later: &mut Vec<Later<'a>>,
    ) -> Result<()> {
        // Stable: what belongs to one field stays in its order.
        later[mark..].sort_by_key(|(at, _)| *at);
        let end = later.len();
        let mut start = mark;
        while start < end {
            let at = later[start].0;
            let mut stop = start + 1;
            let mut parts = start;
            while stop < end && later[stop].0 == at {
                stop += 1;
            }
            for (place, (_, bytes)) in later.iter().enumerate().take(stop).skip(start) {
                if bytes.is_none() {
                    parts = place + 1;
                }
            }
            if parts < stop {
                let field = &self.fields[at];
                let child = &mut children[field.child];
                debug_assert_eq!(child.len(), row);
                let done = match &field.shape {
                    Shape::Map(keys) => field.map(keys, parts..stop, child, later),
                    _ if stop - parts == 1 => {
                        let bytes = later[parts].1.unwrap_or_default();
                        field.op.message(bytes, child, later)
                    }
                    _ => {
                        let joined: Vec<u8> = later[parts..stop]
                            .iter()
                            .filter_map(|(_, bytes)| *bytes)
                            .flatten()
                            .copied()
                            .collect();
                        field.op.message(&joined, child, &mut Vec::new())
                    }
                };
                done.map_err(|fault| fault.within(&field.name))?;
            }
            start = stop;
        }
        Ok(())
    }
}

/// A key of a map; other bytes may write the same number.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Key<'a> {
    Number(i128),
    Text(&'a [u8]),
}

impl Field {
    fn fill(&self, child: &mut Column) -> Result<()> {
        match &self.shape {
            Shape::One(Absent::Null) => child.push_null(),
            Shape::One(Absent::Default) => self.op.push_default(child)?,
            Shape::One(Absent::Declared(bytes)) => self.op.scalar(&mut Input(bytes), child)?,
            Shape::One(Absent::Refused) => return Err(Fault::new("a required field is missing")),
            Shape::List | Shape::Map(_) => child.end_list()?,
        }
        Ok(())
    }

    /// Read the entries of a map; of equal keys the last one counts.
    fn map<'a>(
        &self,
        keys: &Op,
        range: std::ops::Range<usize>,
        child: &mut Column,
        later: &mut Vec<Later<'a>>,
    ) -> Result<()> {
        let mut entries: Vec<(Key<'a>, Option<&'a [u8]>)> = Vec::with_capacity(range.len());
        for (_, bytes) in &later[range] {
            entries.push(self.entry(keys, bytes.unwrap_or_default())?);
        }
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by_key(|at| entries[*at].0);
        let mut kept = vec![true; entries.len()];
        for pair in order.windows(2) {
            kept[pair[0]] = entries[pair[0]].0 != entries[pair[1]].0;
        }
        let Values::List { item, .. } = &mut child.values else {
            unreachable!("the program fits the column");
        };
        for ((key, value), _) in entries.iter().zip(&kept).filter(|(_, kept)| **kept) {
            let Values::Struct(parts) = &mut item.values else {
                unreachable!("a map's entries are a struct");
            };
            match key {
                Key::Text(text) => parts[0].push_bytes(text)?,
                Key::Number(number) if matches!(keys, Op::Bool) => {
                    push_bool(&mut parts[0], *number != 0);
                }
                Key::Number(number) => push_number(&mut parts[0], *number)?,
            }
            match value {
                Some(bytes) if self.op.is_message() => {
                    let bytes = Input(bytes).bytes()?;
                    self.op.message(bytes, &mut parts[1], later)?;
                }
                Some(bytes) => self.op.scalar(&mut Input(bytes), &mut parts[1])?,
                None if self.op.is_message() => self.op.message(b"", &mut parts[1], later)?,
                None => self.op.push_default(&mut parts[1])?,
            }
            item.present();
        }
        child.end_list()
    }

    /// Give the key of an entry, and where its value begins.
    fn entry<'a>(&self, keys: &Op, bytes: &'a [u8]) -> Result<(Key<'a>, Option<&'a [u8]>)> {
        let mut key = match keys {
            Op::Text => Key::Text(b""),
            _ => Key::Number(0),
        };
        let mut value = None;
        let mut input = Input(bytes);
        while !input.is_empty() {
            let (number, wire) = input.tag()?;
            if number == 1 && wire == keys.wire() {
                key = match keys {
                    Op::Number(coding) => Key::Number(coding.read(&mut input)?),
                    Op::Bool => Key::Number(i128::from(input.varint()? != 0)),
                    _ => {
                        let text = input.bytes()?;
                        if std::str::from_utf8(text).is_err() {
                            return Err(Fault::new("text is not UTF-8"));
                        }
                        Key::Text(text)
                    }
                };
                continue;
            }
            if number == 2 && wire == self.op.wire() {
                value = Some(input.0);
            }
            input.skip(number, wire)?;
        }
        Ok((key, value))
    }
}

/// Append a whole number to a column of integers or of decimals without places.
#[inline]
fn push_number(column: &mut Column, value: i128) -> Result<()> {
    match &mut column.values {
        Values::I64(values) => {
            values
                .push(i64::try_from(value).map_err(|_| Fault::new("integer out of range of i64"))?);
            column.present();
            Ok(())
        }
        Values::I128(_) => {
            push_decimal(column, value);
            Ok(())
        }
        _ => push_integer(column, value),
    }
}

/// Read a message of integers, numbered from 1.
fn integers<const N: usize>(bytes: &[u8]) -> Result<[i64; N]> {
    let mut found = [0; N];
    let mut input = Input(bytes);
    while !input.is_empty() {
        let (number, wire) = input.tag()?;
        match found.get_mut(number as usize - 1) {
            Some(place) if wire == VARINT => *place = input.varint()? as i64,
            _ => input.skip(number, wire)?,
        }
    }
    Ok(found)
}

/// The unscaled value and the scale of a decimal.
fn decimal_parts(bytes: &[u8]) -> Result<(&[u8], i32)> {
    let (mut value, mut scale) = (&b""[..], 0);
    let mut input = Input(bytes);
    while !input.is_empty() {
        match input.tag()? {
            (1, BYTES) => value = input.bytes()?,
            (3, VARINT) => scale = input.varint()? as i32,
            (number, wire) => input.skip(number, wire)?,
        }
    }
    Ok((value, scale))
}
