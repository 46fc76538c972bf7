//! Functions that keep many values: COLLECT, MAXK, TOPK and their relatives, STRING_AGG; and DISTINCT before any function.

use super::column::Column;
use super::multiset::{Change, Multiset};
use super::values::{Form, Scratch, Value};
use super::{Accumulator, Failure, Heap, Parts};

/// COLLECT over a stream: values in order of arrival.
pub struct Collect {
    pub limit: usize,
}

impl Accumulator for Collect {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Sequence(Default::default()))
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let sequence = heaps[0].sequence_mut();
        if sequence.len() < self.limit {
            sequence.push(value.sortable(&mut Scratch::default()));
        }
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        let sequence = into.2[0].sequence_mut();
        let room = self.limit.saturating_sub(sequence.len());
        from.2[0]
            .sequence()
            .iter()
            .take(room)
            .for_each(|value| sequence.push(value));
        Ok(())
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push_list(heaps[0].sequence().iter());
        } else {
            out.push_null();
        }
    }
}

/// MAXK, MINK and the _UNIQUE forms over a stream: the best values, sorted.
pub struct Best {
    pub limit: usize,
    pub descending: bool,
    pub unique: bool,
}

impl Best {
    fn offer(&self, value: &[u8], heaps: &mut [Heap]) {
        let sequence = heaps[0].sequence_mut();
        let place = sequence.partition_point(|other| {
            if self.descending {
                other >= value
            } else {
                other <= value
            }
        });
        if place >= self.limit || self.unique && place > 0 && sequence.get(place - 1) == value {
            return;
        }
        sequence.truncate(self.limit - 1);
        sequence.insert(place, value);
    }
}

impl Accumulator for Best {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Sequence(Default::default()))
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        self.offer(value.canonical().sortable(&mut Scratch::default()), heaps);
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        from.2[0]
            .sequence()
            .iter()
            .for_each(|value| self.offer(value, into.2));
        Ok(())
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push_list(heaps[0].sequence().iter());
        } else {
            out.push_null();
        }
    }
}

/// COLLECT_UNIQUE and STRING_AGG(DISTINCT) over a stream: each value once, in the order of first arrival.
///
/// The counts of the set are places in that order, from 1.
pub struct Unique {
    pub limit: usize,
    /// Give one text with this between the values, rather than a list.
    pub separator: Option<String>,
}

impl Unique {
    fn offer(&self, value: &[u8], heaps: &mut [Heap]) {
        let set = heaps[0].multiset_mut();
        if usize::try_from(set.present()).is_ok_and(|present| present < self.limit) {
            set.arrive(value);
        }
    }
}

impl Accumulator for Unique {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Multiset(Multiset::default()))
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        self.offer(value.canonical().sortable(&mut Scratch::default()), heaps);
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        for value in from.2[0].multiset().by_count(false) {
            self.offer(value, into.2);
        }
        Ok(())
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        let values = heaps[0].multiset().by_count(false);
        give(n, values.into_iter(), self.separator.as_deref(), out);
    }
}

/// STRING_AGG over a stream: the text so far.
pub struct Join {
    pub separator: String,
}

impl Accumulator for Join {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Bytes(Vec::new()))
    }

    fn add(
        &self,
        n: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let text = heaps[0].bytes_mut();
        if n > 0 {
            text.extend_from_slice(self.separator.as_bytes());
        }
        text.extend_from_slice(value.sortable(&mut Scratch::default()));
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        if from.0 > 0 {
            self.add(into.0, Value::Bytes(from.2[0].bytes()), into.1, into.2)?;
        }
        Ok(())
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push(Value::Bytes(heaps[0].bytes()));
        } else {
            out.push_null();
        }
    }
}

/// What is made of a multiset of all values.
pub enum View {
    /// MIN, MAX.
    One { greatest: bool },
    /// MAXK, MINK, COLLECT over a table.
    Sorted {
        descending: bool,
        unique: bool,
        limit: usize,
    },
    /// TOPK, BOTTOMK.
    ByCount { descending: bool, limit: usize },
    /// STRING_AGG over a table.
    Text { separator: String, unique: bool },
    /// COUNT(DISTINCT).
    Count,
}

/// Functions that need all values: by their nature, or because any of them may be taken away again.
pub struct AllValues {
    pub view: View,
}

impl AllValues {
    fn change(value: Value<'_>, by: i64, heaps: &mut [Heap]) {
        heaps[0]
            .multiset_mut()
            .change(value.canonical().sortable(&mut Scratch::default()), by);
    }
}

impl Accumulator for AllValues {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Multiset(Multiset::default()))
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(value, 1, heaps);
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        Self::change(value, -1, heaps);
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        let set = into.2[0].multiset_mut();
        from.2[0].multiset().all().for_each(|(value, count)| {
            set.change(value, count);
        });
        Ok(())
    }

    fn result(&self, _: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        let set = heaps[0].multiset();
        let n = set.present();
        match &self.view {
            View::Count => out.push(Value::Int(n)),
            View::One { greatest } => {
                let found = if *greatest {
                    set.iter().next_back()
                } else {
                    set.iter().next()
                };
                match found {
                    Some((value, _)) => out.push_sortable(value),
                    None => out.push_null(),
                }
            }
            View::Sorted {
                descending: true,
                unique,
                limit,
            } => {
                give(n, copies(set.iter().rev(), *unique).take(*limit), None, out);
            }
            View::Sorted {
                descending: false,
                unique,
                limit,
            } => {
                give(n, copies(set.iter(), *unique).take(*limit), None, out);
            }
            View::ByCount { descending, limit } => {
                give(
                    n,
                    set.by_count(*descending).into_iter().take(*limit),
                    None,
                    out,
                );
            }
            View::Text { separator, unique } => {
                give(n, copies(set.iter(), *unique), Some(separator), out)
            }
        }
    }
}

/// Give each value as often as it is there, or once.
fn copies<'a>(
    values: impl Iterator<Item = (&'a [u8], i64)>,
    unique: bool,
) -> impl Iterator<Item = &'a [u8]> {
    values.flat_map(move |(value, count)| {
        let times = if unique {
            1
        } else {
            usize::try_from(count).unwrap_or(0)
        };
        std::iter::repeat_n(value, times)
    })
}

/// Put out a list, or a text with a separator; null if there is no value.
fn give<'a>(
    n: i64,
    values: impl Iterator<Item = &'a [u8]>,
    separator: Option<&str>,
    out: &mut Column,
) {
    if n <= 0 {
        return out.push_null();
    }
    let Some(separator) = separator else {
        return out.push_list(values);
    };
    let mut text = Vec::new();
    for (index, value) in values.enumerate() {
        if index > 0 {
            text.extend_from_slice(separator.as_bytes());
        }
        text.extend_from_slice(value);
    }
    out.push(Value::Bytes(&text));
}

/// DISTINCT: an inner function sees each different value once. The set is the first of the heaps.
pub struct Distinct {
    pub inner: Box<dyn Accumulator>,
    pub form: Form,
}

impl Accumulator for Distinct {
    fn parts(&self) -> Parts {
        let mut parts = self.inner.parts();
        parts.heaps.insert(0, Heap::Multiset(Multiset::default()));
        parts
    }

    fn is_fallible(&self) -> bool {
        self.inner.is_fallible()
    }

    fn add(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = value.canonical();
        let mut scratch = Scratch::default();
        let bytes = value.sortable(&mut scratch);
        let (set, rest) = split(heaps);
        let before = set.present();
        if set.change(bytes, 1) == Change::Came {
            self.inner
                .add(before, value, words, rest)
                .inspect_err(|_| {
                    set.change(bytes, -1);
                })?;
        }
        Ok(())
    }

    fn take_away(
        &self,
        _: i64,
        value: Value<'_>,
        words: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let value = value.canonical();
        let mut scratch = Scratch::default();
        let bytes = value.sortable(&mut scratch);
        let (set, rest) = split(heaps);
        if set.change(bytes, -1) == Change::Went {
            self.inner
                .take_away(set.present(), value, words, rest)
                .inspect_err(|_| {
                    set.change(bytes, 1);
                })?;
        }
        Ok(())
    }

    fn merge(
        &self,
        into: (i64, &mut [u64], &mut [Heap]),
        from: (i64, &[u64], &[Heap]),
    ) -> Result<(), Failure> {
        let (set, rest) = split(into.2);
        for (bytes, count) in from.2[0].multiset().all() {
            let before = set.present();
            let value = Value::from_sortable(self.form, bytes);
            match set.change(bytes, count) {
                Change::Came => self.inner.add(before, value, into.1, rest)?,
                Change::Went => self.inner.take_away(set.present(), value, into.1, rest)?,
                Change::None => {}
            }
        }
        Ok(())
    }

    fn result(&self, _: i64, words: &[u64], heaps: &[Heap], out: &mut Column) {
        self.inner
            .result(heaps[0].multiset().present(), words, &heaps[1..], out);
    }
}

fn split(heaps: &mut [Heap]) -> (&mut Multiset, &mut [Heap]) {
    let (first, rest) = heaps.split_first_mut().expect("the set is the first");
    (first.multiset_mut(), rest)
}
