//! The rows of one key that a match may still need, in the store each an entry of its own.

use std::collections::VecDeque;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::members::MemberWrites;
use crate::table::Codec;

use super::cells::Cell;
use super::conditions::Rows;
use super::search::Search;

/// A row that has come.
pub struct Kept {
    pub time: i64,
    /// Stream time when it came, itself included.
    pub now: i64,
    pub row: Box<[u8]>,
    /// What conditions look at; nothing until it is asked for after the row was read from the store.
    pub cells: Box<[Cell]>,
}

/// What is known of one key.
#[derive(Default)]
pub struct Partition {
    pub rows: VecDeque<Kept>,
    /// Number of the first of the rows.
    pub first: u64,
    /// Number of the row at which the search begins; of the next one that comes if there is none.
    pub start: u64,
    /// When a timer will look at it again.
    pub timer: Option<i64>,
    /// None: it is to begin anew at `start`, which comes to the same.
    pub search: Option<Search>,
    /// Cells of all rows are there.
    pub is_read: bool,
    /// Bytes of all rows.
    bytes: usize,
    /// Numbers of the rows that the store has.
    stored: Range<u64>,
    /// It has taken the place of another one since the last commit, whose rows may be in the store.
    is_new: bool,
    /// The store has rows that are not admitted yet.
    expects: bool,
}

impl Partition {
    /// Give one without rows.
    pub fn new() -> Self {
        Self {
            is_new: true,
            is_read: true,
            ..Self::default()
        }
    }

    /// Number of the row that comes next.
    pub fn end(&self) -> u64 {
        self.first + self.rows.len() as u64
    }

    pub fn push(&mut self, row: Kept) {
        self.bytes += row.row.len();
        self.rows.push_back(row);
    }

    pub fn get(&self, number: u64) -> Option<&Kept> {
        let place = number.checked_sub(self.first)?;
        self.rows.get(usize::try_from(place).ok()?)
    }

    /// Forget the rows before one.
    pub fn forget_before(&mut self, number: u64) {
        while self.first < number
            && let Some(row) = self.rows.pop_front()
        {
            self.bytes -= row.row.len();
            self.first += 1;
        }
    }

    /// Whether nothing is left to remember.
    pub fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.timer.is_none()
    }
}

/// A row with those before it.
pub struct At<'a> {
    pub partition: &'a Partition,
    pub number: u64,
}

impl Rows for At<'_> {
    fn cell(&self, place: usize, back: usize) -> Option<&Cell> {
        let number = self.number.checked_sub(back as u64)?;
        self.partition.get(number)?.cells.get(place)
    }
}

/// An entry is whether there are rows, the number at which the search begins, and the timer; a row is a member: two times, bytes.
pub struct PartitionCodec {
    /// How many cells a row has.
    pub cells: usize,
}

const NO_TIMER: i64 = -1;
/// Bytes of the two times before a row.
const TIMES: usize = 16;

fn damaged() -> Error {
    Error::damaged("what is kept of a pattern ends too early")
}

fn number(bytes: &[u8]) -> Result<u64> {
    bytes
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| damaged())
}

/// Give time and bytes of a row that the store has.
pub fn read_row(bytes: &[u8]) -> Result<(i64, i64, &[u8])> {
    let (times, row) = bytes.split_at_checked(TIMES).ok_or_else(damaged)?;
    let (time, now) = times.split_at(TIMES / 2);
    Ok((number(time)? as i64, number(now)? as i64, row))
}

impl Codec for PartitionCodec {
    type Value = Partition;

    fn encode(&self, value: &Partition, out: &mut Vec<u8>) {
        out.push(u8::from(!value.rows.is_empty()));
        out.extend_from_slice(&value.start.to_be_bytes());
        out.extend_from_slice(&value.timer.unwrap_or(NO_TIMER).to_be_bytes());
    }

    fn decode(&self, bytes: &[u8]) -> Result<Partition> {
        let ([has_rows, rest @ ..], []) = bytes.split_first_chunk::<17>().ok_or_else(damaged)?
        else {
            return Err(damaged());
        };
        let start = number(&rest[..8])?;
        let timer = number(&rest[8..])? as i64;
        Ok(Partition {
            first: start,
            start,
            timer: (timer != NO_TIMER).then_some(timer),
            stored: start..start,
            expects: *has_rows != 0,
            is_read: *has_rows == 0,
            ..Partition::default()
        })
    }

    /// Cells and the search count as if they were always there, so that the sum stays right when they come.
    fn heap(&self, value: &Partition) -> usize {
        let row = size_of::<Kept>() + self.cells * size_of::<Cell>() + 32;
        value.bytes + value.rows.len() * row
    }

    fn has_members(&self, value: &Partition) -> bool {
        value.expects || !value.rows.is_empty()
    }

    fn members(&self, value: &Partition, writes: &mut MemberWrites) {
        if value.is_new {
            writes.clear(&[]);
        }
        // Rows come at the end and go at the beginning.
        for gone in value.stored.start..value.stored.end.min(value.first) {
            writes.put(&gone.to_be_bytes(), None);
        }
        for number in value.stored.end.max(value.first)..value.end() {
            let Some(row) = value.get(number) else { break };
            let times = [row.time.to_be_bytes(), row.now.to_be_bytes()].concat();
            writes.put(&number.to_be_bytes(), Some([&times, &row.row[..]].concat()));
        }
    }

    fn settle(&self, value: &mut Partition) {
        value.stored = value.first..value.end();
        value.is_new = false;
    }

    fn admit(&self, value: &mut Partition, suffix: &[u8], bytes: &[u8]) -> Result<()> {
        let number = number(suffix)?;
        if value.rows.is_empty() {
            value.first = number;
        }
        if number != value.end() {
            return Err(Error::damaged(
                "a row that is kept for a pattern is missing",
            ));
        }
        let (time, now, row) = read_row(bytes)?;
        value.push(Kept {
            time,
            now,
            row: row.into(),
            cells: Box::default(),
        });
        value.expects = false;
        value.stored = value.first..value.end();
        Ok(())
    }
}
