"""Runs a snapshot query: topics stream into DuckDB, the result streams out, nothing is held in between."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import duckdb
import pyarrow as pa

from headrace.engine.failures import failure_of
from headrace.engine.interrupts import interruptible
from headrace.engine.snapshot.limits import Budget, Ending, Limits
from headrace.engine.snapshot.scan import TopicScan
from headrace.engine.snapshot.states import LocalStates, StatePass
from headrace.engine.snapshot.times import shown, shown_as
from headrace.engine.snapshot.watch import watched
from headrace.errors import Diagnostic, HeadraceError, RunError
from headrace.errors.codes.run import QUERY_ENDED, QUERY_FAILED
from headrace.planner.connection import connection, connection_alone
from headrace.planner.constants import cannot_compile
from headrace.planner.user_functions import register

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from types import TracebackType

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.snapshot import Scan, SnapshotPlan, StateScan

_RESULT_ROWS = 8192
"""Rows of one batch of the result."""

_PART_SECONDS = 0.5
"""How long rows that are found wait at most for others to fill their batch."""


_DUCKDB_ALONE = ("BIT", "BIGNUM", "UHUGEINT", "TIME WITH TIME ZONE")
"""Types that DuckDB gives to Arrow as bytes of its own, or cut."""


class SnapshotQuery:
    """A snapshot query over what the topics hold now. A context manager; belongs to one thread."""

    def __init__(
        self,
        plan: SnapshotPlan,
        log: Log,
        registry: Registry | None,
        *,
        properties: Mapping[str, str] | None = None,
        batch_records: int = 16_384,
        states: LocalStates | None = None,
        limits: Limits | None = None,
        skip_bad_records: bool = True,
        timestamps: str | None = None,
    ) -> None:
        """Open a DuckDB connection over the scans; nothing is read yet.

        Args:
            plan: from the planner.
            log: where the topics are; stays open.
            registry: for formats that need it.
            properties: of the consumers.
            batch_records: most records read at once from a topic.
            states: for plans that read the state of processors.
            limits: what may be read and given.
            skip_bad_records: leave out what cannot be decoded; else it ends the query.
            timestamps: `text` gives times as ISO 8601, `long` as milliseconds since 1970; None as times.
        """
        self._plan = plan
        self._states = states
        self._log = log
        self._registry = registry
        self._properties = properties or {}
        self._batch_records = batch_records
        self._limits = limits or Limits()
        self._skip_bad_records = skip_bad_records
        self._times = timestamps
        self._budget = Budget(self._limits)
        self._opening = 0.0
        self.cut_columns = Ending.END
        """Which limit ended the look of a PIVOT for its columns: those of the values that it had not read are missing."""
        self._connection = connection_alone() if plan.functions else connection()
        self._relations = [_Relation(scan.relation, partial(self._scan, scan)) for scan in plan.scans]
        self._relations += [_Relation(scan.relation, partial(self._state, scan)) for scan in plan.states]
        try:
            for statement in plan.setup:
                self._connection.execute(statement)
            register(self._connection, plan.functions)
            for relation in self._relations:
                self._connection.register(relation.name, relation)
            for statement in plan.views:
                self._connection.execute(statement)
            with interruptible(self._connection.interrupt):
                # A PIVOT has looked for its columns by now, in the topics: it is not to look again.
                self._result = self._opened()
                self.schema: pa.Schema = self._named(self._columns())
                """Names and types of the result."""
        except BaseException:
            self._connection.close()
            raise

    @property
    def failed(self) -> int:
        """Records so far that could not be decoded; they are left out of the result."""
        return sum(relation.failed for relation in self._relations)

    @property
    def read(self) -> int:
        """Records read so far."""
        return sum(relation.read for relation in self._relations)

    @property
    def ending(self) -> Ending:
        """Why nothing more came, or why columns may be missing: the end, or a limit."""
        return self.cut_columns if self._budget.ending is Ending.END else self._budget.ending

    @property
    def bytes_read(self) -> int:
        """Bytes of keys and values read so far."""
        return self._budget.bytes

    def batches(self) -> Generator[pa.RecordBatch]:
        """Give the result over what is there now. Closing the iterator stops the scans.

        The time that a PIVOT took to find its columns, when it was opened, counts into that of the query.

        Raises:
            RunError: an expression failed, or the log did, or a limit has ended the query before it had a row.
            KeyboardInterrupt: the user has ended it.
        """
        with interruptible(self._connection.interrupt):
            yield from self._batches()

    def _batches(self) -> Generator[pa.RecordBatch]:
        reader = None
        given = [item for item in (self._plan.limit, self._limits.rows) if item is not None]
        left = min(given) if given else None
        limits = self._limits_left()
        self._budget = Budget(limits)
        any_row = False
        with watched(limits, self._connection.interrupt) as watch:
            try:
                for opened in self._readers():
                    reader = opened
                    for batch in reader:
                        if not batch.num_rows:
                            continue
                        any_row = True
                        shown = batch if left is None else batch.slice(0, left)
                        yield self._renamed(shown)
                        if left is not None:
                            left -= shown.num_rows
                            if left <= 0:
                                self._budget.full()
                                return
            except (duckdb.Error, pa.ArrowException, OSError) as error:
                if watch.ending is None or not _is_interruption(error):
                    raise self._cause() or _query_failed(error) from error
                self._budget.stopped(watch.ending)
                if not any_row:
                    raise _ended(watch.ending, self._limits) from None
            finally:
                if reader is not None:
                    reader.close()
                for relation in self._relations:
                    relation.end()

    def _readers(self) -> Iterator[pa.RecordBatchReader]:
        """Give the result: in parts, where each record gives its rows by itself, so that none waits for a batch to be full."""
        if not self._plan.follows:
            yield self._result.to_arrow_reader(_RESULT_ROWS)
            return
        (relation,) = self._relations
        # Within one transaction the time is the same for all parts.
        self._connection.begin()
        try:
            for _ in relation.parts(_PART_SECONDS):
                yield self._bound().to_arrow_reader(_RESULT_ROWS)
        finally:
            with suppress(duckdb.Error):
                self._connection.rollback()

    def follow(self) -> Generator[pa.RecordBatch]:
        """Give the result over what is there now and over each batch that arrives, until a limit or until the iterator is closed.

        Only for plans that say so: a row of the result depends on one record alone.

        Raises:
            RunError: an expression failed, or the log did, or a limit has ended the query before it had a row.
            KeyboardInterrupt: the user has ended it.
        """
        with interruptible(self._connection.interrupt):
            yield from self._follow()

    def _follow(self) -> Generator[pa.RecordBatch]:
        (relation,) = self._relations
        limits = self._limits_left()
        self._budget = Budget(limits)
        scan = self._scan(self._plan.scans[0], follow=True)
        records = scan.batches()
        any_row = False
        with watched(limits, self._connection.interrupt) as watch:
            try:
                for rows in records:
                    relation.only = partial(iter, [rows])
                    table = self._connection.sql(self._plan.query).to_arrow_table()
                    for batch in table.to_batches():
                        if batch.num_rows:
                            any_row = True
                            yield self._renamed(batch)
            except duckdb.Error as error:
                if watch.ending is None or not _is_interruption(error):
                    raise _query_failed(error) from error
                self._budget.stopped(watch.ending)
                if not any_row:
                    raise _ended(watch.ending, self._limits) from None
            finally:
                relation.only = None
                records.close()

    def close(self) -> None:
        """Stop the scans and free the connection."""
        for relation in self._relations:
            relation.end()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> duckdb.DuckDBPyRelation:
        # A PIVOT reads the topics by now.
        began = time.monotonic()
        with watched(self._limits, self._connection.interrupt) as watch:
            try:
                opened = self._bound()
            except duckdb.Error as error:
                ending = watch.ending if _is_interruption(error) else self._ending_of_opening()
                if ending is not None:
                    raise _ended(ending, self._limits) from None
                if self._budget.ending is not Ending.END and self._cause() is None:
                    raise _without_columns(self._budget.ending, error) from error
                raise self._cause() or _query_failed(error) from error
        ending = self._ending_of_opening()
        if ending is not None:
            raise _ended(ending, self._limits)
        self.cut_columns = self._budget.ending
        self._opening = time.monotonic() - began
        return opened

    def _ending_of_opening(self) -> Ending | None:
        """Say which limit has left a PIVOT without some of its columns, and without time for their values."""
        return self._budget.ending if self._budget.ending in (Ending.TIME, Ending.KILLED) else None

    def _limits_left(self) -> Limits:
        """Give the limits without the time that opening took."""
        most = self._limits.max_seconds
        return (
            self._limits
            if most is None
            else replace(self._limits, max_seconds=max(0.0, most - self._opening))
        )

    def _bound(self) -> duckdb.DuckDBPyRelation:
        return _transportable(self._connection.sql(self._plan.query))

    def _columns(self) -> pa.Schema:
        try:
            found: pa.Schema = self._result.limit(0).to_arrow_table().schema
        except (duckdb.FatalException, duckdb.InterruptException, duckdb.OutOfMemoryException):
            raise
        except duckdb.Error as error:
            raise self._cause() or cannot_compile(error) from error
        return found

    def _scan(self, scan: Scan, *, follow: bool = False) -> TopicScan:
        return TopicScan(
            scan,
            self._log,
            self._registry,
            self._properties,
            self._batch_records,
            follow=follow,
            budget=self._budget,
            on_bad=None if self._skip_bad_records else _bad_record,
        )

    def _state(self, scan: StateScan) -> StatePass:
        assert self._states is not None
        return StatePass(scan, self._states, self._properties, self._budget)

    def _cause(self) -> HeadraceError | None:
        return next((relation.error for relation in self._relations if relation.error is not None), None)

    def _named(self, schema: pa.Schema) -> pa.Schema:
        names = self._result.columns if self._plan.names is None else self._plan.names
        fields = [field.with_name(name) for field, name in zip(schema, names, strict=True)]
        return pa.schema([shown_as(field, self._times) for field in fields])

    def _renamed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        schema = self._named(batch.schema)
        columns = [shown(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Relation:
    """A topic or a store as DuckDB sees it: each pass of a query over the relation is a scan of its own."""

    def __init__(self, name: str, open_scan: Callable[[], TopicScan | StatePass]) -> None:
        self.name = name
        self.only: Callable[[], Iterator[pa.RecordBatch]] | None = None
        """With a value: gives the whole of the relation, in place of a scan."""
        self.error: HeadraceError | None = None
        """Why a scan failed: through DuckDB only the text of an error would come."""
        self._open = open_scan
        self._schema = open_scan().schema
        self._scans: list[TopicScan | StatePass] = []
        self._passes: list[Generator[pa.RecordBatch]] = []

    @property
    def failed(self) -> int:
        return sum(scan.failed for scan in self._scans)

    @property
    def read(self) -> int:
        return sum(scan.read for scan in self._scans)

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        rows = self._pass() if self.only is None else self.only()
        reader: Any = pa.RecordBatchReader.from_batches(self._schema, rows)
        return reader.__arrow_c_stream__(requested_schema)

    def parts(self, seconds: float) -> Iterator[None]:
        """Make what follows passes over parts of one scan, each of this time; gives once for each part."""
        rows = self._pass()
        more = True

        def part() -> Iterator[pa.RecordBatch]:
            nonlocal more
            until = time.monotonic() + seconds
            for batch in rows:
                yield batch
                if time.monotonic() >= until:
                    more = True
                    return

        try:
            while more:
                # A query that does not read its part to the end needs no more of them.
                more = False
                self.only = part
                yield
        finally:
            self.only = None

    def end(self) -> None:
        """Stop all passes that are not at their end."""
        for opened in self._passes:
            opened.close()
        self._passes.clear()

    def _pass(self) -> Iterator[pa.RecordBatch]:
        scan = self._open()
        self._scans.append(scan)
        rows = self._guarded(scan)
        self._passes.append(rows)
        return rows

    def _guarded(self, scan: TopicScan | StatePass) -> Generator[pa.RecordBatch]:
        try:
            yield from scan.batches()
        except HeadraceError as error:
            self.error = error
            raise


def _transportable(result: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Make text of the columns whose types Arrow has no form for."""
    if not any(str(kind) in _DUCKDB_ALONE for kind in result.types):
        return result
    names = ['"' + name.replace('"', '""') + '"' for name in result.columns]
    return result.project(
        ", ".join(
            f"CAST({name} AS VARCHAR) AS {name}" if str(kind) in _DUCKDB_ALONE else name
            for name, kind in zip(names, result.types, strict=True)
        )
    )


def _bad_record(place: str) -> None:
    message = f"a record cannot be decoded ({place})"
    way_out = "leave such records out: SET skip.bad.records = true"
    raise RunError((Diagnostic(QUERY_FAILED, message, None, way_out),))


def _is_interruption(error: Exception) -> bool:
    # Arrow gives those of DuckDB as errors of input and output.
    return isinstance(error, duckdb.InterruptException) or "INTERRUPT Error" in str(error)


def _ended(ending: Ending, limits: Limits) -> RunError:
    message = f"{ending} ended the query before it had a row of its result: it was still computing"
    more = "1h" if (limits.max_seconds or 0) < 3600 else "1d"
    way_out = (
        "a join, a group or an order is computed whole before its first row: read less, with a condition, or give it more time: "
        f"SET {ending} = '{more}'"
    )
    return RunError((Diagnostic(QUERY_ENDED, message, None, way_out if ending is Ending.TIME else None),))


def _without_columns(ending: Ending, error: Exception) -> RunError:
    """Say which limit has left a PIVOT without a column."""
    message = f"{ending} ended the query before it had read what its columns are: {failure_of(error)}"
    way_out = f"raise the limit, `SET {ending} = '…'`, or name the values, `ON … IN (…)`"
    return RunError((Diagnostic(QUERY_ENDED, message, None, way_out),))


def _query_failed(error: Exception) -> RunError:
    return RunError((Diagnostic(QUERY_FAILED, f"the query failed: {failure_of(error)}"),))
