"""Shows the counters of a processor to Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.telemetry.metrics import Histogram, Metrics


class ProcessorCollector(Collector):
    """Reads the counters when Prometheus asks, so that counting costs nothing more on the hot path."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Give all metrics of one moment."""
        now = self._metrics.snapshot()
        yield _by_topic("headrace_records_consumed", "Records read and processed.", now.consumed)
        yield _by_topic("headrace_records_produced", "Records handed to the log.", now.produced)
        yield _by_topic("headrace_consumed_bytes", "Bytes of keys and values read.", now.consumed_bytes)
        yield _by_topic("headrace_produced_bytes", "Bytes of keys and values written.", now.produced_bytes)
        errors = CounterMetricFamily(
            "headrace_record_errors",
            "Records that went to the error policy.",
            labels=("topic", "stage", "policy"),
        )
        for kind, count in now.errors.items():
            errors.add_metric((kind.topic, kind.stage, kind.policy), count)
        yield errors
        lag = GaugeMetricFamily(
            "headrace_lag_records",
            "Records between the committed position and the end of the partition.",
            labels=("topic", "partition"),
        )
        for (topic, partition), records in now.lag.items():
            lag.add_metric((topic, str(partition)), records)
        yield lag
        yield _counts(
            "headrace_late_records", "Records that came too late for an operator.", "operator", now.late
        )
        yield _counts(
            "headrace_changelog_records", "Entries handed to the changelog of a store.", "store", now.stored
        )
        keyless = {operator: stats["null_keys"] for operator, stats in now.state.items()}
        yield _counts(
            "headrace_null_key_rows", "Rows without a key, which no group or join takes.", "operator", keyless
        )
        for name, text in (
            ("entries", "Entries of state in memory."),
            ("bytes", "Bytes of the entries of state in memory."),
        ):
            gauge = GaugeMetricFamily(f"headrace_state_{name}", text, labels=("operator",))
            for operator, stats in now.state.items():
                gauge.add_metric((operator,), stats[name])
            yield gauge
        yield _counts("headrace_rebalances", "Rebalances of this member.", "kind", now.rebalances)
        yield _counts("headrace_events", "Events, as in the log.", "event", now.events)
        yield _seconds("headrace_batch_seconds", "Time to process one input batch.", now.batch_seconds)
        yield _seconds("headrace_commit_seconds", "Time of one commit.", now.commit_seconds)
        yield GaugeMetricFamily("headrace_up", "1 while the processor runs.", value=float(now.up))
        yield GaugeMetricFamily("headrace_threads", "Threads that process records.", value=now.threads)
        yield GaugeMetricFamily(
            "headrace_waiting_threads", "Threads that wait for a broker or a registry.", value=now.waiting
        )
        yield GaugeMetricFamily(
            "headrace_start_time_seconds",
            "Start of the processor, seconds since the epoch.",
            value=now.started,
        )


def registry_of(metrics: Metrics) -> CollectorRegistry:
    """Give a registry of its own, so that several processors in one process do not meet."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ProcessorCollector(metrics))
    return registry


def _by_topic(name: str, text: str, values: Mapping[str, int]) -> Metric:
    return _counts(name, text, "topic", values)


def _counts(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family


def _seconds(name: str, text: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(name, text)
    family.add_metric((), buckets=histogram.cumulative(), sum_value=histogram.total)
    return family
