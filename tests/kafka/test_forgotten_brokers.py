"""A client that has been told that its cluster has no brokers looks for them again."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from headrace.log.errors import LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicPartition
from headrace.log.kafka import KafkaLog
from tests.kafka.forgetful import ForgetfulBroker
from tests.kafka.traffic import values

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

PATIENCE = 20.0
QUICK = {"topic.metadata.refresh.interval.ms": "50"}


def until(seen: threading.Event, work: Callable[[], object]) -> None:
    """Work until it has been seen."""
    deadline = time.monotonic() + PATIENCE
    while not seen.is_set():
        assert time.monotonic() < deadline
        work()


def forget_and_remember(broker: ForgetfulBroker, work: Callable[[], object]) -> None:
    until(broker.knew, work)
    for _ in range(2):
        broker.forgets = True
        broker.forgot.clear()
        until(broker.forgot, work)
        broker.forgets = False
        broker.knew.clear()
        until(broker.knew, work)


def test_a_consumer_finds_its_brokers_again() -> None:
    with ForgetfulBroker() as broker:
        consumer = KafkaLog(broker.bootstrap).consumer(ConsumerOptions(properties=QUICK))
        consumer.assign({TopicPartition("t" * 100, 0): 0})
        forget_and_remember(broker, lambda: consumer.poll(1, 0.05))
        consumer.close()


def test_a_producer_finds_its_brokers_again() -> None:
    with ForgetfulBroker() as broker:
        # Nobody takes the record: what waits for it must not wait long.
        properties = {**QUICK, "message.timeout.ms": "3000", "enable.idempotence": "false"}
        producer = KafkaLog(broker.bootstrap).producer(ProducerOptions(properties=properties))
        producer.send("t" * 100, values(["waits"]))

        def work() -> None:
            with suppress(LogError):
                producer.flush(0.05)
            time.sleep(0.02)

        forget_and_remember(broker, work)
        producer.close()


def test_an_administration_client_finds_its_brokers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.log.kafka.admin._SLICE", 0.2)
    monkeypatch.setattr("headrace.log.kafka.admin._SECONDS", 1.0)
    with ForgetfulBroker() as broker:
        admin = KafkaLog(broker.bootstrap).admin()
        known = admin.topics()
        for _ in range(2):
            broker.forgets = True
            with pytest.raises(LogError):
                admin.describe("t" * 100)
            # That there are no brokers is no answer: there may well be topics.
            with pytest.raises(LogError):
                admin.topics()
            broker.forgets = False
            assert admin.topics() == known
