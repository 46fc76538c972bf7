//! The aggregate functions: what a group knows of its rows, and what comes of it.
//!
//! # How to use it
//!
//! ```text
//! let accumulators = Accumulators::new(&calls, &input_schema, keys, &output_types, retracts)?;   // per kernel
//! let mut group = accumulators.group();
//! let rows = accumulators.bind(&batch)?;                         // per batch: reads the argument columns once
//! rows.add(row, &mut group)?;                                    // per row; a failure leaves the group as it was
//! rows.take_away(row, &mut group)?;                              // over RETRACT changes
//! accumulators.merge(&mut group, &other)?;                       // sessions, panes, parts of an aggregate
//! let mut results = accumulators.results(); results.push(&group); let columns = results.finish()?;
//! ```
//!
//! [`Accumulators`] is also the [`table::Codec`](crate::table::Codec) of a table of groups (wrap it in an `Arc`).
//!
//! # What a group is
//!
//! A [`Group`] is some 64-bit words and, for functions that keep more than that, some [`heap::Heap`]s. The first word counts
//! rows; a group of no rows is as `group()` gives it. The words after it count, for each call, the rows in which the argument is
//! not null and the filter true: COUNT is nothing but such a word, and the others take from it whether there is any value. Two
//! calls share none, so that one that is added to a state later begins with nothing. Then come the words of the calls.
//!
//! # Order
//!
//! Rows are added one by one in the order of the task. FIRST, LAST, ANYF, COLLECT and STRING_AGG depend on it; so do the last
//! bits of sums of floating-point numbers. For `merge`, all rows of `from` come after those of `into`.
//!
//! # Overflow
//!
//! Calls that can fail (sums of integers and decimals) are worked first, so that a row that does not fit has no effect on any
//! call: what the calls before the failing one did is undone.
//!
//! Over a table no row is refused, as it would be taken away later although it was never added. Sums have room for all rows there,
//! and a group that has a sum that cannot be given is no part of the result until it can ([`Accumulators::gives`]).

mod all_values;
mod bound_rows;
mod bytes;
mod cardinality;
pub mod column;
mod compile;
mod distinct;
mod exact;
mod extremes;
mod fold;
mod functions;
mod group;
pub mod heap;
mod lists;
pub mod migration;
mod moments;
mod multiset;
mod pairs;
mod quantile;
mod results;
mod sequence;
mod sums;
mod table_floats;
mod table_sums;
#[cfg(test)]
mod tests;
pub mod values;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_buffer::{ScalarBuffer, i256};

pub use bound_rows::BoundRows;
use column::Column;
pub use group::Group;
use heap::Heap;
pub use results::{ResultColumns, Results};
use values::{Argument, Codec, Value};

use crate::error::Result;

/// Why a row cannot be taken in; names no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure(pub &'static str);

/// How a word of a state is written to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A whole number.
    Int,
    /// The bits of an f64.
    Float,
    /// The lower half of an i128.
    Wide,
    /// The upper half, written with the lower one.
    High,
}

/// What an accumulator needs in each group: words (0 at first) and heaps (as given here).
pub struct Parts {
    words: Vec<Word>,
    heaps: Vec<Heap>,
}

impl Parts {
    fn words(words: &[Word]) -> Self {
        Self {
            words: words.to_vec(),
            heaps: Vec::new(),
        }
    }

    fn heap(heap: Heap) -> Self {
        Self {
            words: Vec::new(),
            heaps: vec![heap],
        }
    }
}

/// What happens to the rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// They are added.
    Come,
    /// They are added and taken away: the group is of a table.
    ComeAndGo,
    /// They are added, and groups are merged: those of sub-windows, or of sessions that meet.
    AreMerged,
}

/// When a value is added: the number of values before it, and the number of its arrival, which is higher than those of all
/// values that came before, whatever group they are in.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    n: i64,
    arrival: u64,
}

impl At {
    /// For functions that do not ask when a value arrived.
    fn of(n: i64) -> Self {
        Self { n, arrival: 0 }
    }
}

/// What a function keeps of a group: the number of values, words and heaps.
type Part<'a> = (i64, &'a [u64], &'a [Heap]);
type PartMut<'a> = (i64, &'a mut [u64], &'a mut [Heap]);

/// One aggregate function. Nulls and filters are dealt with before; it sees values only.
///
/// `n` is the number of values: before `add`, and after `take_away`. What it keeps of a group is in the words and heaps that
/// `parts` asked for. Once a value of no group is left, only `n` tells: words may hold anything then, but heaps must be
/// empty again if values were taken away.
trait Accumulator: Send + Sync {
    fn parts(&self) -> Parts;

    /// If `add` may fail: then `take_away` must undo it exactly, and neither may change anything when it fails.
    fn limited(&self) -> Option<&dyn Limited> {
        None
    }

    /// If the result may be too large to be given, although `add` takes every value in.
    fn unlimited(&self) -> Option<&dyn Unlimited> {
        None
    }

    /// Whether the result depends on the order in which values come.
    fn needs_arrival(&self) -> bool {
        false
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> std::result::Result<(), Failure>;

    fn take_away(
        &self,
        _: i64,
        _: Value<'_>,
        _: &mut [u64],
        _: &mut [Heap],
    ) -> std::result::Result<(), Failure> {
        unreachable!("a function without inverse is not compiled for RETRACT changes")
    }

    /// Take the values of another group in. Sums wrap around: what fits in the end is right.
    fn merge(&self, into: PartMut<'_>, from: Part<'_>);

    /// Add a value as `merge` does; for sums alone.
    fn absorb(&self, _: Value<'_>, _: &mut [u64]) {
        unreachable!("only sums can be too large")
    }

    fn result(&self, n: i64, words: &[u64], heaps: &[Heap], out: &mut Column);
}

/// A sum that may be too large.
trait Limited {
    /// Up to this magnitude it never is, whatever the number of values.
    fn bound(&self) -> u128;

    /// Say whether a total of so many values fits.
    fn check(&self, total: i256, n: i64) -> std::result::Result<(), Failure>;

    /// Give the most that a group and one more value can add to or take from any total.
    fn magnitude(&self, part: Part<'_>, value: Value<'_>) -> u128;

    /// Give the exact total of some groups together, and the number of values in it.
    fn total(&self, parts: &mut dyn Iterator<Item = Part<'_>>) -> (i256, i64);
}

/// A sum over a table, which takes every value in and may be too large to be given.
trait Unlimited {
    /// Say whether the result fits.
    fn check(&self, part: Part<'_>) -> std::result::Result<(), Failure>;
}

/// The calls of an operator, compiled for the types of their arguments.
pub struct Accumulators {
    /// What is read of a batch.
    arguments: Vec<Argument>,
    tallies: Vec<Tally>,
    /// The column that says for how many rows a row stands; None: each for itself.
    weight: Option<usize>,
    /// Those that may fail are first.
    calls: Vec<Call>,
    fallible: usize,
    /// Numbers of the calls whose result may be too large to be given.
    unlimited: Vec<usize>,
    /// In the order of the specification.
    outputs: Vec<Output>,
    /// How each word is written. The first is the number of rows, then one for each tally.
    words: Vec<Word>,
    /// What a new group has.
    heaps: Vec<Heap>,
    /// Sets whose values take more than so many bytes are divided.
    inline_bytes: usize,
}

/// So many bytes of the values of a set lie in the entry of its group, if nobody says otherwise: about what a commit may well
/// write each time.
const INLINE_BYTES: usize = 1024;

/// A call's count of rows in which its argument is not null and its filter is true. Its word is 1 + its index.
struct Tally {
    /// The columns of the arguments.
    values: [Option<usize>; 2],
    filter: Option<usize>,
    /// The column with the number of such rows, where a row stands for several.
    weight: Option<usize>,
}

struct Call {
    accumulator: Box<dyn Accumulator>,
    argument: usize,
    tally: usize,
    words: std::ops::Range<usize>,
    heaps: std::ops::Range<usize>,
}

impl Call {
    fn part<'a>(&self, words: &'a [u64], heaps: &'a [Heap]) -> Part<'a> {
        (
            words[1 + self.tally].cast_signed(),
            &words[self.words.clone()],
            &heaps[self.heaps.clone()],
        )
    }
}

struct Output {
    from: From,
    make: Make,
}

enum From {
    /// The number of rows.
    Rows,
    Tally(usize),
    Call(usize),
}

enum Make {
    Value(Arc<Codec>),
    List(Arc<Codec>, Arc<arrow_schema::Field>),
}

impl Accumulators {
    /// Give the state of no rows.
    pub fn group(&self) -> Group {
        Group::new(self.words.len(), &self.heaps)
    }

    /// Let sets of values that take more than so many bytes be members of the group's entry, each value one.
    pub fn divided_above(self, inline_bytes: Option<usize>) -> Self {
        Self {
            inline_bytes: inline_bytes.unwrap_or(INLINE_BYTES),
            ..self
        }
    }

    /// How many bytes of one entry are few: see `divided_above`.
    pub fn inline_bytes(&self) -> usize {
        self.inline_bytes
    }

    /// Make the columns of a batch ready. They must have the types that this was compiled for.
    pub fn bind(&self, batch: &RecordBatch) -> Result<BoundRows<'_>> {
        let read = |argument: &Argument| argument.read(batch);
        Ok(BoundRows {
            accumulators: self,
            values: self.arguments.iter().map(read).collect::<Result<_>>()?,
            masks: self
                .tallies
                .iter()
                .map(|tally| values::mask(batch, tally.values, tally.filter))
                .collect(),
            weights: self.weights(batch),
        })
    }

    /// By how much each row raises the number of rows, and then each tally.
    fn weights(&self, batch: &RecordBatch) -> Option<Vec<ScalarBuffer<i64>>> {
        let column = |index: usize| {
            batch
                .column(index)
                .as_primitive::<Int64Type>()
                .values()
                .clone()
        };
        let rows = self.weight?;
        let tallies = self
            .tallies
            .iter()
            .map(|tally| tally.weight.unwrap_or(rows));
        Some(std::iter::once(rows).chain(tallies).map(column).collect())
    }

    /// Take the rows of another group in. A total must fit: see [`Self::check`] and [`BoundRows::is_safe`].
    pub fn merge(&self, into: &mut Group, from: &Group) {
        let (words, heaps) = into.parts_mut();
        let (other_words, other_heaps) = from.parts();
        for call in &self.calls {
            let n = words[1 + call.tally].cast_signed();
            call.accumulator.merge(
                (
                    n,
                    &mut words[call.words.clone()],
                    &mut heaps[call.heaps.clone()],
                ),
                call.part(other_words, other_heaps),
            );
        }
        for (word, other) in words
            .iter_mut()
            .zip(other_words)
            .take(1 + self.tallies.len())
        {
            *word = word.wrapping_add(*other);
        }
    }

    /// Say whether the sums over all of some groups fit.
    pub fn check<'g>(
        &self,
        groups: impl Iterator<Item = &'g Group> + Clone,
    ) -> std::result::Result<(), Failure> {
        for call in &self.calls[..self.fallible] {
            if let Some(limited) = call.accumulator.limited() {
                let mut parts = groups.clone().map(|group| {
                    let (words, heaps) = group.parts();
                    call.part(words, heaps)
                });
                let (total, n) = limited.total(&mut parts);
                limited.check(total, n)?;
            }
        }
        Ok(())
    }

    /// Whether there are rows that cannot be added.
    pub fn may_fail(&self) -> bool {
        self.fallible > 0
    }

    /// Whether there may be groups whose results cannot be given.
    pub fn may_withhold(&self) -> bool {
        !self.unlimited.is_empty()
    }

    /// Say whether the results of a group can be given.
    pub fn check_results(&self, group: &Group) -> std::result::Result<(), Failure> {
        let (words, heaps) = group.parts();
        for call in self.unlimited.iter().map(|call| &self.calls[*call]) {
            if let Some(unlimited) = call.accumulator.unlimited() {
                unlimited.check(call.part(words, heaps))?;
            }
        }
        Ok(())
    }

    /// Whether a group is part of the result: it has rows, and what comes of them can be given.
    pub fn gives(&self, group: &Group) -> bool {
        group.exists() && self.check_results(group).is_ok()
    }

    /// Whether all groups take the same few bytes.
    pub fn is_flat(&self) -> bool {
        self.heaps.is_empty()
    }

    /// Whether results depend on the order in which rows come.
    pub fn need_arrivals(&self) -> bool {
        let mut calls = self.calls.iter();
        calls.any(|call| call.accumulator.needs_arrival())
    }

    /// Begin the columns of results: `a0`, …
    pub fn results(&self) -> Results<'_> {
        Results {
            accumulators: self,
            columns: self.result_columns(),
        }
    }

    /// As `results`, to be kept beside the accumulators.
    pub fn result_columns(&self) -> ResultColumns {
        let column = |output: &Output| match &output.make {
            Make::Value(codec) => Column::new(codec),
            Make::List(items, field) => Column::lists(items, field),
        };
        ResultColumns {
            columns: self.outputs.iter().map(column).collect(),
            rows: 0,
        }
    }
}
