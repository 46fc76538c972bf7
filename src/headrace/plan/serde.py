"""A topology as JSON, stable over releases: plans that an older release saved are read by newer ones.

Warnings are left out: they belong to the moment of planning. So are the client's properties, which may hold passwords.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from headrace.formats.interface import Format, Side, Windowing
from headrace.functions.user import resolve
from headrace.log.interface import OffsetReset, TopicDescription
from headrace.plan.operators_json import operator_data, operator_from
from headrace.plan.topology import (
    Combined,
    ErrorPolicy,
    Facet,
    Guarantee,
    InputColumn,
    KeyMode,
    OutputColumn,
    Pipeline,
    RunSettings,
    Sink,
    SourceTopic,
    Topology,
    ValueMode,
)
from headrace.plan.types_json import type_from_json, type_to_json

VERSION: Final = 2
"""Raised when the form changes in a way that an older release cannot read."""


def to_json(topology: Topology) -> str:
    """Give the JSON text of a topology; equal topologies give equal text."""
    return json.dumps(to_data(topology), indent=2, ensure_ascii=False) + "\n"


def from_json(text: str) -> Topology:
    """Read a topology back.

    Raises:
        ValueError: the text is no plan, or one of a newer release.
    """
    try:
        return _topology(json.loads(text))
    except (KeyError, TypeError, AttributeError) as fault:
        message = "the text is no plan"
        raise ValueError(message) from fault


def to_data(topology: Topology) -> dict[str, Any]:
    """Give a topology as dictionaries and lists."""
    return {
        "version": VERSION,
        "sources": {name: _source_data(item) for name, item in topology.sources.items()},
        "operators": [operator_data(item) for item in topology.operators],
        "pipelines": [_pipeline_data(item) for item in topology.pipelines],
        "sinks": {name: _sink_data(item) for name, item in topology.sinks.items()},
        "settings": _settings_data(topology.settings),
        "setup": list(topology.setup),
        **_functions_data(topology),
        **(
            {"tables": {name: _source_data(item) for name, item in topology.tables.items()}}
            if topology.tables
            else {}
        ),
    }


def _topology(data: dict[str, Any]) -> Topology:
    if data["version"] > VERSION:
        message = f"the plan has version {data['version']}, this release reads up to {VERSION}"
        raise ValueError(message)
    return Topology(
        sources={name: _source(item) for name, item in data["sources"].items()},
        sinks={name: _sink(item) for name, item in data["sinks"].items()},
        pipelines=tuple(_pipeline(item) for item in data["pipelines"]),
        settings=_settings(data["settings"]),
        setup=tuple(data["setup"]),
        operators=tuple(operator_from(item) for item in data.get("operators", ())),
        tables={name: _source(item) for name, item in data.get("tables", {}).items()},
        functions=tuple(resolve(item["name"], item["origin"]) for item in data.get("functions", ())),
    )


def _functions_data(topology: Topology) -> dict[str, Any]:
    """Give where the user functions are found again; the code itself is no part of a plan."""
    if not topology.functions:
        return {}
    return {"functions": [{"name": item.name, "origin": item.origin} for item in topology.functions]}


def side_data(side: Side) -> dict[str, Any]:
    """Give a side as a dictionary."""
    found: dict[str, Any] = {"format": side.format.value, "type": type_to_json(side.type)}
    if side.schema is not None:
        found["schema"] = side.schema
    if side.properties:
        found["properties"] = dict(side.properties)
    if side.window is not None:
        found["window"] = side.window.value
    return found


def _side(data: dict[str, Any]) -> Side:
    window = data.get("window")
    return Side(
        Format(data["format"]),
        type_from_json(data["type"]),
        data.get("schema"),
        data.get("properties", {}),
        None if window is None else Windowing(window),
    )


def _source_data(source: SourceTopic) -> dict[str, Any]:
    columns = [
        {
            "name": item.name,
            "facet": item.facet.value,
            "path": list(item.path),
            "type": type_to_json(item.type),
        }
        for item in source.columns
    ]
    found: dict[str, Any] = {
        "topic": source.topic,
        "key": side_data(source.key),
        "value": side_data(source.value),
        "columns": columns,
    }
    if source.time_query is not None:
        found["time_query"] = source.time_query
    if source.internal:
        found["internal"] = True
    if source.clock:
        found["clock"] = True
    return found


def _source(data: dict[str, Any]) -> SourceTopic:
    columns = tuple(
        InputColumn(item["name"], Facet(item["facet"]), tuple(item["path"]), type_from_json(item["type"]))
        for item in data["columns"]
    )
    return SourceTopic(
        data["topic"],
        _side(data["key"]),
        _side(data["value"]),
        columns,
        data.get("time_query"),
        data.get("internal", False),
        data.get("clock", False),
    )


def _sink_data(sink: Sink) -> dict[str, Any]:
    found: dict[str, Any] = {
        "topic": sink.topic,
        "key": side_data(sink.key),
        "value": side_data(sink.value),
    }
    if sink.create is not None:
        found["create"] = {
            "partitions": sink.create.partitions,
            "replication": sink.create.replication,
            "configs": dict(sink.create.configs),
        }
    for name, pair in (("register_key", sink.register_key), ("register_value", sink.register_value)):
        if pair is not None:
            found[name] = list(pair)
    if sink.internal:
        found["internal"] = True
    return found


def _sink(data: dict[str, Any]) -> Sink:
    made = data.get("create")
    create = None
    if made is not None:
        create = TopicDescription(data["topic"], made["partitions"], made["replication"], made["configs"])
    return Sink(
        data["topic"],
        _side(data["key"]),
        _side(data["value"]),
        create,
        _pair(data.get("register_key")),
        _pair(data.get("register_value")),
        data.get("internal", False),
    )


def _pair(data: list[str] | None) -> tuple[str, str] | None:
    return None if data is None else (data[0], data[1])


def _pipeline_data(item: Pipeline) -> dict[str, Any]:
    return {
        "id": item.id,
        "source": item.source,
        "sink": item.sink,
        "query": item.query,
        "key_mode": item.key_mode.value,
        "value_mode": item.value_mode.value,
        "sets_time": item.sets_time,
        "key_columns": [{"name": column.name, "path": list(column.path)} for column in item.key_columns],
        "value_columns": [{"name": column.name, "path": list(column.path)} for column in item.value_columns],
        "deletes": item.deletes,
        **({} if item.combined is None else {"combined": asdict(item.combined)}),
    }


def _pipeline(data: dict[str, Any]) -> Pipeline:
    return Pipeline(
        id=data["id"],
        source=data["source"],
        sink=data["sink"],
        query=data["query"],
        key_mode=KeyMode(data["key_mode"]),
        value_mode=ValueMode(data["value_mode"]),
        sets_time=data["sets_time"],
        key_columns=_columns(data["key_columns"]),
        value_columns=_columns(data["value_columns"]),
        deletes=data.get("deletes", True),
        combined=Combined(**data["combined"]) if "combined" in data else None,
    )


def _columns(data: list[dict[str, Any]]) -> tuple[OutputColumn, ...]:
    return tuple(OutputColumn(item["name"], tuple(item["path"])) for item in data)


def _settings_data(settings: RunSettings) -> dict[str, Any]:
    return {
        "guarantee": settings.guarantee.value,
        "on_read_error": settings.on_read_error.value,
        "on_write_error": settings.on_write_error.value,
        "dead_letter_topic": settings.dead_letter_topic,
        "commit_interval": settings.commit_interval,
        "threads": settings.threads,
        "offset_reset": settings.offset_reset.value,
        "late_topic": settings.late_topic,
        "task_idle": settings.task_idle,
        "idle_timeout": settings.idle_timeout,
        "state_memory": settings.state_memory,
        "standby_replicas": settings.standby_replicas,
    }


def _settings(data: dict[str, Any]) -> RunSettings:
    return RunSettings(
        guarantee=Guarantee(data["guarantee"]),
        on_read_error=ErrorPolicy(data["on_read_error"]),
        on_write_error=ErrorPolicy(data["on_write_error"]),
        dead_letter_topic=data["dead_letter_topic"],
        commit_interval=data["commit_interval"],
        threads=data["threads"],
        offset_reset=OffsetReset(data["offset_reset"]),
        late_topic=data.get("late_topic"),
        task_idle=data.get("task_idle", 0.0),
        idle_timeout=data.get("idle_timeout", 0.0),
        state_memory=data.get("state_memory"),
        standby_replicas=data.get("standby_replicas", 0),
    )
