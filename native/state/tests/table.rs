//! A state table beside a map, over random work, commits, failures and little memory; on disk and in memory.

use std::collections::{BTreeMap, HashMap};

use headrace_state::Result;
use headrace_state::rows::hash;
use headrace_state::store::{LocalStore, Store};
use headrace_state::table::{Bytes, StateTable};
use headrace_state::tasks::{Part, Task, Tasks};
use headrace_state::time::StreamTime;

struct Holding {
    table: StateTable<Bytes>,
    other: StateTable<Bytes>,
    time: StreamTime,
}

impl Holding {
    fn open(store: &Store) -> Result<Self> {
        Ok(Self {
            table: StateTable::open(store, b"t", Bytes)?,
            other: StateTable::open(store, b"u", Bytes)?,
            time: StreamTime::open(store)?,
        })
    }
}

impl Task for Holding {
    fn parts(&mut self) -> Vec<&mut dyn Part> {
        vec![&mut self.table, &mut self.other, &mut self.time]
    }
}

/// What a task should hold.
#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    table: BTreeMap<Vec<u8>, Vec<u8>>,
    other: BTreeMap<Vec<u8>, Vec<u8>>,
    time: Option<i64>,
}

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Short ones lie in the entries, long ones beside them.
    fn key(&mut self) -> Vec<u8> {
        let number = self.below(60);
        match number % 3 {
            0 => number.to_be_bytes().to_vec(),
            1 => [&[0xff; 30][..], &number.to_be_bytes()].concat(),
            _ => vec![0xff; number as usize],
        }
    }
}

fn tasks(stores: &[Store]) -> Tasks<Holding> {
    let mut tasks = Tasks::default();
    for (partition, store) in stores.iter().enumerate() {
        tasks
            .open(
                partition as i32,
                store.clone(),
                Holding::open(store).unwrap(),
            )
            .unwrap();
    }
    tasks
}

fn change(task: &mut Holding, model: &mut Model, numbers: &mut Numbers) {
    let key = numbers.key();
    let (table, entries) = if numbers.below(4) > 0 {
        (&mut task.table, &mut model.table)
    } else {
        (&mut task.other, &mut model.other)
    };
    match numbers.below(6) {
        0 => {
            let found = table.find(&key, hash(&key)).unwrap();
            let value = found
                .and_then(|slot| table.get(slot))
                .map(|value| value.to_vec());
            assert_eq!(value.as_ref(), entries.get(&key));
        }
        1 => {
            let slot = table.slot(&key, hash(&key)).unwrap();
            assert_eq!(table.key(slot), key);
            *table.edit(slot) = None;
            entries.remove(&key);
        }
        2 => {
            // Looked at, perhaps touched, and left as it was.
            let slot = table.slot(&key, hash(&key)).unwrap();
            if numbers.below(2) == 0 {
                table.touch(slot);
            }
            assert_eq!(
                table.get(slot).map(|value| value.to_vec()).as_ref(),
                entries.get(&key)
            );
        }
        _ => {
            let value = vec![b'v'; numbers.below(50) as usize];
            let slot = table.slot(&key, hash(&key)).unwrap();
            *table.edit(slot) = Some(value.clone().into());
            entries.insert(key, value);
        }
    }
    let time = numbers.below(1000) as i64;
    assert_eq!(
        task.time.advance(time),
        model.time.is_none_or(|now| time > now)
    );
    model.time = model.time.max(Some(time));
}

fn scanned(
    table: &mut StateTable<Bytes>,
    from: &[u8],
    to: Option<&[u8]>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let slots = table.scan(from, to).unwrap();
    slots
        .into_iter()
        .map(|slot| (table.key(slot).to_vec(), table.get(slot).unwrap().to_vec()))
        .collect()
}

fn compare(task: &mut Holding, model: &Model, numbers: &mut Numbers) {
    let (low, high) = (numbers.key(), numbers.key());
    let expected: Vec<_> = model
        .table
        .iter()
        .filter(|(key, _)| **key >= low && **key < high)
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    assert_eq!(scanned(&mut task.table, &low, Some(&high)), expected);
    let all =
        |entries: &BTreeMap<Vec<u8>, Vec<u8>>| entries.clone().into_iter().collect::<Vec<_>>();
    assert_eq!(scanned(&mut task.other, b"", None), all(&model.other));
    if numbers.below(8) == 0 {
        task.table.load_all().unwrap();
        assert!(task.table.is_complete());
        let mut resident: Vec<_> = task
            .table
            .resident_slots()
            .map(|slot| {
                (
                    task.table.key(slot).to_vec(),
                    task.table.get(slot).unwrap().to_vec(),
                )
            })
            .collect();
        resident.sort();
        assert_eq!(resident, all(&model.table));
    }
    assert_eq!(task.time.now(), model.time.unwrap_or(StreamTime::NEVER));
}

fn run(local: impl Fn(usize) -> LocalStore, limit: usize, seed: u64) {
    const PARTITIONS: usize = 2;
    let mut numbers = Numbers(seed);
    let stores: Vec<Store> = (0..PARTITIONS)
        .map(|partition| {
            let local = local(partition);
            local.begin("s", "f").unwrap();
            local.store("s").unwrap()
        })
        .collect();
    let mut tasks_now = tasks(&stores);
    tasks_now.limit(limit);
    let mut committed = vec![Model::default(); PARTITIONS];
    let mut models = committed.clone();
    let mut position = 0;
    for _ in 0..300 {
        for _ in 0..numbers.below(20) {
            let partition = numbers.below(PARTITIONS as u64) as usize;
            let task = tasks_now.get(partition as i32).unwrap();
            change(task, &mut models[partition], &mut numbers);
        }
        for (partition, task) in tasks_now.iter_mut() {
            compare(task, &models[partition as usize], &mut numbers);
        }
        match numbers.below(4) {
            0 => {
                tasks_now.rollback().unwrap();
                models = committed.clone();
            }
            1 | 2 => {
                position += 1;
                let changes = tasks_now.changes().unwrap();
                // A key comes once, however often it changed.
                assert!(changes.num_rows() <= PARTITIONS * (2 * 60 + 1));
                tasks_now
                    .committed(&HashMap::from([(0, position), (1, position)]))
                    .unwrap();
                committed = models.clone();
                assert!(
                    stores
                        .iter()
                        .all(|store| store.position().unwrap() == Some(position))
                );
            }
            _ => {
                // The process dies and comes back.
                tasks_now = tasks(&stores);
                tasks_now.limit(limit);
                models = committed.clone();
            }
        }
        for (partition, task) in tasks_now.iter_mut() {
            compare(task, &models[partition as usize], &mut numbers);
        }
    }
}

#[test]
fn in_memory() {
    for (seed, limit) in [(1, usize::MAX), (2, 2000), (3, 0)] {
        run(|_| LocalStore::open(None).unwrap(), limit, seed);
    }
}

#[test]
fn on_disk() {
    for (seed, limit) in [(4, usize::MAX), (5, 2000), (6, 0)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        run(
            |partition| LocalStore::open(Some(&path.join(partition.to_string()))).unwrap(),
            limit,
            seed,
        );
    }
}

#[test]
fn entries_that_are_used_outlive_those_that_are_not() {
    let local = LocalStore::open(None).unwrap();
    local.begin("s", "f").unwrap();
    let mut tasks = tasks(&[local.store("s").unwrap()]);
    let keys: Vec<[u8; 8]> = (0..100_u64).map(u64::to_be_bytes).collect();
    let table = |tasks: &mut Tasks<Holding>, key: &[u8; 8]| {
        let table = &mut tasks.get(0).unwrap().table;
        let slot = table.slot(key, hash(key)).unwrap();
        *table.edit(slot) = Some([0; 8].into());
    };
    keys.iter().for_each(|key| table(&mut tasks, key));
    tasks.changes().unwrap();
    tasks.committed(&HashMap::from([(0, 1)])).unwrap();
    let bytes = tasks.stats().bytes as usize;
    tasks.limit(bytes / 2);
    for round in 2..6 {
        keys[..30].iter().for_each(|key| table(&mut tasks, key));
        tasks.changes().unwrap();
        tasks.committed(&HashMap::from([(0, round)])).unwrap();
    }
    assert!(tasks.stats().bytes as usize <= bytes / 2);
    let before = tasks.stats();
    keys[..30].iter().for_each(|key| table(&mut tasks, key));
    assert_eq!(tasks.stats().misses, before.misses);
}

#[test]
fn a_complete_table_does_not_ask_the_store_for_keys_that_are_missing() {
    let local = LocalStore::open(None).unwrap();
    local.begin("s", "f").unwrap();
    let mut tasks = tasks(&[local.store("s").unwrap()]);
    for number in 0..10_u8 {
        assert!(
            tasks
                .get(0)
                .unwrap()
                .table
                .find(&[number], hash(&[number]))
                .unwrap()
                .is_none()
        );
    }
    assert_eq!((tasks.stats().misses, tasks.stats().entries), (0, 0));
}

#[test]
fn what_came_and_went_between_commits_leaves_no_change() {
    let local = LocalStore::open(None).unwrap();
    local.begin("s", "f").unwrap();
    let mut tasks = tasks(&[local.store("s").unwrap()]);
    let table = &mut tasks.get(0).unwrap().table;
    let slot = table.slot(b"k", hash(b"k")).unwrap();
    *table.edit(slot) = Some([1].into());
    *table.edit(slot) = None;
    assert_eq!(tasks.changes().unwrap().num_rows(), 0);
}

#[test]
fn changes_without_a_position_are_refused() {
    let local = LocalStore::open(None).unwrap();
    local.begin("s", "f").unwrap();
    let mut tasks = tasks(&[local.store("s").unwrap()]);
    assert!(tasks.committed(&HashMap::new()).is_err());
    tasks.get(0).unwrap().time.advance(7);
    assert_eq!(tasks.changes().unwrap().num_rows(), 1);
    assert!(tasks.committed(&HashMap::new()).is_err());
}
