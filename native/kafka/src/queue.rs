//! A queue of librdkafka that is destroyed with its owner.

use crate::ffi::Queue;
use crate::library::Library;

pub(crate) struct OwnedQueue {
    library: &'static Library,
    pub(crate) pointer: *mut Queue,
}

impl OwnedQueue {
    /// # Safety
    /// `pointer` is a queue that nobody else destroys; its client outlives it.
    pub(crate) unsafe fn own(library: &'static Library, pointer: *mut Queue) -> Self {
        Self { library, pointer }
    }
}

// SAFETY: a queue may be used from any thread.
unsafe impl Send for OwnedQueue {}
unsafe impl Sync for OwnedQueue {}

impl Drop for OwnedQueue {
    fn drop(&mut self) {
        unsafe { (self.library.queue_destroy)(self.pointer) }
    }
}
