"""What users have defined on a log: declared tables, views, synonyms. Kept in a compacted topic of the log itself.

So everybody who uses the log sees the same, on Kafka and on the embedded log, and backups of the log have it. The topic is made
with the first definition. A record's key is `kind:name`, its value JSON with the SQL text of the definition.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import catalog as codes
from headrace.log.errors import LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.log.interface import Consumer, Log

TOPIC: Final = "_headrace_definitions"
_PLACE: Final = TopicPartition(TOPIC, 0)
_SECONDS: Final = 30.0
_BATCH: Final = 1000


class Kind(StrEnum):
    """What a definition defines."""

    TABLE = "table"
    VIEW = "view"
    SYNONYM = "synonym"


@dataclass(frozen=True, slots=True)
class Definitions:
    """What is defined.

    Args:
        tables: CREATE TABLE statements by topic.
        views: queries by name.
        synonyms: topics by their other name.
    """

    tables: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)
    synonyms: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> Mapping[str, str]:
        """Give the definitions of a kind: texts by name."""
        return {Kind.TABLE: self.tables, Kind.VIEW: self.views, Kind.SYNONYM: self.synonyms}[kind]


class DefinitionStore:
    """Reads and writes the definitions of a log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def load(self) -> Definitions:
        """Read them all; none if nobody has defined anything, or may not read them.

        Raises:
            LogError: the topic is there and does not answer in time.
        """
        with closing(self._log.admin()) as admin:
            try:
                if admin.describe(TOPIC) is None:
                    return Definitions()
            except LogError:
                # Without the right to look, as without a definition; a log that is away is told of by what comes next.
                return Definitions()
        with closing(self._log.consumer(ConsumerOptions())) as consumer:
            latest = _latest(consumer)
        found: dict[Kind, dict[str, str]] = {kind: {} for kind in Kind}
        for key, text in latest.items():
            kind, _, name = key.partition(":")
            if text is not None and kind in [item.value for item in Kind]:
                found[Kind(kind)][name] = text
        return Definitions(found[Kind.TABLE], found[Kind.VIEW], found[Kind.SYNONYM])

    def define(self, kind: Kind, name: str, text: str) -> None:
        """Write a definition, in place of one of the same kind and name.

        Raises:
            LogError: it could not be written.
        """
        value = json.dumps({"kind": kind, "name": name, "text": text}, ensure_ascii=False)
        with closing(self._log.admin()) as admin:
            if admin.describe(TOPIC) is None:
                admin.create(TopicDescription(TOPIC, 1, -1, {"cleanup.policy": "compact"}, internal=True))
        self._send(f"{kind}:{name}", value.encode())

    def forget(self, kind: Kind, name: str) -> None:
        """Remove a definition that is there.

        Raises:
            LogError: the removal could not be written.
        """
        self._send(f"{kind}:{name}", None)

    def _send(self, key: str, value: bytes | None) -> None:
        records = pa.RecordBatch.from_pydict(
            {"key": pa.array([key.encode()], pa.binary()), "value": pa.array([value], pa.binary())}
        )
        with closing(self._log.producer(ProducerOptions())) as producer:
            producer.send(TOPIC, records)
            failures = producer.flush(_SECONDS)
        if failures:
            message = f"the definition could not be written to `{TOPIC}`: {failures[0].reason}"
            raise LogError((Diagnostic(codes.DEFINITIONS, message),))


def _latest(consumer: Consumer) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    first, end = consumer.watermarks([_PLACE])[_PLACE]
    if first >= end:
        return found
    consumer.assign({_PLACE: -2})
    until = time.monotonic() + _SECONDS
    while consumer.positions().get(_PLACE, -1) < end:
        for records in consumer.poll(_BATCH, 0.1):
            # A handful of records that people wrote by hand.
            keys, values = records.column("key").to_pylist(), records.column("value").to_pylist()
            for key, value in zip(keys, values, strict=True):
                if key is not None:
                    found[key.decode(errors="replace")] = None if value is None else _text(value)
        if time.monotonic() > until:
            message = f"`{TOPIC}` could not be read within {_SECONDS:.0f} s"
            raise LogError((Diagnostic(codes.DEFINITIONS, message),))
    return found


def _text(value: bytes) -> str | None:
    try:
        parsed: Any = json.loads(value)
        return str(parsed["text"])
    except (ValueError, KeyError, TypeError):
        message = f"a record of `{TOPIC}` is no definition"
        way_out = "somebody else writes to this topic; delete it, and define again"
        raise ProgramError((Diagnostic(codes.DEFINITIONS, message, None, way_out),)) from None
