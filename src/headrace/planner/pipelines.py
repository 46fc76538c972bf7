"""Relations and targets into the pipelines and sources of a topology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.plan.topology import (
    Facet,
    InputColumn,
    KeyMode,
    OutputColumn,
    Pipeline,
    SourceTopic,
    ValueMode,
)
from headrace.planner.columns import at_place
from headrace.planner.relations import columns_in, follow
from headrace.planner.typed import extract, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headrace.formats.interface import Path
    from headrace.planner.relations import TopicReads
    from headrace.planner.targets import Target, Writer

TIME = "_time"


def pipelines(targets: Iterable[Target]) -> tuple[tuple[Pipeline, ...], dict[str, SourceTopic]]:
    """Give the pipelines of all targets, and the sources with the columns that they read together."""
    drafts = [(target, writer, *_draft(target, writer)) for target in targets for writer in target.writers]
    used: dict[str, tuple[TopicReads, set[str]]] = {}
    for _, writer, query, _, _ in drafts:
        reads = writer.branch.reads
        used.setdefault(reads.topic.name, (reads, set()))[1].update(columns_in([query]))
    sources = {}
    substitutes: dict[str, exp.Expression] = {}
    for name, (reads, columns) in used.items():
        sources[name] = source_columns(reads, columns, substitutes)
    found: list[Pipeline] = []
    for target, writer, query, key, value in drafts:
        _over_input(query, substitutes)
        found.append(
            Pipeline(
                id=_identifier(found, target.name, writer.branch.reads.topic.name),
                source=writer.branch.reads.topic.name,
                sink=target.name,
                query=text(query),
                key_mode=writer.key_mode,
                value_mode=writer.value_mode,
                sets_time=writer.branch.sets_time,
                key_columns=key,
                value_columns=value,
            )
        )
    return tuple(found), sources


def _draft(
    target: Target, writer: Writer
) -> tuple[exp.Select, tuple[OutputColumn, ...], tuple[OutputColumn, ...]]:
    branch = writer.branch
    columns: list[tuple[str, exp.Expression]] = []
    keys: list[OutputColumn] = []
    values: list[OutputColumn] = []
    if writer.key_mode is KeyMode.ENCODE:
        for index, column in enumerate(writer.key):
            keys.append(OutputColumn(f"k{index}", column.path))
            columns.append((keys[-1].name, at_place(column, target.key.type)))
    if writer.value_mode is ValueMode.ENCODE:
        for index, column in enumerate(writer.value):
            values.append(OutputColumn(f"v{index}", column.path))
            columns.append((values[-1].name, at_place(column, target.value.type)))
    if branch.sets_time:
        time = branch.time or branch.source.pull(Facet.META, ("timestamp",))
        columns.append((TIME, time.node))
    return branch.output(columns), tuple(keys), tuple(values)


def source_columns(
    reads: TopicReads, used: set[str], substitutes: dict[str, exp.Expression], table: str | None = None
) -> SourceTopic:
    """Decide what is decoded: of a path that is read whole and in part, the whole.

    Args:
        reads: all that was asked for while the program was bound.
        used: names of the columns that are left in the queries.
        substitutes: takes for each of these names the expression over the input's columns.
        table: qualifies them, where a query has several inputs.
    """
    wanted = {place: column for place, column in reads.columns.items() if column[0].name in used}
    columns: dict[tuple[Facet, Path], InputColumn] = {}
    for (facet, path), (_, kind) in wanted.items():
        if not any((facet, path[:length]) in wanted for length in range(len(path))):
            columns[facet, path] = InputColumn(f"c{len(columns)}", facet, path, kind)
    for (facet, path), (node, _) in wanted.items():
        length = next(size for size in range(len(path) + 1) if (facet, path[:size]) in columns)
        found: exp.Expression = exp.column(columns[facet, path[:length]].name, table=table)
        kind = columns[facet, path[:length]].type
        for name in path[length:]:
            found = extract(found, kind, name)
            kind = follow(kind, (name,))[0]
        substitutes[node.name] = found
    topic = reads.topic
    return SourceTopic(topic.name, topic.key, topic.value, tuple(columns.values()))


def _over_input(query: exp.Select, substitutes: dict[str, exp.Expression]) -> None:
    """Put the input's columns where a SELECT reads the input itself; further out they have the names of inner outputs."""
    for select in query.find_all(exp.Select):
        if not isinstance(select.args["from_"].this, exp.Table):
            continue
        parts = [*select.expressions, *filter(None, [select.args.get("where")])]
        for part in parts:
            for column in list(part.find_all(exp.Column)):
                found = substitutes.get(column.name)
                if found is None:
                    continue
                if column is part:
                    column.replace(exp.alias_(found.copy(), column.name))
                else:
                    column.replace(found.copy())


def _identifier(found: list[Pipeline], target: str, source: str) -> str:
    plain = f"{source}->{target}"
    same = sum(1 for other in found if other.source == source and other.sink == target)
    return plain if not same else f"{plain}#{same + 1}"
