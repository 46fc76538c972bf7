//! Looks at files of a tree before `lsm_tree` does, which takes some of their numbers for granted: it would ask for as much
//! memory as a damaged one says, which ends the process, or leave tables out.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};

/// Bytes at the end of an archive: magic, version, kind of checksum, checksum, position and length of the contents.
const TRAILER: usize = 4 + 1 + 1 + 16 + 8 + 8;

/// Bytes of the head of the contents: magic and number of entries.
const HEAD: usize = 4 + 4;

/// Check what lists the tables, and where each table says how many sections it has.
///
/// # Errors
/// [`Error::Damaged`] if the tree must not be opened.
pub fn check(tree: &Path) -> Result<()> {
    let current = match fs::read(tree.join("current")) {
        Ok(current) => current,
        // A new one.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let (number, checksum) = match (current.first_chunk(), current.get(8..24)) {
        (Some(number), Some(checksum)) => (u64::from_le_bytes(*number), checksum),
        _ => return Err(damaged("which version of it counts")),
    };
    let version = fs::read(tree.join(format!("v{number}")))?;
    if xxh3_128(&version).to_le_bytes() != checksum {
        return Err(damaged("the list of its tables"));
    }
    for entry in fs::read_dir(tree.join("tables"))? {
        check_contents(File::open(entry?.path())?)?;
    }
    Ok(())
}

/// Check that a table has no more sections than fit into it. One without an end is not read, or found damaged then.
fn check_contents(mut table: File) -> Result<()> {
    let bytes = table.metadata()?.len();
    let mut trailer = [0; TRAILER];
    let mut head = [0; HEAD];
    let Some(end) = bytes.checked_sub(TRAILER as u64) else {
        return Ok(());
    };
    table.seek(SeekFrom::Start(end))?;
    table.read_exact(&mut trailer)?;
    if !trailer.starts_with(b"SFA!") {
        return Ok(());
    }
    let contents = trailer[22..30].try_into().map_or(0, u64::from_le_bytes);
    if contents.saturating_add(HEAD as u64) > end {
        return Err(damaged("the end of a table"));
    }
    table.seek(SeekFrom::Start(contents))?;
    table.read_exact(&mut head)?;
    let sections = head[4..].try_into().map_or(0, u32::from_le_bytes);
    if u64::from(sections) > end - contents {
        return Err(damaged("the contents of a table"));
    }
    Ok(())
}

fn damaged(what: &str) -> Error {
    Error::Damaged(format!("the local store is damaged: {what} cannot be read"))
}
