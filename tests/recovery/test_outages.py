"""Brokers that are killed or away, and a disk that is full, while a program with state runs."""

from __future__ import annotations

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
from tests.engine.stateful import counting, expected_histories, histories

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log
    from tests.servers.kafka import KafkaServer

KEYS = 40
QUICK = RunSettings(commit_interval=0.05)


def give(log: Log, source: str, values: range) -> None:
    fill(log, source, numbers(values), keys=[f"k{value % KEYS}".encode() for value in values])


@pytest.mark.kafka
@pytest.mark.parametrize("away", [0.0, 30.0])
def test_a_broker_that_is_killed(own_kafka: KafkaServer, tmp_path: Path, away: float) -> None:
    (node,) = own_kafka.nodes
    with open_log(f"kafka://{own_kafka.bootstrap}") as log:
        source, sink = create(log, unique("in")), unique("out")
        give(log, source, range(20_000))
        options = ProcessorOptions(unique("app"), batch_records=100, state_dir=tmp_path)
        processor = Processor(counting(source, sink, QUICK), log, None, options)
        thread = threading.Thread(target=processor.run)
        thread.start()
        try:
            deadline = time.monotonic() + 90
            while sum(processor.metrics.snapshot().consumed.values()) < 2_000:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            node.kill()
            time.sleep(away)
            node.launch()
            node.await_ready()
            give(log, source, range(20_000, 20_400))
            while sum(map(len, histories(log, sink).values())) < 20_400:
                assert time.monotonic() < deadline
                assert thread.is_alive()
                time.sleep(0.2)
        finally:
            processor.stop()
            thread.join()
        wanted = expected_histories((f"k{value % KEYS}", value) for value in range(20_400))
        assert histories(log, sink) == wanted


RUN = """\
import sys
from pathlib import Path
from headrace.engine import Processor, ProcessorOptions
from headrace.errors import RunError
from headrace.log import open_log
from headrace.plan.topology import RunSettings
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
    places = [TopicPartition(topic, number) for number in range(4)]
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
