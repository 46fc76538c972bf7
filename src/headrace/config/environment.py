"""What the environment says: `HEADRACE_*`, and the variables of the 2018 runner, so that its deployments run unchanged.

The order is: a flag of the command line, `HEADRACE_*`, the variable of 2018, the default. This module knows the middle two.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from headrace.config.client_properties import CONSUMER, PRODUCER, SHARED
from headrace.config.java_properties import Translated, translate
from headrace.config.secrets import masked, masked_url
from headrace.errors import Diagnostic, ProgramError, Severity
from headrace.errors.codes import setting as codes

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the environment: its name, the one of 2018 that means the same, and what it does."""

    name: str
    doc: str
    legacy: str | None = None


LOG: Final = Variable(
    "HEADRACE_LOG",
    "Where topics live: `kafka://host:port,…` or `sqlite:path`. Of 2018: the brokers, `host:port,…`.",
    "SQL_BOOTSTRAP_SERVERS",
)
REGISTRY: Final = Variable(
    "HEADRACE_SCHEMA_REGISTRY",
    "URL of the schema registry (Confluent's API). Of 2018: one or more URLs, the first is used.",
    "SQL_SCHEMA_REGISTRY_URL",
)
PROGRAM: Final = Variable("SQL", "The text of the program, if neither a file nor `-e` is given.")
APPLICATION: Final = Variable(
    "HEADRACE_APP_ID", "Application id: the consumer group, and the prefix of internal topics.", "SQL_APP_ID"
)
STATE_DIR: Final = Variable(
    "HEADRACE_STATE_DIR",
    "Folder of local state, of all applications. Default: among the data of the user.",
    "SQL_STATE_STORE_DIR",
)
FUNCTIONS: Final = Variable(
    "HEADRACE_FUNCTIONS",
    "Python file with user functions, for programs that name none themselves by `functions.file`.",
)
PORT: Final = Variable("HEADRACE_PORT", "Port of `/metrics`, `/health/live` and `/health/ready`.", "SQL_PORT")
INSTANCE: Final = Variable(
    "HEADRACE_INSTANCE",
    "Name of this instance for static membership, such as the pod's name: a restart under it is no rebalance.",
)
STANDBY: Final = Variable(
    "HEADRACE_STANDBY_REPLICAS",
    "How many other processes keep a copy of the state of each task, in place of the program's `num.standby.replicas`.",
)
LOG_LEVEL: Final = Variable(
    "HEADRACE_LOG_LEVEL", "`DEBUG`, `INFO`, `WARNING` or `ERROR`; default `INFO`.", "ROOT_LOG_LEVEL"
)
LOG_FORMAT: Final = Variable("HEADRACE_LOG_FORMAT", "`text` or `json`; default `text`.")

VARIABLES: Final = (
    LOG,
    REGISTRY,
    PROGRAM,
    APPLICATION,
    STATE_DIR,
    FUNCTIONS,
    PORT,
    INSTANCE,
    STANDBY,
    LOG_LEVEL,
    LOG_FORMAT,
)

CLIENT_PREFIX: Final = "HEADRACE_KAFKA_"
"""`HEADRACE_KAFKA_SOCKET_KEEPALIVE_ENABLE=true` is the client property `socket.keepalive.enable`."""

REGISTRY_PREFIX: Final = "HEADRACE_SCHEMA_REGISTRY_"
"""`HEADRACE_SCHEMA_REGISTRY_SSL_CA_LOCATION=…` is the property `ssl.ca.location` of the registry's client."""

LEGACY_CLIENT_PREFIXES: Final = ("SASL_", "SSL_", "SECURITY_PROTOCOL")
"""Variables of 2018 that are client properties; the names are Java's and are translated."""

_LEVELS: Final = {"TRACE": "DEBUG", "WARN": "WARNING", "OFF": "ERROR", "FATAL": "ERROR"}
_KNOWN_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_NOT_FOR_KAFKA: Final = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR"})
"""Variables of OpenSSL, which every process may see."""

_KNOWN_PROPERTIES: Final = SHARED | CONSUMER | PRODUCER


@dataclass(frozen=True, slots=True, repr=False)
class Environment:
    """What the environment says; None where it says nothing.

    Args:
        log: URL of the log.
        registry: URL of the registry.
        sql: text of the program.
        application: application id.
        state_dir: folder of local state.
        functions: Python file with user functions.
        port: of metrics and health.
        instance: for static membership.
        standby_replicas: processes that keep a copy of each task's state.
        log_level: name of a level of the standard library.
        log_json: log lines as JSON.
        client: properties of the Kafka client, by librdkafka's names.
        registry_client: properties of the registry's client, by Confluent's names.
        warnings: variables that have no effect, with the reason.
    """

    log: str | None = None
    registry: str | None = None
    sql: str | None = None
    application: str | None = None
    state_dir: str | None = None
    functions: str | None = None
    port: int | None = None
    instance: str | None = None
    standby_replicas: int | None = None
    log_level: str = "INFO"
    log_json: bool = False
    client: Mapping[str, str] = field(default_factory=dict)
    registry_client: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()

    def __repr__(self) -> str:
        log = masked_url(self.log) if self.log else None
        registry = masked_url(self.registry) if self.registry else None
        return (
            f"Environment(log={log!r}, registry={registry!r}, application={self.application!r}, port={self.port!r}, "
            f"instance={self.instance!r}, client={masked(self.client)!r})"
        )


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read the environment.

    Args:
        variables: instead of the process's own.

    Raises:
        ProgramError: a variable has a value that cannot be used.
    """
    found = os.environ if variables is None else variables
    client, warnings = _client(found)
    return Environment(
        log=_log(found),
        registry=_registry(found),
        sql=_value(found, PROGRAM),
        application=_value(found, APPLICATION),
        state_dir=_value(found, STATE_DIR),
        functions=_value(found, FUNCTIONS),
        port=_port(found),
        instance=_value(found, INSTANCE),
        standby_replicas=_replicas(found),
        log_level=_level(found),
        log_json=_choice(found, LOG_FORMAT, ("text", "json"), "text") == "json",
        client=client,
        registry_client=_with_prefix(found, REGISTRY_PREFIX),
        warnings=tuple(warnings),
    )


def _value(found: Mapping[str, str], variable: Variable) -> str | None:
    """Give the value by the new name or else the old one; an empty value is none."""
    own = found.get(variable.name, "").strip()
    if own:
        return own
    return (found.get(variable.legacy, "").strip() or None) if variable.legacy else None


def _spelling(found: Mapping[str, str], variable: Variable) -> str:
    return (
        variable.name if found.get(variable.name, "").strip() or variable.legacy is None else variable.legacy
    )


def _log(found: Mapping[str, str]) -> str | None:
    own = found.get(LOG.name, "").strip()
    if own:
        return own
    brokers = found.get(str(LOG.legacy), "").strip()
    if not brokers:
        return None
    if "://" not in brokers:
        return "kafka://" + brokers
    # Kafka's own notation: PLAINTEXT://host:port,… The protocol is said by SECURITY_PROTOCOL.
    return "kafka://" + ",".join(part.strip().rpartition("://")[2] for part in brokers.split(","))


def _registry(found: Mapping[str, str]) -> str | None:
    value = _value(found, REGISTRY)
    return value.split(",")[0].strip() if value else None


def _with_prefix(found: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Give the properties that variables with this prefix name."""
    return {
        name.removeprefix(prefix).lower().replace("_", "."): value
        for name, value in sorted(found.items())
        if name.startswith(prefix) and value
    }


def _port(found: Mapping[str, str]) -> int | None:
    value = _value(found, PORT)
    if value is None:
        return None
    if value.isdigit() and int(value) < 65536:
        return int(value)
    raise _refused(_spelling(found, PORT), "a port number", "write a number from 0 to 65535")


def _replicas(found: Mapping[str, str]) -> int | None:
    value = _value(found, STANDBY)
    if value is None or value.isdigit():
        return None if value is None else int(value)
    raise _refused(STANDBY.name, "a whole number", "write how many processes keep a copy, 0 for none")


def _level(found: Mapping[str, str]) -> str:
    value = (_value(found, LOG_LEVEL) or "INFO").upper()
    value = _LEVELS.get(value, value)
    if value in _KNOWN_LEVELS:
        return value
    raise _refused(_spelling(found, LOG_LEVEL), "a log level", "write one of " + ", ".join(_KNOWN_LEVELS))


def _choice(found: Mapping[str, str], variable: Variable, choices: tuple[str, ...], default: str) -> str:
    value = (_value(found, variable) or default).lower()
    if value in choices:
        return value
    raise _refused(_spelling(found, variable), " or ".join(f"`{item}`" for item in choices), None)


def _refused(name: str, wanted: str, help_text: str | None) -> ProgramError:
    # The value is left out: it may be a secret that was put into the wrong variable.
    message = f"the environment variable `{name}` must be {wanted}"
    return ProgramError((Diagnostic(codes.BAD_VALUE, message, help=help_text),))


def _client(found: Mapping[str, str]) -> tuple[dict[str, str], list[Diagnostic]]:
    """Collect the client properties; those with our prefix are librdkafka's and go before those of 2018."""
    given: dict[str, tuple[str, str]] = {}
    for name in sorted(found):
        if name.startswith(LEGACY_CLIENT_PREFIXES) and name not in _NOT_FOR_KAFKA and found[name]:
            given[name.lower().replace("_", ".")] = (name, found[name])
    for name in sorted(found):
        if name.startswith(CLIENT_PREFIX) and found[name]:
            given[name.removeprefix(CLIENT_PREFIX).lower().replace("_", ".")] = (name, found[name])
    values = {key: value for key, (_, value) in given.items()}
    properties: dict[str, str] = {}
    warnings = []
    for key, (name, value) in given.items():
        translated = translate(key, value, values)
        if not name.startswith(CLIENT_PREFIX) and not translated.properties.keys() <= _KNOWN_PROPERTIES:
            # `SASL_` and `SSL_` begin variables of other programs too: no reason to refuse to run.
            translated = Translated({}, f"the Kafka client has no property `{key}`")
        properties |= {
            target: text
            for target, text in translated.properties.items()
            # What stands there by librdkafka's own name goes before a translation.
            if target == key or target not in values
        }
        if translated.reason is not None:
            warnings.append(
                Diagnostic(
                    codes.NO_EFFECT,
                    f"the environment variable `{name}` has no effect: {translated.reason}",
                    severity=Severity.WARNING,
                )
            )
    return properties, warnings
