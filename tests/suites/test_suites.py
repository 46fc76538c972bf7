"""Each program of the suites gives the expected rows, or is on the list of those that are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.suites.run_suites import checks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.suites.program import Verdict


@pytest.mark.parametrize(
    "check",
    [pytest.param(check, id=name) for name, check in checks(Path(os.environ["HEADRACE_SUITES"]))],
)
def test_no_result_is_wrong(check: Callable[[], Verdict]) -> None:
    verdict = check()
    assert verdict.outcome in ("pass", "refused"), verdict.reason
