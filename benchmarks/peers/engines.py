"""The engines: how each runs a program, and with which settings for the guarantee."""

from __future__ import annotations

import importlib.metadata
import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from benchmarks.nexmark.topics import KINDS, declarations
from benchmarks.peers.fetch import PYTHON, java_classes, python_environment
from benchmarks.peers.programs import FLINK, OURS
from benchmarks.pipeline.child import HEADRACE

if TYPE_CHECKING:
    from benchmarks.peers.programs import Program

_HERE: Final = Path(__file__).parent
TRANSACTION_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program.

    Args:
        program: what is run.
        topics: the topics of its sources, by name of the source.
        target: where results go; there already.
        application: a name that nothing else has.
        bootstrap: addresses of the broker.
        guarantee: `exactly_once` or `at_least_once`.
        commit: seconds between commits, checkpoints or transactions.
        threads: that process records, where the engine has several.
        folder: empty, for state and files.
        registry: address of the schemas, where there are some.
        endless: go on when the end of the sources is reached.
    """

    program: Program
    topics: dict[str, str]
    target: str
    application: str
    bootstrap: str
    guarantee: str
    commit: float
    threads: int
    folder: Path
    registry: str = ""
    endless: bool = False

    @property
    def commit_ms(self) -> int:
        return round(self.commit * 1000)

    @property
    def sources(self) -> list[str]:
        """Topics that are read."""
        return [self.topics[source] for source in self.program.sources]


@dataclass(frozen=True, slots=True)
class Command:
    """What is called.

    Args:
        words: of the command.
        environment: beside ours.
        ends: it ends by itself when all has been processed and committed; otherwise its commits are watched.
        idle: seconds that it waits at the end before it does; they do not count.
    """

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    ends: bool = True
    idle: float = 0.0


class Engine(Protocol):
    """One engine."""

    name: str
    slug: str
    updates: bool
    """Windows come out again when they have changed, under the same key; otherwise once, when they are over."""
    share: float
    """Of the records; less where more would take too long."""

    @property
    def version(self) -> str: ...
    def prepare(self) -> None:
        """Fetch and compile what is needed."""
        ...

    def command(self, run: Run) -> Command: ...


class Headrace:
    """Ours."""

    name = "Headrace"
    slug = "headrace"
    updates = True
    share = 1.0

    @property
    def version(self) -> str:
        return importlib.metadata.version("headrace")

    def prepare(self) -> None:
        return

    def command(self, run: Run) -> Command:
        declared = declarations(
            {source: run.topics[source] for source in run.program.sources if source in KINDS}
        )
        declared += "".join(
            f"CREATE TABLE {run.topics[source]} ({OURS[source]};\n"
            for source in run.program.sources
            if source in OURS
        )
        text = (
            f"SET processing.guarantee='{run.guarantee}';\nSET commit.interval.ms={run.commit_ms};\n"
            f"SET num.stream.threads={run.threads};\n{declared}"
            f"{run.program.query.ours.format(target=run.target, **run.topics)}"
        )
        words = [HEADRACE, "run", "-e", text, "--app-id", run.application]
        return Command(
            words if run.endless else [*words, "--until-end"],
            {
                "HEADRACE_LOG": f"kafka://{run.bootstrap}",
                "HEADRACE_STATE_DIR": str(run.folder),
                **({"HEADRACE_SCHEMA_REGISTRY": run.registry} if run.registry else {}),
            },
        )


class KafkaStreams:
    """Kafka Streams: the DSL, RocksDB, all optimisations of the topology."""

    name = "Kafka Streams"
    slug = "streams"
    updates = True
    share = 1.0

    @cached_property
    def _classes(self) -> list[str]:
        return java_classes("streams", "StreamsPeer", "StreamsRows", "AvroRecords")

    @property
    def version(self) -> str:
        return _pom_version("kafka.version")

    def prepare(self) -> None:
        assert self._classes

    def command(self, run: Run) -> Command:
        settings = {
            "application.id": run.application,
            "bootstrap.servers": run.bootstrap,
            "state.dir": str(run.folder),
            "processing.guarantee": "exactly_once_v2" if run.guarantee == "exactly_once" else run.guarantee,
            "commit.interval.ms": str(run.commit_ms),
            "num.stream.threads": str(run.threads),
            "topology.optimization": "all",
            "replication.factor": "1",
            "consumer.auto.offset.reset": "earliest",
            "schema.registry.url": run.registry,
        }
        words = [
            *_java("1g", self._classes, "StreamsPeer"),
            run.program.name,
            run.target,
            ",".join(run.sources),
            *(f"{name}={value}" for name, value in settings.items()),
        ]
        return Command(words, ends=False)


class FlinkSql:
    """Flink SQL: a mini-cluster in one process, objects reused, mini-batches, state on the heap."""

    name = "Flink SQL"
    slug = "flink"
    updates = False
    share = 1.0

    @cached_property
    def _classes(self) -> list[str]:
        return java_classes("flink", "FlinkPeer")

    @property
    def version(self) -> str:
        return _pom_version("flink.version")

    def prepare(self) -> None:
        assert self._classes

    def command(self, run: Run) -> Command:
        settings = {
            "parallelism.default": str(run.threads),
            "execution.checkpointing.interval": f"{run.commit_ms} ms",
            "execution.checkpointing.mode": run.guarantee.upper(),
            "execution.checkpointing.storage": "filesystem",
            "execution.checkpointing.dir": (run.folder / "checkpoints").as_uri(),
            "state.backend.type": "hashmap",
            "pipeline.object-reuse": "true",
            "table.exec.mini-batch.enabled": "true",
            "table.exec.mini-batch.allow-latency": f"{run.commit_ms} ms",
            "table.exec.mini-batch.size": "5000",
            "table.local-time-zone": "UTC",
            "taskmanager.memory.network.max": "128 mb",
        }
        statements = [self._source(run, source) for source in run.program.sources]
        statements += [self._sink(run), f"INSERT INTO `result` {run.program.flink}"]
        script = run.folder / "program.sql"
        script.write_text("".join(f"{statement}\n;\n" for statement in statements), encoding="utf-8")
        words = [*_java("2g", self._classes, "FlinkPeer", *_OPEN), str(script)]
        return Command([*words, *(f"{name}={value}" for name, value in settings.items())])

    def _source(self, run: Run, source: str) -> str:
        columns, formats = FLINK[source]
        end = "" if run.endless else "'scan.bounded.mode' = 'latest-offset', "
        return (
            f"CREATE TABLE {source} ({columns}) WITH ('connector' = 'kafka', 'topic' = '{run.topics[source]}', "
            f"'properties.bootstrap.servers' = '{run.bootstrap}', 'properties.group.id' = '{run.application}', "
            f"'scan.startup.mode' = 'earliest-offset', {end}{formats.format(registry=run.registry)})"
        )

    def _sink(self, run: Run) -> str:
        columns, connector, formats = run.program.sink, "kafka", "'format' = 'json'"
        if run.program.keyed:
            formats = "'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY'"
        elif run.program.upsert:
            columns += f", PRIMARY KEY ({run.program.upsert}) NOT ENFORCED"
            connector, formats = "upsert-kafka", "'key.format' = 'json', 'value.format' = 'json'"
        return (
            f"CREATE TABLE `result` ({columns}) WITH ('connector' = '{connector}', 'topic' = '{run.target}', "
            f"'properties.bootstrap.servers' = '{run.bootstrap}', "
            f"'sink.delivery-guarantee' = '{run.guarantee.replace('_', '-')}', "
            f"'sink.transactional-id-prefix' = '{run.application}', "
            f"'properties.transaction.timeout.ms' = '{TRANSACTION_MS}', {formats})"
        )


@dataclass(slots=True)
class PythonEngine:
    """An engine that is written for Python: one process, which has one thread.

    Args:
        ends: as for `Command`.
        idle: the same.
    """

    name: str
    slug: str
    ends: bool = True
    idle: float = 0.0
    updates: bool = True
    share: float = 0.1

    @property
    def version(self) -> str:
        return PYTHON[self.slug][0].partition("==")[2]

    def prepare(self) -> None:
        python_environment(self.slug)

    def command(self, run: Run) -> Command:
        words = [
            str(python_environment(self.slug)),
            str(_HERE / f"{self.slug}_program.py"),
            run.program.name,
            run.target,
            ",".join(run.sources),
            run.bootstrap,
            run.application,
            run.guarantee.replace("_", "-"),
            str(run.commit),
            str(run.folder),
        ]
        return Command(words, ends=self.ends, idle=self.idle)


ENGINES: Final[tuple[Engine, ...]] = (
    Headrace(),
    KafkaStreams(),
    FlinkSql(),
    PythonEngine("Quix Streams", "quix", idle=3.0),
    # The results of these two stand outside of transactions, whatever is asked: docs/benchmarks.md.
    PythonEngine("Bytewax (at least once)", "bytewax", updates=False),
    PythonEngine("Faust (at least once)", "faust", ends=False),
)

# What Flink's own scripts open to it on this version of Java.
_OPEN: Final = tuple(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.lang",
        "java.net",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "java.time",
    )
)


def _java(heap: str, classes: list[str], main: str, *options: str) -> list[str]:
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
    return ["java", f"-Xmx{heap}", quiet, *options, "-cp", os.pathsep.join(classes), main]


def _pom_version(name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", (_HERE / "pom.xml").read_text(encoding="utf-8"))
    assert found is not None
    return found.group(1)
