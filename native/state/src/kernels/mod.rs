//! The stateful operators, one module each.

pub mod aggregate;
mod groups;
mod joined;
pub mod lookup_join;
pub mod matching;
mod operator;
pub mod over;
mod queue;
pub mod rank;
pub mod sort;
pub mod stream_join;
pub mod table;
pub mod table_join;
mod walk;
pub mod windows;
