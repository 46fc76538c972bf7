"""What joins, tables and ranks keep: as a table for people, counted, and no longer than it is of use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from headrace.plan.operators import Changes, JoinKind, Order, RowKind
from tests.unit.state.join_oracles import Row
from tests.unit.state.join_runs import Run, Subject
from tests.unit.state.test_join_kernels import INT, TEXT
from tests.unit.state.test_rank_kernel import rank

if TYPE_CHECKING:
    import pyarrow as pa

KEPT: list[pa.DataType] = [INT, TEXT]


def join(kernel: str, inputs: list[str], **more: Any) -> Subject:
    return Subject({"kernel": kernel, "inputs": inputs, **more}, [INT], [KEPT, [INT]], [INT, *KEPT, INT])


def table(*, counted: bool) -> Subject:
    changes = "retract" if counted else "upsert"
    return Subject({"kernel": "table", "inputs": [changes], "counted": counted}, [INT], [KEPT], [INT, *KEPT])


STREAMS = join("stream_join", ["append", "append"], kind=JoinKind.FULL, before=10, after=10, grace=0)
LOOKUP = Subject(
    {"kernel": "lookup_join", "inputs": ["append", "upsert"], "kind": JoinKind.LEFT},
    [INT],
    [[INT], KEPT],
    [INT, INT, *KEPT],
)
TABLES = join("table_join", ["retract", "upsert"], kind=JoinKind.LEFT)


def row(
    side: int, key: int | None, *value: Any, time: int = 0, op: RowKind = RowKind.INSERT, seq: int = 0
) -> Row:
    return Row(side, 0, seq, time, op, (key,), value)


def state(subject: Subject, *rows: Row) -> list[tuple[Any, ...]]:
    """Give the committed state as people see it."""
    run = Run(subject)
    run.process(list(rows))
    run.commit()
    found = run.kernel.decode(*run.stores[0].entries("s", None, 1000))
    found.validate(full=True)
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


@pytest.mark.parametrize(
    ("subject", "rows", "expected"),
    [
        pytest.param(
            table(counted=False),
            [row(0, 2, 20, "b"), row(0, 1, 10, None)],
            [(1, 10, None), (2, 20, "b")],
            id="table",
        ),
        pytest.param(
            table(counted=True),
            [row(0, 1, 10, "old"), row(0, 1, 11, "new"), row(0, 1, 11, "new")],
            [(1, 11, "new")],
            id="counted table",
        ),
        pytest.param(LOOKUP, [row(1, 1, 10, "a"), row(0, 1, 7)], [(1, 10, "a")], id="lookup join"),
        pytest.param(
            STREAMS,
            [row(0, 1, 10, "a", time=3), row(1, 2, 20, time=4), row(0, None, 30, "n", time=5)],
            [(1, 10, "a", None, 3), (2, None, None, 20, 4)],
            id="stream join",
        ),
        pytest.param(
            TABLES,
            [row(0, 1, 10, "a"), row(0, 1, 10, "a"), row(0, 2, 20, "b"), row(1, 1, 5)],
            [(1, 10, "a", None, 2), (2, 20, "b", None, 1), (1, None, None, 5, 1)],
            id="table join",
        ),
        pytest.param(
            rank([INT], [Order(0, descending=True), Order(1)], 3, retracts=False, changes=Changes.APPEND),
            [row(0, 1, 10, "b"), row(0, 1, 20, "z"), row(0, 1, 10, "a")],
            [(1, 20, "z"), (1, 10, "a"), (1, 10, "b")],
            id="rank",
        ),
    ],
)
def test_state_as_a_table(subject: Subject, rows: list[Row], expected: list[tuple[Any, ...]]) -> None:
    assert state(subject, *rows) == expected


def entries(run: Run) -> int:
    return len(run.stores[0].entries("s", None, 100_000)[0])


def test_rows_that_can_match_no_more_leave_memory_store_and_changelog() -> None:
    run = Run(STREAMS)
    for time in range(0, 1000, 10):
        run.process([row(at % 2, at, *([at, "x"] if at % 2 == 0 else [at]), time=time) for at in range(20)])
        run.commit()
    # Rows of the last 10 ms, of up to a fourth more, and the stream time and number of rows; those without partners twice.
    assert 80 <= entries(run) <= 90
    assert len(run.changelog[0]) == entries(run)
    assert run.kernel.stats()["entries"] <= 90


def test_after_a_restart_all_rows_are_read_at_once_when_many_are_asked_for() -> None:
    run = Run(STREAMS)
    run.process([row(0, key, key, "x", seq=key) for key in range(1600)])
    run.commit()
    run.open()
    for keys in (range(1100), range(1100, 1500), range(1600, 1700)):
        run.process([row(1, key, -key, time=1, seq=2000 + key) for key in keys])
    assert sorted(out.columns for out in run.pending) == [(key, key, "x", -key) for key in range(1500)]
    assert run.kernel.stats()["misses"] == 1100
    run.commit()
    run.advance(0, 100)
    alone = [(key, key, "x", None) for key in range(1500, 1600)] + [
        (key, None, None, -key) for key in range(1600, 1700)
    ]
    assert [out.columns for out in run.pending] == alone


def test_best_rows_only_are_kept_over_facts() -> None:
    run = Run(rank([INT], [Order(0)], 3, retracts=False, changes=Changes.APPEND))
    for value in range(50, 0, -1):
        run.process([row(0, 1, value, "x")])
        run.commit()
    assert entries(run) == 3
    assert len(run.changelog[0]) == 3


def test_what_is_gone_takes_no_memory() -> None:
    run = Run(TABLES)
    run.process([row(0, key, key, "x", seq=key) for key in range(100)])
    run.commit()
    run.process([row(0, key, key, "x", op=RowKind.DELETE, seq=key) for key in range(100)])
    run.commit()
    assert entries(run) == 0
    assert run.kernel.stats()["entries"] == 0
    assert run.kernel.stats()["bytes"] == 0


def test_what_comes_and_goes_between_commits_is_written_nowhere() -> None:
    run = Run(TABLES)
    run.process([row(0, 1, 1, "x"), row(0, 1, 1, "x", op=RowKind.DELETE, seq=1)])
    assert run.kernel.changes().num_rows == 0


@pytest.mark.parametrize("subject", [table(counted=False), LOOKUP, TABLES])
def test_rows_without_a_key_are_counted(subject: Subject) -> None:
    run = Run(subject)
    side = 1 if subject is LOOKUP or subject is TABLES else 0
    value = [5] if subject is TABLES else [5, "x"]
    run.process([row(side, None, *value)])
    assert run.kernel.stats()["null_keys"] == 1


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (join("stream_join", ["append", "upsert"], kind="inner", before=1, after=1, grace=0), "APPEND"),
        (join("stream_join", ["append", "append"], kind="inner", before=-1, after=1, grace=0), "negative"),
        (join("lookup_join", ["append", "upsert"], kind="full"), "INNER or LEFT"),
        (
            Subject({"kernel": "table", "inputs": ["append"], "counted": False}, [INT], [KEPT], [INT, *KEPT]),
            "UPSERT",
        ),
        (
            Subject(
                {"kernel": "table", "inputs": ["upsert"], "counted": False}, [INT], [KEPT], [INT, *KEPT, INT]
            ),
            "are",
        ),
        (rank([INT], [Order(2)], 1, retracts=False, changes=Changes.APPEND), "no such column"),
        (rank([INT], [Order(0)], 0, retracts=False, changes=Changes.APPEND), "at least 1"),
        (rank([INT], [Order(0)], 1, retracts=False, changes=Changes.UPSERT), "RETRACT"),
    ],
)
def test_a_wrong_specification_is_refused(subject: Subject, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        subject.make()
