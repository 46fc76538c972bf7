"""INSERT INTO … VALUES and … SELECT: rows to records, once."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from headrace.engine.assembly import Assembly, first_misfit
from headrace.engine.snapshot import Limits, SnapshotQuery
from headrace.engine.statements.answers import Done
from headrace.engine.statements.limiting import limited, need_end, rows_to_write
from headrace.engine.statements.workspace import failed
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes import run as codes
from headrace.formats import make_encoder
from headrace.formats.registered import KINDS
from headrace.log.interface import ProducerOptions
from headrace.planner.snapshot import plan_insertion
from headrace.sql.spans import nearest_span
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headrace.config.query_settings import QuerySettings
    from headrace.engine.statements.workspace import Workspace
    from headrace.errors import Source
    from headrace.formats.interface import Encoder, Side
    from headrace.log.interface import Log
    from headrace.plan.topology import OutputColumn
    from headrace.sql.nodes import Insert, Program

_SECONDS = 60.0


def insert(statement: Insert, program: Program, workspace: Workspace, settings: QuerySettings) -> Done:
    """Write the rows of a query as records of a topic.

    Rows are encoded batch by batch before they are sent: one that does not fit keeps its batch back, and the error says how
    many records were written before it. What a limit of the settings or KILL QUERY ends does so, too.

    Raises:
        ProgramError: the statement is wrong. Nothing was written.
        RunError: a value does not fit the topic, the log refuses, or a limit has ended the query.
    """
    plan = plan_insertion(
        statement,
        program,
        workspace.catalog,
        states=workspace.states,
        definitions=workspace.catalog.definitions,
        formats=(settings.key_format, settings.value_format),
    )
    text = program.source.text[statement.span.start : statement.span.end]
    # VALUES read nothing, and are written before anybody could look for them.
    values = isinstance(statement.query, exp.Values)
    bounds = nullcontext(Limits()) if values else limited(text, workspace, settings)
    nothing = f"nothing was inserted into `{plan.target.name}`"
    with (
        bounds as limits,
        SnapshotQuery(
            plan.rows,
            workspace.log,
            workspace.registry,
            properties=settings.properties,
            states=workspace.states,
            limits=limits,
        ) as query,
    ):
        names = query.schema.names
        place = _Places(statement, program.source)
        key = (
            _Side(plan.target.key, plan.key, names, f"{plan.target.name}-key", workspace, place)
            if plan.key
            else None
        )
        value = (
            _Side(plan.target.value, plan.value, names, f"{plan.target.name}-value", workspace, place)
            if plan.value
            else None
        )
        count = 0

        def records() -> Iterable[pa.RecordBatch]:
            nonlocal count
            for batch in rows_to_write(query, plan.rows, nothing):
                columns = {
                    "key": key.encode(batch, count) if key else pa.nulls(batch.num_rows, pa.binary()),
                    "value": value.encode(batch, count) if value else pa.nulls(batch.num_rows, pa.binary()),
                }
                yield pa.RecordBatch.from_pydict(columns)
                count += batch.num_rows

        send(workspace.log, plan.target.name, records())
        were = "1 record was" if count == 1 else f"{count} records were"
        done = f"{were} inserted into `{plan.target.name}` before, and stay" if count else nothing
        need_end(query.ending, "INSERT", done, statement.span, program.source)
        if query.failed:
            message = f"{query.failed} records that the query reads cannot be decoded and were left out; {count} were written"
            raise failed(codes.QUERY_FAILED, message)
    workspace.catalog.forget()
    return Done(f"{count} record{'' if count == 1 else 's'} inserted into `{plan.target.name}`")


def send(log: Log, topic: str, batches: Iterable[pa.RecordBatch]) -> None:
    """Write records, and wait until they stand.

    Raises:
        RunError: the log refuses some of them.
    """
    with closing(log.producer(ProducerOptions())) as producer:
        for batch in batches:
            producer.send(topic, batch)
        failures = producer.flush(_SECONDS)
    if failures:
        message = f"{len(failures)} records of `{topic}` were refused: {failures[0].reason}"
        raise failed(codes.QUERY_FAILED, message, "the other records are written")


class _Places:
    """Where the values of an INSERT stand in its text."""

    def __init__(self, statement: Insert, source: Source) -> None:
        self._statement = statement
        self._source = source

    def failed(self, message: str, row: int | None = None, column: int | None = None) -> RunError:
        """Make the error of a value: at the value, where it stands in VALUES, else at the query."""
        query = self._statement.query
        node: exp.Expression = query
        if row is not None and isinstance(query, exp.Values) and row < len(query.expressions):
            node = query.expressions[row]
            if column is not None and column < len(node.expressions):
                node = node.expressions[column]
        return RunError((Diagnostic(codes.QUERY_FAILED, message, nearest_span(node)),), self._source)


class _Side:
    """The keys or the values of an INSERT."""

    def __init__(
        self,
        side: Side,
        columns: Sequence[OutputColumn],
        names: Sequence[str],
        subject: str,
        workspace: Workspace,
        places: _Places,
    ) -> None:
        self._type, self._columns, self._names = side.type, columns, names
        self._places = places
        self._assembly = Assembly(side.type, columns, names)
        self._subject = subject
        self._encoder: Encoder = make_encoder(side, _schema_id(side, subject, workspace))

    def encode(self, batch: pa.RecordBatch, before: int) -> pa.Array[Any]:
        try:
            encoded = self._encoder.encode(self._assembly.build(batch))
        except pa.ArrowException as error:
            # Arrow's own words hold the value.
            raise self._misfit(batch, before) from error
        if encoded.errors:
            first = encoded.errors[0]
            message = f"row {before + first.row + 1} does not fit `{self._subject}`: {first.reason} ({before} written before)"
            raise self._places.failed(message, before + first.row)
        return encoded.data

    def _misfit(self, batch: pa.RecordBatch, before: int) -> RunError:
        found = first_misfit(self._type, self._columns, self._names, batch)
        if found is None:
            message = f"a value cannot be converted to the type that `{self._subject}` has ({before} written before)"
            return self._places.failed(message)
        row, column, kind = found
        shown = f"column `{'.'.join(column.path)}`" if column.path else "the value"
        message = (
            f"row {before + row + 1}: {shown} of `{self._subject}` is {type_name(kind)}, and the value cannot be converted "
            f"to it ({before} written before)"
        )
        return self._places.failed(message, before + row, self._names.index(column.name))


def _schema_id(side: Side, subject: str, workspace: Workspace) -> int | None:
    if side.format not in KINDS or side.schema is None or workspace.registry is None:
        return None
    return workspace.registry.register(subject, side.schema, KINDS[side.format])
