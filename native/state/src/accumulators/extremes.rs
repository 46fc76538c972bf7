//! Functions that keep one value: MIN, MAX, FIRST, LAST, ANYF; and BOOL_AND, BOOL_OR, which keep a count.

use std::cmp::Ordering;

use super::column::Column;
use super::values::{Form, Value};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts, Word};

/// Which value stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Least,
    Greatest,
    First,
    Last,
}

impl Keep {
    fn is_better(self, value: Value<'_>, kept: Value<'_>) -> bool {
        match self {
            Self::Least => compare(value, kept) == Ordering::Less,
            Self::Greatest => compare(value, kept) == Ordering::Greater,
            Self::First => false,
            Self::Last => true,
        }
    }

    /// Values that are equal but not the same (0.0 and -0.0) must not differ by the order in which they came.
    fn shape(self, value: Value<'_>) -> Value<'_> {
        match self {
            Self::Least | Self::Greatest => value.canonical(),
            Self::First | Self::Last => value,
        }
    }
}

fn compare(a: Value<'_>, b: Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(&b),
        (Value::Wide(a), Value::Wide(b)) => a.cmp(&b),
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        // NaN is equal to itself and greater than all else.
        (Value::Float(a), Value::Float(b)) => a
            .partial_cmp(&b)
            .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        _ => unreachable!("the form of an argument is settled when the call is compiled"),
    }
}

/// One value of fixed size.
pub struct OneFixed {
    pub keep: Keep,
    pub form: Form,
}

impl OneFixed {
    fn kept(&self, words: &[u64]) -> Value<'static> {
        Value::from_words(self.form, words)
    }
}

impl Accumulator for OneFixed {
    fn parts(&self) -> Parts {
        match self.form {
            Form::Float => Parts::words(&[Word::Float]),
            Form::Wide => Parts::words(&[Word::Wide, Word::High]),
            _ => Parts::words(&[Word::Int]),
        }
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = self.keep.shape(value);
        if at.n == 0 || self.keep.is_better(value, self.kept(words)) {
            value.to_words(words);
        }
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let value = Value::from_words(self.form, from.1);
        if from.0 > 0 && (into.0 == 0 || self.keep.is_better(value, self.kept(into.1))) {
            value.to_words(into.1);
        }
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::from_words(self.form, words));
        } else {
            out.push_null();
        }
    }
}

/// One value of varying size.
pub struct OneVarying {
    pub keep: Keep,
}

impl Accumulator for OneVarying {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Bytes(Vec::new()))
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let Value::Bytes(new) = value else {
            unreachable!("the form of an argument is settled when the call is compiled")
        };
        let kept = heaps[0].bytes_mut();
        if at.n == 0 || self.keep.is_better(value, Value::Bytes(kept)) {
            kept.clear();
            kept.extend_from_slice(new);
        }
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let (new, kept) = (from.2[0].bytes(), into.2[0].bytes_mut());
        if from.0 > 0 && (into.0 == 0 || self.keep.is_better(Value::Bytes(new), Value::Bytes(kept)))
        {
            kept.clear();
            kept.extend_from_slice(new);
        }
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::Bytes(heaps[0].bytes()));
        } else {
            out.push_null();
        }
    }
}

/// FIRST, LAST and ANYF where groups are merged whose rows did not come after one another: with the number of the arrival in a
/// word before those of the inner function.
pub struct Arrived {
    pub inner: Box<dyn Accumulator>,
    pub last: bool,
}

impl Accumulator for Arrived {
    fn parts(&self) -> Parts {
        let mut parts = self.inner.parts();
        parts.words.insert(0, Word::Int);
        parts
    }

    fn needs_arrival(&self) -> bool {
        true
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        // Rows come in the order of their arrival.
        if at.n == 0 || self.last {
            words[0] = at.arrival;
        }
        self.inner.add(at, value, &mut words[1..], heaps)
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        if from.0 > 0 && (into.0 == 0 || (from.1[0] > into.1[0]) == self.last) {
            into.1.copy_from_slice(from.1);
            into.2.clone_from_slice(from.2);
        }
    }

    fn result(&self, n: i64, words: &[u64], heaps: &[Heap], out: &mut Column) {
        self.inner.result(n, &words[1..], heaps, out);
    }
}

/// BOOL_AND and BOOL_OR: how many values were true.
pub struct Truths {
    pub all: bool,
}

impl Truths {
    fn change(value: Value<'_>, sign: i64, words: &mut [u64]) {
        let Value::Int(value) = value else {
            unreachable!("the form of an argument is settled when the call is compiled")
        };
        words[0] = words[0].wrapping_add((value * sign).cast_unsigned());
    }
}

impl Accumulator for Truths {
    fn parts(&self) -> Parts {
        Parts::words(&[Word::Int])
    }

    fn add(
        &self,
        _: At,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(value, 1, words);
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        _: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(value, -1, words);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        into.1[0] = into.1[0].wrapping_add(from.1[0]);
    }

    fn result(&self, n: i64, words: &[u64], _: &[Heap], out: &mut Column) {
        let truths = words[0].cast_signed();
        if n > 0 {
            out.push(Value::Int(i64::from(if self.all {
                truths == n
            } else {
                truths > 0
            })));
        } else {
            out.push_null();
        }
    }
}
