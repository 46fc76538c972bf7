//! Several groups in one entry of the state: numbers in eight bytes, groups with their length before them.

use crate::accumulators::{Accumulators, Group};
use crate::error::{Error, Result};
use crate::table::Codec;

pub fn put_group(accumulators: &Accumulators, group: &Group, out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    accumulators.encode(group, out);
    // A length that does not fit cannot be read again: a record of the changelog is far smaller than that.
    let len = u32::try_from(out.len() - begin - 4).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&len.to_be_bytes());
}

pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.0.split_first().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub fn int(&mut self) -> Result<i64> {
        let (number, rest) = self.0.split_first_chunk().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(i64::from_be_bytes(*number))
    }

    pub fn group(&mut self, accumulators: &Accumulators) -> Result<Group> {
        let (len, rest) = self.0.split_first_chunk().ok_or_else(damaged)?;
        let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| damaged())?;
        let (group, rest) = rest.split_at_checked(len).ok_or_else(damaged)?;
        self.0 = rest;
        accumulators.decode(group)
    }
}

fn damaged() -> Error {
    Error::damaged("an entry of windows in the store is too short")
}
