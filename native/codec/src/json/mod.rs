//! JSON as RFC 8259 has it, read straight into columns.

mod decode;
mod encode;
mod scan;

pub use decode::Decoder;
pub use encode::Encoder;
