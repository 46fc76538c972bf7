"""A topology as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.formats.interface import Windowing
from headrace.formats.windowed import key_of
from headrace.plan.explain.kernels import kernel_text
from headrace.plan.fingerprint import fingerprint, words
from headrace.plan.topology import Facet, KeyMode, ValueMode
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from headrace.formats.interface import Side
    from headrace.plan.operators import Column, Operator
    from headrace.plan.topology import InputColumn, Pipeline, RunSettings, Sink, SourceTopic, Topology

_KEYS = {
    KeyMode.PASS: "the input's bytes",
    KeyMode.ENCODE: "encoded",
    KeyMode.NONE: "none",
}
_WINDOWS = {Windowing.TIME: "window", Windowing.SESSION: "session"}
_VALUES = {
    ValueMode.PASS: "the input's bytes",
    ValueMode.ENCODE: "encoded",
    ValueMode.TOMBSTONE: "none (a tombstone)",
}


def text(topology: Topology) -> str:
    """Show sources, pipelines with their queries, sinks and settings, one below the other."""
    lines: list[str] = []
    for source in topology.sources.values():
        lines += [*_source(source), ""]
    for table in topology.tables.values():
        first, *rest = _source(table)
        lines += [f"{first}, whole in every thread", *rest, ""]
    for operator in topology.operators:
        lines += [*_operator(operator, topology), ""]
    for pipeline in topology.pipelines:
        lines += [*_pipeline(pipeline, topology), ""]
    for sink in topology.sinks.values():
        lines += [*_sink(sink), ""]
    lines += _settings(topology.settings)
    return "\n".join(lines) + "\n"


def _source(source: SourceTopic) -> list[str]:
    internal = " (internal)" if source.internal else ""
    lines = [f"source {source.topic}{internal}", *_sides(source.key, source.value)]
    if source.clock:
        lines.append("  event time: the machine's clock")
    if source.time_query is not None:
        lines.append(f"  event time: {source.time_query}")
    lines += [f"  reads {_place(column)} {type_name(column.type)}" for column in source.columns]
    return lines


def _pipeline(pipeline: Pipeline, topology: Topology) -> list[str]:
    lines = [
        f"pipeline {pipeline.id} [{fingerprint(pipeline, topology)}]",
        f"  key: {_KEYS[pipeline.key_mode]}; value: {_VALUES[pipeline.value_mode]}",
    ]
    if pipeline.sets_time:
        lines.append("  timestamp: from EVENTTIME BY")
    lines.append(f"  query: {pipeline.query}")
    if pipeline.combined is not None:
        lines.append(f"  rows of one group go as one: {pipeline.combined.query}")
    return [*lines, *_columns_of(pipeline.query, topology.sources.get(pipeline.source), "  ")]


def _columns_of(query: str, topic: SourceTopic | None, indent: str) -> list[str]:
    """Say which fields the columns are that a query reads of a topic."""
    if topic is None:
        return []
    used = set(words(query))
    names = [f"{column.name} = {_place(column)}" for column in topic.columns if column.name in used]
    return [f"{indent}where {', '.join(names)}"] if names else []


def _operator(operator: Operator, topology: Topology) -> list[str]:
    lines = [f"operator {operator.id}: {kernel_text(operator.kernel)}"]
    for feed in operator.feeds:
        columns = ", ".join(_column(column) for column in (*feed.key, *feed.value))
        lines.append(f"  from {feed.source} ({feed.changes.value}): {columns or 'no columns'}")
        if feed.parts:
            parts = ", ".join(_column(column) for column in feed.parts)
            lines.append(f"    a row may stand for several: {parts}")
        lines.append(f"    query: {feed.query}")
        known = topology.sources if feed in operator.task_feeds else topology.tables
        lines += _columns_of(feed.query, known.get(feed.source), "    ")
    labels = operator.labels or tuple(column.name for column in operator.columns)
    columns = ", ".join(
        _column(column) + ("" if label == column.name else f" ({label})")
        for column, label in zip(operator.columns, labels, strict=True)
    )
    lines.append(f"  gives {operator.changes.value}: {columns or 'no columns'}")
    changelog = operator.store.changelog
    configs = ", ".join(f"{key}={value}" for key, value in sorted(changelog.configs.items()))
    lines.append(f"  store {operator.store.name} [{operator.store.fingerprint}]")
    lines.append(f"  changelog {changelog.name}: {changelog.partitions} partitions, {configs}")
    return lines


def _column(column: Column) -> str:
    return f"{column.name} {type_name(column.type)}"


def _sink(sink: Sink) -> list[str]:
    lines = [f"sink {sink.topic}{' (internal)' if sink.internal else ''}", *_sides(sink.key, sink.value)]
    if sink.create is not None:
        made = f"  created if missing: {sink.create.partitions} partitions"
        configs = ", ".join(f"{key}={value}" for key, value in sorted(sink.create.configs.items()))
        lines.append(made + (f", {configs}" if configs else ""))
    registered = (sink.register_key, sink.register_value)
    lines.extend(f"  registers {pair[0]}" for pair in registered if pair is not None)
    return lines


def _sides(key: Side, value: Side) -> list[str]:
    return [f"  key {_side(key)}", f"  value {_side(value)}"]


def _side(side: Side) -> str:
    if side.window is not None:
        return f"{_side(key_of(side))} and its {_WINDOWS[side.window]}"
    if not pa.types.is_struct(side.type):
        return f"{side.format} {type_name(side.type)}"
    fields = (side.type.field(index) for index in range(side.type.num_fields))
    shown = ", ".join(
        f"{item.name} {type_name(item.type)}{'' if item.nullable else ' not null'}" for item in fields
    )
    return f"{side.format} ({shown})"


def _place(column: InputColumn) -> str:
    if column.facet is Facet.VALUE and column.path:
        return ".".join(column.path)
    return ".".join((column.facet.value, *column.path))


def _settings(settings: RunSettings) -> list[str]:
    lines = [
        f"guarantee {settings.guarantee.value}, commit every {settings.commit_interval * 1000:g} ms, threads {settings.threads}",
        f"on errors: reading {settings.on_read_error.value}, writing {settings.on_write_error.value}",
    ]
    if settings.dead_letter_topic is not None:
        lines.append(f"dead letters go to {settings.dead_letter_topic}")
    return lines
