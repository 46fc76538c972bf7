"""The traffic that latency is measured with carries its time, at its rate."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.peers.engines import FlinkSql, Run
from benchmarks.peers.latency import Traffic
from benchmarks.peers.programs import PROGRAMS
from benchmarks.pipeline.workload import create
from headrace.log.embedded import EmbeddedLog
from tests.engine.programs import read

if TYPE_CHECKING:
    from pathlib import Path


def test_each_record_carries_when_it_was_sent() -> None:
    with EmbeddedLog(":memory:") as log:
        create(log, "traffic")
        traffic = Traffic(log, "traffic", 2_000)
        begin = time.time() * 1000
        traffic.start()
        traffic.full()
        time.sleep(0.3)
        traffic.close()
        end = time.time() * 1000
        found = [json.loads(row["value"]) for row in read(log, "traffic")]
    assert len(found) % 20 == 0
    # A machine that is busy sends later, and then more at once.
    assert 20 <= len(found) <= 2_000 * (end - begin) / 1000 + 20
    assert all(begin - 1 <= row["Timestamp"] <= end for row in found)
    assert {"MMSI", "Speed", "Longitude", "Latitude"} < found[0].keys()


def test_few_are_sent_until_all_are_asked_for() -> None:
    with EmbeddedLog(":memory:") as log:
        create(log, "traffic")
        traffic = Traffic(log, "traffic", 2_000)
        traffic.start()
        time.sleep(0.1)
        traffic.close()
        assert len(list(read(log, "traffic"))) <= 20


def test_an_endless_run_has_no_end_in_flink(tmp_path: Path) -> None:
    (program,) = [item for item in PROGRAMS if item.name == "vessels"]
    run = Run(program, {"positions": "in"}, "out", "app", "h:1", "exactly_once", 1.0, 1, tmp_path)
    assert "scan.bounded.mode" in FlinkSql()._source(run, "positions")
    assert "scan.bounded.mode" not in FlinkSql()._source(replace(run, endless=True), "positions")
