"""Codes of settings: SET01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

BAD_VALUE = Code(
    "SET0101",
    "setting has a wrong value",
    "The value of a setting, of an environment variable or of an option is not of the kind it must be. The help says what "
    "may be written.",
)

DEAD_LETTER_TOPIC = Code(
    "SET0102",
    "dead letter queue without a topic",
    "With the error policy `dlq` bad records go to a topic, which must be named: `SET dead.letter.queue='orders-dlq';`.",
)

UNKNOWN = Code(
    "SET0103",
    "unknown setting",
    "Neither Headrace nor the Kafka client knows the setting. It is handed to the Kafka client only under a name that the "
    "client knows, so that a slip does not pass in silence.",
)

NO_EFFECT = Code(
    "SET0104",
    "setting has no effect",
    "The setting belongs to the Java clients of Kafka, to Kafka Streams, or to a feature that is not there yet. It is accepted, "
    "so that programs written for them run unchanged, and the message says what takes its place.",
)

UNKNOWN_TOPIC_SETTING = Code(
    "SET0105",
    "unknown topic setting",
    "Kafka has no such topic configuration. It is sent along when the topic is created, since a newer broker may know it.",
)

DEAD_LETTERS_MEET_OTHERS = Code(
    "SET0106",
    "dead letter topic in use by the program",
    "Bad records that go to an input of the same program come back as bad records, for ever; among the results of an "
    "INSERT they are records that its readers cannot read. Name a topic of its own for them.",
)
