"""The list of a SELECT into items: what each column is called, and whether it goes to the key or the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.joins.names import JoinNames
from headrace.planner.relations import META, Item
from headrace.sql.nodes import Target
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span, span_of
from headrace.types.shape import field_names
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from headrace.formats.interface import Path
    from headrace.planner.expressions import Expressions
    from headrace.planner.faults import Faults
    from headrace.planner.typed import Typed

_WRITABLE = {"_key": Facet.KEY, "_value": Facet.VALUE}
_READ_ONLY = ("_meta", "_header", "_headers")


@dataclass(frozen=True, slots=True)
class Projection:
    """The items of a SELECT. `star`: the value is the source's, whole."""

    items: tuple[Item, ...]
    star: bool


def projection(select: exp.Select, within: Expressions, faults: Faults) -> Projection | None:
    """Compile the list of a SELECT; None if something in it is wrong, which `faults` then has."""
    items: list[Item] = []
    good = True
    # The value of a join is made of its sources' columns.
    star = _is_whole_star(select.expressions) and not isinstance(within.scope, JoinNames)
    for node in select.expressions:
        if star and _star_facet(node, within) is Facet.VALUE:
            continue
        try:
            items += _items(node, within)
        except ProgramError as fault:
            faults.add(fault.diagnostics)
            good = False
    if good and not star and not any(item.facet is Facet.VALUE for item in items):
        message = "the SELECT writes the key and no value"
        way_out = "add `*` to keep the value, or `NULL AS _value` to delete the key"
        faults.add([Diagnostic(codes.BAD_TARGET, message, span_of(select.expressions[0]), way_out)])
        good = False
    doubles = list(_duplicates(items))
    faults.add(doubles)
    if not good or doubles:
        return None
    return Projection(tuple(items), star)


def _is_whole_star(nodes: list[exp.Expression]) -> bool:
    """Say whether the value is made of one plain `*` and nothing else."""
    values = [node for node in nodes if not _writes_key(node)]
    if len(values) != 1:
        return False
    node = values[0]
    if isinstance(node, exp.Star):
        return not node.args.get("except_") and not node.args.get("replace")
    star = node.this if isinstance(node, exp.Column) else None
    parts = _qualifiers(node) if isinstance(star, exp.Star) else None
    if parts is None or star is None or star.args.get("except_") or star.args.get("replace"):
        return False
    return parts[-1].name not in ("_key", *_READ_ONLY)


def _writes_key(node: exp.Expression) -> bool:
    return isinstance(node, Target) and node.expressions[0].name == "_key"


def _items(node: exp.Expression, within: Expressions) -> list[Item]:
    facet = _star_facet(node, within)
    if facet is not None:
        return _expand(facet, node, within)
    if isinstance(node, Target):
        target, path = _target(list(node.expressions), node)
        return [Item(target, path, within.value(node.this), span_of(node))]
    if isinstance(node, exp.Alias):
        target, path = _target([node.args["alias"]], node)
        return [Item(target, path, within.value(node.this), span_of(node))]
    value = within.value(node)
    parts = column_path(node)
    if parts is not None and [part.name for part in parts][-1] == "_value":
        return [Item(Facet.VALUE, (), value, span_of(node))]
    name = parts[-1].name if parts is not None else within.words(node)
    if isinstance(node, exp.Dot) and parts is None:
        name = node.expression.name
    return [Item(Facet.VALUE, (name,), value, span_of(node))]


def _target(parts: list[exp.Expression], node: exp.Expression) -> tuple[Facet, Path]:
    names = tuple(part.name for part in parts)
    if names[0] in _READ_ONLY:
        message = f"`{names[0]}` can be read and not written"
        raise refusal(codes.BAD_TARGET, message, span_of(parts[0]))
    facet = _WRITABLE.get(names[0])
    if facet is None:
        return Facet.VALUE, names
    return facet, names[1:]


def _star_facet(node: exp.Expression, within: Expressions) -> Facet | None:
    if isinstance(node, exp.Star):
        return Facet.VALUE
    if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Star):
        return None
    parts = _qualifiers(node)
    facet = within.scope.star(parts)
    if facet is None or facet is Facet.HEADERS:
        shown = ".".join(part.name for part in parts)
        message = f"`{shown}.*` means no part of `{within.scope.alias}`"
        raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(node), "`_key.*`, `_value.*` and `*` do")
    return facet


def _qualifiers(node: exp.Expression) -> list[exp.Identifier]:
    parts = (node.args.get(key) for key in ("catalog", "db", "table"))
    return [part for part in parts if isinstance(part, exp.Identifier)]


def _expand(facet: Facet, node: exp.Expression, within: Expressions) -> list[Item]:
    span = span_of(node)
    relation = within.scope.relation
    star = node if isinstance(node, exp.Star) else node.this
    if facet is Facet.META:
        return [Item(Facet.VALUE, (name,), relation.pull(facet, (name,)), span) for name in META]
    if isinstance(within.scope, JoinNames):
        return _expand_join(facet, node, star, within, within.scope)
    kind = relation.type_of(facet)
    if not pa.types.is_struct(kind):
        message = (
            f"the {facet.value[1:]} of `{within.scope.alias}` is one {type_name(kind)} and has no fields"
        )
        way_out = f"name it: `{facet.value} AS name`"
        raise refusal(codes.UNKNOWN_COLUMN, message, span, way_out)
    left_out = _excluded(star, field_names(kind), within)
    replaced = {item.alias: within.value(item.this) for item in star.args.get("replace") or ()}
    names = [kind.field(index).name for index in range(kind.num_fields)]
    return [
        Item(Facet.VALUE, (name,), replaced.get(name) or relation.pull(facet, (name,)), span)
        for name in names
        if name not in left_out
    ]


def _expand_join(
    facet: Facet, node: exp.Expression, star: exp.Expression, within: Expressions, names: JoinNames
) -> list[Item]:
    """Give the columns of one source, or of all: those of USING once."""
    columns: list[tuple[str, Typed]] = []
    sources = names.starred([] if isinstance(node, exp.Star) else _qualifiers(node))
    for scope in sources:
        kind = scope.relation.type_of(facet)
        if not pa.types.is_struct(kind):
            message = f"the {facet.value[1:]} of `{scope.alias}` is one {type_name(kind)} and has no fields"
            way_out = f"name it: `{scope.alias}.{facet.value} AS name`"
            raise refusal(codes.UNKNOWN_COLUMN, message, span_of(node), way_out)
        for name in field_names(kind):
            if len(sources) > 1 and (scope.alias, name) in names.hidden:
                continue
            merged = names.merged.get(name) if len(sources) > 1 else None
            columns.append((name, merged or scope.relation.pull(facet, (name,))))
    left_out = _excluded(star, [name for name, _ in columns], within)
    shown = [name for name, _ in columns if name not in left_out]
    twice = list(dict.fromkeys(name for name in shown if shown.count(name) > 1))
    if twice:
        names_shown = ", ".join(f"`{name}`" for name in twice[:8]) + (", …" if len(twice) > 8 else "")
        message = f"`*` gives columns of the same name: {names_shown}"
        way_out = (
            f"name columns, or all of one source: `{names.scopes[0].alias}.*`; `USING (x)` makes one of two"
        )
        raise refusal(codes.DUPLICATE_OUTPUT, message, span_of(node), way_out)
    replaced = {item.alias: within.value(item.this) for item in star.args.get("replace") or ()}
    span = span_of(node)
    return [
        Item(Facet.VALUE, (name,), replaced.get(name) or value, span)
        for name, value in columns
        if name not in left_out
    ]


def _excluded(star: exp.Expression, names: list[str], within: Expressions) -> set[str]:
    found = set()
    for node in star.args.get("except_") or ():
        parts = column_path(node)
        if parts is None or len(parts) != 1 or parts[0].name not in names:
            message = f"`{within.words(node)}` is no column of `*`"
            raise refusal(codes.UNKNOWN_COLUMN, message, nearest_span(node))
        found.add(parts[0].name)
    return found


def _duplicates(items: list[Item]) -> list[Diagnostic]:
    found = []
    seen: dict[tuple[Facet, Path], Item] = {}
    for item in items:
        for (facet, path), other in seen.items():
            shorter = min(len(path), len(item.path))
            if facet is not item.facet or path[:shorter] != item.path[:shorter]:
                continue
            found.append(_duplicate(item, other))
            break
        seen.setdefault((item.facet, item.path), item)
    return found


def _duplicate(item: Item, other: Item) -> Diagnostic:
    name = _shown(item)
    if item.path == other.path:
        message = f"two columns are called `{name}`"
    elif not item.path or not other.path:
        whole = item if not item.path else other
        message = f"`{_shown(whole)}` is the whole {whole.facet.value[1:]}, so no field can stand beside it"
    else:
        message = f"`{name}` and `{_shown(other)}` are inside one another"
    way_out = "give one of them another name with AS" if item.path else None
    return Diagnostic(codes.DUPLICATE_OUTPUT, message, item.span, way_out)


def _shown(item: Item) -> str:
    if item.facet is Facet.VALUE and item.path:
        return ".".join(item.path)
    return ".".join((item.facet.value, *item.path))
