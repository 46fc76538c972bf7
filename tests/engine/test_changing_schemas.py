"""Writers that change while a processor runs, and a registry that is away for a while: no good record is taken for a bad one."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from headrace.engine import Processor, ProcessorOptions
from headrace.errors import Diagnostic
from headrace.errors.codes.format import REGISTRY_AWAY
from headrace.formats.errors import RegistryUnavailableError
from headrace.formats.registry import open_registry
from headrace.formats.registry.kinds import SchemaKind
from headrace.log.embedded import EmbeddedLog
from tests.engine.hostile import framed, planned, zigzag
from tests.engine.programs import create, fill, read, unique

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headrace.formats.interface import Registry
    from headrace.formats.registry.compatibility import Compatibility
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology


def record(*fields: str) -> str:
    return '{"type":"record","name":"R","fields":[' + ",".join(fields) + "]}"


N = '{"name":"n","type":"int"}'
LONG_N = '{"name":"n","type":"long"}'
TEXT_N = '{"name":"n","type":"string"}'
EXTRA = '{"name":"extra","type":"string"}'
OPTIONAL = '{"name":"note","type":["null","string"],"default":null}'


class DoorRegistry:
    """A registry behind a door: closed, nothing can be asked of it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.open = threading.Event()
        self.open.set()
        self.refused = 0

    def _enter(self) -> Registry:
        if not self.open.is_set():
            self.refused += 1
            raise RegistryUnavailableError((Diagnostic(REGISTRY_AWAY, "the schema registry is away"),))
        return self._registry

    def schema(self, schema_id: int) -> str:
        return self._enter().schema(schema_id)

    def latest(self, subject: str) -> tuple[int, str] | None:
        return self._enter().latest(subject)

    def kind(self, schema_id: int) -> SchemaKind:
        return self._enter().kind(schema_id)

    def versions(self, subject: str) -> Sequence[tuple[int, str]]:
        return self._enter().versions(subject)

    def level(self, subject: str) -> Compatibility:
        return self._enter().level(subject)

    def check(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> Sequence[str]:
        return self._enter().check(subject, schema, kind)

    def register(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> int:
        return self._enter().register(subject, schema, kind)

    def subjects(self) -> list[str]:
        return self._enter().subjects()

    def close(self) -> None:
        """Hold nothing."""


@pytest.fixture
def registry() -> Iterator[DoorRegistry]:
    with EmbeddedLog(":memory:") as schemas:
        opened = open_registry(None, schemas)
        assert opened is not None
        yield DoorRegistry(opened)


def processor(log: Log, registry: Registry, topology: Topology, batch: int = 16_384) -> Processor:
    options = ProcessorOptions(unique("app"), until_end=True, batch_records=batch, lag_interval=0)
    return Processor(topology, log, registry, options)


def values_in(log: Log, topic: str) -> list[dict[str, object]]:
    return [json.loads(row["value"]) for row in read(log, topic)]


def program(source: str, sink: str, letters: str, columns: str) -> str:
    return (
        f"SET error.policy='dlq'; SET dead.letter.queue='{letters}';"
        f"INSERT INTO `{sink}` STORE VALUE AS JSON SELECT STREAM {columns} FROM `{source}` WHERE _vtype=AVRO"
    )


@pytest.mark.parametrize("batch", [1, 16_384])
def test_writers_may_change_in_the_middle_of_a_batch(log: Log, registry: DoorRegistry, batch: int) -> None:
    """Each record is read with its own writer's schema, as the latest schema at the start has it."""
    source, sink, letters = create(log, unique("in"), 1), unique("out"), unique("dead")
    old = registry.register(unique("old"), record(N))
    latest = registry.register(f"{source}-value", record(LONG_N, OPTIONAL))
    topology = planned(log, registry, program(source, sink, letters, "n, note"))
    # Registered after the start, as others do.
    newer = registry.register(unique("newer"), record(EXTRA, LONG_N))
    other = registry.register(unique("other"), record(TEXT_N))
    text = zigzag(1) + b"x"
    note = zigzag(1) + text
    values: list[bytes | None] = []
    for number in range(4):
        n = zigzag(number)
        values += [framed(old, n), framed(latest, n + note), framed(other, text), framed(newer, text + n)]
    fill(log, source, values)
    processor(log, registry, topology, batch).run()
    assert values_in(log, sink) == [
        {"n": number, "note": found} for number in range(4) for found in (None, "x", None)
    ]
    assert [row["value"] for row in read(log, letters)] == [framed(other, text)] * 4


@pytest.mark.parametrize("batch", [2, 16_384])
def test_a_registry_that_is_away_makes_no_record_bad(log: Log, registry: DoorRegistry, batch: int) -> None:
    """It goes after the start; what was read by then is written meanwhile, the rest when it is back."""
    source, sink, letters = create(log, unique("in"), 1), unique("out"), unique("dead")
    first = registry.register(f"{source}-value", record(N))
    second = registry.register(unique("second"), record(N, OPTIONAL))
    topology = planned(log, registry, program(source, sink, letters, "n"))
    values: list[bytes | None] = [framed(first, zigzag(number)) for number in range(4)]
    values += [framed(second, zigzag(number) + zigzag(0)) for number in range(4, 8)]
    values += [framed(first, b""), framed(first, zigzag(8))]
    fill(log, source, values)
    running = processor(log, registry, topology, batch)
    thread = threading.Thread(target=running.run)
    registry.open.clear()
    thread.start()
    deadline = time.monotonic() + 30
    while registry.refused < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert registry.refused >= 3
    assert not running.ready()
    assert running.live()
    registry.open.set()
    thread.join(30)
    assert not thread.is_alive()
    assert [value["n"] for value in values_in(log, sink)] == list(range(9))
    assert [row["value"] for row in read(log, letters)] == [framed(first, b"")]
    assert running.metrics.snapshot().events["service_away"] == 1
    assert running.metrics.snapshot().events["partitions_assigned"] == 1


def test_json_fields_may_come_and_go_and_change_their_type(log: Log) -> None:
    """What was sampled at the start holds: unknown fields are skipped, missing ones null, others go to the policy."""
    source, sink, letters = create(log, unique("in"), 1), unique("out"), unique("dead")
    fill(log, source, [b'{"n":1,"note":"a","inner":{"x":1}}'])
    policy = f"SET error.policy='dlq'; SET dead.letter.queue='{letters}'; "
    sql = f"INSERT INTO `{sink}` SELECT STREAM n, note, inner.x FROM `{source}`"
    topology = planned(log, None, policy + sql)
    later = [
        b'{"n":2,"brand":"new","inner":{"x":2,"y":[1]}}',
        b'{"n":"three","note":"b"}',
        b'{"n":4,"note":5,"inner":null}',
        b'{"n":5,"inner":7}',
        b'{"n":6,"note":null,"inner":{}}',
    ]
    fill(log, source, [*later])
    options = ProcessorOptions(unique("app"), until_end=True, lag_interval=0)
    Processor(topology, log, None, options).run()
    assert values_in(log, sink) == [
        {"n": 1, "note": "a", "x": 1},
        {"n": 2, "note": None, "x": 2},
        {"n": 4, "note": "5", "x": None},
        {"n": 6, "note": None, "x": None},
    ]
    assert [row["value"] for row in read(log, letters)] == [later[1], later[3]]
