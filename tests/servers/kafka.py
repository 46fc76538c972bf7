"""A real Apache Kafka, one node or several, in KRaft mode.

`python -m tests.servers.kafka [--registry] [--nodes N]` runs it until interrupted and prints the addresses.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.servers.apicurio import RegistryServer
from tests.servers.archives import archive_option
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.jars import cache_root, kafka_jars
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess, accepts
from tests.servers.sharing import locked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USER: Final = "alice"
PASSWORD: Final = "wonderland"
"""The one account of the SASL listeners, for PLAIN and SCRAM alike."""

OFFSETS_PARTITIONS: Final = 4
"""Of the topic with the offsets of groups: the name of a group says which one it belongs to."""

_LOG4J = Path(__file__).with_name("log4j2.xml")
_LISTENERS: Final = ("PLAINTEXT", "SASL", "TLS", "SASLTLS", "CONTROLLER")
_SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": (
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,SASLTLS:SASL_SSL"
    ),
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "ssl.keystore.type": "PEM",
    "ssl.truststore.type": "PEM",
    "listener.name.tls.ssl.client.auth": "requested",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:ANONYMOUS",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # Quick rebalances and quick notice of a killed member; 45 s and 5 s are the defaults.
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "200",
    "group.consumer.heartbeat.interval.ms": "500",
    # Records of tests have times of their own, which the broker would take for expired after half a minute.
    "log.retention.ms": "-1",
    "offsets.topic.num.partitions": str(OFFSETS_PARTITIONS),
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1500",
    # A third of what an idle broker costs were records that say nothing, twice a second, to let followers see that they follow.
    "metadata.max.idle.interval.ms": "0",
    # What a test writes is deleted with the folder; keep disk use and syncing low.
    "log.segment.bytes": str(64 << 20),
    "log.cleaner.dedupe.buffer.size": str(8 << 20),
    "log.index.size.max.bytes": str(1 << 20),
    "controlled.shutdown.enable": "true",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "1",
}

_CLUSTER: Final[Mapping[str, str]] = {
    # With one of three nodes away, a second one that a busy machine holds up must not be taken for dead as well: nothing
    # could be written then.
    "broker.session.timeout.ms": "9000",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "4000",
}


@dataclass(frozen=True, slots=True)
class KafkaAddress:
    """Where a cluster is."""

    bootstrap: str
    """Addresses of the listeners without security, separated by commas."""
    listeners: Mapping[str, str]
    """Addresses of the first node: PLAINTEXT, SASL, TLS and SASLTLS."""
    certificates: Certificates

    @property
    def url(self) -> str:
        """The log's URL for `open_log`."""
        return f"kafka://{self.bootstrap}"


class KafkaNode:
    """One broker and controller, with its ports and its folder kept over restarts."""

    def __init__(
        self,
        number: int,
        folder: Path,
        ports: Mapping[str, int],
        certificates: Certificates,
        classes: Sequence[str],
    ) -> None:
        self.number = number
        self._classes = classes
        self.ports = dict(ports)
        self._folder = folder
        self._certificates = certificates
        self._process: ServerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """Address of the listener without security."""
        return f"127.0.0.1:{self.ports['PLAINTEXT']}"

    def format(self, cluster: str, voters: str, replication: int, features: Mapping[str, int]) -> None:
        """Write the configuration and format the data folder."""
        self._configure(voters, replication)
        begun = self._begun(features)
        data = self._folder / "data"
        shutil.copytree(begun, data)
        facts = {
            "version": "1",
            "cluster.id": cluster,
            "node.id": str(self.number),
            "directory.id": random_id(),
        }
        _write_properties(data / "meta.properties", facts)

    def _begun(self, features: Mapping[str, int]) -> Path:
        """Give a folder with what stands in every new cluster's log: made by the tool once for such features.

        The tool takes longer than half a broker's start, and nothing of this tells clusters apart.
        """
        accounts = [f"--add-scram=SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
        levels = [f"--feature={feature}={level}" for feature, level in sorted(features.items())]
        options = [*accounts, *levels]
        named = hashlib.sha256(repr((kafka_jars().name, options)).encode()).hexdigest()[:12]
        begun = cache_root() / f"kafka-begun-{named}"
        with locked(begun.with_suffix(".lock")):
            if not begun.exists():
                self._run_tool(options)
                part = Path(tempfile.mkdtemp(prefix="kafka-begun-", dir=cache_root()))
                data = self._folder / "data"
                (data / "meta.properties").unlink()
                shutil.copytree(data, part, dirs_exist_ok=True)
                shutil.rmtree(data)
                part.rename(begun)
        return begun

    def _configure(self, voters: str, replication: int) -> None:
        addresses = ",".join(f"{name}://127.0.0.1:{self.ports[name]}" for name in _LISTENERS)
        plain = f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        settings = {
            **_SETTINGS,
            "node.id": str(self.number),
            "controller.quorum.voters": voters,
            "listeners": addresses,
            "advertised.listeners": addresses,
            "log.dirs": str(self._folder / "data"),
            "ssl.keystore.location": str(self._certificates.server),
            "ssl.truststore.location": str(self._certificates.authority),
            "offsets.topic.replication.factor": str(replication),
            "transaction.state.log.replication.factor": str(replication),
            "transaction.state.log.min.isr": str(min(2, replication)),
            "share.coordinator.state.topic.replication.factor": str(replication),
            "share.coordinator.state.topic.min.isr": str(min(2, replication)),
            "default.replication.factor": str(replication),
            "min.insync.replicas": str(min(2, replication)),
            **(_CLUSTER if replication > 1 else {}),
        }
        for listener in ("sasl", "sasltls"):
            settings[f"listener.name.{listener}.plain.sasl.jaas.config"] = plain
            settings[f"listener.name.{listener}.scram-sha-256.sasl.jaas.config"] = scram
            settings[f"listener.name.{listener}.scram-sha-512.sasl.jaas.config"] = scram
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_properties(self._config, settings)

    def _run_tool(self, options: Sequence[str]) -> None:
        tool = [*self._java("128m"), "kafka.tools.StorageTool", "format"]
        result = subprocess.run(
            [*tool, "-t", random_id(), "-c", str(self._config), *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if result.returncode != 0:
            message = f"the broker's folder could not be formatted:\n{result.stdout}{result.stderr}"
            raise RuntimeError(message)

    def launch(self, *options: str) -> None:
        """Start the process, with more options for its JVM; `await_ready` waits for it."""
        self._process = ServerProcess(
            [*self._java("512m"), *options, "kafka.Kafka", str(self._config)],
            output=self._folder / "output.log",
        )

    def await_ready(self) -> None:
        assert self._process is not None
        self._process.wait_until(lambda: accepts(self.ports["PLAINTEXT"]), 90)

    def freeze(self) -> None:
        """Let it answer nothing any more, until it is killed; its connections stay."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def stop(self, seconds: float = 30.0) -> None:
        """End it in order (it hands its leaderships over), by force if that takes longer."""
        if self._process is not None:
            self._process.stop(seconds)
            self._process = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def _config(self) -> Path:
        return self._folder / "server.properties"

    def _java(self, heap: str) -> list[str]:
        return [
            "java",
            f"-Xmx{heap}",
            "-Xms64m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
            f"-Dlog4j2.configurationFile={_LOG4J}",
            f"-Dheadrace.log.file={self._folder / 'server.log'}",
            *self._classes,
        ]


def random_id() -> str:
    """Give an id as Kafka makes them, without hyphens: its tools would take one at the beginning for an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def _write_properties(file: Path, properties: Mapping[str, str]) -> None:
    file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))


def class_path() -> list[str]:
    """Give the option of the broker's jars: each of them, in an order that stays, as an archive of classes wants it."""
    return ["-cp", os.pathsep.join(str(jar) for jar in sorted(kafka_jars().glob("*.jar")))]


def archived_classes() -> list[str]:
    """Give the options to load the broker's classes from an archive."""

    def run(option: str) -> None:
        with KafkaServer(classes=class_path()) as server:
            (node,) = server.nodes
            node.stop()
            node.launch(option)
            node.await_ready()
            server.await_nodes(1)
            node.stop(120)

    return [archive_option("kafka", kafka_jars(), run), *class_path()]


class KafkaServer:
    """A cluster of one or more nodes in a temporary folder.

    Args:
        nodes: how many.
        features: levels of Kafka's features, to play an older broker: `group.version` 0 knows classic groups alone.
        classes: options of the JVM that say where the classes are; an archive of them by default.
    """

    def __init__(
        self,
        nodes: int = 1,
        features: Mapping[str, int] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        found = archived_classes() if classes is None else classes
        self._features = dict(features or {})
        self._folder = tempfile.TemporaryDirectory(prefix="headrace-kafka-", ignore_cleanup_errors=True)
        root = Path(self._folder.name)
        self.certificates = make_certificates(root)
        ports = free_ports(nodes * len(_LISTENERS))
        self.nodes = [
            KafkaNode(
                number + 1,
                root / f"node-{number + 1}",
                dict(zip(_LISTENERS, ports[number * len(_LISTENERS) :], strict=False)),
                self.certificates,
                found,
            )
            for number in range(nodes)
        ]

    @property
    def bootstrap(self) -> str:
        """Addresses of the listeners without security, separated by commas."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def url(self) -> str:
        """The log's URL for `open_log`."""
        return self.address.url

    @property
    def address(self) -> KafkaAddress:
        """What those who only use it need to know."""
        listeners = {name: f"127.0.0.1:{port}" for name, port in self.nodes[0].ports.items()}
        return KafkaAddress(self.bootstrap, listeners, self.certificates)

    def start(self) -> Self:
        """Format, start all nodes and wait until the cluster answers."""
        cluster = random_id()
        voters = ",".join(f"{node.number}@127.0.0.1:{node.ports['CONTROLLER']}" for node in self.nodes)
        for node in self.nodes:
            node.format(cluster, voters, min(3, len(self.nodes)), self._features)
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.await_ready()
        self.await_nodes(len(self.nodes))
        return self

    def await_nodes(self, count: int) -> None:
        """Wait until so many nodes take part in the cluster."""
        deadline = time.monotonic() + 120
        while True:
            # A new client each time: one that was refused while the broker was starting waits longer and longer.
            admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": "0"})
            try:
                if len(admin.list_topics(timeout=10).brokers) >= count:
                    return
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
            if time.monotonic() > deadline:
                message = f"the cluster did not reach {count} nodes"
                raise RuntimeError(message)
            time.sleep(0.1)

    def stop(self) -> None:
        # Killed, not stopped: the folder goes, and waiting for an orderly end would cost seconds.
        for node in self.nodes:
            node.kill()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def main() -> None:
    """Run servers until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.kafka", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--registry", action="store_true", help="run a schema registry too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        server = stack.enter_context(KafkaServer(options.nodes))
        print(f"export SQL_BOOTSTRAP_SERVERS={server.bootstrap}", flush=True)
        if options.registry:
            registry = stack.enter_context(RegistryServer())
            print(f"export SQL_SCHEMA_REGISTRY_URL={registry.url}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
