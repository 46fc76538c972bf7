"""One thread of a processor: a session with the group, and a new one when it was thrown out."""

from __future__ import annotations

from headrace.engine.session import Session, Surroundings, ThreadState
from headrace.engine.transform import Transformer
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import FENCED
from headrace.log.errors import FencedError
from headrace.telemetry.events import MemberFenced

_FENCED_LIMIT = 5
"""So many times in a row, without a commit between them, a thread is thrown out before it gives up."""

_PAUSE = 0.2
"""Seconds before the first new session; doubled each time."""


def work(around: Surroundings, number: int, state: ThreadState) -> None:
    """Process until the processor stops; the body of a thread.

    Raises:
        HeadraceError: what can be mended neither by waiting nor by doing it again.
    """
    transformer = Transformer(around.topology, around.registry, around.schema_ids, around.options.application)
    fenced = 0
    try:
        while not around.stopping.is_set():
            session = Session(around, number, transformer, state)
            try:
                session.run()
            except FencedError as error:
                session.abandon()
                fenced = 1 if session.commits else fenced + 1
                if fenced > _FENCED_LIMIT:
                    raise RunError(
                        (
                            Diagnostic(
                                FENCED,
                                f"thrown out of the group {fenced} times in a row: {error}",
                                help="give each process of the application an instance name of its own",
                            ),
                        )
                    ) from error
                MemberFenced(str(error)).emit(around.metrics)
                around.stopping.wait(_PAUSE * 2**fenced)
            except BaseException:
                session.abandon()
                raise
            finally:
                state.owned = frozenset()
    finally:
        around.broker.left(number)
        around.schemas.left(number)
        transformer.close()
