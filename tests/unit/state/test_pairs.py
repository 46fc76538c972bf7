"""CORR, COVAR_… and REGR_… of the native kernel beside exact fractions, and beside DuckDB."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from headrace.plan.operators import RowKind
from tests.unit.state.pairs_and_folds import Row, Run, Values, groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FUNCTIONS = [
    "CORR",
    "COVAR_POP",
    "COVAR_SAMP",
    "REGR_AVGX",
    "REGR_AVGY",
    "REGR_COUNT",
    "REGR_INTERCEPT",
    "REGR_R2",
    "REGR_SLOPE",
    "REGR_SXX",
    "REGR_SXY",
    "REGR_SYY",
]
OVER = ["stream", "table", "tumble", "hop", "session"]
ODD = [math.nan, math.inf, -math.inf]
TOLERANCE = 1e-9
"""Relative, as the documentation has it."""


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """One DuckDB for all: to open one takes longer than thousands of such rows."""
    with duckdb.connect() as connection:
        yield connection


def expected(function: str, pairs: list[Values]) -> float | None:
    """Give the result from exact sums, rounded at the end. All values are finite."""
    there = [(Fraction(y), Fraction(x)) for y, x in pairs if y is not None and x is not None]
    n = len(there)
    if function == "REGR_COUNT":
        return n
    if n == 0:
        return None
    mean_y, mean_x = (sum(side) / n for side in zip(*there, strict=True))
    syy = sum((y - mean_y) ** 2 for y, _ in there)
    sxx = sum((x - mean_x) ** 2 for _, x in there)
    sxy = sum((y - mean_y) * (x - mean_x) for y, x in there)
    slope = sxy / sxx if sxx else None
    results: dict[str, Callable[[], float | None]] = {
        "CORR": lambda: float(sxy) / (math.sqrt(sxx) * math.sqrt(syy)) if sxx and syy else None,
        "COVAR_POP": lambda: float(sxy / n),
        "COVAR_SAMP": lambda: float(sxy / (n - 1)) if n > 1 else None,
        "REGR_AVGX": lambda: float(mean_x),
        "REGR_AVGY": lambda: float(mean_y),
        "REGR_INTERCEPT": lambda: None if slope is None else float(mean_y - slope * mean_x),
        "REGR_R2": lambda: None if not sxx else float(sxy**2 / (sxx * syy)) if syy else 1.0,
        "REGR_SLOPE": lambda: None if slope is None else float(slope),
        "REGR_SXX": lambda: float(sxx),
        "REGR_SXY": lambda: float(sxy),
        "REGR_SYY": lambda: float(syy),
    }
    return results[function]()


def by_duckdb(duck: duckdb.DuckDBPyConnection, function: str, pairs: list[Values]) -> float | None:
    columns = [pa.array([pair[side] for pair in pairs], pa.float64()) for side in (0, 1)]
    pairs_ = pa.table(columns, names=["y", "x"])
    duck.register("pairs", pairs_)
    ((found,),) = duck.execute(f"SELECT {function}(y, x) FROM pairs").fetchall()
    result: float | None = found
    # Null stands for what is no number, so that a group of one pair can be written as JSON.
    return (
        None if function in ("CORR", "REGR_SLOPE") and result is not None and math.isnan(result) else result
    )


def near(left: float | None, right: float | None, scale: float) -> bool:
    if left is None or right is None:
        return left is right
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TOLERANCE * scale)


def value(rng: random.Random) -> float | None:
    kind = rng.random()
    if kind < 0.1:
        return None
    if kind < 0.5:
        return float(rng.randint(-3, 3))
    return rng.uniform(-50, 50) if kind < 0.9 else 1000 + rng.random()


def rows(rng: random.Random, over: str, count: int) -> list[Row]:
    """Give rows; over a table some of those that came go again, in any order."""
    found: list[Row] = []
    there: list[Row] = []
    for index in range(count):
        if over == "table" and there and rng.random() < 0.4:
            gone = there.pop(rng.randrange(len(there)))
            found.append(Row(gone.key, gone.time, gone.values, RowKind.DELETE))
            continue
        row = Row(rng.randint(0, 2), index // 2 * rng.choice([1, 1, 0]), (value(rng), value(rng)))
        found.append(row)
        there.append(row)
    return found


@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_results_are_those_of_exact_sums(duck: duckdb.DuckDBPyConnection, function: str, over: str) -> None:
    rng = random.Random(f"{function} {over}")
    result = pa.int64() if function == "REGR_COUNT" else pa.float64()
    for count in (0, 1, 2, 60):
        run = Run(over, {"function": function}, [pa.float64()] * 2, result)
        given = rows(rng, over, count)
        cut = rng.randint(0, count)
        run.take(given[:cut])
        run.restart()
        run.take(given[cut:])
        wanted = dict(groups(over, given).items())
        assert set(run.given) == set(wanted)
        for group, pairs in wanted.items():
            scale = max([1.0, *(abs(item) ** 2 for pair in pairs for item in pair if item is not None)])
            assert near(run.given[group], expected(function, pairs), scale), (pairs, run.given[group])
            assert near(run.given[group], by_duckdb(duck, function, pairs), scale), pairs


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_is_not_finite_gives_what_duckdb_gives_and_leaves_a_table_without_a_trace(
    duck: duckdb.DuckDBPyConnection, function: str
) -> None:
    result = pa.int64() if function == "REGR_COUNT" else pa.float64()
    plain = [(2.0, 3.0), (4.5, 5.0), (9.0, 1.0)]
    for odd in [(odd, 5.0) for odd in ODD] + [(5.0, odd) for odd in ODD]:
        for others in ([], plain):
            values = [*others, odd]
            stream = Run("stream", {"function": function}, [pa.float64()] * 2, result)
            stream.take([Row(0, 0, item) for item in values])
            table = Run("table", {"function": function}, [pa.float64()] * 2, result)
            table.take([Row(0, 0, item) for item in values])
            assert near(stream.given[0, 0, 0], by_duckdb(duck, function, values), 1), values
            found, wanted = table.given[0, 0, 0], by_duckdb(duck, function, values)
            # Whether DuckDB gives an infinity or NaN depends on the order of the rows, and a table has none.
            products = function.startswith("COVAR") or function == "REGR_SXY"
            assert near(found, wanted, 1) or (
                products and math.isnan(found) and not math.isfinite(wanted or 0)
            )
            table.take([Row(0, 0, odd, RowKind.DELETE)])
            if others:
                assert near(table.given[0, 0, 0], by_duckdb(duck, function, plain), 1)
            else:
                assert not table.given
