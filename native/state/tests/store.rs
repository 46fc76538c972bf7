//! The stores on disk against their twin in memory, and what becomes of them when they are closed, damaged or in use.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use headrace_state::Error;
use headrace_state::store::{LocalStore, Store, Write};

fn open(path: &Path) -> LocalStore {
    LocalStore::open(Some(path)).unwrap()
}

fn write(store: &Store, entries: &[(&str, Option<&str>)], position: i64) {
    let mut writes = entries
        .iter()
        .map(|(key, value)| -> Write<'_> { (key.as_bytes(), value.map(str::as_bytes)) });
    store.write(&mut writes, position).unwrap();
}

fn all(store: &Store, from: &[u8], to: Option<&[u8]>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .scan(from, to, |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    found
}

/// All files below a folder whose name ends so.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            found.push(path);
        }
    }
    found
}

#[test]
fn entries_and_position_are_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path());
    local.begin("s", "f").unwrap();
    assert_eq!(local.position("s").unwrap(), None);
    let store = local.store("s").unwrap();
    write(&store, &[("a", Some("1")), ("b", Some("2"))], 7);
    write(&store, &[("a", None), ("c", Some(""))], 9);
    drop((store, local));
    let local = open(folder.path());
    assert_eq!(local.names().unwrap(), ["s"]);
    assert_eq!(local.fingerprint("s").unwrap().as_deref(), Some("f"));
    assert_eq!(local.position("s").unwrap(), Some(9));
    let entries = all(&local.store("s").unwrap(), b"", None);
    assert_eq!(
        entries,
        [(b"b".to_vec(), b"2".to_vec()), (b"c".to_vec(), vec![])]
    );
}

#[test]
fn to_begin_again_drops_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path());
    local.begin("s", "old").unwrap();
    write(&local.store("s").unwrap(), &[("a", Some("1"))], 7);
    local.begin("s", "new").unwrap();
    let store = local.store("s").unwrap();
    assert_eq!(local.fingerprint("s").unwrap().as_deref(), Some("new"));
    assert_eq!(
        (store.position().unwrap(), all(&store, b"", None)),
        (None, vec![])
    );
}

#[test]
fn a_directory_has_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path());
    local.begin("s", "f").unwrap();
    let store = local.store("s").unwrap();
    assert!(matches!(
        LocalStore::open(Some(folder.path())),
        Err(Error::Locked(_))
    ));
    drop(local);
    assert!(matches!(
        LocalStore::open(Some(folder.path())),
        Err(Error::Locked(_))
    ));
    drop(store);
    open(folder.path());
}

/// Many writes, some of them in the tree, some sealed, some in the journal, some so many that they go into the tree at once,
/// against a map.
#[test]
fn large_stores_agree_with_a_map_across_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut random = 1_u64;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        random >> 33
    };
    let mut position = 0;
    for _ in 0..2 {
        let local = open(folder.path());
        if local.names().unwrap().is_empty() {
            local.begin("s", "f").unwrap();
        }
        let store = local.store("s").unwrap();
        for round in 0..60 {
            let many = round % 15 == 7;
            let batch: Vec<(Vec<u8>, Option<Vec<u8>>)> = (0..if many { 15_000 } else { 1000 })
                .map(|_| {
                    let key = (next() % 20_000).to_be_bytes().to_vec();
                    let value = (next() % 4 > 0).then(|| vec![b'v'; (next() % 100) as usize]);
                    (key, value)
                })
                .collect();
            position += 1;
            let mut writes = batch
                .iter()
                .map(|(key, value)| (&key[..], value.as_deref()));
            if many {
                local.restore("s", &mut writes, position).unwrap();
            } else {
                store.write(&mut writes, position).unwrap();
            }
            for (key, value) in batch {
                match value {
                    Some(value) => expected.insert(key, value),
                    None => expected.remove(&key),
                };
            }
        }
        let low = 5_000_u64.to_be_bytes();
        let high = 6_000_u64.to_be_bytes();
        let part: Vec<_> = expected
            .range(low.to_vec()..high.to_vec())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(all(&store, &low, Some(&high)), part);
        for key in (0..20_000_u64).step_by(7) {
            let found = store.get(&key.to_be_bytes(), <[u8]>::to_vec).unwrap();
            assert_eq!(
                found.as_ref(),
                expected.get(&key.to_be_bytes()[..]),
                "key {key}"
            );
        }
    }
    let local = open(folder.path());
    assert_eq!(local.position("s").unwrap(), Some(position));
    let entries: BTreeMap<_, _> = all(&local.store("s").unwrap(), b"", None)
        .into_iter()
        .collect();
    assert_eq!(entries, expected);
    assert!(!files(folder.path(), "").is_empty());
}

#[test]
fn a_torn_journal_leaves_an_earlier_commit() {
    let folder = tempfile::tempdir().unwrap();
    {
        let local = open(folder.path());
        local.begin("s", "f").unwrap();
        let store = local.store("s").unwrap();
        write(&store, &[("a", Some("1"))], 1);
        write(&store, &[("a", Some("2")), ("b", Some("2"))], 2);
    }
    let [journal] = &files(folder.path(), ".journal")[..] else {
        panic!("one journal")
    };
    let whole = fs::read(journal).unwrap();
    for length in (0..whole.len()).rev() {
        fs::write(journal, &whole[..length]).unwrap();
        let local = open(folder.path());
        let (store, position) = (local.store("s").unwrap(), local.position("s").unwrap());
        let expected = match position {
            Some(1) => vec![(b"a".to_vec(), b"1".to_vec())],
            None => vec![],
            other => panic!("position {other:?} with {length} bytes"),
        };
        assert_eq!(all(&store, b"", None), expected);
        // It can be written again, and is then read whole.
        write(&store, &[("c", Some("3"))], 3);
        drop((store, local));
        assert_eq!(open(folder.path()).position("s").unwrap(), Some(3));
        fs::write(journal, &whole).unwrap();
    }
}

#[test]
fn a_journal_that_could_not_be_removed_is_not_played_over_what_came_later() {
    let folder = tempfile::tempdir().unwrap();
    let journal = {
        let local = open(folder.path());
        local.begin("s", "f").unwrap();
        write(&local.store("s").unwrap(), &[("key", Some("old"))], 1);
        let journal = files(folder.path(), ".journal").remove(0);
        let whole = fs::read(&journal).unwrap();
        let long = "v".repeat(1 << 20);
        let mut writes = [("key", Some("new")), ("long", Some(&*long))]
            .into_iter()
            .map(|(key, value)| (key.as_bytes(), value.map(str::as_bytes)));
        local.restore("s", &mut writes, 2).unwrap();
        assert!(!journal.exists());
        (journal, whole)
    };
    fs::write(journal.0, journal.1).unwrap();
    let local = open(folder.path());
    let store = local.store("s").unwrap();
    assert_eq!(store.position().unwrap(), Some(2));
    assert_eq!(
        store.get(b"key", <[u8]>::to_vec).unwrap(),
        Some(b"new".to_vec())
    );
}

/// Give a folder with a store whose entries are all in its tree.
fn settled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let local = open(folder.path());
    local.begin("s", "f").unwrap();
    let entries: Vec<_> = (0..20_000_u64)
        .map(|key| (key.to_be_bytes(), [7_u8; 40]))
        .collect();
    let mut writes = entries
        .iter()
        .map(|(key, value)| -> Write<'_> { (key, Some(value)) });
    local.restore("s", &mut writes, 1).unwrap();
    folder
}

#[test]
fn closing_moves_a_long_journal_into_the_tree() {
    let folder = settled();
    let journals = files(folder.path(), ".journal");
    assert_eq!(
        journals
            .iter()
            .map(|path| fs::metadata(path).unwrap().len())
            .sum::<u64>(),
        0
    );
    let local = open(folder.path());
    assert_eq!(local.position("s").unwrap(), Some(1));
    assert_eq!(all(&local.store("s").unwrap(), b"", None).len(), 20_000);
}

#[test]
fn a_damaged_table_is_told() {
    let folder = settled();
    let tables: Vec<PathBuf> = files(folder.path(), "")
        .into_iter()
        .filter(|path| path.parent().unwrap().ends_with("tables"))
        .collect();
    assert!(!tables.is_empty());
    let whole = fs::read(&tables[0]).unwrap();
    for place in (0..whole.len()).step_by(whole.len() / 50) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x40;
        fs::write(&tables[0], damaged).unwrap();
        let read = LocalStore::open(Some(folder.path())).and_then(|local| {
            let mut entries = 0;
            local.store("s")?.scan(b"", None, |_, value| {
                assert_eq!(
                    value,
                    [7; 40],
                    "damage at {place} of {} was not seen",
                    whole.len()
                );
                entries += 1;
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(entries)
        });
        match read {
            Ok(entries) => assert_eq!(entries, 20_000, "damage at {place} of {}", whole.len()),
            Err(Error::Damaged(_)) => {}
            Err(other) => panic!("damage at {place}: {other:?}"),
        }
    }
}

#[test]
fn a_missing_table_is_told() {
    let folder = settled();
    for table in files(folder.path(), "") {
        if table.parent().unwrap().ends_with("tables") {
            fs::remove_file(table).unwrap();
        }
    }
    let local = open(folder.path());
    assert!(matches!(local.store("s"), Err(Error::Damaged(_))));
}
