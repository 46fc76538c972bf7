"""Tables that are whole in every thread: what they hold when a program begins, follows their topic, and begins again."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.log import open_log
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.telemetry.metrics import ErrorKind
from tests.engine.programs import create, fill, read
from tests.engine.running import running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

PROGRAM = """
SET autocreate=true; SET num.stream.threads=2; SET commit.interval.ms=10; SET error.policy='{policy}';
CREATE TABLE rides (_key string, id long, city string) FORMAT (STRING, JSON);
CREATE TABLE cities (_key string, name string) FORMAT (STRING, JSON);
INSERT INTO named SELECT STREAM r.id, c.name FROM rides r JOIN GLOBAL TABLE cities c ON r.city = c._key;
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with open_log(f"sqlite:{tmp_path / 'log'}") as opened:
        create(opened, "rides", 4)
        create(opened, "cities", 3)
        yield opened


def planned(log: Log, policy: str = "fail") -> Topology:
    with closing(Catalog(log)) as catalog:
        return plan_program(parse_program(PROGRAM.format(policy=policy)), catalog)


def put_city(log: Log, key: str, name: str | None) -> None:
    value = None if name is None else json.dumps({"name": name}).encode()
    fill(log, "cities", [value], keys=[key.encode()])


def ride(log: Log, *numbers: int, city: str = "b") -> None:
    values = [json.dumps({"id": number, "city": city}).encode() for number in numbers]
    fill(log, "rides", values, keys=[f"r{number}".encode() for number in numbers])


def results(log: Log) -> dict[int, str]:
    if log.admin().describe("named") is None:
        # Made by the program, a moment after its start.
        return {}
    found = [json.loads(row["value"]) for row in read(log, "named")]
    return {row["id"]: row["name"] for row in found}


def test_updates_count_for_what_comes_after_them_and_a_new_start_reads_all_again(log: Log) -> None:
    put_city(log, "b", "Basle")
    topology = planned(log)
    with running(Processor(topology, log, None, ProcessorOptions("app", lag_interval=0))):
        ride(log, *range(8))
        wait_for(lambda: len(results(log)) == 8)
        assert results(log) == dict.fromkeys(range(8), "Basle")
        put_city(log, "b", "Bern")
        rounds = iter(range(100, 10_000, 8))
        wait_for(lambda: next_ones(log, next(rounds)) == {"Bern"})
    put_city(log, "c", "Chur")
    put_city(log, "b", None)
    ride(log, 20, city="c")
    ride(log, 21)
    Processor(topology, log, None, ProcessorOptions("app", until_end=True, lag_interval=0)).run()
    found = results(log)
    assert found[20] == "Chur"
    assert 21 not in found


def next_ones(log: Log, first: int) -> set[str]:
    """Send rides to all partitions, and give what they were joined with."""
    ride(log, *range(first, first + 8))
    wait_for(lambda: results(log).keys() >= set(range(first, first + 8)))
    return {results(log)[number] for number in range(first, first + 8)}


def test_a_record_of_the_table_that_cannot_be_read(log: Log) -> None:
    put_city(log, "b", "Basle")
    fill(log, "cities", [b"{broken"], keys=[b"x"])
    ride(log, 1)
    options = ProcessorOptions("app", until_end=True, lag_interval=0)
    with pytest.raises(RunError, match="cities"):
        Processor(planned(log), log, None, options).run()
    assert results(log) == {}
    Processor(planned(log, "continue"), log, None, options).run()
    assert results(log) == {1: "Basle"}


def test_a_record_of_the_table_goes_to_no_dead_letter_topic_and_is_told_of_as_left_out(log: Log) -> None:
    put_city(log, "b", "Basle")
    fill(log, "cities", [b"{broken"], keys=[b"x"])
    ride(log, 1)
    topology = planned(log, "dlq'; SET dead.letter.queue='bad")
    options = ProcessorOptions("app", until_end=True, lag_interval=0)
    processor = Processor(topology, log, None, options)
    processor.run()
    assert results(log) == {1: "Basle"}
    assert not read(log, "bad")
    # Once for each of the two threads.
    assert processor.metrics.snapshot().errors == {ErrorKind("cities", "decode.value", "continue"): 2}
