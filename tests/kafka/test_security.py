"""The secured listeners of the real broker, and its refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

# Re-exported without `__all__`, which strict typing does not count as public.
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from headrace.engine import Processor, ProcessorOptions
from headrace.errors.codes import log as codes
from headrace.log.errors import AbortableError, LogError
from headrace.log.interface import ConsumerOptions, ProducerOptions
from headrace.log.kafka import KafkaLog
from headrace.plan.topology import Guarantee, RunSettings
from tests.engine.programs import committed, doubling, fill, numbers
from tests.kafka.traffic import PATIENCE, Member, poll_until, read_all, send, values
from tests.servers.kafka import PASSWORD, USER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.kafka import KafkaAddress

pytestmark = pytest.mark.kafka


def secured(kafka: KafkaAddress, kind: str, mechanism: str = "PLAIN", password: str = PASSWORD) -> KafkaLog:
    account = {"sasl.mechanism": mechanism, "sasl.username": USER, "sasl.password": password}
    trust = {"ssl.ca.location": str(kafka.certificates.authority)}
    pair = {
        "ssl.certificate.location": str(kafka.certificates.client),
        "ssl.key.location": str(kafka.certificates.client),
    }
    properties = {
        "SASL": {"security.protocol": "SASL_PLAINTEXT", **account},
        "TLS": {"security.protocol": "SSL", **trust, **pair},
        "SASLTLS": {"security.protocol": "SASL_SSL", **trust, **account},
    }[kind]
    return KafkaLog(kafka.listeners[kind], properties)


@pytest.mark.parametrize(
    ("kind", "mechanism"),
    [
        ("SASL", "PLAIN"),
        ("SASL", "SCRAM-SHA-256"),
        ("SASL", "SCRAM-SHA-512"),
        ("SASLTLS", "PLAIN"),
        ("SASLTLS", "SCRAM-SHA-512"),
        ("TLS", ""),
    ],
)
def test_records_go_through_a_secured_listener(
    kafka: KafkaAddress, name: str, make_topic: Callable[..., str], kind: str, mechanism: str
) -> None:
    topic = make_topic()
    log = secured(kafka, kind, mechanism)
    send(log, topic, values(["secret"]))
    assert [row["value"] for row in read_all(log, topic)] == [b"secret"]
    member = Member(log, ConsumerOptions(group=name), [topic])
    poll_until(member.consumer, lambda found: len(found) == 1)
    member.consumer.close()
    assert topic in log.admin().topics()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_is_an_error_that_does_not_repeat_it(
    kafka: KafkaAddress, name: str, make_topic: Callable[..., str], mechanism: str
) -> None:
    topic = make_topic()
    log = secured(kafka, "SASL", mechanism, password="open-sesame")
    member = Member(log, ConsumerOptions(group=name), [topic])
    with pytest.raises(LogError) as caught:
        poll_until(member.consumer, lambda _: False)
    assert caught.value.diagnostics[0].code == codes.REFUSED
    assert "open-sesame" not in repr(caught.value)
    member.consumer.close()
    producer = log.producer(ProducerOptions())
    producer.send(topic, values(["never"]))
    with pytest.raises(LogError) as caught:
        producer.flush(PATIENCE)
    assert caught.value.diagnostics[0].code == codes.REFUSED
    producer._native.destroy()
    with pytest.raises(LogError, match="Authentication failed") as caught:
        log.admin().topics()
    assert caught.value.diagnostics[0].code == codes.REFUSED


def test_a_certificate_of_an_unknown_authority_is_refused(kafka: KafkaAddress, name: str) -> None:
    address = kafka.listeners["TLS"]
    member = Member(KafkaLog(address, {"security.protocol": "SSL"}), ConsumerOptions(group=name), ["any"])
    with pytest.raises(LogError) as caught:
        poll_until(member.consumer, lambda _: False)
    assert caught.value.diagnostics[0].code == codes.REFUSED
    member.consumer.close()


def rule(kafka: KafkaAddress, topic: str, operation: AclOperation, permission: AclPermissionType) -> None:
    """Allow or forbid the account something with a topic."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    acl = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{USER}", "*", operation, permission
    )
    for future in admin.create_acls([acl]).values():
        future.result(PATIENCE)


def test_an_access_control_list_is_an_error_at_once(
    kafka: KafkaAddress, name: str, make_topic: Callable[..., str]
) -> None:
    topic = make_topic()
    rule(kafka, topic, AclOperation.ALL, AclPermissionType.DENY)
    log = secured(kafka, "SASL")
    member = Member(log, ConsumerOptions(group=name), [topic])
    with pytest.raises(LogError) as caught:
        poll_until(member.consumer, lambda _: False)
    assert caught.value.diagnostics[0].code == codes.FORBIDDEN
    member.consumer.close()
    producer = log.producer(ProducerOptions())
    producer.send(topic, values(["never"]))
    with pytest.raises(LogError) as caught:
        producer.flush(PATIENCE)
    assert caught.value.diagnostics[0].code == codes.FORBIDDEN
    producer.close()
    transactional = log.producer(ProducerOptions(transactional_id=name))
    transactional.begin()
    transactional.send(topic, values(["never"]))
    # Not as a transaction that could be tried again.
    with pytest.raises(LogError) as caught:
        transactional.flush(PATIENCE)
    assert caught.value.diagnostics[0].code == codes.FORBIDDEN
    assert not isinstance(caught.value, AbortableError)
    transactional.close()


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_a_target_that_may_not_be_written_ends_the_run_with_that_reason_alone(
    kafka: KafkaAddress, name: str, make_topic: Callable[..., str], guarantee: Guarantee
) -> None:
    """Under exactly-once Kafka refuses to begin, and then also to abort, the transaction."""
    source, target = make_topic(), make_topic()
    log = secured(kafka, "SASL")
    fill(log, source, numbers(range(5000)))
    rule(kafka, target, AclOperation.ALL, AclPermissionType.ALLOW)
    rule(kafka, target, AclOperation.WRITE, AclPermissionType.DENY)
    topology = doubling(source, target, RunSettings(guarantee=guarantee))
    processor = Processor(topology, log, None, ProcessorOptions(name, until_end=True))
    with pytest.raises(LogError) as caught:
        processor.run()
    (told,) = caught.value.diagnostics
    assert told.code == codes.FORBIDDEN
    assert f"cannot write to `{target}`" in told.message
    assert told.help is not None
    assert "ACL" in told.help
    assert committed(log, name, source) == {}
