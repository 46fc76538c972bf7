"""Every key of SET, once: from here come reading, the reference page and the test that lists them.

Types and defaults are of the product. What a program decided is `ProgramSettings`, made by `config.reading`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from headrace.config.secrets import masked

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(StrEnum):
    """What may be written as the value."""

    BOOLEAN = "BOOLEAN"
    INT = "INT"
    STRING = "STRING"
    CHOICE = "one of"


class Scope(StrEnum):
    """What a setting is about."""

    TOPIC = "target topics"
    RUN = "the processor"
    PLAN = "types"
    PSEUDO = "formats"


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of SET.

    Args:
        key: the current spelling. Keys of scope TOPIC stand behind `defaults.topic.` or ``topic.`name`.``.
        legacy: the spelling of 2018, if it had one.
        default: as text, for the reference; None if nothing is set.
        unit: of a number.
        choices: of a CHOICE, in lower case; `synonyms` are further spellings.
        least: the smallest number that makes sense.
    """

    key: str
    scope: Scope
    kind: Kind
    default: str | None
    doc: str
    legacy: str | None = None
    unit: str | None = None
    choices: tuple[str, ...] = ()
    synonyms: Mapping[str, str] = field(default_factory=dict, hash=False)
    least: int | None = None


_POLICIES: Final = ("fail", "continue", "dlq")

SETTINGS: Final = (
    Setting(
        "autocreate",
        Scope.TOPIC,
        Kind.BOOLEAN,
        "false",
        "Create a target topic that is missing. Without it a missing target is refused when the plan is made.",
        legacy="autocreate",
    ),
    Setting(
        "partitions",
        Scope.TOPIC,
        Kind.INT,
        None,
        "Partitions of a target that is created; as many as its source has if it is not set.",
        legacy="partitions",
        least=1,
    ),
    Setting(
        "replication",
        Scope.TOPIC,
        Kind.INT,
        None,
        "Replicas of a target that is created; the broker's default if it is not set.",
        legacy="replication",
        least=1,
    ),
    Setting(
        "key.avro.record",
        Scope.TOPIC,
        Kind.STRING,
        None,
        "Name of the record in the registered schema of the key.",
    ),
    Setting(
        "key.avro.namespace", Scope.TOPIC, Kind.STRING, None, "Namespace in the registered schema of the key."
    ),
    Setting(
        "value.avro.record",
        Scope.TOPIC,
        Kind.STRING,
        None,
        "Name of the record in the registered schema of the value.",
    ),
    Setting(
        "value.avro.namespace",
        Scope.TOPIC,
        Kind.STRING,
        None,
        "Namespace in the registered schema of the value.",
    ),
    Setting(
        "decimal.precision",
        Scope.PLAN,
        Kind.INT,
        "38",
        "Digits of a decimal whose size nothing else says.",
        legacy="decimal.precision",
        least=1,
    ),
    Setting(
        "decimal.scale",
        Scope.PLAN,
        Kind.INT,
        "18",
        "Decimal places of a decimal whose size nothing else says.",
        legacy="decimal.scale",
        least=0,
    ),
    Setting(
        "error.policy",
        Scope.RUN,
        Kind.CHOICE,
        "fail",
        "What becomes of a record that cannot be read, computed or written: `fail` stops the processor before it, `continue` "
        "leaves it out and counts it, `dlq` sends it to `dead.letter.queue` with its original bytes. The others go on in "
        "any case.",
        choices=_POLICIES,
        synonyms={"stop": "fail", "skip": "continue"},
    ),
    Setting(
        "error.policy.read",
        Scope.RUN,
        Kind.CHOICE,
        None,
        "`error.policy` for records that cannot be decoded or whose expressions fail, alone.",
        choices=_POLICIES,
        synonyms={"stop": "fail", "skip": "continue"},
    ),
    Setting(
        "error.policy.write",
        Scope.RUN,
        Kind.CHOICE,
        None,
        "`error.policy` for records that cannot be encoded or that the log refuses, alone.",
        choices=_POLICIES,
        synonyms={"stop": "fail", "skip": "continue"},
    ),
    Setting(
        "dead.letter.queue",
        Scope.RUN,
        Kind.STRING,
        None,
        "Topic for bad records; it is created if it is missing. Needed with the policy `dlq`.",
    ),
    Setting(
        "processing.guarantee",
        Scope.RUN,
        Kind.CHOICE,
        "exactly_once",
        "`exactly_once`: outputs and offsets are committed in one transaction. `at_least_once`: without one; after a crash some "
        "outputs may come twice.",
        legacy="processing.guarantee",
        choices=("exactly_once", "at_least_once"),
        synonyms={"exactly_once_v2": "exactly_once", "exactly_once_beta": "exactly_once"},
    ),
    Setting(
        "commit.interval.ms",
        Scope.RUN,
        Kind.INT,
        "200",
        "Time between commits. Under `exactly_once` it is how long outputs stay unseen.",
        legacy="commit.interval.ms",
        unit="ms",
        least=1,
    ),
    Setting(
        "num.stream.threads",
        Scope.RUN,
        Kind.INT,
        "1",
        "Threads of a process; the partitions are shared among them.",
        legacy="num.stream.threads",
        least=1,
    ),
    Setting(
        "num.standby.replicas",
        Scope.RUN,
        Kind.INT,
        "0",
        "How many other processes keep a copy of the state of each task, so that one that takes the task over reads the end of "
        "the changelog alone. `--standby` of `headrace run` is as many as there are.",
        legacy="num.standby.replicas",
        least=0,
    ),
    Setting(
        "auto.offset.reset",
        Scope.RUN,
        Kind.CHOICE,
        "earliest",
        "Where an application begins that has no committed offset; with `none` it refuses to start.",
        legacy="auto.offset.reset",
        choices=("earliest", "latest", "none"),
        synonyms={"smallest": "earliest", "beginning": "earliest", "largest": "latest", "end": "latest"},
    ),
    Setting(
        "emit",
        Scope.RUN,
        Kind.CHOICE,
        "commit",
        "When aggregates give results that are not final (`EMIT CHANGES`). `commit`: at each commit the latest result of each "
        "group that changed. `record`: one result for each record, also those that the next one replaces.",
        legacy="emit",
        choices=("commit", "record"),
        synonyms={"changes": "commit"},
    ),
    Setting(
        "late.topic",
        Scope.RUN,
        Kind.STRING,
        None,
        "Topic for records that are too late for every window or join they belong to, as they came; it is created if it is "
        "missing. They are counted in any case.",
    ),
    Setting(
        "max.task.idle.ms",
        Scope.RUN,
        Kind.INT,
        "0",
        "How long joins wait for an input whose records have all been read, before they go on with the other's. Inputs that have "
        "records to fetch are always waited for.",
        legacy="max.task.idle.ms",
        unit="ms",
        least=0,
    ),
    Setting(
        "idle.timeout.ms",
        Scope.RUN,
        Kind.INT,
        "60000",
        "When a partition has had no records for so long, its event time moves on with the clock, so that windows close "
        "(`EMIT FINAL`) and joins give up waiting. 0 never; never with `--until-end`.",
        unit="ms",
        least=0,
    ),
    Setting(
        "state.memory",
        Scope.RUN,
        Kind.INT,
        None,
        "Memory of a process for state; what is beyond is read from the state folder. A quarter of what the process may have "
        "if it is not set.",
        unit="bytes",
        least=1 << 20,
    ),
    Setting(
        "functions.file",
        Scope.RUN,
        Kind.STRING,
        None,
        "Python file with functions that the program may call (guide: user functions). A relative path counts from the folder "
        "of the program's file.",
    ),
    Setting(
        "_ktype",
        Scope.PSEUDO,
        Kind.STRING,
        None,
        "Format of the keys of topics of which the program says nothing else, in programs of 2018; also with windows behind them "
        "(`TWSTRING`, `SW[JSON]`).",
        legacy="_ktype",
    ),
    Setting(
        "_vtype",
        Scope.PSEUDO,
        Kind.STRING,
        None,
        "Format of the values of topics of which the program says nothing else, in programs of 2018.",
        legacy="_vtype",
    ),
)

TOPIC_SETTINGS: Final = {item.key: item for item in SETTINGS if item.scope is Scope.TOPIC}
OTHER_SETTINGS: Final = {item.key: item for item in SETTINGS if item.scope is not Scope.TOPIC}


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """How to create a target topic and name its schemas; None where nothing was said."""

    autocreate: bool | None = None
    partitions: int | None = None
    replication: int | None = None
    key_avro_record: str | None = None
    key_avro_namespace: str | None = None
    value_avro_record: str | None = None
    value_avro_namespace: str | None = None
    configs: Mapping[str, str] = field(default_factory=dict)

    def over(self, below: TopicSettings) -> TopicSettings:
        """Give these settings, and those of `below` where these say nothing."""
        changes = {
            item.name: getattr(below, item.name)
            for item in fields(self)
            if item.name != "configs" and getattr(self, item.name) is None
        }
        return replace(self, **changes, configs={**below.configs, **self.configs})


@dataclass(frozen=True, slots=True, repr=False)
class ProgramSettings:
    """What the SET statements of a program decided; the product's defaults elsewhere.

    Args:
        defaults: for all target topics.
        topics: for single ones; use `topic`.
        on_read_error, on_write_error: `fail`, `continue` or `dlq`.
        guarantee: `exactly_once` or `at_least_once`.
        commit_interval: seconds.
        offset_reset: `earliest`, `latest` or `none`.
        emit: `commit` or `record`.
        late_topic: for late records.
        task_idle, idle_timeout: seconds.
        state_memory: bytes.
        functions_file: Python file with user functions.
        client, consumer_client, producer_client: properties of the Kafka clients by librdkafka's names: of both, of one.
        key_format, value_format: of `_ktype` and `_vtype`.
    """

    defaults: TopicSettings = TopicSettings()
    topics: Mapping[str, TopicSettings] = field(default_factory=dict)
    decimal_precision: int = 38
    decimal_scale: int = 18
    on_read_error: str = "fail"
    on_write_error: str = "fail"
    dead_letter_topic: str | None = None
    guarantee: str = "exactly_once"
    commit_interval: float = 0.2
    threads: int = 1
    standby_replicas: int = 0
    offset_reset: str = "earliest"
    emit: str = "commit"
    late_topic: str | None = None
    task_idle: float = 0.0
    idle_timeout: float = 60.0
    state_memory: int | None = None
    functions_file: str | None = None
    client: Mapping[str, str] = field(default_factory=dict)
    consumer_client: Mapping[str, str] = field(default_factory=dict)
    producer_client: Mapping[str, str] = field(default_factory=dict)
    key_format: str | None = None
    value_format: str | None = None

    def __repr__(self) -> str:
        shown = (
            f"{item.name}={masked(value) if item.name.endswith('client') else value!r}"
            for item in fields(self)
            if (value := getattr(self, item.name)) != item.default
        )
        return f"ProgramSettings({', '.join(shown)})"

    def topic(self, name: str) -> TopicSettings:
        """Give the settings of a target topic: its own over the defaults."""
        return self.topics.get(name, TopicSettings()).over(self.defaults)
