"""Says what a program would find of its state if it began now: in the changelogs, and on this machine. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from headrace import _native
from headrace.engine.state.directory import folder_of, home_of, state_failed
from headrace.engine.state.naming import named
from headrace.engine.state.ownership import Changelog, read_changelogs
from headrace.engine.state.topics import misfit
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from headrace.plan.operators import Store
    from headrace.plan.topology import Topology


class Verdict(StrEnum):
    """What becomes of a store."""

    NEW = "NEW"
    """There is no state: it begins empty."""
    KEEP = "KEEP"
    """The local state goes on; the end of the changelog is read at most."""
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
    """

    store: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class _Copy:
    """The local state of one partition of a store. `fault`: why it cannot be used; None if it can, or is in use."""

    position: int | None = None
    fault: str | None = None
    in_use: bool = False


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
    stores = {operator.id: operator.store for operator in topology.operators}
    verdicts = {}
    for group in subtopologies(topology):
        for name in group.operators:
            store = stores[name]
            unfit = misfits[store.name]
            if unfit is not None:
                verdicts[name] = StoreVerdict(store.name, Verdict.REFUSE, unfit)
                continue
            found = changelogs.get(store.changelog.name, Changelog())
            numbers = range(max(1, store.changelog.partitions))
            copies = {number: _look(home, f"{group.id}_{number}", store) for number in numbers}
            verdicts[name] = _verdict(store, found, copies)
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
    return _Copy(position)


def _verdict(store: Store, changelog: Changelog, copies: dict[int, _Copy]) -> StoreVerdict:
    topic = store.changelog.name
    if changelog.marks is not None and changelog.marks != [store.fingerprint]:
        reason = f"changelog topic `{topic}` holds the state of another program, or of this one before it was changed"
        return StoreVerdict(store.name, Verdict.REFUSE, reason)
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
