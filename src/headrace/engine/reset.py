"""Sets where an application goes on: its committed offsets, and what becomes of its state, while it does not run.

Used by `headrace reset`, and by `headrace run --from` for partitions that the application has never read.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headrace.engine.ends import partitions_of_topics
from headrace.engine.state.directory import home_of, state_failed
from headrace.engine.state.naming import named
from headrace.engine.state.topics import discard, stored_in
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import APPLICATION_RUNS, NO_OFFSETS, STATE_WOULD_STAY
from headrace.log.errors import FencedError
from headrace.log.interface import ConsumerOptions, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from headrace.log.interface import Consumer, Log
    from headrace.plan.topology import Topology

_INTERNAL: Final = ("-changelog", "-repartition")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to go on: at the earliest record, at the end, at a time, or at an offset.

    Args:
        earliest: at the first record that is there.
        time: milliseconds since the epoch: at the first record that is not earlier by its timestamp.
        offset: of each partition; what is not there any more, or not yet, counts as the earliest, or the end.

    Without any of them: at the end.
    """

    earliest: bool = False
    time: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A partition, the offset that is committed now (None if none is), and the one that will be."""

    place: TopicPartition
    before: int | None
    after: int


class Reset:
    """A reset of one application; nothing changes before `carry_out`."""

    def __init__(self, log: Log, application: str, topology: Topology | None = None) -> None:
        """Take the application.

        Args:
            log: where its topics are.
            application: its id.
            topology: of its program; without it the topics are those that it has read, and it may keep no state.
        """
        self._log = log
        self._application = application
        self._topology = None if topology is None else named(topology, application)
        self._discards = False
        self.moves: list[Move] = []

    @property
    def stores(self) -> list[str]:
        """Names of the stores that the program keeps."""
        return [] if self._topology is None else [item.store.name for item in self._topology.operators]

    def plan(self, target: Target, topics: Collection[str] = (), *, state: bool | None = None) -> None:
        """Find out what is to be done.

        Args:
            target: where the inputs go on.
            topics: the inputs that do; none stands for all.
            state: whether state is given up (True) or stays as it is (False); None if nobody has said.

        Raises:
            RunError: the application runs, it has read nothing, or it keeps state and nobody has said what becomes of it.
        """
        with closing(self._log.admin()) as admin:
            self._refuse_members(len(admin.group_members(self._application)))
            committed = admin.group_offsets(self._application)
            if self._topology is None:
                self._refuse_state(admin.topics())
                inputs = sorted({place.topic for place in committed})
            else:
                if self.stores and state is None:
                    raise _state_would_stay(self._application, self.stores)
                inputs = sorted(item.topic for item in self._topology.sources.values() if not item.internal)
            chosen = [topic for topic in inputs if not topics or topic in topics]
            unknown = [topic for topic in topics if topic not in inputs]
            if unknown or not chosen:
                raise _nothing_read(self._application, unknown[0] if unknown else None)
            places = partitions_of_topics(admin, chosen)
            ends: list[TopicPartition] = []
            if state and self._topology is not None:
                # What waits between two of its queries belongs to the state that is given up.
                internal = [item.topic for item in self._topology.sources.values() if item.internal]
                ends = partitions_of_topics(admin, internal)
        self._discards = bool(state) and bool(self.stores)
        with closing(self._log.consumer(ConsumerOptions())) as consumer:
            after = {**positions(consumer, places, target), **positions(consumer, ends, Target())}
        self.moves = [Move(place, committed.get(place), offset) for place, offset in sorted(after.items())]

    def carry_out(self, state_dir: Path | None) -> None:
        """Give the state up, if that was asked for, and commit the offsets.

        Args:
            state_dir: folder of local state of all applications.

        Raises:
            RunError: the application has begun to run meanwhile.
        """
        if self._discards and self._topology is not None:
            with closing(self._log.admin()) as admin:
                self._refuse_members(len(admin.group_members(self._application)))
                discard(admin, stored_in(self._topology, self.stores))
                if state_dir is not None:
                    _remove(home_of(state_dir, self._application, admin.identity()))
        commit_offsets(self._log, self._application, {item.place: item.after for item in self.moves})

    def _refuse_members(self, count: int) -> None:
        if count:
            raise _runs(self._application, f"has {count} {'members' if count > 1 else 'member'}")

    def _refuse_state(self, topics: Sequence[str]) -> None:
        own = [
            name for name in topics if name.startswith(f"{self._application}-") and name.endswith(_INTERNAL)
        ]
        if own:
            message = (
                f"the application `{self._application}` seems to keep state: there is the topic `{own[0]}`"
            )
            way_out = "name its program, so that it is known which topics are its own"
            raise RunError((Diagnostic(STATE_WOULD_STAY, message, help=way_out),))


def positions(
    consumer: Consumer, places: Sequence[TopicPartition], target: Target
) -> dict[TopicPartition, int]:
    """Give the offsets of a target."""
    marks = consumer.watermarks(places) if places else {}
    if target.time is not None:
        return consumer.offsets_at(dict.fromkeys(marks, target.time)) if marks else {}
    if target.offset is not None:
        return {place: min(max(target.offset, first), end) for place, (first, end) in marks.items()}
    return {place: first if target.earliest else end for place, (first, end) in marks.items()}


def commit_offsets(log: Log, application: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Commit offsets of a group that has no members.

    Raises:
        RunError: it has members.
    """
    with closing(log.consumer(ConsumerOptions(group=application))) as outsider:
        try:
            # The log refuses those who are no members while there are any: so nothing can run between looking and writing.
            outsider.commit(offsets)
        except FencedError as error:
            raise _runs(application, "has begun to run") from error


def _remove(home: Path) -> None:
    try:
        shutil.rmtree(home)
    except FileNotFoundError:
        return
    except OSError as error:
        raise state_failed(error) from error


def _runs(application: str, how: str) -> RunError:
    message = f"the application `{application}` {how}: its offsets are those of whoever runs it"
    way_out = "stop all its processes; one with an instance name stays a member until its session time-out"
    return RunError((Diagnostic(APPLICATION_RUNS, message, help=way_out),))


def _state_would_stay(application: str, stores: Sequence[str]) -> RunError:
    names = ", ".join(f"`{name}`" for name in stores)
    message = f"the application `{application}` keeps state in {names}, which belongs to the offsets that are committed now"
    way_out = (
        "give it up with --discard-state, or keep it with --keep-state: records that come again count again"
    )
    return RunError((Diagnostic(STATE_WOULD_STAY, message, help=way_out),))


def _nothing_read(application: str, topic: str | None) -> RunError:
    what = f"does not read the topic `{topic}`" if topic else "has committed no offset on this log"
    return RunError(
        (
            Diagnostic(
                NO_OFFSETS,
                f"the application `{application}` {what}",
                help="see its id and its topics in `headrace plan`, or name its program",
            ),
        )
    )
