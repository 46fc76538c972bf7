"""Rules of a whole test session: which tests run in one worker and first, and no test is skipped where it counts."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Arrange the tests for pytest-xdist (`--dist loadgroup`).

    Tests that stop their broker share it, in one worker. Workers begin with what cannot be divided and with what waits for
    Kafka, so that thousands of short tests fill the gaps at the end.
    """
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        if "own_kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("own Kafka"))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if item.get_closest_marker("xdist_group") is not None:
        return 0
    return 1 if item.get_closest_marker("kafka") is not None else 2


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run under CI=true in which a test was skipped: a skip there hides what nobody has looked at."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None or hasattr(session.config, "workerinput"):
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(f"{len(skipped)} skipped: under CI=true that is a failure", red=True)
