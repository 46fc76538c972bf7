"""Reads one topic from where its bounds begin to its present end, a decoded batch at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from headrace.engine.ends import partitions_of_topics
from headrace.engine.positions import partitions_of
from headrace.engine.snapshot.limits import Ending
from headrace.engine.source import SourceReader
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes.run import LOG_AWAY
from headrace.log.interface import ConsumerOptions, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from headrace.engine.faults import Fault
    from headrace.engine.snapshot.limits import Budget
    from headrace.formats.interface import Registry
    from headrace.log.interface import Consumer, Log
    from headrace.plan.snapshot import Bounds, Scan

_POLL = 0.1
"""Longest wait of one poll, in seconds."""

_PATIENCE = 30.0
"""Seconds without a broker before the scan gives up."""

Window = dict[TopicPartition, tuple[int, int]]
"""For each partition the offsets to read: first (inclusive) and end (exclusive)."""


class TopicScan:
    """One pass over a topic; belongs to one thread."""

    def __init__(
        self,
        scan: Scan,
        log: Log,
        registry: Registry | None,
        properties: Mapping[str, str],
        batch_records: int,
        *,
        follow: bool = False,
        budget: Budget | None = None,
        on_bad: Callable[[str], None] | None = None,
    ) -> None:
        """Take what to read; nothing is opened before the first batch is asked for.

        Args:
            scan: topic, columns and bounds.
            log: where the topic is.
            registry: for formats that need it.
            properties: of the consumer.
            batch_records: most records of a batch.
            follow: go on after the present end, for ever.
            budget: what may be read; None is everything.
            on_bad: told why, and where, of the first record of a batch that cannot be decoded; may raise.
        """
        self._scan = scan
        self._log = log
        self._properties = properties
        self._batch_records = batch_records
        self._follow = follow
        self._budget = budget
        self._on_bad = on_bad
        self._reader = SourceReader(scan.source, registry)
        self.schema: pa.Schema = self._reader.schema
        self.failed = 0
        """Records that could not be decoded; they are left out."""
        self.read = 0
        """Records read."""

    def batches(self) -> Generator[pa.RecordBatch]:
        """Give the readable records, in the schema of the relation. Closing the iterator ends the scan."""
        consumer = self._log.consumer(ConsumerOptions(properties=self._properties))
        try:
            window = self._window(consumer)
            if not window:
                return
            consumer.assign({place: first for place, (first, _) in window.items()})
            yield from self._records(consumer, window)
        finally:
            consumer.close()

    def _records(self, consumer: Consumer, window: Window) -> Iterator[pa.RecordBatch]:
        missing = dict(window)
        seen = time.monotonic()
        while self._follow or missing:
            if self._budget is not None and self._budget.spent():
                return
            batches = consumer.poll(self._batch_records, _POLL)
            if batches or consumer.healthy():
                seen = time.monotonic()
            elif time.monotonic() - seen > _PATIENCE:
                raise _log_away(self._log.name)
            for records in batches:
                wanted = records if self._follow else _before(records, window)
                if wanted.num_rows and self._budget is not None:
                    wanted = self._budget.taken(wanted)
                if wanted.num_rows:
                    decoded = self._reader.read(wanted)
                    self.read += wanted.num_rows
                    self.failed += len(decoded.faults)
                    if decoded.faults and self._on_bad is not None:
                        self._on_bad(_place_of_first(wanted, decoded.faults))
                    yield decoded.rows
                if self._budget is not None and self._budget.ending is Ending.SIZE:
                    return
            done = [
                place
                for place, position in consumer.positions().items()
                if place in missing and position >= missing[place][1]
            ]
            for place in done:
                del missing[place]
            if done and not self._follow:
                consumer.pause(done)

    def _window(self, consumer: Consumer) -> Window:
        bounds = self._scan.bounds
        admin = self._log.admin()
        try:
            places = partitions_of_topics(admin, [self._scan.source.topic])
        finally:
            admin.close()
        if bounds.partitions is not None:
            places = [place for place in places if place.partition in bounds.partitions]
        if not places:
            return {}
        marks = consumer.watermarks(places)
        times = (
            consumer.offsets_at(dict.fromkeys(places, bounds.first_time))
            if bounds.first_time is not None
            else {}
        )
        window = {
            place: _offsets(bounds, first, end, times.get(place, first))
            for place, (first, end) in marks.items()
        }
        if self._follow:
            return window
        return {place: (first, end) for place, (first, end) in window.items() if first < end}


def _offsets(bounds: Bounds, first: int, end: int, at_time: int) -> tuple[int, int]:
    begin = max(first, at_time, bounds.first_offset or 0)
    if bounds.last_offsets is not None:
        begin = max(begin, end - bounds.last_offsets)
    return begin, end if bounds.end_offset is None else min(end, bounds.end_offset)


def _before(records: pa.RecordBatch, window: Window) -> pa.RecordBatch:
    for place in partitions_of(records):
        end = window[place][1]
        there = pc.equal(records.column("partition"), pa.scalar(place.partition, pa.int32()))
        late = pc.and_(there, pc.greater_equal(records.column("offset"), pa.scalar(end, pa.int64())))
        if pc.any(late).as_py():
            records = records.filter(pc.invert(late))
    return records


def _place_of_first(records: pa.RecordBatch, faults: Mapping[int, Fault]) -> str:
    row = min(faults)
    topic, partition, offset = (
        records.column(name)[row].as_py() for name in ("topic", "partition", "offset")
    )
    return f"{topic}, partition {partition}, offset {offset}: {faults[row].reason}"


def _log_away(name: str) -> RunError:
    return RunError((Diagnostic(LOG_AWAY, f"no broker of {name} could be reached for {_PATIENCE:.0f} s"),))
