"""Brokers that are killed or away, and a disk that is full, while a program with state runs."""

from __future__ import annotations

import itertools
import os
import resource
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.plan.topology import RunSettings
from tests.engine.programs import create, fill, numbers, read, unique
from tests.engine.running import running
from tests.engine.stateful import counting, expected_histories, histories
from tests.logs.members import Reader
from tests.recovery.programs import Workload, plan
from tests.servers.kafka import OFFSETS_PARTITIONS, KafkaServer

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log

KEYS = 40
QUICK = RunSettings(commit_interval=0.05)


def give(log: Log, source: str, values: range) -> None:
    fill(log, source, numbers(values), keys=[f"k{value % KEYS}".encode() for value in values])


def processor_of(log: Log, work: Workload, state: Path) -> Processor:
    """Make one that runs the program of a workload."""
    options = ProcessorOptions(work.name, batch_records=100, state_dir=state)
    return Processor(plan(log, work.program, work.name, QUICK), log, None, options)


def await_consumed(processor: Processor, records: int) -> None:
    """Wait until it has read so many."""
    # Longer than two requests that the client gives up after a minute.
    deadline = time.monotonic() + 150
    while consumed(processor) < records:
        assert time.monotonic() < deadline
        assert processor.live()
        time.sleep(0.01)


def consumed(processor: Processor) -> int:
    return sum(processor.metrics.snapshot().consumed.values())


def finish(log: Log, work: Workload, state: Path) -> None:
    """Run to the end of the inputs, then let the windows close."""
    options = ProcessorOptions(work.name, until_end=True, state_dir=state)
    topology = plan(log, work.program, work.name, QUICK)
    Processor(topology, log, None, options).run()
    work.end()
    Processor(topology, log, None, options).run()


@pytest.mark.kafka
@pytest.mark.timeout(400)
def test_a_broker_that_is_killed_and_one_that_is_away_for_half_a_minute(
    own_kafka: KafkaServer, tmp_path: Path
) -> None:
    (node,) = own_kafka.nodes
    with open_log(own_kafka.url) as log:
        work = Workload(log, "sums", unique("app"))
        work.grow(8_000)
        with running(processor_of(log, work, tmp_path)) as processor:
            await_consumed(processor, 1_000)
            for away in (0.0, 30.0):
                read = consumed(processor)
                node.kill()
                time.sleep(away)
                node.launch()
                node.await_ready()
                work.grow(4_000)
                await_consumed(processor, read + 2_000)
        finish(log, work, tmp_path)
        assert work.faults() == []


@pytest.mark.kafka
@pytest.mark.timeout(400)
def test_a_coordinator_that_is_killed_among_three_nodes(tmp_path: Path) -> None:
    with KafkaServer(3) as cluster, open_log(cluster.url) as log:
        work = Workload(log, "sums", unique("app"))
        grows = create(log, unique("grows"), 1)
        fill(log, grows, numbers(range(10)))
        work.grow(4_000)
        with (
            running(processor_of(log, work, tmp_path)) as processor,
            Reader(log, group=_namesake(work.name)) as reader,
        ):
            reader.subscribe(grows).read(10)
            await_consumed(processor, 1_000)
            # Producers without transactions are in the middle of their work as well.
            growing = threading.Thread(target=work.grow, args=(4_000,))
            growing.start()
            # It leads a third of the partitions too.
            cluster.nodes[_coordinator(cluster, work.name) - 1].kill()
            growing.join()
            # Offsets go to the new coordinator, with transactions of a producer that knew the old one,
            await_consumed(processor, 6_000)
            # and are read from it by a consumer that did.
            with closing(log.admin()) as admin:
                admin.add_partitions(grows, 4)
            fill(log, grows, numbers(range(50)), keys=[f"k{number}".encode() for number in range(50)])
            assert len(reader.read(60)) == 60
        finish(log, work, tmp_path)
        assert work.faults() == []


def _namesake(group: str) -> str:
    """Give a group that has the same coordinator."""
    names = (f"{group}-{number}" for number in itertools.count())
    return next(name for name in names if _place(name) == _place(group))


def _place(group: str) -> int:
    """Give the partition of the topic of offsets that a group belongs to: by the hash of Java's strings."""
    number = 0
    for character in group:
        number = (31 * number + ord(character)) & 0xFFFFFFFF
    return (number & 0x7FFFFFFF) % OFFSETS_PARTITIONS


def _coordinator(cluster: KafkaServer, group: str) -> int:
    client = AdminClient({"bootstrap.servers": cluster.bootstrap})
    found = client.describe_consumer_groups([group])[group].result(30).coordinator
    assert found is not None
    return int(found.id)


RUN = """\
import sys
from pathlib import Path
from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.log import open_log
from headrace.plan.topology import RunSettings
from tests.engine.running import running
from tests.engine.stateful import counting

url, source, sink, application, state = sys.argv[1:]
with open_log(url) as log:
    options = ProcessorOptions(application, until_end=True, batch_records=500, state_dir=Path(state))
    topology = counting(source, sink, RunSettings(commit_interval=0.01))
    try:
        Processor(topology, log, None, options).run()
    except RunError as error:
        sys.exit(f"{error.diagnostics[0].code.id}: {error}")
"""


@pytest.mark.kafka
def test_a_full_disk_ends_the_run_and_harms_nothing(tmp_path: Path, kafka_log: Log) -> None:
    source, sink, application = create(kafka_log, unique("in")), unique("out"), unique("app")
    keys = [f"key-{value}" for value in range(30_000)]
    fill(kafka_log, source, numbers(range(30_000)), keys=[key.encode() for key in keys])
    arguments = [kafka_log.name, source, sink, application, str(tmp_path / "state")]

    def run(largest_file: int) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)
            ),
        )
        return done.returncode, done.stderr

    code, message = run(100_000)
    assert code == 1
    assert "RUN0112: " in message, message
    assert run(resource.RLIM_INFINITY)[0] == 0
    assert {row["key"].decode() for row in read(kafka_log, sink)} == set(keys)
    assert histories(kafka_log, sink) == expected_histories(zip(keys, range(30_000), strict=True))


def _clean(log: Log, topic: str, policy: str) -> None:
    entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
    client = AdminClient({"bootstrap.servers": log.name.removeprefix("kafka://")})
    change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for done in client.incremental_alter_configs([change]).values():
        done.result(30)


@pytest.mark.kafka
def test_a_changelog_that_is_cut_off(tmp_path: Path, kafka_log: Log) -> None:
    source, sink, application = create(kafka_log, unique("in")), unique("out"), unique("app")
    topology = counting(source, sink, QUICK)

    def run(state: Path) -> None:
        options = ProcessorOptions(application, until_end=True, batch_records=100, state_dir=state)
        Processor(topology, kafka_log, None, options).run()

    give(kafka_log, source, range(1_000))
    run(tmp_path / "old")
    give(kafka_log, source, range(1_000, 2_000))
    run(tmp_path / "newer")
    topic = f"{application}-totals-changelog"
    places = [TopicPartition(topic, number) for number in range(2)]
    with closing(kafka_log.consumer(ConsumerOptions())) as looker, closing(kafka_log.admin()) as admin:
        ends = {place: end for place, (_, end) in looker.watermarks(places).items()}
        # As by somebody who had the topic cleaned by age for a while: Kafka cuts off nothing that is only compacted.
        _clean(kafka_log, topic, "delete")
        admin.delete_records(ends)
        _clean(kafka_log, topic, "compact")
    give(kafka_log, source, range(2_000, 3_000))
    found = histories(kafka_log, sink)
    assert found == expected_histories((f"k{value % KEYS}", value) for value in range(2_000))
    # Nothing is made up from what is left, neither over an older copy nor without any.
    for state in ("old", "none"):
        with pytest.raises(RunError, match="lost its beginning"):
            run(tmp_path / state)
    assert histories(kafka_log, sink) == found
