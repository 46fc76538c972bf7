"""One thread of a processor: a session with the group, and a new one when it was thrown out or lost the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.engine.operators.graph import Graph
from headrace.engine.policy import Policies
from headrace.engine.refusals import Refusals
from headrace.engine.stateless import StatelessSession
from headrace.engine.tasks.session import StateDamagedError, StatefulSession
from headrace.engine.tasks.tables import WholeTables
from headrace.engine.transform import Transformer
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.log import UNREACHABLE
from headrace.errors.codes.run import FENCED
from headrace.log.errors import FencedError, LogError
from headrace.telemetry.events import MemberFenced

if TYPE_CHECKING:
    from headrace.engine.session import Session, Surroundings, ThreadState

_PATIENCE = 120.0
"""Seconds in which a thread may be thrown out again and again, without a commit, before it gives up.

Longer than brokers remember a member that was killed: until then its successor of the same name is kept out.
"""

_PAUSE = (0.2, 3.0)
"""First and longest pause, in seconds, before a new session."""


def work(around: Surroundings, number: int, state: ThreadState) -> None:
    """Process until the processor stops; the body of a thread.

    Raises:
        HeadraceError: what can be mended neither by waiting nor by doing it again.
    """
    program = _Program(around)
    comeback = _Comeback(around)
    try:
        while not around.stopping.is_set():
            session: Session | None = None
            try:
                session = program.session(number, state)
                session.run()
            except StateDamagedError:
                assert session is not None
                session.abandon()
            except LogError as error:
                if session is not None:
                    session.abandon()
                comeback.prepare(error, progress=session is not None and session.commits > 0)
                if not isinstance(error, FencedError):
                    around.broker.seen(number, there=False)
            except BaseException:
                if session is not None:
                    session.abandon()
                raise
            finally:
                state.owned = frozenset()
    finally:
        around.broker.left(number)
        around.schemas.left(number)
        program.close()


class _Program:
    """What a thread compiles once and keeps from session to session."""

    def __init__(self, around: Surroundings) -> None:
        topology, options = around.topology, around.options
        policies, ids = Policies(topology.settings, options.application), around.targets.schema_ids
        self._around = around
        self._graph: Graph | None = None
        self._transformer: Transformer | None = None
        self._tables: WholeTables | None = None
        if topology.operators:
            self._graph = Graph(topology, around.registry, ids, policies, Refusals(), options.application)
            self._graph.limit(around.state_memory // max(1, topology.settings.threads))
            if topology.tables:
                self._tables = WholeTables(topology, around.log, self._graph)
        else:
            self._transformer = Transformer(topology, around.registry, ids, policies, Refusals())

    def session(self, number: int, state: ThreadState) -> Session:
        """Begin a session."""
        if self._graph is not None:
            if self._tables is not None:
                self._around.reports.add(self._tables.load(self._around.stopping.is_set))
            return StatefulSession(
                self._around, number, self._graph, self._around.directory, state, self._tables
            )
        assert self._transformer is not None
        return StatelessSession(self._around, number, self._transformer, state)

    def close(self) -> None:
        """Free the DuckDB connections."""
        if self._tables is not None:
            self._tables.close()
        if self._graph is not None:
            self._graph.close()
        if self._transformer is not None:
            self._transformer.close()


class _Comeback:
    """Decides whether a thread begins a new session after an error, and how long it waits before."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._tries = 0
        self._fenced_since: float | None = None

    def prepare(self, error: LogError, *, progress: bool) -> None:
        """Wait for the next try; raises if there is none.

        A new session finds out what became of the last one's work: a transaction whose end is not known is either
        committed, and so are its offsets, or it is aborted when the transactional id is taken over.
        """
        if progress:
            self._tries, self._fenced_since = 0, None
        if isinstance(error, FencedError):
            now = time.monotonic()
            if self._fenced_since is None:
                self._fenced_since = now
                MemberFenced(str(error)).emit(self._around.metrics)
            elif now - self._fenced_since > _PATIENCE:
                raise _fenced(error) from error
        elif all(diagnostic.code is not UNREACHABLE for diagnostic in error.diagnostics):
            raise error
        first, longest = _PAUSE
        self._around.stopping.wait(min(longest, first * 2.0 ** min(self._tries, 10)))
        self._tries += 1


def _fenced(error: FencedError) -> RunError:
    return RunError(
        (
            Diagnostic(
                FENCED,
                f"thrown out of the group again and again for {_PATIENCE:.0f} s: {error}",
                help="give each process of the application an instance name of its own",
            ),
        )
    )
