"""What a snapshot query can and a stream cannot yet: aggregates, windows over rows, queries inside expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp, parse_one

from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.functions import Kind, lookup
from headrace.functions.aggregate import aggregate_named
from headrace.planner.counts import values_kept
from headrace.planner.duckdb_types import BindError
from headrace.planner.faults import refusal
from headrace.planner.joins.intervals import length_of
from headrace.sql.calls import name_span
from headrace.sql.nodes import Duration
from headrace.sql.spans import nearest_span, span_of
from headrace.types.sql import duckdb_type

if TYPE_CHECKING:
    from headrace.planner.expressions import Expressions

Finish = Callable[[exp.Expression], exp.Expression]

_RENAMED = {"ANYF": "any_value", "MAXK": "max", "MINK": "min"}
_COUNTED = ("MAXK", "MINK")
_BY_ARRIVAL = ("FIRST", "LAST")
_WINDOW_FUNCTIONS = (
    "row_number",
    "rank",
    "dense_rank",
    "rank_dense",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
    "fill",
)
"""DuckDB's functions that need OVER: its catalog does not list them."""

_NULL_CHOOSING: dict[str, type[exp.Expression]] = {
    "first_value": exp.FirstValue,
    "last_value": exp.LastValue,
    "nth_value": exp.NthValue,
    "lag": exp.Lag,
    "lead": exp.Lead,
}

_QUANTILES = {"percentile_cont": "quantile_cont", "percentile_disc": "quantile_disc"}

_QUERIES = (exp.Subquery, exp.Select, exp.SetOperation)
_GROUPING = ("GROUPING", "GROUPING_ID")


def aggregate(node: exp.Anonymous, within: Expressions) -> exp.Expression:
    """Compile the call of an aggregate, or of a function over a window."""
    inside = nested_aggregate(node, within)
    if inside is not None:
        message = "an aggregate stands inside another"
        way_out = "compute the inner one in a query in brackets, in FROM"
        raise refusal(codes.BAD_GROUPING, message, nearest_span(inside), way_out)
    call, finish = _parts(node, within)
    return _checked(finish(call), node, within)


def needs_over(node: exp.Expression) -> bool:
    """Say whether a call is of a function that only OVER gives a meaning."""
    return isinstance(node, exp.Anonymous) and str(node.this).lower() in _WINDOW_FUNCTIONS


def nested_aggregate(call: exp.Anonymous, within: Expressions) -> exp.Expression | None:
    """Give an aggregate among the arguments of an aggregate, if there is one."""
    parts = (found for argument in call.expressions for found in own_nodes(argument))
    return next((found for found in parts if is_aggregate(found, within)), None)


def own_nodes(node: exp.Expression) -> Iterator[exp.Expression]:
    """Give the nodes of a clause without those of queries inside it, and of functions over windows only themselves."""
    stack = [node]
    while stack:
        found = stack.pop()
        if isinstance(found, _QUERIES):
            continue
        yield found
        if not isinstance(found, exp.Window):
            stack += [child for child in found.iter_expressions() if isinstance(child, exp.Expression)]


def _checked(built: exp.Expression, node: exp.Anonymous, within: Expressions) -> exp.Expression:
    """Let DuckDB bind an aggregate, so that a refusal can name what it does not take."""
    try:
        within.bind(built, nullable=True)
    except BindError:
        plain = [
            item for item in node.expressions if not isinstance(item, exp.Star | exp.Distinct | exp.Order)
        ]
        shown = ", ".join(within.describe(item, within.value(item)) for item in plain)
        message = f"`{str(node.this).upper()}` does not take {shown or 'this'}"
        raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node)) from None
    return built


def _parts(node: exp.Anonymous, within: Expressions) -> tuple[exp.Expression, Finish]:
    """Compile an aggregate into DuckDB's, and what is to be done with its result."""
    name = str(node.this)
    arguments = [argument(item, within) for item in node.expressions]
    if arguments and isinstance(arguments[-1], exp.IgnoreNulls | exp.RespectNulls):
        return _with_nulls(node, arguments), _as_it_is
    if len(arguments) == 2 and name.upper() in (*_OF_LISTS, *_COUNTED):
        values_kept(node.expressions[1], name.upper())
    own = _OF_LISTS.get(name.upper())
    if own is not None and len(arguments) == 1 and name.upper() in _WITHOUT_COUNT:
        values = arguments[0]
        if isinstance(values, exp.Distinct):
            own, values = _list_unique, values.expressions[0]
        return own(values)
    if own is not None and len(arguments) == 2:
        call, finish = own(arguments[0])
        return call, lambda found: _first(finish(found), arguments[1])
    if name.upper() in _BY_ARRIVAL and len(arguments) == 1:
        return _present(exp.Anonymous(this=name.lower(), expressions=arguments), arguments[0]), _as_it_is
    if name.upper() == "APPROX_QUANTILE" and len(arguments) == 2:
        arguments[0] = exp.cast(arguments[0], "DOUBLE", dialect="duckdb")
    renamed = _RENAMED.get(name.upper(), name.lower())
    return exp.Anonymous(this=renamed, expressions=arguments), _result(node, within)


def _result(node: exp.Anonymous, within: Expressions) -> Finish:
    """Bring a result to its type in streams: sums of DuckDB are wider, its means of decimals are doubles."""
    known = aggregate_named(str(node.this))
    if known is not None and known.name == "REGR_COUNT":
        return lambda found: exp.cast(found, "BIGINT", dialect="duckdb")
    if known is not None and known.name in _NOT_A_NUMBER:
        return lambda found: exp.Anonymous(
            this="nullif",
            expressions=[found, exp.cast(exp.Literal.string("nan"), "DOUBLE", dialect="duckdb")],
        )
    if known is None or known.name not in ("SUM", "AVG") or not node.expressions:
        return _as_it_is
    first = node.expressions[0]
    plain = first.expressions[0] if isinstance(first, exp.Distinct) else first
    if isinstance(plain, exp.Star | exp.Order):
        return _as_it_is
    kind = within.value(plain).type
    if not pa.types.is_decimal(kind) and not (pa.types.is_integer(kind) and known.name == "SUM"):
        return _as_it_is
    to = exp.DataType.build(duckdb_type(known.result(kind)), dialect="duckdb")
    return lambda found: exp.Cast(this=found, to=to.copy())


def _with_nulls(node: exp.Anonymous, arguments: list[exp.Expression]) -> exp.Expression:
    """Give a call with IGNORE NULLS, for which sqlglot wants a node of the function's own."""
    name = str(node.this)
    known = _NULL_CHOOSING.get(name.lower())
    keys = ("this", "offset") if known is exp.NthValue else ("this", "offset", "default")
    if known is None or len(arguments) > len(keys) - (known in (exp.FirstValue, exp.LastValue)) * 2:
        message = f"IGNORE NULLS does not go with `{name}`"
        raise refusal(
            codes.TYPE_MISMATCH, message, nearest_span(node), "filter: `FILTER (WHERE x IS NOT NULL)`"
        )
    last = arguments[-1]
    call = known(**dict(zip(keys, [*arguments[:-1], last.this], strict=False)))
    return type(last)(this=call)


def _as_it_is(found: exp.Expression) -> exp.Expression:
    return found


def _first(values: exp.Expression, count: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="list_slice", expressions=[values, exp.Literal.number(1), count])


def _list(values: exp.Expression) -> tuple[exp.Expression, Finish]:
    return _present(exp.Anonymous(this="list", expressions=[values]), values), _as_it_is


def _list_unique(values: exp.Expression) -> tuple[exp.Expression, Finish]:
    call = exp.Anonymous(this="list", expressions=[exp.Distinct(expressions=[values])])
    return _present(call, values), _as_it_is


def _present(call: exp.Expression, values: exp.Expression) -> exp.Expression:
    """Leave out the nulls, which DuckDB's lists would hold, and its FIRST and LAST would give."""
    while isinstance(values, exp.Order | exp.Distinct):
        values = values.this if isinstance(values, exp.Order) else values.expressions[0]
    missing = exp.Is(this=exp.Paren(this=values.copy()), expression=exp.Null())
    return exp.Filter(this=call, expression=exp.Where(this=exp.Not(this=missing)))


def _sorted_unique(order_by: str) -> Callable[[exp.Expression], tuple[exp.Expression, Finish]]:
    def compile_(values: exp.Expression) -> tuple[exp.Expression, Finish]:
        return _list_unique(values)[0], lambda found: exp.Anonymous(this=order_by, expressions=[found])

    return compile_


def _by_frequency(sign: str) -> Callable[[exp.Expression], tuple[exp.Expression, Finish]]:
    """Values by how often they occur; those that occur as often are in their own order."""

    def compile_(values: exp.Expression) -> tuple[exp.Expression, Finish]:
        call = exp.Anonymous(this="histogram", expressions=[values])
        shape = (
            "list_transform(list_sort(list_transform(map_entries(h), "
            f"lambda hr_e: {{'often': {sign}CAST(hr_e.value AS BIGINT), 'value': hr_e.key}})), lambda hr_e: hr_e.value)"
        )
        template = parse_one(shape, dialect="duckdb")
        assert isinstance(template, exp.Expression)

        def finish(found: exp.Expression) -> exp.Expression:
            built: exp.Expression = template.copy()
            for column in [column for column in built.find_all(exp.Column) if column.name == "h"]:
                column.replace(found)
            return built

        return call, finish

    return compile_


_OF_LISTS: dict[str, Callable[[exp.Expression], tuple[exp.Expression, Finish]]] = {
    "COLLECT": _list,
    "COLLECT_UNIQUE": _list_unique,
    "MAXK_UNIQUE": _sorted_unique("list_reverse_sort"),
    "MINK_UNIQUE": _sorted_unique("list_sort"),
    "TOPK": _by_frequency("-"),
    "BOTTOMK": _by_frequency(""),
}


_NOT_A_NUMBER = ("CORR", "REGR_SLOPE")
"""Where DuckDB gives NaN for values that do not vary, and streams give null."""

_WITHOUT_COUNT = ("COLLECT", "COLLECT_UNIQUE")
"""Of these, those that give all values where no number is given."""


def is_aggregate(node: exp.Expression, within: Expressions) -> bool:
    """Say whether a call is an aggregate that DuckDB has, or that one of its aggregates can stand for."""
    if not isinstance(node, exp.Anonymous):
        return False
    name = str(node.this)
    function = lookup(name, len(node.expressions))
    if function is not None and function.kind is not Kind.AGGREGATE:
        return False
    if name.upper() in _GROUPING:
        return True
    known = within.typer.aggregates()
    return name.lower() in known or name.upper() in _RENAMED or name.upper() in _OF_LISTS


def argument(node: exp.Expression, within: Expressions) -> exp.Expression:
    """Compile an argument of an aggregate, with DISTINCT, ORDER BY and IGNORE NULLS."""
    if isinstance(node, exp.Star):
        return exp.Star()
    if isinstance(node, exp.Distinct):
        return exp.Distinct(expressions=[argument(item, within) for item in node.expressions])
    if isinstance(node, exp.Order):
        ordered = order(node, within)
        ordered.set("this", argument(node.this, within))
        return ordered
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        return type(node)(this=argument(node.this, within))
    return within.value(node).node


def order(node: exp.Order, within: Expressions) -> exp.Order:
    """Compile ORDER BY."""
    items = []
    for item in node.expressions:
        part = item.this
        plain = isinstance(part, exp.Literal) and part.is_int
        built = exp.Ordered(
            this=part.copy() if plain else within.value(part).node,
            desc=bool(item.args.get("desc")),
            nulls_first=bool(item.args.get("nulls_first")),
        )
        items.append(built)
    return exp.Order(expressions=items)


def over(node: exp.Window, within: Expressions) -> exp.Expression:
    """Compile a function OVER a window."""
    call = node.this
    nulls = type(call) if isinstance(call, exp.IgnoreNulls | exp.RespectNulls) else None
    inner = call.this if nulls else call
    if isinstance(inner, exp.Filter):
        function, finish = _filtered(inner, within)
    elif isinstance(inner, exp.Anonymous):
        name = str(inner.this)
        if name.lower() not in _WINDOW_FUNCTIONS and not is_aggregate(inner, within):
            known = [*_WINDOW_FUNCTIONS, *within.typer.aggregates()]
            message = f"`{name}` is no function over a window"
            way_out = did_you_mean(name.lower(), known)
            raise refusal(codes.TYPE_MISMATCH, message, name_span(inner) or nearest_span(inner), way_out)
        function, finish = _parts(inner, within)
        if name.upper() in _BY_ARRIVAL and isinstance(function, exp.Filter) and nulls is None:
            # Over a window DuckDB's FIRST and LAST are FIRST_VALUE and LAST_VALUE, which take no FILTER.
            value = _NULL_CHOOSING[f"{name.lower()}_value"](this=function.this.expressions[0])
            function = exp.IgnoreNulls(this=value)
    else:
        raise refusal(codes.NOT_YET, "OVER follows the call of a function", nearest_span(node))
    built = exp.Window(this=nulls(this=function) if nulls else function, over="OVER")
    parts = _window_parts(node, node.find_ancestor(exp.Select), ())
    if parts.get("partition_by"):
        built.set("partition_by", [within.value(item).node for item in parts["partition_by"]])
    if parts.get("order") is not None:
        built.set("order", order(parts["order"], within))
    if parts.get("spec") is not None:
        built.set("spec", _frame(parts["spec"], parts.get("order"), within))
    own = inner.this if isinstance(inner, exp.Filter) else inner
    return _checked(finish(built), own, within)


def _window_parts(node: exp.Window, select: exp.Select | None, seen: tuple[str, ...]) -> dict[str, Any]:
    """Give the parts of a window, those of the named window it builds on included."""
    own = {key: node.args[key] for key in ("partition_by", "order", "spec") if node.args.get(key)}
    base = node.args.get("alias")
    if base is None:
        return own
    known = {item.name: item for item in (select.args.get("windows") or ())} if select is not None else {}
    if base.name not in known or base.name in seen:
        message = f"there is no window `{base.name}`"
        way_out = (
            did_you_mean(base.name, list(known)) or "name it: `WINDOW name AS (…)` behind the other clauses"
        )
        raise refusal(codes.UNKNOWN_COLUMN, message, span_of(base), way_out)
    return {**_window_parts(known[base.name], select, (*seen, base.name)), **own}


def filtered(node: exp.Filter, within: Expressions) -> exp.Expression:
    """Compile an aggregate with FILTER."""
    call, finish = _filtered(node, within)
    return _checked(finish(call), node.this, within)


def _filtered(node: exp.Filter, within: Expressions) -> tuple[exp.Expression, Finish]:
    if not isinstance(node.this, exp.Anonymous) or not is_aggregate(node.this, within):
        raise refusal(codes.TYPE_MISMATCH, "FILTER goes with aggregates", nearest_span(node))
    condition = within.condition(node.expression.this, "FILTER")
    call, finish = _parts(node.this, within)
    if isinstance(call, exp.Filter):
        condition = exp.And(this=call.expression.this, expression=exp.Paren(this=condition))
        call = call.this
    return exp.Filter(this=call, expression=exp.Where(this=condition)), finish


def within_group(node: exp.WithinGroup, within: Expressions) -> exp.Expression:
    """Compile an aggregate with WITHIN GROUP."""
    name = str(node.this.this).lower()
    ordered = order(node.expression, within)
    first = ordered.expressions[0]
    arguments = [argument(item, within) for item in node.this.expressions]
    if name in _QUANTILES and len(arguments) == 1:
        share = arguments[0]
        if first.args.get("desc"):
            share = exp.Sub(this=exp.Literal.number(1), expression=exp.Paren(this=share))
        return exp.Anonymous(this=_QUANTILES[name], expressions=[first.this, share])
    if name == "mode" and not arguments:
        return exp.Anonymous(this=name, expressions=[first.this])
    if not arguments or not is_aggregate(node.this, within):
        message = f"WITHIN GROUP does not go with `{node.this.this}`"
        raise refusal(codes.TYPE_MISMATCH, message, nearest_span(node))
    ordered.set("this", arguments[-1])
    return exp.Anonymous(this=name, expressions=[*arguments[:-1], ordered])


def _frame(node: exp.WindowSpec, ordered: exp.Order | None, within: Expressions) -> exp.WindowSpec:
    built = node.copy()
    for key in ("start", "end"):
        part = node.args.get(key)
        if not isinstance(part, exp.Expression):
            continue
        length = length_of(part) if isinstance(part, exp.Interval | Duration) else None
        if length is None or ordered is None:
            built.set(key, within.value(part).node)
        elif pa.types.is_integer(within.value(ordered.expressions[0].this).type):
            # Times such as `_meta.timestamp` are milliseconds.
            built.set(key, exp.Literal.number(length))
        else:
            built.set(key, exp.Interval(this=exp.Literal.string(f"{length} milliseconds")))
    return built


RULES: dict[type[exp.Expression], Callable[..., exp.Expression]] = {
    exp.Window: over,
    exp.Filter: filtered,
    exp.WithinGroup: within_group,
}
