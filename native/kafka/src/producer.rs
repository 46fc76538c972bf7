//! Writes Arrow batches as records, with or without transactions.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_void;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use arrow_array::{Array, BinaryArray, ListArray, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use crate::client::{Client, lock, millis};
use crate::error::{Error, Result, code};
use crate::ffi::*;
use crate::library::Library;
use crate::partitions::{List, Position, c_string};

const FULL_WAIT: Duration = Duration::from_millis(5);
const RETRY_WAIT: Duration = Duration::from_millis(50);
/// How long one call waits before it is made anew: transactional calls go on where they were.
const CALL: Duration = Duration::from_secs(1);

/// A record that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub topic: String,
    pub partition: i32,
    /// The number that `send` gave to its batch.
    pub batch: u32,
    pub row: u32,
    pub code: i32,
}

impl Failure {
    pub(crate) fn of(topic: String, partition: i32, opaque: u64, code: i32) -> Self {
        Self {
            topic,
            partition,
            batch: (opaque >> 32) as u32,
            row: opaque as u32,
            code,
        }
    }
}

/// A producer.
pub struct Producer {
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
    /// # Errors
    /// A property is unknown, has a wrong value or contradicts another.
    pub fn new(library: &'static Library, properties: &BTreeMap<String, String>) -> Result<Self> {
        let client = Client::new(library, PRODUCER, properties)?;
        Ok(Self {
            topics: HashMap::new(),
            client,
            next_batch: 0,
        })
    }

    /// Enqueue all rows in order and give the batch's number; waits while the send queue is full.
    ///
    /// Columns by name: `value` (binary, required), `key` (binary), `timestamp` (timestamp\[ms\]), `partition` (int32),
    /// `headers` (list of struct of key utf8, value binary). Rows that the client refuses are kept as failures.
    pub fn send(&mut self, topic: &str, records: &RecordBatch) -> Result<u32> {
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

    /// Wait until everything is delivered or has failed; false if that took longer than `timeout`.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.client.keep_brokers();
        unsafe { (self.client.library.flush)(self.client.handle, millis(timeout)) == 0 }
    }

    /// The failures since the last call, and how many records are still on their way.
    pub fn failures(&self) -> Vec<Failure> {
        self.serve();
        std::mem::take(&mut *lock(&self.client.events().failures))
    }

    /// Whether `failures` would give any.
    pub fn failed(&self) -> bool {
        self.serve();
        !lock(&self.client.events().failures).is_empty()
    }

    /// The offset after the last record delivered to each partition so far.
    ///
    /// Empty unless the property `delivery.report.only.error` is false.
    pub fn delivered(&self) -> Vec<Position> {
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

    /// The error that ends this producer, if one has struck.
    pub fn fault(&self) -> Option<Error> {
        self.serve();
        self.client.fault()
    }

    /// Records on their way.
    pub fn queued(&self) -> i32 {
        unsafe { (self.client.library.queued)(self.client.handle) }
    }

    /// Describe a code of a failure.
    pub fn describe(&self, code: i32) -> Error {
        Error::new(self.client.library, code, "")
    }

    /// Fetch the producer id, fence former producers with this transactional id and finish what they left open.
    pub fn init_transactions(&self, timeout: Duration) -> Result<()> {
        // Without a connected broker librdkafka looks for the coordinator again only after half a second.
        self.client.reach_brokers(timeout.min(CALL));
        self.retry(timeout, |library, handle, wait| unsafe {
            (library.init_transactions)(handle, wait)
        })
    }

    pub fn begin(&self) -> Result<()> {
        let library = self.client.library;
        unsafe { Error::take(library, (library.begin_transaction)(self.client.handle)) }
    }

    /// Put the consumer's offsets into the open transaction.
    pub fn send_offsets(
        &self,
        offsets: &[Position],
        group: &[u8],
        timeout: Duration,
    ) -> Result<()> {
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

    pub fn commit(&self, timeout: Duration) -> Result<()> {
        self.retry(timeout, |library, handle, wait| unsafe {
            (library.commit_transaction)(handle, wait)
        })
    }

    pub fn abort(&self, timeout: Duration) -> Result<()> {
        self.retry(timeout, |library, handle, wait| unsafe {
            (library.abort_transaction)(handle, wait)
        })
    }

    /// Throw away what is still on its way, so that dropping does not wait for it.
    pub fn purge(&self) {
        unsafe { (self.client.library.purge)(self.client.handle, PURGE_ALL) };
        self.serve();
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
        let headers = columns.headers(library, row)?;
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
        self.list[Self::PARTITION].value.int32 = columns.partition(row);
        self.list[Self::VALUE].value.memory = memory(Some(columns.value), row);
        self.list[Self::KEY].value.memory = memory(columns.key, row);
        self.list[Self::TIMESTAMP].value.int64 = columns.timestamp(row);
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
fn memory(column: Option<&BinaryArray>, row: usize) -> Memory {
    match column {
        Some(column) if column.is_valid(row) => {
            let bytes = column.value(row);
            Memory {
                pointer: bytes.as_ptr().cast(),
                size: bytes.len(),
            }
        }
        _ => Memory {
            pointer: std::ptr::null(),
            size: 0,
        },
    }
}

/// The columns of a batch to send, with their types checked.
struct Columns<'a> {
    key: Option<&'a BinaryArray>,
    value: &'a BinaryArray,
    timestamp: Option<&'a PrimitiveArray<TimestampMillisecondType>>,
    partition: Option<&'a PrimitiveArray<Int32Type>>,
    headers: Option<&'a ListArray>,
}

impl<'a> Columns<'a> {
    fn of(records: &'a RecordBatch) -> Result<Self> {
        let column = |name: &str, fits: fn(&DataType) -> bool| match records.column_by_name(name) {
            Some(array) if !fits(array.data_type()) => Err(Error::local(format!(
                "column {name} has type {}",
                array.data_type()
            ))),
            found => Ok(found),
        };
        let binary = |kind: &DataType| *kind == DataType::Binary;
        Ok(Self {
            key: column("key", binary)?.map(|array| array.as_binary()),
            value: column("value", binary)?
                .map(|array| array.as_binary())
                .ok_or_else(|| Error::local("the batch has no column value"))?,
            timestamp: column("timestamp", |kind| {
                matches!(kind, DataType::Timestamp(TimeUnit::Millisecond, _))
            })?
            .map(|array| array.as_primitive()),
            partition: column("partition", |kind| *kind == DataType::Int32)?
                .map(|array| array.as_primitive()),
            headers: column("headers", headers_type)?.map(|array| array.as_list()),
        })
    }

    fn partition(&self, row: usize) -> i32 {
        match self.partition {
            Some(column) if column.is_valid(row) => column.value(row),
            _ => PARTITION_ANY,
        }
    }

    /// librdkafka reads 0 as "now"; the closest that can be written is one millisecond later.
    fn timestamp(&self, row: usize) -> i64 {
        match self.timestamp {
            Some(column) if column.is_valid(row) => match column.value(row) {
                0 => 1,
                time => time,
            },
            _ => 0,
        }
    }

    /// Make a headers object; null if the row has none.
    fn headers(&self, library: &'static Library, row: usize) -> Result<*mut Headers> {
        let Some(column) = self.headers.filter(|column| column.is_valid(row)) else {
            return Ok(std::ptr::null_mut());
        };
        let items = column.value(row);
        let items = items.as_struct();
        let (keys, values) = (
            items.column(0).as_string::<i32>(),
            items.column(1).as_binary::<i32>(),
        );
        // SAFETY: header_add copies name and value.
        unsafe {
            let headers = (library.headers_new)(items.len());
            for index in 0..items.len() {
                let name = keys.value(index);
                let value = memory(Some(values), index);
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
}

fn headers_type(kind: &DataType) -> bool {
    let DataType::List(item) = kind else {
        return false;
    };
    let DataType::Struct(fields) = item.data_type() else {
        return false;
    };
    fields.len() == 2
        && *fields[0].data_type() == DataType::Utf8
        && *fields[1].data_type() == DataType::Binary
}
