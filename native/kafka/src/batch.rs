//! Messages of librdkafka to Arrow record batches.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMillisecondArray,
};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::direct::fetch::{Record, headers};
use crate::error::{Error, Result};
use crate::ffi::*;
use crate::library::{Library, text};

/// Column offsets of Arrow are 32 bits; a batch is cut before it gets there.
const MAX_COLUMN_BYTES: usize = i32::MAX as usize;

static HEADER_FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Binary, true),
    ])
});
static HEADER_ITEM: LazyLock<Arc<Field>> = LazyLock::new(|| {
    Arc::new(Field::new(
        "item",
        DataType::Struct(HEADER_FIELDS.clone()),
        true,
    ))
});

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let topic = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("topic", topic, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new(
            "timestamp",
            DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
            true,
        ),
        Field::new("key", DataType::Binary, true),
        Field::new("value", DataType::Binary, true),
        Field::new("headers", DataType::List(HEADER_ITEM.clone()), true),
    ]))
});

/// The schema of every batch that a consumer gives.
pub fn records_schema() -> SchemaRef {
    SCHEMA.clone()
}

/// The batches of one poll, under construction: one builder a topic.
#[derive(Default)]
pub(crate) struct Batches {
    building: Vec<(*mut Topic, TopicBuilder)>,
    current: usize,
    full: Vec<RecordBatch>,
    bytes: usize,
}

impl Batches {
    /// Bytes of keys, values and headers so far.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.full.is_empty() && self.building.iter().all(|(_, one)| one.offsets.is_empty())
    }

    /// Copy a record in.
    ///
    /// # Safety
    /// `message` is a message without an error, alive until this returns.
    pub(crate) unsafe fn push(&mut self, library: &Library, message: &Message) -> Result<()> {
        if self
            .building
            .get(self.current)
            .is_none_or(|(topic, _)| *topic != message.topic)
        {
            self.current = match self
                .building
                .iter()
                .position(|(topic, _)| *topic == message.topic)
            {
                Some(found) => found,
                None => {
                    let name = unsafe { text((library.topic_name)(message.topic)) };
                    self.building.push((message.topic, TopicBuilder::new(name)));
                    self.building.len() - 1
                }
            };
        }
        self.make_room(self.current, message.key_len, message.len)?;
        self.bytes += unsafe { self.building[self.current].1.push(library, message) };
        Ok(())
    }

    /// Where the records of a topic go that do not come from librdkafka.
    pub(crate) fn slot(&mut self, topic: &str) -> usize {
        let found = self.building.iter().position(|(_, one)| one.topic == topic);
        found.unwrap_or_else(|| {
            let builder = TopicBuilder::new(topic.to_owned());
            self.building.push((std::ptr::null_mut(), builder));
            self.building.len() - 1
        })
    }

    /// Copy a record in, of the topic that the slot was given for.
    pub(crate) fn append(&mut self, slot: usize, record: &Record<'_>) -> Result<()> {
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        self.make_room(slot, length(record.key), length(record.value))?;
        self.bytes += self.building[slot].1.append(record);
        Ok(())
    }

    fn make_room(&mut self, slot: usize, key: usize, value: usize) -> Result<()> {
        let builder = &mut self.building[slot].1;
        if !builder.has_room(key, value) {
            let name = builder.topic.clone();
            let full = std::mem::replace(builder, TopicBuilder::new(name));
            self.full.push(full.finish()?);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<Vec<RecordBatch>> {
        let mut batches = self.full;
        for (_, builder) in self.building {
            if !builder.offsets.is_empty() {
                batches.push(builder.finish()?);
            }
        }
        Ok(batches)
    }
}

struct TopicBuilder {
    topic: String,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    timestamp_valid: NullBufferBuilder,
    keys: BinaryBuilder,
    values: BinaryBuilder,
    headers: HeadersBuilder,
}

impl TopicBuilder {
    fn new(topic: String) -> Self {
        Self {
            topic,
            partitions: Vec::new(),
            offsets: Vec::new(),
            timestamps: Vec::new(),
            timestamp_valid: NullBufferBuilder::new(0),
            keys: BinaryBuilder::new(),
            values: BinaryBuilder::new(),
            headers: HeadersBuilder::new(),
        }
    }

    fn has_room(&self, key: usize, value: usize) -> bool {
        let fits = |used: usize, more: usize| used.saturating_add(more) <= MAX_COLUMN_BYTES;
        fits(self.values.values_slice().len(), value)
            && fits(self.keys.values_slice().len(), key)
            && self.headers.has_room()
    }

    fn append(&mut self, record: &Record<'_>) -> usize {
        self.partitions.push(record.partition);
        self.offsets.push(record.offset);
        let known = record.timestamp != -1;
        self.timestamps
            .push(if known { record.timestamp } else { 0 });
        self.timestamp_valid.append(known);
        self.keys.append_option(record.key);
        self.values.append_option(record.value);
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        length(record.key) + length(record.value) + self.headers.append(record)
    }

    unsafe fn push(&mut self, library: &Library, message: &Message) -> usize {
        self.partitions.push(message.partition);
        self.offsets.push(message.offset);
        let mut kind: c_int = TIMESTAMP_NONE;
        let timestamp = unsafe { (library.message_timestamp)(message, &raw mut kind) };
        let known = kind != TIMESTAMP_NONE && timestamp != -1;
        self.timestamps.push(if known { timestamp } else { 0 });
        self.timestamp_valid.append(known);
        let key = unsafe { bytes(message.key, message.key_len) };
        let value = unsafe { bytes(message.payload, message.len) };
        self.keys.append_option(key);
        self.values.append_option(value);
        let headers = unsafe { self.headers.push(library, message) };
        message.key_len + message.len + headers
    }

    fn finish(mut self) -> Result<RecordBatch> {
        let rows = self.offsets.len();
        let topic = DictionaryArray::try_new(
            Int32Array::from(vec![0; rows]),
            Arc::new(StringArray::from(vec![self.topic])),
        );
        let timestamps = TimestampMillisecondArray::new(
            ScalarBuffer::from(self.timestamps),
            self.timestamp_valid.finish(),
        );
        let columns: Vec<ArrayRef> = vec![
            Arc::new(topic.map_err(arrow)?),
            Arc::new(Int32Array::from(self.partitions)),
            Arc::new(Int64Array::from(self.offsets)),
            Arc::new(timestamps.with_timezone("UTC")),
            Arc::new(self.keys.finish()),
            Arc::new(self.values.finish()),
            self.headers.finish(rows)?,
        ];
        RecordBatch::try_new(records_schema(), columns).map_err(arrow)
    }
}

/// The headers column. Most topics have no headers, so nothing is built until the first one is seen.
struct HeadersBuilder {
    rows: usize,
    ends: Vec<i32>,
    valid: NullBufferBuilder,
    keys: StringBuilder,
    values: BinaryBuilder,
}

impl HeadersBuilder {
    fn new() -> Self {
        Self {
            rows: 0,
            ends: Vec::new(),
            valid: NullBufferBuilder::new(0),
            keys: StringBuilder::new(),
            values: BinaryBuilder::new(),
        }
    }

    /// The headers of one record are at most as long as a fetch response, which is under 1 GiB.
    fn has_room(&self) -> bool {
        self.values.values_slice().len() <= MAX_COLUMN_BYTES / 2
            && self.keys.values_slice().len() <= MAX_COLUMN_BYTES / 2
    }

    unsafe fn push(&mut self, library: &Library, message: &Message) -> usize {
        let mut headers: *mut Headers = std::ptr::null_mut();
        // The headers are parsed here and freed with the message.
        let present = unsafe { (library.message_headers)(message, &raw mut headers) } == 0
            && !headers.is_null();
        if !present {
            self.pass();
            return 0;
        }
        let before = self.begin_row();
        let mut name: *const c_char = std::ptr::null();
        let mut value: *const c_void = std::ptr::null();
        let mut size = 0;
        for index in 0.. {
            // SAFETY: name and value point into the message.
            unsafe {
                if (library.header_all)(
                    headers,
                    index,
                    &raw mut name,
                    &raw mut value,
                    &raw mut size,
                ) != 0
                {
                    break;
                }
                self.keys.append_value(text(name));
                self.values.append_option(bytes(value.cast(), size));
            }
        }
        self.end_row(true);
        self.rows += 1;
        self.bytes() - before
    }

    fn append(&mut self, record: &Record<'_>) -> usize {
        if record.headers.0 == 0 {
            self.pass();
            return 0;
        }
        let before = self.begin_row();
        for (name, value) in headers(record.headers) {
            self.keys.append_value(String::from_utf8_lossy(name));
            self.values.append_option(value);
        }
        self.end_row(true);
        self.rows += 1;
        self.bytes() - before
    }

    /// A record without headers.
    fn pass(&mut self) {
        if !self.ends.is_empty() {
            self.end_row(false);
        }
        self.rows += 1;
    }

    /// A record with headers, the first or not; gives how many bytes are there.
    fn begin_row(&mut self) -> usize {
        if self.ends.is_empty() {
            self.ends.reserve(self.rows + 1);
            for _ in 0..self.rows {
                self.end_row(false);
            }
        }
        self.bytes()
    }

    fn bytes(&self) -> usize {
        self.keys.values_slice().len() + self.values.values_slice().len()
    }

    fn end_row(&mut self, valid: bool) {
        self.ends
            .push(i32::try_from(self.keys.offsets_slice().len() - 1).unwrap_or(i32::MAX));
        self.valid.append(valid);
    }

    fn finish(mut self, rows: usize) -> Result<ArrayRef> {
        if self.ends.is_empty() {
            return Ok(arrow_array::new_null_array(
                &DataType::List(HEADER_ITEM.clone()),
                rows,
            ));
        }
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        offsets.extend_from_slice(&self.ends);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let items = StructArray::try_new(HEADER_FIELDS.clone(), columns, None).map_err(arrow)?;
        let list = ListArray::try_new(
            HEADER_ITEM.clone(),
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Arc::new(items),
            self.valid.finish(),
        );
        Ok(Arc::new(list.map_err(arrow)?))
    }
}

fn arrow(error: arrow_schema::ArrowError) -> Error {
    Error::local(format!("records do not fit Arrow: {error}"))
}

/// Null is apart from empty: librdkafka gives no pointer for null, and one with length 0 for empty.
unsafe fn bytes<'a>(pointer: *const u8, length: usize) -> Option<&'a [u8]> {
    if pointer.is_null() {
        None
    } else {
        Some(unsafe { std::slice::from_raw_parts(pointer, length) })
    }
}
