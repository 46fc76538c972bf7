"""One server for all workers of a test run: starting three brokers on two cores takes longer than what they would share."""

from __future__ import annotations

import fcntl
import pickle
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

Facts = TypeVar("Facts")


@contextmanager
def shared(folder: Path, name: str, server: Callable[[], AbstractContextManager[Facts]]) -> Iterator[Facts]:
    """Give what a server says of itself, the same to every process that asks in this folder.

    The process that asks first starts the server, as its child, and at its own end waits for the others before it stops
    it. Files are locked, so that a process that dies holds nobody back.
    """
    facts, starting = folder / f"{name}.pickle", folder / f"{name}.lock"
    with ExitStack() as stack:
        using = stack.enter_context((folder / f"{name}.users").open("w"))
        with locked(starting):
            fcntl.flock(using, fcntl.LOCK_SH)
            own = not facts.exists()
            if own:
                found = stack.enter_context(server())
                facts.write_bytes(pickle.dumps(found))
            else:
                found = pickle.loads(facts.read_bytes())
        try:
            yield found
        finally:
            if own:
                with locked(starting):
                    fcntl.flock(using, fcntl.LOCK_EX)
                    facts.unlink()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out of what is between; they wait."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
