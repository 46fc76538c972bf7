"""SET statements become settings."""

from __future__ import annotations

import pytest

from headrace.config import ProgramSettings, read_settings
from headrace.errors import Diagnostic, ProgramError, Severity
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings
from headrace.sql import parse_program
from headrace.sql.nodes import Set

TAIL = " INSERT INTO b SELECT a FROM t"


def read(text: str) -> tuple[ProgramSettings, tuple[Diagnostic, ...]]:
    program = parse_program(text + TAIL)
    return read_settings([item for item in program.statements if isinstance(item, Set)])


def settings(text: str) -> ProgramSettings:
    found, warnings = read(text)
    assert warnings == ()
    return found


def faults(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(ProgramError) as caught:
        read(text)
    return caught.value.diagnostics


def marked(text: str, diagnostic: Diagnostic) -> str:
    assert diagnostic.span is not None
    return text[diagnostic.span.start : diagnostic.span.end]


def test_nothing_set_gives_the_defaults_of_a_run() -> None:
    found, run = settings(""), RunSettings()
    assert found == ProgramSettings()
    assert found.guarantee == run.guarantee
    assert found.on_read_error == run.on_read_error
    assert found.on_write_error == run.on_write_error
    assert found.commit_interval == run.commit_interval
    assert found.threads == run.threads
    assert found.offset_reset == run.offset_reset


@pytest.mark.parametrize("key", ["autocreate", "defaults.topic.autocreate", "`defaults.topic.autocreate`"])
def test_both_dialects_create_targets(key: str) -> None:
    assert settings(f"SET {key}=true;").topic("any").autocreate is True


@pytest.mark.parametrize("value", ["true", "TRUE", "'true'"])
def test_a_boolean_is_read_from_a_word_or_a_text(value: str) -> None:
    assert settings(f"SET autocreate={value};").defaults.autocreate is True


def test_a_configuration_of_2018_is_for_all_targets() -> None:
    found = settings("SET `topic.cleanup.policy`='compact'; SET topic.retention.ms=5;")
    assert found.topic("x").configs == {"cleanup.policy": "compact", "retention.ms": "5"}


@pytest.mark.parametrize(
    "key",
    ["topic.`my-topic.v1`.partitions", "topic.my-topic.v1.partitions", "`topic.my-topic.v1.partitions`"],
)
def test_a_topic_has_settings_of_its_own_over_the_defaults(key: str) -> None:
    try:
        found = settings(f"SET defaults.topic.partitions=2; SET defaults.topic.replication=3; SET {key}=7;")
    except ProgramError:
        pytest.fail("the key is not read")
    assert found.topic("my-topic.v1").partitions == 7
    assert found.topic("my-topic.v1").replication == 3
    assert found.topic("other").partitions == 2


def test_a_topic_configuration_of_one_topic_keeps_the_others() -> None:
    found = settings("SET defaults.topic.cleanup.policy='compact'; SET topic.a.retention.ms=5;")
    assert found.topic("a").configs == {"cleanup.policy": "compact", "retention.ms": "5"}


def test_schema_names() -> None:
    found = settings("SET defaults.topic.value.avro.record='Fast'; SET topic.`a`.key.avro.namespace='x.y';")
    assert found.topic("a").value_avro_record == "Fast"
    assert found.topic("a").key_avro_namespace == "x.y"


def test_the_run() -> None:
    found = settings(
        "SET processing.guarantee='at_least_once'; SET commit.interval.ms=1500; SET `num.stream.threads`=4;"
        "SET auto.offset.reset='latest'; SET decimal.scale=4;"
    )
    assert found.guarantee == Guarantee.AT_LEAST_ONCE
    assert found.commit_interval == 1.5
    assert (found.threads, found.offset_reset, found.decimal_scale) == (4, "latest", 4)


@pytest.mark.parametrize("word", ["exactly_once", "exactly_once_v2", "EXACTLY_ONCE_BETA"])
def test_every_word_of_kafka_streams_for_exactly_once(word: str) -> None:
    assert settings(f"SET processing.guarantee='{word}';").guarantee == Guarantee.EXACTLY_ONCE


def test_one_side_goes_before_both() -> None:
    found = settings("SET error.policy.write='fail'; SET error.policy='dlq'; SET dead.letter.queue='bad';")
    assert found.on_read_error == ErrorPolicy.DLQ
    assert found.on_write_error == ErrorPolicy.FAIL
    assert found.dead_letter_topic == "bad"


def test_the_later_of_two_counts() -> None:
    assert settings("SET partitions=1; SET partitions=2;").defaults.partitions == 2


def test_client_properties_go_where_they_belong() -> None:
    found = settings(
        "SET linger.ms=5; SET fetch.min.bytes=1; SET socket.keepalive.enable=true; SET consumer.client.id='c';"
        "SET producer.client.id='p'; SET topic.metadata.refresh.interval.ms=1000; SET main.consumer.check.crcs=true;"
    )
    assert found.client == {"socket.keepalive.enable": "true", "topic.metadata.refresh.interval.ms": "1000"}
    assert found.consumer_client == {"fetch.min.bytes": "1", "client.id": "c", "check.crcs": "true"}
    assert found.producer_client == {"linger.ms": "5", "client.id": "p"}


def test_names_of_the_java_clients_are_translated() -> None:
    found = settings("SET fetch.max.wait.ms=7; SET buffer.memory=4096; SET max.request.size=2000;")
    assert found.consumer_client == {"fetch.wait.max.ms": "7"}
    assert found.producer_client == {"queue.buffering.max.kbytes": "4"}
    assert found.client == {"message.max.bytes": "2000"}


@pytest.mark.parametrize(
    "key",
    [
        "max.poll.records",
        "key.serializer",
        "rocksdb.write.buffer.size",
        "cache.max.bytes.buffering",
        "enable.auto.commit",
    ],
)
def test_what_has_no_effect_is_accepted_and_said(key: str) -> None:
    text = f"SET {key}='1';"
    found, [warning] = read(text)
    assert found == ProgramSettings()
    assert warning.severity is Severity.WARNING
    assert warning.message.startswith(f"`{key}` has no effect: ")
    assert marked(text, warning) == text.rstrip(";")


def test_a_slip_in_a_client_property_is_pointed_at() -> None:
    found, [warning] = read("SET lingr.ms=5;")
    assert found == ProgramSettings()
    assert warning.help == "did you mean `linger.ms`?"


def test_a_slip_in_a_topic_configuration_is_pointed_at_and_sent_along() -> None:
    found, [warning] = read("SET defaults.topic.cleanup.polcy='compact';")
    assert found.defaults.configs == {"cleanup.polcy": "compact"}
    assert warning.help == "did you mean `cleanup.policy`?"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("SET autocreate='maybe';", "'maybe'", "`autocreate` must be `true` or `false`"),
        ("SET partitions=0;", "0", "`partitions` must be a whole number of at least 1"),
        ("SET partitions=1.5;", "1.5", "`partitions` must be a whole number of at least 1"),
        ("SET error.policy='drop';", "'drop'", "`error.policy` must be `fail`, `continue` or `dlq`"),
        ("SET dead.letter.queue='';", "''", "`dead.letter.queue` must be a text that is not empty"),
        ("SET topic.`a`.partitions='x';", "'x'", "`topic.a.partitions` must be a whole number of at least 1"),
    ],
)
def test_a_wrong_value_is_pointed_at(text: str, place: str, message: str) -> None:
    [fault] = faults(text)
    assert fault.message == message
    assert marked(text, fault) == place


def test_a_slip_in_a_choice_is_mended() -> None:
    [fault] = faults("SET processing.guarantee='exactly_one';")
    assert fault.help == "did you mean `exactly_once`?"


def test_all_wrong_values_come_at_once() -> None:
    assert [
        fault.code.id for fault in faults("SET partitions='x'; SET autocreate=1; SET error.policy='dlq';")
    ] == [
        "SET0101",
        "SET0101",
        "SET0102",
    ]


@pytest.mark.parametrize("key", ["error.policy", "error.policy.read", "error.policy.write"])
def test_dlq_needs_a_topic(key: str) -> None:
    text = f"SET {key}='dlq';"
    [fault] = faults(text)
    assert fault.code.id == "SET0102"
    assert marked(text, fault) == "'dlq'"


def test_secrets_are_not_printed() -> None:
    found = settings("SET sasl.password='hunter2'; SET sasl.username='u'; SET linger.ms=5;")
    assert found.client["sasl.password"] == "hunter2"
    assert "hunter2" not in repr(found)
    assert "linger.ms" in repr(found)
