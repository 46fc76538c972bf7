"""Reads one record again by its place: one whose output the log refused after its batch was gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.log.interface import ConsumerOptions, Log, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


def read_record(
    log: Log, partition: TopicPartition, offset: int, properties: Mapping[str, str], timeout: float = 30.0
) -> pa.RecordBatch | None:
    """Give a batch of the one record at this place, or None if retention has taken it."""
    consumer = log.consumer(ConsumerOptions(properties=properties))
    try:
        consumer.assign({partition: offset})
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for batch in consumer.poll(1, 0.5):
                found = batch.column("offset")[0].as_py() == offset
                return batch.slice(0, 1) if found else None
        return None
    finally:
        consumer.close()
