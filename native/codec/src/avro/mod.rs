//! Avro in the framing of a schema registry: a zero byte, the id of the writer's schema in four bytes, the value.
//!
//! Decoding compiles the writer's and the reader's schema and the wanted fields into a program, once a writer.

mod decode;
mod default;
mod encode;
mod read;
mod resolve;
mod schema;
mod skip;
mod wire;

pub use decode::Decoder;
pub use encode::Encoder;
