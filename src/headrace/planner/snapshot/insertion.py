"""INSERT INTO a topic once, from VALUES or a snapshot query: which column of the rows goes where in the record."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.catalog import Definitions, format_named, windowed_name
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.topology import OutputColumn
from headrace.planner.faults import refusal
from headrace.planner.snapshot.plan import plan_query
from headrace.sql.nodes import Program, Query, Set, With
from headrace.sql.spans import set_span, span_of
from headrace.types.shape import field_named, field_names
from headrace.types.sql import duckdb_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.catalog import CatalogTopic, TopicCatalog
    from headrace.formats.interface import Path, Side
    from headrace.plan.snapshot import SnapshotPlan
    from headrace.planner.snapshot.states import StoredStates
    from headrace.sql.nodes import Insert

_KEY, _VALUE = "_key", "_value"


@dataclass(frozen=True, slots=True)
class Insertion:
    """An INSERT, ready to run.

    Args:
        rows: the query; its columns are `c0`, `c1`, ….
        target: the topic and what it holds.
        key, value: where the columns go; without key columns records have no key.
        deletes: the value is null: each record is a tombstone.
    """

    rows: SnapshotPlan
    target: CatalogTopic
    key: tuple[OutputColumn, ...]
    value: tuple[OutputColumn, ...]
    deletes: bool = False


def plan_insertion(
    insert: Insert,
    program: Program,
    catalog: TopicCatalog,
    *,
    states: StoredStates | None = None,
    definitions: Definitions | None = None,
    formats: tuple[str | None, str | None] = (None, None),
) -> Insertion:
    """Plan an INSERT that runs once.

    Args:
        insert: the statement.
        program: the text it is from; its WITH statements are known to the query.
        catalog: what the topics hold.
        states: what STATE() can read.
        definitions: views and synonyms of the log.
        formats: of key and value, where nothing else tells them (`_ktype`, `_vtype`).

    Raises:
        ProgramError: what is wrong with it. Nothing was written.
    """
    definitions = definitions or Definitions()
    try:
        return _plan(insert, program, catalog, states, definitions, formats)
    except ProgramError as fault:
        placed = [
            item if item.span is not None else replace(item, span=insert.target_span)
            for item in fault.diagnostics
        ]
        raise ProgramError(tuple(placed), program.source) from None


def _plan(
    insert: Insert,
    program: Program,
    catalog: TopicCatalog,
    states: StoredStates | None,
    definitions: Definitions,
    formats: tuple[str | None, str | None],
) -> Insertion:
    if any(select.args.get("mode") for select in insert.query.find_all(exp.Select)):
        message = "SELECT STREAM and SELECT TABLE go on for ever"
        way_out = "start the program with `headrace run`, or leave the word out to insert what is there now"
        raise refusal(codes.NOT_ONE_QUERY, message, insert.target_span, way_out)
    if insert.target in definitions.views:
        message = f"`{insert.target}` is a view: nothing can be written to it"
        raise refusal(codes.INCOMPATIBLE_TARGET, message, insert.target_span)
    target = _target(insert, catalog, definitions, formats)
    earlier = [item for item in program.statements if isinstance(item, With | Set)]
    query = Query(_typed(insert, target), insert.names, insert.span)
    rows = plan_query(Program((*earlier, query), program.source), catalog, states, definitions)
    assert rows.names is not None
    paths = insert.columns or _paths(insert, rows.names, target)
    if len(paths) != len(rows.names):
        raise _other_number(insert, paths, len(rows.names))
    key: list[OutputColumn] = []
    value: list[OutputColumn] = []
    for index, path in enumerate(paths):
        facet, rest = _place(path)
        side = target.key if facet == _KEY else target.value
        _check_path(side, facet, rest, insert)
        (key if facet == _KEY else value).append(OutputColumn(f"c{index}", rest))
    for facet, columns in ((_KEY, key), (_VALUE, value)):
        _check_once(facet, [column.path for column in columns], insert)
    named = replace(rows, names=tuple(f"c{index}" for index in range(len(paths))))
    return Insertion(named, target, tuple(key), tuple(value))


def _target(
    insert: Insert,
    catalog: TopicCatalog,
    definitions: Definitions,
    formats: tuple[str | None, str | None],
) -> CatalogTopic:
    name = definitions.synonyms.get(insert.target, insert.target)
    if catalog.describe(name) is None:
        message = f"there is no topic `{name}`"
        way_out = did_you_mean(name, catalog.names()) or f"make it: CREATE TABLE {name} (…) FORMAT (…)"
        raise refusal(codes.MISSING_TARGET, message, insert.target_span, way_out)
    window, key = None, insert.store_key or formats[0]
    if key is not None:
        window, key = windowed_name(key)
    value = insert.store_value or formats[1]
    wanted = (None if text is None else format_named(text, insert.target_span) for text in (key, value))
    found = catalog.topic(name, *wanted)
    assert found is not None
    return found.with_window(window)


def _paths(insert: Insert, names: Sequence[str], target: CatalogTopic) -> tuple[Path, ...]:
    if not isinstance(insert.query, exp.Values):
        return tuple(tuple(name.split(".")) for name in names)
    fields = field_names(target.value.type)
    if not fields:
        return ((_VALUE,),)
    return tuple((name,) for name in fields)


def _typed(insert: Insert, target: CatalogTopic) -> exp.Expression:
    """Give the query with a type for the empty arrays in VALUES, which have none of their own."""
    if not isinstance(insert.query, exp.Values):
        return insert.query
    query = insert.query.copy()
    kinds = [_type_of(path, target) for path in insert.columns or _paths(insert, (), target)]
    for index, kind in enumerate(kinds):
        column = [row.expressions[index] for row in query.expressions if index < len(row.expressions)]
        arrays = [item for item in column if isinstance(item, exp.Array)]
        if not pa.types.is_list(kind) or all(item.expressions for item in arrays):
            continue
        for item in arrays:
            # Those with elements too, so that all have one type.
            typed = exp.Cast(this=item.copy(), to=exp.DataType.build(duckdb_type(kind), dialect="duckdb"))
            place = span_of(item)
            if place is not None:
                set_span(typed, place)
            item.replace(typed)
    return query


def _type_of(path: Path, target: CatalogTopic) -> pa.DataType:
    """Give the type of a column of the target; null if it has no such column."""
    facet, rest = _place(path)
    kind = (target.key if facet == _KEY else target.value).type
    for name in rest:
        part = field_named(kind, name)
        if part is None:
            return pa.null()
        kind = part.type
    return kind


def _place(path: Path) -> tuple[str, Path]:
    if path[0] in (_KEY, _VALUE):
        return path[0], path[1:]
    return _VALUE, path


def _other_number(insert: Insert, paths: Sequence[Path], values: int) -> Exception:
    """Give the refusal of rows that have more or fewer values than there are columns."""
    has = f"each row has {values} value{'' if values == 1 else 's'}"
    if insert.columns:
        message = f"{len(paths)} column{' is' if len(paths) == 1 else 's are'} named, and {has}"
        return refusal(codes.INCOMPATIBLE_TARGET, message, insert.target_span)
    names = ", ".join(f"`{'.'.join(path)}`" for path in paths)
    message = f"without names the values are those of {names}, and {has}"
    way_out = f"name the columns, the key too: `INSERT INTO {insert.target} (_key, {'.'.join(paths[0])}, …) VALUES …`"
    return refusal(codes.INCOMPATIBLE_TARGET, message, insert.target_span, way_out)


def _check_once(facet: str, paths: Sequence[Path], insert: Insert) -> None:
    """Refuse a column that is given twice, and a record beside a field of it: one of the values would be lost."""
    for index, path in enumerate(paths):
        for other in paths[:index]:
            least = min(len(path), len(other))
            if path[:least] != other[:least]:
                continue
            first, second = (
                ".".join((facet, *item) if facet == _KEY or not item else item) for item in (other, path)
            )
            message = (
                f"column `{second}` is named twice"
                if first == second
                else f"`{first}` and `{second}` are named, and one holds the other"
            )
            raise refusal(codes.DUPLICATE_OUTPUT, message, insert.target_span, "name each column once")


def _check_path(side: Side, facet: str, path: Path, insert: Insert) -> None:
    kind = side.type
    for depth, name in enumerate(path):
        part = field_named(kind, name)
        if part is None:
            names = field_names(kind)
            shown = ".".join((facet, *path[: depth + 1]))
            message = f"`{insert.target}` has no column `{shown}`"
            way_out = did_you_mean(name, names) or (f"it has {', '.join(names)}" if names else None)
            fault = Diagnostic(codes.INCOMPATIBLE_TARGET, message, insert.target_span, way_out)
            raise ProgramError((fault,))
        kind = part.type
