//! Stores in a directory: a lock, and for each store a folder with its name, its journal and its tree.
//!
//! A folder counts once its file `store.json` is there: it is written last when a store begins and removed first when it goes.

mod entries;
mod journal;
mod memtable;
mod run;
mod shared;
mod verify;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lsm_tree::Cache;
use serde::{Deserialize, Serialize};

use self::entries::DiskEntries;
use super::{Backend, Entries, Visit, Write};
use crate::error::{Error, Result};

const LOCK: &str = "lock";
const ABOUT: &str = "store.json";
/// Of the layout of the folders. Another one is refused, as damaged: the changelog is read again.
const VERSION: u32 = 1;

pub struct Disk {
    path: PathBuf,
    cache: Arc<Cache>,
    lock: Arc<File>,
    stores: Mutex<Stores>,
}

#[derive(Default)]
struct Stores {
    by_name: BTreeMap<String, Folder>,
    /// Of the next folder.
    next: u64,
}

struct Folder {
    path: PathBuf,
    fingerprint: String,
    opened: Option<Arc<DiskStore>>,
}

#[derive(Serialize, Deserialize)]
struct About {
    version: u32,
    name: String,
    fingerprint: String,
}

/// A store that is open, and closes with its last user.
struct DiskStore {
    entries: Arc<DiskEntries>,
    /// Given up after the entries are closed: threads of ours may keep them a moment longer.
    _lock: Arc<File>,
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.entries.close();
    }
}

impl Disk {
    pub fn open(path: &Path, cache_bytes: usize) -> Result<Self> {
        fs::create_dir_all(path)?;
        let lock = lock(path)?;
        let mut stores = Stores::default();
        for entry in fs::read_dir(path)? {
            let folder = entry?.path();
            let Some(number) = folder
                .file_name()
                .and_then(|name| name.to_str()?.parse::<u64>().ok())
            else {
                continue;
            };
            stores.next = stores.next.max(number + 1);
            match about(&folder)? {
                Some(about) => {
                    let fingerprint = about.fingerprint;
                    stores.by_name.insert(
                        about.name,
                        Folder {
                            path: folder,
                            fingerprint,
                            opened: None,
                        },
                    );
                }
                // Its beginning, or its end, was interrupted.
                None => fs::remove_dir_all(&folder)?,
            }
        }
        Ok(Self {
            path: path.to_owned(),
            cache: shared::cache(cache_bytes),
            lock: Arc::new(lock),
            stores: Mutex::new(stores),
        })
    }

    fn stores(&self) -> MutexGuard<'_, Stores> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(format!(
            "the state in {} is used by another process",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn about(folder: &Path) -> Result<Option<About>> {
    let path = folder.join(ABOUT);
    if !path.try_exists()? {
        return Ok(None);
    }
    let about: About = serde_json::from_slice(&fs::read(path)?)
        .map_err(|error| Error::Damaged(format!("the local store is damaged: {error}")))?;
    if about.version == VERSION {
        Ok(Some(about))
    } else {
        Err(Error::Damaged(format!(
            "the local store has version {} of its layout, not {VERSION}",
            about.version
        )))
    }
}

impl Backend for Disk {
    fn names(&self) -> Result<Vec<String>> {
        Ok(self.stores().by_name.keys().cloned().collect())
    }

    fn fingerprint(&self, store: &str) -> Result<Option<String>> {
        Ok(self
            .stores()
            .by_name
            .get(store)
            .map(|folder| folder.fingerprint.clone()))
    }

    fn begin(&self, store: &str, fingerprint: &str) -> Result<()> {
        let mut stores = self.stores();
        if let Some(folder) = stores.by_name.remove(store) {
            fs::remove_file(folder.path.join(ABOUT))?;
            drop(folder.opened);
            fs::remove_dir_all(&folder.path)?;
        }
        let path = self.path.join(stores.next.to_string());
        stores.next += 1;
        fs::create_dir_all(&path)?;
        let about = About {
            version: VERSION,
            name: store.to_owned(),
            fingerprint: fingerprint.to_owned(),
        };
        let text = serde_json::to_vec(&about).map_err(|error| Error::Io(error.to_string()))?;
        // Written beside and renamed, so that it is there whole or not at all.
        let beside = path.join("store.json.new");
        fs::write(&beside, text)?;
        fs::rename(&beside, path.join(ABOUT))?;
        let folder = Folder {
            path,
            fingerprint: fingerprint.to_owned(),
            opened: None,
        };
        stores.by_name.insert(store.to_owned(), folder);
        Ok(())
    }

    fn open(&self, store: &str) -> Result<Option<Arc<dyn Entries>>> {
        let mut stores = self.stores();
        let Some(folder) = stores.by_name.get_mut(store) else {
            return Ok(None);
        };
        let opened = match &folder.opened {
            Some(opened) => Arc::clone(opened),
            None => {
                let entries = DiskEntries::open(&folder.path, Arc::clone(&self.cache))?;
                let opened = Arc::new(DiskStore {
                    entries,
                    _lock: Arc::clone(&self.lock),
                });
                folder.opened = Some(Arc::clone(&opened));
                opened
            }
        };
        Ok(Some(opened))
    }
}

impl Entries for DiskStore {
    fn position(&self) -> Result<Option<i64>> {
        self.entries.position()
    }

    fn get(&self, key: &[u8], found: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.entries.get(key, found)
    }

    fn scan(&self, from: &[u8], to: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        self.entries.scan(from, to, visit)
    }

    fn write(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        self.entries.write(writes, position)
    }

    fn restore(&self, writes: &mut dyn Iterator<Item = Write<'_>>, position: i64) -> Result<()> {
        self.entries.restore(writes, position)
    }
}
