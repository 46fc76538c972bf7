"""A processor that kills itself: `python -m tests.recovery.child STEP TIME …`, the rest as for `tests.engine.child`.

STEP is a place in a commit, TIME the number of the commit, counted from 1.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from headrace.engine.delivery import AtLeastOnce, ExactlyOnce
from headrace.engine.state.restore import Restorer
from headrace.engine.tasks.session import StatefulSession
from tests.engine.child import main

if TYPE_CHECKING:
    from collections.abc import Callable

BEFORE_OUTPUTS = "before outputs"
AFTER_CHANGELOG = "after changelog"
BEFORE_COMMIT = "before commit"
AFTER_COMMIT = "after commit"
AFTER_STORE = "after store"
IN_RESTORE = "in restore"

STEPS = (BEFORE_OUTPUTS, AFTER_CHANGELOG, BEFORE_COMMIT, AFTER_COMMIT, AFTER_STORE)
"""In their order: the results and changes of state are sent, the transaction is committed, the local store written."""


def _arm(step: str, time: int) -> None:
    places: dict[str, tuple[tuple[type, str], ...]] = {
        BEFORE_OUTPUTS: ((StatefulSession, "_prepare_commit"),),
        AFTER_CHANGELOG: ((StatefulSession, "_prepare_commit"),),
        BEFORE_COMMIT: ((ExactlyOnce, "commit"), (AtLeastOnce, "commit")),
        AFTER_COMMIT: ((StatefulSession, "_after_commit"),),
        AFTER_STORE: ((StatefulSession, "_after_commit"),),
        IN_RESTORE: ((Restorer, "_read"),),
    }
    for owner, name in places[step]:
        setattr(
            owner, name, _deadly(getattr(owner, name), time, after=step in (AFTER_CHANGELOG, AFTER_STORE))
        )


def _deadly(method: Callable[..., Any], time: int, *, after: bool) -> Callable[..., Any]:
    calls = 0

    def armed(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == time and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*arguments)
        if calls == time and after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return armed


if __name__ == "__main__":
    _arm(sys.argv.pop(1), int(sys.argv.pop(1)))
    main()
