"""A topology as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.plan.fingerprint import fingerprint, words
from headrace.plan.topology import Facet, KeyMode, ValueMode
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from headrace.formats.interface import Side
    from headrace.plan.topology import InputColumn, Pipeline, RunSettings, Sink, SourceTopic, Topology

_KEYS = {
    KeyMode.PASS: "the input's bytes",
    KeyMode.ENCODE: "encoded",
    KeyMode.NONE: "none",
}
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
    for pipeline in topology.pipelines:
        lines += [*_pipeline(pipeline, topology), ""]
    for sink in topology.sinks.values():
        lines += [*_sink(sink), ""]
    lines += _settings(topology.settings)
    return "\n".join(lines) + "\n"


def _source(source: SourceTopic) -> list[str]:
    lines = [f"source {source.topic}", *_sides(source.key, source.value)]
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
    used = set(words(pipeline.query))
    columns = topology.sources[pipeline.source].columns
    names = [f"{column.name} = {_place(column)}" for column in columns if column.name in used]
    if names:
        lines.append(f"  where {', '.join(names)}")
    return lines


def _sink(sink: Sink) -> list[str]:
    lines = [f"sink {sink.topic}", *_sides(sink.key, sink.value)]
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
