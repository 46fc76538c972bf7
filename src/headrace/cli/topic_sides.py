"""The formats and types under which `produce` and `consume` see a topic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.catalog import windowed_name
from headrace.cli.failures import bad_call
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import catalog as codes
from headrace.formats.interface import Format, Registry, Side
from headrace.formats.registered import KINDS, schema_type
from headrace.formats.windowed import windowed

if TYPE_CHECKING:
    from headrace.cli.session import Session

PRIMITIVES: Final[dict[Format, pa.DataType]] = {
    Format.STRING: pa.string(),
    Format.INT: pa.int32(),
    Format.LONG: pa.int64(),
    Format.BYTES: pa.binary(),
    # The text itself: `produce` and `consume` pass JSON on as it is written.
    Format.JSON: pa.string(),
}


@dataclass(frozen=True, slots=True)
class TopicSides:
    """Key and value of a topic, None where nothing tells yet what they hold, and its number of partitions."""

    key: Side | None
    value: Side | None
    partitions: int


def topic_sides(session: Session, topic: str, key: str | None, value: str | None) -> TopicSides:
    """Give both sides; a format that the call names goes before what the catalog finds.

    Raises:
        ProgramError: the topic does not exist, or a format needs a schema that is nowhere.
    """
    partitions = partition_count(session, topic)
    if key is not None and value is not None:
        return TopicSides(
            _key_side(key, session.registry, topic),
            side_of(Format(value), session.registry, f"{topic}-value"),
            partitions,
        )
    found = session.catalog.sides(topic)
    if found is None:
        raise unknown_topic(topic)
    found_key, found_value = found
    return TopicSides(
        _key_side(key, session.registry, topic) if key else found_key,
        side_of(Format(value), session.registry, f"{topic}-value") if value else found_value,
        partitions,
    )


def partition_count(session: Session, topic: str) -> int:
    """Give the number of partitions. Raises ProgramError if there is no such topic."""
    admin = session.log.admin()
    try:
        described = admin.describe(topic)
    finally:
        admin.close()
    if described is None:
        raise unknown_topic(topic)
    return described.partitions


def unknown_topic(topic: str) -> ProgramError:
    """Make the error of a topic that does not exist."""
    return ProgramError(
        (
            Diagnostic(
                codes.UNKNOWN_TOPIC,
                f"topic `{topic}` does not exist",
                help="`headrace topics list` shows those that do, `headrace topics create` makes one",
            ),
        )
    )


def _key_side(name: str, registry: Registry | None, topic: str) -> Side:
    windowing, plain = windowed_name(name)
    side = side_of(Format(plain), registry, f"{topic}-key")
    return side if windowing is None else windowed(side, windowing)


def side_of(format: Format, registry: Registry | None, subject: str, schema: str | None = None) -> Side:
    """Give a side of this format; formats of the registry take the schema given, else the latest of the subject."""
    if format in PRIMITIVES:
        return Side(format, PRIMITIVES[format])
    if format not in KINDS:
        message = f"`{format}` cannot be named here"
        raise bad_call(message, help="leave the format out: it is found in the topic")
    if schema is None:
        latest = registry.latest(subject) if registry is not None else None
        if latest is None:
            message = f"no schema of `{subject}` is known"
            raise bad_call(message, help="give one with `--schema`, or name the registry with `--registry`")
        schema = latest[1]
    return Side(format, schema_type(format, schema), schema)
