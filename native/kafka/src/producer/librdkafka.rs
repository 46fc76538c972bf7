//! Writes through librdkafka.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use super::Failure;
use crate::client::{Client, lock, millis};
use crate::columns::{self, Columns};
use crate::error::{Error, Result, code};
use crate::ffi::*;
use crate::library::Library;
use crate::partitions::{List, Position, c_string};

const FULL_WAIT: Duration = Duration::from_millis(5);
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// How long one call waits before it is made anew: transactional calls go on where they were.
const CALL: Duration = Duration::from_secs(1);

/// A producer of librdkafka.
pub(super) struct Producer {
    topics: HashMap<String, TopicHandle>,
    client: Client,
    next_batch: u32,
}

struct TopicHandle {
    library: &'static Library,
    pointer: *mut Topic,
}

// SAFETY: a topic handle may be used from any thread.
unsafe impl Send for TopicHandle {}
unsafe impl Sync for TopicHandle {}

impl Drop for TopicHandle {
    fn drop(&mut self) {
        unsafe { (self.library.topic_destroy)(self.pointer) }
    }
}

impl Producer {
    pub(super) fn new(
        library: &'static Library,
        properties: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let client = Client::new(library, PRODUCER, properties)?;
        Ok(Self {
            topics: HashMap::new(),
            client,
            next_batch: 0,
        })
    }

    /// Call until it succeeds, fails for good, or time is up.
    fn retry(
        &self,
        timeout: Duration,
        call: impl Fn(&'static Library, *mut Handle, i32) -> *mut CError,
    ) -> Result<()> {
        let end = Instant::now() + timeout;
        loop {
            let wait = end.saturating_duration_since(Instant::now()).min(CALL);
            let library = self.client.library;
            let result =
                unsafe { Error::take(library, call(library, self.client.handle, millis(wait))) };
            self.serve();
            match result {
                Err(error) if error.retriable && Instant::now() < end => {
                    if let Some(fault) = self.client.fault() {
                        return Err(fault);
                    }
                    if error.code != code::TIMED_OUT {
                        std::thread::sleep(RETRY_WAIT);
                    }
                }
                other => return other,
            }
        }
    }

    /// Run the callbacks that wait; called again and again by whatever waits.
    fn serve(&self) {
        self.client.keep_brokers();
        unsafe { (self.client.library.poll)(self.client.handle, 0) };
    }

    fn topic(&mut self, name: &str) -> Result<*mut Topic> {
        if let Some(handle) = self.topics.get(name) {
            return Ok(handle.pointer);
        }
        let library = self.client.library;
        let text = c_string(name)?;
        let pointer =
            unsafe { (library.topic_new)(self.client.handle, text.as_ptr(), std::ptr::null_mut()) };
        if pointer.is_null() {
            return Err(Error::new(library, unsafe { (library.last_error)() }, ""));
        }
        self.topics
            .insert(name.to_owned(), TopicHandle { library, pointer });
        Ok(pointer)
    }

    /// Enqueue one row; Some is the client's refusal.
    fn produce(
        &self,
        arguments: &mut Arguments,
        columns: &Columns<'_>,
        row: usize,
    ) -> Result<Option<Error>> {
        let library = self.client.library;
        let headers = match columns.headers(row) {
            Some(found) => headers_object(library, &found)?,
            None => std::ptr::null_mut(),
        };
        let used = arguments.with_headers(headers);
        // SAFETY: key and value are copied (FLAG_COPY); the headers belong to librdkafka after success alone.
        unsafe {
            let result = Error::take(
                library,
                (library.produce)(self.client.handle, arguments.list.as_ptr(), used),
            );
            if result.is_err() && !headers.is_null() {
                (library.headers_destroy)(headers);
            }
            Ok(result.err())
        }
    }
}

impl super::Producer for Producer {
    fn is_direct(&self) -> bool {
        false
    }

    fn send(&mut self, topic: &str, records: &RecordBatch) -> Result<u32> {
        let columns = Columns::of(records)?;
        let rows = u32::try_from(records.num_rows())
            .map_err(|_| Error::local("a batch has too many rows"))?;
        let handle = self.topic(topic)?;
        let batch = self.next_batch;
        self.next_batch = self.next_batch.wrapping_add(1);
        let mut arguments = Arguments::new(handle);
        for row in 0..rows {
            arguments.set(
                &columns,
                row as usize,
                u64::from(batch) << 32 | u64::from(row),
            );
            while let Some(error) = self.produce(&mut arguments, &columns, row as usize)? {
                match error.code {
                    code::QUEUE_FULL => {
                        self.client.keep_brokers();
                        unsafe {
                            (self.client.library.poll)(self.client.handle, millis(FULL_WAIT))
                        };
                    }
                    code::MESSAGE_TOO_LARGE
                    | code::UNKNOWN_PARTITION
                    | code::UNKNOWN_TOPIC
                    | code::UNKNOWN_TOPIC_OR_PARTITION
                    | code::TOPIC_AUTHORIZATION => {
                        let partition = arguments.partition();
                        let opaque = u64::from(batch) << 32 | u64::from(row);
                        lock(&self.client.events().failures).push(Failure::of(
                            topic.to_owned(),
                            partition,
                            opaque,
                            error.code,
                        ));
                        break;
                    }
                    _ => return Err(self.client.fault().unwrap_or(error)),
                }
            }
        }
        self.serve();
        Ok(batch)
    }

    fn flush(&self, timeout: Duration) -> Result<bool> {
        self.client.keep_brokers();
        let done = unsafe { (self.client.library.flush)(self.client.handle, millis(timeout)) == 0 };
        self.serve();
        match self.client.fault() {
            Some(fault) if !done => Err(fault),
            _ => Ok(done),
        }
    }

    fn failures(&self) -> Vec<Failure> {
        self.serve();
        std::mem::take(&mut *lock(&self.client.events().failures))
    }

    fn failed(&self) -> bool {
        self.serve();
        !lock(&self.client.events().failures).is_empty()
    }

    fn delivered(&self) -> Vec<Position> {
        self.serve();
        let delivered = lock(&self.client.events().delivered);
        self.topics
            .iter()
            .flat_map(|(name, handle)| {
                let topic = handle.pointer as usize;
                delivered
                    .iter()
                    .filter(move |(place, _)| place.0 == topic)
                    .map(|(place, offset)| Position {
                        topic: name.clone(),
                        partition: place.1,
                        offset: *offset,
                    })
            })
            .collect()
    }

    fn queued(&self) -> i32 {
        unsafe { (self.client.library.queued)(self.client.handle) }
    }

    fn init_transactions(&self, timeout: Duration) -> Result<()> {
        // Without a connected broker librdkafka looks for the coordinator again only after half a second.
        self.client.reach_brokers(timeout.min(CALL));
        self.retry(timeout, |library, handle, wait| unsafe {
            (library.init_transactions)(handle, wait)
        })
    }

    fn begin(&self) -> Result<()> {
        let library = self.client.library;
        unsafe { Error::take(library, (library.begin_transaction)(self.client.handle)) }
    }

    fn send_offsets(&self, offsets: &[Position], group: &[u8], timeout: Duration) -> Result<()> {
        let library = self.client.library;
        let list = List::new(library, offsets)?;
        let mut metadata = std::ptr::null_mut();
        // SAFETY: read copies the bytes; the metadata object lives until after the last call that uses it.
        unsafe {
            Error::take(
                library,
                (library.group_metadata_read)(
                    &raw mut metadata,
                    group.as_ptr().cast(),
                    group.len(),
                ),
            )?;
            let sent = self.client.keeping_brokers(|| {
                self.retry(timeout, |library, handle, wait| {
                    (library.send_offsets)(handle, list.pointer, metadata, wait)
                })
            });
            (library.group_metadata_destroy)(metadata);
            sent
        }
    }

    fn commit(&self, timeout: Duration) -> Result<()> {
        self.retry(timeout, |library, handle, wait| unsafe {
            (library.commit_transaction)(handle, wait)
        })
    }

    fn abort(&self, timeout: Duration) -> Result<()> {
        self.retry(timeout, |library, handle, wait| unsafe {
            (library.abort_transaction)(handle, wait)
        })
    }

    fn purge(&self) {
        unsafe { (self.client.library.purge)(self.client.handle, PURGE_ALL) };
        self.serve();
    }
}

/// The arguments of `rd_kafka_produceva`, filled anew for each row.
struct Arguments {
    list: [Argument; 8],
}

impl Arguments {
    const PARTITION: usize = 1;
    const VALUE: usize = 3;
    const KEY: usize = 4;
    const TIMESTAMP: usize = 5;
    const OPAQUE: usize = 6;
    const HEADERS: usize = 7;

    fn new(topic: *mut Topic) -> Self {
        let mut list = [
            argument::TOPIC,
            argument::PARTITION,
            argument::FLAGS,
            argument::VALUE,
            argument::KEY,
            argument::TIMESTAMP,
            argument::OPAQUE,
            argument::HEADERS,
        ]
        .map(Argument::new);
        list[0].value.pointer = topic.cast();
        list[2].value.int = FLAG_COPY;
        Self { list }
    }

    fn set(&mut self, columns: &Columns<'_>, row: usize, opaque: u64) {
        self.list[Self::PARTITION].value.int32 = columns.partition(row).unwrap_or(PARTITION_ANY);
        self.list[Self::VALUE].value.memory = memory(columns.value(row));
        self.list[Self::KEY].value.memory = memory(columns.key(row));
        // It reads 0 as "now"; the closest that can be written is one millisecond later.
        self.list[Self::TIMESTAMP].value.int64 = columns
            .timestamp(row)
            .map_or(0, |time| if time == 0 { 1 } else { time });
        self.list[Self::OPAQUE].value.pointer = opaque as usize as *mut c_void;
    }

    fn partition(&self) -> i32 {
        unsafe { self.list[Self::PARTITION].value.int32 }
    }

    /// Give the number of arguments that count.
    fn with_headers(&mut self, headers: *mut Headers) -> usize {
        self.list[Self::HEADERS].value.pointer = headers.cast();
        if headers.is_null() {
            Self::HEADERS
        } else {
            self.list.len()
        }
    }
}

/// Null is a null pointer, empty is a pointer with length 0.
fn memory(bytes: Option<&[u8]>) -> Memory {
    Memory {
        pointer: bytes.map_or(std::ptr::null(), |bytes| bytes.as_ptr().cast()),
        size: bytes.map_or(0, <[u8]>::len),
    }
}

fn headers_object(library: &'static Library, items: &columns::Headers) -> Result<*mut Headers> {
    // SAFETY: header_add copies name and value.
    unsafe {
        let headers = (library.headers_new)(items.iter().len());
        for (name, value) in items.iter() {
            let value = memory(value);
            let added = (library.header_add)(
                headers,
                name.as_ptr().cast(),
                name.len() as isize,
                value.pointer,
                value.size as isize,
            );
            if added != 0 {
                (library.headers_destroy)(headers);
                return Err(Error::new(library, added, ""));
            }
        }
        Ok(headers)
    }
}
