"""Rules of a whole test session: what stays together, how patient it is, where files lie, and that nothing is skipped."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from headrace.cli import WithoutPandas

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

TOGETHER: Final[Mapping[str, str]] = {
    "tests/kafka/test_outages.py": "stop their broker, and share it",
    "tests/recovery/test_outages.py::test_a_broker": "wait for a broker that they stop, the longest",
    "tests/recovery/test_outages.py::test_a_coordinator": "has a cluster of its own, and waits for it for long",
    "tests/engine/test_feed.py": "takes long, alone",
    "tests/engine/test_faults_of_the_log.py::test_a_broker_that_restarts": "stop their broker, and share it",
    "tests/kafka/test_run_cases.py": "use the same names of topics",
    "tests/e2e/test_flights.py": "use a file that takes seconds to make",
    "tests/engine/test_streams_and_queries_agree.py": "read topics that take a second to fill",
    "tests/engine/test_queries_against_duckdb.py": "read topics that take a second to fill",
    "tests/unit/benchmarks/test_nexmark_queries.py": "use events that take a second to make",
}
"""What runs in one worker of pytest-xdist, before all else, by the beginning of the name, and why."""

_MEMORY: Final = Path("/dev/shm")
_ENOUGH: Final = 8 << 30
"""Bytes free there from which on a whole run puts its files into memory."""
_PREFIX: Final = "headrace-test-"

# A busy machine is no slow function.
settings.register_profile("headrace", deadline=None)
settings.load_profile("headrace")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put files into memory, where there is room, and the state of processors anywhere but into the home folder.

    Workers, servers and commands inherit both. On a disk a partition of a topic costs the broker half as much again. With
    TMPDIR set, files lie there, and those of failed tests stay. Pandas is hidden as commands hide it: half a second a worker.
    """
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        _forget_killed_runs()
        _name_folder(config, "TMPDIR", _MEMORY)
        tempfile.tempdir = None
    sys.meta_path.insert(0, WithoutPandas())
    # Registered before pytest's clean-up, so done after it: that looks for objects that nobody holds, and none of these is among
    # them.
    config.add_cleanup(gc.unfreeze)
    if "HEADRACE_STATE_DIR" not in os.environ:
        _name_folder(config, "HEADRACE_STATE_DIR", None)


def _name_folder(config: pytest.Config, variable: str, parent: Path | None) -> None:
    """Make a folder until the end of the run. The process that has made it removes it, not the workers that inherit it."""
    folder = os.environ[variable] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def _forget_killed_runs() -> None:
    """Free the memory of runs that could not remove their folders themselves."""
    for folder in _MEMORY.glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


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
    """Let workers begin with what stays together; what waits for Kafka and what computes then share the time.

    Short tests fill the gaps at the end.
    """
    if not hasattr(config, "workerinput"):
        return
    kinds = defaultdict(list)
    for item in items:
        kinds[_kind(item)].append(item)
    turns = {
        item: (kind is not _Kind.TOGETHER, number / len(same) * (0.9 if kind is _Kind.WAITS else 1.0))
        for kind, same in kinds.items()
        for number, item in enumerate(same)
    }
    items.sort(key=lambda item: turns[item])


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Spare the garbage collector the thousands of tests and modules: none of them goes before the end.

    What Hypothesis makes and drops is no cause to look at everything again and again either.
    """
    gc.set_threshold(20_000, 20, 100)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


class _Kind(Enum):
    TOGETHER = auto()
    WAITS = auto()
    COMPUTES = auto()


def _kind(item: pytest.Item) -> _Kind:
    if _why_together(item.nodeid):
        return _Kind.TOGETHER
    return _Kind.COMPUTES if item.get_closest_marker("kafka") is None else _Kind.WAITS


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
