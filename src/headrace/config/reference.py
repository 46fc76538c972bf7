"""The reference page of settings, from their declarations."""

from __future__ import annotations

from headrace.config.client_properties import DIRECT_FETCH, DIRECT_PRODUCE
from headrace.config.environment import CLIENT_PREFIX, REGISTRY_PREFIX, VARIABLES
from headrace.config.query_settings import QUERY_SETTINGS_DOC
from headrace.config.settings import SETTINGS, Kind, Scope, Setting


def settings_reference() -> str:
    """Give the page as Markdown."""
    parts = [
        "# Settings",
        "A program sets them with `SET key = value;` before its first statement that writes. Keys with dots may stand in "
        "back-ticks, as in 2018. Where two settings have one key, the later one counts.",
        "## Target topics",
        "Written `SET defaults.topic.KEY = …;` for all targets of the program, or ``SET topic.`name`.KEY = …;`` for one. "
        "Every [topic configuration of Kafka](https://kafka.apache.org/documentation/#topicconfigs) can be set in the same way, "
        "such as ``SET topic.`positions`.cleanup.policy = 'compact';``. Programs of 2018 write "
        "``SET `topic.cleanup.policy` = 'compact';`` for all targets.",
    ]
    parts += [_section(item) for item in SETTINGS if item.scope is Scope.TOPIC]
    parts.append("## The processor")
    parts += [_section(item) for item in SETTINGS if item.scope is Scope.RUN]
    parts.append("## Types and formats")
    parts += [_section(item) for item in SETTINGS if item.scope in (Scope.PLAN, Scope.PSEUDO)]
    parts += [
        "## Queries",
        "`headrace query` and `headrace sql` know these beside `_ktype`, `_vtype` and the properties of Kafka consumers. "
        "They hold for the statements behind them. A result that a limit has ended says so.",
    ]
    parts += [f"### `{key}`\n\n{text}" for key, text in QUERY_SETTINGS_DOC.items()]
    parts += [
        "## Kafka clients",
        "Any other key is a property of the Kafka clients, by librdkafka's name or that of the Java clients where it has a "
        "counterpart. It goes to the consumer, the producer or both, as fits; `consumer.` and `producer.` before it name one. "
        "A property that the client does not know is reported and left out. Settings of Kafka Streams that have no counterpart, "
        "and those of local state (`rocksdb.…`, `cache.max.bytes.buffering`), are accepted and reported as having no effect.",
        f"Two are of our own: `{DIRECT_FETCH}` and `{DIRECT_PRODUCE}`, `true` by default. Consumers and producers speak straight "
        "to the brokers then, at a fraction of librdkafka's cost, wherever nothing speaks against it; `false` leaves all "
        "reading, or all writing, to librdkafka.",
        "## Environment",
        "A flag of the command line goes before a variable of the environment, and that before its spelling of 2018.",
        "| variable | 2018 | |\n|---|---|---|\n"
        + "\n".join(f"| `{item.name}` | {_code(item.legacy)} | {item.doc} |" for item in VARIABLES),
        f"`{CLIENT_PREFIX}…` sets a client property: `{CLIENT_PREFIX}SOCKET_KEEPALIVE_ENABLE=true` is "
        "`socket.keepalive.enable=true`. Of 2018, `SECURITY_PROTOCOL`, `SASL_…` and `SSL_…` do the same with the names of the "
        "Java clients; user and password are taken out of `SASL_JAAS_CONFIG`. Values of secrets are never printed.",
        f"`{REGISTRY_PREFIX}…` sets a property of the registry's client, by Confluent's names: "
        f"`{REGISTRY_PREFIX}BASIC_AUTH_USER_INFO=user:password`, `{REGISTRY_PREFIX}SSL_CA_LOCATION=ca.pem`.",
    ]
    return "\n\n".join(parts) + "\n"


def _section(item: Setting) -> str:
    facts = [f"type: {_kind(item)}", f"default: {_code(item.default) or 'none'}"]
    if item.legacy is not None:
        same = item.legacy == item.key and item.scope is not Scope.TOPIC
        facts.append("in 2018: the same" if same else f"in 2018: `{item.legacy}`")
    return f"### `{item.key}`\n\n{item.doc}\n\n" + "\n".join(f"- {fact}" for fact in facts)


def _kind(item: Setting) -> str:
    if item.kind is Kind.CHOICE:
        return ", ".join(f"`{choice}`" for choice in item.choices)
    unit = f" ({item.unit})" if item.unit else ""
    least = f", at least {item.least}" if item.least is not None else ""
    return f"{item.kind}{unit}{least}"


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""
