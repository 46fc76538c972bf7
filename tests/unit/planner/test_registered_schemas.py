"""Avro targets: the schema that is registered, the one that is there already, and refusals before the start."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from headrace.errors import ProgramError
from headrace.errors.render import render
from headrace.formats.registry.embedded import EmbeddedRegistry
from headrace.log.embedded import EmbeddedLog
from headrace.plan.topology import ValueMode
from tests.unit.planner.topics import POSITION_SCHEMA, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

THERE = (
    '{"type":"record","name":"Fast","namespace":"fleet","fields":'
    '[{"name":"MMSI","type":"long"},{"name":"Speed","type":"double"}]}'
)


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedLog(":memory:") as log:
        yield EmbeddedRegistry(log)


def test_names_come_from_the_settings(registry: EmbeddedRegistry) -> None:
    topology = plan(
        "SET defaults.topic.value.avro.record='Fast'; SET defaults.topic.value.avro.namespace='fleet';"
        "INSERT INTO out STORE VALUE AS AVRO SELECT STREAM MMSI, Speed AS v FROM positions",
        registry,
    )
    registered = topology.sinks["out"].register_value
    assert registered is not None
    subject, schema = registered
    assert subject == "out-value"
    parsed = json.loads(schema)
    assert (parsed["namespace"], parsed["name"]) == ("fleet", "Fast")
    assert [field["type"] for field in parsed["fields"]] == ["long", "double"]


def test_a_star_keeps_bytes_and_schema(registry: EmbeddedRegistry) -> None:
    topology = plan("INSERT INTO out SELECT STREAM * FROM positions_avro WHERE Speed > 10", registry)
    assert topology.pipelines[0].value_mode is ValueMode.PASS
    assert topology.sinks["out"].register_value == ("out-value", POSITION_SCHEMA)


def test_a_schema_that_is_there_and_fits_is_kept(registry: EmbeddedRegistry) -> None:
    registry.register("out-value", THERE)
    topology = plan("INSERT INTO out STORE VALUE AS AVRO SELECT STREAM Speed, MMSI FROM positions", registry)
    assert topology.sinks["out"].value.schema == THERE


def test_a_schema_that_can_follow_takes_over_the_name(registry: EmbeddedRegistry) -> None:
    registry.register("out-value", THERE)
    program = "INSERT INTO out STORE VALUE AS AVRO SELECT STREAM MMSI, Speed, _key AS k FROM positions"
    schema = plan(program, registry).sinks["out"].value.schema
    assert schema is not None
    parsed = json.loads(schema)
    assert (parsed["namespace"], parsed["name"], len(parsed["fields"])) == ("fleet", "Fast", 3)


def test_a_schema_that_cannot_follow_is_refused_with_the_reasons(registry: EmbeddedRegistry) -> None:
    registry.register("out-value", THERE)
    with pytest.raises(ProgramError) as refused:
        plan("INSERT INTO out STORE VALUE AS AVRO SELECT STREAM MMSI, _key AS Speed FROM positions", registry)
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.code.id == "SQL0307"
    assert "does not fit the schema of `out-value`" in render(refused.value)
    assert diagnostic.notes


def test_nothing_is_registered_while_planning(registry: EmbeddedRegistry) -> None:
    plan("INSERT INTO out STORE VALUE AS AVRO SELECT STREAM MMSI FROM positions", registry)
    assert registry.subjects() == []


def test_nothing_is_registered_where_another_target_is_refused(registry: EmbeddedRegistry) -> None:
    registry.register("out-value", THERE)
    fits = "INSERT INTO fresh STORE VALUE AS AVRO SELECT STREAM MMSI FROM positions"
    with pytest.raises(ProgramError, match="does not fit the schema of `out-value`"):
        plan(
            f"{fits}; INSERT INTO out STORE VALUE AS AVRO SELECT STREAM MMSI, _key AS Speed FROM positions",
            registry,
        )
    assert registry.subjects() == ["out-value"]
