//! SUM and AVG. Whole numbers and decimals are added exactly; floating-point numbers in the order of the rows.

use super::column::Column;
use super::values::{Form, Value, set_wide, wide};
use super::{Accumulator, Failure, Heap, Parts, Word};

/// SUM of whole numbers of up to 64 bits.
pub struct IntSum;

const INT_OVERFLOW: Failure = Failure("SUM: the sum does not fit into a 64-bit integer");
const DECIMAL_OVERFLOW: Failure = Failure("SUM: the sum has more than 38 digits");
const MEAN_OVERFLOW: Failure =
    Failure("AVG: the mean or the sum behind it has more than 38 digits");

fn int(value: Value<'_>) -> i64 {
    match value {
        Value::Int(value) => value,
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

impl Accumulator for IntSum {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Int])
    }

    fn is_fallible(&self) -> bool {
        true
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let sum = words[0]
            .cast_signed()
            .checked_add(int(value))
            .ok_or(INT_OVERFLOW)?;
        words[0] = sum.cast_unsigned();
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let sum = words[0]
            .cast_signed()
            .checked_sub(int(value))
            .ok_or(INT_OVERFLOW)?;
        words[0] = sum.cast_unsigned();
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        self.add(into.0, Value::Int(from.1[0].cast_signed()), into.1, into.2)
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::Int(words[0].cast_signed()));
        } else {
            out.push_null();
        }
    }
}

/// SUM of decimals, and of integers where the result is a decimal.
pub struct DecimalSum;

const DIGITS_38: i128 = 10i128.pow(38);

fn as_wide(value: Value<'_>) -> i128 {
    match value {
        Value::Wide(value) => value,
        other => i128::from(int(other)),
    }
}

fn within_38_digits(value: i128) -> Option<i128> {
    (value.unsigned_abs() < DIGITS_38.unsigned_abs()).then_some(value)
}

impl Accumulator for DecimalSum {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Wide, Word::High])
    }

    fn is_fallible(&self) -> bool {
        true
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let sum = wide(words)
            .checked_add(as_wide(value))
            .and_then(within_38_digits);
        set_wide(words, sum.ok_or(DECIMAL_OVERFLOW)?);
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let sum = wide(words)
            .checked_sub(as_wide(value))
            .and_then(within_38_digits);
        set_wide(words, sum.ok_or(DECIMAL_OVERFLOW)?);
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        self.add(into.0, Value::Wide(wide(from.1)), into.1, into.2)
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::Wide(wide(words)));
        } else {
            out.push_null();
        }
    }
}

/// AVG of whole numbers and decimals: the exact sum, divided when the result is asked for.
pub struct ExactMean {
    scale: i8,
    result: MeanResult,
}

enum MeanResult {
    Float,
    /// A decimal with so many more digits behind the point than the values have; rounded half away from zero.
    Decimal {
        more: u32,
    },
}

impl ExactMean {
    /// Values of `scale`, to a float (None) or to a decimal with that scale or a larger one.
    pub fn new(scale: i8, result_scale: Option<i8>) -> Option<Self> {
        let result = match result_scale {
            None => MeanResult::Float,
            Some(larger) => MeanResult::Decimal {
                more: u32::try_from(i32::from(larger) - i32::from(scale)).ok()?,
            },
        };
        Some(Self { scale, result })
    }

    /// Check that sum / n can be given with 38 digits.
    fn check(&self, sum: i128, n: i64) -> Result<(), Failure> {
        if let MeanResult::Decimal { more } = self.result {
            // The magnitude of the mean before it gets more digits; one is kept for rounding up.
            let largest = 10i128.pow(38u32.saturating_sub(more)) - 1;
            if sum.unsigned_abs() >= largest.unsigned_abs() && n > 0 {
                let mean = sum.unsigned_abs() / u128::from(n.unsigned_abs());
                if mean >= largest.unsigned_abs() {
                    return Err(MEAN_OVERFLOW);
                }
            }
        }
        Ok(())
    }

    fn set(&self, sum: Option<i128>, n: i64, words: &mut [u64]) -> Result<(), Failure> {
        let sum = sum.ok_or(MEAN_OVERFLOW)?;
        self.check(sum, n)?;
        set_wide(words, sum);
        Ok(())
    }
}

impl Accumulator for ExactMean {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Wide, Word::High])
    }

    fn is_fallible(&self) -> bool {
        true
    }

    fn add(
        &self,
        n: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.set(wide(words).checked_add(as_wide(value)), n + 1, words)
    }

    fn take_away(
        &self,
        n: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.set(wide(words).checked_sub(as_wide(value)), n, words)
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        self.set(
            wide(into.1).checked_add(wide(from.1)),
            into.0 + from.0,
            into.1,
        )
    }

    #[allow(clippy::cast_precision_loss)] // the result is a double
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n <= 0 {
            return out.push_null();
        }
        let sum = wide(words);
        out.push(match self.result {
            MeanResult::Float => {
                Value::Float(sum as f64 / 10f64.powi(i32::from(self.scale)) / n as f64)
            }
            MeanResult::Decimal { more } => Value::Wide(divide(sum, n, more)),
        });
    }
}

/// Give sum * 10^more / n, rounded half away from zero. The whole part is known to leave room for the digits.
fn divide(sum: i128, n: i64, more: u32) -> i128 {
    let divisor = u128::from(n.unsigned_abs());
    let mut quotient = sum.unsigned_abs() / divisor;
    let mut rest = sum.unsigned_abs() % divisor;
    for _ in 0..more {
        rest *= 10; // less than 10 * 2^63
        quotient = quotient * 10 + rest / divisor;
        rest %= divisor;
    }
    quotient += u128::from(rest * 2 >= divisor);
    if sum < 0 {
        -quotient.cast_signed()
    } else {
        quotient.cast_signed()
    }
}

/// SUM and AVG of floating-point numbers.
///
/// Over a table, values that are not finite are counted apart: once they are taken away, the sum is what it was.
pub struct FloatSum {
    pub mean: bool,
    pub retracts: bool,
}

const NAN: usize = 1;
const PLUS: usize = 2;
const MINUS: usize = 3;

fn float(value: Value<'_>) -> f64 {
    match value {
        Value::Float(value) => value,
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

impl FloatSum {
    fn change(&self, value: f64, sign: i64, words: &mut [u64]) {
        if self.retracts && !value.is_finite() {
            let count = if value.is_nan() {
                NAN
            } else if value > 0.0 {
                PLUS
            } else {
                MINUS
            };
            words[count] = words[count].wrapping_add(sign.cast_unsigned());
        } else {
            let sum = f64::from_bits(words[0]);
            words[0] = if sign > 0 { sum + value } else { sum - value }.to_bits();
        }
    }

    fn sum(&self, words: &[u64]) -> f64 {
        let finite = f64::from_bits(words[0]);
        if !self.retracts {
            return finite;
        }
        let has = |count: usize| words[count].cast_signed() > 0;
        if has(NAN) || has(PLUS) && has(MINUS) {
            f64::NAN
        } else if has(PLUS) {
            f64::INFINITY
        } else if has(MINUS) {
            f64::NEG_INFINITY
        } else {
            finite
        }
    }
}

impl Accumulator for FloatSum {
    fn parts(&self) -> Parts {
        if self.retracts {
            Parts::words(&[Word::Float, Word::Int, Word::Int, Word::Int])
        } else {
            Parts::words(&[Word::Float])
        }
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.change(float(value), 1, words);
        Ok(())
    }

    fn take_away(
        &self,
        n: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.change(float(value), -1, words);
        if n == 0 {
            words.fill(0); // no trace of what rounding has left
        }
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        let (words, others) = (into.1, from.1);
        words[0] = (f64::from_bits(words[0]) + f64::from_bits(others[0])).to_bits();
        for (word, other) in words.iter_mut().zip(others).skip(1) {
            *word = word.wrapping_add(*other);
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // the result is a double
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            let sum = self.sum(words);
            out.push(Value::Float(if self.mean { sum / n as f64 } else { sum }));
        } else {
            out.push_null();
        }
    }
}

/// The forms that can be added.
pub fn is_number(form: Form) -> bool {
    matches!(form, Form::Int | Form::Float | Form::Wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_of_decimals_are_rounded_half_away_from_zero() {
        assert_eq!(divide(1, 8, 2), 13);
        assert_eq!(divide(-1, 8, 2), -13);
        assert_eq!(divide(10, 3, 0), 3);
        assert_eq!(divide(DIGITS_38 - 1, 1, 0), DIGITS_38 - 1);
        assert_eq!(divide(2, 3, 6), 666_667);
    }

    #[test]
    fn a_mean_that_needs_more_digits_than_there_are_fails() {
        let mean = ExactMean::new(0, Some(6)).unwrap();
        let mut words = [0, 0];
        let fits = Value::Wide(10i128.pow(32) - 2);
        assert_eq!(mean.add(0, fits, &mut words, &mut []), Ok(()));
        let before = words;
        assert_eq!(
            mean.add(1, Value::Wide(10i128.pow(33)), &mut words, &mut []),
            Err(MEAN_OVERFLOW)
        );
        assert_eq!(words, before);
    }
}
