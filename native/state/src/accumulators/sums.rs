//! SUM and AVG. Whole numbers and decimals are added exactly; floating-point numbers in the order of the rows.
//!
//! Over a table other functions do the same, which take every value in: see `table_sums` and `table_floats`.

use arrow_buffer::i256;

use super::column::Column;
use super::values::{Form, Value, set_wide, wide};
use super::{Accumulator, At, Failure, Heap, Limited, Part, PartMut, Parts, Word};

/// SUM of whole numbers of up to 64 bits.
pub struct IntSum;

pub const INT_OVERFLOW: Failure = Failure("SUM: the sum does not fit into a 64-bit integer");
pub const DECIMAL_OVERFLOW: Failure = Failure("SUM: the sum has more than 38 digits");
pub const MEAN_OVERFLOW: Failure =
    Failure("AVG: the mean or the sum behind it has more than 38 digits");

fn int(value: Value<'_>) -> i64 {
    match value {
        Value::Int(value) => value,
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

impl IntSum {
    fn set(sum: Option<i64>, words: &mut [u64]) -> Result<(), Failure> {
        words[0] = sum.ok_or(INT_OVERFLOW)?.cast_unsigned();
        Ok(())
    }
}

impl Accumulator for IntSum {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Int])
    }

    fn limited(&self) -> Option<&dyn Limited> {
        Some(self)
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::set(words[0].cast_signed().checked_add(int(value)), words)
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::set(words[0].cast_signed().checked_sub(int(value)), words)
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        into.1[0] = into.1[0].wrapping_add(from.1[0]);
    }

    fn absorb(&self, value: Value<'_>, words: &mut [u64]) {
        words[0] = words[0].wrapping_add(int(value).cast_unsigned());
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::Int(words[0].cast_signed()));
        } else {
            out.push_null();
        }
    }
}

impl Limited for IntSum {
    fn bound(&self) -> u128 {
        i64::MAX.unsigned_abs().into()
    }

    fn check(&self, total: i256, _: i64) -> Result<(), Failure> {
        let fits = total
            .to_i128()
            .is_some_and(|total| i64::try_from(total).is_ok());
        fits.then_some(()).ok_or(INT_OVERFLOW)
    }

    fn magnitude(&self, part: Part<'_>, value: Value<'_>) -> u128 {
        u128::from(part.1[0].cast_signed().unsigned_abs()) + magnitude(value)
    }

    fn total(&self, parts: &mut dyn Iterator<Item = Part<'_>>) -> (i256, i64) {
        total(parts, |words| words[0].cast_signed().into())
    }
}

/// Add up the sums of groups, and their numbers of values.
fn total(
    parts: &mut dyn Iterator<Item = Part<'_>>,
    sum_of: impl Fn(&[u64]) -> i128,
) -> (i256, i64) {
    parts.fold((i256::ZERO, 0), |(total, n), part| {
        let sum = if part.0 > 0 { sum_of(part.1) } else { 0 };
        (total.wrapping_add(i256::from_i128(sum)), n + part.0)
    })
}

/// Give how large a number is, whatever its sign.
pub fn magnitude(value: Value<'_>) -> u128 {
    as_wide(value).unsigned_abs()
}

/// Give a number for an exact sum.
pub fn exact(value: Value<'_>) -> i256 {
    i256::from_i128(as_wide(value))
}

/// SUM of decimals, and of integers where the result is a decimal.
pub struct DecimalSum;

const DIGITS_38: i128 = 10i128.pow(38);

pub fn as_wide(value: Value<'_>) -> i128 {
    match value {
        Value::Wide(value) => value,
        other => i128::from(int(other)),
    }
}

pub fn within_38_digits(value: i128) -> Option<i128> {
    (value.unsigned_abs() < DIGITS_38.unsigned_abs()).then_some(value)
}

impl Accumulator for DecimalSum {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Wide, Word::High])
    }

    fn limited(&self) -> Option<&dyn Limited> {
        Some(self)
    }

    fn add(
        &self,
        _: At,
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

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        self.absorb(Value::Wide(wide(from.1)), into.1);
    }

    fn absorb(&self, value: Value<'_>, words: &mut [u64]) {
        set_wide(words, wide(words).wrapping_add(as_wide(value)));
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::Wide(wide(words)));
        } else {
            out.push_null();
        }
    }
}

impl Limited for DecimalSum {
    fn bound(&self) -> u128 {
        DIGITS_38.unsigned_abs() - 1
    }

    fn check(&self, total: i256, _: i64) -> Result<(), Failure> {
        let total = total.to_i128().and_then(within_38_digits);
        total.map(|_| ()).ok_or(DECIMAL_OVERFLOW)
    }

    fn magnitude(&self, part: Part<'_>, value: Value<'_>) -> u128 {
        wide(part.1).unsigned_abs().saturating_add(magnitude(value))
    }

    fn total(&self, parts: &mut dyn Iterator<Item = Part<'_>>) -> (i256, i64) {
        total(parts, wide)
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

    /// The first magnitude that a mean cannot have before it gets more digits; room for rounding up is left.
    fn largest(more: u32) -> u128 {
        10u128.pow(38u32.saturating_sub(more)) - 1
    }

    /// Check that a mean with this whole part (None: an even larger one) can be given with 38 digits.
    pub fn check_whole(&self, whole: Option<u128>) -> Result<(), Failure> {
        let largest = match self.result {
            MeanResult::Float => return Ok(()),
            MeanResult::Decimal { more } => Self::largest(more),
        };
        let fits = whole.is_some_and(|whole| whole < largest);
        fits.then_some(()).ok_or(MEAN_OVERFLOW)
    }

    /// Check that sum / n can be given.
    fn check_mean(&self, sum: i128, n: i64) -> Result<(), Failure> {
        if n > 0 {
            self.check_whole(Some(sum.unsigned_abs() / u128::from(n.unsigned_abs())))
        } else {
            Ok(())
        }
    }

    /// Give a mean that was found to fit: of a sum, which is needed as a double or divided, without sign, into a whole part and a rest.
    #[allow(clippy::cast_precision_loss)] // the result is a double
    pub fn mean(&self, sum: f64, n: i64, divided: impl FnOnce() -> (u128, u128)) -> Value<'static> {
        match self.result {
            MeanResult::Float => Value::Float(sum / 10f64.powi(i32::from(self.scale)) / n as f64),
            MeanResult::Decimal { more } => {
                let mean = with_digits(divided(), n.unsigned_abs(), more).cast_signed();
                Value::Wide(if sum < 0.0 { -mean } else { mean })
            }
        }
    }

    fn set(&self, sum: Option<i128>, n: i64, words: &mut [u64]) -> Result<(), Failure> {
        let sum = sum.ok_or(MEAN_OVERFLOW)?;
        self.check_mean(sum, n)?;
        set_wide(words, sum);
        Ok(())
    }
}

impl Accumulator for ExactMean {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Wide, Word::High])
    }

    fn limited(&self) -> Option<&dyn Limited> {
        Some(self)
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        self.set(wide(words).checked_add(as_wide(value)), at.n + 1, words)
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

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        self.absorb(Value::Wide(wide(from.1)), into.1);
    }

    fn absorb(&self, value: Value<'_>, words: &mut [u64]) {
        set_wide(words, wide(words).wrapping_add(as_wide(value)));
    }

    #[allow(clippy::cast_precision_loss)] // the result is a double
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n <= 0 {
            return out.push_null();
        }
        let sum = wide(words);
        out.push(self.mean(sum as f64, n, || {
            let divisor = u128::from(n.unsigned_abs());
            (sum.unsigned_abs() / divisor, sum.unsigned_abs() % divisor)
        }));
    }
}

impl Limited for ExactMean {
    fn bound(&self) -> u128 {
        match self.result {
            MeanResult::Float => i128::MAX.unsigned_abs(),
            MeanResult::Decimal { more } => Self::largest(more) - 1,
        }
    }

    fn check(&self, total: i256, n: i64) -> Result<(), Failure> {
        let sum = total.to_i128().ok_or(MEAN_OVERFLOW)?;
        self.check_mean(sum, n)
    }

    fn magnitude(&self, part: Part<'_>, value: Value<'_>) -> u128 {
        wide(part.1).unsigned_abs().saturating_add(magnitude(value))
    }

    fn total(&self, parts: &mut dyn Iterator<Item = Part<'_>>) -> (i256, i64) {
        total(parts, wide)
    }
}

/// Give a quotient with more digits, from its whole part and rest, rounded half away from zero. The whole part is known to leave
/// room for the digits.
fn with_digits((mut quotient, mut rest): (u128, u128), divisor: u64, more: u32) -> u128 {
    let divisor = u128::from(divisor);
    for _ in 0..more {
        rest *= 10; // less than 10 * 2^63
        quotient = quotient * 10 + rest / divisor;
        rest %= divisor;
    }
    quotient + u128::from(rest * 2 >= divisor)
}

/// SUM and AVG of floating-point numbers that are never taken away.
pub struct FloatSum {
    pub mean: bool,
}

pub fn float(value: Value<'_>) -> f64 {
    match value {
        Value::Float(value) => value,
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

impl FloatSum {
    fn change(value: f64, words: &mut [u64]) {
        words[0] = (f64::from_bits(words[0]) + value).to_bits();
    }
}

impl Accumulator for FloatSum {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Float])
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(float(value), words);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        Self::change(f64::from_bits(from.1[0]), into.1);
    }

    #[allow(clippy::cast_precision_loss)] // the result is a double
    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            let sum = f64::from_bits(words[0]);
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
        let divide = |sum: u128, n: u64, more| {
            with_digits((sum / u128::from(n), sum % u128::from(n)), n, more)
        };
        assert_eq!(divide(1, 8, 2), 13);
        assert_eq!(divide(10, 3, 0), 3);
        let most = DIGITS_38.unsigned_abs() - 1;
        assert_eq!(divide(most, 1, 0), most);
        assert_eq!(divide(2, 3, 6), 666_667);
        let mean = ExactMean::new(0, Some(2)).unwrap();
        let Value::Wide(found) = mean.mean(-1.0, 8, || (0, 1)) else {
            panic!("a decimal")
        };
        assert_eq!(found, -13);
    }

    #[test]
    fn a_mean_that_needs_more_digits_than_there_are_fails() {
        let mean = ExactMean::new(0, Some(6)).unwrap();
        let mut words = [0, 0];
        let fits = Value::Wide(10i128.pow(32) - 2);
        assert_eq!(mean.add(At::of(0), fits, &mut words, &mut []), Ok(()));
        let before = words;
        assert_eq!(
            mean.add(At::of(1), Value::Wide(10i128.pow(33)), &mut words, &mut []),
            Err(MEAN_OVERFLOW)
        );
        assert_eq!(words, before);
    }
}
