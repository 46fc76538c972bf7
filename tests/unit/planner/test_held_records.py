"""A target of which nobody has declared what it holds: its records are looked at before a program writes others there."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from headrace.catalog import Catalog
from headrace.errors import ProgramError, Severity
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ProducerOptions, TopicDescription
from headrace.planner import plan_program
from headrace.sql import parse_program

if TYPE_CHECKING:
    from headrace.errors import Diagnostic

ORDERS = "CREATE TABLE orders (id long, name string, price double, at timestamp, tags array<string>) FORMAT (STRING, JSON);\n"


def diagnostics(held: list[Any], query: str, *, before: str = "") -> list[Diagnostic]:
    """Plan a query into a topic with these values; give what is said."""
    with EmbeddedLog(":memory:") as log, closing(Catalog(log)) as catalog:
        admin = log.admin()
        for topic in ("orders", "out"):
            admin.create(TopicDescription(topic, 1))
        values = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in held]
        if values:
            producer = log.producer(ProducerOptions())
            producer.send("out", pa.record_batch({"value": pa.array(values, pa.binary())}))
            producer.close()
        text = f"{ORDERS}{before}INSERT INTO out SELECT STREAM {query} FROM orders"
        try:
            return list(plan_program(parse_program(text, "p.sql"), catalog).warnings)
        except ProgramError as error:
            return list(error.diagnostics)


@pytest.mark.parametrize(
    ("held", "query"),
    [
        ([], "id"),
        ([{"id": 1, "name": "a"}, {"id": 2, "name": None}], "id, name"),
        # Null, and values of several kinds, say nothing.
        ([{"id": None, "name": 1}, {"id": None, "name": "x"}], "id, name"),
        ([{"price": 1.5}], "id AS price"),
        ([{"at": 1700000000000}], "at"),
        ([{"tags": []}, {"tags": ["a"]}], "tags"),
        ([{"tags": ["a"]}, b"{broken", {"tags": []}], "tags"),
    ],
)
def test_what_goes_together_is_written_without_a_word(held: list[Any], query: str) -> None:
    assert diagnostics(held, query) == []


@pytest.mark.parametrize(
    ("held", "query", "note"),
    [
        ([{"id": "a"}], "id", "`id` is long in the query and a string in the records"),
        ([{"name": 1}], "name", "`name` is string in the query and a number in the records"),
        ([{"id": {"a": 1}}], "id", "`id` is long in the query and a record in the records"),
        ([{"tags": [1]}], "tags", "`tags[]` is string in the query and a number in the records"),
        ([{"tags": "a"}], "tags", "`tags` is string[] in the query and a string in the records"),
        ([{"at": "2026-01-01"}], "at", "`at` is timestamp in the query and a string in the records"),
        ([[1, 2]], "id", "the whole is record(id long) in the query and an array in the records"),
    ],
)
def test_a_value_of_another_kind_is_refused(held: list[Any], query: str, note: str) -> None:
    (found,) = diagnostics(held, query)
    assert (found.code.id, found.severity) == ("SQL0307", Severity.ERROR)
    assert found.message == "the value does not fit what stands in `out`"
    assert found.notes == (note,)
    assert found.span is not None


def test_records_that_are_no_json_are_refused() -> None:
    (found,) = diagnostics([b"\x00\x01", b"text"], "id")
    assert found.code.id == "SQL0307"
    assert "are not JSON" in found.message


@pytest.mark.parametrize(
    ("held", "query", "note"),
    [
        ([{"id": 1}], "id, name", "the records have no field `name`"),
        ([{"id": 1, "gone": 2}], "id", "the query gives no field `gone`"),
        ([{"price": 1}], "price", "`price` is double in the query, and only whole numbers in the records"),
    ],
)
def test_other_records_of_the_same_kinds_are_told_of(held: list[Any], query: str, note: str) -> None:
    (found,) = diagnostics(held, query)
    assert (found.code.id, found.severity) == ("SQL0329", Severity.WARNING)
    assert found.notes == (note,)


def test_a_declaration_of_the_target_counts_alone() -> None:
    declared = "CREATE TABLE out (id long) FORMAT (STRING, JSON);\n"
    assert diagnostics([{"id": "a"}], "id", before=declared) == []


def test_many_differences_are_counted() -> None:
    (found,) = diagnostics([{f"f{number}": number for number in range(9)}], "id")
    assert len(found.notes) == 6
    assert found.notes[-1] == "and 5 more"
