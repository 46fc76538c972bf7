//! DISTINCT before any function.

use std::collections::BTreeSet;

use arrow_buffer::i256;

use super::column::Column;
use super::multiset::{Change, Multiset};
use super::sums::{exact, magnitude};
use super::values::{Form, Scratch, Value};
use super::{Accumulator, At, Failure, Heap, Limited, Part, PartMut, Parts, Unlimited};

/// DISTINCT: an inner function sees each different value once. The set is the first of the heaps.
pub struct Distinct {
    pub inner: Box<dyn Accumulator>,
    pub form: Form,
}

impl Accumulator for Distinct {
    fn parts(&self) -> Parts {
        let mut parts = self.inner.parts();
        parts.heaps.insert(0, Heap::Multiset(Multiset::default()));
        parts
    }

    fn limited(&self) -> Option<&dyn Limited> {
        self.inner.limited().map(|_| self as &dyn Limited)
    }

    fn unlimited(&self) -> Option<&dyn Unlimited> {
        self.inner.unlimited().map(|_| self as &dyn Unlimited)
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = value.canonical();
        let mut scratch = Scratch::default();
        let bytes = value.sortable(&mut scratch);
        let (set, rest) = split(heaps);
        let before = set.present();
        if set.change(bytes, 1) == Change::Came {
            self.inner
                .add(At::of(before), value, words, rest)
                .inspect_err(|_| {
                    set.change(bytes, -1);
                })?;
        }
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = value.canonical();
        let mut scratch = Scratch::default();
        let bytes = value.sortable(&mut scratch);
        let (set, rest) = split(heaps);
        if set.change(bytes, -1) == Change::Went {
            self.inner
                .take_away(set.present(), value, words, rest)
                .inspect_err(|_| {
                    set.change(bytes, 1);
                })?;
        }
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let (set, rest) = split(into.2);
        for (bytes, count) in from.2[0].multiset().all() {
            let before = set.present();
            let value = Value::from_sortable(self.form, bytes);
            match set.change(bytes, count) {
                Change::Came if self.inner.limited().is_some() => {
                    self.inner.absorb(value, into.1);
                }
                Change::Came => {
                    let added = self.inner.add(At::of(before), value, into.1, rest);
                    debug_assert_eq!(added, Ok(()));
                }
                Change::Went => unreachable!("groups of rows that may go are not merged"),
                Change::None => {}
            }
        }
    }

    fn result(&self, _: i64, words: &[u64], heaps: &[Heap], out: &mut Column) {
        self.inner
            .result(heaps[0].multiset().present(), words, &heaps[1..], out);
    }
}

impl Limited for Distinct {
    fn bound(&self) -> u128 {
        self.limited_inner().bound()
    }

    fn check(&self, total: i256, n: i64) -> Result<(), Failure> {
        self.limited_inner().check(total, n)
    }

    /// What each value could be, times their number: what other groups have of the same values does not count twice.
    fn magnitude(&self, part: Part<'_>, value: Value<'_>) -> u128 {
        let set = part.2[0].multiset();
        let ends = [set.all().next(), set.all().next_back()];
        let values = ends
            .into_iter()
            .flatten()
            .map(|(bytes, _)| Value::from_sortable(self.form, bytes));
        let largest = values.chain([value]).map(magnitude).max().unwrap_or(0);
        largest.saturating_mul(u128::from(set.present().unsigned_abs()) + 1)
    }

    fn total(&self, parts: &mut dyn Iterator<Item = Part<'_>>) -> (i256, i64) {
        let parts: Vec<Part<'_>> = parts.collect();
        let values: BTreeSet<&[u8]> = parts
            .iter()
            .flat_map(|part| part.2[0].multiset().iter().map(|(bytes, _)| bytes))
            .collect();
        let total = values.iter().fold(i256::ZERO, |total, bytes| {
            total.wrapping_add(exact(Value::from_sortable(self.form, bytes)))
        });
        (total, i64::try_from(values.len()).unwrap_or(i64::MAX))
    }
}

impl Unlimited for Distinct {
    fn check(&self, (_, words, heaps): Part<'_>) -> Result<(), Failure> {
        let n = heaps[0].multiset().present();
        let inner = self.inner.unlimited().expect("only then is this");
        inner.check((n, words, &heaps[1..]))
    }
}

impl Distinct {
    fn limited_inner(&self) -> &dyn Limited {
        self.inner.limited().expect("only then is this limited")
    }
}

fn split(heaps: &mut [Heap]) -> (&mut Multiset, &mut [Heap]) {
    let (first, rest) = heaps.split_first_mut().expect("the set is the first");
    (first.multiset_mut(), rest)
}
