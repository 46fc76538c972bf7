//! Functions that need all values: by their nature, or because any of them may be taken away again.

use super::column::Column;
use super::lists::give;
use super::multiset::Multiset;
use super::values::{Scratch, Value};
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts};

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
        _: At,
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

    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let set = into.2[0].multiset_mut();
        from.2[0].multiset().all().for_each(|(value, count)| {
            set.change(value, count);
        });
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
