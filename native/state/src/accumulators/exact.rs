//! Sums of floating-point numbers without rounding.
//!
//! A double is a whole number of at most 53 bits times a power of two; so is its square, of 106 bits. Their sums are kept as one
//! long whole number in two's complement, as wide as the values at hand ask for: the superaccumulator of U. Kulisch ("Computer
//! Arithmetic and Validity", 2008, chapter 8) in words of 64 bits, as R. M. Neal has it ("Fast Exact Summation Using Small and Large
//! Superaccumulators", arXiv:1505.05571, 2015), with only the words that are needed. Unlike the expansions of J. R. Shewchuk ("Adaptive
//! Precision Floating-Point Arithmetic", 1997) it has one form for each sum, whatever the order of the values, and does not
//! overflow in between.

use super::bytes::{Reader, damaged, put, put_bytes};
use crate::error::Result;

const LIMB: i32 = 64;
/// Where the mantissa of the smallest number ends.
const LEAST: i32 = -1074;
const FRACTION: u32 = 52;

/// An exact sum.
///
/// The first limb counts 2^(64 * low), and is not 0; the last one is not a mere copy of the sign. No limbs are 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExactSum {
    low: i32,
    limbs: Vec<u64>,
}

/// Give what stands above a number in two's complement.
fn sign_of(limbs: &[u64]) -> u64 {
    match limbs.last() {
        Some(last) if last.cast_signed() < 0 => u64::MAX,
        _ => 0,
    }
}

fn negate(limbs: &mut [u64]) {
    let mut carry = true;
    for limb in limbs {
        (*limb, carry) = (!*limb).overflowing_add(carry.into());
    }
}

/// Give the mantissa of a finite number without its sign, and the power of two that it is multiplied with.
fn split(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << FRACTION) - 1);
    match i32::try_from(bits >> FRACTION & 0x7ff).expect("eleven bits") {
        0 => (fraction, LEAST),
        exponent => (fraction | 1 << FRACTION, exponent - 1 + LEAST),
    }
}

/// Give the product of two numbers without sign; its uppermost limb is 0.
#[allow(clippy::cast_possible_truncation)] // into limbs
fn product(left: &[u64], right: &[u64]) -> Vec<u64> {
    let mut limbs = vec![0; left.len() + right.len() + 1];
    for (at, limb) in left.iter().enumerate() {
        let mut carry = 0;
        for (index, factor) in right.iter().enumerate() {
            let sum =
                u128::from(*limb) * u128::from(*factor) + u128::from(limbs[at + index]) + carry;
            limbs[at + index] = sum as u64;
            carry = sum >> LIMB;
        }
        limbs[at + right.len()] = carry as u64;
    }
    limbs
}

impl ExactSum {
    /// Add a finite number, or take it away.
    pub fn change(&mut self, value: f64, away: bool) {
        let (mantissa, exponent) = split(value);
        self.shift_in(
            u128::from(mantissa),
            exponent,
            away != value.is_sign_negative(),
        );
    }

    /// Add the square of a finite number, or take it away.
    pub fn change_square(&mut self, value: f64, away: bool) {
        let (mantissa, exponent) = split(value);
        self.shift_in(u128::from(mantissa).pow(2), 2 * exponent, away);
    }

    /// Add the product of two finite numbers, or take it away.
    pub fn change_product(&mut self, left: f64, right: f64, away: bool) {
        let ((left_mantissa, left_exponent), (right_mantissa, right_exponent)) =
            (split(left), split(right));
        let negative = left.is_sign_negative() != right.is_sign_negative();
        self.shift_in(
            u128::from(left_mantissa) * u128::from(right_mantissa),
            left_exponent + right_exponent,
            away != negative,
        );
    }

    /// Add a number of at most 106 bits times a power of two.
    #[allow(clippy::cast_possible_truncation)] // into limbs
    fn shift_in(&mut self, number: u128, exponent: i32, negative: bool) {
        if number == 0 {
            return;
        }
        let shift = exponent.rem_euclid(LIMB);
        let (low, high) = (number as u64, (number >> LIMB) as u64);
        let (middle, above) = match shift {
            0 => (high, 0),
            _ => (
                low >> (LIMB - shift) | high << shift,
                high >> (LIMB - shift),
            ),
        };
        let mut limbs = [low << shift, middle, above, 0];
        if negative {
            negate(&mut limbs);
        }
        self.add(exponent.div_euclid(LIMB), &limbs);
    }

    /// Add a number in two's complement.
    fn add(&mut self, low: i32, other: &[u64]) {
        if self.limbs.is_empty() {
            self.low = low;
            self.limbs.extend_from_slice(other);
            return self.trim();
        }
        if low < self.low {
            let missing = (self.low - low).unsigned_abs() as usize;
            self.limbs
                .splice(0..0, std::iter::repeat_n(0, missing))
                .for_each(drop);
            self.low = low;
        }
        let start = (low - self.low).unsigned_abs() as usize;
        // One more, so that neither the sum nor its sign is lost.
        let len = self.limbs.len().max(start + other.len()) + 1;
        self.limbs.resize(len, sign_of(&self.limbs));
        let above = sign_of(other);
        let mut carry = false;
        for (index, limb) in self.limbs[start..].iter_mut().enumerate() {
            if index >= other.len() && carry == (above != 0) {
                break; // nothing changes from here on
            }
            let (sum, over) = limb.overflowing_add(other.get(index).copied().unwrap_or(above));
            let (sum, over_too) = sum.overflowing_add(carry.into());
            *limb = sum;
            carry = over || over_too;
        }
        self.trim();
    }

    /// Drop limbs that say nothing.
    fn trim(&mut self) {
        while let Some((last, rest)) = self.limbs.split_last()
            && *last == sign_of(rest)
        {
            self.limbs.pop();
        }
        let zeros = self.limbs.iter().take_while(|limb| **limb == 0).count();
        if zeros > 0 {
            self.limbs.drain(..zeros);
        }
        self.low = if self.limbs.is_empty() {
            0
        } else {
            self.low + i32::try_from(zeros).expect("a few limbs")
        };
    }

    /// Add another sum.
    pub fn merge(&mut self, other: &Self) {
        if !other.limbs.is_empty() {
            self.add(other.low, &other.limbs);
        }
    }

    fn magnitude(&self) -> Magnitude {
        let mut limbs = self.limbs.clone();
        let negative = sign_of(&limbs) != 0;
        if negative {
            negate(&mut limbs);
        }
        Magnitude {
            negative,
            low: self.low,
            limbs,
            more: false,
        }
    }

    /// Give the nearest double, infinity if it is too large.
    pub fn sum(&self) -> f64 {
        self.magnitude().round()
    }

    /// Give the double nearest to the mean of n values, n > 0.
    pub fn mean(&self, n: u64) -> f64 {
        let mut mean = self.magnitude();
        mean.divide(n);
        mean.round()
    }

    /// Give the sum of the squared deviations of n values from their mean, divided by the divisor: n times the sum of squares less
    /// the square of the sum, by n.
    ///
    /// `self` is the sum of the values. Where values went that are yet to come, squares are missing; it is 0 rather than less.
    pub fn variance(&self, squares: &Self, n: u64, divisor: u64) -> Magnitude {
        let variance = self.covariance(self, squares, n, divisor);
        if variance.negative {
            return Magnitude::default();
        }
        variance
    }

    /// Give the sum of the products of the deviations of n pairs of values from their means, divided by the divisor: n times the
    /// sum of products less the product of the sums, by n.
    ///
    /// `self` and `other` are the sums of the values.
    pub fn covariance(&self, other: &Self, products: &Self, n: u64, divisor: u64) -> Magnitude {
        let (left, right, products) = (self.magnitude(), other.magnitude(), products.magnitude());
        let mut deviations = Self {
            low: products.low,
            limbs: product(&products.limbs, &[n]),
        };
        if products.negative {
            negate(&mut deviations.limbs);
        }
        let mut sums = product(&left.limbs, &right.limbs);
        if left.negative == right.negative {
            negate(&mut sums);
        }
        deviations.add(left.low + right.low, &sums);
        let mut covariance = deviations.magnitude();
        covariance.divide(n);
        covariance.divide(divisor);
        covariance
    }

    /// How many bytes it takes beside its own `size_of`.
    pub fn size(&self) -> usize {
        self.limbs.capacity() * size_of::<u64>()
    }

    /// Written are the bytes from the first that is not 0 to the one that holds the sign, and the place of the first: a sum of
    /// whole numbers or of few digits takes less than a double.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let bytes: Vec<u8> = self
            .limbs
            .iter()
            .flat_map(|limb| limb.to_le_bytes())
            .collect();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut end = bytes.len();
        while end > zeros + 1
            && bytes[end - 1] == (bytes[end - 2].cast_signed() >> 7).cast_unsigned()
        {
            end -= 1;
        }
        put_bytes(out, &bytes[zeros..end]);
        if !bytes.is_empty() {
            put(
                out,
                i64::from(self.low) * 8 + i64::try_from(zeros).expect("a few bytes"),
            );
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        /// More than any sum of squares takes.
        const MOST: usize = 1024;
        let bytes = reader.bytes()?;
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let place = i32::try_from(reader.int()?).map_err(|_| damaged())?;
        if bytes.len() > MOST || place.unsigned_abs() as usize > MOST {
            return Err(damaged());
        }
        let mut padded = vec![0; place.rem_euclid(8).unsigned_abs() as usize];
        padded.extend_from_slice(bytes);
        let sign = (bytes[bytes.len() - 1].cast_signed() >> 7).cast_unsigned();
        padded.resize(padded.len().next_multiple_of(8), sign);
        let mut sum = Self {
            low: place.div_euclid(8),
            limbs: padded
                .chunks_exact(8)
                .map(|chunk| u64::from_le_bytes(chunk.try_into().expect("eight bytes")))
                .collect(),
        };
        sum.trim();
        Ok(sum)
    }
}

/// A number without rounding: its magnitude in limbs, and its sign.
#[derive(Debug, Default)]
pub struct Magnitude {
    negative: bool,
    low: i32,
    limbs: Vec<u64>,
    /// It is a little larger: a division has left a rest.
    more: bool,
}

impl Magnitude {
    /// Divide, with more than 64 bits of the result.
    #[allow(clippy::cast_possible_truncation)] // the quotient of a limb is a limb
    fn divide(&mut self, divisor: u64) {
        const MORE: usize = 2;
        self.limbs.splice(0..0, [0; MORE]).for_each(drop);
        self.low -= MORE as i32;
        let mut rest = 0;
        for limb in self.limbs.iter_mut().rev() {
            let dividend = rest << LIMB | u128::from(*limb);
            *limb = (dividend / u128::from(divisor)) as u64;
            rest = dividend % u128::from(divisor);
        }
        self.more |= rest > 0;
    }

    /// Give 64 bits from a place on.
    fn bits(&self, place: i32) -> u64 {
        let place = place - self.low * LIMB;
        let limb = |index: i32| {
            usize::try_from(index)
                .ok()
                .and_then(|index| self.limbs.get(index))
                .copied()
                .unwrap_or(0)
        };
        let (index, shift) = (place.div_euclid(LIMB), place.rem_euclid(LIMB));
        match shift {
            0 => limb(index),
            _ => limb(index) >> shift | limb(index + 1) << (LIMB - shift),
        }
    }

    /// Whether any bit below a place is set.
    fn any_below(&self, place: i32) -> bool {
        let place = place - self.low * LIMB;
        let Ok(place) = u32::try_from(place) else {
            return self.more;
        };
        let (whole, part) = ((place / 64) as usize, place % 64);
        self.more
            || self.limbs.iter().take(whole).any(|limb| *limb != 0)
            || self
                .limbs
                .get(whole)
                .is_some_and(|limb| limb & ((1 << part) - 1) != 0)
    }

    /// Give the place of the uppermost bit.
    fn top(&self) -> Option<i32> {
        let index = self.limbs.iter().rposition(|limb| *limb != 0)?;
        let above = LIMB - 1 - self.limbs[index].leading_zeros().cast_signed();
        Some((self.low + i32::try_from(index).expect("a few limbs")) * LIMB + above)
    }

    /// Give the nearest double, the even one of two that are equally near, as IEEE 754 has it.
    pub fn round(&self) -> f64 {
        let Some(top) = self.top() else {
            return 0.0;
        };
        let last = (top - FRACTION.cast_signed()).max(LEAST);
        let mut mantissa = self.bits(last);
        let half = self.bits(last - 1) & 1 == 1;
        if half && (mantissa & 1 == 1 || self.any_below(last - 1)) {
            mantissa += 1;
        }
        // A mantissa that has got one bit more carries into the exponent, and one that has none of them all is subnormal.
        let exponent = u64::from((last - LEAST).unsigned_abs());
        let rounded = if top > 1023 {
            f64::INFINITY
        } else {
            f64::from_bits(mantissa + (exponent << FRACTION))
        };
        if self.negative { -rounded } else { rounded }
    }

    /// Give the root. It may be a number where this is too large, or too small, for one.
    pub fn root(mut self) -> f64 {
        let Some(top) = self.top() else {
            return 0.0;
        };
        let limbs = top.div_euclid(LIMB);
        self.low -= limbs;
        let quarter = 2f64.powi(limbs * LIMB / 4);
        self.round().sqrt() * quarter * quarter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values.iter().for_each(|value| sum.change(*value, false));
        sum
    }

    fn squares(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        values
            .iter()
            .for_each(|value| sum.change_square(*value, false));
        sum
    }

    const ODD: [f64; 14] = [
        0.0,
        -0.0,
        0.1,
        -2.5,
        1.0,
        1e16,
        -1e16,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        -5e-324,
        5e-324,
        1.797e308,
        -123_456_789.125,
    ];

    #[test]
    fn one_number_is_its_own_sum() {
        for value in ODD {
            assert_eq!(of(&[value]).sum(), value);
            assert_eq!(of(&[value]).mean(1), value);
            assert_eq!(of(&[value, value, value]).mean(3), value);
        }
    }

    #[test]
    fn the_order_of_numbers_leaves_no_trace_and_nor_do_those_that_went() {
        let (mut forth, mut back) = (of(&ODD), of(&[]));
        ODD.iter()
            .rev()
            .for_each(|value| back.change(*value, false));
        assert_eq!(forth, back);
        for value in &ODD[1..] {
            forth.change(*value, true);
        }
        assert_eq!(forth, ExactSum::default());
        let mut forth = squares(&ODD);
        for value in [f64::MAX, f64::MIN, 1.797e308] {
            forth.change_square(value, true);
        }
        let less: Vec<f64> = ODD
            .into_iter()
            .filter(|value| value.abs() < 1e300)
            .collect();
        assert_eq!(forth, squares(&less));
    }

    #[test]
    fn sums_are_rounded_once_to_even() {
        assert_eq!(of(&[1e16, 1.0, 0.1]).sum(), 1e16 + 2.0);
        assert_eq!(
            of(&[9_007_199_254_740_992.0, 1.0]).sum(),
            9_007_199_254_740_992.0
        );
        assert_eq!(
            of(&[9_007_199_254_740_992.0, 1.0, 5e-324]).sum(),
            9_007_199_254_740_994.0
        );
        assert_eq!(of(&[0.1; 10]).sum(), 1.0);
        assert_eq!(of(&[f64::MAX, f64::MAX]).sum(), f64::INFINITY);
        assert_eq!(of(&[f64::MIN, f64::MIN]).sum(), f64::NEG_INFINITY);
        assert_eq!(of(&[f64::MAX, f64::MAX]).mean(2), f64::MAX);
        assert_eq!(of(&[5e-324, 5e-324, 5e-324]).mean(2), 1e-323);
        assert_eq!(of(&[5e-324]).mean(2), 0.0);
    }

    #[test]
    fn variances_are_exact() {
        let variance = |values: &[f64], divisor| {
            of(values).variance(&squares(values), values.len() as u64, divisor)
        };
        assert_eq!(variance(&[2.5, 2.75], 2).round(), 0.015_625);
        assert_eq!(variance(&[1e9 + 0.25, 1e9 + 0.75], 2).round(), 0.0625);
        assert_eq!(variance(&[3.0; 7], 6).round(), 0.0);
        assert_eq!(variance(&[1e200, -1e200], 2).round(), f64::INFINITY);
        assert_eq!(variance(&[1e200, -1e200], 2).root(), 1e200);
        assert_eq!(variance(&[1e-200, -1e-200], 2).root(), 1e-200);
        assert_eq!(variance(&[1.0, 3.0], 2).root(), 1.0);
        assert_eq!(variance(&[f64::MAX, f64::MIN], 2).root(), f64::MAX);
    }

    #[test]
    fn covariances_are_exact() {
        let covariance = |pairs: &[(f64, f64)], divisor| {
            let mut products = ExactSum::default();
            for (left, right) in pairs {
                products.change_product(*left, *right, false);
            }
            let (left, right): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            of(&left).covariance(&of(&right), &products, pairs.len() as u64, divisor)
        };
        assert_eq!(covariance(&[(1.0, 2.0), (3.0, 8.0)], 1).round(), 6.0);
        assert_eq!(covariance(&[(1.0, 8.0), (3.0, 2.0)], 2).round(), -3.0);
        assert_eq!(covariance(&[(-1.0, -8.0), (3.0, -2.0)], 2).round(), 6.0);
        assert_eq!(
            covariance(&[(1e9 + 0.25, 0.5), (1e9 + 0.75, 0.0)], 2).round(),
            -0.0625
        );
        assert_eq!(covariance(&[(0.1, 0.3); 7], 7).round(), 0.0);
        assert_eq!(covariance(&[(0.0, 5.0), (0.0, -9.0)], 2).round(), 0.0);
        let mut gone = ExactSum::default();
        gone.change_product(0.1, -7e300, false);
        gone.change_product(0.1, -7e300, true);
        assert_eq!(gone, ExactSum::default());
    }

    #[test]
    fn what_is_missing_makes_no_negative_variance() {
        assert_eq!(of(&[3.0]).variance(&of(&[]), 2, 2).round(), 0.0);
        assert_eq!(of(&[3.0]).variance(&of(&[-1.0]), 2, 2).root(), 0.0);
    }

    #[test]
    fn sums_survive_as_few_bytes() {
        for values in [
            &ODD[..],
            &ODD[..7],
            &[-1.0],
            &[12.5],
            &[5e-324],
            &[f64::MIN],
            &[],
        ] {
            for sum in [of(values), squares(values)] {
                let mut bytes = Vec::new();
                sum.encode(&mut bytes);
                let mut reader = Reader::new(&bytes);
                assert_eq!(ExactSum::decode(&mut reader).unwrap(), sum);
                assert!(reader.is_at_end());
            }
        }
        let len = |values: &[f64]| {
            let mut bytes = Vec::new();
            of(values).encode(&mut bytes);
            bytes.len()
        };
        assert_eq!((len(&[]), len(&[-1.0]), len(&[12.5])), (1, 3, 4));
        assert!(len(&[0.1, 0.2, 1234.56]) < 12);
        assert!(ExactSum::decode(&mut Reader::new(&[2, 1, 0xff, 0xff, 0x7f])).is_err());
    }
}
