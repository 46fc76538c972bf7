//! Aggregates over windows: tumbling, hopping and cumulating ([`panes`]), session ([`sessions`]) and sliding ones ([`slides`]).
//!
//! Whatever the window, what was given last is always what the state was at the last flush. So the store holds no results:
//! where old results are wanted (RETRACT changes), or it matters whether there was one, the parts of a window that change
//! are remembered as they were, until the flush.
//!
//! State of closed windows is removed when their results have been given: with `EMIT FINAL` right then, else at the commit.
//! No row sees it after stream time has passed.

mod bounds;
pub(super) mod clock;
pub(super) mod counter;
mod encoding;
mod output;
mod panes;
mod pieces;
mod plan;
mod segments;
mod sessions;
mod slides;
pub mod timers;

use std::collections::HashMap;

use arrow_array::{BinaryArray, RecordBatch};
use arrow_schema::SchemaRef;

use crate::accumulators::{BoundRows, Failure, Group};
use crate::batch::Input;
use crate::error::{Error, Result};
use crate::kernel::{self, Kernel, Processed, Stats};
use crate::rows::Keys;
use crate::spec::{Emit, Spec, WindowKind};
use crate::store::Store;
use crate::table::Slot;
use crate::tasks::{Task, Tasks};

use clock::Clock;
use output::{Cause, Output};
use plan::Plan;
pub use plan::rows_of;

/// Make the kernel of an aggregate that has a window.
pub fn make(spec: &Spec, inputs: &[SchemaRef], output: SchemaRef) -> Result<Box<dyn Kernel>> {
    let plan = Plan::new(spec, inputs, output)?;
    Ok(match plan.window.kind {
        WindowKind::Tumble | WindowKind::Hop | WindowKind::Cumulate => {
            Box::new(Windowed::<panes::Panes>::new(plan)?)
        }
        WindowKind::Session => Box::new(Windowed::<sessions::Sessions>::new(plan)?),
        WindowKind::Slide => Box::new(Windowed::<slides::Slides>::new(plan)?),
    })
}

/// The windows of one task.
trait Windows: Task + Send + Sized {
    /// What all tasks share beside the plan.
    type Shape: Send;

    fn shape(plan: &Plan) -> Result<Self::Shape>;

    fn open(plan: &Plan, shape: &Self::Shape, store: &Store) -> Result<Self>;

    fn clock(&mut self) -> &mut Clock;

    /// Stream time has moved on from `past`: give the results of windows that have closed since. Only for EMIT FINAL.
    fn close(
        &mut self,
        context: Context<'_, Self>,
        past: i64,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()>;

    /// Find the entry of a row that is about to come in, if it is in memory.
    fn look_ahead(&mut self, context: Context<'_, Self>, row: &Row<'_>) -> Option<Slot>;

    /// Take a row in; stream time is at least the row's.
    fn add(
        &mut self,
        context: Context<'_, Self>,
        row: &Row<'_>,
        out: &mut Output<'_>,
    ) -> Result<Taken>;

    /// Give all windows that have changed. Only for EMIT COMMIT. The cause's time is not that of the rows.
    fn flush(
        &mut self,
        context: Context<'_, Self>,
        cause: Cause,
        out: &mut Output<'_>,
    ) -> Result<()>;

    /// Whether results wait for a flush.
    fn has_results(&self) -> bool;

    /// Remove what belongs to closed windows only. Everything has been given.
    fn expire(&mut self, context: Context<'_, Self>) -> Result<()>;

    /// Give what an entry of the store holds as results.
    fn decode(context: Context<'_, Self>, entry: Entry<'_>, out: &mut Output<'_>) -> Result<()>;
}

/// An entry of the store, and the store if it has members.
struct Entry<'a> {
    key: &'a [u8],
    value: &'a [u8],
    store: Option<&'a Store>,
}

struct Context<'a, W: Windows> {
    plan: &'a Plan,
    shape: &'a W::Shape,
}

impl<W: Windows> Clone for Context<'_, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W: Windows> Copy for Context<'_, W> {}

/// A row that comes in.
struct Row<'a> {
    cause: Cause,
    key: &'a [u8],
    hash: u64,
    /// Its number in the batch.
    number: usize,
    /// What `look_ahead` has found.
    slot: Option<Slot>,
    /// The number of its arrival, where it matters.
    arrival: Option<u64>,
    values: &'a BoundRows<'a>,
}

impl<'a> Row<'a> {
    /// Add it to a group.
    ///
    /// # Errors
    /// A sum does not fit any more. The group is as before.
    fn add_to(&self, group: &mut Group) -> std::result::Result<(), Failure> {
        match self.arrival {
            Some(arrival) => self.values.add_arriving(self.number, arrival, group),
            None => self.values.add(self.number, group),
        }
    }

    /// Give some rows of a batch.
    fn of_batch(
        input: &Input<'a>,
        keys: &'a Keys,
        values: &'a BoundRows<'a>,
        numbers: std::ops::Range<usize>,
    ) -> Vec<Self> {
        let row = |number| Self {
            cause: Cause {
                partition: input.partition[number],
                seq: input.seq[number],
                time: input.time[number],
            },
            key: keys.key(number),
            hash: keys.hash(number),
            number,
            slot: None,
            arrival: None,
            values,
        };
        numbers.map(row).collect()
    }
}

/// Entries are looked up for so many rows at once.
const AHEAD: usize = 64;

/// What became of a row.
enum Taken {
    In,
    /// All of its windows have closed.
    Late,
    Failed(Failure),
}

/// The kernel, whatever the window.
struct Windowed<W: Windows> {
    plan: Plan,
    shape: W::Shape,
    tasks: Tasks<W>,
    late: u64,
    null_keys: u64,
}

impl<W: Windows> Windowed<W> {
    fn new(plan: Plan) -> Result<Self> {
        let shape = W::shape(&plan)?;
        Ok(Self {
            plan,
            shape,
            tasks: Tasks::default(),
            late: 0,
            null_keys: 0,
        })
    }
}

impl<W: Windows> Kernel for Windowed<W> {
    fn open(&mut self, partition: i32, store: Store) -> Result<()> {
        let task = W::open(&self.plan, &self.shape, &store)?;
        self.tasks.open(partition, store, task)
    }

    fn close(&mut self, partition: i32) {
        self.tasks.close(partition);
    }

    fn process(&mut self, inputs: &[Option<RecordBatch>]) -> Result<Processed> {
        let [Some(batch)] = inputs else {
            return Ok(Processed::nothing(&self.plan.output, 1));
        };
        let context = Context::<W> {
            plan: &self.plan,
            shape: &self.shape,
        };
        let input = self.plan.input(batch)?;
        let keys = self.plan.keys.encode(input.keys, input.rows())?;
        let values = self.plan.accumulators.bind(batch)?;
        let (mut out, mut late, mut failed) = (Output::new(&self.plan), Vec::new(), Vec::new());
        let mut begin = 0;
        for run in input.partition.chunk_by(|left, right| left == right) {
            let end = begin + run.len();
            let task = self.tasks.get(run[0])?;
            while begin < end {
                let mut rows = Row::of_batch(&input, &keys, &values, begin..end.min(begin + AHEAD));
                for row in &mut rows {
                    row.slot = task.look_ahead(context, row);
                }
                begin += rows.len();
                for row in &mut rows {
                    task.clock().see(row.cause.seq);
                    let past = task.clock().now();
                    if task.clock().advance(row.cause.time) && self.plan.emit == Emit::Final {
                        task.close(context, past, row.cause, &mut out)?;
                    }
                    if keys.all_null(row.number) {
                        self.null_keys += 1;
                        continue;
                    }
                    row.arrival = self.plan.numbers_rows.then(|| task.clock().arrive());
                    match task.add(context, row, &mut out)? {
                        Taken::In => {}
                        Taken::Late => late.push(row.number as i32),
                        Taken::Failed(Failure(reason)) => failed.push(kernel::Failure {
                            input: 0,
                            row: row.number,
                            reason: reason.to_owned(),
                        }),
                    }
                }
            }
        }
        self.late += late.len() as u64;
        Ok(Processed {
            rows: out.finish()?,
            late: vec![late],
            failed,
        })
    }

    fn advance(&mut self, partition: i32, time: i64) -> Result<Processed> {
        let context = Context::<W> {
            plan: &self.plan,
            shape: &self.shape,
        };
        let mut out = Output::new(&self.plan);
        let task = self.tasks.get(partition)?;
        let past = task.clock().now();
        if task.clock().advance(time) && self.plan.emit == Emit::Final {
            let cause = Cause {
                partition,
                seq: task.clock().seq(),
                time,
            };
            task.close(context, past, cause, &mut out)?;
        }
        Ok(Processed {
            rows: out.finish()?,
            ..Processed::nothing(&self.plan.output, 1)
        })
    }

    fn flush(&mut self) -> Result<RecordBatch> {
        let context = Context::<W> {
            plan: &self.plan,
            shape: &self.shape,
        };
        let mut out = Output::new(&self.plan);
        if self.plan.emit == Emit::Commit {
            for (partition, task) in self.tasks.iter_mut() {
                let cause = Cause {
                    partition,
                    seq: task.clock().seq(),
                    time: 0,
                };
                task.flush(context, cause, &mut out)?;
            }
        }
        out.finish()
    }

    fn changes(&mut self) -> Result<RecordBatch> {
        let context = Context::<W> {
            plan: &self.plan,
            shape: &self.shape,
        };
        for (_, task) in self.tasks.iter_mut() {
            if task.has_results() {
                return Err(Error::spec("results wait: flush before a commit"));
            }
            task.expire(context)?;
        }
        self.tasks.changes()
    }

    fn committed(&mut self, positions: &HashMap<i32, i64>) -> Result<()> {
        self.tasks.committed(positions)
    }

    fn rollback(&mut self) -> Result<()> {
        self.tasks.rollback()
    }

    fn decode(
        &self,
        keys: &BinaryArray,
        values: &BinaryArray,
        store: Option<&Store>,
    ) -> Result<RecordBatch> {
        let context = Context::<W> {
            plan: &self.plan,
            shape: &self.shape,
        };
        let mut out = Output::new(&self.plan);
        for (key, value) in keys.iter().zip(values) {
            if let (Some(key), Some(value)) = (key, value) {
                W::decode(context, Entry { key, value, store }, &mut out)?;
            }
        }
        let own: Vec<usize> = (crate::batch::LEADING..self.plan.output.fields().len()).collect();
        Ok(out.finish()?.project(&own)?)
    }

    fn limit(&mut self, bytes: usize) {
        self.tasks.limit(bytes);
    }

    fn stats(&mut self) -> Stats {
        Stats {
            late: self.late,
            null_keys: self.null_keys,
            ..self.tasks.stats()
        }
    }
}
