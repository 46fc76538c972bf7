"""Writes the plans of the present release."""

from __future__ import annotations

from headrace.plan.serde import to_json
from tests.plans.saved import FOLDER, PROGRAMS, RELEASE, planned


def main() -> None:
    """Plan all programs and save what comes out."""
    folder = FOLDER / RELEASE
    folder.mkdir(exist_ok=True)
    for path in PROGRAMS:
        (folder / f"{path.stem}.json").write_text(to_json(planned(path.stem)), encoding="utf-8")


main()
