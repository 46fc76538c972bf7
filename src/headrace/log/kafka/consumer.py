"""Reads from Kafka: the native client moves the records, this module serves the group."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from headrace import _native
from headrace.errors import Diagnostic
from headrace.errors.codes import log as codes
from headrace.log.errors import FencedError, LogError
from headrace.log.interface import ConsumerOptions, OffsetReset, TopicPartition
from headrace.log.kafka import properties as names
from headrace.log.kafka.faults import RETRIABLE, error_name, fault, faults
from headrace.log.kafka.library import library_path
from headrace.log.kafka.starts import Starts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from headrace.log.interface import Offsets, OnPartitions
    from headrace.log.kafka.memory import LogMemory

_T = TypeVar("_T")
_BEGINNING: Final = -2
_END: Final = -1
_UNSET: Final = -1001
# Long waits are cut up, so that signals are seen.
_SLICE: Final = 0.2
# The client counts in milliseconds: a wait for less is none, again and again.
_TICK: Final = 0.001
# An assignment that arrives during a wait is seen when the wait ends: before the first one it is awaited closely.
_JOINING_SLICE: Final = 0.02
# Of one poll: wide records make batches of fewer rows, which a processor holds several times over. What librdkafka reads
# is counted by records alone.
_MAX_BYTES: Final = 4 << 20
_COMMIT_SECONDS: Final = 30.0
# An answer can be lost with the broker it was to come from; committing the same again does no harm.
_COMMIT_SLICE: Final = 3.0
_REBALANCE_SECONDS: Final = 5.0
# A client that is freed while its farewell is on its way waits for ever in librdkafka (2.12, 2.16): longer than the
# minute that a request may take.
_CLOSE_SECONDS: Final = 65.0
_SEEK_SECONDS: Final = 10.0
# While it is asked where a group left off: longer than most answers take, and hardly if there is other work.
_ANSWER_SLICE: Final = 0.1
_BUSY_ANSWER_SLICE: Final = 0.001
_BEGINNING_SECONDS: Final = 1.0
_BEGINNING_PAUSE: Final = 2.0
# Twice the session time-out that brokers have by default.
_INSTANCE_SECONDS: Final = 90.0
_TOPIC_CHECK_SECONDS: Final = 1.0
_DELETED_CHECK_SECONDS: Final = 5.0
_OLD_BROKER: Final = frozenset({"UNSUPPORTED_VERSION", "_UNSUPPORTED_FEATURE"})


class KafkaConsumer:
    """A consumer of Kafka, as `log.interface.Consumer`."""

    def __init__(
        self,
        log: str,
        bootstrap: str,
        log_properties: Mapping[str, str],
        options: ConsumerOptions,
        memory: LogMemory,
    ) -> None:
        self._log = log
        self._group = options.group
        self._reset = options.offset_reset
        self._memory = memory
        self._properties = names.consumer_properties(bootstrap, log_properties, options)
        self._chosen = names.chosen_protocol({**log_properties, **options.properties})
        self._native = self._connect(names.CLASSIC if options.group is None else self._protocol())
        self._topics: list[str] = []
        self._on_assign: OnPartitions = _ignore
        self._on_revoke: OnPartitions = _ignore
        self._on_lost: OnPartitions = _ignore
        self._owned: dict[TopicPartition, None] = {}
        # Where reading begins, of partitions from which no record has been given yet.
        self._starts: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        # Partitions of ours that are not read yet.
        self._waiting = Starts(options.group or "")
        self._arriving: frozenset[TopicPartition] = frozenset()
        self._joined = False
        self._took_over = False
        self._closed = False
        self._next_check = 0.0
        self._next_beginnings = 0.0
        self._instance_until: float | None = None

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        on_assign: OnPartitions,
        on_revoke: OnPartitions,
        on_lost: OnPartitions,
    ) -> None:
        """Join the group; see `log.interface.Consumer.subscribe`."""
        if self._group is None:
            self._refuse("a consumer without a group cannot subscribe")
        self._topics = list(topics)
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._next_check = time.monotonic() + _TOPIC_CHECK_SECONDS
        with faults(self._log, "cannot subscribe"):
            self._native.subscribe(self._topics)

    def assign(self, positions: Offsets) -> None:
        """Read exactly these partitions; see `log.interface.Consumer.assign`."""
        ends = [item for item, offset in positions.items() if offset == _END]
        if ends:
            # The client would look for the end itself, and jump to where it is by then if anything is asked of it first.
            marks = self.watermarks(ends)
            positions = {**positions, **{item: marks[item][1] for item in ends}}
        with faults(self._log, "cannot assign"):
            self._native.assign(_places(positions))
        self._owned = dict.fromkeys(positions)
        self._starts = dict(positions)
        self._paused.clear()

    def poll(self, max_records: int, timeout: float, linger: float = 0.0) -> list[pa.RecordBatch]:
        """Give what has arrived; see `log.interface.Consumer.poll`."""
        end = time.monotonic() + timeout
        self._took_over = False
        while True:
            batches = self._poll_once(max_records, end - time.monotonic(), linger)
            if batches or self._took_over or (end - time.monotonic() < _TICK and self._next_event() is None):
                return batches

    def healthy(self) -> bool:
        """Say whether a broker is connected, as far as is known."""
        return self._native.healthy()

    def last_fault(self) -> str | None:
        """Give the text of the last thing that went wrong with the connection; for one log line when it is lost."""
        return self._native.faults()[1]

    def assignment(self) -> list[TopicPartition]:
        """Give the partitions that are read now."""
        return list(self._owned)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Stop giving records of these partitions until `resume`."""
        self._paused.update(partitions)
        known = [item for item in partitions if item not in self._arriving and item not in self._waiting]
        with faults(self._log, "cannot pause"):
            self._native.pause(_unplaced(known))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Give records of these partitions again."""
        self._paused.difference_update(partitions)
        known = [item for item in partitions if item not in self._arriving and item not in self._waiting]
        with faults(self._log, "cannot resume"):
            self._native.resume(_unplaced(known))

    def seek(self, positions: Offsets) -> None:
        """Go on reading at these offsets."""
        waiting = {item: offset for item, offset in positions.items() if item in self._waiting}
        known = {
            item: offset
            for item, offset in positions.items()
            if item not in self._arriving and item not in waiting
        }
        end = time.monotonic() + _SEEK_SECONDS
        while known:
            try:
                self._native.seek(_places(known), _SEEK_SECONDS)
                break
            except _native.KafkaError as error:
                # A partition that was assigned a moment ago takes no offset before it has found its own.
                if error_name(error) != "_STATE" or time.monotonic() > end:
                    raise fault(self._log, "cannot seek", error) from None
                time.sleep(0.02)
        self._starts.update(positions)
        if waiting:
            with faults(self._log, "cannot seek"):
                self._read_too(waiting)

    def positions(self) -> dict[TopicPartition, int]:
        """Give the offset after the last record, of each partition; see `log.interface.Consumer.positions`.

        A partition from which nothing has come yet, and whose beginning the broker cannot tell now, is left out.
        """
        begun = [item for item in self._owned if item not in self._waiting]
        with faults(self._log, "cannot tell positions"):
            found = _offsets(self._native.positions(_unplaced(begun)))
        found.update(self._beginnings([item for item in begun if item not in found]))
        return {item: found[item] for item in begun if item in found}

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        """Give the committed offsets of the group."""
        if not partitions:
            return {}
        if self._group is None:
            self._refuse("a consumer without a group has no committed offsets")
        return _offsets(
            self._patiently(
                "cannot read committed offsets",
                lambda left: self._native.committed(_unplaced(partitions), left),
                timeout,
            )
        )

    def commit(self, offsets: Offsets) -> None:
        """Commit synchronously; see `log.interface.Consumer.commit`."""
        if not offsets:
            return
        if self._group is None:
            self._refuse("a consumer without a group cannot commit")
        places = _places(offsets)
        began = time.monotonic()
        while True:
            try:
                self._native.commit(places, _COMMIT_SLICE)
            except _native.KafkaError as error:
                name, waited = error_name(error), time.monotonic() - began
                if name == "REBALANCE_IN_PROGRESS" and waited > _REBALANCE_SECONDS:
                    diagnostic = Diagnostic(
                        codes.MEMBER_LOST, f"cannot commit on `{self._log}`: {error.args[0]}"
                    )
                    raise FencedError((diagnostic,)) from None
                passing = name in RETRIABLE or name == "REBALANCE_IN_PROGRESS"
                if not passing or waited > _COMMIT_SECONDS:
                    raise fault(self._log, "cannot commit", error) from None
                time.sleep(0.05)
            else:
                return

    def watermarks(
        self, partitions: Sequence[TopicPartition], timeout: float = 10.0
    ) -> dict[TopicPartition, tuple[int, int]]:
        """Give first and end offset."""
        end = time.monotonic() + timeout

        def ask(topic: str, which: int) -> dict[TopicPartition, int]:
            places = [(item.topic, item.partition, which) for item in partitions if item.topic == topic]
            found = self._patiently(
                f"cannot read offsets of `{topic}`",
                lambda left: self._native.offsets_for_times(places, left),
                end - time.monotonic(),
            )
            return _offsets(found)

        # By time, where these two stand for the beginning and the end: two requests a broker, not two a partition.
        both = [
            (ask(topic, _BEGINNING), ask(topic, _END)) for topic in {item.topic: None for item in partitions}
        ]
        return {item: (offset, ends[item]) for firsts, ends in both for item, offset in firsts.items()}

    def known_ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Give the end offsets as the brokers last told them with records."""
        with faults(self._log, "cannot tell ends"):
            return _offsets(self._native.known_ends(_unplaced(partitions)))

    def read_around(self) -> int:
        """Give how many partitions are read straight from their brokers, and not by librdkafka (docs/adr/0018)."""
        return self._native.read_around()

    def offsets_at(
        self, times: Mapping[TopicPartition, int], timeout: float = 10.0
    ) -> dict[TopicPartition, int]:
        """Give the first offset whose timestamp is not earlier; the end offset if there is none."""
        if not times:
            return {}
        places = self._patiently(
            "cannot find offsets by time",
            lambda left: self._native.offsets_for_times(_places(times), left),
            timeout,
        )
        found = {TopicPartition(topic, partition): offset for topic, partition, offset in places}
        late = [item for item, offset in found.items() if offset < 0]
        found.update({item: end for item, (_, end) in self.watermarks(late, timeout).items()})
        return found

    def group_metadata(self) -> bytes:
        """Give what a transaction needs to know of the group, for `KafkaProducer.commit`."""
        with faults(self._log, "cannot tell the group"):
            return self._native.group_metadata()

    def close(self) -> None:
        """Leave the group (a static member does not) and free everything; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._topics:
                self._leave()
        finally:
            self._native.destroy()
            self._owned.clear()

    def _leave(self) -> None:
        end = time.monotonic() + _CLOSE_SECONDS
        refused: LogError | None = None
        try:
            self._native.begin_close()
            done = False
            while not done and time.monotonic() < end:
                try:
                    self._serve_group(leaving=True)
                except LogError as error:
                    # Of the last commit, say; the departure goes on all the same.
                    refused = refused or error
                done = self._native.close_step(_JOINING_SLICE)
        except _native.KafkaError:
            # The client has failed for good, or was thrown out: there is no group to leave.
            lost, self._owned = list(self._owned), {}
            if lost:
                self._on_lost(lost)
        if refused is not None:
            raise refused

    def _poll_once(self, max_records: int, left: float, linger: float) -> list[pa.RecordBatch]:
        try:
            self._serve_group()
            if self._took_over:
                # Whoever polls has something to do for what it was given.
                left = 0.0
            self._begin_reading(left)
            batches = self._native.poll(max_records, _MAX_BYTES, min(max(left, 0.0), self._slice()), linger)
        except _native.KafkaError as error:
            if not self._take_classic(error) and not self._await_instance(error):
                raise fault(self._log, "cannot read", error) from None
            return []
        except ValueError:
            self._refuse("the consumer is closed")
        if not batches and self._topics:
            self._check_topics()
        return batches

    def _slice(self) -> float:
        settled = self._joined and not self._waiting
        return _SLICE if settled or not self._topics else _JOINING_SLICE

    def _begin_reading(self, left: float) -> None:
        """Let partitions begin for which it is known by now where the group left off."""
        if not self._waiting:
            return
        busy = len(self._waiting) < len(self._owned)
        places = self._known_starts(min(max(left, 0.0), _BUSY_ANSWER_SLICE if busy else _ANSWER_SLICE))
        if places:
            self._read_too(places)

    def _read_too(self, places: Mapping[TopicPartition, int]) -> None:
        """Begin to read partitions of ours that had to wait."""
        if self._native.incremental():
            self._native.add(_places(places))
        else:
            begun = [item for item in self._owned if item not in self._waiting]
            met = _offsets(self._native.positions(_unplaced(begun)))
            self._native.assign(
                _places({item: met.get(item, self._starts[item]) for item in begun} | dict(places))
            )
        self._starts.update(places)
        self._waiting.forget(places)
        paused = [item for item in self._paused if item not in self._waiting]
        if paused:
            self._native.pause(_unplaced(paused))

    def _known_starts(self, wait: float) -> dict[TopicPartition, int]:
        """Give where the waiting partitions begin, as far as it is known; waits so many seconds for an answer."""
        found = self._waiting.look(self._native, wait)
        new = [item for item, offset in found.items() if offset < 0]
        if new and self._reset is OffsetReset.NONE:
            whose = ", ".join(sorted(f"`{item.topic}`[{item.partition}]" for item in new))
            message = f"the group `{self._group}` has no offset for {whose} on `{self._log}`"
            raise LogError((Diagnostic(codes.NO_OFFSET, message),))
        # Numbers, never "the beginning" or "the end": the client looks for those itself, begins anew when it is paused
        # or sent elsewhere meanwhile, and then goes where it was not sent.
        which = 1 if self._reset is OffsetReset.LATEST else 0
        starts = {item: marks[which] for item, marks in self._marks(new).items()}
        return {**starts, **{item: offset for item, offset in found.items() if offset >= 0}}

    def _marks(self, partitions: list[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """Give first and end offset, or nothing while no broker tells them.

        One may not have heard yet of partitions that the group was given; that a topic is deleted is found elsewhere.
        """
        if not partitions:
            return {}
        try:
            return self.watermarks(partitions, _BEGINNING_SECONDS)
        except LogError as error:
            passing = (codes.UNREACHABLE, codes.NO_SUCH_TOPIC)
            if any(diagnostic.code not in passing for diagnostic in error.diagnostics):
                raise
            return {}

    def _next_event(self) -> tuple[str, list[tuple[str, int, int]]] | None:
        return self._native.rebalance()

    def _serve_group(self, *, leaving: bool = False) -> None:
        """Carry out what the group wants. Records of partitions that go have all been given by now."""
        event = self._next_event()
        if event is None:
            return
        kind, places = event
        partitions = [TopicPartition(topic, partition) for topic, partition, _ in places]
        if kind == "assign":
            if leaving:
                self._native.complete([])
            else:
                self._take_over(partitions)
            return
        known = [item for item in partitions if item in self._owned]
        try:
            if known:
                (self._on_lost if kind == "lost" else self._on_revoke)(known)
        finally:
            # Completed even if the callback failed: otherwise the group would wait for ever.
            self._native.complete(
                [place for place in places if TopicPartition(*place[:2]) not in self._waiting]
            )
            for item in partitions:
                self._owned.pop(item, None)
                self._starts.pop(item, None)
                self._paused.discard(item)
            self._waiting.forget(partitions)

    def _take_over(self, partitions: list[TopicPartition]) -> None:
        # Announced before the client begins to fetch: a `seek` in the callback decides where it begins.
        self._joined = True
        self._arriving = frozenset(partitions)
        try:
            # Members that only keep what they have are told so with an empty list; nothing changes for them.
            if partitions:
                self._took_over = True
                self._owned.update(dict.fromkeys(partitions))
                self._on_assign(partitions)
        finally:
            self._arriving = frozenset()
            unset = [item for item in partitions if item not in self._starts]
            try:
                self._starts.update(self._first_look(unset))
            finally:
                # Those for which the answer is late are read later.
                known = {item: self._starts[item] for item in partitions if item in self._starts}
                self._native.complete(_places(known))
        paused = self._paused.intersection(known)
        if paused:
            self._native.pause(_unplaced(paused))

    def _first_look(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Give where these begin, as far as it is known soon; the others are waited for."""
        if not partitions:
            return {}
        self._waiting.wait_for(partitions)
        found = self._known_starts(_ANSWER_SLICE)
        here = {item: found[item] for item in partitions if item in found}
        self._waiting.forget(here)
        return here

    def _protocol(self) -> str:
        return self._chosen or self._memory.protocol

    def _connect(self, protocol: str) -> _native.KafkaConsumer:
        with faults(self._log, "cannot make a consumer"):
            return _native.KafkaConsumer(library_path(), names.with_protocol(self._properties, protocol))

    def _take_classic(self, error: _native.KafkaError) -> bool:
        """Begin anew with the classic protocol if the broker does not know the new one."""
        if self._joined or self._chosen or self._group is None or error_name(error) not in _OLD_BROKER:
            return False
        self._memory.protocol = names.CLASSIC
        self._chosen = names.CLASSIC
        self._native.destroy()
        self._native = self._connect(names.CLASSIC)
        self._native.subscribe(self._topics)
        return True

    def _await_instance(self, error: _native.KafkaError) -> bool:
        """Try again while the group still waits for a process of the same instance that died.

        Under the new protocol it does so for the broker's session time-out; the classic one replaces it at once.
        """
        now = time.monotonic()
        if self._joined or error_name(error) != "UNRELEASED_INSTANCE_ID":
            return False
        self._instance_until = self._instance_until or now + _INSTANCE_SECONDS
        if now > self._instance_until:
            return False
        time.sleep(_SLICE)
        self._native.destroy()
        self._native = self._connect(names.CONSUMER)
        self._native.subscribe(self._topics)
        return True

    def _check_topics(self) -> None:
        """Refuse a topic that is not there, or not any more: the new group protocol would wait for it for ever."""
        now = time.monotonic()
        if now < self._next_check or not self.healthy():
            return
        self._next_check = now + (_DELETED_CHECK_SECONDS if self._joined else _TOPIC_CHECK_SECONDS)
        read = {item.topic for item in self._owned}
        for topic in self._topics:
            if topic in read:
                # Its partitions are taken away when it is deleted, or reading them fails.
                continue
            try:
                count = self._native.partition_count(topic, _SLICE)
            except _native.KafkaError as error:
                if error_name(error) in RETRIABLE:
                    return
                raise fault(self._log, f"cannot read `{topic}`", error) from None
            if count is None:
                diagnostic = Diagnostic(
                    codes.NO_SUCH_TOPIC, f"topic `{topic}` does not exist on `{self._log}`"
                )
                raise LogError((diagnostic,))

    def _beginnings(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Find out where reading will begin, of partitions from which nothing has come yet."""
        found = {item: self._starts[item] for item in partitions if self._starts.get(item, _UNSET) >= 0}
        rest = [item for item in partitions if item not in found]
        # A member that leaves is given no answer any more, so it does not ask.
        if not rest or self._closed or time.monotonic() < self._next_beginnings:
            return found
        try:
            marks = self.watermarks(rest, _BEGINNING_SECONDS)
        except LogError:
            self._next_beginnings = time.monotonic() + _BEGINNING_PAUSE
            return found
        found.update({item: low for item, (low, _) in marks.items()})
        self._starts.update({item: found[item] for item in rest})
        return found

    def _patiently(self, doing: str, ask: Callable[[float], _T], timeout: float) -> _T:
        """Ask again while the fault is one that passes, until time is up."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            try:
                return ask(min(max(left, 0.05), 1.0))
            except _native.KafkaError as error:
                if error_name(error) not in RETRIABLE or time.monotonic() >= end:
                    raise fault(self._log, doing, error) from None
                time.sleep(0.02)
            except ValueError:
                self._refuse("the consumer is closed")

    def _refuse(self, message: str) -> NoReturn:
        code = codes.CLOSED if self._closed else codes.BAD_STATE
        raise LogError((Diagnostic(code, f"{message} (`{self._log}`)"),))


def _ignore(partitions: Sequence[TopicPartition]) -> None:
    """Take no notice: `assign` has no group."""


def _places(positions: Offsets) -> list[tuple[str, int, int]]:
    return [(item.topic, item.partition, offset) for item, offset in positions.items()]


def _unplaced(partitions: Iterable[TopicPartition]) -> list[tuple[str, int, int]]:
    return [(item.topic, item.partition, _UNSET) for item in partitions]


def _offsets(places: list[tuple[str, int, int]]) -> dict[TopicPartition, int]:
    return {TopicPartition(topic, partition): offset for topic, partition, offset in places if offset >= 0}
