//! Puts many writes into the order that a tree takes them in.

use crate::store::Write;

/// Give the writes in the order of their keys, of each key the last one alone.
pub fn sorted<'a>(writes: &[Write<'a>]) -> impl Iterator<Item = Write<'a>> {
    let mut order: Vec<(u64, usize)> = (writes.iter().enumerate())
        .map(|(place, (key, _))| (leading(key) >> 56, place))
        .collect();
    // The entries of a table share their first byte, and often more.
    order.sort_by_key(|(first, _)| *first);
    for part in order.chunk_by_mut(|left, right| left.0 == right.0) {
        sort(part, writes);
    }
    order.dedup_by(|later, kept| {
        let same = writes[later.1].0 == writes[kept.1].0;
        if same {
            *kept = *later;
        }
        same
    });
    order.into_iter().map(|(_, place)| writes[place])
}

/// Sort places by key, those of the same key as they are. Most keys differ in the eight bytes behind what all of them share, so
/// that hardly a comparison looks at the keys themselves.
fn sort(part: &mut [(u64, usize)], writes: &[Write<'_>]) {
    let key = |place: usize| writes[place].0;
    let Some((_, first)) = part.first() else {
        return;
    };
    let first = key(*first);
    let common = part.iter().fold(first.len(), |common, (_, place)| {
        (first[..common].iter().zip(key(*place)))
            .take_while(|(left, right)| left == right)
            .count()
    });
    for (rank, place) in part.iter_mut() {
        *rank = leading(&key(*place)[common..]);
    }
    part.sort_unstable_by(|left, right| {
        (left.0.cmp(&right.0))
            .then_with(|| key(left.1).cmp(key(right.1)))
            .then_with(|| left.1.cmp(&right.1))
    });
}

/// Give the first bytes as a number that is ordered as they are; shorter keys have zeros.
fn leading(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let count = key.len().min(8);
    bytes[..count].copy_from_slice(&key[..count]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(writes: &[(&[u8], Option<&[u8]>)], expected: &[(&[u8], Option<&[u8]>)]) {
        assert_eq!(sorted(writes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_last_write_of_a_key_counts() {
        check(
            &[
                (b"b", Some(b"1")),
                (b"a", Some(b"2")),
                (b"b", None),
                (b"a", Some(b"3")),
            ],
            &[(b"a", Some(b"3")), (b"b", None)],
        );
    }

    #[test]
    fn keys_are_ordered_by_their_bytes() {
        let ordered: [&[u8]; 9] = [
            b"",
            b"\0",
            b"\0\0",
            b"prefix",
            b"prefix\0\0\0\0\0\0\0\0",
            b"prefix\0\0\0\0\0\0\0\0\0",
            b"prefix12345678",
            b"prefix123456789",
            b"prefix12345679",
        ];
        for shared in 0..ordered.len() {
            let expected: Vec<Write<'_>> =
                ordered[shared..].iter().map(|key| (*key, None)).collect();
            let mut writes = expected.clone();
            writes.reverse();
            check(&writes, &expected);
        }
    }

    #[test]
    fn nothing_is_a_run_too() {
        check(&[], &[]);
    }

    #[test]
    fn tables_are_ordered_one_after_the_other() {
        check(
            &[
                (b"t9", None),
                (b"", None),
                (b"g\x80\x01", None),
                (b"t1", None),
                (b"g\x80", None),
                (b"t9", Some(b"1")),
            ],
            &[
                (b"", None),
                (b"g\x80", None),
                (b"g\x80\x01", None),
                (b"t1", None),
                (b"t9", Some(b"1")),
            ],
        );
    }
}
