"""Runs test cases of SQL (`*.case`) under pytest.

Its configuration names their folders:

    [tool.pytest.ini_options]
    headrace_cases = ["cases"]

A case that is named on the command line is run in any case. The engine is loaded when the first case runs, since pytest loads
this module wherever Headrace is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDERS = "headrace_cases"
_THOROUGH = "headrace_thorough"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings and the option that updates."""
    parser.addini(_FOLDERS, "folders of SQL test cases (*.case)", type="linelist", default=[])
    parser.addini(
        _THOROUGH, "run SQL test cases in several ways, which must give the same", type="bool", default=False
    )
    group = parser.getgroup("headrace")
    group.addoption(
        "--headrace-update", action="store_true", help="write what SQL test cases give into their files"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take a case that stands in one of the folders, or is named on the command line."""
    if file_path.suffix != ".case":
        return None
    config = parent.config
    root = config.rootpath
    configured = any(file_path.is_relative_to(root / folder) for folder in config.getini(_FOLDERS))
    if not configured and not parent.session.isinitpath(file_path):
        return None
    collector: pytest.Collector = CaseFile.from_parent(parent, path=file_path)
    return collector


class CaseFile(pytest.File):
    """A file with a case."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give the one test that it is."""
        yield CaseItem.from_parent(self, name=self.path.stem)


class CaseFailedError(Exception):
    """A case gave something else than it expects."""


class CaseItem(pytest.Item):
    """A case as a test."""

    def runtest(self) -> None:
        """Run it and compare; or write down what came out."""
        from headrace.cli.session import setting_defaults
        from headrace.config.environment import read_environment
        from headrace.testing.suite import judge_case, update_case

        defaults = setting_defaults(None, read_environment())
        if self.config.getoption("--headrace-update"):
            update_case(self.path, defaults)
            return
        verdict = judge_case(self.path, thorough=bool(self.config.getini(_THOROUGH)), defaults=defaults)
        if verdict.problem is not None:
            raise CaseFailedError(verdict.problem)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the difference, without a traceback that says nothing of the SQL."""
        if isinstance(excinfo.value, CaseFailedError):
            return f"{self.path}\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Name the file in reports."""
        return self.path, None, self.name
