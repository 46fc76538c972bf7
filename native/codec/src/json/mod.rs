//! JSON as RFC 8259 has it, read straight into columns.

mod decode;
mod encode;
pub(crate) use encode::timestamps;
mod scan;

pub use decode::Decoder;
pub use encode::Encoder;
