"""Windows by the clock of the machine close while no record comes, and a restart goes on where the clock stood."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from headrace.catalog import Catalog
from headrace.engine import Clock, Processor, ProcessorOptions
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import create, fill, numbers, read, unique
from tests.engine.running import running, wait_for

if TYPE_CHECKING:
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

TUMBLE = "SELECT STREAM s, COUNT(*) AS c FROM `{name}-in` EVENTTIME BY PROCTIME() WINDOW BY TUMBLE {size} GROUP BY s EMIT FINAL"
SESSION = "SELECT STREAM COUNT(*) AS c FROM `{name}-in` EVENTTIME BY PROCTIME() WINDOW BY SESSION {size} GROUP BY _key EMIT FINAL"
JOIN = (
    "SELECT STREAM 1 AS c FROM (SELECT STREAM * FROM `{name}-in` EVENTTIME BY PROCTIME()) AS a "
    "LEFT JOIN (SELECT STREAM * FROM `{name}-other` EVENTTIME BY PROCTIME()) AS b ON a._key = b._key WITHIN {size}"
)

OVER = (
    "SELECT STREAM 1 AS c, COUNT(*) OVER (PARTITION BY s ORDER BY PROCTIME() RANGE {size} PRECEDING) AS n "
    "FROM `{name}-in` EVENTTIME BY PROCTIME()"
)


def planned(log: Log, name: str, query: str, size: str) -> Topology:
    text = f"SET autocreate=true;\nINSERT INTO `{name}-out` {query.format(name=name, size=size)}"
    with closing(Catalog(log, None)) as catalog:
        return plan_program(parse_program(text, "clock.sql"), catalog)


def counted(log: Log, name: str) -> list[int]:
    with closing(log.admin()) as admin:
        if admin.describe(f"{name}-out") is None:
            return []
    return [json.loads(row["value"])["c"] for row in read(log, f"{name}-out")]


def test_everything_closes_while_no_record_comes(log: Log) -> None:
    names = {query: unique("clock") for query in (TUMBLE, SESSION, JOIN, OVER)}
    for query, name in names.items():
        for topic in ("in", "other"):
            create(log, f"{name}-{topic}")
            fill(log, f"{name}-{topic}", numbers([1]), keys=[b"other"])
        fill(log, f"{name}-in", numbers(range(50)), timestamps=[50_000 - 1000 * row for row in range(50)])
        topology = planned(log, name, query, "300ms")
        with running(Processor(topology, log, None, ProcessorOptions(name))):
            wait_for(lambda name=name: sum(counted(log, name)) == 51)  # type: ignore[misc]


def test_what_a_run_to_the_end_leaves_open_the_next_one_closes(log: Log) -> None:
    name = unique("clock")
    create(log, f"{name}-in")
    fill(log, f"{name}-in", numbers(range(20)))
    topology = planned(log, name, TUMBLE, "1d")
    now = 86_400_000 * 20_000
    Processor(topology, log, None, ProcessorOptions(name, until_end=True, clock=Clock(lambda: now))).run()
    assert counted(log, name) == []
    options = ProcessorOptions(name, clock=Clock(lambda: now + 86_400_000))
    with running(Processor(topology, log, None, options)):
        wait_for(lambda: sum(counted(log, name)) == 20)


def test_a_clock_that_was_put_back_stands_still_and_nothing_is_late(log: Log) -> None:
    name = unique("clock")
    create(log, f"{name}-in")
    fill(log, f"{name}-in", numbers([1, 1]))
    topology = planned(log, name, TUMBLE, "1s")
    day = 86_400_000 * 20_000
    for begin in (day, day - 3_600_000, day + 500):
        options = ProcessorOptions(name, until_end=True, clock=Clock(lambda begin=begin: begin))  # type: ignore[misc]
        processor = Processor(topology, log, None, options)
        processor.run()
        assert processor.metrics.snapshot().late == {}
        fill(log, f"{name}-in", numbers([1, 1]))
    assert counted(log, name) == []
    options = ProcessorOptions(name, clock=Clock(lambda: day + 1000))
    with running(Processor(topology, log, None, options)):
        wait_for(lambda: counted(log, name) == [6])
