"""Targets and the operators that they reach into the sources, operators, pipelines and sinks of a topology.

Queries are drafted from the targets upwards, so that each operator and topic knows what is read of it; then the columns of what
stands at the bottom of each query are put in.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from sqlglot import exp

from headrace.formats.interface import WINDOW_END, WINDOW_KEY, WINDOW_START, Format, Side
from headrace.log.interface import TopicDescription
from headrace.plan.operators import OP, TIME, Changes, Feed, Operator
from headrace.plan.topology import (
    ROW,
    TOMBSTONE,
    Combined,
    Facet,
    InputColumn,
    KeyMode,
    OutputColumn,
    Pipeline,
    Sink,
    SourceTopic,
    ValueMode,
)
from headrace.planner.clock import fed_by_clock, runs_by_clock
from headrace.planner.columns import at_place
from headrace.planner.inputs import over_input, source_columns
from headrace.planner.matching.draft import MatchDraft
from headrace.planner.relations import SelectRelation, TopicReads, columns_in
from headrace.planner.separation import separate
from headrace.planner.stateful.drafts import WINDOW_BOUNDS, OperatorDraft
from headrace.planner.stores import APPLICATION, store, store_name
from headrace.planner.typed import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headrace.planner.relations import Reads, Relation
    from headrace.planner.stateful.drafts import Branch, FeedDraft
    from headrace.planner.targets import Target, Writer


@dataclass(frozen=True, slots=True)
class Assembled:
    """The graph of a topology."""

    sources: dict[str, SourceTopic]
    sinks: dict[str, Sink]
    pipelines: tuple[Pipeline, ...]
    operators: tuple[Operator, ...]
    tables: dict[str, SourceTopic]


def assemble(targets: Mapping[str, Target]) -> Assembled:
    """Give the graph of all targets.

    Raises:
        ProgramError: columns that cannot be told apart.
    """
    return _Assembly(targets).graph()


@dataclass(slots=True)
class _Draft:
    """A query over the rows of one topic or operator, with the planner's names for columns."""

    reads: Reads
    query: exp.Select
    sets_time: bool
    sets_op: bool = False
    key: tuple[OutputColumn, ...] = ()
    value: tuple[OutputColumn, ...] = ()
    timed: exp.Select | None = None
    """The same query with event times, where rows may be combined."""


@dataclass(slots=True)
class _Assembly:
    targets: Mapping[str, Target]
    used: dict[int, set[str]] = field(default_factory=dict)
    """By identity of what is read: the names of its columns that queries read."""
    topics: list[TopicReads] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    """By identity of an operator: its name."""
    substitutes: dict[str, exp.Expression] = field(default_factory=dict)
    pipelines: list[Pipeline] = field(default_factory=list)
    sources: dict[str, SourceTopic] = field(default_factory=dict)
    tables: dict[str, SourceTopic] = field(default_factory=dict)
    sinks: dict[str, Sink] = field(default_factory=dict)

    def graph(self) -> Assembled:
        drafts = self._operators()
        separate(drafts)
        written = [
            (target, writer, self._noted(_written(target, writer)))
            for target in self.targets.values()
            for writer in target.writers
        ]
        fed: dict[int, list[list[_Draft]]] = {}
        for draft in reversed(drafts):
            draft.prune(self.used.get(id(draft), set()))
            fed[id(draft)] = [
                [self._noted(_fed(branch, feed)) for branch in feed.branches] for feed in draft.feeds
            ]
        times = self._event_times(drafts)
        for reads in self.topics:
            into = self.tables if reads.broadcast else self.sources
            into[reads.topic.name] = source_columns(reads, self.used[id(reads)], self.substitutes)
        for draft in drafts:
            for name, (node, _) in draft.columns.items():
                self.substitutes[node.name] = exp.column(name, table="input")
        for name, query in times.items():
            over_input(query, self.substitutes)
            self.sources[name] = replace(self.sources[name], time_query=text(query))
        operators = tuple(self._operator(draft, fed[id(draft)]) for draft in drafts)
        for target, writer, found in written:
            self._pipeline(found, target.name, target.name, writer.key_mode, writer.value_mode, deletes=True)
        self.sinks = {**{name: target.sink() for name, target in self.targets.items()}, **self.sinks}
        return Assembled(self.sources, self.sinks, tuple(self.pipelines), operators, self.tables)

    def _event_times(self, drafts: list[OperatorDraft]) -> dict[str, exp.Select]:
        """Give, by topic, the query for the event times of its records, if all operators that read it take the same."""
        found: dict[str, list[exp.Select | None]] = {}
        for draft in drafts:
            for feed in draft.feeds:
                for branch in feed.branches:
                    reads = branch.rows.reads
                    # What comes through a repartition topic has the order of the records' timestamps, unless order is the point.
                    ordered = feed.repartition is None or isinstance(draft, MatchDraft)
                    if isinstance(reads, TopicReads) and not reads.broadcast and ordered:
                        found.setdefault(reads.topic.name, []).append(_event_time(branch.rows))
        agreed = {
            name: queries[0] for name, queries in found.items() if all(q == queries[0] for q in queries)
        }
        times = {name: query for name, query in agreed.items() if query is not None}
        for query in times.values():
            for reads in self.topics:
                self.used[id(reads)] |= columns_in([query])
        return times

    def _operators(self) -> list[OperatorDraft]:
        """Give all operators that targets reach, each behind those that it reads from, and name them."""
        found: list[OperatorDraft] = []

        def visit(reads: Reads, target: str) -> None:
            if not isinstance(reads, OperatorDraft) or id(reads) in self.names:
                return
            for feed in reads.feeds:
                for below in feed.reads:
                    visit(below, target)
            self.names[id(reads)] = store_name(target, reads.kind, tuple(self.names.values()))
            found.append(reads)

        for target in self.targets.values():
            for writer in target.writers:
                visit(writer.branch.reads, target.name)
        return found

    def _noted(self, draft: _Draft) -> _Draft:
        """Note what a query reads."""
        if id(draft.reads) not in self.used and isinstance(draft.reads, TopicReads):
            self.topics.append(draft.reads)
        queries = [draft.query] if draft.timed is None else [draft.query, draft.timed]
        self.used.setdefault(id(draft.reads), set()).update(columns_in(queries))
        return draft

    def _operator(self, draft: OperatorDraft, fed: list[list[_Draft]]) -> Operator:
        name = self.names[id(draft)]
        feeds = tuple(self._feed(name, feed, queries) for feed, queries in zip(draft.feeds, fed, strict=True))
        columns = draft.output_columns()
        kernel = draft.kernel(feeds)
        labels = tuple(draft.label(column.name) for column in columns)
        made = store(name, draft, kernel, columns)
        return Operator(name, kernel, columns, draft.changes, made, labels, runs_by_clock(draft))

    def _feed(self, operator: str, feed: FeedDraft, queries: list[_Draft]) -> Feed:
        key, value = feed.key_columns(), feed.value_columns()
        if feed.repartition is not None:
            return self._repartitioned(operator, feed, queries)
        (draft,) = queries
        query = self._finished(draft)
        return Feed(
            self._source(draft.reads),
            query,
            key,
            value,
            feed.changes,
            draft.sets_time,
            draft.sets_op,
            feed.labels(),
        )

    def _repartitioned(self, operator: str, feed: FeedDraft, queries: list[_Draft]) -> Feed:
        """Send the rows of a feed through a topic whose key is that of the operator."""
        key = feed.key_columns()
        parts = () if feed.merged is None else feed.merged.columns()
        value = parts or feed.value_columns()
        short = "-".join(part for part in (operator, feed.label, "repartition") if part)
        topic = f"{APPLICATION}-{short}"
        assert feed.repartition is not None
        carried = [*((column.name, column.type) for column in value)]
        if any(query.sets_op for query in queries):
            carried.append((OP, pa.int8()))
        record = feed.key_format is Format.ROWS
        sides = (
            Side(
                feed.key_format,
                pa.struct([(column.name, column.type) for column in key]) if record else key[0].type,
            ),
            Side(Format.ROWS, pa.struct(carried)),
        )
        create = TopicDescription(
            topic, feed.repartition, -1, {"cleanup.policy": "delete", "retention.ms": "-1"}
        )
        self.sinks[topic] = Sink(topic, *sides, create, internal=True)
        key_mode = KeyMode.ENCODE if key else KeyMode.NONE
        for draft in queries:
            combined = self._combined(draft, feed)
            self._pipeline(draft, topic, short, key_mode, ValueMode.ENCODE, deletes=False, combined=combined)
        columns = [(Facet.KEY, column.name, column.type) for column in key]
        columns += [(Facet.VALUE, name, kind) for name, kind in carried]
        inputs = tuple(
            InputColumn(f"c{index}", facet, (name,) if record or facet is Facet.VALUE else (), kind)
            for index, (facet, name, kind) in enumerate(columns)
        )
        self.sources[topic] = SourceTopic(topic, *sides, inputs, internal=True, clock=fed_by_clock(feed))
        names = [name for _, name, _ in columns]
        selected = ", ".join(
            ["_row", *(f"{item.name} AS {name}" for item, name in zip(inputs, names, strict=True))]
        )
        sets_op = carried[-1:] == [(OP, pa.int8())]
        query = f"SELECT {selected} FROM input"
        whole = feed.value_columns()
        return Feed(topic, query, key, whole, feed.changes, False, sets_op, feed.labels(), parts)

    def _combined(self, draft: _Draft, feed: FeedDraft) -> Combined | None:
        """Give the query that puts rows of one group together."""
        if draft.timed is None or feed.merged is None:
            return None
        merged = feed.merged
        keys = [column.name for column in feed.key_columns()]
        values = [
            f"{merge.format(column.name)} AS {column.name}"
            for merge, column in zip(merged.merges, merged.columns(), strict=True)
        ]
        grouped = list(keys)
        if keys:
            # Rows without a group are counted one by one.
            absent = " AND ".join(f"{name} IS NULL" for name in keys)
            grouped.append(f"CASE WHEN {absent} THEN {ROW} END")
        offset = 0 if merged.window is None else merged.window.offset
        if merged.pane:
            grouped.append(f"({TIME} - {offset}) // {merged.pane}")
        times = [f"max({TIME}) AS {TIME}", f"min({TIME}) AS _least", f"count({TIME}) < count(*) AS _undated"]
        selected = ", ".join([f"min({ROW}) AS {ROW}", *keys, *values, *times])
        # Without a group all rows are one; without rows there is none.
        groups = f"GROUP BY {', '.join(grouped)}" if grouped else "HAVING count(*) > 0"
        query = f"SELECT {selected} FROM ({self._text(draft.timed)}) AS rows {groups} ORDER BY 1"
        grace = 0 if merged.window is None else merged.window.grace
        return Combined(query, merged.pane, offset, grace)

    def _pipeline(
        self,
        draft: _Draft,
        sink: str,
        short: str,
        key_mode: KeyMode,
        value_mode: ValueMode,
        *,
        deletes: bool,
        combined: Combined | None = None,
    ) -> None:
        source = self._source(draft.reads)
        self.pipelines.append(
            Pipeline(
                id=_identifier(self.pipelines, source, sink, short),
                source=source,
                sink=sink,
                query=self._finished(draft),
                key_mode=key_mode,
                value_mode=value_mode,
                sets_time=draft.sets_time,
                key_columns=draft.key,
                value_columns=draft.value,
                deletes=deletes,
                combined=combined,
            )
        )

    def _source(self, reads: Reads) -> str:
        if isinstance(reads, TopicReads):
            return reads.topic.name
        return self.names[id(reads)]

    def _finished(self, draft: _Draft) -> str:
        return self._text(draft.query)

    def _text(self, drafted: exp.Select) -> str:
        query = drafted.copy()
        over_input(query, self.substitutes)
        return text(query)


def _written(target: Target, writer: Writer) -> _Draft:
    """Draft the query of a pipeline into a target."""
    branch = writer.branch
    columns: list[tuple[str, exp.Expression]] = []
    keys: list[OutputColumn] = []
    values: list[OutputColumn] = []
    if writer.key_mode is KeyMode.ENCODE:
        for index, column in enumerate(writer.key):
            keys.append(OutputColumn(f"k{index}", column.path))
            columns.append((keys[-1].name, at_place(column, target.key.type)))
        if target.window is not None:
            # The key is a part of the record that stands for key and window.
            keys = [OutputColumn(column.name, (WINDOW_KEY, *column.path)) for column in keys]
            for name, (bound, own) in zip((WINDOW_START, WINDOW_END), WINDOW_BOUNDS.items(), strict=True):
                keys.append(OutputColumn(own, (name,)))
                columns.append((own, branch.source.pull(Facet.META, ("_window", bound)).node))
    if writer.value_mode is ValueMode.ENCODE:
        for index, column in enumerate(writer.value):
            values.append(OutputColumn(f"v{index}", column.path))
            columns.append((values[-1].name, at_place(column, target.value.type)))
    columns += _time(branch)
    query = branch.output(columns)
    return _Draft(branch.reads, query, branch.sets_time, key=tuple(keys), value=tuple(values))


def _fed(branch: Branch, feed: FeedDraft) -> _Draft:
    """Draft the query of one branch into an operator."""
    rows = branch.rows
    keys, values, found = feed.key_columns(), feed.value_columns(), branch.value
    if feed.merged is not None:
        values, found = feed.merged.columns(), feed.merged.values
    columns = [
        (column.name, part.node) for column, part in zip([*keys, *values], [*branch.key, *found], strict=True)
    ]
    columns += _time(rows)
    paths = [OutputColumn(column.name, (column.name,)) for column in values]
    op = branch.op
    if feed.repartition is not None and feed.changes is not Changes.APPEND:
        # Old and new row may part there, so that each stands for itself.
        op = op or _own_op(rows)
    if op is not None and not (feed.repartition is not None and feed.changes is Changes.APPEND):
        columns.append((OP, op))
        paths.append(OutputColumn(OP, (OP,)))
    query = rows.output(columns)
    record = feed.key_format is Format.ROWS
    key = tuple(OutputColumn(column.name, (column.name,) if record else ()) for column in keys)
    timed = None
    if feed.merged is not None:
        timed = rows.output(columns if rows.sets_time else [*columns, (TIME, _time_of(rows))])
    return _Draft(rows.reads, query, rows.sets_time, columns[-1:] == [(OP, op)], key, tuple(paths), timed)


def _time(rows: SelectRelation) -> list[tuple[str, exp.Expression]]:
    return [(TIME, _time_of(rows))] if rows.sets_time else []


def _time_of(rows: SelectRelation) -> exp.Expression:
    time = rows.event_time or rows.source.pull(Facet.META, ("timestamp",))
    return time.node


def _event_time(rows: SelectRelation) -> exp.Select | None:
    """Give the query for the event times of a topic's records, before any of them is left out; None for their timestamps."""
    relation: Relation = rows
    while isinstance(relation, SelectRelation) and relation.time is None:
        relation = relation.source
    found = relation.event_time if isinstance(relation, SelectRelation) else None
    if not isinstance(relation, SelectRelation) or found is None:
        return None
    time = found.node.copy()
    query = exp.Select(expressions=[exp.column(ROW), exp.alias_(time, TIME)])
    query = query.from_(relation.source.render(columns_in([time])))
    if relation.source.tombstones and not relation.tombstones:
        query.set("where", exp.Where(this=exp.Not(this=exp.column(TOMBSTONE))))
    return query


def _own_op(rows: SelectRelation) -> exp.Expression:
    """Give a row's kind as INSERT or DELETE."""
    kind = rows.source.pull(Facet.META, (OP,)).node
    positive = exp.GT(this=kind, expression=exp.Literal.number(0))
    sign = exp.Case(ifs=[exp.If(this=positive, true=exp.Literal.number(1))], default=exp.Literal.number(-1))
    return exp.cast(sign, "TINYINT", dialect="duckdb")


def _identifier(found: Iterable[Pipeline], source: str, sink: str, short: str) -> str:
    plain = f"{source}->{short}"
    same = sum(1 for other in found if other.source == source and other.sink == sink)
    return plain if not same else f"{plain}#{same + 1}"
