"""What `headrace plan --app-id` says of a program beside what runs."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.deployment import Action, Deployment, compare
from headrace.engine.state.verdicts import Verdict
from headrace.errors import RunError
from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, TopicDescription
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import create, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology

PROGRAM = """
SET autocreate=true; SET late.topic='late'; SET commit.interval.ms=20;
INSERT INTO totals STORE VALUE AS AVRO SELECT STREAM shop, {} FROM payments GROUP BY shop;
"""
COUNTED = PROGRAM.format("COUNT(*) AS n")
SUMMED = PROGRAM.format("COUNT(*) AS n, SUM(amount) AS total")


@pytest.fixture
def log() -> Iterator[Log]:
    """Give a log in memory: all that is asked of the other is proved where its parts are tested."""
    with open_log("sqlite::memory:") as opened:
        create(opened, "payments", 2)
        fill(opened, "payments", [b'{"shop": "s", "amount": 2.5}'] * 4, keys=[b"a", b"b", b"c", b"d"])
        yield opened


@pytest.fixture
def registry(log: Log) -> Registry | None:
    return open_registry(None, log)


def planned(log: Log, registry: Registry | None, text: str) -> Topology:
    with closing(Catalog(log, registry)) as catalog:
        return plan_program(parse_program(text), catalog)


def compared(log: Log, registry: Registry | None, text: str, application: str = "app") -> Deployment:
    return compare(planned(log, registry, text), log, registry, application, None)


def run(log: Log, registry: Registry | None, text: str, state: Path | None = None) -> None:
    options = ProcessorOptions("app", until_end=True, lag_interval=0, state_dir=state)
    Processor(planned(log, registry, text), log, registry, options).run()


def actions(found: Deployment) -> dict[str, str]:
    return {f"{item.use} {item.topic}": item.action.value for item in found.topics}


def test_what_a_first_start_makes(log: Log, registry: Registry | None) -> None:
    found = compared(log, registry, COUNTED)
    assert actions(found) == {
        "input payments": "KEEP",
        "target totals": "CREATE",
        "late records late": "CREATE",
        "changelog app-totals-aggregate-changelog": "CREATE",
        "repartition app-totals-aggregate-repartition": "CREATE",
    }
    changelog = found.topics[3]
    assert (changelog.partitions, changelog.configs["cleanup.policy"]) == (2, "compact")
    assert [(item.subject, item.action) for item in found.schemas] == [("totals-value", Action.CREATE)]
    assert (found.group.processes, found.group.committed, found.group.unread) == (0, False, {})
    assert (found.left_over, found.refused) == ((), False)


def test_what_is_there_is_kept_and_a_further_result_taken_over(log: Log, registry: Registry | None) -> None:
    run(log, registry, COUNTED)
    fill(log, "payments", [b'{"shop": "s", "amount": 2.5}'] * 3, keys=[b"a"] * 3)
    found = compared(log, registry, COUNTED)
    assert set(actions(found).values()) == {"KEEP"}
    assert [item.action for item in found.schemas] == [Action.KEEP]
    assert found.group.committed
    assert found.group.unread == {"payments": 3, "app-totals-aggregate-repartition": 0}
    found = compared(log, registry, SUMMED)
    assert [(item.action, item.reasons) for item in found.schemas] == [(Action.EVOLVE, ())]
    assert [item.verdict for item in found.stores] == [Verdict.MIGRATE]
    assert not found.refused
    run(log, registry, SUMMED)
    assert [item.verdict for item in compared(log, registry, SUMMED).stores] == [Verdict.REBUILD]
    # Back again: refused, and not done.
    assert [item.verdict for item in compared(log, registry, COUNTED).stores] == [Verdict.REFUSE]


def test_who_runs_is_counted(log: Log, registry: Registry | None) -> None:
    consumers = [
        log.consumer(ConsumerOptions(group="app", process=process))
        for process in ("0123456789ab", "0123456789ab", "ba9876543210")
    ]
    for consumer in consumers:
        consumer.subscribe(["payments"], on_assign=print, on_revoke=print, on_lost=print)
        consumer.poll(1, 0.0)
    assert compared(log, registry, COUNTED).group.processes == 2
    for consumer in consumers:
        consumer.close()


def test_what_would_be_refused_is_told_with_its_reason(log: Log, registry: Registry | None) -> None:
    with closing(log.admin()) as admin:
        admin.create(
            TopicDescription("app-totals-aggregate-changelog", 3, configs={"cleanup.policy": "compact"})
        )
        admin.create(TopicDescription("app-other-aggregate-changelog", 2))
    assert registry is not None
    topology = planned(log, registry, COUNTED)
    # Since it was planned: the planner looks, too.
    registry.register(
        "totals-value", '{"type":"record","name":"value","fields":[{"name":"n","type":"string"}]}'
    )
    found = compare(topology, log, registry, "app", None)
    refused = [item for item in found.topics if item.action is Action.REFUSE]
    assert [(item.topic, "has 3 partitions" in item.reason) for item in refused] == [
        ("app-totals-aggregate-changelog", True)
    ]
    (schema,) = found.schemas
    assert schema.action is Action.REFUSE
    assert schema.reasons
    assert found.left_over == ("app-other-aggregate-changelog",)
    assert found.refused


def test_records_that_another_life_left_in_a_repartition_topic_are_not_taken_over(
    log: Log, registry: Registry | None
) -> None:
    left = "app-totals-aggregate-repartition"
    with closing(log.admin()) as admin:
        admin.create(TopicDescription(left, 2))
    assert actions(compared(log, registry, COUNTED))[f"repartition {left}"] == "KEEP", "nothing stands in it"
    fill(log, left, [b"of another program"], keys=[b"k"])
    found = compared(log, registry, COUNTED)
    assert actions(found)[f"repartition {left}"] == "REFUSE"
    assert found.refused
    with pytest.raises(RunError, match=f"`{left}` holds records") as refused:
        run(log, registry, COUNTED)
    assert refused.value.diagnostics[0].code.id == "RUN0111"
    with closing(log.admin()) as admin:
        assert admin.describe("totals") is None, "nothing is made before all has been looked at"
        admin.delete(left)
    run(log, registry, COUNTED)
    # With its changelog beside it, it is this program's.
    assert actions(compared(log, registry, COUNTED))[f"repartition {left}"] == "KEEP"
