"""How long transactions may live, against how seldom they are committed."""

from __future__ import annotations

import pytest

from headrace.engine.session import _transaction_timeout


@pytest.mark.parametrize(("interval", "expected"), [(20.0, {}), (40.0, {"transaction.timeout.ms": "80000"})])
def test_a_transaction_outlives_the_commit_interval(interval: float, expected: dict[str, str]) -> None:
    assert _transaction_timeout(interval) == expected
