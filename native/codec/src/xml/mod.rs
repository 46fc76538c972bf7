//! XML documents into columns: elements and attributes are fields by their names. For reading only.

mod decode;
mod scan;

pub use decode::Decoder;
