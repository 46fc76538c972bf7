//! The bytes of Avro values.

use crate::fault::{Fault, Result};

/// How many items without any bytes a value may hold in all its arrays and maps: they could otherwise be counted in
/// billions by a few bytes.
const EMPTY_ITEMS: u64 = 1024;

pub struct Input<'a> {
    bytes: &'a [u8],
    empty_items: u64,
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            empty_items: 0,
        }
    }

    pub fn end(&self) -> Result<()> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Fault::new("bytes are left after the value"))
        }
    }

    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.bytes.split_at_checked(count) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(truncated()),
        }
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.bytes.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(*taken)
            }
            None => Err(truncated()),
        }
    }

    #[inline]
    pub fn long(&mut self) -> Result<i64> {
        let mut value: u64 = 0;
        for (index, byte) in self.bytes.iter().enumerate().take(10) {
            let part = u64::from(byte & 0x7f);
            if index == 9 && *byte > 1 {
                break;
            }
            value |= part << (7 * index);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[index + 1..];
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        if self.bytes.len() < 10 {
            Err(truncated())
        } else {
            Err(Fault::new("a number takes more than 64 bits"))
        }
    }

    #[inline]
    pub fn int(&mut self) -> Result<i32> {
        i32::try_from(self.long()?).map_err(|_| Fault::new("an int takes more than 32 bits"))
    }

    #[inline]
    pub fn boolean(&mut self) -> Result<bool> {
        match self.array::<1>()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Fault::new("a boolean is neither 0 nor 1")),
        }
    }

    /// Bytes or text after their length.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| Fault::new("a negative length"))?;
        self.take(length)
    }

    #[inline]
    pub fn text(&mut self) -> Result<&'a [u8]> {
        let text = self.bytes()?;
        if std::str::from_utf8(text).is_err() {
            return Err(Fault::new("text is not UTF-8"));
        }
        Ok(text)
    }

    /// The index of a branch or symbol.
    #[inline]
    pub fn index(&mut self) -> Result<usize> {
        usize::try_from(self.long()?).map_err(|_| Fault::new("a negative index"))
    }

    /// The head of a block of an array or map: how many items follow; 0 at the end. Also gives the bytes of the block if the
    /// writer wrote them.
    pub fn block(&mut self, least_size: usize) -> Result<(u64, Option<usize>)> {
        let count = self.long()?;
        let (count, size) = if count < 0 {
            let size = usize::try_from(self.long()?)
                .ok()
                .filter(|size| *size <= self.bytes.len())
                .ok_or_else(|| Fault::new("a block is longer than the value"))?;
            (count.unsigned_abs(), Some(size))
        } else {
            (count.unsigned_abs(), None)
        };
        if least_size == 0 {
            self.empty_items = self.empty_items.saturating_add(count);
            if self.empty_items > EMPTY_ITEMS {
                return Err(Fault::new(format!(
                    "over {EMPTY_ITEMS} items without content in arrays or maps"
                )));
            }
        } else if count > (self.bytes.len() / least_size) as u64 {
            return Err(Fault::new(
                "a block has more items than the value has bytes",
            ));
        }
        Ok((count, size))
    }
}

fn truncated() -> Box<Fault> {
    Fault::new("the value ends too early")
}

pub fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub fn put_bytes(value: &[u8], out: &mut Vec<u8>) {
    put_long(value.len() as i64, out);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [
            0,
            1,
            -1,
            63,
            64,
            -64,
            -65,
            i64::from(i32::MAX),
            i64::MAX,
            i64::MIN,
        ] {
            let mut bytes = Vec::new();
            put_long(value, &mut bytes);
            let mut input = Input::new(&bytes);
            assert_eq!(input.long(), Ok(value));
            assert_eq!(input.end(), Ok(()));
            for cut in 0..bytes.len() {
                assert!(Input::new(&bytes[..cut]).long().is_err());
            }
        }
    }

    #[test]
    fn numbers_of_more_than_64_bits_are_refused() {
        assert!(Input::new(&[0xff; 10]).long().is_err());
        assert!(Input::new(&[0x80; 11]).long().is_err());
        let mut bytes = vec![0xff; 9];
        bytes.push(2);
        assert!(Input::new(&bytes).long().is_err());
    }
}
