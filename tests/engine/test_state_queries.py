"""`STATE('application', 'store')`: what a snapshot query reads is what the processor has committed."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.snapshot import Ending, Limits, LocalStates, SnapshotQuery
from headrace.errors import ProgramError, RunError
from headrace.plan.topology import RunSettings
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_query
from tests.engine.programs import create, fill, numbers, unique
from tests.engine.stateful import counting, looking_up

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

QUICK = RunSettings(commit_interval=0.05)
KEYS = 20


def give(log: Log, source: str, values: range) -> None:
    fill(log, source, numbers(values), keys=[f"k{value % KEYS}".encode() for value in values])


def processor(
    topology: Topology, log: Log, application: str, state: Path, *, until_end: bool = True
) -> Processor:
    options = ProcessorOptions(application, until_end=until_end, lag_interval=0, state_dir=state)
    return Processor(topology, log, None, options)


def ask(log: Log, state: Path | None, sql: str) -> list[dict[str, Any]]:
    states = LocalStates(state, log)
    with closing(Catalog(log, None)) as catalog:
        plan = plan_query(parse_query(sql, "query"), catalog, states)
        with SnapshotQuery(plan, log, None, states=states) as query:
            return [row for batch in query.batches() for row in batch.to_pylist()]


def expected(values: range) -> list[dict[str, Any]]:
    of_key = {key: [value for value in values if value % KEYS == key] for key in range(KEYS)}
    rows = [{"k0": f"k{key}", "a0": len(found), "a1": sum(found)} for key, found in of_key.items()]
    return sorted(rows, key=lambda row: str(row["k0"]))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def application() -> str:
    return unique("app")


@pytest.mark.parametrize("copy", ["whole", "behind", "missing", "damaged"])
def test_the_state_of_a_stopped_processor(log: Log, state: Path, application: str, copy: str) -> None:
    source = create(log, unique("in"))
    topology = counting(source, unique("out"), QUICK)
    give(log, source, range(300))
    processor(topology, log, application, state).run()
    shutil.copytree(state, state.with_name("before"))
    give(log, source, range(300, 700))
    processor(topology, log, application, state).run()
    if copy == "behind":
        shutil.rmtree(state)
        state.with_name("before").rename(state)
    tasks = [path for path in state.glob("*/*/*") if path.is_dir()]
    assert tasks
    for task in tasks:
        if copy == "missing":
            shutil.rmtree(task)
        if copy == "damaged":
            for path in task.rglob("*"):
                if path.is_file():
                    path.write_bytes(b"nonsense" * 100)
    sql = f"SELECT * FROM STATE('{application}', 'totals') ORDER BY k0"
    assert ask(log, state, sql) == expected(range(700))
    # Reading changed nothing: the processor goes on, and a second look sees the same.
    assert ask(log, state, sql) == expected(range(700))
    give(log, source, range(700, 800))
    processor(topology, log, application, state).run()
    assert ask(log, state, sql) == expected(range(800))


def test_the_state_of_a_running_processor(log: Log, state: Path, application: str) -> None:
    source = create(log, unique("in"))
    running = processor(counting(source, unique("out"), QUICK), log, application, state, until_end=False)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        give(log, source, range(400))
        sql = f"SELECT * FROM STATE('{application}', 'totals') ORDER BY k0"
        end = time.monotonic() + 20
        found: list[dict[str, Any]] = []
        while time.monotonic() < end and found != expected(range(400)):
            with_description = list(state.glob("*/*/*.store.json"))
            found = ask(log, state, sql) if with_description else []
        assert found == expected(range(400))
        assert thread.is_alive()
    finally:
        running.stop()
        thread.join()


def test_a_store_meets_topics(log: Log, state: Path, application: str) -> None:
    source = create(log, unique("in"))
    give(log, source, range(100))
    processor(counting(source, unique("out"), QUICK), log, application, state).run()
    sql = (
        f"SELECT i.n, s.a0 FROM `{source}` AS i JOIN STATE('{application}', 'totals') AS s ON i._key = s.k0 "
        "WHERE i.n < 2 AND s.a1 > 0 ORDER BY i.n"
    )
    assert ask(log, state, sql) == [{"n": 0, "a0": 5}, {"n": 1, "a0": 5}]


def test_the_table_of_a_join(log: Log, state: Path, application: str) -> None:
    stream, table = create(log, unique("in"), 2), create(log, unique("table"), 2)
    give(log, table, range(10))
    processor(looking_up(stream, table, unique("out"), QUICK), log, application, state).run()
    found = ask(log, state, f"SELECT k0, r0 FROM STATE('{application}', 'known') ORDER BY r0")
    assert found == [{"k0": f"k{number}", "r0": number} for number in range(10)]


def test_a_changelog_that_was_deleted_is_no_empty_state(log: Log, state: Path, application: str) -> None:
    source = create(log, unique("in"))
    give(log, source, range(10))
    processor(counting(source, unique("out"), QUICK), log, application, state).run()
    with closing(log.admin()) as admin:
        admin.delete(f"{application}-totals-changelog")
    with pytest.raises(RunError, match="was deleted"):
        ask(log, state, f"SELECT * FROM STATE('{application}', 'totals')")


@pytest.mark.parametrize("copy", ["whole", "missing"])
def test_limits_end_a_look_at_a_state(
    log: Log, state: Path, application: str, copy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = create(log, unique("in"))
    give(log, source, range(300))
    processor(counting(source, unique("out"), QUICK), log, application, state).run()
    for task in state.glob("*/*/*") if copy == "missing" else ():
        if task.is_dir():
            shutil.rmtree(task)
    states = LocalStates(state, log)

    def look(limits: Limits) -> tuple[int, Ending]:
        with closing(Catalog(log, None)) as catalog:
            text = f"SELECT * FROM STATE('{application}', 'totals')"
            plan = plan_query(parse_query(text, "query"), catalog, states)
        with SnapshotQuery(plan, log, None, states=states, limits=limits) as query:
            return sum(batch.num_rows for batch in query.batches()), query.ending

    assert look(Limits(max_bytes=0)) == (0, Ending.SIZE)
    assert look(Limits(max_seconds=0)) == (0, Ending.TIME)
    assert look(Limits(idle_seconds=0)) == (0, Ending.IDLE)
    assert look(Limits(killed=lambda: True)) == (0, Ending.KILLED)
    assert look(Limits(rows=3)) == (3, Ending.ROWS)
    count, ending = look(Limits(max_bytes=100))
    assert 0 < count < KEYS
    assert ending is Ending.SIZE
    assert look(Limits(max_bytes=10_000, max_seconds=60, idle_seconds=60)) == (KEYS, Ending.END)
    if copy == "missing":
        # The third look at the limits falls into the reading of the changelog, which stands still.
        monkeypatch.setattr("headrace.engine.state.restore.Restorer._read", lambda *_: time.sleep(0.01))
        looks = iter(range(100))
        assert look(Limits(killed=lambda: next(looks) > 2)) == (0, Ending.KILLED)
        assert next(looks) < 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("STATE('{app}', 'total')", "did you mean `totals`"),
        ("STATE('nobody', 'totals')", "nothing is known here of a store `totals` of application `nobody`"),
        ("STATE('{app}')", "both as text"),
        ("STATE(app, totals)", "both as text"),
    ],
)
def test_what_is_no_store_is_refused(
    log: Log, state: Path, application: str, call: str, message: str
) -> None:
    source = create(log, unique("in"))
    processor(counting(source, unique("out"), QUICK), log, application, state).run()
    with pytest.raises(ProgramError) as refused:
        ask(log, state, f"SELECT * FROM {call.format(app=application)}")
    (diagnostic,) = refused.value.diagnostics
    assert message in f"{diagnostic.message} {diagnostic.help}"
