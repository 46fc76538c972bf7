//! The rows of an outer join that have found no partner yet, in the order in which they come out if they find none.
//!
//! Each is an entry of the store: prefix, last time that could match, number of the row → side, join key, and the row if its key
//! matches nothing (then it is kept nowhere else). In memory is the beginning of them, and what has come since the kernel was
//! opened; so opening reads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::bytes::{read_time, read_u64, time_bytes};
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::store::{Store, prefix_end};
use crate::tasks::{Part, PartStats};

pub const PREFIX: &[u8] = b"u";
/// How many are read from the store at once.
const CHUNK: usize = 1024;
/// Bytes that a row takes beside those of its key and its own, about.
const ENTRY_BYTES: usize = size_of::<Place>() + size_of::<Waiting>() + 32;

/// The last time that could match a row, and its number.
pub type Place = (i64, u64);

/// A row without a partner.
pub struct Waiting {
    pub side: usize,
    pub key: Box<[u8]>,
    /// None: it is among the kept rows of its key.
    pub row: Option<Box<[u8]>>,
    stored: bool,
}

impl Waiting {
    pub fn new(side: usize, key: &[u8], row: Option<&[u8]>) -> Self {
        Self {
            side,
            key: key.into(),
            row: row.map(Into::into),
            stored: false,
        }
    }

    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.key.len() + self.row.as_ref().map_or(0, |row| row.len())
    }

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
            stored: true,
        })
    }
}

pub struct Unmatched {
    store: Store,
    waiting: BTreeMap<Place, Waiting>,
    /// Since the last commit; some are gone again.
    added: Vec<Place>,
    /// Of those in the store, gone since the last commit.
    removed: BTreeSet<Place>,
    /// All that are in the store and before this are in memory, or removed.
    loaded_until: Option<Place>,
    bytes: usize,
}

impl Unmatched {
    pub fn open(store: &Store) -> Result<Self> {
        let first = (i64::MIN, 0);
        Ok(Self {
            store: store.clone(),
            waiting: BTreeMap::new(),
            added: Vec::new(),
            removed: BTreeSet::new(),
            loaded_until: (!store.is_empty(PREFIX)?).then_some(first),
            bytes: 0,
        })
    }

    pub fn add(&mut self, place: Place, waiting: Waiting) {
        self.bytes += waiting.bytes();
        self.added.push(place);
        self.waiting.insert(place, waiting);
    }

    /// A row that was among them has found a partner.
    pub fn remove(&mut self, place: Place) {
        match self.waiting.remove(&place) {
            Some(waiting) => {
                self.bytes -= waiting.bytes();
                if waiting.stored {
                    self.removed.insert(place);
                }
            }
            None => {
                self.removed.insert(place);
            }
        }
    }

    pub fn contains(&self, place: Place) -> Result<bool> {
        if self.waiting.contains_key(&place) {
            return Ok(true);
        }
        let unread = self.loaded_until.is_some_and(|until| place >= until);
        Ok(unread
            && !self.removed.contains(&place)
            && self.store.get(&key(place), |_| ())?.is_some())
    }

    /// Give the first of them whose last time that could match is before `time`, and forget it.
    pub fn pop_before(&mut self, time: i64) -> Result<Option<(Place, Waiting)>> {
        while self.loaded_until.is_some_and(|(until, _)| until < time) {
            self.load()?;
        }
        let Some(first) = self
            .waiting
            .first_entry()
            .filter(|first| first.key().0 < time)
        else {
            return Ok(None);
        };
        let (place, waiting) = first.remove_entry();
        self.bytes -= waiting.bytes();
        if waiting.stored {
            self.removed.insert(place);
        }
        Ok(Some((place, waiting)))
    }

    /// Read all from the store.
    pub fn load_all(&mut self) -> Result<()> {
        while self.loaded_until.is_some() {
            self.load()?;
        }
        Ok(())
    }

    /// Read the next from the store.
    fn load(&mut self) -> Result<()> {
        let Some(from) = self.loaded_until else {
            return Ok(());
        };
        let store = self.store.clone();
        let (mut count, mut next) = (0, None);
        store.scan(&key(from), prefix_end(PREFIX).as_deref(), |key, value| {
            let place = read_key(&key[PREFIX.len()..])?;
            if count == CHUNK {
                next = Some(place);
                return Ok(ControlFlow::Break(()));
            }
            count += 1;
            if !self.removed.contains(&place) && !self.waiting.contains_key(&place) {
                let waiting = Waiting::decode(value)?;
                self.bytes += waiting.bytes();
                self.waiting.insert(place, waiting);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.loaded_until = next;
        Ok(())
    }
}

impl Part for Unmatched {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        for place in &self.removed {
            changes.push(&key(*place), None, Some(place.0.max(0)))?;
        }
        let mut bytes = Vec::new();
        for place in &self.added {
            // What came and went between two commits was never anywhere.
            if let Some(waiting) = self.waiting.get(place) {
                bytes.clear();
                waiting.encode(&mut bytes);
                changes.push(&key(*place), Some(&bytes), Some(place.0.max(0)))?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.removed.clear();
        for place in self.added.drain(..) {
            if let Some(waiting) = self.waiting.get_mut(&place) {
                waiting.stored = true;
            }
        }
    }

    /// Rare: so all go, and are read again as their time comes.
    fn rollback(&mut self) -> Result<()> {
        *self = Self::open(&self.store)?;
        Ok(())
    }

    /// Those whose time comes last go first.
    fn shrink(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some((place, waiting)) = self.waiting.pop_last()
        {
            self.bytes -= waiting.bytes();
            self.loaded_until = Some(self.loaded_until.map_or(place, |until| until.min(place)));
        }
    }

    fn stats(&self) -> PartStats {
        PartStats {
            entries: self.waiting.len(),
            clean_bytes: self.bytes,
            bytes: self.bytes,
            ..PartStats::default()
        }
    }
}

fn key(place: Place) -> [u8; 17] {
    let mut key = [0; 17];
    key[0] = PREFIX[0];
    key[1..9].copy_from_slice(&time_bytes(place.0));
    key[9..].copy_from_slice(&place.1.to_be_bytes());
    key
}

fn read_key(key: &[u8]) -> Result<Place> {
    match key.split_at_checked(8) {
        Some((time, number)) => Ok((read_time(time)?, read_u64(number)?)),
        None => Err(Error::damaged(
            "the key of a row without a partner is too short",
        )),
    }
}
