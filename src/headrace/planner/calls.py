"""Calls: functions of the language by their declaration, DuckDB's own scalar functions by their name."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import function as function_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.functions import Kind, form_named, function_names, lookup
from headrace.functions.user import FAMILY as USER
from headrace.plan.topology import CLOCK, Facet
from headrace.planner.duckdb_types import BindError
from headrace.planner.faults import refusal
from headrace.planner.operators import need_one_type
from headrace.planner.relations import NoSuchField
from headrace.planner.scope import Scope
from headrace.planner.user_functions import declaration
from headrace.sql.calls import name_span
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.functions import Function
    from headrace.planner.expressions import Expressions
    from headrace.planner.typed import Typed

_OTHER_NAMES = {"IFNULL": "COALESCE", "NVL": "COALESCE"}
"""Names that DuckDB's parser or other databases have for a function of ours."""

_PROCTIME = "PROCTIME"
_AT_THE_TOPIC = "take it where the topic is read, in a WITH: `SELECT STREAM * FROM t EVENTTIME BY PROCTIME()`"

_OF_CONSTANTS = "Invalid Input Error"
"""How DuckDB's words begin where a function does not accept the value of a constant."""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")


def call(within: Expressions, node: exp.Expression) -> Typed:
    """Compile a call."""
    assert isinstance(node, exp.Anonymous)
    name = _OTHER_NAMES.get(str(node.this).upper(), str(node.this))
    if name.upper() == _PROCTIME:
        return _clock(within, node)
    function = lookup(name, len(node.expressions)) or declaration(name, within.typer.user)
    if function is None:
        return _duckdb_call(within, node, name)
    if function.kind is Kind.AGGREGATE:
        raise _aggregate(within, node, name)
    arguments = within.arguments(node)
    if not _is_ours(within, function, arguments):
        try:
            return _rendered(within, name, arguments)
        except BindError:
            pass  # it is neither ours nor DuckDB's; ours says why
    given = [argument.node for argument in arguments]
    if function.name == "CONCAT":
        # DuckDB joins arrays to an array, refuses one beside a text, and writes records in a form of its own.
        given = [
            exp.Anonymous(this="hr_mkstring", expressions=[argument.node.copy()])
            if pa.types.is_nested(argument.type)
            else argument.node
            for argument in arguments
        ]
    if function.kind is Kind.HEADER:
        given.insert(0, within.headers(node).node)
    rendered = function.render(given, within.at(node), called(function, node))
    _check_types(within, node, function, arguments)
    if name.upper() == "COALESCE":
        need_one_type(within, list(zip(node.expressions, arguments, strict=True)), f"`{name}`")
    nullable = function.may_be_null(argument.nullable for argument in arguments)
    if name.upper() == "COALESCE":
        nullable = all(argument.nullable for argument in arguments)
    try:
        return within.bind(rendered, nullable=nullable)
    except BindError as fault:
        raise _misfit(within, node, name, arguments, fault) from None


def _clock(within: Expressions, node: exp.Anonymous) -> Typed:
    """Give the machine's clock when the record was taken up: a column of the records of a topic."""
    place = within.at(node)
    if node.expressions:
        message = f"`{_PROCTIME}` takes no argument"
        raise refusal(function_codes.ARGUMENT_COUNT, message, place, f"write `{_PROCTIME}()`")
    if within.inner is not None:
        message = f"a snapshot query has no {_PROCTIME}()"
        raise refusal(codes.NO_CLOCK, message, place, "`NOW()` gives the present")
    if isinstance(within.scope, Scope):
        with contextlib.suppress(NoSuchField):
            return within.scope.relation.pull(Facet.META, (CLOCK,))
    message = f"the result of a group or a join has no {_PROCTIME}()"
    raise refusal(codes.NO_CLOCK, message, place, _AT_THE_TOPIC)


def _is_ours(within: Expressions, function: Function, arguments: list[Typed]) -> bool:
    """Say whether a call is meant for our function: DuckDB's of the same name may take arrays, or more arguments."""
    if function.kind is Kind.HEADER or within.inside_lambda:
        return True
    if not function.accepts(len(arguments)):
        return False
    found = function.mismatch([argument.type for argument in arguments])
    return found is None or not pa.types.is_nested(arguments[found.index].type)


def _rendered(within: Expressions, name: str, arguments: list[Typed]) -> Typed:
    """Compile a call of DuckDB's function. Raises BindError."""
    if name.lower() not in within.typer.functions():
        raise BindError(name)
    rendered = exp.Anonymous(this=name.lower(), expressions=[argument.node.copy() for argument in arguments])
    return within.bind(rendered, nullable=True)


def _duckdb_call(within: Expressions, node: exp.Anonymous, name: str) -> Typed:
    if name.lower() not in within.typer.functions():
        if name.lower() in within.typer.aggregates():
            raise _aggregate(within, node, name)
        if (form := form_named(name)) is not None:
            message = f"`{form.name}` cannot stand here"
            raise refusal(
                codes.UNKNOWN_FUNCTION,
                message,
                name_span(node),
                f"`DESCRIBE FUNCTION {form.name}` says where",
            )
        known = [
            *function_names(),
            *(item.name for item in within.typer.user.all()),
            *(item.upper() for item in within.typer.functions() if item.isidentifier()),
        ]
        message = f"there is no function `{name}`"
        raise refusal(codes.UNKNOWN_FUNCTION, message, name_span(node), did_you_mean(name, known))
    if name.lower() == "struct_pack":
        return within.value(_packed(node))
    arguments = within.arguments(node)
    try:
        return _rendered(within, name, arguments)
    except BindError as fault:
        raise _misfit(within, node, name, arguments, fault) from None


def _packed(node: exp.Anonymous) -> exp.Struct:
    """Give the record of struct_pack, whose columns have the names that they have in the text."""
    fields = []
    for part in node.expressions:
        path = column_path(part)
        if isinstance(part, exp.PropertyEQ):
            fields.append(part.copy())
        elif path is not None:
            name = exp.to_identifier(path[-1].name, quoted=True)
            fields.append(exp.PropertyEQ(this=name, expression=part.copy()))
        else:
            message = "a field of the record has no name"
            raise refusal(codes.TYPE_MISMATCH, message, nearest_span(part), "write `name := value`")
    return exp.Struct(expressions=fields)


def called(function: Function, node: exp.Anonymous) -> str:
    """Give the name of a function as a call has it; those of users have another one inside, and no aliases."""
    return function.name if function.family == USER else str(node.this).upper()


def _check_types(
    within: Expressions, node: exp.Anonymous, function: Function, arguments: list[Typed]
) -> None:
    if within.inside_lambda:
        return
    found = function.mismatch([argument.type for argument in arguments])
    if found is None:
        return
    place = node.expressions[found.index]
    ordinal = _ORDINALS[found.index] if found.index < len(_ORDINALS) else f"{found.index + 1}th"
    wanted = " or ".join(kind.lower() for kind in found.expected)
    article = "an" if wanted[0] in "aeiou" else "a"
    shown = within.describe(place, arguments[found.index])
    message = f"the {ordinal} argument of `{called(function, node)}` is {article} {wanted}, not {shown}"
    way_out = None
    if "STRING" in found.expected and not isinstance(place, exp.Literal):
        way_out = f"convert it: `CAST({within.words(place)} AS string)`"
    raise refusal(codes.TYPE_MISMATCH, message, within.at(place), way_out)


def _aggregate(within: Expressions, node: exp.Expression, name: str) -> Exception:
    if within.inner is not None:
        return refusal(codes.NOT_YET, f"the aggregate `{name.upper()}` is not there yet", within.at(node))
    message = f"the aggregate `{name.upper()}` cannot stand here"
    way_out = "aggregates stand in the columns of a SELECT with GROUP BY, and in HAVING"
    return refusal(codes.BAD_GROUPING, message, within.at(node), way_out)


def _misfit(
    within: Expressions, node: exp.Anonymous, name: str, arguments: list[Typed], fault: BindError
) -> Exception:
    shown = ", ".join(
        within.describe(part, found) if not isinstance(part, exp.Lambda) else f"`{within.words(part)}`"
        for part, found in zip(node.expressions, arguments, strict=True)
    )
    message = f"`{name.upper()}` does not take {shown}" if shown else f"`{name.upper()}` takes arguments"
    begin, _, reason = str(fault).partition("\n")[0].partition(": ")
    # A constant such as a regular expression is read when the call is bound: no other value can be in these words.
    way_out = f"DuckDB says: {reason}" if begin == _OF_CONSTANTS and reason else None
    return refusal(codes.TYPE_MISMATCH, message, within.at(node), way_out)
