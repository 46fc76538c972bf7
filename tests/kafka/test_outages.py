"""A broker that is away for a while."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from headrace.errors.codes import log as codes
from headrace.log.errors import FencedError, LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions, TopicDescription, TopicPartition
from headrace.log.kafka import KafkaLog
from headrace.log.kafka.properties import producer_properties
from tests.kafka.traffic import PATIENCE, Member, poll_until, read_all, rows, values
from tests.servers.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.kafka import KafkaServer

pytestmark = pytest.mark.kafka


@pytest.fixture
def others() -> Iterator[ThreadPoolExecutor]:
    """Threads for what waits."""
    with ThreadPoolExecutor() as pool:
        yield pool


def test_a_broker_that_is_down_is_waited_for_without_a_word(
    own_kafka: KafkaServer, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = KafkaLog(own_kafka.bootstrap)
    log.admin().create(TopicDescription(name, 1))
    (node,) = own_kafka.nodes
    node.stop()
    capfd.readouterr()
    member = Member(log, ConsumerOptions(group=name), [name])
    consumer = member.consumer
    producer = log.producer(ProducerOptions())
    began = time.monotonic()
    assert consumer.poll(10, 0.5) == []
    assert time.monotonic() - began < 2
    while consumer.healthy():
        assert time.monotonic() - began < PATIENCE
        consumer.poll(10, 0.1)
    assert consumer.last_fault()
    producer.send(name, values(["patient"]))
    node.launch()
    node.await_ready()
    assert [row["value"] for row in poll_until(consumer, lambda found: len(found) == 1)] == [b"patient"]
    assert consumer.healthy()
    assert producer.flush(PATIENCE) == []
    producer.close()
    consumer.close()
    assert capfd.readouterr() == ("", "")


def test_a_command_says_what_it_waits_for_and_gives_up_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("headrace.log.kafka.admin._SECONDS", 3.0)
    (port,) = free_ports(1)
    with pytest.raises(LogError, match="Connection refused") as caught:
        KafkaLog(f"127.0.0.1:{port}").admin().describe("any")
    assert caught.value.diagnostics[0].code == codes.UNREACHABLE
    (line,) = [record.getMessage() for record in caplog.records if record.name == "headrace.log.kafka"]
    assert line.startswith(f"`kafka://127.0.0.1:{port}` cannot be reached, waiting for it")


def test_an_unknown_client_property_names_where_to_look() -> None:
    with pytest.raises(LogError, match=r"sasl\.listener") as caught:
        KafkaLog("127.0.0.1:1", {"sasl.listener": "x"}).admin()
    assert caught.value.diagnostics[0].code == codes.BAD_CLIENT_PROPERTY
    assert caught.value.diagnostics[0].help is not None


def test_a_broker_that_restarts_is_an_interruption(
    own_kafka: KafkaServer, name: str, others: ThreadPoolExecutor
) -> None:
    log = KafkaLog(own_kafka.bootstrap)
    log.admin().create(TopicDescription(name, 2))
    member = Member(log, ConsumerOptions(group=name), [name])
    consumer = member.consumer
    producer = log.producer(ProducerOptions())
    producer.send(name, values(range(50)))
    sender = log.producer(ProducerOptions(transactional_id=name))
    sender.begin()
    sender.send(name, values(range(50, 100)))
    sender.commit({}, consumer)
    found = poll_until(consumer, lambda found: len(found) == 100)
    consumer.commit(consumer.positions())
    sender.begin()
    (node,) = own_kafka.nodes
    node.freeze()
    sender.send(name, values(["never"]))
    time.sleep(0.3)
    node.kill()
    producer.send(name, values(range(100, 200)))
    end = time.monotonic() + PATIENCE
    while consumer.healthy():
        assert time.monotonic() < end
        found += rows(consumer.poll(10, 0.1))
    aborted = others.submit(sender.abort)
    node.launch()
    node.await_ready()
    found += poll_until(consumer, lambda more: len(found) + len(more) >= 200)
    assert producer.flush(PATIENCE) == []
    assert sorted(int(row["value"]) for row in found) == list(range(200))
    # Nothing comes, and still it is seen that the broker is back.
    while not consumer.healthy():
        assert time.monotonic() < end + PATIENCE
        consumer.poll(10, 0.1)
    consumer.commit(consumer.positions())
    # The broker went before it had heard of the transaction: the client is told so, unless it happens to ask for the
    # partitions again before it ends the transaction. Either way whoever comes next with the same id is not held up by it.
    with suppress(FencedError):
        aborted.result()
    sender.close()
    successor = log.producer(ProducerOptions(transactional_id=name))
    successor.begin()
    successor.send(name, values(["next"]))
    successor.commit({}, consumer)
    assert {row["value"] for row in read_all(log, name, 2)} == {
        b"next",
        *(b"%d" % number for number in range(200)),
    }
    successor.close()
    producer.close()
    consumer.close()


def test_transactions_go_on_after_a_long_outage(own_kafka: KafkaServer, name: str) -> None:
    """Long enough for the client to give its brokers up, were it allowed to (`metadata.recovery.strategy`)."""
    log = KafkaLog(own_kafka.bootstrap)
    log.admin().create(TopicDescription(name, 1))
    member = Member(log, ConsumerOptions(group=name), [name])
    producer = log.producer(ProducerOptions(transactional_id=name))
    place = TopicPartition(name, 0)
    producer.begin()
    producer.send(name, values(["before"]))
    producer.commit({}, member.consumer)
    poll_until(member.consumer, lambda found: len(found) == 1)
    producer.begin()
    producer.commit({place: 1}, member.consumer)
    (node,) = own_kafka.nodes
    node.stop()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        member.consumer.poll(10, 0.2)
    node.launch()
    node.await_ready()
    producer.begin()
    producer.send(name, values(["after"]))
    producer.commit({place: 2}, member.consumer)
    assert member.consumer.committed([place]) == {place: 2}
    assert [row["value"] for row in read_all(log, name)] == [b"before", b"after"]
    producer.close()
    member.consumer.close()


def test_a_transaction_outlives_a_broker_that_is_away_for_a_while() -> None:
    usual = producer_properties("h:1", {}, ProducerOptions(transactional_id="t"))
    assert usual["transaction.timeout.ms"] == "60000"
    longer = producer_properties("h:1", {"socket.timeout.ms": "90000"}, ProducerOptions(transactional_id="t"))
    assert longer["transaction.timeout.ms"] == "90100"
    own = producer_properties(
        "h:1", {"transaction.timeout.ms": "5000"}, ProducerOptions(transactional_id="t")
    )
    assert own["transaction.timeout.ms"] == "5000"
    assert "transaction.timeout.ms" not in producer_properties("h:1", {}, ProducerOptions())
