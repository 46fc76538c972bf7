"""Properties of Kafka's Java clients and of Kafka Streams, which programs and deployments of 2018 use.

Where librdkafka has the same thing under another name it is translated; where it has no counterpart the user is told why.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

RENAMED: Final = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "max.request.size": "message.max.bytes",
    "send.buffer.bytes": "socket.send.buffer.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
}

EXPLAINED: Final = {
    "application.id": "the application id comes from `--app-id` or `SQL_APP_ID`",
    "bootstrap.servers": "the log is named by `--log`, `HEADRACE_LOG` or `SQL_BOOTSTRAP_SERVERS`",
    "default.api.timeout.ms": "calls have time limits of their own",
    "default.deserialization.exception.handler": "bad records go to `error.policy`",
    "default.key.serde": "formats come from the topics and from `STORE`",
    "default.production.exception.handler": "bad records go to `error.policy`",
    "default.timestamp.extractor": "write `EVENTTIME BY` in the query; `EVENTTIME BY PROCTIME()` takes the clock",
    "default.value.serde": "formats come from the topics and from `STORE`",
    "enable.auto.commit": "offsets are committed together with the outputs",
    "enable.auto.offset.store": "offsets are committed together with the outputs",
    "enable.idempotence": "the producer is always idempotent",
    "group.id": "the group is the application id, from `--app-id` or `SQL_APP_ID`",
    "interceptor.classes": "classes of Java cannot be loaded",
    "isolation.level": "only committed records are read",
    "key.deserializer": "formats come from the topics and from `STORE`",
    "key.serializer": "formats come from the topics and from `STORE`",
    "max.block.ms": "the producer waits as long as its queue is full",
    "max.poll.records": "the size of a batch follows the load",
    "max.task.idle.ms": "inputs are not merged by time without a join",
    "max.zero.polls": "a query ends where its topics ended when it began, or by `max.idle.time`",
    "metric.reporters": "metrics are served at `/metrics`",
    "metrics.num.samples": "metrics are served at `/metrics`",
    "metrics.recording.level": "metrics are served at `/metrics`",
    "partitioner.class": "records are partitioned by murmur2 of the key, as Kafka's own default",
    "replication.factor": "write `replication` or `defaults.topic.replication`",
    "schema.registry.url": "the registry is named by `--registry`, `HEADRACE_SCHEMA_REGISTRY` or `SQL_SCHEMA_REGISTRY_URL`",
    "ssl.keymanager.algorithm": "it has no counterpart outside Java",
    "ssl.protocol": "the newest version of TLS that both sides have is used",
    "ssl.secure.random.implementation": "it has no counterpart outside Java",
    "ssl.trustmanager.algorithm": "it has no counterpart outside Java",
    "ssl.enabled.protocols": "the newest version of TLS that both sides have is used",
    "timestamp.extractor": "write `EVENTTIME BY` in the query; `EVENTTIME BY PROCTIME()` takes the clock",
    "topology.optimization": "the plan is always optimised",
    "transactional.id": "it is made from the application id",
    "value.deserializer": "formats come from the topics and from `STORE`",
    "value.serializer": "formats come from the topics and from `STORE`",
}
"""Properties without a counterpart, and what takes their place. They are accepted and have no effect."""

STORE_SETTINGS: Final = {
    "cache.max.bytes.buffering": "the memory for state is `state.memory`",
    "statestore.cache.max.bytes": "the memory for state is `state.memory`",
    "state.dir": "the folder of local state is `--state-dir` or HEADRACE_STATE_DIR",
    "state.cleanup.delay.ms": "local state is kept until it is discarded",
}
"""Settings of the local state of Kafka Streams, with what stands in their place here."""

STORE_SETTING_PREFIXES: Final = ("rocksdb.",)
OTHER_STORE: Final = "local state is kept in a store of another kind"

_ASSIGNORS: Final = {
    "RangeAssignor": "range",
    "RoundRobinAssignor": "roundrobin",
    "StickyAssignor": "cooperative-sticky",
    "CooperativeStickyAssignor": "cooperative-sticky",
}

_JAAS_OPTION: Final = re.compile(
    r"""\b(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))"""
)


@dataclass(frozen=True, slots=True)
class Translated:
    """What became of a property: names and values for librdkafka, or the reason why there are none."""

    properties: dict[str, str]
    reason: str | None = None


def translate(name: str, value: str, others: dict[str, str] | None = None) -> Translated:
    """Turn a property of a Java client into librdkafka's.

    Args:
        name: as Java spells it; librdkafka's own names come back as they are.
        value: its value.
        others: the properties given along with it, which some translations depend on.
    """
    if name in RENAMED:
        return Translated({RENAMED[name]: value})
    if name in EXPLAINED:
        return Translated({}, EXPLAINED[name])
    if name == "buffer.memory" and value.isdigit():
        return Translated({"queue.buffering.max.kbytes": str(max(int(value) // 1024, 1))})
    if name == "ssl.endpoint.identification.algorithm" and not value:
        return Translated({name: "none"})
    if name == "partition.assignment.strategy":
        classes = [part.strip().rpartition(".")[2] for part in value.split(",")]
        return Translated({name: ",".join(_ASSIGNORS.get(item, item) for item in classes)})
    if name == "sasl.jaas.config":
        return _jaas(value)
    if name.startswith(("ssl.truststore.", "ssl.keystore.type")):
        return _stores(name, value, others or {})
    return Translated({name: value})


def _jaas(value: str) -> Translated:
    """Take user and password out of a JAAS line of PlainLoginModule or ScramLoginModule."""
    found = {}
    for name, double, single, bare in _JAAS_OPTION.findall(value):
        text = double or single or bare
        found[f"sasl.{name}"] = re.sub(r"\\(.)", r"\1", text)
    if len(found) == 2:
        return Translated(found)
    return Translated({}, "it holds no user name and password; set `sasl.username` and `sasl.password`")


def _stores(name: str, value: str, others: dict[str, str]) -> Translated:
    if name == "ssl.truststore.location":
        kind = others.get("ssl.truststore.type", "")
        if kind.upper() == "PEM" or value.endswith((".pem", ".crt", ".cer")):
            return Translated({"ssl.ca.location": value})
        return Translated(
            {}, "trust stores of Java cannot be read; set `ssl.ca.location` to a file of certificates (PEM)"
        )
    if name == "ssl.truststore.certificates":
        return Translated({"ssl.ca.pem": value})
    if name == "ssl.keystore.type" and value.upper() not in ("PKCS12", "PEM"):
        return Translated(
            {}, "key stores must be PKCS12 files, or PEM by `ssl.certificate.location` and `ssl.key.location`"
        )
    return Translated({}, "it is not needed to read certificates (PEM)")
