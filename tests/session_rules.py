"""Rules of a whole test session: what stays together, how patient it is, where state lies, and that nothing is skipped."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping

TOGETHER: Final[Mapping[str, str]] = {
    "tests/kafka/test_outages.py": "stop their broker, and share it",
    "tests/recovery/test_outages.py::test_a_broker": "wait for a broker that they stop, the longest",
    "tests/engine/test_faults_of_the_log.py::test_a_broker_that_restarts": "stop their broker, and share it",
    "tests/kafka/test_run_cases.py": "use the same names of topics",
    "tests/e2e/test_flights.py": "use a file that takes seconds to make",
}
"""What runs in one worker of pytest-xdist, by the beginning of the name, and why."""

# A busy machine is no slow function.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the state of processors out of the home folder; workers and commands inherit where it lies."""
    if "HEADRACE_STATE_DIR" not in os.environ:
        folder = os.environ["HEADRACE_STATE_DIR"] = tempfile.mkdtemp(prefix="headrace-test-state-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker one test at a time, and all at once of those that stay together.

    `--dist loadgroup` would do, but does nothing with pytest 9.2 and xdist 3.8 (pytest-dev/pytest-xdist#1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        return _why_together(nodeid) or nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Distribute in the order of `pytest_collection_modifyitems`."""
    config.option.loadscopereorder = False
    return _Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let workers begin with what stays together, then weave what waits for Kafka into what computes.

    Tests on Kafka wait more than they compute: one after the other they would leave the cores idle. Those of recovery take
    longest and come first; short tests fill the gaps at the end.
    """
    if not hasattr(config, "workerinput"):
        return
    together = [item for item in items if _why_together(item.nodeid)]
    others = [item for item in items if not _why_together(item.nodeid)]
    waiting = [item for item in others if item.get_closest_marker("kafka") is not None]
    waiting.sort(key=lambda item: not item.nodeid.startswith("tests/recovery/"))
    computing = [item for item in others if item.get_closest_marker("kafka") is None]
    share = int(len(computing) * _WOVEN / max(len(waiting), 1))
    items[:] = together
    for number, item in enumerate(waiting):
        items += [item, *computing[number * share : (number + 1) * share]]
    items += computing[len(waiting) * share :]


_WOVEN: Final = 0.85
"""How much of what computes is woven in; the rest fills the end."""


def _why_together(nodeid: str) -> str | None:
    return next((why for beginning, why in TOGETHER.items() if nodeid.startswith(beginning)), None)


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
