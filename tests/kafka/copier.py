"""Copies a topic exactly once, slowly; run as a process of its own that a test kills."""

from __future__ import annotations

import sys
import time

from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from headrace.log.kafka import KafkaLog


def main() -> None:
    """Copy until everything that is in the source now has been copied."""
    servers, source, target, name = sys.argv[1:]
    log = KafkaLog(servers)
    consumer = log.consumer(ConsumerOptions(group=name, instance=name))
    producer = log.producer(ProducerOptions(transactional_id=name))
    places = [TopicPartition(source, number) for number in range(2)]
    ends = {item: high for item, (_, high) in consumer.watermarks(places).items()}
    consumer.subscribe([source], on_assign=_ignore, on_revoke=_ignore, on_lost=_ignore)
    done: dict[TopicPartition, int] = {}
    while done != ends:
        batches = consumer.poll(500, 0.2)
        if batches:
            producer.begin()
            for batch in batches:
                producer.send(target, batch.select(["key", "value", "timestamp"]))
            # Killed here as often as anywhere else: sent, flushed in part, not committed.
            time.sleep(0.02)
            producer.commit(consumer.positions(), consumer)
        if len(consumer.assignment()) == 2:
            done = consumer.positions()
    producer.close()
    consumer.close()


def _ignore(items: object) -> None:
    """Take no notice: every transaction commits before the next poll."""
