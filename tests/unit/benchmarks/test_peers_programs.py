"""The programs of the peers: ours gives what DuckDB gives, and every engine has each of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.nexmark.comparison import Expected, results
from benchmarks.nexmark.generator import events
from benchmarks.nexmark.rules import Rules
from benchmarks.peers.data import Data
from benchmarks.peers.engines import ENGINES, FlinkSql, Headrace, Run
from benchmarks.peers.fetch import PYTHON
from benchmarks.peers.programs import FLINK, PROGRAMS, RUN_BY, Program
from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.formats.registry import open_registry
from headrace.log.embedded import EmbeddedLog
from headrace.planner import plan_program
from headrace.sql import parse_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log

DATA = Data(1500)
FOLDER = Path(__file__).parents[3] / "benchmarks" / "peers"


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with EmbeddedLog(":memory:") as log:
        DATA.fill(log, open_registry(None, log))
        yield log


@pytest.fixture(scope="module")
def expected() -> Iterator[Expected]:
    with closing(DATA.expected()) as found:
        yield found


def run_of(program: Program, folder: Path) -> Run:
    target = f"result_{program.name}"
    return Run(
        program, DATA.topics, target, f"{target}-app", "127.0.0.1:9092", "exactly_once", 1.0, 1, folder
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_ours_gives_what_duckdb_gives(program: Program, log: Log, expected: Expected, tmp_path: Path) -> None:
    run = run_of(program, tmp_path)
    text = f"SET autocreate=true;\n{Headrace().command(run).words[3]}"
    registry = open_registry(None, log)
    with closing(Catalog(log, registry)) as catalog:
        topology = plan_program(parse_program(text, program.name), catalog)
    Processor(
        topology, log, registry, ProcessorOptions(run.application, until_end=True, lag_interval=0)
    ).run()
    rows, differing = expected.compare(program.query, results(log, run.target))
    assert rows > 0
    assert not differing


@pytest.mark.parametrize("records", [1, 3, 4, 50, 104, 1500])
def test_records_are_counted_as_they_are_made(records: int) -> None:
    made = events(Rules(), 0, records)
    assert Data(records).count(("bid",)) == len(made.bids)
    assert Data(records).count(("bid", "auction")) == len(made.bids) + len(made.auctions)
    assert Data(records).count(("person",)) == len(made.persons)


@pytest.mark.parametrize(
    ("file", "engine"),
    [("StreamsPeer.java", "streams"), *((f"{engine}_program.py", engine) for engine in PYTHON)],
)
def test_the_other_engines_have_what_they_are_said_to_run(file: str, engine: str) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert tuple(program.name for program in PROGRAMS if f'"{program.name}"' in text) == RUN_BY[engine]


def test_it_is_said_of_each_engine_what_it_runs() -> None:
    assert list(RUN_BY) == [engine.slug for engine in ENGINES]


def test_flink_knows_the_columns_of_each_source() -> None:
    assert {source for program in PROGRAMS for source in program.sources} == set(FLINK)


def flink_statements(name: str, folder: Path) -> list[str]:
    (program,) = [program for program in PROGRAMS if program.name == name]
    FlinkSql().command(run_of(program, folder))
    return (folder / "program.sql").read_text().split("\n;\n")


def test_flink_replaces_rows_that_it_does_not_write_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.engines.java_classes", lambda *_: ["classes"])
    _, sink, *_ = flink_statements("q17", tmp_path)
    assert "PRIMARY KEY (auction, `day`) NOT ENFORCED) WITH ('connector' = 'upsert-kafka'" in sink


def test_flink_gets_statements_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peers.engines.java_classes", lambda *_: ["classes"])
    statements = flink_statements("q20", tmp_path)
    assert [statement.split("(")[0].split()[:3] for statement in statements[:3]] == [
        ["CREATE", "TABLE", "bid"],
        ["CREATE", "TABLE", "auction"],
        ["CREATE", "TABLE", "`result`"],
    ]
    assert statements[3].startswith("INSERT INTO `result` SELECT")
