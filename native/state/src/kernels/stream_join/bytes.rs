//! Numbers in keys and values of the store, and the keys of kept rows.

use crate::error::{Error, Result};
use crate::kernels::queue::{read_time, read_u64, time_bytes};

/// Of the keys of kept rows.
pub const PREFIX: &[u8] = b"k";
/// Prefix and bucket, before the join key.
const HEAD: usize = 1 + 8;
/// Side, time and number, after it.
pub const TAIL: usize = 1 + 8 + 8;

/// What stands before the join key in the store.
pub fn head(bucket: i64) -> [u8; HEAD] {
    let mut bytes = [0; HEAD];
    bytes[0] = PREFIX[0];
    bytes[1..].copy_from_slice(&time_bytes(bucket));
    bytes
}

/// What stands after the join key.
pub fn tail(side: usize, time: i64, number: u64) -> [u8; TAIL] {
    let mut bytes = [0; TAIL];
    bytes[0] = side as u8;
    bytes[1..9].copy_from_slice(&time_bytes(time));
    bytes[9..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Read what stands after the join key.
pub fn read_tail(bytes: &[u8]) -> Result<(usize, i64, u64)> {
    let damaged = || Error::damaged("the key of a kept row has another length");
    let (side, rest) = bytes.split_first().ok_or_else(damaged)?;
    let (time, number) = rest.split_at_checked(8).ok_or_else(damaged)?;
    match side {
        0 | 1 => Ok((usize::from(*side), read_time(time)?, read_u64(number)?)),
        _ => Err(damaged()),
    }
}

/// Take an entry's key apart, without the prefix: join key, side, time and number.
pub fn read_entry_key(key: &[u8]) -> Result<(&[u8], usize, i64, u64)> {
    let tail = key.len().checked_sub(TAIL).filter(|tail| *tail >= 8);
    let Some(tail) = tail else {
        return Err(Error::damaged("the key of a kept row is too short"));
    };
    let (side, time, number) = read_tail(&key[tail..])?;
    Ok((&key[8..tail], side, time, number))
}
