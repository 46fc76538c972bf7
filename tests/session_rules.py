"""Rules of a whole test session: how Kafka tests share brokers, and no test is skipped where it counts."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the Kafka tests of a module in one worker of pytest-xdist (`--dist loadgroup`).

    Each worker that gets any has a broker of its own: these tests wait more than they compute, so several brokers on
    two cores take far less time than one, and the tests that restart a broker disturb nobody.
    """
    for item in items:
        if item.get_closest_marker("kafka") is not None:
            item.add_marker(pytest.mark.xdist_group(f"kafka-{item.path.name}"))


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
