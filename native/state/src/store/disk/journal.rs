//! The journal of a store: every write that is not in the tree yet, so that a killed process loses none.
//!
//! A journal is a row of files by number. Each holds frames: eight bytes length, eight bytes checksum (XXH3) of the rest, the
//! frame's number, the position of the changelog, and the entries. Nothing is forced to the disk: after a power cut the last
//! frames may be missing or torn. Whatever is left up to the first torn frame is what was committed at some moment, and the
//! changelog knows the rest.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::error::Result;
use crate::store::Write;

const EXTENSION: &str = "journal";
/// Length and checksum.
const HEADER: usize = 16;
/// Number and position.
const FIXED: usize = 16;
const DELETED: u32 = u32::MAX;
/// A buffer that one large write has made larger than this is given back.
const KEPT_BUFFER: usize = 1 << 20;

/// The file that is written now.
pub struct Journal {
    folder: PathBuf,
    number: u64,
    file: File,
    bytes: u64,
    buffer: Vec<u8>,
}

/// One write.
pub struct Frame<'a> {
    pub number: u64,
    pub position: i64,
    entries: &'a [u8],
}

impl Journal {
    /// Read what is left of the journal, frame by frame, and go on at its end. What stands after a torn frame is removed.
    pub fn open(folder: &Path, mut read: impl FnMut(&Frame<'_>)) -> Result<Self> {
        let mut numbers = numbers(folder)?;
        let mut end = None;
        while let Some(number) = numbers.first().copied() {
            numbers.remove(0);
            let bytes = fs::read(path(folder, number))?;
            let sound = replay(&bytes, &mut read);
            end = Some((number, sound as u64));
            if sound < bytes.len() {
                for later in numbers.iter().rev() {
                    fs::remove_file(path(folder, *later))?;
                }
                break;
            }
        }
        let (number, bytes) = end.unwrap_or((0, 0));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path(folder, number))?;
        file.set_len(bytes)?;
        Ok(Self {
            folder: folder.to_owned(),
            number,
            file,
            bytes,
            buffer: Vec::new(),
        })
    }

    /// The number of the file that is written now.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The length of the file that is written now.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Append a write; it is complete when this returns, or not there at all.
    pub fn append(&mut self, number: u64, position: i64, writes: &[Write<'_>]) -> Result<()> {
        let buffer = &mut self.buffer;
        buffer.clear();
        buffer.resize(HEADER, 0);
        buffer.extend_from_slice(&number.to_le_bytes());
        buffer.extend_from_slice(&position.to_le_bytes());
        for (key, value) in writes {
            buffer.extend_from_slice(&(key.len() as u32).to_le_bytes());
            buffer.extend_from_slice(
                &value
                    .map_or(DELETED, |value| value.len() as u32)
                    .to_le_bytes(),
            );
            buffer.extend_from_slice(key);
            buffer.extend_from_slice(value.unwrap_or_default());
        }
        let (header, body) = buffer.split_at_mut(HEADER);
        header[..8].copy_from_slice(&(body.len() as u64).to_le_bytes());
        header[8..].copy_from_slice(&xxh3_64(body).to_le_bytes());
        if let Err(error) = self.file.write_all(buffer) {
            // A half frame would hide all that come after it.
            self.file.set_len(self.bytes)?;
            return Err(error.into());
        }
        self.bytes += buffer.len() as u64;
        if buffer.capacity() > KEPT_BUFFER {
            *buffer = Vec::new();
        }
        Ok(())
    }

    /// Begin the next file.
    pub fn turn(&mut self) -> Result<()> {
        let number = self.number + 1;
        self.file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path(&self.folder, number))?;
        self.number = number;
        self.bytes = 0;
        Ok(())
    }
}

/// Remove the files before one, oldest first: what is left is always the end of the journal.
pub fn remove_before(folder: &Path, number: u64) -> Result<()> {
    for old in numbers(folder)?.into_iter().filter(|old| *old < number) {
        match fs::remove_file(path(folder, old)) {
            // Two threads may remove the same files.
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.{EXTENSION}"))
}

fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
        {
            numbers.extend(
                path.file_stem()
                    .and_then(|stem| stem.to_str()?.parse::<u64>().ok()),
            );
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Read frames and give the length of those that are sound.
fn replay(bytes: &[u8], read: &mut impl FnMut(&Frame<'_>)) -> usize {
    let mut at = 0;
    while let Some((frame, length)) = frame(&bytes[at..]) {
        read(&frame);
        at += length;
    }
    at
}

fn frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (checksum, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let body = rest.get(..length).filter(|body| body.len() >= FIXED)?;
    if xxh3_64(body) != u64::from_le_bytes(*checksum) {
        return None;
    }
    let (number, rest) = body.split_first_chunk()?;
    let (position, entries) = rest.split_first_chunk()?;
    let frame = Frame {
        number: u64::from_le_bytes(*number),
        position: i64::from_le_bytes(*position),
        entries,
    };
    Some((frame, HEADER + length))
}

impl<'a> Frame<'a> {
    /// Walk the entries. Their bytes are those that were written: the checksum says so.
    pub fn writes(&self) -> impl Iterator<Item = Write<'a>> {
        let mut rest = self.entries;
        std::iter::from_fn(move || {
            let (key_length, after) = rest.split_first_chunk()?;
            let (value_length, after) = after.split_first_chunk()?;
            let (key, after) = after.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
            let value_length = u32::from_le_bytes(*value_length);
            let (value, after) = match value_length {
                DELETED => (None, after),
                length => {
                    let (value, after) = after.split_at_checked(length as usize)?;
                    (Some(value), after)
                }
            };
            rest = after;
            Some((key, value))
        })
    }
}
