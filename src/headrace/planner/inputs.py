"""What is decoded of a topic, and how queries read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.plan.topology import Facet, InputColumn, SourceTopic
from headrace.planner.relations import follow
from headrace.planner.typed import extract

if TYPE_CHECKING:
    from headrace.formats.interface import Path
    from headrace.planner.relations import TopicReads


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


def over_input(query: exp.Select, substitutes: dict[str, exp.Expression]) -> None:
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
