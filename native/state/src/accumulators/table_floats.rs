//! SUM, AVG, STDDEV and VARIANCE of floating-point numbers over a table: exact, so that a value that is taken away leaves no trace.
//!
//! Values that are not finite are counted apart: once they are taken away, the sum is what it was.

use super::column::Column;
use super::exact::ExactSum;
use super::moments::Deviation;
use super::sums::float;
use super::values::Value;
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts, Word};

/// SUM and AVG.
pub struct TableFloatSum {
    pub mean: bool,
}

const NAN: usize = 0;
const PLUS: usize = 1;
const MINUS: usize = 2;

/// Count one more in a word, or one less.
fn count(word: &mut u64, away: bool) {
    *word = if away {
        word.wrapping_sub(1)
    } else {
        word.wrapping_add(1)
    };
}

fn exact() -> Heap {
    Heap::Exact(ExactSum::default())
}

fn merge(into: PartMut<'_>, from: Part<'_>) {
    for (word, other) in into.1.iter_mut().zip(from.1) {
        *word = word.wrapping_add(*other);
    }
    for (heap, other) in into.2.iter_mut().zip(from.2) {
        heap.exact_mut().merge(other.exact());
    }
}

impl TableFloatSum {
    fn change(value: f64, away: bool, words: &mut [u64], heaps: &mut [Heap]) {
        if value.is_finite() {
            heaps[0].exact_mut().change(value, away);
        } else if value.is_nan() {
            count(&mut words[NAN], away);
        } else {
            count(&mut words[if value > 0.0 { PLUS } else { MINUS }], away);
        }
    }
}

impl Accumulator for TableFloatSum {
    fn parts(&self) -> Parts {
        Parts {
            words: vec![Word::Int; 3],
            heaps: vec![exact()],
        }
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(float(value), false, words, heaps);
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(float(value), true, words, heaps);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        merge(into, from);
    }

    fn result(&self, n: i64, words: &[u64], heaps: &[Heap], out: &mut Column) {
        let count = match u64::try_from(n) {
            Ok(count) if count > 0 => count,
            _ => return out.push_null(),
        };
        let has = |word: usize| words[word].cast_signed() > 0;
        let sum = heaps[0].exact();
        out.push(Value::Float(match (has(NAN), has(PLUS), has(MINUS)) {
            (true, _, _) | (_, true, true) => f64::NAN,
            (_, true, _) => f64::INFINITY,
            (_, _, true) => f64::NEG_INFINITY,
            _ if self.mean => sum.mean(count),
            _ => sum.sum(),
        }));
    }
}

/// STDDEV and VARIANCE: the sum of the values and that of their squares. Decimals are taken as the doubles next to them.
pub struct TableMoments(pub Deviation);

impl TableMoments {
    fn change(&self, value: Value<'_>, away: bool, words: &mut [u64], heaps: &mut [Heap]) {
        let value = self.0.value(value);
        if value.is_finite() {
            heaps[0].exact_mut().change(value, away);
            heaps[1].exact_mut().change_square(value, away);
        } else {
            count(&mut words[0], away);
        }
    }
}

impl Accumulator for TableMoments {
    /// The word counts values that are not finite; the result is NaN while there are any.
    fn parts(&self) -> Parts {
        Parts {
            words: vec![Word::Int],
            heaps: vec![exact(), exact()],
        }
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        self.change(value, false, words, heaps);
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        self.change(value, true, words, heaps);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        merge(into, from);
    }

    fn result(&self, n: i64, words: &[u64], heaps: &[Heap], out: &mut Column) {
        let Some((n, divisor)) = self.0.by.counts(n) else {
            return out.push_null();
        };
        // As DuckDB has it, one value does not deviate, whatever it is.
        let deviation = if n == 1 {
            0.0
        } else if words[0].cast_signed() > 0 {
            f64::NAN
        } else {
            let variance = heaps[0].exact().variance(heaps[1].exact(), n, divisor);
            if self.0.root {
                variance.root()
            } else {
                variance.round()
            }
        };
        out.push(Value::Float(deviation));
    }
}
