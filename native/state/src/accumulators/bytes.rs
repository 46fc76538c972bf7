//! Numbers in the bytes of a state: small ones take one byte.

use crate::error::{Error, Result};

/// Append a whole number, seven bits a byte, the sign in the lowest bit.
#[allow(clippy::cast_possible_truncation)] // the mask leaves seven bits
pub fn put_wide(out: &mut Vec<u8>, value: i128) {
    let mut rest = ((value << 1) ^ (value >> 127)).cast_unsigned();
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub fn put(out: &mut Vec<u8>, value: i64) {
    put_wide(out, i128::from(value));
}

pub fn put_len(out: &mut Vec<u8>, len: usize) {
    put(out, i64::try_from(len).unwrap_or(i64::MAX));
}

pub fn put_float(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Reads what the functions above have written.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Give what has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Read a number, and leave it to be read again.
    pub fn peek_int(&self) -> Result<i64> {
        Self(self.0).int()
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub fn wide(&mut self) -> Result<i128> {
        let mut value = 0u128;
        for shift in (0..=126).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(damaged())
    }

    pub fn int(&mut self) -> Result<i64> {
        i64::try_from(self.wide()?).map_err(|_| damaged())
    }

    /// Read a length or a number of things, each of which takes a byte or more of what follows.
    pub fn len(&mut self) -> Result<usize> {
        let len = usize::try_from(self.int()?).map_err(|_| damaged())?;
        if len <= self.0.len() {
            Ok(len)
        } else {
            Err(damaged())
        }
    }

    pub fn float(&mut self) -> Result<f64> {
        let bytes = self.take(8)?.try_into().map_err(|_| damaged())?;
        Ok(f64::from_bits(u64::from_le_bytes(bytes)))
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }
}

pub fn damaged() -> Error {
    Error::damaged("an entry of the state of an aggregate cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_and_small_ones_are_short() {
        for value in [
            0,
            1,
            -1,
            63,
            -64,
            64,
            i128::from(i64::MAX),
            i128::from(i64::MIN),
            i128::MAX,
            i128::MIN,
        ] {
            let mut bytes = Vec::new();
            put_wide(&mut bytes, value);
            assert!(!(-64..64).contains(&value) || bytes.len() == 1);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.wide().unwrap(), value);
            assert!(reader.is_at_end());
        }
    }

    #[test]
    fn what_is_cut_off_is_damaged() {
        let mut bytes = Vec::new();
        put_bytes(&mut bytes, b"four");
        assert!(Reader::new(&bytes[..3]).bytes().is_err());
        assert!(Reader::new(&[0xff; 30]).wide().is_err());
    }
}
