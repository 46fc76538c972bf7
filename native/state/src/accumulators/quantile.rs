//! APPROX_QUANTILE: values are counted in buckets whose bounds grow by a constant factor, so that a quantile is at most 1 %
//! from a true one (Masson, Rim and Lee, "DDSketch", 2019). Buckets simply add, whatever the order.

use std::collections::BTreeMap;

use super::bytes::{Reader, put, put_len};
use super::column::Column;
use super::values::{Form, Value};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts};
use crate::error::Result;

const ACCURACY: f64 = 0.01;
const GROWTH: f64 = (1.0 + ACCURACY) / (1.0 - ACCURACY);
/// Numbers nearer to zero are zero.
const SMALLEST: f64 = 1e-300;
/// A bucket for each of these, at the ends of the order.
const NAN: i32 = i32::MAX;
const INFINITE: i32 = i32::MAX - 1;
/// What is added to the bucket of a magnitude so that the bucket of a negative number can be the negated one, and 0 is zero.
const SHIFT: i32 = 100_000;

/// Counts by bucket, in the order of the values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Buckets(BTreeMap<i32, i64>);

/// Give the bucket of a value.
#[allow(clippy::cast_possible_truncation)] // |ln(f64)| / ln(GROWTH) is below 40,000
fn bucket(value: f64) -> i32 {
    if value.is_nan() {
        return NAN;
    }
    let magnitude = if value.is_infinite() {
        INFINITE
    } else if value.abs() < SMALLEST {
        0
    } else {
        (value.abs().ln() / GROWTH.ln()).ceil() as i32 + SHIFT
    };
    if value < 0.0 { -magnitude } else { magnitude }
}

/// Give the value that stands for a bucket.
fn value_of(bucket: i32) -> f64 {
    let magnitude = match bucket.abs() {
        NAN => return f64::NAN,
        INFINITE => f64::INFINITY,
        0 => 0.0,
        // In the middle between GROWTH^(i-1) and GROWTH^i, in terms of the relative error.
        index => (f64::from(index - SHIFT) * GROWTH.ln()).exp() * 2.0 / (1.0 + GROWTH),
    };
    if bucket < 0 { -magnitude } else { magnitude }
}

impl Buckets {
    fn change(&mut self, bucket: i32, by: i64) {
        let count = self.0.entry(bucket).or_insert(0);
        *count += by;
        if *count == 0 {
            self.0.remove(&bucket);
        }
    }

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // a rank below 2^53
    fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: i64 = self.0.values().sum();
        let rank = (quantile * (total - 1) as f64).floor() as i64;
        let mut seen = 0;
        self.0.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen > rank).then(|| value_of(*bucket))
        })
    }

    pub fn size(&self) -> usize {
        self.0.len() * 24
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        put_len(out, self.0.len());
        let mut before = 0;
        for (bucket, count) in &self.0 {
            put(out, i64::from(*bucket) - before);
            put(out, *count);
            before = i64::from(*bucket);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let mut buckets = BTreeMap::new();
        let mut bucket = 0;
        for _ in 0..reader.len()? {
            bucket += reader.int()?;
            let number = i32::try_from(bucket).map_err(|_| super::bytes::damaged())?;
            buckets.insert(number, reader.int()?);
        }
        Ok(Self(buckets))
    }
}

pub struct ApproxQuantile {
    pub quantile: f64,
    /// Of decimal arguments.
    pub scale: i8,
    pub result: Form,
    /// Of a decimal result.
    pub result_scale: i8,
}

impl ApproxQuantile {
    #[allow(clippy::cast_precision_loss)] // a sketch
    fn bucket(&self, value: Value<'_>) -> i32 {
        bucket(match value {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
            Value::Wide(value) => value as f64 / 10f64.powi(i32::from(self.scale)),
            Value::Bytes(_) | Value::Pair(..) => {
                unreachable!("the form of an argument is settled when the call is compiled")
            }
        })
    }
}

impl Accumulator for ApproxQuantile {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Buckets(Buckets::default()))
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> std::result::Result<(), Failure> {
        heaps[0].buckets_mut().change(self.bucket(value), 1);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let buckets = into.2[0].buckets_mut();
        from.2[0]
            .buckets()
            .0
            .iter()
            .for_each(|(bucket, count)| buckets.change(*bucket, *count));
    }

    #[allow(clippy::cast_possible_truncation)] // `as` saturates, which is what is wanted
    fn result(&self, _: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        let Some(value) = heaps[0].buckets().quantile(self.quantile) else {
            return out.push_null();
        };
        out.push(match self.result {
            Form::Int => Value::Int(value.round() as i64),
            Form::Wide => {
                Value::Wide((value * 10f64.powi(i32::from(self.result_scale))).round() as i128)
            }
            _ => Value::Float(value),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_stands_for_its_values() {
        for value in [1e-250, 0.001, 0.99, 1.0, 7.3, 1e9, 1e300, 0.0] {
            for value in [value, -value] {
                let back = value_of(bucket(value));
                assert!(
                    (back - value).abs() <= value.abs() * 0.010_001,
                    "{value}: {back}"
                );
            }
        }
        assert!(value_of(bucket(f64::NAN)).is_nan());
        assert_eq!(value_of(bucket(f64::NEG_INFINITY)), f64::NEG_INFINITY);
    }

    #[test]
    fn buckets_are_in_the_order_of_values() {
        let values = [
            f64::NEG_INFINITY,
            -1e300,
            -5.0,
            -1e-9,
            0.0,
            1e-9,
            5.0,
            1e300,
            f64::INFINITY,
            f64::NAN,
        ];
        assert!(
            values
                .windows(2)
                .all(|pair| bucket(pair[0]) < bucket(pair[1]))
        );
    }

    #[test]
    fn bytes_and_back() {
        let mut buckets = Buckets::default();
        [-3.0, 0.0, 2.0, 2.0, f64::NAN]
            .iter()
            .for_each(|value| buckets.change(bucket(*value), 1));
        let mut bytes = Vec::new();
        buckets.encode(&mut bytes);
        assert_eq!(Buckets::decode(&mut Reader::new(&bytes)).unwrap(), buckets);
    }
}
