//! Bytes to Arrow and back: JSON, Avro, Protobuf, CSV, XML, the primitive formats, and the rows of our own topics. Knows no Python.
//!
//! Every decoder reads a batch of values into one tree of column builders; a value that fails half-way is cut off again and
//! becomes a null row with a reason, so its neighbours never notice. Every encoder walks rows of typed slices in the same way.

pub mod avro;
mod batch;
mod column;
pub mod csv;
mod decimal;
mod fault;
mod integers;
pub mod json;
pub mod primitive;
mod projection;
pub mod protobuf;
pub mod rows;
mod temporal;
mod text;
pub mod xml;

pub use batch::{Decoded, Encoded};
pub use fault::{Fault, Unsupported};
pub use projection::Path;
