//! Functions of two arguments: COVAR_POP, CORR and the regression of y on x.
//!
//! Over streams the means, and the sums of squared deviations and of their products, are kept up to date pair by pair (Welford), and
//! merged by Chan's formula. Over a table the sums of the values, their squares and their products are kept without
//! rounding, so that a pair that is taken away leaves nothing behind. A value that is not finite makes the result NaN while it is
//! there.

use super::column::Column;
use super::exact::ExactSum;
use super::moments::By;
use super::values::Value;
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts, Word};

/// What is made of the deviations of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// COVAR_POP, COVAR_SAMP, REGR_SXY: the sum of products, divided.
    Covariance(By),
    Correlation,
    Slope,
    Intercept,
    /// The share of the variance of y that x accounts for.
    Determination,
}

/// Means and sums of squared deviations of y and x, and the sum of the products of these.
#[derive(Debug, Clone, Copy, Default)]
struct Deviations {
    mean_y: f64,
    mean_x: f64,
    squares_y: f64,
    squares_x: f64,
    products: f64,
}

impl Relation {
    /// Which of the values and squares the result asks for: y, x, squares of y, squares of x.
    fn needs(self) -> [bool; 4] {
        match self {
            Self::Covariance(_) => [true, true, false, false],
            Self::Slope | Self::Intercept => [true, true, false, true],
            Self::Correlation | Self::Determination => [true; 4],
        }
    }

    /// Give the result for n pairs, n > 0; as DuckDB has it, but for NaN.
    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    fn result(self, n: i64, of: Deviations) -> Option<f64> {
        let correlation = || of.products / (of.squares_x.sqrt() * of.squares_y.sqrt());
        match self {
            Self::Covariance(by) => {
                let divisor = by.divisor(n);
                (divisor > 0).then(|| of.products / divisor as f64)
            }
            // Null where the values do not vary: NaN, as DuckDB has it, would fail each group whose first row is written as JSON.
            Self::Correlation => number(correlation()),
            Self::Slope => number(of.products / of.squares_x),
            // A single point, or points above one another, have no line.
            Self::Intercept | Self::Determination if n == 1 || of.squares_x == 0.0 => None,
            Self::Intercept => {
                let intercept = of.mean_y - of.products / of.squares_x * of.mean_x;
                intercept.is_finite().then_some(intercept)
            }
            Self::Determination if of.squares_y == 0.0 => Some(1.0),
            Self::Determination => Some(correlation().powi(2)),
        }
    }

    fn give(self, n: i64, deviations: impl FnOnce() -> Deviations, out: &mut Column) {
        let found = (n > 0).then(|| self.result(n, deviations())).flatten();
        match found {
            Some(found) => out.push(Value::Float(found)),
            None => out.push_null(),
        }
    }
}

fn number(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

fn pair(value: Value<'_>) -> (f64, f64) {
    match value {
        Value::Pair(y, x) => (y, x),
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

impl Deviations {
    fn read(words: &[u64]) -> Self {
        let get = |word: usize| f64::from_bits(words[word]);
        Self {
            mean_y: get(0),
            mean_x: get(1),
            squares_y: get(2),
            squares_x: get(3),
            products: get(4),
        }
    }

    fn write(self, words: &mut [u64]) {
        let all = [
            self.mean_y,
            self.mean_x,
            self.squares_y,
            self.squares_x,
            self.products,
        ];
        for (word, value) in words.iter_mut().zip(all) {
            *word = value.to_bits();
        }
    }
}

/// Over streams.
pub struct Pairs(pub Relation);

impl Accumulator for Pairs {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Float; 5])
    }

    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    fn add(
        &self,
        at: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let (y, x) = pair(value);
        let mut of = Deviations::read(words);
        let count = (at.n + 1) as f64;
        let (from_y, from_x) = (y - of.mean_y, x - of.mean_x);
        of.mean_y += from_y / count;
        of.mean_x += from_x / count;
        of.squares_y += from_y * (y - of.mean_y);
        of.squares_x += from_x * (x - of.mean_x);
        of.products += from_x * (y - of.mean_y);
        of.write(words);
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        if from.0 <= 0 {
            return;
        }
        if into.0 <= 0 {
            return into.1.copy_from_slice(from.1);
        }
        let (mut of, other) = (Deviations::read(into.1), Deviations::read(from.1));
        let (a, b) = (into.0 as f64, from.0 as f64);
        let (apart_y, apart_x) = (other.mean_y - of.mean_y, other.mean_x - of.mean_x);
        let share = a * b / (a + b);
        of.mean_y += apart_y * b / (a + b);
        of.mean_x += apart_x * b / (a + b);
        of.squares_y += other.squares_y + apart_y * apart_y * share;
        of.squares_x += other.squares_x + apart_x * apart_x * share;
        of.products += other.products + apart_y * apart_x * share;
        of.write(into.1);
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        self.0.give(n, || Deviations::read(words), out);
    }
}

/// Over a table. The words count pairs with a y, and an x, that is not finite; such a pair is in no sum.
pub struct TablePairs(pub Relation);

/// What the heaps hold, in this order, as far as they are needed; the products come first.
const SUMS: usize = 5;

impl TablePairs {
    /// Where each sum is: products, y, x, squares of y, squares of x.
    fn places(&self) -> [Option<usize>; SUMS] {
        let [y, x, squares_y, squares_x] = self.0.needs();
        let mut next = 0;
        [true, y, x, squares_y, squares_x].map(|is_needed| {
            is_needed.then(|| {
                next += 1;
                next - 1
            })
        })
    }

    fn change(&self, value: Value<'_>, away: bool, words: &mut [u64], heaps: &mut [Heap]) {
        let (y, x) = pair(value);
        for (word, value) in words.iter_mut().zip([y, x]) {
            if !value.is_finite() {
                *word = word.wrapping_add_signed(if away { -1 } else { 1 });
            }
        }
        if !y.is_finite() || !x.is_finite() {
            return;
        }
        for (sum, place) in self.places().into_iter().enumerate() {
            let Some(place) = place else { continue };
            let exact = heaps[place].exact_mut();
            match sum {
                0 => exact.change_product(y, x, away),
                1 => exact.change(y, away),
                2 => exact.change(x, away),
                3 => exact.change_square(y, away),
                _ => exact.change_square(x, away),
            }
        }
    }

    fn deviations(&self, n: u64, heaps: &[Heap]) -> Deviations {
        let sum = |place: Option<usize>| place.map(|place| heaps[place].exact());
        let [products, y, x, squares_y, squares_x] = self.places().map(sum);
        let mean = |sum: Option<&ExactSum>| sum.map_or(0.0, |sum| sum.mean(n));
        let squares = |sum: Option<&ExactSum>, squares: Option<&ExactSum>| match (sum, squares) {
            (Some(sum), Some(squares)) => sum.variance(squares, n, 1).round(),
            _ => 0.0,
        };
        let deviations = match (y, x, products) {
            (Some(y), Some(x), Some(products)) => y.covariance(x, products, n, 1).round(),
            _ => 0.0,
        };
        Deviations {
            mean_y: mean(y),
            mean_x: mean(x),
            squares_y: squares(y, squares_y),
            squares_x: squares(x, squares_x),
            products: deviations,
        }
    }
}

impl Accumulator for TablePairs {
    fn parts(&self) -> Parts {
        let sums = self.places().into_iter().flatten();
        Parts {
            words: vec![Word::Int; 2],
            heaps: sums.map(|_| Heap::Exact(ExactSum::default())).collect(),
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
        for (word, other) in into.1.iter_mut().zip(from.1) {
            *word = word.wrapping_add(*other);
        }
        for (heap, other) in into.2.iter_mut().zip(from.2) {
            heap.exact_mut().merge(other.exact());
        }
    }

    fn result(&self, n: i64, words: &[u64], heaps: &[Heap], out: &mut Column) {
        let odd = |word: usize| words[word].cast_signed() > 0;
        let is_odd = [odd(0), odd(1)];
        let deviations = || {
            let mut of = match u64::try_from(n) {
                Ok(count) if is_odd == [false; 2] => self.deviations(count, heaps),
                // What is left of the sums does not belong together.
                _ => Deviations {
                    mean_y: f64::NAN,
                    products: f64::NAN,
                    squares_y: f64::NAN,
                    squares_x: f64::NAN,
                    mean_x: f64::NAN,
                },
            };
            if n == 1 && is_odd != [false; 2] {
                (of.squares_y, of.squares_x) = (0.0, 0.0);
            }
            of
        };
        self.0.give(n, deviations, out);
    }
}
