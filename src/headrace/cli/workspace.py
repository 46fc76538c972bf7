"""The log of a call and all that statements need beside it, opened for the length of a command."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headrace.cli.session import open_session, setting_defaults
from headrace.cli.state_folder import state_folder
from headrace.engine.snapshot import LocalStates
from headrace.engine.statements import Workspace
from headrace.engine.statements.running import RunningQueries
from headrace.errors import Span
from headrace.sql.nodes import Set

if TYPE_CHECKING:
    from collections.abc import Iterator


_NOWHERE: Final = Span(0, 0)


@contextmanager
def open_workspace(
    log: str | None, registry: str | None, state_dir: str | None, functions: str | None = None
) -> Iterator[Workspace]:
    """Open log, registry and local state; flags go before the environment, the environment before the default."""
    with open_session(log, registry) as session:
        folder = state_folder(state_dir, session.environment.state_dir, session.log.name)
        yield Workspace(
            session.log,
            session.registry,
            session.catalog,
            LocalStates(folder, session.log),
            None if folder is None else RunningQueries(folder / "queries.db", _whole_name(session.log.name)),
            tuple(
                Set(tuple(key.split(".")), value, _NOWHERE, _NOWHERE)
                for key, value in setting_defaults(functions, session.environment).items()
            ),
        )


def _whole_name(log: str) -> str:
    """Tell logs in different folders apart, which are called `sqlite:headrace.db` in all of them."""
    kind, _, file = log.partition(":")
    return f"{kind}:{Path(file).resolve()}" if kind == "sqlite" and file != ":memory:" else log
