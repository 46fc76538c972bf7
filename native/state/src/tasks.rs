//! The tasks of one kernel: who owns which partition, and the way of their changes to the changelog and into the stores.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, BinaryArray, RecordBatch};

use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::kernel::Stats;
use crate::store::{Store, Write};

/// A piece of the state of a task that changes, is committed and can go back: a table, or the stream time.
pub trait Part {
    /// Add what has changed since `settle`.
    fn collect(&mut self, changes: &mut Changes) -> Result<()>;
    /// What was collected is committed and written to the store.
    fn settle(&mut self);
    /// Go back to what the store holds.
    fn rollback(&mut self) -> Result<()>;
    /// Drop unchanged entries from memory until at most so many bytes of them are left.
    fn shrink(&mut self, bytes: usize);
    fn stats(&self) -> PartStats;
}

/// Sizes and counters of a part; see [`Stats`].
#[derive(Debug, Clone, Copy, Default)]
pub struct PartStats {
    pub entries: usize,
    /// Of entries that could be dropped.
    pub clean_bytes: usize,
    /// Of all entries.
    pub bytes: usize,
    pub hits: u64,
    pub misses: u64,
}

/// The state of a kernel in one partition.
pub trait Task {
    /// Give all parts; their order is that of the changes.
    fn parts(&mut self) -> Vec<&mut dyn Part>;

    /// Forget what is known about the state beside its parts; called after they have gone back.
    fn rolled_back(&mut self) -> Result<()> {
        Ok(())
    }
}

/// All tasks of a kernel. Does what [`crate::Kernel`] asks about commits, so that kernels only pass it on.
pub struct Tasks<T> {
    /// By partition, ascending.
    tasks: Vec<(i32, Store, T)>,
    /// What `changes` gave and `committed` will write.
    pending: Option<RecordBatch>,
    limit: usize,
    /// Counters of tasks that are closed.
    hits: u64,
    misses: u64,
}

impl<T: Task> Default for Tasks<T> {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            pending: None,
            limit: usize::MAX,
            hits: 0,
            misses: 0,
        }
    }
}

impl<T: Task> Tasks<T> {
    pub fn open(&mut self, partition: i32, store: Store, task: T) -> Result<()> {
        match self.find(partition) {
            Ok(_) => Err(Error::spec(format!(
                "partition {partition} is open already"
            ))),
            Err(place) => {
                self.tasks.insert(place, (partition, store, task));
                Ok(())
            }
        }
    }

    pub fn close(&mut self, partition: i32) {
        if let Ok(place) = self.find(partition) {
            let (_, _, mut task) = self.tasks.remove(place);
            for part in task.parts() {
                let stats = part.stats();
                self.hits += stats.hits;
                self.misses += stats.misses;
            }
        }
    }

    fn find(&self, partition: i32) -> std::result::Result<usize, usize> {
        self.tasks
            .binary_search_by_key(&partition, |(partition, _, _)| *partition)
    }

    /// Give the task of a partition.
    ///
    /// Ask once for a run of rows, not for each row.
    pub fn get(&mut self, partition: i32) -> Result<&mut T> {
        match self.find(partition) {
            Ok(place) => Ok(&mut self.tasks[place].2),
            Err(_) => Err(Error::spec(format!("partition {partition} is not open"))),
        }
    }

    /// Give all tasks with their partitions, ascending.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (i32, &mut T)> {
        self.tasks
            .iter_mut()
            .map(|(partition, _, task)| (*partition, task))
    }

    /// As [`crate::Kernel::changes`].
    pub fn changes(&mut self) -> Result<RecordBatch> {
        let mut changes = Changes::default();
        for (partition, _, task) in &mut self.tasks {
            changes.start(*partition);
            for part in task.parts() {
                part.collect(&mut changes)?;
            }
        }
        let batch = changes.finish()?;
        self.pending = Some(batch.clone());
        Ok(batch)
    }

    /// As [`crate::Kernel::committed`].
    pub fn committed(&mut self, positions: &HashMap<i32, i64>) -> Result<()> {
        let Some(batch) = self.pending.take() else {
            return Err(Error::spec(
                "nothing is to be committed: ask for the changes first",
            ));
        };
        let partitions = batch.column(0).as_primitive::<Int32Type>().values();
        let (keys, values): (&BinaryArray, &BinaryArray) =
            (batch.column(1).as_binary(), batch.column(2).as_binary());
        for (partition, store, task) in &mut self.tasks {
            let from = partitions.partition_point(|other| *other < *partition);
            let to = partitions.partition_point(|other| *other <= *partition);
            match positions.get(partition) {
                Some(position) => {
                    let mut writes = (from..to).map(|row| -> Write<'_> {
                        (
                            keys.value(row),
                            values.is_valid(row).then(|| values.value(row)),
                        )
                    });
                    store.write(&mut writes, *position)?;
                }
                None if from == to => {}
                None => {
                    return Err(Error::spec(format!(
                        "no position for the changes of partition {partition}"
                    )));
                }
            }
            task.parts().into_iter().for_each(Part::settle);
        }
        self.shrink();
        Ok(())
    }

    /// As [`crate::Kernel::rollback`].
    pub fn rollback(&mut self) -> Result<()> {
        self.pending = None;
        for (_, _, task) in &mut self.tasks {
            for part in task.parts() {
                part.rollback()?;
            }
            task.rolled_back()?;
        }
        Ok(())
    }

    /// As [`crate::Kernel::limit`].
    pub fn limit(&mut self, bytes: usize) {
        self.limit = bytes;
    }

    /// Make every part smaller by the same share if all together are too large.
    fn shrink(&mut self) {
        let mut total = 0;
        for (_, _, task) in &mut self.tasks {
            total += task
                .parts()
                .iter()
                .map(|part| part.stats().clean_bytes)
                .sum::<usize>();
        }
        if total <= self.limit {
            return;
        }
        let share = self.limit as f64 / total as f64;
        for (_, _, task) in &mut self.tasks {
            for part in task.parts() {
                part.shrink((part.stats().clean_bytes as f64 * share) as usize);
            }
        }
    }

    /// The sizes and counters that tasks have; `late` and `null_keys` are the kernel's own.
    pub fn stats(&mut self) -> Stats {
        let mut stats = Stats {
            hits: self.hits,
            misses: self.misses,
            ..Stats::default()
        };
        for (_, _, task) in &mut self.tasks {
            for part in task.parts() {
                let part = part.stats();
                stats.entries += part.entries as u64;
                stats.bytes += part.bytes as u64;
                stats.hits += part.hits;
                stats.misses += part.misses;
            }
        }
        stats
    }
}
