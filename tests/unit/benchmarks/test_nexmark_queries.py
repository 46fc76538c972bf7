"""Each query gives the rows that DuckDB gives for the same events, on the embedded log with two partitions."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from benchmarks.nexmark.comparison import Expected, results, side
from benchmarks.nexmark.program import program
from benchmarks.nexmark.queries import ALL, BY_NAME, QUERIES
from benchmarks.nexmark.rules import Rules
from benchmarks.nexmark.topics import KINDS, Topics, fill_side
from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.formats.interface import Format
from headrace.formats.registry import open_registry
from headrace.log.embedded import EmbeddedLog
from headrace.planner import plan_program
from headrace.sql import parse_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log

COUNT = 3000
RULES = Rules(rate=50, disorder=50)
"""A minute of events, out of order."""
SIDE = "side"


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with EmbeddedLog(":memory:") as log:
        for format in (Format.JSON, Format.AVRO):
            Topics(log, open_registry(None, log), format, _names(format)).fill(RULES, COUNT, 2)
        fill_side(log, SIDE, side())
        yield log


@pytest.fixture(scope="module")
def expected() -> Iterator[Expected]:
    with closing(Expected(RULES, COUNT)) as found:
        yield found


def test_every_query_is_there() -> None:
    assert set(BY_NAME) == set(ALL)
    assert len(QUERIES) == len(ALL)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_results_are_those_of_duckdb(name: str, log: Log, expected: Expected) -> None:
    _compare(name, Format.JSON, log, expected)


@pytest.mark.parametrize("name", ["q1", "q20"])
def test_avro_gives_the_same(name: str, log: Log, expected: Expected) -> None:
    _compare(name, Format.AVRO, log, expected)


def _compare(name: str, format: Format, log: Log, expected: Expected) -> None:
    query, target = BY_NAME[name], f"{name}_{format.lower()}"
    registry = open_registry(None, log)
    text = program(query, {**_names(format), "side": SIDE}, target, format)
    with closing(Catalog(log, registry)) as catalog:
        topology = plan_program(parse_program(text, name), catalog)
    Processor(topology, log, registry, ProcessorOptions(target, until_end=True, lag_interval=0)).run()
    rows, differing = expected.compare(query, results(log, target))
    assert rows > 0
    assert not differing


def _names(format: Format) -> dict[str, str]:
    return {kind: f"{format.lower()}_{kind}" for kind in KINDS}
