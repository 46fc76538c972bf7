"""Looks at the changelogs of a program before it begins: whether they are its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from headrace.engine.state.changelog import by_partition, foreign, split_marks
from headrace.log.interface import ConsumerOptions, TopicPartition

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from headrace.log.interface import Log
    from headrace.plan.operators import Store
    from headrace.plan.topology import Topology

_PATIENCE: Final = 5.0
"""Seconds for looking; restoring looks again at all that it reads."""


def check_changelogs(topology: Topology, log: Log, properties: Mapping[str, str]) -> None:
    """Read the first record of each changelog, which says whose it is.

    Raises:
        RunError: a changelog belongs to another program.
    """
    stores = {operator.store.changelog.name: operator.store for operator in topology.operators}
    if not stores:
        return
    consumer = log.consumer(ConsumerOptions(properties=properties))
    try:
        bounds = consumer.watermarks(
            [
                TopicPartition(name, number)
                for name, store in stores.items()
                for number in range(max(1, store.changelog.partitions))
            ]
        )
        first: dict[str, TopicPartition] = {}
        for place, (low, end) in bounds.items():
            if end > low:
                first.setdefault(place.topic, place)
        if first:
            consumer.assign({place: bounds[place][0] for place in first.values()})
        end_of_patience = time.monotonic() + _PATIENCE
        while first and time.monotonic() < end_of_patience:
            for batch in consumer.poll(1000, 0.1):
                for number, records in by_partition(batch):
                    place = TopicPartition(batch.column("topic")[0].as_py(), number)
                    _check(stores[place.topic], records)
                    first.pop(place.topic, None)
            for place, position in consumer.positions().items():
                # Only what was aborted stands there.
                if position >= bounds[place][1]:
                    first.pop(place.topic, None)
    finally:
        consumer.close()


def _check(store: Store, records: pa.RecordBatch) -> None:
    _, fingerprints = split_marks(records.slice(0, 1))
    if fingerprints != [store.fingerprint]:
        raise foreign(store.name, f"changelog topic `{store.changelog.name}`")
