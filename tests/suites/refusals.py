"""The programs of the suites that Headrace does not run. Why stands where each is declared, as `Refused`.

A program that is refused and is not here has been lost, and one that is here and runs has been won: both fail, so that this
list says what is.
"""

from __future__ import annotations

from typing import Final

REFUSED: Final = frozenset(
    {
        "flink async-calc-failure-exception",
        "flink sink-overwrite",
        "flink sort-asc",
    }
)
