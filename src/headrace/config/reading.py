"""From the SET statements of a program to its settings, with a diagnostic for everything that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Protocol

from headrace.config.client_properties import CONSUMER, PRODUCER, SHARED
from headrace.config.java_properties import (
    EXPLAINED,
    OTHER_STORE,
    RENAMED,
    STORE_SETTING_PREFIXES,
    STORE_SETTINGS,
    translate,
)
from headrace.config.settings import (
    OTHER_SETTINGS,
    SETTINGS,
    TOPIC_SETTINGS,
    Kind,
    ProgramSettings,
    Setting,
    TopicSettings,
)
from headrace.config.topic_configs import TOPIC_CONFIGS
from headrace.errors import Diagnostic, ProgramError, Severity, Span
from headrace.errors.codes import setting as codes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = str | int | float | bool


class Assignment(Protocol):
    """A SET statement; `headrace.sql.nodes.Set` is one."""

    @property
    def key(self) -> tuple[str, ...]:
        """The key; back-ticked parts in one piece."""

    @property
    def value(self) -> Value:
        """The value."""

    @property
    def span(self) -> Span:
        """The place of the statement."""

    @property
    def value_span(self) -> Span:
        """The place of the value."""


_DEFAULTS: Final = "defaults.topic."
_TOPIC: Final = "topic."
_LEGACY: Final = {item.legacy: item for item in SETTINGS if item.legacy is not None}
_FIELDS: Final = {
    "decimal.precision": "decimal_precision",
    "decimal.scale": "decimal_scale",
    "dead.letter.queue": "dead_letter_topic",
    "processing.guarantee": "guarantee",
    "num.stream.threads": "threads",
    "num.standby.replicas": "standby_replicas",
    "auto.offset.reset": "offset_reset",
    "emit": "emit",
    "late.topic": "late_topic",
    "state.memory": "state_memory",
    "functions.file": "functions_file",
    "_ktype": "key_format",
    "_vtype": "value_format",
}
_TIMES: Final = {
    "commit.interval.ms": "commit_interval",
    "max.task.idle.ms": "task_idle",
    "idle.timeout.ms": "idle_timeout",
}
_NAMES: Final = (
    *OTHER_SETTINGS,
    *(item.legacy for item in SETTINGS if item.legacy),
    *(_DEFAULTS + key for key in TOPIC_SETTINGS),
)


@dataclass
class _Reader:
    """What was read so far."""

    run: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, tuple[str, Span]] = field(default_factory=dict)
    defaults: TopicSettings = field(default_factory=TopicSettings)
    topics: dict[str, TopicSettings] = field(default_factory=dict)
    client: dict[str, str] = field(default_factory=dict)
    consumer: dict[str, str] = field(default_factory=dict)
    producer: dict[str, str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    faults: list[Diagnostic] = field(default_factory=list)
    warnings: list[Diagnostic] = field(default_factory=list)

    def read(self, item: Assignment) -> None:
        """Read one SET."""
        name = ".".join(item.key)
        if name.startswith(_DEFAULTS):
            self._topic(None, name.removeprefix(_DEFAULTS), item)
        elif name.startswith(_TOPIC) and name not in SHARED:
            self._named_topic(item)
        elif name in _LEGACY and _LEGACY[name].key in TOPIC_SETTINGS:
            self._topic(None, _LEGACY[name].key, item)
        elif name in OTHER_SETTINGS:
            self._own(OTHER_SETTINGS[name], item)
        else:
            self._client_property(name, item)

    # Topics

    def _named_topic(self, item: Assignment) -> None:
        """Read `topic.<config>` of 2018 or ``topic.`name`.<key>``.

        The name may be written without back-ticks and hold dots: the longest key that is known ends it.
        """
        quoted = item.key[0] == "topic"
        parts = item.key[1:] if quoted else tuple(".".join(item.key).split("."))[1:]
        rest = ".".join(parts)
        if rest in TOPIC_CONFIGS:
            self._topic(None, rest, item)
            return
        for end in range(1, len(parts)):
            key = ".".join(parts[end:])
            if key in TOPIC_SETTINGS or key in TOPIC_CONFIGS:
                self._topic(".".join(parts[:end]), key, item)
                return
        if quoted and len(parts) > 1 and not _close(rest, TOPIC_CONFIGS):
            self._topic(parts[0], ".".join(parts[1:]), item)
        else:
            self._topic(None, rest, item)

    def _topic(self, topic: str | None, key: str, item: Assignment) -> None:
        before = self.defaults if topic is None else self.topics.get(topic, TopicSettings())
        setting = TOPIC_SETTINGS.get(key)
        if setting is not None:
            value = self._value(setting, item)
            if value is None:
                return
            changes: dict[str, Any] = {key.replace(".", "_"): value}
            after = replace(before, **changes)
        else:
            if key not in TOPIC_CONFIGS:
                self._unknown_topic_setting(key, item)
            after = replace(before, configs={**before.configs, key: _text(item.value)})
        if topic is None:
            self.defaults = after
        else:
            self.topics[topic] = after

    def _unknown_topic_setting(self, key: str, item: Assignment) -> None:
        self.warnings.append(
            Diagnostic(
                codes.UNKNOWN_TOPIC_SETTING,
                f"Kafka has no topic configuration `{key}`",
                item.span,
                help=_did_you_mean(key, (*TOPIC_SETTINGS, *TOPIC_CONFIGS)),
                severity=Severity.WARNING,
            )
        )

    # The run

    def _own(self, setting: Setting, item: Assignment) -> None:
        value = self._value(setting, item)
        if value is None:
            return
        if setting.key.startswith("error.policy"):
            self.policies[setting.key] = (str(value), item.value_span)
        elif setting.key in _TIMES:
            self.run[_TIMES[setting.key]] = int(value) / 1000
        else:
            self.run[_FIELDS[setting.key]] = value

    def _value(self, setting: Setting, item: Assignment) -> Value | None:
        """Give the value in the setting's type; None, with a fault noted, if it is of another."""
        text = _text(item.value).strip()
        if setting.kind is Kind.BOOLEAN:
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            self._bad(item, "`true` or `false`", None)
            return None
        if setting.kind is Kind.INT:
            number = _whole(text)
            if number is not None and (setting.least is None or number >= setting.least):
                return number
            least = "" if setting.least is None else f" of at least {setting.least}"
            self._bad(item, f"a whole number{least}", None)
            return None
        if setting.kind is Kind.CHOICE:
            chosen = setting.synonyms.get(text.lower(), text.lower())
            if chosen in setting.choices:
                return chosen
            wanted = (
                ", ".join(f"`{choice}`" for choice in setting.choices[:-1]) + f" or `{setting.choices[-1]}`"
            )
            self._bad(item, wanted, _did_you_mean(text.lower(), setting.choices))
            return None
        if not text:
            self._bad(item, "a text that is not empty", None)
            return None
        return text

    def _bad(self, item: Assignment, wanted: str, help_text: str | None) -> None:
        name = ".".join(item.key)
        message = f"`{name}` must be {wanted}"
        self.faults.append(Diagnostic(codes.BAD_VALUE, message, item.value_span, help=help_text))

    # Kafka clients

    def _client_property(self, name: str, item: Assignment) -> None:
        side, bare = _side(name)
        if bare in STORE_SETTINGS or bare.startswith(STORE_SETTING_PREFIXES):
            self._no_effect(name, STORE_SETTINGS.get(bare, OTHER_STORE), item)
            return
        found = translate(bare, _text(item.value), self.given)
        if found.reason is not None:
            self._no_effect(name, found.reason, item)
        for target, value in found.properties.items():
            self.given[target] = value
            known = target in SHARED or target in CONSUMER or target in PRODUCER
            if not known:
                self._unknown(name, item)
                continue
            self._keep(side, target, value)

    def _keep(self, side: str, name: str, value: str) -> None:
        if name in CONSUMER or (side == "consumer" and name not in PRODUCER):
            self.consumer[name] = value
        elif name in PRODUCER or side == "producer":
            self.producer[name] = value
        else:
            self.client[name] = value

    def _no_effect(self, name: str, reason: str, item: Assignment) -> None:
        self.warnings.append(
            Diagnostic(
                codes.NO_EFFECT, f"`{name}` has no effect: {reason}", item.span, severity=Severity.WARNING
            )
        )

    def _unknown(self, name: str, item: Assignment) -> None:
        candidates = (*_NAMES, *SHARED, *CONSUMER, *PRODUCER, *RENAMED, *EXPLAINED)
        self.warnings.append(
            Diagnostic(
                codes.UNKNOWN,
                f"neither Headrace nor the Kafka client knows the setting `{name}`; it has no effect",
                item.span,
                help=_did_you_mean(name, candidates),
                severity=Severity.WARNING,
            )
        )

    # The end

    def result(self) -> ProgramSettings:
        """Put it together; error policies depend on one another and on the dead letter topic."""
        both = self.policies.get("error.policy")
        for side, name in (("read", "on_read_error"), ("write", "on_write_error")):
            policy = self.policies.get(f"error.policy.{side}", both)
            if policy is not None:
                self.run[name] = policy[0]
        if "dead_letter_topic" not in self.run:
            for value, span in self.policies.values():
                if value == "dlq":
                    self.faults.append(
                        Diagnostic(
                            codes.DEAD_LETTER_TOPIC,
                            "the error policy `dlq` needs a topic",
                            span,
                            help="add `SET dead.letter.queue='topic';`",
                        )
                    )
                    break
        if self.faults:
            raise ProgramError(tuple(self.faults))
        return ProgramSettings(
            defaults=self.defaults,
            topics=self.topics,
            client=self.client,
            consumer_client=self.consumer,
            producer_client=self.producer,
            **self.run,
        )


def read_settings(assignments: Sequence[Assignment]) -> tuple[ProgramSettings, tuple[Diagnostic, ...]]:
    """Read the SET statements of a program; of two for one key the later one counts.

    Returns:
        the settings, and warnings: keys that nobody knows or that have no effect.

    Raises:
        ProgramError: values that cannot be used, all at once, in the order of the text.
    """
    reader = _Reader()
    for item in assignments:
        reader.read(item)
    return reader.result(), tuple(reader.warnings)


def _side(name: str) -> tuple[str, str]:
    """Split off `consumer.` or `producer.`, and the finer prefixes of Kafka Streams."""
    for prefix, side in (
        ("main.consumer.", "consumer"),
        ("restore.consumer.", "consumer"),
        ("global.consumer.", "consumer"),
        ("consumer.", "consumer"),
        ("producer.", "producer"),
    ):
        if name.startswith(prefix):
            return side, name.removeprefix(prefix)
    return "both", name


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _close(name: str, candidates: Iterable[str]) -> str | None:
    found = get_close_matches(name, sorted(set(candidates)), n=1, cutoff=0.75)
    return found[0] if found else None


def _did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    found = _close(name, candidates)
    return f"did you mean `{found}`?" if found else None
