"""Limits of a statement, and what one that writes takes from a query that a limit has ended."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from headrace.engine.snapshot import Ending, Limits
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import QUERY_ENDED

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import pyarrow as pa

    from headrace.config.query_settings import QuerySettings
    from headrace.engine.snapshot import SnapshotQuery
    from headrace.engine.statements.workspace import Workspace
    from headrace.errors import Source, Span
    from headrace.plan.snapshot import SnapshotPlan


@contextmanager
def limited(
    text: str,
    workspace: Workspace,
    settings: QuerySettings,
    *,
    rows: int | None = None,
    seconds: float | None = None,
) -> Iterator[Limits]:
    """Give the limits of a statement, which SHOW QUERIES lists and KILL QUERY ends while this is open.

    Args:
        text: of the statement.
        workspace: where it is noted.
        settings: with what SET says.
        rows: most rows that it gives; None is all.
        seconds: how long it runs at most where SET says nothing; None is for ever.
    """
    noted = nullcontext(None) if workspace.running is None else workspace.running.noted(text)
    with noted as killed:
        time = seconds if settings.max_seconds is None else settings.max_seconds
        yield Limits(rows, settings.max_bytes, time, settings.idle_seconds, killed)


def rows_to_write(query: SnapshotQuery, plan: SnapshotPlan, nothing: str) -> Generator[pa.RecordBatch]:
    """Give the rows of a query that a limit has not made wrong.

    Where rows depend on several records (a group, a join), those that come after a limit has ended the reading are those of some
    of the records: a query shows them and says so, but nobody wants them in a topic.

    Args:
        query: opened, nothing read yet.
        plan: of the query.
        nothing: says that nothing was written.

    Raises:
        RunError: of the query.
    """
    try:
        with closing(query.batches()) as batches:
            for batch in batches:
                if not plan.follows and query.ending is not Ending.END:
                    return
                yield batch
    except RunError as fault:
        # Only before its first row.
        said = (
            replace(item, message=f"{item.message}; {nothing}") if item.code == QUERY_ENDED else item
            for item in fault.diagnostics
        )
        raise RunError(tuple(said), fault.source) from fault.__cause__


def need_end(ending: Ending, statement: str, done: str, span: Span, source: Source) -> None:
    """Say of a statement that a limit has ended what it had done by then.

    Args:
        ending: of its query, or of what else it has waited for.
        statement: INSERT, DELETE or TRUNCATE.
        done: what is written.
        span: of the statement.
        source: its text.

    Raises:
        RunError: a limit has ended it.
    """
    if ending in (Ending.END, Ending.ROWS):
        return
    message = f"{ending} ended the {statement} before its end: {done}"
    less = "" if statement == "TRUNCATE" else ", or read less, by a condition"
    way_out = None if ending is Ending.KILLED else f"raise the limit, `SET {ending} = '…'`{less}"
    raise RunError((Diagnostic(QUERY_ENDED, message, span, way_out),), source)
