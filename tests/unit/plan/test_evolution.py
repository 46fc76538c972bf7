"""What is said of two versions of a program whose state is one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from headrace.plan.evolution import Evolution, evolution, inputs_evolution
from headrace.plan.operators_json import operator_data, operator_from
from tests.unit.planner.topics import plan

if TYPE_CHECKING:
    from headrace.plan.operators import Operator

BASE = "COUNT(*) AS n, SUM(amount) AS total"


def operator(sql: str, names: str = "") -> Operator:
    return plan(f"SET defaults.topic.autocreate=true; {names} INSERT INTO out {sql}").operators[-1]


def change(old: str, new: str) -> Evolution:
    """Give what is between two versions whose fingerprints differ."""
    before, after = operator(old), operator(new)
    assert before.store.name == after.store.name
    assert before.store.fingerprint != after.store.fingerprint
    return evolution(before, after)


def grouped(calls: str, by: str = "customer", window: str = "", source: str = "STREAM") -> str:
    return f"SELECT {source} {by}, {calls} FROM orders {window} GROUP BY {by}"


def in_windows(size: str) -> str:
    rows = f"(SELECT STREAM id, amount FROM orders WINDOW BY TUMBLE {size})"
    return f"SELECT STREAM a.id FROM {rows} AS a JOIN {rows} AS b ON a.id = b.id AND a._window.end = b._window.end"


def over(frame: str, grace: str = "") -> str:
    return (
        f"SELECT STREAM id, SUM(amount) OVER (ORDER BY _meta.timestamp {frame}) AS total FROM orders {grace}"
    )


def test_calls_that_come_go_and_move_are_told_and_the_others_stay() -> None:
    found = change(
        grouped(f"{BASE}, MIN(amount) AS least"),
        grouped("MAX(amount) AS most, SUM(amount) AS total, COUNT(*) AS n"),
    )
    assert found.obstacles == ()
    assert found.changes == ("`MIN(amount)` was removed", "`MAX(amount)` was added")
    assert found.consequences == ("`most` begins with the rows that come from now on",)
    assert found.calls == (None, 1, 0)
    assert found.is_readable


def test_calls_in_another_order_are_no_loss() -> None:
    found = change(grouped(BASE), grouped("SUM(amount) AS total, COUNT(*) AS n"))
    assert (found.obstacles, found.changes) == ((), ("the order of the aggregates changed",))
    assert found.calls == (1, 0)


def test_when_results_come_out_does_not_matter_to_state_without_final_ones() -> None:
    sql = grouped(BASE, window="WINDOW BY TUMBLE 1m")
    later = plan(f"SET emit='record'; SET defaults.topic.autocreate=true; INSERT INTO out {sql}").operators[
        -1
    ]
    found = evolution(operator(sql), later)
    assert (found.obstacles, found.changes, found.calls) == (
        (),
        ("results came at each commit, now at each record",),
        (0, 1),
    )


def test_rows_are_counted_whether_they_are_asked_for_or_not() -> None:
    found = change(grouped("SUM(amount) AS total"), grouped(BASE))
    assert found.consequences == ("`n` counts all rows, which were counted before",)


@pytest.mark.parametrize(
    ("old", "new", "obstacle"),
    [
        (
            grouped(BASE),
            grouped("COUNT(*) AS n, MAX(amount) AS total"),
            "`total` was `SUM(amount)`, is `MAX(amount)`",
        ),
        (
            grouped(BASE),
            grouped("COUNT(*) AS n, SUM(quantity) AS total"),
            "`total` was `SUM(amount)`, is `SUM(quantity)`",
        ),
        (
            grouped("SUM(amount) FILTER (WHERE id > 1) AS total"),
            grouped("SUM(amount) FILTER (WHERE id > 2) AS total"),
            "`total` was `SUM(amount) FILTER (WHERE id > 1)`, is `SUM(amount) FILTER (WHERE id > 2)`",
        ),
        (grouped(BASE), grouped(BASE, "id"), "the key was `customer` string, is `id` long"),
        (
            grouped(BASE, window="WINDOW BY TUMBLE 1m"),
            grouped(BASE, window="WINDOW BY TUMBLE 5m"),
            "the window was TUMBLE 1m, is TUMBLE 5m",
        ),
        (
            grouped(BASE, window="WINDOW BY CUMULATE 1h,1m"),
            grouped(BASE, window="WINDOW BY CUMULATE 1h,1m OFFSET 5m"),
            "the window was CUMULATE 1h every 1m, is CUMULATE 1h every 1m from 5m on",
        ),
        (
            in_windows("1m"),
            in_windows("5m"),
            "the window was that of both sides, 1m, is that of both sides, 5m",
        ),
        (
            grouped(BASE),
            grouped(BASE, window="WINDOW BY HOP 90s,1s"),
            "the window was none, is HOP 90s every 1s",
        ),
        (
            over("ROWS 1 PRECEDING"),
            over("ROWS UNBOUNDED PRECEDING"),
            "results were over 1 row before, now over all rows before",
        ),
        (
            over("ROWS UNBOUNDED PRECEDING"),
            over("RANGE UNBOUNDED PRECEDING", "GRACE BY 1s"),
            "results were over all rows before, now over the rows of all time before",
        ),
        (
            over("RANGE 90s PRECEDING", "GRACE BY 1s"),
            over("RANGE BETWEEN INTERVAL '2' HOURS PRECEDING AND CURRENT ROW", "GRACE BY 2s"),
            "results were over the last 90s, now over the last 2h",
        ),
        (grouped(BASE), grouped(BASE, source="TABLE"), "it took rows of a stream, now rows of a table"),
        (
            grouped(BASE, source="TABLE"),
            grouped(f"{BASE}, MAX(amount) AS most", source="TABLE"),
            "`MAX(amount)` was added, over a table, whose rows of before it has not seen",
        ),
        (
            grouped(BASE, window="WINDOW BY TUMBLE 1m"),
            grouped(BASE, window="WINDOW BY TUMBLE 1m") + " EMIT FINAL",
            "results came at each commit, now when windows close",
        ),
    ],
)
def test_what_makes_state_useless_is_named(old: str, new: str, obstacle: str) -> None:
    assert obstacle in change(old, new).obstacles


def test_how_late_rows_of_a_stretch_of_time_may_come_does_not_matter_to_state() -> None:
    frame = "RANGE BETWEEN INTERVAL '1' MINUTE PRECEDING AND CURRENT ROW"
    before, after = operator(over(frame, "GRACE BY 1s")), operator(over(frame, "GRACE BY 1m"))
    assert before.store.fingerprint == after.store.fingerprint


def test_a_version_in_between_can_be_read_though_it_cannot_be_taken_over() -> None:
    assert change(grouped(BASE), grouped("COUNT(*) AS n, MAX(amount) AS total")).is_readable
    assert not change(grouped(BASE), grouped(BASE, "id")).is_readable


def fed(source: str, key: str = "customer") -> Operator:
    names = (
        "WITH again AS (SELECT STREAM * FROM orders_by_id); WITH both AS (SELECT STREAM customer, amount FROM orders "
        "UNION ALL SELECT STREAM customer, amount FROM orders_by_id);"
    )
    return operator(f"SELECT STREAM {key}, COUNT(*) AS n FROM {source} GROUP BY {key}", names)


ROWS = (
    "the rows that go in changed: results mix old and new rows; `--discard-state=out-aggregate` begins anew"
)


@pytest.mark.parametrize(
    ("old", "new", "obstacles", "told"),
    [
        ("orders", "orders AS o", (), ()),
        ("orders", "orders WHERE paid", (), (ROWS,)),
        ("orders", "again", ("its rows came from `orders`, come from `orders_by_id`",), (ROWS,)),
        ("orders", "both", (), (ROWS,)),
        ("both", "orders", (), (ROWS,)),
    ],
)
def test_other_rows_are_told_of_and_other_topics_refused(
    old: str, new: str, obstacles: tuple[str, ...], told: tuple[str, ...]
) -> None:
    before, after = fed(old), fed(new)
    assert before.store.fingerprint == after.store.fingerprint
    found = inputs_evolution(before, after)
    assert (found.obstacles, found.consequences) == (obstacles, told)


def test_other_topics_are_in_the_way_of_other_calls_too() -> None:
    found = change(grouped(BASE), grouped(f"{BASE}, MAX(amount) AS most").replace("orders", "orders_by_id"))
    assert found.obstacles == ("its rows came from `orders`, come from `orders_by_id`",)


def test_marks_of_before_inputs_were_noted_say_little_of_them() -> None:
    before, after = fed("orders", "_key"), fed("orders WHERE paid", "_key")
    old = replace(before, store=replace(before.store, inputs=None))
    assert inputs_evolution(old, after) == Evolution((), True)
    assert inputs_evolution(before, replace(after, store=old.store)) == Evolution((), True)
    assert "inputs" not in operator_data(old)["store"]
    assert operator_from(operator_data(old)) == old
    assert operator_from(json.loads(json.dumps(operator_data(before)))) == before
    other = fed("positions", "_key")
    assert inputs_evolution(old, other).obstacles == ("its rows came from `orders`, come from `positions`",)
