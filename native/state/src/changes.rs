//! What has changed in the state of the tasks of a kernel since the last commit, as records for the changelog.

use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::builder::BinaryBuilder;
use arrow_array::{Int32Array, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::error::{Error, Result};

/// Bytes of keys or of values in one batch: the offsets of Arrow's binary arrays are int32.
const MOST_BYTES: usize = i32::MAX as usize;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("partition", DataType::Int32, false),
        Field::new("key", DataType::Binary, false),
        Field::new("value", DataType::Binary, true),
        Field::new("timestamp", time, false),
    ]))
});

/// The columns of changes: `partition` int32, `key` binary, `value` binary (null: the key is gone), `timestamp`
/// timestamp[ms, UTC], by which the changelog's retention goes. One row a key; the rows of a partition stand together.
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// Collects changes, task by task.
pub struct Changes {
    partition: i32,
    now: i64,
    partitions: Vec<i32>,
    keys: BinaryBuilder,
    values: BinaryBuilder,
    timestamps: Vec<i64>,
}

impl Default for Changes {
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            partition: 0,
            now: since.map_or(0, |since| since.as_millis() as i64),
            partitions: Vec::new(),
            keys: BinaryBuilder::new(),
            values: BinaryBuilder::new(),
            timestamps: Vec::new(),
        }
    }
}

impl Changes {
    /// Say whose changes come next.
    pub fn start(&mut self, partition: i32) {
        self.partition = partition;
    }

    /// Add a key and its value, None if it is gone.
    ///
    /// Args:
    /// - `timestamp`: when the entry stops to matter to anybody, if the changelog is bound in time; None: now.
    ///
    /// # Errors
    /// The changes since the last commit are over 2 GiB.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>, timestamp: Option<i64>) -> Result<()> {
        if self.keys.values_slice().len() + key.len() > MOST_BYTES
            || self.values.values_slice().len() + value.map_or(0, <[u8]>::len) > MOST_BYTES
        {
            return Err(Error::spec(
                "the state that changed since the last commit is over 2 GiB: commit more often",
            ));
        }
        self.partitions.push(self.partition);
        self.keys.append_value(key);
        self.values.append_option(value);
        self.timestamps.push(timestamp.unwrap_or(self.now));
        Ok(())
    }

    pub fn finish(mut self) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(Int32Array::from(self.partitions)),
                Arc::new(self.keys.finish()),
                Arc::new(self.values.finish()),
                Arc::new(TimestampMillisecondArray::from(self.timestamps).with_timezone("UTC")),
            ],
        )?)
    }
}
