"""Says what a program would find of its state if it began now: in the changelogs, and on this machine. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from headrace import _native
from headrace.engine.state.directory import folder_of, home_of, state_failed
from headrace.engine.state.history import stored_marks, verdict_on
from headrace.engine.state.naming import named
from headrace.engine.state.ownership import (
    Changelog,
    from_mark,
    inputs_from_mark,
    read_changelogs,
    read_marks,
    unread,
)
from headrace.engine.state.topics import misfit
from headrace.plan.evolution import Evolution
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from headrace.engine.state.changelog import Mark
    from headrace.log.interface import Log
    from headrace.plan.operators import Operator, Store
    from headrace.plan.topology import Topology


class Verdict(StrEnum):
    """What becomes of a store."""

    NEW = "NEW"
    """There is no state: it begins empty."""
    KEEP = "KEEP"
    """The local state goes on; the end of the changelog is read at most."""
    MIGRATE = "MIGRATE"
    """State of an earlier version of the program is read from the changelog and taken over."""
    REBUILD = "REBUILD"
    """Local state is missing or cannot be used: it is read from the changelog."""
    REFUSE = "REFUSE"
    """The program does not start."""


@dataclass(frozen=True, slots=True)
class StoreVerdict:
    """The verdict on one store.

    Args:
        store: its name.
        verdict: what becomes of it.
        reason: why, for people.
        details: what changed in the program, and what becomes of it.
    """

    store: str
    verdict: Verdict
    reason: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Copy:
    """The local state of one partition of a store.

    Args:
        position: in the changelog; None if it cannot be used.
        fault: why it cannot be used; None if it can, or is in use.
        in_use: a process has it open.
        marks: those of the part of the changelog that was read into it.
    """

    position: int | None = None
    fault: str | None = None
    in_use: bool = False
    marks: tuple[Mark, ...] = ()


_SAME: Final = Evolution((), True)
"""Between two versions that are fed the same rows."""


def judge(topology: Topology, log: Log, application: str, state_dir: Path | None) -> list[StoreVerdict]:
    """Give the verdict on each store of a program.

    Args:
        topology: from the planner.
        log: where the changelogs are.
        application: the application id.
        state_dir: folder of local state of all applications; None if it is kept in memory.

    Raises:
        RunError: the application id cannot be used, or the log or the disk fails.
    """
    topology = named(topology, application)
    if not topology.operators:
        return []
    admin = log.admin()
    try:
        home = None if state_dir is None else home_of(state_dir, application, admin.identity())
        wanted = {operator.store.name: operator.store.changelog for operator in topology.operators}
        there = {name: admin.describe(topic.name) for name, topic in wanted.items()}
    finally:
        admin.close()
    misfits = {name: None if topic is None else misfit(wanted[name], topic) for name, topic in there.items()}
    readable = {
        wanted[name].name for name, topic in there.items() if topic is not None and misfits[name] is None
    }
    settings = topology.settings
    properties = {**settings.client, **settings.consumer_client}
    changelogs = read_changelogs(topology, log, properties, readable)
    operators = {operator.id: operator for operator in topology.operators}
    verdicts = {}
    for group in subtopologies(topology):
        for name in group.operators:
            operator = operators[name]
            store = operator.store
            unfit = misfits[store.name]
            if unfit is not None:
                verdicts[name] = StoreVerdict(store.name, Verdict.REFUSE, unfit)
                continue
            found = changelogs.get(store.changelog.name, Changelog())
            numbers = range(max(1, store.changelog.partitions))
            copies = {number: _look(home, f"{group.id}_{number}", store) for number in numbers}
            verdict = _on_versions(log, properties, operator, found, copies)
            if verdict is not None and verdict.verdict is Verdict.MIGRATE:
                verdict = _unless_unread(topology, log, properties, application, operator, found) or verdict
            verdicts[name] = verdict or _verdict(store, found, copies)
    return [verdicts[operator.id] for operator in topology.operators]


def _look(home: Path | None, task: str, store: Store) -> _Copy:
    if home is None:
        return _Copy(fault="state is kept in memory")
    path = folder_of(home, task)
    if not path.is_dir():
        return _Copy(fault="there is no local state")
    try:
        local = _native.LocalStore(path)
        try:
            known, position = local.fingerprint(store.name), local.position(store.name)
            marks = tuple(stored_marks(local, store.name)) if known == store.fingerprint else ()
        finally:
            local.close()
    except _native.LockedStateError:
        return _Copy(in_use=True)
    except _native.DamagedStateError:
        return _Copy(fault="the local state is damaged")
    except (OSError, RuntimeError) as error:
        raise state_failed(error) from error
    if known is not None and known != store.fingerprint:
        return _Copy(fault="the local state is of another program")
    if position is None:
        return _Copy(fault="there is no local state")
    return _Copy(position, marks=marks)


def _on_versions(
    log: Log,
    properties: Mapping[str, str],
    operator: Operator,
    changelog: Changelog,
    copies: dict[int, _Copy],
) -> StoreVerdict | None:
    """Give the verdict if the changelog has entries of another program, or of another version of this one."""
    store = operator.store
    if changelog.marks is None:
        return None
    if not changelog.marks:
        return _foreign(store, ())
    is_own = changelog.marks[0].fingerprint == store.fingerprint
    is_fed_the_same = is_own and inputs_from_mark(changelog.marks[0], operator) == _SAME
    if not is_own and not (change := from_mark(changelog.marks[0], operator)).is_readable:
        return _foreign(store, change.obstacles)
    known = {number: copy for number, copy in copies.items() if copy.position is not None}
    starts = {}
    for number, (low, end) in changelog.bounds.items():
        # Where no copy tells of it, all is read: a later version may have taken over anywhere.
        start = known[number].position if number in known else low
        left_to_its_owner = is_fed_the_same and copies[number].in_use
        if start is not None and start < end and not left_to_its_owner:
            starts[number] = start
    later = read_marks(log, properties, store.changelog.name, starts)
    changes: dict[Evolution, None] = {}
    rows: dict[str, None] = {}
    for number in changelog.bounds:
        before = known[number].marks if number in known else ()
        marks = [*before, *later.get(number, [])]
        if not marks:
            continue
        if marks[-1].fingerprint == store.fingerprint:
            fed = inputs_from_mark(marks[-1], operator)
            if fed.obstacles:
                return _foreign(store, fed.obstacles)
            rows |= dict.fromkeys(fed.consequences)
            continue
        change_now = verdict_on(marks, operator)
        if change_now is None:
            reason = (
                f"changelog topic `{store.changelog.name}` holds the state of a later version of this program"
            )
            return StoreVerdict(store.name, Verdict.REFUSE, reason)
        if change_now.obstacles:
            return _foreign(store, change_now.obstacles)
        changes[change_now] = None
    if not changes:
        return None if not rows else replace(_verdict(store, changelog, copies), details=tuple(rows))
    details = dict.fromkeys(line for change in changes for line in (*change.changes, *change.consequences))
    reason = "the state of the version before is taken over"
    return StoreVerdict(store.name, Verdict.MIGRATE, reason, tuple(details))


def _foreign(store: Store, obstacles: tuple[str, ...]) -> StoreVerdict:
    topic = store.changelog.name
    reason = (
        f"changelog topic `{topic}` holds the state of another program, or of this one before it was changed"
    )
    return StoreVerdict(store.name, Verdict.REFUSE, reason, obstacles)


def _unless_unread(
    topology: Topology,
    log: Log,
    properties: Mapping[str, str],
    application: str,
    operator: Operator,
    changelog: Changelog,
) -> StoreVerdict | None:
    """Refuse to take state over while records of the version before are on their way to it."""
    old = changelog.marks[0].operator if changelog.marks else None
    if old is None:
        return None
    waiting = unread(topology, log, properties, application, old, operator)
    return None if waiting is None else StoreVerdict(operator.store.name, Verdict.REFUSE, waiting)


def _verdict(store: Store, changelog: Changelog, copies: dict[int, _Copy]) -> StoreVerdict:
    topic = store.changelog.name
    faults: dict[str, list[int]] = {}
    behind = 0
    for number, copy in copies.items():
        low, high = changelog.bounds.get(number, (0, 0))
        fault = copy.fault
        if copy.position is not None and copy.position > high and high == low:
            reason = f"changelog topic `{topic}` is empty, and the local state is not: the topic was deleted"
            return StoreVerdict(store.name, Verdict.REFUSE, reason)
        if low > (copy.position or 0) and not copy.in_use:
            reason = (
                f"changelog topic `{topic}` has lost its beginning, and no local state has what was in it"
            )
            return StoreVerdict(store.name, Verdict.REFUSE, reason)
        if copy.position is not None and copy.position > high:
            fault = "the changelog was begun anew"
        if fault is not None and high > low:
            faults.setdefault(fault, []).append(number)
        if copy.position is not None and fault is None:
            behind += high - copy.position
    if changelog.marks is None:
        return StoreVerdict(store.name, Verdict.NEW, "there is no state")
    if faults:
        reasons = [f"{fault} ({_partitions(numbers)})" for fault, numbers in faults.items()]
        return StoreVerdict(store.name, Verdict.REBUILD, "; ".join(reasons))
    if any(copy.in_use for copy in copies.values()):
        return StoreVerdict(store.name, Verdict.KEEP, "a process uses it now")
    reason = f"at most {behind} changelog records to read" if behind else "in step with the changelog"
    return StoreVerdict(store.name, Verdict.KEEP, reason)


def _partitions(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers))
    return f"partition {shown}" if len(numbers) == 1 else f"partitions {shown}"
