//! Writes Arrow batches as records, with or without transactions.

mod librdkafka;

use std::collections::BTreeMap;
use std::time::Duration;

use arrow_array::RecordBatch;

use crate::client;
use crate::direct::produce as direct;
use crate::error::Result;
use crate::library::Library;
use crate::partitions::Position;

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

/// A producer, whichever way it takes.
pub trait Producer: Send {
    /// Whether it writes around librdkafka.
    fn is_direct(&self) -> bool;

    /// Enqueue all rows in order and give the batch's number; waits while the send queue is full.
    ///
    /// Columns by name: `value` (binary, required), `key` (binary), `timestamp` (timestamp\[ms\]), `partition` (int32),
    /// `headers` (list of struct of key utf8, value binary). Rows that the client refuses are kept as failures.
    fn send(&mut self, topic: &str, records: &RecordBatch) -> Result<u32>;

    /// Wait until everything is delivered or has failed; false if that took longer than `timeout`.
    ///
    /// # Errors
    /// The transaction, or the producer, can deliver nothing any more.
    fn flush(&self, timeout: Duration) -> Result<bool>;

    /// The failures since the last call.
    fn failures(&self) -> Vec<Failure>;

    /// Whether `failures` would give any.
    fn failed(&self) -> bool;

    /// The offset after the last record delivered to each partition so far.
    ///
    /// librdkafka keeps it only where the property `delivery.report.only.error` is false.
    fn delivered(&self) -> Vec<Position>;

    /// Records on their way.
    fn queued(&self) -> i32;

    /// Fetch the producer id, fence former producers with this transactional id and finish what they left open.
    fn init_transactions(&self, timeout: Duration) -> Result<()>;

    fn begin(&self) -> Result<()>;

    /// Put the consumer's offsets into the open transaction; `group` is what `Consumer::group_metadata` gave.
    fn send_offsets(&self, offsets: &[Position], group: &[u8], timeout: Duration) -> Result<()>;

    fn commit(&self, timeout: Duration) -> Result<()>;

    fn abort(&self, timeout: Duration) -> Result<()>;

    /// Throw away what is still on its way, so that dropping does not wait for it.
    fn purge(&self);
}

/// Make a producer: straight to the brokers where that can be done, otherwise through librdkafka.
///
/// # Errors
/// A property is unknown, has a wrong value or contradicts another.
pub fn open(
    library: &'static Library,
    properties: &BTreeMap<String, String>,
) -> Result<Box<dyn Producer>> {
    let mut known = properties.clone();
    known.remove(direct::PROPERTY);
    let Some(settings) = direct::Settings::of(properties) else {
        return Ok(Box::new(librdkafka::Producer::new(library, &known)?));
    };
    // The names and values of properties are librdkafka's, and it knows which are wrong.
    client::check(library, &known)?;
    Ok(Box::new(direct::Producer::new(library, settings)))
}
