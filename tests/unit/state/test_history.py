"""What a changelog says of itself, and how its records are read by a version of the program."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pytest

from headrace._native import LocalStore
from headrace.engine.state.changelog import MARK, Mark, mark_records, marks_in, next_mark, read_mark, segments
from headrace.engine.state.history import History, stored_marks
from headrace.errors import RunError
from headrace.plan.operators import Aggregate
from headrace.plan.topology import RunSettings
from tests.engine.stateful import counting

if TYPE_CHECKING:
    from headrace.plan.operators import Operator

(PLAN,) = counting("in", "out", RunSettings()).operators
PLAN = replace(PLAN, labels=("k0", "count", "sum"))


def version(fingerprint: str, *calls: int) -> Operator:
    """Give a version with some of the calls, each under its name."""
    assert isinstance(PLAN.kernel, Aggregate)
    kept = tuple(PLAN.kernel.calls[number] for number in calls)
    labels = ("k0", *(PLAN.labels[1 + number] for number in calls))
    store = replace(PLAN.store, fingerprint=fingerprint)
    return replace(
        PLAN,
        kernel=replace(PLAN.kernel, calls=kept),
        columns=PLAN.columns[: 1 + len(calls)],
        labels=labels,
        store=store,
    )


BOTH, SUM, COUNT = version("both", 0, 1), version("sum", 1), version("count", 0)


def records(*parts: Mark | bytes) -> pa.RecordBatch:
    """Give marks, and entries that were deleted under these keys."""
    keys = [part.key if isinstance(part, Mark) else part for part in parts]
    values = [part.value if isinstance(part, Mark) else None for part in parts]
    return pa.record_batch({"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary())})


def test_a_mark_reads_back_with_what_it_is_of() -> None:
    batch = mark_records({3: next_mark(BOTH, 0), 5: next_mark(SUM, 2)})
    assert batch.column("partition").to_pylist() == [3, 5]
    assert marks_in(batch) == [Mark("both", BOTH), Mark("sum", SUM, MARK + b"2")]


def test_marks_stand_between_entries() -> None:
    batch = records(next_mark(BOTH, 0), b"ga", b"gb", next_mark(SUM, 1), b"gc")
    found = [item if isinstance(item, Mark) else item.column("key").to_pylist() for item in segments(batch)]
    assert found == [Mark("both", BOTH), [b"ga", b"gb"], Mark("sum", SUM, MARK + b"1"), [b"gc"]]


@pytest.mark.parametrize("change", ["plain", "layout", "form"])
def test_of_marks_of_other_releases_the_fingerprint_is_known(change: str) -> None:
    data = json.loads(Mark("both", BOTH).value)
    if change == "layout":
        data["layout"] = 99
    if change == "form":
        data["operator"] = {"id": "totals"}
    value = b"both" if change == "plain" else json.dumps(data).encode()
    assert read_mark(MARK, value) == Mark("both", None)
    # Its own entries it reads all the same; those of others it does not.
    own = History(BOTH, "log")
    own.read(records(Mark("both", None), b"ga"))
    assert (own.settle(), own.missing) == (None, None)
    with pytest.raises(RunError, match="another release"):
        History(SUM, "log").read(records(Mark("both", None), b"ga"))


def test_a_fresh_changelog_gets_a_mark() -> None:
    history = History(BOTH, "log")
    assert history.settle() is None
    assert history.missing == Mark("both", BOTH)


def test_the_next_version_takes_over_and_says_so_behind_the_marks_before() -> None:
    history = History(COUNT, "log")
    entries = history.read(records(next_mark(BOTH, 0), b"ga", next_mark(SUM, 1), b"gb"))
    assert entries.keys.to_pylist() == [MARK, b"ga", MARK + b"1", b"gb"]
    change = history.settle()
    assert change is not None
    assert change.changes == ("`SUM(v0)` was removed", "`COUNT(*)` was added")
    assert history.missing == Mark("count", COUNT, MARK + b"2")


def test_a_version_that_was_left_does_not_take_over_again() -> None:
    history = History(BOTH, "log")
    history.read(records(next_mark(BOTH, 0), b"ga", next_mark(SUM, 1)))
    with pytest.raises(RunError, match="a later version of this program"):
        history.settle()


def test_a_copy_of_this_version_knows_the_marks_it_has_read() -> None:
    store = LocalStore(None)
    store.begin("totals", "sum")
    marks = [next_mark(BOTH, 0), next_mark(SUM, 1)]
    batch = records(marks[1], b"g1", marks[0])
    keys, values = (cast("pa.BinaryArray", batch.column(name)) for name in ("key", "value"))
    store.restore("totals", keys, values, 5)
    assert stored_marks(store, "totals") == marks
    history = History(SUM, "log")
    history.known(stored_marks(store, "totals"))
    history.read(records(b"gz"))
    assert (history.settle(), history.missing) == (None, None)


@pytest.mark.parametrize("parts", [(b"ga",), (None,), (b"ga", next_mark(BOTH, 0))], ids=str)
def test_entries_that_nobody_owns_are_refused(parts: tuple[Mark | bytes, ...]) -> None:
    with pytest.raises(RunError, match="of another program"):
        History(BOTH, "log").read(records(*parts))
