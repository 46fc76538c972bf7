"""Finds out where a group left off, for partitions that were just given to this member.

librdkafka would do it by itself; `native/kafka/src/group_offsets.rs` says why it is not left to do so.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from headrace import _native
from headrace.log.interface import TopicPartition
from headrace.log.kafka.faults import RETRIABLE, error_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REQUEST_SECONDS: Final = 10.0
# A transaction of a member that was killed stays open until the broker's time-out: a minute, not milliseconds.
_PAUSE: Final = 0.1
_PASSING: Final = RETRIABLE | {"UNSTABLE_OFFSET_COMMIT"}


class Starts:
    """The partitions whose first offset is not known yet, and the one question about them that is on its way."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._waiting: dict[TopicPartition, None] = {}
        # None while no question is open; partitions that went and came back meanwhile are asked for anew.
        self._asked: frozenset[TopicPartition] | None = None
        self._next = 0.0

    def __contains__(self, partition: object) -> bool:
        return partition in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def wait_for(self, partitions: Iterable[TopicPartition]) -> None:
        """Take partitions in that were just assigned; the next `look` asks about all."""
        self._waiting.update(dict.fromkeys(partitions))
        self._asked = None
        self._next = 0.0

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Let partitions go: they were taken away, or somebody else decided where they begin."""
        gone = frozenset(partitions)
        for item in gone:
            self._waiting.pop(item, None)
        if self._asked is not None:
            self._asked -= gone

    def look(self, native: _native.KafkaConsumer, wait: float) -> Mapping[TopicPartition, int]:
        """Give the offsets that are known now, -1001 where nothing was committed; ask if there is no question yet.

        The partitions stay here until `forget`.

        Args:
            native: the member.
            wait: seconds to wait for an answer.

        Raises:
            KafkaError: the group's offsets cannot be read, and waiting does not mend it.
        """
        if self._asked is None:
            if time.monotonic() < self._next:
                return {}
            places = [(item.topic, item.partition, -1) for item in self._waiting]
            native.ask_group_offsets(self._group, places, _REQUEST_SECONDS)
            self._asked = frozenset(self._waiting)
        try:
            answer = native.group_offsets(wait)
        except _native.KafkaError as error:
            self._ask_again_later()
            if error_name(error) in _PASSING:
                return {}
            raise
        if answer is None:
            return {}
        asked = self._asked
        self._ask_again_later()
        found: dict[TopicPartition, int] = {}
        for topic, partition, offset, name in answer:
            item = TopicPartition(topic, partition)
            if name and name not in _PASSING:
                reason = f"{topic} [{partition}]: {name}"
                raise _native.KafkaError(reason, 0, name, False, False, False)
            if not name and item in asked:
                found[item] = offset
        return found

    def _ask_again_later(self) -> None:
        self._asked = None
        self._next = time.monotonic() + _PAUSE
