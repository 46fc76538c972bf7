"""A process that writes transactions until it is killed; its arguments are the file, the topics and the group.

Each transaction takes the next number from the topic `source`, writes it to every partition of the target, and moves the offset.
"""

from __future__ import annotations

import sys

import pyarrow as pa

from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition


def main() -> None:
    """Copy one record a transaction to all partitions of the target."""
    path, source, target, group = sys.argv[1:]
    with EmbeddedLog(path) as log:
        consumer = log.consumer(ConsumerOptions(group))
        producer = log.producer(ProducerOptions(f"{group}-writer"))
        place = TopicPartition(source, 0)
        consumer.assign({place: -1000})
        described = log.admin().describe(target)
        assert described is not None
        numbers = pa.array(range(described.partitions), pa.int32())
        print("ready", flush=True)
        while True:
            for batch in consumer.poll(1, 1.0):
                value = batch.column("value")[0].as_py()
                producer.begin()
                for number in numbers:
                    producer.send(
                        target, pa.record_batch({"value": pa.array([value]), "partition": pa.array([number])})
                    )
                producer.commit({place: batch.column("offset")[0].as_py() + 1}, consumer)
