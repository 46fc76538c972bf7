"""Times as they are written on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headrace.cli.times import parse_time
from headrace.errors import ProgramError
from headrace.errors.render import render

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-22T10:00:00Z", NOW),
        ("2026-11-22T10:00", NOW),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T12:00:00.250+02:00", datetime(2026, 11, 22, 10, 0, 0, 250_000, tzinfo=UTC)),
        ("-2h", datetime(2026, 11, 22, 8, tzinfo=UTC)),
        ("-1d", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        (str(int(NOW.timestamp() * 1000)), NOW),
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time(text: str, wanted: datetime) -> None:
    assert parse_time(text, NOW) == int(wanted.timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "2h", "-2", "12:00", "2026", "10000"])
def test_no_time(text: str) -> None:
    with pytest.raises(ProgramError, match="is no time"):
        parse_time(text, NOW)


def test_few_digits_could_be_a_date_and_are_told_how_to_be_written() -> None:
    with pytest.raises(ProgramError) as refused:
        parse_time("10000", NOW)
    assert "write `1970-01-01T00:00:10.000Z`" in render(refused.value)
