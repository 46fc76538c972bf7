"""The aggregates of the language: one table from which checks, the specifications of operators and the reference page come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.functions.declaration import Example, Function, Kind, Nulls
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY: Final = "aggregate"

ResultRule = Callable[[pa.DataType], pa.DataType]
"""The type of the result from that of the first argument."""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregate.

    Args:
        function: name, signatures and description.
        result: type of what it gives; `argument` the type that its first argument is brought to before.
        over_tables: it can take back a row that a table has lost.
        never_null: it gives a value for a group without values.
        distinct: `DISTINCT` may stand before its argument; as the name of the function that it then is.
        constant: what the last argument, which must be constant, decides: `limit` or `parameter`.
        ordered: its values have an order: numbers, text, bytes, booleans, dates and times.
    """

    function: Function
    result: ResultRule
    argument: ResultRule
    over_tables: bool = True
    never_null: bool = False
    distinct: str | None = None
    constant: str | None = None
    ordered: bool = False

    @property
    def name(self) -> str:
        """Canonical name."""
        return self.function.name


def _same(kind: pa.DataType) -> pa.DataType:
    return kind


def _always(kind: pa.DataType) -> ResultRule:
    return lambda _: kind


def _array(kind: pa.DataType) -> pa.DataType:
    return pa.list_(kind)


def _wide(kind: pa.DataType) -> pa.DataType:
    """Bring numbers to the few types that are computed with."""
    if pa.types.is_integer(kind):
        return pa.int64()
    return pa.float64() if pa.types.is_floating(kind) or pa.types.is_null(kind) else kind


def _sum(kind: pa.DataType) -> pa.DataType:
    return pa.decimal128(38, kind.scale) if pa.types.is_decimal(kind) else _wide(kind)


def _mean(kind: pa.DataType) -> pa.DataType:
    return pa.decimal128(38, max(kind.scale, 6)) if pa.types.is_decimal(kind) else pa.float64()


_FLOAT: Final = pa.float64()
_DOUBLE: Final = _always(_FLOAT)


def _function(
    name: str,
    signatures: Sequence[tuple[str, str]],
    description: str,
    examples: Sequence[tuple[str, str]],
    aliases: tuple[str, ...] = (),
) -> Function:
    return Function(
        name=name,
        family=FAMILY,
        kind=Kind.AGGREGATE,
        signatures=tuple(signature(parameters, result) for parameters, result in signatures),
        description=description,
        nulls=Nulls.HANDLED,
        aliases=aliases,
        examples=tuple(Example(call, result) for call, result in examples),
    )


_PAIRS: Final = "Only pairs count in which neither is null."


def _of_pairs(
    name: str,
    description: str,
    results: Sequence[str],
    result: pa.DataType = _FLOAT,
    arguments: Sequence[str] = ("x, x", "x, -x"),
) -> Aggregate:
    """Declare an aggregate of two numbers a record, y and x."""
    shown = "LONG" if pa.types.is_integer(result) else "DOUBLE"
    examples = [(f"{name}({call})", value) for call, value in zip(arguments, results, strict=True)]
    return Aggregate(
        _function(name, [("y NUMBER, x NUMBER", shown)], f"{description} {_PAIRS}", examples),
        result=_always(result),
        argument=_DOUBLE,
        never_null=pa.types.is_integer(result),
    )


_UNIQUE_LIMIT: Final = "The result is null for a group without values."

AGGREGATES: Final = (
    Aggregate(
        _function(
            "COUNT",
            [("value ANY", "LONG")],
            "Counts records (`COUNT(*)`), values that are not null (`COUNT(x)`) or different values (`COUNT(DISTINCT x)`). 0 for "
            "a group without values.",
            [("COUNT(*)", "4"), ("COUNT(x)", "3")],
        ),
        result=_always(pa.int64()),
        argument=_same,
        never_null=True,
        distinct="COUNT",
    ),
    Aggregate(
        _function(
            "SUM",
            [("x NUMBER", "LONG, DOUBLE or DECIMAL(38, scale of x)")],
            "Adds the values that are not null; null if there are none. A sum of whole numbers beyond LONG, or of decimals "
            "beyond 38 digits, is an error of the record that would make it. Over a table such a group is left out until its sum "
            "fits again. Sums of DOUBLE over a table are exact before they are rounded.",
            [("SUM(x)", "5"), ("SUM(DISTINCT x)", "3")],
        ),
        result=_sum,
        argument=_wide,
        distinct="SUM",
    ),
    Aggregate(
        _function(
            "AVG",
            [("x NUMBER", "DOUBLE, or DECIMAL(38, at least 6) of decimals")],
            "Gives the mean of the values that are not null; null if there are none.",
            [("AVG(DISTINCT x)", "1.5"), ("AVG(x * 3)", "5.0")],
            ("MEAN",),
        ),
        result=_mean,
        argument=_wide,
        distinct="AVG",
    ),
    Aggregate(
        _function(
            "MIN",
            [("value ANY", "type of value")],
            "Gives the least value that is not null. Text is compared by its bytes.",
            [("MIN(x)", "1"), ("MIN(-x)", "-2")],
        ),
        result=_same,
        argument=_same,
        distinct="MIN",
        ordered=True,
    ),
    Aggregate(
        _function(
            "MAX",
            [("value ANY", "type of value")],
            "Gives the greatest value that is not null. Text is compared by its bytes.",
            [("MAX(x)", "2"), ("MAX(-x)", "-1")],
        ),
        result=_same,
        argument=_same,
        distinct="MAX",
        ordered=True,
    ),
    Aggregate(
        _function(
            "FIRST",
            [("value ANY", "type of value")],
            "Gives the value, not null, that arrived first.",
            [("FIRST(x)", "2"), ("FIRST(x * 10)", "20")],
            aliases=("EARLIEST_BY_OFFSET",),
        ),
        result=_same,
        argument=_same,
        over_tables=False,
    ),
    Aggregate(
        _function(
            "LAST",
            [("value ANY", "type of value")],
            "Gives the value, not null, that arrived last.",
            [("LAST(x)", "2"), ("LAST(x * 10)", "20")],
            aliases=("LATEST_BY_OFFSET",),
        ),
        result=_same,
        argument=_same,
        over_tables=False,
    ),
    Aggregate(
        _function(
            "ANYF",
            [("value ANY", "type of value")],
            "Gives any value of the group that is not null: the first that arrived.",
            [("ANYF(x)", "2"), ("ANYF(x > 0)", "true")],
            ("ANY_VALUE",),
        ),
        result=_same,
        argument=_same,
        over_tables=False,
    ),
    Aggregate(
        _function(
            "COLLECT",
            [("value ANY", "array"), ("value ANY, count INT", "array")],
            "Collects the values that are not null in the order in which they arrived, all or the first `count`. Over a table "
            f"they are ascending. {_UNIQUE_LIMIT}",
            [("COLLECT(x)", "[2, 1, 2]"), ("COLLECT(x, 2)", "[2, 1]")],
            aliases=("COLLECT_LIST",),
        ),
        result=_array,
        argument=_same,
        distinct="COLLECT_UNIQUE",
        constant="limit",
    ),
    Aggregate(
        _function(
            "COLLECT_UNIQUE",
            [("value ANY", "array"), ("value ANY, count INT", "array")],
            "Collects the different values that are not null in the order in which they first arrived, all or the first "
            f"`count`. Over a table they are ascending. {_UNIQUE_LIMIT}",
            [("COLLECT_UNIQUE(x)", "[2, 1]"), ("COLLECT_UNIQUE(x, 1)", "[2]")],
            aliases=("COLLECT_SET",),
        ),
        result=_array,
        argument=_same,
        distinct="COLLECT_UNIQUE",
        constant="limit",
    ),
    Aggregate(
        _function(
            "MAXK",
            [("value ANY, count INT", "array")],
            f"Gives the `count` greatest values, the greatest first; a value as often as it came. {_UNIQUE_LIMIT}",
            [("MAXK(x, 2)", "[2, 2]"), ("MAXK(x, 5)", "[2, 2, 1]")],
        ),
        result=_array,
        argument=_same,
        distinct="MAXK_UNIQUE",
        constant="limit",
        ordered=True,
    ),
    Aggregate(
        _function(
            "MAXK_UNIQUE",
            [("value ANY, count INT", "array")],
            f"Gives the `count` greatest different values, the greatest first. {_UNIQUE_LIMIT}",
            [("MAXK_UNIQUE(x, 2)", "[2, 1]"), ("MAXK_UNIQUE(x, 1)", "[2]")],
            aliases=("TOPKDISTINCT",),
        ),
        result=_array,
        argument=_same,
        distinct="MAXK_UNIQUE",
        constant="limit",
        ordered=True,
    ),
    Aggregate(
        _function(
            "MINK",
            [("value ANY, count INT", "array")],
            f"Gives the `count` least values, the least first; a value as often as it came. {_UNIQUE_LIMIT}",
            [("MINK(x, 2)", "[1, 2]"), ("MINK(x, 5)", "[1, 2, 2]")],
        ),
        result=_array,
        argument=_same,
        distinct="MINK_UNIQUE",
        constant="limit",
        ordered=True,
    ),
    Aggregate(
        _function(
            "MINK_UNIQUE",
            [("value ANY, count INT", "array")],
            f"Gives the `count` least different values, the least first. {_UNIQUE_LIMIT}",
            [("MINK_UNIQUE(x, 2)", "[1, 2]"), ("MINK_UNIQUE(x, 1)", "[1]")],
        ),
        result=_array,
        argument=_same,
        distinct="MINK_UNIQUE",
        constant="limit",
        ordered=True,
    ),
    Aggregate(
        _function(
            "TOPK",
            [("value ANY, count INT", "array")],
            "Gives the `count` values that were seen most often; of those seen equally often the lesser first.",
            [("TOPK(x, 1)", "[2]"), ("TOPK(x, 2)", "[2, 1]")],
        ),
        result=_array,
        argument=_same,
        constant="limit",
        ordered=True,
    ),
    Aggregate(
        _function(
            "BOTTOMK",
            [("value ANY, count INT", "array")],
            "Gives the `count` values that were seen least often; of those seen equally often the lesser first.",
            [("BOTTOMK(x, 1)", "[1]"), ("BOTTOMK(x, 2)", "[1, 2]")],
        ),
        result=_array,
        argument=_same,
        constant="limit",
        ordered=True,
    ),
    Aggregate(
        _function(
            "MODE",
            [("value ANY", "type of value")],
            "Gives the value that was seen most often; of those seen equally often the least, in a snapshot query any of them. "
            "Null for a group without values. The state holds each different value once, as for TOPK.",
            [("MODE(x)", "2"), ("MODE(x > 1)", "true")],
        ),
        result=_same,
        argument=_same,
        ordered=True,
    ),
    Aggregate(
        _function(
            "MEDIAN",
            [("x NUMBER", "DOUBLE, or DECIMAL of decimals")],
            "Gives the value in the middle of those that are not null, or the mean of the two in the middle; null for no values. "
            "It is exact, so in a stream the state holds all values of each group, as for COLLECT: bound it with a window, or "
            "take APPROX_QUANTILE(x, 0.5), which needs little memory.",
            [("MEDIAN(x)", "2.0"), ("MEDIAN(DISTINCT x)", "1.5")],
        ),
        result=_same,
        argument=_same,
        distinct="MEDIAN",
    ),
    Aggregate(
        _function(
            "ARG_MAX",
            [("value ANY, by ANY", "type of value")],
            "Gives the value of the record whose `by` is greatest; of several the greatest value, in a snapshot query any of "
            "them. Records with a null in either are left out; null if there are no others.",
            [("ARG_MAX(x * 10, x)", "20"), ("ARG_MAX(x, -x)", "1")],
            ("MAX_BY",),
        ),
        result=_same,
        argument=_same,
    ),
    Aggregate(
        _function(
            "ARG_MIN",
            [("value ANY, by ANY", "type of value")],
            "Gives the value of the record whose `by` is least; of several the least value, in a snapshot query any of them. "
            "Records with a null in either are left out; null if there are no others.",
            [("ARG_MIN(x * 10, x)", "10"), ("ARG_MIN(x, -x)", "2")],
            ("MIN_BY",),
        ),
        result=_same,
        argument=_same,
    ),
    Aggregate(
        _function(
            "STDDEV",
            [("x NUMBER", "DOUBLE")],
            "Gives the standard deviation of a sample; null for fewer than two values.",
            [("STDDEV(x * 0)", "0.0"), ("STDDEV(x - x)", "0.0")],
            ("STDDEV_SAMP",),
        ),
        result=_DOUBLE,
        argument=_DOUBLE,
    ),
    Aggregate(
        _function(
            "STDDEV_POP",
            [("x NUMBER", "DOUBLE")],
            "Gives the standard deviation of all values; null for none.",
            [("STDDEV_POP(x * 0)", "0.0"), ("STDDEV_POP(x - x)", "0.0")],
        ),
        result=_DOUBLE,
        argument=_DOUBLE,
    ),
    Aggregate(
        _function(
            "VARIANCE",
            [("x NUMBER", "DOUBLE")],
            "Gives the variance of a sample; null for fewer than two values.",
            [("VARIANCE(x * 0)", "0.0"), ("VARIANCE(x - x)", "0.0")],
            ("VAR_SAMP",),
        ),
        result=_DOUBLE,
        argument=_DOUBLE,
    ),
    Aggregate(
        _function(
            "VAR_POP",
            [("x NUMBER", "DOUBLE")],
            "Gives the variance of all values; null for none.",
            [("VAR_POP(x * 0)", "0.0"), ("VAR_POP(x - x)", "0.0")],
        ),
        result=_DOUBLE,
        argument=_DOUBLE,
    ),
    _of_pairs(
        "COVAR_POP",
        "Gives the covariance of all pairs; null for none.",
        ["2.0 / 9", "-2.0 / 9"],
    ),
    _of_pairs(
        "COVAR_SAMP",
        "Gives the covariance of a sample; null for fewer than two pairs.",
        ["1.0 / 3", "-1.0 / 3"],
    ),
    _of_pairs(
        "CORR",
        "Gives the correlation (Pearson's), -1 to 1; null where all y or all x are the same, and for no pairs.",
        ["1.0", "-1.0"],
    ),
    _of_pairs("REGR_AVGX", "Gives the mean of x in all pairs; null for none.", ["5.0 / 3", "-5.0 / 3"]),
    _of_pairs("REGR_AVGY", "Gives the mean of y in all pairs; null for none.", ["5.0 / 3", "5.0 / 3"]),
    _of_pairs("REGR_COUNT", "Counts the pairs.", ["3", "3"], pa.int64()),
    _of_pairs(
        "REGR_INTERCEPT",
        "Gives the height at x = 0 of the line by least squares; null where all x are the same, and for no pairs.",
        ["0.0", "0.0"],
        arguments=("x - x, x", "0 * x, x"),
    ),
    _of_pairs(
        "REGR_R2",
        "Gives the share of the variance of y that x accounts for: the square of the correlation; 1 where all y are the same; "
        "null where all x are, and for no pairs.",
        ["1.0", "1.0"],
    ),
    _of_pairs(
        "REGR_SLOPE",
        "Gives the slope of the line by least squares; null where all x are the same, and for no pairs.",
        ["1.0", "-1.0"],
    ),
    _of_pairs(
        "REGR_SXX",
        "Gives the sum of the squared deviations of x; null for no pairs.",
        ["2.0 / 3", "2.0 / 3"],
    ),
    _of_pairs(
        "REGR_SXY",
        "Gives the sum of the products of the deviations of x and y; null for no pairs.",
        ["2.0 / 3", "-2.0 / 3"],
    ),
    _of_pairs(
        "REGR_SYY",
        "Gives the sum of the squared deviations of y; null for no pairs.",
        ["2.0 / 3", "2.0 / 3"],
    ),
    Aggregate(
        _function(
            "APPROX_COUNT_DISTINCT",
            [("value ANY", "LONG")],
            "Counts different values that are not null, roughly (within 1 or 2 percent), in little memory.",
            [("APPROX_COUNT_DISTINCT(x)", "2"), ("APPROX_COUNT_DISTINCT(x * 0)", "1")],
        ),
        result=_always(pa.int64()),
        argument=_same,
        over_tables=False,
        never_null=True,
    ),
    Aggregate(
        _function(
            "APPROX_QUANTILE",
            [("x NUMBER, share DOUBLE", "DOUBLE")],
            "Gives roughly the value below which a share (0 to 1) of the values lies, in little memory; null for no values.",
            [("APPROX_QUANTILE(x * 0, 0.5)", "0.0"), ("APPROX_QUANTILE(x - x, 0.9)", "0.0")],
        ),
        result=_DOUBLE,
        argument=_DOUBLE,
        over_tables=False,
        constant="parameter",
    ),
    Aggregate(
        _function(
            "BOOL_AND",
            [("condition BOOLEAN", "BOOLEAN")],
            "Says whether all values that are not null are true; null for no values.",
            [("BOOL_AND(x > 0)", "true"), ("BOOL_AND(x > 1)", "false")],
            ("EVERY",),
        ),
        result=_always(pa.bool_()),
        argument=_always(pa.bool_()),
    ),
    Aggregate(
        _function(
            "BOOL_OR",
            [("condition BOOLEAN", "BOOLEAN")],
            "Says whether any value is true; null for no values.",
            [("BOOL_OR(x > 1)", "true"), ("BOOL_OR(x > 9)", "false")],
        ),
        result=_always(pa.bool_()),
        argument=_always(pa.bool_()),
    ),
    Aggregate(
        _function(
            "STRING_AGG",
            [("text STRING", "STRING"), ("text STRING, separator STRING", "STRING")],
            "Joins the texts that are not null, in the order in which they arrived, with a separator between (`,` if none is "
            "given). Over a table they are ascending. Null for no texts.",
            [("STRING_AGG(CAST(x AS string), '-')", "'2-1-2'"), ("STRING_AGG(CAST(x AS string))", "'2,1,2'")],
            ("LISTAGG", "GROUP_CONCAT"),
        ),
        result=_always(pa.string()),
        argument=_always(pa.string()),
        constant="parameter",
    ),
)

FUNCTIONS: Final = tuple(item.function for item in AGGREGATES)

_BY_NAME: Final = {name: item for item in AGGREGATES for name in (item.name, *item.function.aliases)}


def aggregate_named(name: str) -> Aggregate | None:
    """Find an aggregate by name or alias, in any case."""
    return _BY_NAME.get(name.upper())
