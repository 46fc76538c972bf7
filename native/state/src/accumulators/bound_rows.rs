//! The rows of a batch on their way into groups.

use arrow_buffer::{BooleanBuffer, ScalarBuffer};

use super::group::Group;
use super::heap::Heap;
use super::values::{Value, Values};
use super::{Accumulators, At, Call, Failure};

/// The rows of a batch, ready to be added to groups.
pub struct BoundRows<'a> {
    pub(super) accumulators: &'a Accumulators,
    /// One for each argument.
    pub(super) values: Vec<Values>,
    /// One for each tally; None: every row counts.
    pub(super) masks: Vec<Option<BooleanBuffer>>,
    /// Where rows stand for several: what a row adds to the number of rows, and to each tally.
    pub(super) weights: Option<Vec<ScalarBuffer<i64>>>,
}

impl BoundRows<'_> {
    /// Add a row to a group that is never merged with another.
    ///
    /// # Errors
    /// A sum does not fit any more. The group is as before.
    #[inline]
    pub fn add(&self, row: usize, group: &mut Group) -> std::result::Result<(), Failure> {
        // Within a group, how many rows came before is as good as any other number.
        let arrival = group.rows().cast_unsigned();
        self.change::<1>(row, arrival, group)
    }

    /// Add a row.
    ///
    /// Args:
    /// - `arrival`: higher than that of any row before, in whatever group; only needed if the accumulators ask for it.
    ///
    /// # Errors
    /// As `add`.
    #[inline]
    pub fn add_arriving(
        &self,
        row: usize,
        arrival: u64,
        group: &mut Group,
    ) -> std::result::Result<(), Failure> {
        self.change::<1>(row, arrival, group)
    }

    /// Whether no sum can be too large when a row is added to a group, if the group is merged with so many others for which the
    /// same holds.
    #[inline]
    pub fn is_safe(&self, row: usize, group: &Group, others: u64) -> bool {
        let accumulators = self.accumulators;
        let (words, heaps) = group.parts();
        accumulators.calls[..accumulators.fallible]
            .iter()
            .filter_map(|call| Some((call, call.accumulator.limited()?)))
            .all(|(call, limited)| {
                let value = if self.counts(call.tally, row) {
                    self.values[call.argument].get(row)
                } else {
                    Value::Int(0)
                };
                let magnitude = limited.magnitude(call.part(words, heaps), value);
                magnitude <= limited.bound() / (u128::from(others) + 1)
            })
    }

    /// Take a row away that was added before (or, where changes come out of order, will be).
    ///
    /// # Errors
    /// A sum does not fit any more. The group is as before.
    #[inline]
    pub fn take_away(&self, row: usize, group: &mut Group) -> std::result::Result<(), Failure> {
        self.change::<-1>(row, 0, group)
    }

    #[inline]
    fn change<const SIGN: i64>(
        &self,
        row: usize,
        arrival: u64,
        group: &mut Group,
    ) -> std::result::Result<(), Failure> {
        let (words, heaps) = group.parts_mut();
        for (index, call) in self.accumulators.calls.iter().enumerate() {
            if !self.counts(call.tally, row) {
                continue;
            }
            if let Err(failure) = self.apply::<SIGN>(call, (row, arrival), words, heaps) {
                self.undo::<SIGN>(index, row, words, heaps);
                return Err(failure);
            }
        }
        words[0] = words[0].wrapping_add(self.weight::<SIGN>(0, row));
        for tally in 0..self.masks.len() {
            if self.counts(tally, row) {
                words[1 + tally] =
                    words[1 + tally].wrapping_add(self.weight::<SIGN>(1 + tally, row));
            }
        }
        Ok(())
    }

    /// What a row adds to the number of rows, or to a tally.
    #[inline]
    fn weight<const SIGN: i64>(&self, word: usize, row: usize) -> u64 {
        let weight = self
            .weights
            .as_ref()
            .map_or(1, |weights| weights[word][row]);
        (SIGN * weight).cast_unsigned()
    }

    #[inline]
    fn counts(&self, tally: usize, row: usize) -> bool {
        self.masks[tally]
            .as_ref()
            .is_none_or(|mask| mask.value(row))
    }

    #[inline]
    fn apply<const SIGN: i64>(
        &self,
        call: &Call,
        (row, arrival): (usize, u64),
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> std::result::Result<(), Failure> {
        let n = words[1 + call.tally].cast_signed();
        let value = self.values[call.argument].get(row);
        let (words, heaps) = (
            &mut words[call.words.clone()],
            &mut heaps[call.heaps.clone()],
        );
        if SIGN > 0 {
            call.accumulator.add(At { n, arrival }, value, words, heaps)
        } else {
            call.accumulator.take_away(n - 1, value, words, heaps)
        }
    }

    /// Undo the calls before one that has failed; all of them are among those that may fail, and the tallies are as before.
    #[cold]
    fn undo<const SIGN: i64>(
        &self,
        failed: usize,
        row: usize,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) {
        debug_assert!(failed < self.accumulators.fallible);
        for call in &self.accumulators.calls[..failed] {
            if self.counts(call.tally, row) {
                let n = words[1 + call.tally].cast_signed();
                let value = self.values[call.argument].get(row);
                let (words, heaps) = (
                    &mut words[call.words.clone()],
                    &mut heaps[call.heaps.clone()],
                );
                let undone = if SIGN > 0 {
                    call.accumulator.take_away(n, value, words, heaps)
                } else {
                    call.accumulator.add(At::of(n - 1), value, words, heaps)
                };
                debug_assert_eq!(undone, Ok(()));
            }
        }
    }
}
