//! What waits for stream time, in the order in which it comes out.
//!
//! Each is an entry of the store: prefix, the time it waits for, its number → what it is. In memory is the beginning of them, and
//! what has come since the kernel was opened; so opening reads nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::store::{Store, prefix_end};
use crate::tasks::{Part, PartStats};

/// How many are read from the store at once.
const CHUNK: usize = 1024;

/// The time that is waited for, and a number that tells apart what waits for the same time.
pub type Place = (i64, u64);

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

/// Put two strings of bytes together: what is looked at while a row waits, and the row.
pub fn joined(first: &[u8], row: &[u8]) -> Box<[u8]> {
    [&(first.len() as u32).to_be_bytes(), first, row]
        .concat()
        .into()
}

/// Take them apart.
pub fn apart(bytes: &[u8]) -> Result<(&[u8], &[u8])> {
    bytes
        .split_first_chunk()
        .and_then(|(length, rest)| rest.split_at_checked(u32::from_be_bytes(*length) as usize))
        .ok_or_else(|| Error::damaged("a row that waits for its turn ends too early"))
}

/// Something that waits.
pub trait Waits: Sized {
    fn encode(&self, out: &mut Vec<u8>);
    fn decode(bytes: &[u8]) -> Result<Self>;
    /// Bytes it takes beside itself.
    fn heap(&self) -> usize;
}

/// Bytes as they are.
impl Waits for Box<[u8]> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(bytes.into())
    }

    fn heap(&self) -> usize {
        self.len()
    }
}

struct Entry<W> {
    waits: W,
    stored: bool,
}

impl<W: Waits> Entry<W> {
    /// About.
    fn bytes(&self) -> usize {
        size_of::<Place>() + size_of::<Self>() + 32 + self.waits.heap()
    }
}

pub struct Queue<W> {
    store: Store,
    prefix: u8,
    waiting: BTreeMap<Place, Entry<W>>,
    /// Since the last commit; some are gone again.
    added: Vec<Place>,
    /// Of those in the store, gone since the last commit.
    removed: BTreeSet<Place>,
    /// All that are in the store and before this are in memory, or removed.
    loaded_until: Option<Place>,
    bytes: usize,
}

impl<W: Waits> Queue<W> {
    /// Args:
    /// - `prefix`: first byte of the keys in the store.
    pub fn open(store: &Store, prefix: u8) -> Result<Self> {
        let first = (i64::MIN, 0);
        Ok(Self {
            store: store.clone(),
            prefix,
            waiting: BTreeMap::new(),
            added: Vec::new(),
            removed: BTreeSet::new(),
            loaded_until: (!store.is_empty(&[prefix])?).then_some(first),
            bytes: 0,
        })
    }

    pub fn add(&mut self, place: Place, waits: W) {
        let entry = Entry {
            waits,
            stored: false,
        };
        self.bytes += entry.bytes();
        self.added.push(place);
        self.waiting.insert(place, entry);
    }

    /// What was added waits no more.
    pub fn remove(&mut self, place: Place) {
        match self.waiting.remove(&place) {
            Some(entry) => {
                self.bytes -= entry.bytes();
                if entry.stored {
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
            && self.store.get(&self.key(place), |_| ())?.is_some())
    }

    /// Give the first of them whose time is before `time`, and forget it.
    pub fn pop_before(&mut self, time: i64) -> Result<Option<(Place, W)>> {
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
        let (place, entry) = first.remove_entry();
        self.bytes -= entry.bytes();
        if entry.stored {
            self.removed.insert(place);
        }
        Ok(Some((place, entry.waits)))
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
        let end = prefix_end(&[self.prefix]);
        store.scan(&self.key(from), end.as_deref(), |key, value| {
            let place = read_place(&key[1..])?;
            if count == CHUNK {
                next = Some(place);
                return Ok(ControlFlow::Break(()));
            }
            count += 1;
            if !self.removed.contains(&place) && !self.waiting.contains_key(&place) {
                let entry = Entry {
                    waits: W::decode(value)?,
                    stored: true,
                };
                self.bytes += entry.bytes();
                self.waiting.insert(place, entry);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.loaded_until = next;
        Ok(())
    }

    fn key(&self, place: Place) -> [u8; 17] {
        let mut key = [0; 17];
        key[0] = self.prefix;
        key[1..].copy_from_slice(&place_bytes(place));
        key
    }
}

impl<W: Waits> Part for Queue<W> {
    fn collect(&mut self, changes: &mut Changes) -> Result<()> {
        for place in &self.removed {
            changes.push(&self.key(*place), None, Some(place.0.max(0)))?;
        }
        let mut bytes = Vec::new();
        for place in &self.added {
            // What came and went between two commits was never anywhere.
            if let Some(entry) = self.waiting.get(place) {
                bytes.clear();
                entry.waits.encode(&mut bytes);
                changes.push(&self.key(*place), Some(&bytes), Some(place.0.max(0)))?;
            }
        }
        Ok(())
    }

    fn settle(&mut self) {
        self.removed.clear();
        for place in self.added.drain(..) {
            if let Some(entry) = self.waiting.get_mut(&place) {
                entry.stored = true;
            }
        }
    }

    /// Rare: so all go, and are read again as their time comes.
    fn rollback(&mut self) -> Result<()> {
        *self = Self::open(&self.store, self.prefix)?;
        Ok(())
    }

    /// Those whose time comes last go first.
    fn shrink(&mut self, bytes: usize) {
        while self.bytes > bytes
            && let Some((place, entry)) = self.waiting.pop_last()
        {
            self.bytes -= entry.bytes();
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

/// Bytes of a place that compare as the places do.
pub fn place_bytes((time, number): Place) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&time_bytes(time));
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Read the key of an entry, without the prefix.
pub fn read_place(key: &[u8]) -> Result<Place> {
    match key.split_at_checked(8) {
        Some((time, number)) => Ok((read_time(time)?, read_u64(number)?)),
        None => Err(Error::damaged("the key of a row that waits is too short")),
    }
}
