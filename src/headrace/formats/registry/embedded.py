"""The schema registry in the file of the embedded log: the behaviour of Confluent's, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.errors import Diagnostic
from headrace.errors.codes import format as codes
from headrace.formats.errors import IncompatibleSchemaError, UnknownSchemaError
from headrace.formats.registry.compatibility import Compatibility
from headrace.formats.registry.kinds import SchemaKind, kind_of
from headrace.formats.registry.rules import canonical_of, reasons_against
from headrace.formats.registry.schema import SchemaSyntaxError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from headrace.log.embedded import EmbeddedLog

_ALL = ""
"""Stands for the level of all subjects that have none of their own."""


class EmbeddedRegistry:
    """`Registry` in the file of a log. Thread safe; it lives as long as the log."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._session = log.session()
        self._texts: dict[int, str] = {}

    def schema(self, schema_id: int) -> str:
        """See `Registry.schema`."""
        text = self._texts.get(schema_id)
        if text is None:
            with self._session.read() as tx:
                row = tx.execute("SELECT text FROM schema_text WHERE id = ?", (schema_id,)).fetchone()
            if row is None:
                message = f"the registry in `{self._session.name}` has no schema {schema_id}"
                raise UnknownSchemaError((Diagnostic(codes.UNKNOWN_SCHEMA, message),))
            text = self._texts[schema_id] = str(row[0])
        return text

    def kind(self, schema_id: int) -> SchemaKind:
        """See `Registry.kind`."""
        return kind_of(self.schema(schema_id))

    def latest(self, subject: str) -> tuple[int, str] | None:
        """See `Registry.latest`."""
        with self._session.read() as tx:
            versions = _versions(tx, subject)
        return versions[-1] if versions else None

    def versions(self, subject: str) -> list[tuple[int, str]]:
        """Give id and text of every version of the subject, oldest first."""
        with self._session.read() as tx:
            return _versions(tx, subject)

    def level(self, subject: str) -> Compatibility:
        """See `Registry.level`."""
        return self.compatibility(subject)

    def check(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> Sequence[str]:
        """See `Registry.check`."""
        with self._session.read() as tx:
            return _check(tx, subject, schema, kind)

    def register(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> int:
        """See `Registry.register`. A schema that is a version already keeps its place."""
        with self._session.write() as tx:
            reasons = _check(tx, subject, schema, kind)
            if reasons:
                message = f"the schema cannot be the next version of subject `{subject}`"
                raise IncompatibleSchemaError(
                    (Diagnostic(codes.INCOMPATIBLE_SCHEMA, message, notes=tuple(reasons)),)
                )
            text = canonical_of(kind, schema)
            tx.execute("INSERT OR IGNORE INTO schema_text (text) VALUES (?)", (text,))
            schema_id = int(tx.execute("SELECT id FROM schema_text WHERE text = ?", (text,)).fetchone()[0])
            known = _versions(tx, subject)
            if all(schema_id != other for other, _ in known):
                tx.execute(
                    "INSERT INTO schema_subject VALUES (?, ?, ?)", (subject, len(known) + 1, schema_id)
                )
        return schema_id

    def subjects(self) -> list[str]:
        """Give the names of all subjects, sorted."""
        with self._session.read() as tx:
            return [
                name for (name,) in tx.execute("SELECT DISTINCT subject FROM schema_subject ORDER BY subject")
            ]

    def compatibility(self, subject: str | None = None) -> Compatibility:
        """Give the level of a subject, or of all that have none of their own."""
        with self._session.read() as tx:
            return _level(tx, _ALL if subject is None else subject)

    def set_compatibility(self, level: Compatibility, subject: str | None = None) -> None:
        """Set the level of a subject, or of all that have none of their own."""
        with self._session.write() as tx:
            tx.execute(
                "INSERT INTO schema_compatibility VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET level = excluded.level",
                (_ALL if subject is None else subject, level),
            )

    def close(self) -> None:
        """Free the connection."""
        self._session.close()


def _versions(tx: sqlite3.Connection, subject: str) -> list[tuple[int, str]]:
    rows = tx.execute(
        "SELECT id, text FROM schema_subject JOIN schema_text ON schema_id = id WHERE subject = ? ORDER BY version",
        (subject,),
    )
    return [(schema_id, text) for schema_id, text in rows]


def _level(tx: sqlite3.Connection, subject: str) -> Compatibility:
    row = tx.execute(
        "SELECT level FROM schema_compatibility WHERE subject IN (?, ?) ORDER BY subject DESC LIMIT 1",
        (subject, _ALL),
    ).fetchone()
    return Compatibility.BACKWARD if row is None else Compatibility(row[0])


def _check(tx: sqlite3.Connection, subject: str, schema: str, kind: SchemaKind) -> list[str]:
    try:
        text = canonical_of(kind, schema)
        known = [version for _, version in _versions(tx, subject)]
        return [] if text in known else reasons_against(kind, _level(tx, subject), text, known)
    except SchemaSyntaxError as error:
        return [f"the text is no {kind.spoken} schema: {error}"]
