"""Fingerprints of pipelines: the same as long as a pipeline does the same, whatever else the program's text changes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from headrace.plan.serde import side_data
from headrace.plan.types_json import type_to_json

if TYPE_CHECKING:
    from headrace.plan.topology import Pipeline, Topology


def fingerprint(pipeline: Pipeline, topology: Topology) -> str:
    """Give the fingerprint of a pipeline, 16 hexadecimal digits.

    It covers what is read, computed and written. The numbers of the input's columns are left out, since they depend on what other
    pipelines read of the same topic.
    """
    sink = topology.sinks[pipeline.sink]
    source = topology.sources.get(pipeline.source)
    sides = [sink.key, sink.value]
    query = pipeline.query
    if source is not None:
        sides = [source.key, source.value, *sides]
        for column in sorted(source.columns, key=lambda item: len(item.name), reverse=True):
            place = json.dumps([column.facet.value, *column.path], ensure_ascii=False)
            query = renamed(query, column.name, place + json.dumps(type_to_json(column.type)))
    parts = [
        pipeline.source,
        pipeline.sink,
        numbered(query),
        pipeline.key_mode.value,
        pipeline.value_mode.value,
        pipeline.sets_time,
        [[item.name, *item.path] for item in (*pipeline.key_columns, *pipeline.value_columns)],
        [side_data(side) for side in sides],
    ]
    if source is None:
        parts.append(
            next(item.store.fingerprint for item in topology.operators if item.id == pipeline.source)
        )
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def renamed(query: str, name: str, place: str) -> str:
    """Put what a column stands for in its place."""
    return "".join(place if part == name else part for part in words(query))


def numbered(query: str) -> str:
    """Number the columns between the steps of a query anew, in the order in which they appear."""
    seen: dict[str, str] = {}
    found = []
    for part in words(query):
        if part[:1] in ("x", "p") and part[1:].isdigit():
            found.append(seen.setdefault(part, f"{part[0]}{len(seen)}"))
        else:
            found.append(part)
    return "".join(found)


def words(query: str) -> list[str]:
    """Cut a query into names and what is between; literals and quoted names stay in one piece."""
    pieces: list[str] = []
    at = 0
    while at < len(query):
        start = at
        char = query[at]
        if char in ("'", '"'):
            at = query.find(char, at + 1)
            at = len(query) if at < 0 else at + 1
        elif char.isalnum() or char == "_":
            while at < len(query) and (query[at].isalnum() or query[at] == "_"):
                at += 1
        else:
            at += 1
        pieces.append(query[start:at])
    return pieces
