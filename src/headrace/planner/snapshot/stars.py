"""The select list: what `*`, `alias.*` and COLUMNS(…) stand for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import META, NoSuchField
from headrace.sql.nodes import Target
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span, set_span, span_of

if TYPE_CHECKING:
    from headrace.planner.expressions import Expressions
    from headrace.planner.scope import Scope
    from headrace.planner.snapshot.sources import Sources
    from headrace.planner.typed import Typed

_COLUMNS = "COLUMNS"


def items(node: exp.Expression, sources: Sources, within: Expressions) -> list[tuple[str, Typed]]:
    """Give the columns that an item of the select list makes, with their names.

    Raises:
        ProgramError: it is wrong.
    """
    star = node if isinstance(node, exp.Star) else node.this if isinstance(node, exp.Column) else None
    if isinstance(star, exp.Star):
        return _star(node, star, sources, within)
    if isinstance(node, exp.Binary) and isinstance(node.this, exp.Star):
        message = "a condition on the names that `*` means"
        raise refusal(codes.DUCKDB_FORM, message, nearest_span(node), "write `COLUMNS('regular expression')`")
    if isinstance(node, exp.Alias):
        return [(node.alias, within.value(node.this))]
    if isinstance(node, Target):
        return [(".".join(part.name for part in node.expressions), within.value(node.this))]
    expander = next((call for call in node.find_all(exp.Anonymous) if is_columns(call)), None)
    if expander is not None:
        return _each_column(node, expander, sources, within)
    return [(_name(node, within), within.value(node))]


def is_columns(node: exp.Expression) -> bool:
    """Say whether a node is COLUMNS(…)."""
    return isinstance(node, exp.Anonymous) and str(node.this).upper() == _COLUMNS


def _name(node: exp.Expression, within: Expressions) -> str:
    parts = column_path(node)
    if parts is not None:
        return str(parts[-1].name)
    return str(node.this) if isinstance(node, exp.Anonymous) else within.words(node)


def _star(
    node: exp.Expression, star: exp.Star, sources: Sources, within: Expressions
) -> list[tuple[str, Typed]]:
    parts = [
        part for key in ("catalog", "db", "table") if isinstance(part := node.args.get(key), exp.Identifier)
    ]
    if not sources.scopes:
        raise refusal(codes.UNKNOWN_COLUMN, "`*` needs FROM", nearest_span(node))
    facet = sources.star(parts)
    if facet is None or facet is Facet.HEADERS:
        message = f"`{within.words(node)}` means no part of a source"
        # DuckDB lets it mean the fields of a record in a column.
        raise refusal(codes.DUCKDB_FORM, message, nearest_span(node))
    owner = sources.scope_named(parts[0].name) if parts else None
    scopes = [owner] if owner is not None else sources.scopes
    found: list[tuple[str, Typed]] = []
    for scope in scopes:
        if facet is Facet.META:
            found += _meta(node, scope, within)
            continue
        kind = scope.relation.type_of(facet)
        if not pa.types.is_struct(kind):
            found.append((facet.value, scope.relation.pull(facet, ())))
            continue
        for index in range(kind.num_fields):
            name = kind.field(index).name
            if owner is not None:
                found.append((name, scope.relation.pull(facet, (name,))))
            elif (scope.alias, name) not in sources.merged_away:
                merged = sources.merged.get(name) if facet is Facet.VALUE else None
                found.append((name, merged or scope.relation.pull(facet, (name,))))
    return _changed(found, star, within)


def _meta(node: exp.Expression, scope: Scope, within: Expressions) -> list[tuple[str, Typed]]:
    try:
        return [(name, scope.relation.pull(Facet.META, (name,))) for name in META]
    except NoSuchField:
        message = f"`{within.words(node)}`: the rows of `{scope.alias}` are no records of a topic"
        raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(node)) from None


def _changed(found: list[tuple[str, Typed]], star: exp.Star, within: Expressions) -> list[tuple[str, Typed]]:
    """Apply EXCLUDE and REPLACE."""
    names = [name for name, _ in found]
    left_out = star.args.get("except_") or ()
    replaced = star.args.get("replace") or ()
    for item, name in [*((item, item.name) for item in left_out), *((item, item.alias) for item in replaced)]:
        if name not in names:
            message = f"`*` has no column `{name}`"
            place = item.args["alias"] if isinstance(item, exp.Alias) else item
            raise refusal(codes.UNKNOWN_COLUMN, message, span_of(place), did_you_mean(name, names))
    gone = {item.name for item in left_out}
    instead = {item.alias: within.value(item.this) for item in replaced}
    return [(name, instead.get(name) or value) for name, value in found if name not in gone]


def _each_column(
    node: exp.Expression, expander: exp.Anonymous, sources: Sources, within: Expressions
) -> list[tuple[str, Typed]]:
    """Take an item with COLUMNS(…) in it once for each column that this means."""
    argument = expander.expressions[0] if len(expander.expressions) == 1 else None
    if isinstance(argument, exp.Star):
        names = [name for name, _ in _star(argument, argument, sources, within)]
    elif isinstance(argument, exp.Literal) and argument.is_string:
        names = _matching(argument, sources.columns())
    else:
        message = "COLUMNS takes `*` or a regular expression"
        raise refusal(codes.DUCKDB_FORM, message, nearest_span(expander))
    found = []
    for name in names:
        whole = exp.Paren(this=node.copy())
        for call in [call for call in whole.find_all(exp.Anonymous) if is_columns(call)]:
            column = exp.column(exp.to_identifier(name, quoted=True))
            place = nearest_span(call)
            for part in (column, column.this):
                if place is not None:
                    set_span(part, place)
            call.replace(column)
        found.append((name, within.value(whole.this)))
    return found


def _matching(pattern: exp.Literal, names: list[str]) -> list[str]:
    try:
        found = [name for name in names if re.search(pattern.name, name)]
    except re.error:
        found = []
    if not found:
        message = f"no column has a name like `{pattern.name}`"
        raise refusal(codes.UNKNOWN_COLUMN, message, span_of(pattern), did_you_mean(pattern.name, names))
    return found
