//! Asks where a group left off, and does not wait for the answer.
//!
//! librdkafka looks committed offsets up by itself for a partition that is assigned without one. That is not safe: if
//! more partitions are assigned while the answer is on its way, and a transaction of a killed member is still open, it
//! takes "not stable yet" for "nothing committed" and begins by `auto.offset.reset` (seen with 2.12 and 2.16:
//! `rd_kafka_assignment_apply_offsets` puts the partition back without restoring its offset). Everything would be read
//! again, or left out. The admin request used here gives each partition's own error.

use std::time::Duration;

use crate::client::millis;
use crate::error::{Error, Result};
use crate::ffi::*;
use crate::library::{Library, text};
use crate::partitions::{List, Position, c_string, elements};
use crate::queue::OwnedQueue;

/// What a group has committed for a partition: an offset, `OFFSET_INVALID` for none, or the name of an error.
#[derive(Clone, Debug)]
pub struct GroupOffset {
    pub position: Position,
    /// Empty if the offset holds.
    pub error: String,
}

/// A request that is on its way.
pub(crate) struct Question {
    library: &'static Library,
    queue: OwnedQueue,
}

impl Question {
    /// # Safety
    /// `handle` outlives the question.
    pub(crate) unsafe fn ask(
        library: &'static Library,
        handle: *mut Handle,
        group: &str,
        partitions: &[Position],
        timeout: Duration,
    ) -> Result<Self> {
        let group = c_string(group)?;
        let list = List::new(library, partitions)?;
        // SAFETY: options, request and list are copied by the call and freed here.
        unsafe {
            let queue = OwnedQueue::own(library, (library.queue_new)(handle));
            let options = (library.admin_options_new)(handle, ADMIN_GROUP_OFFSETS);
            let mut reason = [0; 256];
            let timed = (library.admin_options_timeout)(
                options,
                millis(timeout),
                reason.as_mut_ptr(),
                reason.len(),
            );
            let stable = Error::take(library, (library.admin_options_stable)(options, 1));
            let ready = if timed == 0 {
                stable
            } else {
                Err(Error::local(text(reason.as_ptr())))
            };
            if ready.is_ok() {
                let mut request = (library.group_offsets_new)(group.as_ptr(), list.pointer);
                (library.group_offsets)(handle, &raw mut request, 1, options, queue.pointer);
                (library.group_offsets_destroy)(request);
            }
            (library.admin_options_destroy)(options);
            ready.map(|()| Self { library, queue })
        }
    }

    /// The answer, if it comes within `wait`.
    ///
    /// # Errors
    /// The request failed as a whole.
    pub(crate) fn answer(&self, wait: Duration) -> Result<Option<Vec<GroupOffset>>> {
        let library = self.library;
        // SAFETY: the event is ours and freed here, after everything was copied out of it.
        unsafe {
            let event = (library.queue_poll)(self.queue.pointer, millis(wait));
            if event.is_null() {
                return Ok(None);
            }
            let answer = Error::check(library, (library.event_error)(event))
                .and_then(|()| read(library, event));
            (library.event_destroy)(event);
            answer.map(Some)
        }
    }
}

/// # Safety
/// `event` is a valid event.
unsafe fn read(library: &Library, event: *mut Event) -> Result<Vec<GroupOffset>> {
    unsafe {
        let result = (library.event_group_offsets)(event);
        let mut count = 0;
        let groups = if result.is_null() {
            std::ptr::null()
        } else {
            (library.group_offsets_groups)(result, &raw mut count)
        };
        if groups.is_null() || count != 1 {
            return Err(Error::local("the answer holds no group"));
        }
        let error = (library.group_result_error)(*groups);
        if !error.is_null() {
            return Err(Error::new(
                library,
                (library.c_error_code)(error),
                text((library.c_error_text)(error)),
            ));
        }
        let partitions = (library.group_result_partitions)(*groups);
        if partitions.is_null() {
            return Ok(Vec::new());
        }
        Ok(elements(&*partitions)
            .iter()
            .map(|element| GroupOffset {
                position: Position {
                    topic: text(element.topic),
                    partition: element.partition,
                    offset: element.offset,
                },
                error: if element.err == 0 {
                    String::new()
                } else {
                    text((library.error_name)(element.err))
                },
            })
            .collect())
    }
}
