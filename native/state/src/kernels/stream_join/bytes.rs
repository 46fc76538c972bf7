//! Numbers in keys and values of the store.

use crate::error::{Error, Result};

/// Bytes of a time that compare as the times do, negative ones too.
pub fn time_bytes(time: i64) -> [u8; 8] {
    ((time as u64) ^ (1 << 63)).to_be_bytes()
}

/// Read the bytes of `time_bytes`.
pub fn read_time(bytes: &[u8]) -> Result<i64> {
    Ok((read_u64(bytes)? ^ (1 << 63)) as i64)
}

pub fn read_u64(bytes: &[u8]) -> Result<u64> {
    match bytes.try_into() {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(Error::damaged("a number in the store is not eight bytes")),
    }
}
