"""Reads dead letters and late records back, and sends them to where they came from. Used by `headrace dlq`.

What has been sent again is noted in the topic itself, in the same transaction: a note is a record with the header `NOTE` whose
value lists offsets. So a letter is sent again once, whatever was filtered out of a replay and however one ended.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute

from headrace.engine.deadletter import LATE_PREFIX, PREFIX
from headrace.engine.ends import partitions_of_topics
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import NOT_REPLAYED
from headrace.log.interface import ConsumerOptions, ProducerOptions
from headrace.log.records import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from headrace.log.interface import Log, Producer, TopicPartition

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

NOTE: Final = "headrace.replayed"
_FACTS: Final = ("topic", "partition", "offset", "stage", "reason", "operator", "application")
_BATCH: Final = 10_000
_POLL: Final = 0.5
_PATIENCE: Final = 30.0
"""Seconds to wait for the log to take the letters of a batch."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are meant; None and empty stand for all.

    Args:
        topic: where they came from.
        partition: of the topic of letters.
        offsets: in the topic of letters, from the first to the last.
        stage: where they failed: `decode.value`, `compute`, …; `late` for late records.
        reason: a part of the reason.
        application: whose they are.
    """

    topic: str | None = None
    partition: int | None = None
    offsets: tuple[int, int] | None = None
    stage: str | None = None
    reason: str | None = None
    application: str | None = None


@dataclass(frozen=True, slots=True)
class Letters:
    """Letters of one batch: the records, what their headers say of them (null if nothing), and the place of those headers."""

    records: pa.RecordBatch
    facts: Mapping[str, pa.Array[Any]]
    headers: npt.NDArray[np.int64]
    """Indices among all headers of the batch, one behind the other, of those that make a record a letter."""

    def take(self, rows: pa.Array[Any]) -> Letters:
        """Give the letters at these rows."""
        return letters_of(self.records.take(rows))

    @property
    def originals(self) -> pa.RecordBatch:
        """Give the records as they were before they became letters: without the headers that say what was wrong."""
        lists = cast("pa.ListArray[Any]", self.records.column("headers"))
        flat = lists.flatten()
        keep = np.ones(len(flat), bool)
        keep[self.headers] = False
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        kept = np.bincount(
            pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)[keep], minlength=len(lengths)
        )
        ends = np.concatenate([[0], np.cumsum(kept)])
        headers = pa.ListArray.from_arrays(
            pa.array(ends, pa.int32()), flat.filter(pa.array(keep)), type=HEADERS
        )
        names = ("key", "value", "timestamp")
        return pa.RecordBatch.from_arrays(
            [*(self.records.column(name) for name in names), headers], names=[*names, "headers"]
        )


@dataclass(slots=True)
class Replayed:
    """Ranges of offsets of a topic of letters that have been sent again, by partition."""

    ranges: dict[int, list[list[int]]] = field(default_factory=dict)

    def note(self, records: pa.RecordBatch) -> None:
        """Take the notes among some records."""
        for value in records.column("value").to_pylist():
            for partition, ranges in json.loads(value or b"{}").items():
                self.ranges.setdefault(int(partition), []).extend(ranges)

    def among(self, records: pa.RecordBatch) -> pa.BooleanArray:
        """Say for each record whether it has been sent again."""
        found = np.zeros(records.num_rows, bool)
        partitions, offsets = (records.column(name).to_numpy() for name in ("partition", "offset"))
        for partition, ranges in self.ranges.items():
            first, last = np.array(sorted(ranges), np.int64).T
            # Ranges may overlap after a replay of everything: what counts is the furthest end of those that begin before.
            reach = np.maximum.accumulate(last)
            before = np.searchsorted(first, offsets, "right") - 1
            found |= (partitions == partition) & (before >= 0) & (offsets <= reach[np.maximum(before, 0)])
        return pa.array(found)


def letters_of(records: pa.RecordBatch) -> Letters:
    """Read what the headers of letters say: of each name the last header, as the others are the record's own."""
    lists = cast("pa.ListArray[Any]", records.column("headers"))
    flat, parents = lists.flatten(), pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    names, values = pc.struct_field(flat, "key"), pc.struct_field(flat, "value")
    facts: dict[str, pa.Array[Any]] = {}
    used = []
    for fact in _FACTS:
        last = np.full(records.num_rows, -1, np.int64)
        for prefix in (PREFIX, LATE_PREFIX):
            places = np.flatnonzero(pc.equal(names, prefix + fact).to_numpy(zero_copy_only=False))
            last[parents[places]] = places
        missing = last < 0
        used.append(last[~missing])
        facts[fact] = values.take(pa.array(last, mask=missing)).cast(pa.string())
    return Letters(records, facts, np.concatenate(used))


def read_letters(log: Log, topic: str) -> Iterator[tuple[Letters, pa.BooleanArray]]:
    """Give the letters of a topic up to its present end, batch by batch, and for each whether it was sent again.

    Raises:
        RunError: there is no such topic.
    """
    with closing(log.admin()) as admin:
        places = partitions_of_topics(admin, [topic])
    if not places:
        message = f"there is no topic `{topic}`"
        raise RunError((Diagnostic(NOT_REPLAYED, message, help="list topics with `headrace topics list`"),))
    replayed = Replayed()
    with closing(log.consumer(ConsumerOptions(read_committed=False))) as looker:
        # What open transactions wrote counts: among it may be the note of a replay whose commit is about to be seen.
        marks = looker.watermarks(places)
    # Notes stand behind the letters they are about.
    for records in _records(log, marks):
        notes = records.filter(_is_note(records))
        if notes.num_rows:
            replayed.note(notes)
    for records in _records(log, marks):
        letters = records.filter(pc.invert(_is_note(records)))
        if letters.num_rows:
            yield letters_of(letters), replayed.among(letters)


def matching(letters: Letters, wanted: Filter) -> pa.BooleanArray:
    """Say for each letter whether it is meant, and is a letter at all."""
    facts = letters.facts
    chosen = facts["topic"].is_valid()
    for name, value in (("topic", wanted.topic), ("application", wanted.application)):
        if value is not None:
            chosen = pc.and_(chosen, pc.fill_null(pc.equal(facts[name], value), False))
    if wanted.stage == "late":
        chosen = pc.and_(chosen, facts["operator"].is_valid())
    elif wanted.stage is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.equal(facts["stage"], wanted.stage), False))
    if wanted.reason is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.match_substring(facts["reason"], wanted.reason), False))
    if wanted.partition is not None:
        chosen = pc.and_(chosen, pc.equal(letters.records.column("partition"), wanted.partition))
    if wanted.offsets is not None:
        first, last = wanted.offsets
        offsets = letters.records.column("offset")
        chosen = pc.and_(chosen, pc.and_(pc.greater_equal(offsets, first), pc.less_equal(offsets, last)))
    return chosen


def replay(
    log: Log,
    topic: str,
    wanted: Filter,
    *,
    to: str | None = None,
    again: bool = False,
    dry_run: bool = False,
) -> dict[str, int]:
    """Send letters to where they came from, as they came; give how many by topic.

    Those of a batch are sent, and noted as sent, in one transaction.

    Args:
        log: where the topics are.
        topic: of the letters.
        wanted: which of them.
        to: another topic to send all to.
        again: those too that were sent before.
        dry_run: send nothing, only count.

    Raises:
        RunError: a topic is missing, a letter is refused, or another replay of the same topic has begun.
    """
    sent: Counter[str] = Counter()
    if dry_run:
        for letters in _meant(log, topic, wanted, again=again):
            sent.update(_counts(letters, to))
        return sent
    # One replay at a time: a second one takes over the transactional id, and this one stops.
    options = ProducerOptions(transactional_id=f"headrace-dlq-{topic}")
    with closing(log.consumer(ConsumerOptions())) as reader, closing(log.producer(options)) as producer:
        for letters in _meant(log, topic, wanted, again=again):
            producer.begin()
            _send(log, producer, letters, to)
            producer.send(topic, _note(letters.records))
            failures = producer.flush(_PATIENCE)
            if failures:
                producer.abort()
                message = f"`{failures[0].topic}` refuses a letter: {failures[0].reason}"
                raise RunError((Diagnostic(NOT_REPLAYED, message),))
            producer.commit({}, reader)
            sent.update(_counts(letters, to))
    return sent


def _meant(log: Log, topic: str, wanted: Filter, *, again: bool) -> Iterator[Letters]:
    for letters, before in read_letters(log, topic):
        chosen = matching(letters, wanted)
        if not again:
            chosen = pc.and_(chosen, pc.invert(before))
        if pc.any(chosen).as_py():
            yield letters.take(pc.indices_nonzero(chosen))


def _targets(letters: Letters, to: str | None) -> pa.Array[Any]:
    found = letters.facts["topic"] if to is None else pa.array([to] * letters.records.num_rows)
    return found


def _counts(letters: Letters, to: str | None) -> dict[str, int]:
    return {item["values"]: item["counts"] for item in pc.value_counts(_targets(letters, to)).to_pylist()}


def _send(log: Log, producer: Producer, letters: Letters, to: str | None) -> None:
    targets = _targets(letters, to)
    originals = letters.originals
    partitions = letters.facts["partition"].cast(pa.int32())
    with closing(log.admin()) as admin:
        for source in pc.unique(targets).to_pylist():
            there = admin.describe(source)
            if there is None:
                message = f"the topic `{source}`, where letters came from, does not exist"
                raise RunError((Diagnostic(NOT_REPLAYED, message, help="name another one with --to"),))
            rows = pc.equal(targets, source)
            own = partitions.filter(rows)
            # To the partition it came from: whoever dealt the keys may have done it in a way of his own.
            fits = pc.less(own, there.partitions) if to is None else pa.array([False] * len(own))
            placed = pc.if_else(fits, own, pa.scalar(None, pa.int32()))
            batch = originals.filter(rows)
            producer.send(
                source,
                pa.RecordBatch.from_arrays(
                    [*batch.columns, placed], names=[*batch.schema.names, "partition"]
                ),
            )


def _note(records: pa.RecordBatch) -> pa.RecordBatch:
    """Make the record that says which letters were sent again."""
    ranges: dict[str, list[list[int]]] = {}
    partitions, offsets = (records.column(name).to_numpy() for name in ("partition", "offset"))
    for partition in np.unique(partitions):
        found = np.sort(offsets[partitions == partition])
        for run in np.split(found, np.flatnonzero(np.diff(found) > 1) + 1):
            ranges.setdefault(str(partition), []).append([int(run[0]), int(run[-1])])
    return pa.RecordBatch.from_arrays(
        [
            pa.array([json.dumps(ranges).encode()], pa.binary()),
            pa.array([[{"key": NOTE, "value": b"1"}]], HEADERS),
        ],
        names=["value", "headers"],
    )


def _is_note(records: pa.RecordBatch) -> pa.BooleanArray:
    lists = cast("pa.ListArray[Any]", records.column("headers"))
    flat, parents = lists.flatten(), pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    found = np.zeros(records.num_rows, bool)
    found[parents[pc.equal(pc.struct_field(flat, "key"), NOTE).to_numpy(zero_copy_only=False)]] = True
    return pa.array(found)


def _records(log: Log, marks: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[pa.RecordBatch]:
    """Give the committed records between these offsets."""
    ends = {place: end for place, (first, end) in marks.items() if end > first}
    patience = time.monotonic() + _PATIENCE
    with closing(log.consumer(ConsumerOptions())) as consumer:
        consumer.assign({place: marks[place][0] for place in ends})
        while any(consumer.positions().get(place, 0) < end for place, end in ends.items()):
            found = consumer.poll(_BATCH, _POLL)
            if found:
                patience = time.monotonic() + _PATIENCE
            elif time.monotonic() > patience:
                topic = next(iter(ends)).topic
                message = f"`{topic}` cannot be read to its end: a transaction that writes to it does not end"
                raise RunError((Diagnostic(NOT_REPLAYED, message, help="try again in a minute"),))
            for records in found:
                yield _before(records, ends)


def _before(records: pa.RecordBatch, ends: Mapping[TopicPartition, int]) -> pa.RecordBatch:
    """Leave out what came after the ends were taken."""
    by_number = {place.partition: end for place, end in ends.items()}
    table = pa.array([by_number.get(number, 0) for number in range(max(by_number) + 1)], pa.int64())
    return records.filter(pc.less(records.column("offset"), table.take(records.column("partition"))))
