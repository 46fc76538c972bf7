"""Members come and go while they copy records in transactions: each record arrives once."""

from __future__ import annotations

import random
import time
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription
from tests.logs.members import PATIENCE, produce, read_all, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from headrace.log.interface import TopicPartition

RECORDS = 3_000
PARTITIONS = 6


class Copier:
    """Copies from `source` to `target`, in lives of chance length, until it is told to stop."""

    def __init__(self, log: EmbeddedLog, seed: int, stop: Event) -> None:
        self._log = log
        self._chance = random.Random(seed)
        self._name = f"copier-{seed}"
        self._stop = stop
        self._open = False
        self.lives = 0
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stop.is_set():
                self._live()
        except BaseException as error:
            self.fault = error

    def _live(self) -> None:
        self.lives += 1
        self._consumer = self._log.consumer(ConsumerOptions("copiers"))
        self._producer = self._log.producer(ProducerOptions(self._name))
        self._consumer.subscribe(
            ["source"], on_assign=lambda _: None, on_revoke=self._commit, on_lost=self._abort
        )
        end = time.monotonic() + self._chance.uniform(0.05, 0.4)
        while time.monotonic() < end and not self._stop.is_set():
            for batch in self._consumer.poll(self._chance.choice([1, 7, 50]), 0.02):
                if not self._open:
                    self._producer.begin()
                    self._open = True
                self._producer.send("target", records(value=batch.column("value").to_pylist()))
            if self._chance.random() < 0.3:
                self._commit()
        self._consumer.close()
        self._producer.close()

    def _commit(self, _: Sequence[TopicPartition] = ()) -> None:
        if self._open:
            self._producer.commit(self._consumer.positions(), self._consumer)
            self._open = False

    def _abort(self, _: Sequence[TopicPartition]) -> None:
        if self._open:
            self._producer.abort()
            self._open = False


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_every_record_is_copied_once(tmp_path: Path, kind: str) -> None:
    with EmbeddedLog(":memory:" if kind == "memory" else str(tmp_path / "log.db")) as log:
        admin = log.admin()
        admin.create(TopicDescription("source", PARTITIONS))
        admin.create(TopicDescription("target", 2))
        values = [str(number).encode() for number in range(RECORDS)]
        produce(log, "source", value=values)
        stop = Event()
        copiers = [Copier(log, seed, stop) for seed in range(3)]
        threads = [Thread(target=copier.run) for copier in copiers]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE
        while sum(admin.group_offsets("copiers").values()) < RECORDS and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()
        for thread in threads:
            thread.join()
        assert [copier.fault for copier in copiers] == [None] * 3
        assert sum(copier.lives for copier in copiers) > 3
        assert sorted(row["value"] for row in read_all(log, "target", 2)) == sorted(values)
