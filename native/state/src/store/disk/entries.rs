//! One store on disk: a journal and the newest writes in memory, and below them a log-structured merge tree.

use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};

use lsm_tree::compaction::Leveled;
use lsm_tree::config::{CompressionPolicy, PinningPolicy};
use lsm_tree::{
    AbstractTree, AnyTree, Cache, CompressionType, Config, Guard, SeqNo, SequenceNumberCounter,
};

use super::journal::{self, Journal};
use super::memtable::Memtable;
use super::{run, shared, verify};
use crate::error::{Error, Result};
use crate::store::{Entries, Visit, Write};

/// Where the number of the last write and the position stand among the entries. No other key begins so.
const POSITION: &[u8] = b"\0\0position";
/// A journal that is so much longer than what it leads to is written anew, so that it is read in a moment.
const JOURNAL_SLACK_BYTES: u64 = 2 << 20;
/// So many sorted runs lie side by side before they are merged into the levels below.
const MOST_RUNS: u8 = 8;
/// What is restored at once goes into the tree right away if it is longer than this: to sort it costs a tenth of what the
/// journal and the newest writes would, and a small one would not be worth the files.
const RUN_BYTES: usize = 512 << 10;
/// On closing, a longer journal is moved into the tree, so that the next opening reads none.
const CLOSING_JOURNAL_BYTES: u64 = 64 << 10;
/// Read whatever was written last.
const NOW: SeqNo = SeqNo::MAX;

pub struct DiskEntries {
    folder: PathBuf,
    tree: AnyTree,
    /// Of the tree: it numbers what it takes in.
    numbers: SequenceNumberCounter,
    newest: RwLock<Newest>,
    /// Why the tree could not take sealed writes in. Held while it does.
    maintenance: Mutex<()>,
    progress: Mutex<Progress>,
    moved: Condvar,
    this: Weak<Self>,
    _open: shared::Open,
}

/// What the tree does not hold yet.
struct Newest {
    active: Memtable,
    /// On its way into the tree.
    sealed: Option<Sealed>,
    journal: Journal,
    /// Of the last write.
    number: u64,
    position: Option<i64>,
}

struct Sealed {
    memtable: Arc<Memtable>,
    _moving: shared::Moving,
}

/// Never locked together with the newest writes.
#[derive(Default)]
struct Progress {
    /// There are sealed writes.
    moving: bool,
    failure: Option<Failure>,
    closing: bool,
}

#[derive(Clone)]
struct Failure {
    damaged: bool,
    message: String,
}

impl From<lsm_tree::Error> for Error {
    fn from(error: lsm_tree::Error) -> Self {
        match error {
            lsm_tree::Error::Io(error) => error.into(),
            error => Self::Damaged(format!("the local store is damaged: {error}")),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
        // Files that are not there, or end too early, were there and complete. A damaged one may send the reader to a place
        // that no file has.
        if matches!(
            error.kind(),
            InvalidData | InvalidInput | NotFound | UnexpectedEof
        ) {
            Self::Damaged(format!("the local store is damaged: {error}"))
        } else {
            Self::Io(format!("the local store: {error}"))
        }
    }
}

impl DiskEntries {
    /// Open a store, or make it, in a folder that is there.
    pub fn open(folder: &Path, cache: Arc<Cache>) -> Result<Arc<Self>> {
        let numbers = SequenceNumberCounter::default();
        let path = folder.join("tree");
        verify::check(&path)?;
        let tree = Config::new(path, numbers.clone(), SequenceNumberCounter::default())
            .use_cache(cache)
            .use_descriptor_table(Some(shared::files()))
            // Everything goes through the cache, whose size is bounded.
            .filter_block_pinning_policy(PinningPolicy::all(false))
            .index_block_pinning_policy(PinningPolicy::all(false))
            .data_block_compression_policy(CompressionPolicy::new([
                CompressionType::None,
                CompressionType::None,
                CompressionType::Lz4,
            ]))
            .open()?;
        numbers.fetch_max(
            tree.get_highest_persisted_seqno()
                .map_or(0, |number| number + 1),
        );
        let (mut number, mut position) = match tree.get(POSITION, NOW)? {
            Some(bytes) => {
                let (number, position) = read_position(&bytes)?;
                (number, Some(position))
            }
            None => (0, None),
        };
        let mut active = Memtable::default();
        let journal = Journal::open(folder, |frame| {
            // The tree may have taken a file in that could not be removed any more.
            if frame.number > number {
                frame
                    .writes()
                    .for_each(|(key, value)| active.put(key, value));
                (number, position) = (frame.number, Some(frame.position));
            }
        })?;
        if let Some(position) = position {
            active.put(POSITION, Some(&position_bytes(number, position)));
        }
        Ok(Arc::new_cyclic(|this| Self {
            folder: folder.to_owned(),
            tree,
            numbers,
            newest: RwLock::new(Newest {
                active,
                sealed: None,
                journal,
                number,
                position,
            }),
            maintenance: Mutex::default(),
            progress: Mutex::default(),
            moved: Condvar::new(),
            this: this.clone(),
            _open: shared::Open::count(),
        }))
    }

    fn read_newest(&self) -> RwLockReadGuard<'_, Newest> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_newest(&self) -> RwLockWriteGuard<'_, Newest> {
        self.newest.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Have the newest writes moved into the tree if they are too many.
    ///
    /// Args:
    /// - `wait`: until those before them have been moved; else this is for a later call.
    fn make_room(&self, wait: bool) -> Result<()> {
        self.check()?;
        let full = self.read_newest().active.bytes() > shared::memtable_bytes();
        if !full {
            return Ok(());
        }
        let mut progress = self.progress();
        while wait && progress.moving && progress.failure.is_none() {
            progress = self
                .moved
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if progress.moving {
            return progress
                .failure
                .as_ref()
                .map_or(Ok(()), |failure| Err(failure.error()));
        }
        progress.moving = true;
        drop(progress);
        if let Err(error) = self.write_newest().seal() {
            self.progress().moving = false;
            return Err(error);
        }
        shared::maintain(self.this.clone());
        Ok(())
    }

    fn check(&self) -> Result<()> {
        self.progress()
            .failure
            .as_ref()
            .map_or(Ok(()), |failure| Err(failure.error()))
    }

    /// Move the sealed writes into the tree, and keep the tree in shape. Runs on a thread of its own.
    pub fn maintain(&self) {
        let _alone = self
            .maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.progress().closing {
            return;
        }
        let done = self.move_sealed().and_then(|()| self.compact());
        if let Err(error) = done {
            self.progress().failure = Some(Failure {
                damaged: matches!(error, Error::Damaged(_)),
                message: error.to_string(),
            });
        }
        self.moved.notify_all();
    }

    fn move_sealed(&self) -> Result<()> {
        let (sealed, journal) = {
            let newest = self.read_newest();
            match &newest.sealed {
                Some(sealed) => (Arc::clone(&sealed.memtable), newest.journal.number()),
                None => return Ok(()),
            }
        };
        self.ingest(sealed.iter())?;
        self.write_newest().sealed = None;
        self.progress().moving = false;
        self.moved.notify_all();
        journal::remove_before(&self.folder, journal)
    }

    /// Take a sorted run into the tree, all of it or nothing.
    fn ingest<'a>(&self, run: impl Iterator<Item = Write<'a>>) -> Result<()> {
        let mut ingestion = self.tree.ingestion()?;
        for (key, value) in run {
            match value {
                Some(value) => ingestion.write(key, value)?,
                None => ingestion.write_tombstone(key)?,
            }
        }
        Ok(ingestion.finish()?)
    }

    /// Take writes into the tree, and the newest ones before them.
    fn write_run(&self, writes: &[Write<'_>], position: i64) -> Result<()> {
        let _alone = self
            .maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut newest = loop {
            self.move_sealed()?;
            let newest = self.write_newest();
            if newest.sealed.is_none() {
                break newest;
            }
        };
        let number = newest.number + 1;
        let position_bytes = position_bytes(number, position);
        let mut all: Vec<Write<'_>> = newest.active.iter().collect();
        all.extend_from_slice(writes);
        all.push((POSITION, Some(&position_bytes)));
        let nothing_below = self.tree.table_count() == 0;
        self.ingest(run::sorted(&all).filter(|(_, value)| value.is_some() || !nothing_below))?;
        newest.number = number;
        newest.position = Some(position);
        newest.active = Memtable::default();
        newest.journal.turn()?;
        journal::remove_before(&self.folder, newest.journal.number())
    }

    fn compact(&self) -> Result<()> {
        let strategy = Arc::new(Leveled::default().with_l0_threshold(MOST_RUNS));
        loop {
            let before = self.tree.current_version().id();
            self.tree.compact(strategy.clone(), self.numbers.get())?;
            let closing = self.progress().closing;
            if closing || self.tree.current_version().id() == before {
                break;
            }
        }
        self.tree
            .get_version_history_lock()
            .maintenance(&self.tree.tree_config().path, self.numbers.get())?;
        Ok(())
    }

    /// Wait for what is being moved; a later opening then has little to do. Nothing may be called afterwards.
    pub fn close(&self) {
        self.progress().closing = true;
        let _alone = self
            .maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.check().is_err() {
            return;
        }
        // The journal has it all: if moving fails, the next opening reads that.
        let _ = self.move_sealed().and_then(|()| {
            let mut newest = self.write_newest();
            if newest.journal.bytes() > CLOSING_JOURNAL_BYTES {
                newest.seal()?;
                drop(newest);
                self.move_sealed()?;
            }
            Ok(())
        });
    }
}

impl Failure {
    fn error(&self) -> Error {
        let message = self.message.clone();
        if self.damaged {
            Error::Damaged(message)
        } else {
            Error::Io(message)
        }
    }
}

impl Newest {
    fn seal(&mut self) -> Result<()> {
        self.journal.turn()?;
        self.sealed = Some(Sealed {
            _moving: shared::Moving::count(self.active.bytes()),
            memtable: Arc::new(std::mem::take(&mut self.active)),
        });
        Ok(())
    }

    /// Write the journal anew if most of it is overwritten: keys that change with every commit never reach the tree.
    fn shorten_journal(&mut self, folder: &Path) -> Result<()> {
        let least = self.active.bytes() as u64 + JOURNAL_SLACK_BYTES;
        // The journal of what is on its way into the tree must stay, and with it all that came after.
        let (Some(position), None, true) =
            (self.position, &self.sealed, self.journal.bytes() > least)
        else {
            return Ok(());
        };
        let writes: Vec<Write<'_>> = self
            .active
            .iter()
            .filter(|(key, _)| *key != POSITION)
            .collect();
        self.journal.turn()?;
        self.journal.append(self.number, position, &writes)?;
        journal::remove_before(folder, self.journal.number())
    }

    /// Give what is known of a key, as `Memtable::get`.
    fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.active.get(key).or_else(|| {
            self.sealed
                .as_ref()
                .and_then(|sealed| sealed.memtable.get(key))
        })
    }
}

fn position_bytes(number: u64, position: i64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..].copy_from_slice(&position.to_le_bytes());
    bytes
}

fn read_position(bytes: &[u8]) -> Result<(u64, i64)> {
    let read = || {
        let (number, rest) = bytes.split_first_chunk()?;
        let position: &[u8; 8] = rest.try_into().ok()?;
        Some((u64::from_le_bytes(*number), i64::from_le_bytes(*position)))
    };
    read().ok_or_else(|| Error::damaged("the position in the local store is not sixteen bytes"))
}

impl Entries for DiskEntries {
    fn position(&self) -> Result<Option<i64>> {
        Ok(self.read_newest().position)
    }

    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        // The lock stays while the tree is read: what is moved is always in one of the two.
        let newest = self.read_newest();
        match newest.get(key) {
            Some(Some(value)) => found(value),
            Some(None) => {}
            None => {
                if let Some(value) = self.tree.get(key, NOW)? {
                    found(&value);
                }
            }
        }
        Ok(())
    }

    fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let newest = self.read_newest();
        let empty = Memtable::default();
        let sealed = newest
            .sealed
            .as_ref()
            .map_or(&empty, |sealed| &*sealed.memtable);
        let mut active = newest.active.range(from, to).peekable();
        let mut sealed = sealed.range(from, to).peekable();
        let end = to.map_or(Bound::Unbounded, Bound::Excluded);
        let mut stored = self
            .tree
            .range::<&[u8], _>((Bound::Included(from), end), NOW, None);
        let mut next_stored = stored.next().map(Guard::into_inner).transpose()?;
        loop {
            let first = [
                active.peek().map(|(key, _)| *key),
                sealed.peek().map(|(key, _)| *key),
                next_stored.as_ref().map(|(key, _)| &**key),
            ];
            let Some(key) = first.into_iter().flatten().min() else {
                return Ok(());
            };
            // The newest value of the key, and what is older goes by.
            let key = key.to_vec();
            let of_active = active.next_if(|(other, _)| *other == key);
            let of_sealed = sealed.next_if(|(other, _)| *other == key);
            let of_stored = match &next_stored {
                Some((other, _)) if **other == *key => {
                    let following = stored.next().map(Guard::into_inner).transpose()?;
                    std::mem::replace(&mut next_stored, following)
                }
                _ => None,
            };
            let value = match (&of_active, &of_sealed, &of_stored) {
                (Some((_, value)), _, _) | (None, Some((_, value)), _) => *value,
                (None, None, stored) => stored.as_ref().map(|(_, value)| &**value),
            };
            if let Some(value) = value
                && key != POSITION
                && visit(&key, value)? == ControlFlow::Break(())
            {
                return Ok(());
            }
        }
    }

    fn write(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        shared::Moving::wait_for_room();
        self.make_room(true)?;
        let writes: Vec<Write<'_>> = writes.collect();
        let mut newest = self.write_newest();
        let number = newest.number + 1;
        newest.journal.append(number, position, &writes)?;
        for (key, value) in writes {
            newest.active.put(key, value);
        }
        newest
            .active
            .put(POSITION, Some(&position_bytes(number, position)));
        newest.number = number;
        newest.position = Some(position);
        newest.shorten_journal(&self.folder)?;
        drop(newest);
        self.make_room(false)
    }
    fn restore(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        let mut writes: Vec<Write<'_>> = writes.collect();
        let bytes: usize = (writes.iter())
            .map(|(key, value)| key.len() + value.map_or(0, <[u8]>::len))
            .sum();
        if bytes < RUN_BYTES {
            return self.write(&mut writes.drain(..), position);
        }
        self.check()?;
        self.write_run(&writes, position)?;
        shared::maintain(self.this.clone());
        Ok(())
    }
}
