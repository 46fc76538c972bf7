//! Speaks Kafka's protocol itself where records are moved, around librdkafka's cost of every single message (docs/adr/0018).
//!
//! Only over plain connections: what has to do with certificates and credentials is left to librdkafka.

mod connection;
pub(crate) mod fetch;
pub(crate) mod produce;
mod wire;
