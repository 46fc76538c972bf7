"""What is written like a call and is a form of the query: bounds of what is read, and functions over a window.

The planner knows these by their place; here is what is said of them. `lookup` does not find them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.functions.declaration import Example, Function, Kind, Nulls
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from headrace.functions.signature import Signature

FAMILY: Final = "form"

_ALONE: Final = " In snapshot queries alone."


def _form(name: str, signatures: tuple[Signature, ...], description: str, *examples: Example) -> Function:
    return Function(
        name=name,
        family=FAMILY,
        kind=Kind.FORM,
        signatures=signatures,
        description=description,
        nulls=Nulls.HANDLED,
        examples=examples,
    )


def _of_rows(call: str, result: str, order: str = "_meta.offset") -> Example:
    return Example(f"SELECT {call} OVER (ORDER BY {order}) FROM xs ORDER BY _meta.offset", result)


_SHIFTED: Final = (
    signature("x ANY", "type of x"),
    signature("x ANY, rows INT", "type of x"),
    signature("x ANY, rows INT, default ANY", "type of x"),
)

FUNCTIONS: Final = (
    _form(
        "LAST_OFFSET",
        (signature("", "LONG"),),
        "Is the offset of the last record of each partition when the query starts. It stands in a condition on `_meta.offset` "
        "that AND joins to the others, alone or with a constant added or taken away: `_meta.offset >= LAST_OFFSET() - 99` reads "
        "the last hundred records of each partition, and no others. It goes with `>`, `>=`, with BETWEEN up to `LAST_OFFSET()`, "
        "and with `=` for the last record itself." + _ALONE,
        Example("SELECT x FROM xs WHERE _meta.offset >= LAST_OFFSET() - 1", "[2, NULL]"),
        Example(
            "SELECT x FROM xs WHERE _meta.offset BETWEEN LAST_OFFSET() - 2 AND LAST_OFFSET()", "[1, 2, NULL]"
        ),
        Example("SELECT x FROM xs WHERE _meta.offset = LAST_OFFSET()", "[NULL]"),
    ),
    _form(
        "PROCTIME",
        (signature("", "TIMESTAMP"),),
        "Is the machine's clock when the batch of the record was taken up, one time for all of the batch, which never goes back. "
        "It is for programs, where a topic is read: as `EVENTTIME BY PROCTIME()` it makes windows and joins go by the clock, "
        "also while no record comes; it may be a column too. A replay gives other times. Snapshot queries have `NOW` instead. "
        "`SELECT STREAM COUNT(*) AS n FROM xs EVENTTIME BY PROCTIME() WINDOW BY TUMBLE 1m EMIT FINAL` counts each minute; "
        "`SELECT STREAM *, PROCTIME() AS read_at FROM xs` notes when each record was read.",
    ),
    _form(
        "ROW_NUMBER",
        (signature("", "LONG"),),
        "Numbers the rows of each part, from 1, in the order that OVER says: `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …)`. In "
        "a stream it must be bounded, by `QUALIFY ROW_NUMBER() OVER (…) <= 10` or in the query around it: the state holds the "
        "first rows of each part.",
        Example(
            "SELECT x FROM xs WHERE x IS NOT NULL "
            "QUALIFY ROW_NUMBER() OVER (PARTITION BY x ORDER BY _meta.offset DESC) = 1 ORDER BY x",
            "[1, 2]",
        ),
        _of_rows("ROW_NUMBER()", "[2, 1, 3, 4]", "x, _meta.offset"),
    ),
    _form(
        "RANK",
        (signature("", "LONG"),),
        "Gives the place of a row in the order of OVER, from 1. Equals share a place, and those behind them count on as if each "
        "had one of its own. In a stream it must be bounded, as `ROW_NUMBER` is.",
        _of_rows("RANK()", "[2, 1, 2, 4]", "x"),
        _of_rows("RANK()", "[1, 3, 1, 4]", "x DESC"),
    ),
    _form(
        "DENSE_RANK",
        (signature("", "LONG"),),
        "Gives the place of a row in the order of OVER, from 1. Equals share a place, and the next one follows. In a stream it "
        "must be bounded, as `ROW_NUMBER` is.",
        _of_rows("DENSE_RANK()", "[2, 1, 2, 3]", "x"),
        _of_rows("DENSE_RANK()", "[1, 2, 1, 3]", "x DESC"),
    ),
    _form(
        "PERCENT_RANK",
        (signature("", "DOUBLE"),),
        "Gives the place of a row in the order of OVER as a part of all rows, from 0 to 1: `(RANK() - 1) / (rows - 1)`."
        + _ALONE,
        _of_rows("PERCENT_RANK()", "[0e0, 1e0 / 3, 2e0 / 3, 1e0]"),
        _of_rows("PERCENT_RANK()", "[1e0 / 3, 0e0, 1e0 / 3, 1e0]", "x"),
    ),
    _form(
        "CUME_DIST",
        (signature("", "DOUBLE"),),
        "Gives which part of all rows comes before a row or is equal to it in the order of OVER, above 0 up to 1."
        + _ALONE,
        _of_rows("CUME_DIST()", "[0.25, 0.5, 0.75, 1.0]"),
        _of_rows("CUME_DIST()", "[0.75, 0.25, 0.75, 1.0]", "x"),
    ),
    _form(
        "NTILE",
        (signature("parts INT", "LONG"),),
        "Cuts the rows, in the order of OVER, into so many parts of nearly the same size, and gives the number of the part, from "
        "1." + _ALONE,
        _of_rows("NTILE(2)", "[1, 1, 2, 2]"),
        _of_rows("NTILE(3)", "[1, 1, 2, 3]"),
    ),
    _form(
        "LAG",
        _SHIFTED,
        "Gives `x` of the row before this one in the order of OVER, or of that so many rows before; null, or the default, if "
        "there is none. In a stream: `LAG(x) OVER (PARTITION BY … ORDER BY _meta.timestamp)`.",
        _of_rows("LAG(x)", "[NULL, 2, 1, 2]"),
        _of_rows("LAG(x, 2, 0)", "[0, 0, 2, 1]"),
    ),
    _form(
        "LEAD",
        _SHIFTED,
        "Gives `x` of the row behind this one in the order of OVER, or of that so many rows behind; null, or the default, if "
        "there is none." + _ALONE,
        _of_rows("LEAD(x)", "[1, 2, NULL, NULL]"),
        _of_rows("LEAD(x, 2, 0)", "[2, NULL, 0, 0]"),
    ),
    _form(
        "FIRST_VALUE",
        (signature("x ANY", "type of x"),),
        "Gives `x` of the first row of the frame of OVER. In a stream, too, with `ROWS n PRECEDING` or `RANGE`.",
        _of_rows("FIRST_VALUE(x)", "[2, 2, 2, 2]"),
        _of_rows("FIRST_VALUE(x)", "[1, 1, 1, 1]", "x"),
    ),
    _form(
        "LAST_VALUE",
        (signature("x ANY", "type of x"),),
        "Gives `x` of the last row of the frame of OVER, which ends with this row and its equals if nothing else is said. "
        "In a stream, too, with `ROWS n PRECEDING` or `RANGE`.",
        _of_rows("LAST_VALUE(x)", "[2, 1, 2, NULL]"),
        _of_rows("LAST_VALUE(x IGNORE NULLS)", "[2, 1, 2, 2]"),
    ),
    _form(
        "NTH_VALUE",
        (signature("x ANY, row INT", "type of x"),),
        "Gives `x` of the row with this number, from 1, in the frame of OVER; null if the frame has fewer. In a stream, too, "
        "with `ROWS n PRECEDING` or `RANGE`.",
        _of_rows("NTH_VALUE(x, 2)", "[NULL, 1, 1, 1]"),
        _of_rows("NTH_VALUE(x, 1)", "[2, 2, 2, 2]"),
    ),
)
