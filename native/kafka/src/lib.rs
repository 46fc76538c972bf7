//! Moves records between Apache Kafka and Arrow, on the librdkafka that the caller names.
//!
//! librdkafka is loaded at run time (docs/adr/0001): `Library::open` takes the path of the shared library. Nothing
//! here knows Python. Calls that wait take a bounded time.

mod batch;
mod client;
mod columns;
mod consumer;
mod direct;
mod error;
mod ffi;
mod group_offsets;
#[doc(hidden)]
pub mod hot_paths;
mod library;
mod partitions;
pub mod producer;
mod queue;

pub use batch::records_schema;
pub use consumer::{Consumer, Health, Rebalance, RebalanceKind};
pub use error::{Error, Result};
pub use group_offsets::GroupOffset;
pub use library::Library;
pub use partitions::Position;
pub use producer::{Failure, Producer};
