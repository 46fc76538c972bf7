//! Functions over streams that keep many values: COLLECT, COLLECT_UNIQUE, STRING_AGG, MAXK and its relatives.

use super::column::Column;
use super::multiset::Multiset;
use super::values::{Scratch, Value};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts};

/// COLLECT and STRING_AGG: values in order of arrival.
///
/// What is in the set is the number of the arrival, eight bytes, and the value behind it.
pub struct Collect {
    pub limit: usize,
    /// Give one text with this between the values, rather than a list.
    pub separator: Option<String>,
}

const NUMBER: usize = size_of::<u64>();

impl Accumulator for Collect {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Multiset(Multiset::default()))
    }

    fn needs_arrival(&self) -> bool {
        true
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let set = heaps[0].multiset_mut();
        if has_room(set, self.limit) {
            let mut scratch = Scratch::default();
            let arrived = [&at.arrival.to_be_bytes(), value.sortable(&mut scratch)].concat();
            set.change(&arrived, 1);
        }
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let set = into.2[0].multiset_mut();
        for (arrived, count) in from.2[0].multiset().all() {
            set.change(arrived, count);
        }
        while !has_room(set, self.limit.saturating_add(1)) {
            let last = set.all().next_back().map(|(arrived, _)| arrived.to_vec());
            last.into_iter().for_each(|arrived| set.remove(&arrived));
        }
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        let values = heaps[0].multiset().iter();
        let values = values.map(|(arrived, _)| arrived.get(NUMBER..).unwrap_or_default());
        give(n, values, self.separator.as_deref(), out);
    }
}

fn has_room(set: &Multiset, limit: usize) -> bool {
    usize::try_from(set.present()).is_ok_and(|present| present < limit)
}

/// COLLECT_UNIQUE and STRING_AGG(DISTINCT): each value once, in the order of first arrival.
///
/// The counts of the set are the numbers of the first arrivals, from 1.
pub struct Unique {
    pub limit: usize,
    /// As in [`Collect`].
    pub separator: Option<String>,
}

impl Accumulator for Unique {
    fn parts(&self) -> Parts {
        Parts::heap(Heap::Multiset(Multiset::default()))
    }

    fn needs_arrival(&self) -> bool {
        true
    }

    fn add(
        &self,
        at: At,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        let set = heaps[0].multiset_mut();
        let mut scratch = Scratch::default();
        let value = value.canonical();
        let bytes = value.sortable(&mut scratch);
        if has_room(set, self.limit) && !set.contains(bytes) {
            set.change(bytes, i64::try_from(at.arrival + 1).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let set = into.2[0].multiset_mut();
        for (value, arrival) in from.2[0].multiset().all() {
            set.lower(value, arrival);
        }
        if !has_room(set, self.limit.saturating_add(1)) {
            let values = set.by_count(false);
            let late: Vec<_> = values[self.limit..].iter().map(|v| v.to_vec()).collect();
            late.iter().for_each(|value| set.remove(value));
        }
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        let values = heaps[0].multiset().by_count(false);
        give(n, values.into_iter(), self.separator.as_deref(), out);
    }
}

/// MAXK, MINK and the _UNIQUE forms: the best values, sorted.
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
        _: At,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        self.offer(value.canonical().sortable(&mut Scratch::default()), heaps);
        Ok(())
    }

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let values = from.2[0].sequence().iter();
        values.for_each(|value| self.offer(value, into.2));
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push_list(heaps[0].sequence().iter());
        } else {
            out.push_null();
        }
    }
}

/// Put out a list, or a text with a separator; null if there is no value.
pub fn give<'a>(
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
