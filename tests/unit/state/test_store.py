"""Local stores: entries and position go together, whatever happens to the process, the files or the memory."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace._native import DamagedStateError, LocalStore, LockedStateError
from tests.unit.formats.decoding import examples

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Entries = dict[bytes, bytes]


def restore(
    local: LocalStore, entries: Iterable[tuple[bytes, bytes | None]], position: int, store: str = "s"
) -> None:
    """Write entries by way of the changelog."""
    rows = list(entries)
    keys = pa.array([key for key, _ in rows], pa.binary())
    local.restore(store, keys, pa.array([value for _, value in rows], pa.binary()), position)


def entries(local: LocalStore, store: str = "s", limit: int = 1000) -> Entries:
    """Give all entries, page by page."""
    found: list[tuple[bytes, bytes]] = []
    while True:
        keys, values = local.entries(store, found[-1][0] if found else None, limit)
        if not len(keys):
            break
        rows = pa.record_batch([keys, values], ["key", "value"]).to_pylist()
        found += [(row["key"], row["value"]) for row in rows]
    assert found == sorted(found)
    assert len(found) == len(dict(found))
    return dict(found)


def reopened(path: Path) -> LocalStore:
    """Open the stores of a directory whose former user has closed them."""
    return LocalStore(path)


def test_a_new_directory_has_no_stores(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "0_0")
    assert local.names() == []
    assert local.fingerprint("s") is None
    assert local.position("s") is None


@pytest.mark.parametrize("kept", [True, False], ids=["disk", "memory"])
def test_stores_are_apart(tmp_path: Path, kept: bool) -> None:
    local = LocalStore(tmp_path if kept else None)
    local.begin("b", "two")
    local.begin("a", "one")
    restore(local, [(b"k", b"1")], 5, "a")
    restore(local, [(b"k", b"2")], 6, "b")
    assert local.names() == ["a", "b"]
    assert (local.fingerprint("a"), local.fingerprint("b")) == ("one", "two")
    assert (local.position("a"), local.position("b")) == (5, 6)
    local.begin("a", "three")
    assert (local.fingerprint("a"), local.position("a"), entries(local, "a")) == ("three", None, {})
    assert entries(local, "b") == {b"k": b"2"}


@pytest.mark.parametrize("kept", [True, False], ids=["disk", "memory"])
def test_the_last_of_several_writes_to_a_key_counts(tmp_path: Path, kept: bool) -> None:
    local = LocalStore(tmp_path if kept else None)
    local.begin("s", "f")
    restore(local, [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None), (b"c", None), (b"c", b"")], 1)
    assert entries(local) == {b"a": b"2", b"c": b""}


def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    local = LocalStore(tmp_path)
    local.begin("s", "f")
    restore(local, [(b"a", b"1")], 5)
    restore(local, [], 8)
    local.close()
    local = reopened(tmp_path)
    assert (local.position("s"), entries(local)) == (8, {b"a": b"1"})


def test_a_store_that_was_not_begun_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no store `s`"):
        restore(LocalStore(tmp_path), [(b"a", b"1")], 1)


def test_a_closed_store_is_refused(tmp_path: Path) -> None:
    local = LocalStore(tmp_path)
    local.close()
    local.close()
    with pytest.raises(ValueError, match="closed"):
        local.names()


def test_two_cannot_use_a_directory(tmp_path: Path) -> None:
    local = LocalStore(tmp_path)
    with pytest.raises(LockedStateError):
        LocalStore(tmp_path)
    local.close()
    LocalStore(tmp_path).close()


WRITER = """
import sys
import pyarrow as pa
from headrace._native import LocalStore

local = LocalStore(sys.argv[1])
local.begin("s", "f")
count = int(sys.argv[2])
keys = pa.array([number.to_bytes(8, "big") for number in range(count)], pa.binary())
round = 0
while True:
    round += 1
    local.restore("s", keys, pa.array([round.to_bytes(40, "big")] * count, pa.binary()), round)
    if round in (1, 5, 300):
        print(round, flush=True)
"""
"""Writes its keys again and again, each time all to the number of the round, which is the position."""


@pytest.mark.parametrize(("count", "rounds"), [(500, 1), (500, 300), (20_000, 5)])
def test_a_killed_process_loses_nothing_that_it_wrote(tmp_path: Path, count: int, rounds: int) -> None:
    """The entries of a small write lie in a journal; so many go into tables at once."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        for line in writer.stdout:
            if int(line) == rounds:
                break
        os.kill(writer.pid, signal.SIGKILL)
    local = reopened(tmp_path)
    position = local.position("s")
    assert position is not None
    assert position >= rounds
    found = entries(local, limit=count)
    assert len(found) == count
    assert set(found.values()) == {position.to_bytes(40, "big")}


def settled(path: Path) -> None:
    """Fill a store, so that its entries lie in tables."""
    local = LocalStore(path)
    local.begin("s", "f")
    restore(local, ((struct.pack(">q", number), bytes(30)) for number in range(10_000)), 1)
    local.close()


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    settled(tmp_path)
    largest = max(
        (path for path in tmp_path.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    with largest.open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    local = reopened(tmp_path)
    with pytest.raises(DamagedStateError, match="damaged"):
        entries(local)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    settled(tmp_path)
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.stat().st_size > 50_000:
            path.unlink()
    with pytest.raises(DamagedStateError, match="damaged"):
        reopened(tmp_path).position("s")


def test_a_name_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    settled(tmp_path)
    (about,) = tmp_path.rglob("store.json")
    about.write_text("{")
    with pytest.raises(DamagedStateError, match="damaged"):
        LocalStore(tmp_path)


def test_a_store_that_was_only_half_begun_is_gone(tmp_path: Path) -> None:
    settled(tmp_path)
    (about,) = tmp_path.rglob("store.json")
    about.unlink()
    local = LocalStore(tmp_path)
    assert (local.names(), local.position("s")) == ([], None)


def test_a_position_moves_with_its_entries_or_not_at_all(tmp_path: Path) -> None:
    """Whatever end of the journal is missing, what is left is what one of the writes had made."""
    local = LocalStore(tmp_path)
    local.begin("s", "f")
    made: dict[int | None, Entries] = {None: {}}
    expected: Entries = {}
    for number in range(1, 6):
        restore(local, [(b"a", bytes([number])), (bytes([number]), b"x")], number)
        expected |= {b"a": bytes([number]), bytes([number]): b"x"}
        made[number] = dict(expected)
    local.close()
    (journal,) = tmp_path.rglob("*.journal")
    whole = journal.read_bytes()
    seen = set()
    for length in range(0, len(whole), 9):
        journal.write_bytes(whole[:length])
        local = reopened(tmp_path)
        position = local.position("s")
        assert entries(local) == made[position]
        seen.add(position)
        local.close()
    assert seen == {None, 1, 2, 3, 4}


keys = st.sampled_from([b"", b"\0", b"\0\0", b"a", b"a\0", b"ab", b"b" * 40, b"\xff", b"\xff\xff"])
writes = st.lists(st.tuples(keys, st.none() | st.binary(max_size=20)), max_size=8)
steps = st.lists(writes | st.sampled_from(["reopen", "begin"]), max_size=12)


@settings(max_examples=examples(60), deadline=None)
@given(steps, st.integers(1, 4))
def test_the_twin_in_memory_agrees(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[bytes, bytes | None]] | str], limit: int
) -> None:
    path = tmp_path_factory.mktemp("stores")
    disk, memory = LocalStore(path), LocalStore(None)
    for local in (disk, memory):
        local.begin("s", "f")
    for position, step in enumerate(steps):
        if step == "reopen":
            disk.close()
            disk = reopened(path)
        for local in (disk, memory):
            if step == "begin":
                local.begin("s", str(position))
            elif not isinstance(step, str):
                restore(local, step, position)
        assert disk.position("s") == memory.position("s")
        assert disk.fingerprint("s") == memory.fingerprint("s")
        assert entries(disk, limit=limit) == entries(memory, limit=limit)
    disk.close()
