//! STDDEV and VARIANCE.
//!
//! Of whole numbers and decimals of up to 18 digits the sums of the values and of their squares are kept, exactly. Of others
//! mean and sum of squared deviations are kept up to date value by value (Welford), and merged by Chan's formula; over a table,
//! where a value that is taken away must leave no rounding behind, there is `table_floats`.

use arrow_buffer::i256;

use super::column::Column;
use super::values::{Value, set_wide, wide};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts, Word};

/// What the sum of squared deviations of n values is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// n: the variance of all values.
    All,
    /// n - 1: that of a sample.
    Sample,
    /// 1: the sum itself.
    One,
}

impl By {
    pub fn divisor(self, n: i64) -> i64 {
        match self {
            Self::All => n,
            Self::Sample => n - 1,
            Self::One => n.min(1),
        }
    }

    /// Give n and what to divide by, None if there is no result.
    pub fn counts(self, n: i64) -> Option<(u64, u64)> {
        let counts = (u64::try_from(n).ok()?, u64::try_from(self.divisor(n)).ok()?);
        (counts.1 > 0).then_some(counts)
    }
}

/// What is made of a variance.
#[derive(Clone, Copy)]
pub struct Deviation {
    pub by: By,
    /// Give the root.
    pub root: bool,
    /// Of decimals.
    pub scale: i8,
}

impl Deviation {
    fn push(self, variance: f64, out: &mut Column) {
        out.push(Value::Float(if self.root {
            variance.sqrt()
        } else {
            variance
        }));
    }
}

/// The sum of values and the sum of their squares.
pub struct ExactMoments(pub Deviation);

const SUM: std::ops::Range<usize> = 0..2;
const SQUARES_LOW: std::ops::Range<usize> = 2..4;
const SQUARES_HIGH: std::ops::Range<usize> = 4..6;

/// Values have 63 bits, so neither n times the squares nor the square of the sum reaches 256.
fn squares(words: &[u64]) -> i256 {
    i256::from_parts(
        wide(&words[SQUARES_LOW]).cast_unsigned(),
        wide(&words[SQUARES_HIGH]),
    )
}

fn change(words: &mut [u64], sum: i128, square: i256) {
    let total = wide(&words[SUM]).wrapping_add(sum);
    set_wide(&mut words[SUM], total);
    let (low, high) = squares(words).wrapping_add(square).to_parts();
    set_wide(&mut words[SQUARES_LOW], low.cast_signed());
    set_wide(&mut words[SQUARES_HIGH], high);
}

fn whole(value: Value<'_>) -> i128 {
    match value {
        Value::Int(value) => i128::from(value),
        Value::Wide(value) => value,
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

#[allow(clippy::cast_precision_loss)] // the result is a double
pub fn to_float(value: i256) -> f64 {
    let (low, high) = value.to_parts();
    high as f64 * 2f64.powi(128) + low as f64
}

impl Accumulator for ExactMoments {
    fn parts(&self) -> Parts {
        Parts::words(&[
            Word::Wide,
            Word::High,
            Word::Wide,
            Word::High,
            Word::Wide,
            Word::High,
        ])
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = whole(value);
        change(words, value, i256::from_i128(value * value));
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = whole(value);
        change(words, -value, i256::from_i128(-value * value));
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        change(into.1, wide(&from.1[SUM]), squares(from.1));
    }

    #[allow(clippy::cast_precision_loss)] // the result is a double
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        let divisor = self.0.by.divisor(n);
        if divisor <= 0 {
            return out.push_null();
        }
        let sum = i256::from_i128(wide(&words[SUM]));
        let deviations = i256::from_i128(i128::from(n))
            .wrapping_mul(squares(words))
            .wrapping_sub(sum.wrapping_mul(sum));
        let variance = to_float(deviations) / n as f64 / divisor as f64;
        self.0
            .push(variance / 10f64.powi(2 * i32::from(self.0.scale)), out);
    }
}

/// Mean and sum of squared deviations.
pub struct Moments(pub Deviation);

const MEAN: usize = 0;
const SQUARES: usize = 1;
/// How many values were not finite; they are not in the other two, and the result is NaN while there are any.
const ODD: usize = 2;

impl Deviation {
    /// Give a number as a double.
    #[allow(clippy::cast_precision_loss)] // the result is a double
    pub fn value(self, value: Value<'_>) -> f64 {
        match value {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
            Value::Wide(value) => value as f64 / 10f64.powi(i32::from(self.scale)),
            Value::Bytes(_) | Value::Pair(..) => {
                unreachable!("the form of an argument is settled when the call is compiled")
            }
        }
    }
}

fn get(words: &[u64], index: usize) -> f64 {
    f64::from_bits(words[index])
}

#[allow(clippy::cast_precision_loss)] // counts below 2^53
fn finite(n: i64, words: &[u64]) -> f64 {
    (n - words[ODD].cast_signed()) as f64
}

impl Accumulator for Moments {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Float, Word::Float, Word::Int])
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = self.0.value(value);
        if value.is_finite() {
            let count = finite(at.n, words) + 1.0;
            let delta = value - get(words, MEAN);
            let mean = get(words, MEAN) + delta / count;
            words[SQUARES] = (get(words, SQUARES) + delta * (value - mean)).to_bits();
            words[MEAN] = mean.to_bits();
        } else {
            words[ODD] = words[ODD].wrapping_add(1);
        }
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let (a, b) = (finite(into.0, into.1), finite(from.0, from.1));
        let words = into.1;
        if a == 0.0 {
            words[..ODD].copy_from_slice(&from.1[..ODD]);
        } else if b != 0.0 {
            let delta = get(from.1, MEAN) - get(words, MEAN);
            let squares =
                get(words, SQUARES) + get(from.1, SQUARES) + delta * delta * a * b / (a + b);
            words[MEAN] = (get(words, MEAN) + delta * b / (a + b)).to_bits();
            words[SQUARES] = squares.to_bits();
        }
        words[ODD] = words[ODD].wrapping_add(from.1[ODD]);
    }

    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        let divisor = self.0.by.divisor(n);
        if divisor <= 0 {
            return out.push_null();
        }
        // As DuckDB has it, one value does not deviate, whatever it is.
        let variance = if n == 1 {
            0.0
        } else if words[ODD] == 0 {
            get(words, SQUARES) / divisor as f64
        } else {
            f64::NAN
        };
        self.0.push(variance, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_away_leaves_no_rounding_in_whole_numbers() {
        let moments = ExactMoments(Deviation {
            by: By::All,
            root: false,
            scale: 0,
        });
        let mut words = [0; 6];
        for value in [i64::MIN, i64::MAX, 3, 5] {
            moments
                .add(At::default(), Value::Int(value), &mut words, &mut [])
                .unwrap();
        }
        for value in [i64::MAX, i64::MIN] {
            moments
                .take_away(0, Value::Int(value), &mut words, &mut [])
                .unwrap();
        }
        assert_eq!(
            (wide(&words[SUM]), squares(&words)),
            (8, i256::from_i128(34))
        );
    }
}
