from __future__ import annotations

import io
import json
import logging
import urllib.error
import urllib.request

import pytest

from headrace.telemetry import Histogram, Metrics
from headrace.telemetry.events import RecordsFailed, ServiceBack
from headrace.telemetry.http import StatusServer
from headrace.telemetry.logs import JsonFormatter, PlainFormatter, set_up_logging
from headrace.telemetry.progress import ProgressReporter


def fetch(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    histogram = Histogram()
    for seconds in (0.0005, 0.001, 0.002, 60.0):
        histogram.observe(seconds)
    rows = dict(histogram.cumulative())
    assert (rows["0.001"], rows["0.0025"], rows["10.0"], rows["+Inf"]) == (2, 3, 3, 4)
    assert histogram.total == pytest.approx(60.0035)


def test_metrics_are_served_by_prometheus_names() -> None:
    metrics = Metrics()
    metrics.declare(["in"], ["out"])
    metrics.consumed("in", 10, 950, 0.002)
    metrics.produced("out", 7, 700)
    metrics.failed("in", "decode.value", "dlq", 2)
    metrics.committed(0.004)
    metrics.rebalanced("assigned")
    metrics.set_lag({("in", 3): 42})
    metrics.set_state(up=True, threads=2, waiting=1)
    with StatusServer(0, metrics, live=lambda: True, ready=lambda: True, host="127.0.0.1") as server:
        status, text = fetch(server.port, "/metrics")
    assert status == 200
    lines = set(text.splitlines())
    assert {
        'headrace_records_consumed_total{topic="in"} 10.0',
        'headrace_records_produced_total{topic="out"} 7.0',
        'headrace_consumed_bytes_total{topic="in"} 950.0',
        'headrace_produced_bytes_total{topic="out"} 700.0',
        'headrace_record_errors_total{policy="dlq",stage="decode.value",topic="in"} 2.0',
        'headrace_lag_records{partition="3",topic="in"} 42.0',
        'headrace_rebalances_total{kind="assigned"} 1.0',
        'headrace_batch_seconds_bucket{le="0.0025"} 1.0',
        "headrace_batch_seconds_count 1.0",
        'headrace_commit_seconds_bucket{le="0.0025"} 0.0',
        "headrace_up 1.0",
        "headrace_threads 2.0",
        "headrace_waiting_threads 1.0",
    } <= lines


def test_health_follows_the_processor() -> None:
    state = {"live": True, "ready": False}
    with StatusServer(
        0, Metrics(), live=lambda: state["live"], ready=lambda: state["ready"], host="127.0.0.1"
    ) as server:
        assert fetch(server.port, "/health/live")[0] == 200
        assert fetch(server.port, "/health/ready")[0] == 503
        state.update(live=False, ready=True)
        assert fetch(server.port, "/health/live")[0] == 503
        assert fetch(server.port, "/health/ready?probe=1")[0] == 200
        assert fetch(server.port, "/secrets")[0] == 404


def test_an_event_is_a_line_and_a_count(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics()
    with caplog.at_level(logging.INFO, "headrace"):
        ServiceBack("the broker", 2.5).emit(metrics)
        RecordsFailed("in", 1, 7, "decode.value", "continue", 3, "not JSON").emit(metrics)
    assert [record.getMessage() for record in caplog.records] == [
        "the broker is back after 2.5 s",
        "record in[1]@7 (and 2 more) failed in decode.value, left out: not JSON",
    ]
    assert metrics.snapshot().events == {"service_back": 1, "records_failed": 1}


def test_json_lines_hold_the_facts_of_an_event() -> None:
    record = logging.LogRecord("headrace", logging.INFO, __file__, 1, "%s", ("back",), None)
    record.created = 1_500_000_000.25
    record.event, record.facts = "service_back", {"seconds": 2.5}
    assert json.loads(JsonFormatter().format(record)) == {
        "time": "2017-07-14T02:40:00.250Z",
        "level": "INFO",
        "logger": "headrace",
        "message": "back",
        "event": "service_back",
        "seconds": 2.5,
    }
    assert PlainFormatter().format(record) == "2017-07-14T02:40:00.250Z INFO back"


def test_the_level_and_the_stream_are_chosen() -> None:
    logger = logging.getLogger("headrace")
    before = (list(logger.handlers), logger.level, logger.propagate)
    stream = io.StringIO()
    try:
        set_up_logging("warning", stream=stream)
        logger.info("quiet")
        logger.warning("loud")
        set_up_logging("no level", stream=stream)
        logger.info("said")
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == ["WARNING loud", "INFO said"]


def test_rates_are_between_two_looks() -> None:
    metrics, now = Metrics(), [100.0]
    reporter = ProgressReporter(metrics, clock=lambda: now[0])
    metrics.consumed("in", 100, 1, 0.1)
    metrics.produced("out", 50, 1)
    now[0] = 102.0
    first = reporter.look()
    assert (first.consumed_rate, first.produced_rate, first.lag, first.seconds) == (50.0, 25.0, None, 2.0)
    metrics.consumed("in", 30, 1, 0.1)
    metrics.set_lag({("in", 0): 5, ("in", 1): 6})
    now[0] = 103.0
    second = reporter.look()
    assert (second.consumed, second.consumed_rate, second.produced_rate, second.lag) == (130, 30.0, 0.0, 11)
