"""Results of queries in each output format: every row comes out, whatever its types."""

from __future__ import annotations

import json
import subprocess
import sys

import pyarrow as pa
import pytest

from headrace.cli.results import open_printer
from headrace.errors import RunError
from headrace.planner.connection import connection


def printed(capfdbinary: pytest.CaptureFixture[bytes], form: str, query: str) -> list[str]:
    with connection() as duck:
        table = duck.sql(query).to_arrow_table()
    with open_printer(form, table.schema) as printer:
        for batch in table.to_batches():
            # A slice, as LIMIT makes them: it must not show what stands before it.
            printer.write(batch.slice(1))
    return capfdbinary.readouterr().out.decode().splitlines()


def print_twice(form: str, batch: pa.RecordBatch) -> None:
    with open_printer(form, batch.schema) as printer:
        printer.write(batch)
        printer.write(batch)


def rows(first: str, *others: str) -> str:
    """Make a query whose first row is cut off."""
    return f"FROM (VALUES {', '.join(f'({value})' for value in (first, *others))}) AS made(x)"


NAN = rows("0.5::DOUBLE", "'nan'::DOUBLE", "'inf'::DOUBLE", "'-inf'::DOUBLE", "NULL", "1.5::DOUBLE")
NESTED_NAN = rows(
    "{'a': ['nan'::FLOAT, 0]}", "{'a': ['nan'::FLOAT, 1, NULL]}", "NULL", "{'a': NULL}", "{'a': [2]}"
)
INTERVAL = rows("INTERVAL 1 YEAR", "INTERVAL 1 DAY", "NULL")
NESTED_INTERVAL = rows("[{'i': INTERVAL 1 YEAR}]", "[{'i': INTERVAL 1 DAY}, NULL]", "NULL", "[]")
UNION = rows("union_value(a := 1)", "union_value(a := 2)")
MAP = rows("MAP {1: 'nan'::DOUBLE}", "MAP {2: 'inf'::DOUBLE, 3: 1.5}", "NULL", "MAP {}")
LATE = rows(
    "TIMESTAMPTZ '2020-01-01 00:00:00+00'",
    "TIMESTAMPTZ '20000-01-01 00:00:00+00'",
    "NULL",
    "TIMESTAMPTZ '2020-01-02 00:00:00+00'",
)
ENDLESS = rows("TIMESTAMP '2020-01-01'", "TIMESTAMP 'infinity'", "TIMESTAMP '-infinity'", "NULL")
NESTED_ENDLESS = rows("[DATE '2020-01-01']", "[DATE 'infinity', DATE '2020-01-02']", "NULL")
ENUM = rows("'a'::ENUM('a', 'b')", "'b'::ENUM('a', 'b')", "NULL")
NANOS = rows("TIMESTAMP_NS '2020-01-01'", "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "NULL")
FAR_DAY = rows("DATE '2020-01-01'", "DATE '20000-01-01'", "DATE '2020-01-02'")
MIDNIGHT = rows("TIME '10:00:00'", "TIME '24:00:00'")
NESTED_LATE = rows("[DATE '2020-01-01']", "[DATE '20000-01-01', NULL]", "NULL")


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        pytest.param(NAN, ["nan", "inf", "-inf", "null", "1.5"], id="nan"),
        pytest.param(INTERVAL, ["1 day", "null"], id="interval"),
        pytest.param(NESTED_INTERVAL, ['[{"i": "1 day"}, null]', "null", "[]"], id="nested interval"),
        pytest.param(UNION, ["2"], id="union"),
        pytest.param(
            LATE, ["20000-01-01 00:00:00+00:00", "null", "2020-01-02 00:00:00+00:00"], id="late timestamp"
        ),
        pytest.param(ENDLESS, ["infinity", "-infinity", "null"], id="endless"),
        pytest.param(ENUM, ["b", "null"], id="enum"),
        pytest.param(NANOS, ["2020-01-01 00:00:00.123456789", "null"], id="nanoseconds"),
        pytest.param(FAR_DAY, ["20000-01-01", "2020-01-02"], id="far day"),
        pytest.param(MIDNIGHT, ["24:00:00"], id="24:00"),
        pytest.param(NESTED_LATE, ['["20000-01-01", null]', "null"], id="nested far day"),
        pytest.param(MAP, ["[[2, Infinity], [3, 1.5]]", "null", "[]"], id="map"),
    ],
)
def test_table(capfdbinary: pytest.CaptureFixture[bytes], query: str, cells: list[str]) -> None:
    assert [line.strip() for line in printed(capfdbinary, "table", query)] == ["x", *cells]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        pytest.param(NAN, [None, None, None, None, 1.5], id="nan"),
        pytest.param(NESTED_NAN, [{"a": [None, 1, None]}, None, {"a": None}, {"a": [2]}], id="nested nan"),
        pytest.param(INTERVAL, ["1 day", None], id="interval"),
        pytest.param(NESTED_INTERVAL, [[{"i": "1 day"}, None], None, []], id="nested interval"),
        pytest.param(UNION, ["2"], id="union"),
        pytest.param(MAP, [{"2": None, "3": 1.5}, None, {}], id="map"),
        pytest.param(LATE, [568971820800000, None, 1577923200000], id="late timestamp"),
        pytest.param(ENDLESS, [None, None, None], id="endless"),
        pytest.param(NESTED_ENDLESS, [[None, "2020-01-02"], None], id="nested endless"),
        pytest.param(ENUM, ["b", None], id="enum"),
    ],
)
def test_json(capfdbinary: pytest.CaptureFixture[bytes], query: str, values: list[object]) -> None:
    assert [json.loads(line)["x"] for line in printed(capfdbinary, "json", query)] == values


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        pytest.param(NAN, ["nan", "inf", "-inf", "", "1.5"], id="nan"),
        pytest.param(
            NESTED_NAN,
            ['"{""a"":[null,1.0,null]}"', "", '"{""a"":null}"', '"{""a"":[2.0]}"'],
            id="nested nan",
        ),
        pytest.param(INTERVAL, ['"1 day"', ""], id="interval"),
        pytest.param(NESTED_INTERVAL, ['"[{""i"":""1 day""},null]"', "", '"[]"'], id="nested interval"),
        pytest.param(UNION, ['"2"'], id="union"),
        pytest.param(MAP, ['"{""2"":null,""3"":1.5}"', "", '"{}"'], id="map"),
        pytest.param(ENDLESS, ["", "", ""], id="endless"),
        pytest.param(ENUM, ['"b"', ""], id="enum"),
        pytest.param(NANOS, ["2020-01-01 00:00:00.123456789", ""], id="nanoseconds"),
    ],
)
def test_csv(capfdbinary: pytest.CaptureFixture[bytes], query: str, cells: list[str]) -> None:
    assert printed(capfdbinary, "csv", query) == ['"x"', *cells]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_rows_without_a_form_are_told_of_when_the_others_are_out(
    capfdbinary: pytest.CaptureFixture[bytes], form: str
) -> None:
    far = pa.array([[0], [2**62], [1]], pa.list_(pa.timestamp("s")))
    batch = pa.RecordBatch.from_arrays([far], names=["x"])
    with pytest.raises(RunError) as raised:
        print_twice(form, batch)
    assert raised.value.diagnostics[0].code.id == "RUN0106"
    assert "2 rows" in raised.value.diagnostics[0].message
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert len(lines) == 4 + (form == "csv")


def test_warnings_of_sqlglot_stay_inside() -> None:
    program = "import logging, headrace.sql; logging.getLogger('sqlglot').warning('for translators')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
