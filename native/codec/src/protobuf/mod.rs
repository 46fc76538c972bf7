//! Protocol Buffers in the framing of a schema registry: a zero byte, the id of the writer's schema in four bytes, which of its
//! messages it is, the message.
//!
//! Fields are known by their numbers, so values of every writer are read with the reader's schema; the writer's is asked only for
//! the name of the message. Source: <https://protobuf.dev/programming-guides/encoding/>.

mod builtin;
mod compile;
mod decode;
mod describe;
mod encode;
mod read;
mod schema;
mod types;
mod wire;

#[cfg(test)]
mod tests;

pub use decode::Decoder;
pub use encode::Encoder;
pub use schema::Schema;
