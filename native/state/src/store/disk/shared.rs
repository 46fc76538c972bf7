//! What all stores of the process share: the cache of blocks, open files, room for newest writes, and the threads that move
//! them into the trees.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use lsm_tree::{Cache, DescriptorTable};

use super::entries::DiskEntries;

/// Room for the newest writes of all stores together; as much again may be on its way into the trees.
const MEMTABLE_BYTES: usize = 64 << 20;
const LEAST_MEMTABLE_BYTES: usize = 512 << 10;
const MOST_MEMTABLE_BYTES: usize = 16 << 20;
const OPEN_FILES: usize = 256;
const MOST_THREADS: usize = 4;
const PATIENCE: Duration = Duration::from_secs(5);

static CACHE: OnceLock<Arc<Cache>> = OnceLock::new();
static FILES: LazyLock<Arc<DescriptorTable>> =
    LazyLock::new(|| Arc::new(DescriptorTable::new(OPEN_FILES)));
static STORES: AtomicUsize = AtomicUsize::new(0);
static MOVING: Mutex<usize> = Mutex::new(0);
static MOVED: Condvar = Condvar::new();
static WORK: Mutex<Option<Workers>> = Mutex::new(None);

/// Threads that live as long as the process. A process that was forked has none of its parent's.
struct Workers {
    process: u32,
    sender: Sender<Weak<DiskEntries>>,
}

/// Give the cache of blocks; its size is that of the first call.
pub fn cache(bytes: usize) -> Arc<Cache> {
    Arc::clone(CACHE.get_or_init(|| Arc::new(Cache::with_capacity_bytes(bytes as u64))))
}

pub fn files() -> Arc<DescriptorTable> {
    Arc::clone(&FILES)
}

/// Counts a store as open while it lives.
pub struct Open;

impl Open {
    pub fn count() -> Self {
        STORES.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        STORES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Give how many bytes of newest writes one store may hold.
pub fn memtable_bytes() -> usize {
    let share = MEMTABLE_BYTES / STORES.load(Ordering::Relaxed).max(1);
    share.clamp(LEAST_MEMTABLE_BYTES, MOST_MEMTABLE_BYTES)
}

/// Counts bytes as on their way into a tree while it lives.
pub struct Moving(usize);

impl Moving {
    pub fn count(bytes: usize) -> Self {
        *moving() += bytes;
        Self(bytes)
    }

    /// Wait until there is room for more; not for ever, for a broken store may keep what it has.
    pub fn wait_for_room() {
        let full = |bytes: &mut usize| *bytes > MEMTABLE_BYTES;
        drop(
            MOVED
                .wait_timeout_while(moving(), PATIENCE, full)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        *moving() -= self.0;
        MOVED.notify_all();
    }
}

fn moving() -> MutexGuard<'static, usize> {
    MOVING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Have the sealed writes of a store moved into its tree by another thread, soon.
pub fn maintain(store: Weak<DiskEntries>) {
    let mut workers = WORK.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    let present = match workers.take() {
        Some(present) if present.process == process => present,
        _ => Workers {
            process,
            sender: start(),
        },
    };
    // They never end, so there is somebody to take it.
    let _ = present.sender.send(store);
    *workers = Some(present);
}

fn start() -> Sender<Weak<DiskEntries>> {
    let (sender, receiver) = channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..cores.div_ceil(2).min(MOST_THREADS) {
        let receiver = Arc::clone(&receiver);
        thread::Builder::new()
            .name("headrace-state".to_owned())
            .spawn(move || work(&receiver))
            .expect("a thread can be started");
    }
    sender
}

fn work(receiver: &Mutex<Receiver<Weak<DiskEntries>>>) {
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(store) = next else { return };
        if let Some(store) = store.upgrade() {
            store.maintain();
        }
    }
}
