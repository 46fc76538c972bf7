//! Asks where a group left off, and does not wait for the answer.
//!
//! librdkafka looks committed offsets up by itself for a partition that is assigned without one. That is not safe: if
//! more partitions are assigned while the answer is on its way, and a transaction of a killed member is still open, it
//! takes "not stable yet" for "nothing committed" and begins by `auto.offset.reset` (seen with 2.12 and 2.16:
//! `rd_kafka_assignment_apply_offsets` puts the partition back without restoring its offset). Everything would be read
//! again, or left out. The admin request used here gives each partition's own error.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::client::{Client, millis};
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

/// How long a client that has just answered may be asked again.
const FRESH: Duration = Duration::from_secs(1);

/// Asks for a member, with its client the first time and then with clients of its own.
///
/// librdkafka 2.10 to 2.16 keeps asking the coordinator it remembers after that broker has left the cluster, even if the
/// same broker is back (confluentinc/librdkafka#5511); a new client remembers none.
pub(crate) struct Asker {
    library: &'static Library,
    properties: BTreeMap<String, String>,
    // Before the client: fields are dropped in order, and its queue must be gone first.
    question: Option<Question>,
    client: Option<Client>,
    asked_before: bool,
    answered: Option<Instant>,
}

impl Asker {
    pub(crate) fn new(library: &'static Library, properties: &BTreeMap<String, String>) -> Self {
        Self {
            library,
            properties: properties.clone(),
            question: None,
            client: None,
            asked_before: false,
            answered: None,
        }
    }

    /// Send a question; one that is still open is forgotten.
    ///
    /// # Safety
    /// `member` is the handle of the client that the properties are of, and outlives this.
    pub(crate) unsafe fn ask(
        &mut self,
        member: *mut Handle,
        group: &str,
        partitions: &[Position],
        timeout: Duration,
    ) -> Result<()> {
        self.question = None;
        if self.answered.is_none_or(|then| then.elapsed() >= FRESH) {
            self.client = None;
            if self.asked_before {
                self.client = Some(Client::new(self.library, PRODUCER, &self.properties)?);
            }
        }
        self.asked_before = true;
        self.answered = None;
        let handle = self.client.as_ref().map_or(member, |client| client.handle);
        // SAFETY: the question is dropped before the client.
        let question = unsafe { Question::ask(self.library, handle, group, partitions, timeout) }?;
        self.question = Some(question);
        Ok(())
    }

    /// The answer, if it comes within `wait`; it is given once.
    ///
    /// # Errors
    /// The request failed as a whole.
    pub(crate) fn answer(&mut self, wait: Duration) -> Result<Option<Vec<GroupOffset>>> {
        let Some(question) = &self.question else {
            return Ok(None);
        };
        let answer = question.answer(wait);
        if matches!(answer, Ok(None)) {
            return answer;
        }
        self.question = None;
        if let Ok(Some(offsets)) = &answer {
            self.answered = Some(Instant::now());
            if offsets.iter().all(|offset| offset.error.is_empty()) {
                // It will not be needed soon.
                self.client = None;
                self.answered = None;
            }
        }
        answer
    }
}

/// A request that is on its way.
struct Question {
    library: &'static Library,
    queue: OwnedQueue,
}

impl Question {
    /// # Safety
    /// `handle` outlives the question.
    unsafe fn ask(
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
    fn answer(&self, wait: Duration) -> Result<Option<Vec<GroupOffset>>> {
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
