//! STDDEV and VARIANCE: mean and sum of squared deviations, kept up to date value by value (Welford), merged by Chan's formula.

use super::column::Column;
use super::values::Value;
use super::{Accumulator, Failure, Heap, Parts, Word};

pub struct Moments {
    /// Divide by n rather than n - 1.
    pub population: bool,
    /// Give the root.
    pub deviation: bool,
    /// Of decimals.
    pub scale: i8,
}

const MEAN: usize = 0;
const SQUARES: usize = 1;
/// How many values were not finite; they are not in the other two, and the result is NaN while there are any.
const ODD: usize = 2;

impl Moments {
    #[allow(clippy::cast_precision_loss)] // the result is a double
    fn value(&self, value: Value<'_>) -> f64 {
        match value {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
            Value::Wide(value) => value as f64 / 10f64.powi(i32::from(self.scale)),
            Value::Bytes(_) => {
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
        n: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = self.value(value);
        if value.is_finite() {
            let count = finite(n, words) + 1.0;
            let delta = value - get(words, MEAN);
            let mean = get(words, MEAN) + delta / count;
            words[SQUARES] = (get(words, SQUARES) + delta * (value - mean)).to_bits();
            words[MEAN] = mean.to_bits();
        } else {
            words[ODD] = words[ODD].wrapping_add(1);
        }
        Ok(())
    }

    fn take_away(
        &self,
        n: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = self.value(value);
        if !value.is_finite() {
            words[ODD] = words[ODD].wrapping_sub(1);
            return Ok(());
        }
        let count = finite(n, words);
        if count == 0.0 {
            words[MEAN] = 0;
            words[SQUARES] = 0;
            return Ok(());
        }
        let mean = get(words, MEAN) - (value - get(words, MEAN)) / count;
        let squares = get(words, SQUARES) - (value - get(words, MEAN)) * (value - mean);
        words[SQUARES] = squares.max(0.0).to_bits(); // rounding must not make it negative
        words[MEAN] = mean.to_bits();
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
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
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        let divisor = if self.population { n } else { n - 1 };
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
        out.push(Value::Float(if self.deviation {
            variance.sqrt()
        } else {
            variance
        }));
    }
}
