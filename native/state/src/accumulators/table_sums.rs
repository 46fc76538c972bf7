//! SUM and AVG of whole numbers and decimals over a table.
//!
//! The table knows a row whose value makes the sum too large, and will take it away one day: so every value is taken in, into a
//! sum that has room for all of them, and only the result may be too large to be given.

use arrow_buffer::i256;

use super::column::Column;
use super::moments::to_float;
use super::sums::{DECIMAL_OVERFLOW, ExactMean, INT_OVERFLOW, as_wide, within_38_digits};
use super::values::{Value, set_wide, wide};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts, Unlimited, Word};

/// What is made of an exact sum.
pub enum TableSum {
    /// SUM of whole numbers of up to 64 bits. Its sum has 128 bits, others have 256.
    Int,
    /// SUM of decimals, and of integers where the result is a decimal.
    Decimal,
    /// AVG.
    Mean(ExactMean),
}

const LOW: std::ops::Range<usize> = 0..2;
const HIGH: std::ops::Range<usize> = 2..4;

impl TableSum {
    fn sum(&self, words: &[u64]) -> i256 {
        let low = wide(&words[LOW]);
        match self {
            Self::Int => i256::from_i128(low),
            _ => i256::from_parts(low.cast_unsigned(), wide(&words[HIGH])),
        }
    }

    /// As many numbers as there can be fit.
    fn add_to(&self, words: &mut [u64], number: i256) {
        let (low, high) = self.sum(words).wrapping_add(number).to_parts();
        set_wide(&mut words[LOW], low.cast_signed());
        if !matches!(self, Self::Int) {
            set_wide(&mut words[HIGH], high);
        }
    }
}

/// Give a sum divided by the number of values, without sign, and the rest; None if it has more than 127 bits.
fn divided(sum: i256, n: i64) -> Option<(u128, u128)> {
    let n = i256::from_i128(n.into());
    let sum = sum.wrapping_abs();
    let whole = sum.checked_div(n)?.to_i128()?;
    let rest = sum.checked_rem(n)?.to_i128()?;
    Some((whole.unsigned_abs(), rest.unsigned_abs()))
}

impl Accumulator for TableSum {
    fn parts(&self) -> Parts {
        let words = [Word::Wide, Word::High, Word::Wide, Word::High];
        Parts::words(match self {
            Self::Int => &words[LOW],
            _ => &words,
        })
    }

    fn unlimited(&self) -> Option<&dyn Unlimited> {
        Some(self)
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.add_to(words, i256::from_i128(as_wide(value)));
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.add_to(words, i256::from_i128(as_wide(value)).wrapping_neg());
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        self.add_to(into.1, self.sum(from.1));
    }

    #[allow(clippy::cast_precision_loss)] // a mean is a double, and of a decimal only the sign counts
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n <= 0 {
            return out.push_null();
        }
        let sum = self.sum(words);
        let result = match self {
            Self::Int => sum
                .to_i128()
                .and_then(|sum| i64::try_from(sum).ok())
                .map(Value::Int),
            Self::Decimal => sum.to_i128().and_then(within_38_digits).map(Value::Wide),
            Self::Mean(mean) => {
                let as_float = sum
                    .to_i128()
                    .map_or_else(|| to_float(sum), |sum| sum as f64);
                Some(mean.mean(as_float, n, || divided(sum, n).unwrap_or_default()))
            }
        };
        match result {
            Some(result) => out.push(result),
            None => out.push_null(),
        }
    }
}

impl Unlimited for TableSum {
    fn check(&self, (n, words, _): Part<'_>) -> Result<(), Failure> {
        if n <= 0 {
            return Ok(());
        }
        let sum = self.sum(words);
        match self {
            Self::Int => {
                let fits = sum.to_i128().is_some_and(|sum| i64::try_from(sum).is_ok());
                fits.then_some(()).ok_or(INT_OVERFLOW)
            }
            Self::Decimal => {
                let sum = sum.to_i128().and_then(within_38_digits);
                sum.map(|_| ()).ok_or(DECIMAL_OVERFLOW)
            }
            Self::Mean(mean) => mean.check_whole(divided(sum, n).map(|(whole, _)| whole)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS_38: i128 = 10i128.pow(38) - 1;

    #[test]
    fn what_was_too_large_is_right_again_when_it_went() {
        let (large, long) = (Value::Wide(DIGITS_38), Value::Int(i64::MAX));
        let mean = TableSum::Mean(ExactMean::new(2, Some(6)).unwrap());
        let fits = Value::Wide(10i128.pow(34) - 2);
        for (sum, first, second, len) in [
            (&TableSum::Int, long, Value::Int(1), 2),
            (&TableSum::Int, Value::Int(i64::MIN), Value::Int(-1), 2),
            (&TableSum::Decimal, large, large, 4),
            (
                &TableSum::Decimal,
                Value::Wide(-DIGITS_38),
                Value::Wide(-1),
                4,
            ),
            (&mean, fits, large, 4),
        ] {
            let mut words = vec![0; len];
            sum.add(At::of(0), first, &mut words, &mut []).unwrap();
            assert_eq!(sum.check((1, &words, &[])), Ok(()));
            let before = words.clone();
            sum.add(At::of(1), second, &mut words, &mut []).unwrap();
            assert!(sum.check((2, &words, &[])).is_err());
            sum.take_away(1, second, &mut words, &mut []).unwrap();
            assert_eq!(words, before);
            sum.take_away(0, first, &mut words, &mut []).unwrap();
            assert_eq!(words, vec![0; len]);
        }
    }

    #[test]
    fn a_mean_needs_no_sum_that_can_be_given() {
        let mean = TableSum::Mean(ExactMean::new(0, Some(0)).unwrap());
        let mut words = vec![0; 4];
        for n in 0..1000 {
            let value = Value::Wide(-DIGITS_38 + 1);
            mean.add(At::of(n), value, &mut words, &mut []).unwrap();
        }
        assert_eq!(mean.check((1000, &words, &[])), Ok(()));
        assert_eq!(
            divided(mean.sum(&words), 1000),
            Some((DIGITS_38.unsigned_abs() - 1, 0))
        );
    }
}
