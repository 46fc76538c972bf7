"""Builds dead letters: the record as it came, with headers that say why it could not be processed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.log.records import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.engine.faults import Fault

PREFIX = "headrace.error."


def dead_letters(records: pa.RecordBatch, faults: Mapping[int, Fault], application: str) -> pa.RecordBatch:
    """Give the failed records as they came, with the headers of the error after their own.

    Args:
        records: a batch of one topic.
        faults: what failed, by row.
        application: id of the application, for a topic that several applications share.
    """
    chosen = records.take(pa.array(list(faults), pa.int32()))
    topic = records.column("topic")[0].as_py()
    facts = zip(
        chosen.column("partition").to_pylist(),
        chosen.column("offset").to_pylist(),
        chosen.column("headers").to_pylist(),
        faults.values(),
        strict=True,
    )
    headers = [
        [
            *(own or ()),
            *(
                {"key": PREFIX + name, "value": value.encode()}
                for name, value in (
                    ("topic", topic),
                    ("partition", str(partition)),
                    ("offset", str(offset)),
                    ("stage", fault.stage.value),
                    ("reason", fault.reason),
                    ("application", application),
                )
            ),
        ]
        for partition, offset, own, fault in facts
    ]
    return pa.RecordBatch.from_arrays(
        [
            chosen.column("key"),
            chosen.column("value"),
            chosen.column("timestamp"),
            pa.array(headers, HEADERS),
        ],
        names=["key", "value", "timestamp", "headers"],
    )
