"""Whatever happens to the files of a local store, they are found to be damaged, or hold what one of the writes had made."""

from __future__ import annotations

import shutil
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace._native import DamagedStateError, LocalStore
from tests.unit.formats.decoding import examples
from tests.unit.state.test_store import Entries, entries, restore

if TYPE_CHECKING:
    from pathlib import Path

WRITES = 4


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of two stores: the entries of one lie in tables, those of the other in a journal."""
    path = tmp_path_factory.mktemp("sound")
    local = LocalStore(path)
    for store, each in (("tables", 2_000), ("journal", 20)):
        local.begin(store, "f")
        for position in range(1, WRITES + 1):
            restore(local, written(each, position).items(), position, store)
    local.close()
    assert {item.suffix for item in path.rglob("*")} >= {".journal", ".json"}
    assert [*path.rglob("tables/*")]
    return path


def written(each: int, position: int) -> Entries:
    """Give all entries after so many writes: each replaces half of those before it."""
    found: Entries = {}
    for number in range(position):
        first = number * each // 2
        found |= {struct.pack(">q", key): b"%d" % number * 8 for key in range(first, first + each)}
    return found


def check(path: Path) -> None:
    """Read everything; raises if it is damaged."""
    local = LocalStore(path)
    try:
        for store, each in (("tables", 2_000), ("journal", 20)):
            # A store of another name, or another program, is none.
            if store in local.names() and local.fingerprint(store) == "f":
                position = local.position(store)
                assert entries(local, store) == written(each, position or 0)
                restore(local, [(b"later", b"")], WRITES + 1, store)
    finally:
        local.close()


@settings(max_examples=examples(40), deadline=None)
@given(st.data())
def test_damage_is_told_or_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, sound: Path, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged")
    shutil.copytree(sound, path, dirs_exist_ok=True)
    file = data.draw(st.sampled_from(sorted(item for item in path.rglob("*") if item.is_file())))
    content = bytearray(file.read_bytes())
    if data.draw(st.booleans()) and content:
        for at in data.draw(st.lists(st.integers(1, len(content)), min_size=1, max_size=20)):
            # The ends of files say what is in them.
            content[-at] = data.draw(st.integers(0, 255))
    else:
        del content[data.draw(st.integers(0, len(content))) :]
    file.write_bytes(content)
    try:
        check(path)
    except DamagedStateError:
        pass
    finally:
        shutil.rmtree(path)


@pytest.mark.parametrize(
    ("at", "number", "message"),
    [
        (-16, struct.pack("<Q", 1 << 63), "the end of a table"),
        (None, struct.pack("<I", 0xFFFFFFFF), "the contents of a table"),
    ],
)
def test_numbers_that_no_table_has(
    tmp_path: Path, sound: Path, at: int | None, number: bytes, message: str
) -> None:
    """Read as they are, one is a place that no file has, the other asks for more memory than there is."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    table = next(tmp_path.rglob("tables/*"))
    content = bytearray(table.read_bytes())
    if at is None:
        at = struct.unpack("<Q", content[-16:-8])[0] + 4
    at %= len(content)
    content[at : at + len(number)] = number
    table.write_bytes(content)
    with pytest.raises(DamagedStateError, match=message):
        check(tmp_path)


def test_tables_that_are_left_out_are_missed(tmp_path: Path, sound: Path) -> None:
    """The list of the tables is not the one that was written."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    table = next(tmp_path.rglob("tables/*"))
    tree = table.parents[1]
    (number,) = struct.unpack("<Q", (tree / "current").read_bytes()[:8])
    version = tree / f"v{number}"
    content = bytearray(version.read_bytes())
    content[10] ^= 1
    version.write_bytes(content)
    with pytest.raises(DamagedStateError, match="the list of its tables"):
        check(tmp_path)
