//! The bytes of messages.

use crate::fault::{Fault, Result};

const MAX_GROUPS: usize = 100;

pub const VARINT: u8 = 0;
pub const FIXED64: u8 = 1;
pub const BYTES: u8 = 2;
const START_GROUP: u8 = 3;
const END_GROUP: u8 = 4;
pub const FIXED32: u8 = 5;

#[derive(Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        if let [byte @ 0..=0x7f, rest @ ..] = self.0 {
            self.0 = rest;
            return Ok(u64::from(*byte));
        }
        let mut value = 0;
        for (index, byte) in self.0.iter().enumerate().take(10) {
            if index == 9 && *byte > 1 {
                return Err(Fault::new("a number takes more than 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.0 = &self.0[index + 1..];
                return Ok(value);
            }
        }
        Err(truncated())
    }

    /// The number of a field and how its value is written.
    #[inline]
    pub fn tag(&mut self) -> Result<(u32, u8)> {
        let tag = self.varint()?;
        let wire = (tag & 7) as u8;
        match u32::try_from(tag >> 3) {
            Ok(number) if (1..1 << 29).contains(&number) => Ok((number, wire)),
            _ => Err(Fault::new("a field has a number out of range")),
        }
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Bytes after their length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Pass over a value that nobody wants.
    pub fn skip(&mut self, number: u32, wire: u8) -> Result<()> {
        self.skip_at(number, wire, 0)
    }

    fn skip_at(&mut self, number: u32, wire: u8, depth: usize) -> Result<()> {
        match wire {
            VARINT => self.varint().map(|_| ()),
            FIXED64 => self.array::<8>().map(|_| ()),
            FIXED32 => self.array::<4>().map(|_| ()),
            BYTES => self.bytes().map(|_| ()),
            START_GROUP if depth < MAX_GROUPS => loop {
                match self.tag()? {
                    (end, END_GROUP) if end == number => return Ok(()),
                    (inner, wire) => self.skip_at(inner, wire, depth + 1)?,
                }
            },
            START_GROUP => Err(Fault::new("groups are nested too deep")),
            _ => Err(Fault::new(
                "a field is written in a way that does not exist",
            )),
        }
    }
}

#[inline]
pub fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn put_zigzag(value: i64, out: &mut Vec<u8>) {
    put_varint(((value << 1) ^ (value >> 63)) as u64, out);
}

pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Put the length before what was appended since `start`.
pub fn prefix(start: usize, out: &mut Vec<u8>) {
    let length = out.len() - start;
    if length < 0x80 {
        out.insert(start, length as u8);
        return;
    }
    let mut head = Vec::with_capacity(5);
    put_varint(length as u64, &mut head);
    out.splice(start..start, head);
}

fn truncated() -> Box<Fault> {
    Fault::new("the message ends too early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert_eq!(Input(&bytes).varint(), Ok(value));
            for cut in 0..bytes.len() {
                assert!(Input(&bytes[..cut]).varint().is_err());
            }
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            put_zigzag(value, &mut bytes);
            assert_eq!(Input(&bytes).varint().map(zigzag), Ok(value));
        }
        assert!(Input(&[0xff; 11]).varint().is_err());
    }

    #[test]
    fn lengths_of_all_sizes_stand_before() {
        for size in [0, 1, 127, 128, 20_000] {
            let mut bytes = vec![9];
            bytes.extend(std::iter::repeat_n(7, size));
            prefix(1, &mut bytes);
            let mut input = Input(&bytes[1..]);
            assert_eq!(input.bytes().map(<[u8]>::len), Ok(size));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn groups_are_passed_over() {
        // Field 2 in a group 1 in a group 1.
        let bytes = [0x0b, 0x0b, 0x10, 0x05, 0x0c, 0x0c];
        let mut input = Input(&bytes);
        let (number, wire) = input.tag().unwrap();
        assert_eq!(input.skip(number, wire), Ok(()));
        assert!(input.is_empty());
        let mut deep = Input(&[0x0b; 4000]);
        let (number, wire) = deep.tag().unwrap();
        assert!(deep.skip(number, wire).is_err());
    }
}
