//! The rows of an outer join that have found no partner yet, in the order in which they come out if they find none.
//!
//! Each waits for the last time that could match it to pass. What is kept of it is the side, the join key, and the row if its key
//! matches nothing (then it is kept nowhere else).

use crate::error::{Error, Result};
use crate::kernels::queue::{Queue, Waits};

/// Of the rows in the store.
pub const PREFIX: u8 = b'u';

/// By the last time that could match a row, and its number.
pub type Unmatched = Queue<Waiting>;

/// A row without a partner.
pub struct Waiting {
    pub side: usize,
    pub key: Box<[u8]>,
    /// None: it is among the kept rows of its key.
    pub row: Option<Box<[u8]>>,
}

impl Waiting {
    pub fn new(side: usize, key: &[u8], row: Option<&[u8]>) -> Self {
        Self {
            side,
            key: key.into(),
            row: row.map(Into::into),
        }
    }
}

impl Waits for Waiting {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.side as u8);
        out.push(u8::from(self.row.is_some()));
        out.extend_from_slice(&(self.key.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.key);
        out.extend_from_slice(self.row.as_deref().unwrap_or_default());
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::damaged("a row without a partner ends too early");
        let ([side, has_row, length @ ..], rest) =
            bytes.split_first_chunk::<6>().ok_or_else(damaged)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (key, row) = rest.split_at_checked(length).ok_or_else(damaged)?;
        if *side > 1 {
            return Err(damaged());
        }
        Ok(Self {
            side: usize::from(*side),
            key: key.into(),
            row: (*has_row != 0).then(|| row.into()),
        })
    }

    fn heap(&self) -> usize {
        self.key.len() + self.row.as_ref().map_or(0, |row| row.len())
    }
}
