"""Files that cannot be used are refused with a code that says why, and are not touched."""

from __future__ import annotations

import gc
import sqlite3
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.errors.codes import log as codes
from headrace.log.embedded import EmbeddedLog, layout
from headrace.log.embedded.faults import fault
from headrace.log.errors import AbortableError, LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.errors import Code

BATCH = pa.record_batch({"value": pa.array([bytes(range(256)) * 200] * 64, pa.binary())})


def code_of(error: pytest.ExceptionInfo[LogError]) -> Code:
    return error.value.diagnostics[0].code


def test_a_text_file_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no database at all\n" * 100)
    with pytest.raises(LogError) as caught:
        EmbeddedLog(str(path))
    assert code_of(caught) == codes.NOT_A_LOG
    assert path.read_text().startswith("these are notes")


def test_a_database_of_somebody_else_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LogError) as caught:
        EmbeddedLog(str(path))
    assert code_of(caught) == codes.NOT_A_LOG
    assert path.read_bytes() == before


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    EmbeddedLog(str(path)).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {layout.VERSION + 1}")
    connection.close()
    with pytest.raises(LogError) as caught:
        EmbeddedLog(str(path))
    assert code_of(caught) == codes.NEWER_LAYOUT
    assert caught.value.diagnostics[0].help == "upgrade Headrace, or name another file"


@pytest.mark.parametrize("name", ["absent/log.db", "."])
def test_a_path_that_cannot_be_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LogError) as caught:
        EmbeddedLog(str(tmp_path / name))
    assert code_of(caught) == codes.CANNOT_OPEN


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with EmbeddedLog(str(path)) as log:
        log.admin().create(TopicDescription("t", 1))
        log.producer(ProducerOptions()).send("t", BATCH)
    content = bytearray(path.read_bytes())
    content[16384:] = b"\xff" * (len(content) - 16384)
    path.write_bytes(content)
    with EmbeddedLog(str(path)) as log, pytest.raises(LogError) as caught:
        log.admin().topics()
    assert code_of(caught) == codes.CORRUPT


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        log.admin().create(TopicDescription("t", 1))
        producer = log.producer(ProducerOptions())
        producer.send("t", BATCH)
        # A bound on the pages of the connection is what a disk without space looks like to SQLite.
        limited = log.producer(ProducerOptions("id"))
        with limited._session.read() as tx:
            tx.execute("PRAGMA max_page_count = 1")
        consumer = log.consumer(ConsumerOptions("g"))
        limited.begin()
        for _ in range(20):
            limited.send("t", pa.record_batch({"value": pa.array([random_bytes(50_000)], pa.binary())}))
        with pytest.raises(LogError) as caught:
            limited.commit({TopicPartition("t", 0): 64}, consumer)
        assert code_of(caught) == codes.DISK_FULL
        # Trying again and again would only hide it.
        assert not isinstance(caught.value, AbortableError)
        limited.abort()
        consumer.assign({TopicPartition("t", 0): 0})
        assert sum(batch.num_rows for batch in consumer.poll(1000, 0)) == 64
        assert consumer.committed([TopicPartition("t", 0)]) == {}


def random_bytes(count: int) -> bytes:
    import random

    return random.Random(count).randbytes(count)


def test_a_writer_waits_for_the_lock_and_then_says_so(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with EmbeddedLog(str(path), {"lock.timeout.ms": "20"}) as log:
        log.admin().create(TopicDescription("t", 1))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        producer = log.producer(ProducerOptions())
        with pytest.raises(LogError) as caught:
            producer.send("t", BATCH)
        assert code_of(caught) == codes.LOCKED
        # Readers do not wait for writers.
        assert log.admin().topics() == ["t"]
        other.execute("ROLLBACK")
        other.close()
        producer.send("t", BATCH)


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("SQLITE_READONLY", codes.READ_ONLY),
        ("SQLITE_READONLY_DIRECTORY", codes.READ_ONLY),
        ("SQLITE_IOERR_WRITE", codes.STORAGE_FAILED),
        ("SQLITE_CANTOPEN_ISDIR", codes.CANNOT_OPEN),
        ("SQLITE_CORRUPT_INDEX", codes.CORRUPT),
        ("SQLITE_BUSY_SNAPSHOT", codes.LOCKED),
    ],
)
def test_extended_codes_of_sqlite_belong_to_their_family(symbol: str, code: Code) -> None:
    error = sqlite3.OperationalError("reason")
    error.sqlite_errorname = symbol
    assert fault("sqlite:x", error).diagnostics[0].code == code


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = EmbeddedLog(str(tmp_path / "log.db"))
    consumer, producer = log.consumer(ConsumerOptions()), log.producer(ProducerOptions())
    log.close()
    log.close()
    for call in (lambda: consumer.poll(1, 0), lambda: producer.send("t", BATCH), log.admin):
        with pytest.raises(LogError) as caught:
            call()
        assert code_of(caught) == codes.CLOSED


def test_closing_leaves_no_file_open_and_no_log_beside(tmp_path: Path) -> None:
    log = EmbeddedLog(str(tmp_path / "log.db"))
    log.admin().create(TopicDescription("t", 1))
    consumer = log.consumer(ConsumerOptions("g"))
    consumer.subscribe(["t"], on_assign=lambda _: None, on_revoke=lambda _: None, on_lost=lambda _: None)
    consumer.poll(1, 0)
    log.close()
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]


def test_topics_outlive_the_log(tmp_path: Path) -> None:
    path = str(tmp_path / "log.db")
    with EmbeddedLog(path) as log:
        log.admin().create(TopicDescription("t", 2, configs={"cleanup.policy": "compact"}, internal=True))
    with EmbeddedLog(path) as log:
        assert log.admin().describe("t") == TopicDescription(
            "t", 2, 1, {"cleanup.policy": "compact"}, internal=True
        )
