//! The stateful operators, one module each.

pub mod aggregate;
pub mod lookup_join;
pub mod rank;
pub mod stream_join;
pub mod table;
pub mod table_join;
