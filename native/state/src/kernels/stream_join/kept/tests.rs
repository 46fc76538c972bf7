//! Kept rows against a plain list of them: what comes, expires, is evicted, packed, aborted and read again.

use super::*;
use crate::store::LocalStore;

const KEEP: i64 = 400;

/// A row that the plain model holds.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    key: Vec<u8>,
    side: usize,
    time: i64,
    number: u64,
    row: Vec<u8>,
    unmatched: bool,
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn commit(kept: &mut KeptRows, store: &Store, position: i64) {
    use arrow_array::cast::AsArray;
    let mut changes = Changes::default();
    kept.collect(&mut changes).unwrap();
    let batch = changes.finish().unwrap();
    let keys = batch.column(1).as_binary::<i32>().iter().flatten();
    let values = batch.column(2).as_binary::<i32>().iter();
    store.write(&mut keys.zip(values), position).unwrap();
    kept.settle();
}

/// What is counted must be what is there.
fn check_sizes(kept: &KeptRows) {
    let groups = (0..kept.groups.numbers()).map(|number| kept.groups.get(number));
    let groups: Vec<&Group> = groups.filter(|group| !group.free).collect();
    let rows = || groups.iter().flat_map(|group| group.sides.iter().flatten());
    assert_eq!(kept.count, rows().count());
    let bytes: usize = groups.iter().map(|group| group.bytes()).sum();
    assert_eq!(kept.group_bytes, bytes);
    let live: usize = rows().map(|row| 4 + kept.rows.get(row.place()).len()).sum();
    assert_eq!(kept.rows.live(), live);
    assert!(kept.rows.capacity() >= live);
}

#[test]
fn packed_rows_are_those_of_a_plain_list() {
    for seed in 0..12 {
        let stores = LocalStore::open(None).unwrap();
        stores.begin("s", "f").unwrap();
        let store = stores.store("s").unwrap();
        let mut random = Random(seed);
        let mut kept = KeptRows::open(&store, KEEP, 0, None).unwrap();
        let mut plain: Vec<Plain> = Vec::new();
        let (mut committed, mut was, mut now) = (plain.clone(), 0, 0);
        for step in 0..3000 {
            match random.below(100) {
                0..=3 => {
                    commit(&mut kept, &store, step);
                    (committed, was) = (plain.clone(), now);
                    if random.below(2) == 0 {
                        let most = [0, 2_000, 10_000, 30_000][random.below(4) as usize];
                        kept.shrink(most);
                        assert!(kept.bytes() <= most);
                    }
                }
                4 => {
                    // An aborted transaction, or a restart.
                    (plain, now) = (committed.clone(), was);
                    kept = KeptRows::open(&store, KEEP, 0, (step > 0).then_some(now)).unwrap();
                    if random.below(2) == 0 {
                        let unmatched = |_, _, number| Ok(has_waited(&committed, number));
                        kept.load_all(unmatched).unwrap();
                    }
                }
                5..=15 => {
                    now += random.below(60) as i64;
                    kept.expire(now - KEEP);
                    plain.retain(|row| row.time >= now - KEEP);
                }
                16..=30 => {
                    let (key, side) = (key(&mut random), random.below(2) as usize);
                    let unmatched = |_, _, number| Ok(has_waited(&plain, number));
                    let group = kept.group(&key, hash(&key), unmatched).unwrap();
                    let (rows, bytes) = kept.side(group, side);
                    // Rows that are too old stay as long as their bucket.
                    let found: Vec<Plain> = rows
                        .iter_mut()
                        .filter(|row| row.time >= now - KEEP)
                        .map(|row| Plain {
                            key: key.clone(),
                            side,
                            time: row.time,
                            number: row.number,
                            row: bytes.get(row.place()).into(),
                            unmatched: row.take_unmatched(),
                        })
                        .collect();
                    let mut expected: Vec<Plain> = Vec::new();
                    for row in &mut plain {
                        if row.key == key && row.side == side {
                            expected.push(row.clone());
                            row.unmatched = false;
                        }
                    }
                    expected.sort_by_key(|row| (row.time, row.number));
                    assert_eq!(found, expected);
                }
                _ => {
                    let (key, side) = (key(&mut random), random.below(2) as usize);
                    let unmatched = random.below(2) == 0;
                    let time = now - random.below(KEEP as u64) as i64;
                    let length = [0, 10, 300, 3000][random.below(4) as usize];
                    let row = vec![random.below(256) as u8; length];
                    let waited = |_, _, number| Ok(has_waited(&plain, number));
                    let group = kept.group(&key, hash(&key), waited).unwrap();
                    let number = kept.number();
                    kept.add(group, side, (time, number), &row, unmatched);
                    assert_eq!(*kept.row(&key, side, time, number).unwrap(), *row);
                    plain.push(Plain {
                        key,
                        side,
                        time,
                        number,
                        row,
                        unmatched,
                    });
                }
            }
            check_sizes(&kept);
        }
    }
}

fn key(random: &mut Random) -> Vec<u8> {
    let number = random.below(40) as u8;
    vec![number; 1 + usize::from(number)]
}

fn has_waited(rows: &[Plain], number: u64) -> bool {
    rows.iter().any(|row| row.number == number && row.unmatched)
}
