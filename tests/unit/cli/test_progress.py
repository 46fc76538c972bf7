"""The progress line."""

from __future__ import annotations

from headrace.cli.progress import describe
from headrace.telemetry.progress import Progress

BUSY = Progress(
    consumed=1_234_567,
    produced=800_000,
    failed=0,
    consumed_rate=400_000.4,
    produced_rate=266_666.6,
    lag=12_000,
    seconds=3.0,
    waiting=False,
)


def test_counts_rates_and_lag_are_shown() -> None:
    assert describe(BUSY) == "1,234,567 read (400,000/s), 800,000 written (266,667/s), lag 12,000"


def test_what_is_unknown_or_zero_is_left_out() -> None:
    quiet = Progress(0, 0, 0, 0.0, 0.0, None, 0.0, waiting=False)
    assert describe(quiet) == "0 read (0/s), 0 written (0/s)"


def test_failures_and_waiting_are_said() -> None:
    away = Progress(5, 3, 2, 0.0, 0.0, 0, 9.0, waiting=True)
    assert describe(away) == "5 read (0/s), 3 written (0/s), 2 failed, lag 0, waiting for the log"
