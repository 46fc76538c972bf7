"""A processor that may kill itself: `python -m tests.recovery.child URL PROGRAM NAME [key=value …]`, until SIGTERM.

PROGRAM is one of `tests.recovery.programs`, NAME that of its topics and of the application. With `step=` (of `STEPS`) and
`time=` it ends with SIGKILL at that step, the so manieth time that it comes to it. At SIGUSR1 it says where its threads stand.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headrace.engine import Processor, ProcessorOptions
from headrace.engine.delivery import AtLeastOnce, ExactlyOnce
from headrace.engine.operators import graph
from headrace.engine.session import Session
from headrace.engine.state.restore import Restorer
from headrace.engine.tasks.assignment import Tasks
from headrace.engine.tasks.session import StatefulSession
from headrace.log import open_log
from headrace.log.kafka.producer import KafkaProducer
from headrace.plan.topology import Guarantee, RunSettings
from headrace.telemetry.logs import set_up_logging
from tests.recovery.programs import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BEFORE_OUTPUTS = "before outputs"
AMONG_OUTPUTS = "among outputs"
AMONG_CHANGELOGS = "among changelogs"
AFTER_CHANGELOG = "after changelog"
BEFORE_COMMIT = "before commit"
BEFORE_OFFSETS = "before offsets"
AFTER_OFFSETS = "after offsets"
AFTER_COMMIT = "after commit"
AMONG_STORES = "among stores"
AFTER_STORE = "after store"
IN_RESTORE = "in restore"
AFTER_RESTORE = "after restore"
BEFORE_ASSIGNED = "before assigned"
AFTER_ASSIGNED = "after assigned"
BEFORE_REVOKED = "before revoked"
AFTER_REVOKED = "after revoked"

IN_COMMIT: Final = (
    BEFORE_OUTPUTS,
    AMONG_OUTPUTS,
    AMONG_CHANGELOGS,
    AFTER_CHANGELOG,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    AMONG_STORES,
    AFTER_STORE,
)
"""In their order: results are sent, then changes of state, the transaction is committed, the local stores are written."""

ON_KAFKA: Final = (BEFORE_OFFSETS, AFTER_OFFSETS)
"""Within the commit of a transaction, between its requests."""

_AFTER = "after"
_BEFORE = "before"

_PLACES: Final[Mapping[str, tuple[str, tuple[tuple[type, str], ...]]]] = {
    BEFORE_OUTPUTS: (_BEFORE, ((StatefulSession, "_prepare_commit"),)),
    AMONG_OUTPUTS: (_AFTER, ((Session, "_send"),)),
    AMONG_CHANGELOGS: (_AFTER, ((StatefulSession, "_send_state"),)),
    AFTER_CHANGELOG: (_AFTER, ((StatefulSession, "_prepare_commit"),)),
    BEFORE_COMMIT: (_BEFORE, ((ExactlyOnce, "commit"), (AtLeastOnce, "commit"))),
    AFTER_COMMIT: (_BEFORE, ((StatefulSession, "_after_commit"),)),
    AFTER_STORE: (_AFTER, ((StatefulSession, "_after_commit"),)),
    IN_RESTORE: (_BEFORE, ((Restorer, "_finish"),)),
    AFTER_RESTORE: (_AFTER, ((Tasks, "_finished"),)),
    BEFORE_ASSIGNED: (_BEFORE, ((Session, "_on_assign"),)),
    AFTER_ASSIGNED: (_AFTER, ((Session, "_on_assign"),)),
    BEFORE_REVOKED: (_BEFORE, ((Session, "_on_revoke"),)),
    AFTER_REVOKED: (_AFTER, ((Session, "_on_revoke"),)),
}

STEPS: Final = (*_PLACES, AMONG_STORES, *ON_KAFKA)


class _Deadly:
    """Stands before an object of the native module, whose methods cannot be replaced."""

    def __init__(self, inner: Any, **armed: Callable[..., Any]) -> None:
        self._inner = inner
        self.__dict__.update(armed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _arm(step: str, time: int) -> None:
    fuse = _Fuse(time)
    if step == AMONG_STORES:
        make = graph.make_kernel  # type: ignore[attr-defined]

        def made(operator: Any, functions: Any = ()) -> Any:
            kernel = make(operator, functions)
            return _Deadly(kernel, committed=fuse.behind(kernel.committed))

        graph.make_kernel = made  # type: ignore[attr-defined]
    elif step in ON_KAFKA:
        begin = KafkaProducer.__init__

        def begun(self: KafkaProducer, *arguments: Any) -> None:
            begin(self, *arguments)
            send = self._native.send_offsets
            armed = fuse.before(send) if step == BEFORE_OFFSETS else fuse.behind(send)
            self._native = _Deadly(self._native, send_offsets=armed)  # type: ignore[assignment]

        KafkaProducer.__init__ = begun  # type: ignore[method-assign, assignment]
    else:
        when, places = _PLACES[step]
        for owner, name in places:
            method = getattr(owner, name)
            setattr(owner, name, fuse.behind(method) if when == _AFTER else fuse.before(method))


class _Fuse:
    """Ends the process when its time has come."""

    def __init__(self, time: int) -> None:
        self._left = time

    def before(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def armed(*arguments: Any, **named: Any) -> Any:
            self._burn()
            return method(*arguments, **named)

        return armed

    def behind(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def armed(*arguments: Any, **named: Any) -> Any:
            result = method(*arguments, **named)
            self._burn()
            return result

        return armed

    def _burn(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    url, program, name, *more = sys.argv[1:]
    facts = dict(item.split("=", 1) for item in more)
    faulthandler.register(signal.SIGUSR1)
    if "step" in facts:
        _arm(facts["step"], int(facts["time"]))
    settings = RunSettings(
        guarantee=Guarantee(facts.get("guarantee", "exactly_once")),
        commit_interval=float(facts.get("interval", "0.05")),
        threads=int(facts.get("threads", "1")),
        # The classic protocol lets a member of the same name take over at once.
        client={"group.protocol": facts.get("protocol", "classic")},
        # Nobody takes over the transactions of a second process that is killed and does not come back.
        producer_client={"transaction.timeout.ms": "10000"},
        consumer_client=(
            {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}
            if facts.get("protocol", "classic") == "classic"
            else {}
        ),
    )
    options = ProcessorOptions(
        name,
        instance=facts.get("instance"),
        until_end=facts.get("until_end") == "yes",
        batch_records=int(facts.get("batch", "100")),
        state_dir=Path(facts["state"]) if "state" in facts else None,
    )
    set_up_logging()
    with open_log(url) as log:
        processor = Processor(plan(log, program, name, settings), log, None, options)
        signal.signal(signal.SIGTERM, lambda *_: processor.stop())
        processor.run()


if __name__ == "__main__":
    main()
