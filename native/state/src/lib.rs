//! State: aggregates, joins and tables over batches of rows, and how what they know survives. Knows no Python.
//!
//! A [`kernel::Kernel`] is one operator in one thread. It holds a [`tasks::Tasks`]: for each partition that the thread works
//! on some [`table::StateTable`]s, each a hash table of typed values over a part of the task's [`store::Store`]. What has
//! changed since the last commit is an overlay: [`changes::Changes`] collects it for the changelog, and after the changelog is
//! committed the same bytes go into the store. Rows become bytes, for keys and for kept rows, in [`rows`].

pub mod accumulators;
pub mod batch;
pub mod changes;
pub mod codec;
pub mod error;
pub mod kernel;
pub mod kernels;
pub mod members;
pub mod migration;
pub mod row_length;
pub mod rows;
pub mod slab;
mod small_bytes;
pub mod spec;
pub mod store;
pub mod table;
pub mod tasks;
pub mod time;

pub use error::{Error, Result};
pub use kernel::{Failure, Kernel, Processed, Stats, kernel};
