"""Golden cases on the real broker: one of each kind, over four partitions and a restart or a crash."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.log.embedded import EmbeddedLog
from headrace.testing import Case, Outcome, Stop, Variant, read_case, run_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.log.interface import Log
    from tests.servers.kafka import KafkaAddress

pytestmark = pytest.mark.kafka

FOLDER = Path(__file__).parents[1] / "cases" / "run"
RESTARTED = Variant(batch=7, partitions=4, stop=Stop.CLEAN)
CRASHED = Variant(batch=1, partitions=4, stop=Stop.CRASH)
WITH_STATE = ("aggregate/", "table/", "window/", "join/", "sort/")
NAMES = (
    "projection/all_columns_pass_tombstones_on",
    "facets/headers_are_read_and_passed_on",
    "facets/key_value_and_meta",
    "filter/fast_vessels_in_json",
    "formats/avro_filter_of_2018",
    "formats/int_and_long",
    "keys/null_as_value_deletes",
    "keys/a_field_becomes_the_key",
    "lateral/one_record_per_element",
    "several/union_all_of_two_topics",
    "several/two_targets_of_one_source",
    "errors/bad_records_go_to_the_dead_letter_topic",
    "errors/broken_avro_goes_to_the_dead_letter_topic",
    "settings/at_least_once_in_two_threads",
    "time/event_time_is_the_timestamp_of_the_output",
    "aggregate/sum_avg_min_max_leave_nulls_out",
    "aggregate/an_aggregate_of_an_aggregate",
    "table/least_and_largest_of_what_is_left",
    "table/a_rank_of_a_table_that_changes",
    "window/hop_by_record",
    "window/sessions_merge_by_a_late_record",
    "window/tumble_final_results_come_once",
    "join/foreign_key",
    "join/stream_with_global_table",
    "sort/rows_wait_for_those_that_come_late",
)


@pytest.fixture
def log(kafka: KafkaAddress) -> Iterator[Log]:
    """The broker."""
    with open_log(kafka.url) as opened:
        yield opened


def topics_of(case: Case) -> set[str]:
    """Give the topics that a case has before and after it has run."""
    written = (
        title.partition("output ")[2] or title.partition("dead letters ")[2] for title in case.expected
    )
    return {topic.name for topic in case.topics} | {name for name in written if name}


def delete(log: Log, topics: set[str]) -> None:
    """Cases share names such as `out`: the next one waits until they are gone."""
    with closing(log.admin()) as admin:
        for topic in topics:
            admin.delete(topic)
        deadline = time.monotonic() + 20
        while topics & set(admin.topics()):
            assert time.monotonic() < deadline, "topics are not deleted in time"
            time.sleep(0.05)


@pytest.mark.parametrize("name", NAMES)
def test_a_case_gives_the_same_on_kafka(name: str, log: Log) -> None:
    case = read_case((FOLDER / name).with_suffix(".case"))
    try:
        with EmbeddedLog(":memory:") as memory:
            variant = CRASHED if name.startswith(WITH_STATE) else RESTARTED
            actual = run_on(case, variant, log, open_registry(None, memory))
    finally:
        delete(log, topics_of(case))
    found, expected = actual.comparable(Outcome(case.expected))
    assert found == expected
