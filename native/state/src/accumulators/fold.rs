//! FOLD: an aggregate that somebody else computes, such as a user function.
//!
//! What is kept of a group is a short log of items, each of which begins with a byte that tells what it is: a value that came (`+`), a
//! value that went (`-`), or a state (`=`): of the items before, which have been folded into it, or to be merged with them. A log is as good as its state, so it may
//! be folded at any time, or not at all: the result is the log, and who computes the aggregate folds it to the end. Here it is
//! folded whenever it has grown to a fixed number of items, which does not depend on batches or commits.

use super::column::Column;
use super::values::Value;
use super::{Accumulator, At, Failure, Heap, Part, PartMut, Parts};
use crate::spec::Folder;

const CAME: u8 = b'+';
const WENT: u8 = b'-';

/// From so many items on a log is folded. What could not be folded is tried again at twice as many.
const MOST: usize = 16;

pub struct Fold {
    /// None: logs are never folded here.
    pub folder: Option<Folder>,
    /// Values are taken away again.
    pub retracts: bool,
}

impl Fold {
    fn fold(&self, heap: &mut Heap) {
        let log = heap.sequence_mut();
        if log.len() < MOST || !log.len().is_power_of_two() {
            return;
        }
        let Some(folder) = &self.folder else { return };
        let items: Vec<&[u8]> = log.iter().collect();
        if let Some(state) = folder.0.fold(&items) {
            log.truncate(0);
            log.push(&state);
        }
    }

    /// Put an item behind the others, or take away the one that it undoes. Values begin with the byte of what came.
    fn put(&self, is_coming: bool, value: Value<'_>, heap: &mut Heap) {
        let Value::Bytes(item) = value else {
            unreachable!("the form of an argument is settled when the call is compiled")
        };
        let log = heap.sequence_mut();
        if !self.retracts {
            log.push(item);
            return self.fold(heap);
        }
        let value = item.get(1..).unwrap_or_default();
        let (kind, undone) = if is_coming {
            (CAME, WENT)
        } else {
            (WENT, CAME)
        };
        let same = |item: &[u8]| item.split_first() == Some((&undone, value));
        let last = (0..log.len()).rev().find(|index| same(log.get(*index)));
        if let Some(last) = last {
            return log.remove(last);
        }
        log.push(&[&[kind], value].concat());
        self.fold(heap);
    }
}

impl Accumulator for Fold {
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
        self.put(true, value, &mut heaps[0]);
        Ok(())
    }

    fn take_away(
        &self,
        n: i64,
        value: Value<'_>,
        _: &mut [u64],
        heaps: &mut [Heap],
    ) -> Result<(), Failure> {
        self.put(false, value, &mut heaps[0]);
        let log = heaps[0].sequence_mut();
        // No value is left: nor is anything of what the state was, such as the rounding of what has gone. A value that came
        // stays, for one is taken away before it comes where changes are out of order.
        if n == 0 && log.iter().all(|item| item.first() != Some(&CAME)) {
            log.truncate(0);
        }
        Ok(())
    }

    /// A state behind others is merged with them.
    fn merge(&self, into: PartMut<'_>, from: Part<'_>) {
        let log = into.2[0].sequence_mut();
        from.2[0].sequence().iter().for_each(|item| log.push(item));
    }

    fn result(&self, n: i64, _: &[u64], heaps: &[Heap], out: &mut Column) {
        if n > 0 {
            out.push_list(heaps[0].sequence().iter());
        } else {
            out.push_null();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::spec;

    /// Gives the number of items, unless it may not.
    struct Counts(bool);

    impl spec::Fold for Counts {
        fn fold(&self, items: &[&[u8]]) -> Option<Vec<u8>> {
            self.0.then(|| format!("={}", items.len()).into_bytes())
        }
    }

    fn fold(works: bool) -> Fold {
        Fold {
            folder: Some(Folder(Arc::new(Counts(works)))),
            retracts: true,
        }
    }

    fn log(fold: &Fold, changes: &[(&str, i64)]) -> Vec<String> {
        let mut heaps = fold.parts().heaps;
        let mut n = 0;
        for (value, by) in changes {
            let value = Value::Bytes(value.as_bytes());
            if *by > 0 {
                fold.add(At::of(n), value, &mut [], &mut heaps).unwrap();
            } else {
                fold.take_away(n - 1, value, &mut [], &mut heaps).unwrap();
            }
            n += by;
        }
        let items = heaps[0].sequence().iter();
        items
            .map(|item| String::from_utf8(item.to_vec()).unwrap())
            .collect()
    }

    fn many(from: usize, to: usize) -> Vec<String> {
        (from..to).map(|number| format!("+{number}")).collect()
    }

    #[test]
    fn a_log_is_folded_when_it_is_long() {
        let values = many(0, MOST + 2);
        let changes: Vec<(&str, i64)> = values.iter().map(|value| (value.as_str(), 1)).collect();
        assert_eq!(log(&fold(true), &changes[..MOST - 1]), values[..MOST - 1]);
        assert_eq!(
            log(&fold(true), &changes),
            [
                "=16".to_owned(),
                values[MOST].clone(),
                values[MOST + 1].clone()
            ]
        );
        assert_eq!(log(&fold(false), &changes), values);
        let other = Fold {
            folder: None,
            retracts: true,
        };
        assert_eq!(log(&other, &changes), values);
    }

    #[test]
    fn what_goes_undoes_what_came() {
        let fold = fold(true);
        assert_eq!(
            log(&fold, &[("+a", 1), ("+b", 1), ("+a", 1), ("+a", -1)]),
            ["+a", "+b"]
        );
        assert_eq!(log(&fold, &[("+a", -1), ("+b", 1), ("+a", 1)]), ["+b"]);
        assert_eq!(log(&fold, &[("+a", 1), ("+b", -1)]), ["+a", "-b"]);
        assert_eq!(log(&fold, &[("+a", 1), ("+a", -1)]), [""; 0]);
        let values = many(0, MOST);
        let mut changes: Vec<(&str, i64)> =
            values.iter().map(|value| (value.as_str(), 1)).collect();
        changes.push(("+3", -1));
        assert_eq!(log(&fold, &changes), ["=16", "-3"]);
        for value in &values {
            if value != "+3" {
                changes.push((value, -1));
            }
        }
        assert_eq!(log(&fold, &changes), [""; 0]);
    }
}
