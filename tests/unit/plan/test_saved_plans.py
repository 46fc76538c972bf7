"""Plans that releases have saved are read, and their programs find their state again."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

import pytest

from headrace.plan.fingerprint import fingerprint
from headrace.plan.serde import from_json, to_json
from tests.plans.saved import PROGRAMS, RELEASE, SAVED, planned

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.plan.topology import Topology

now = cache(planned)


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def read(path: Path) -> Topology:
    return from_json(path.read_text(encoding="utf-8"))


def stores(topology: Topology) -> dict[str, tuple[str, str, int]]:
    return {
        item.store.name: (item.store.fingerprint, item.store.changelog.name, item.store.changelog.partitions)
        for item in topology.operators
    }


def test_each_program_has_a_plan_of_this_release() -> None:
    assert {path.stem for path in PROGRAMS} == {path.stem for path in SAVED if path.parent.name == RELEASE}


@pytest.mark.parametrize("path", SAVED, ids=name_of)
def test_a_saved_plan_says_what_it_said(path: Path) -> None:
    saved = json.loads(path.read_text(encoding="utf-8"))
    again = json.loads(to_json(read(path)))
    assert {item["id"] for item in saved["operators"]} == {item["id"] for item in again["operators"]}
    assert contains(again, saved)


def contains(found: object, wanted: object) -> bool:
    """Say whether everything that was saved is there; a newer release may have more to say."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(
            key == "version" or (key in found and contains(found[key], value))
            for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(contains, found, wanted))
    return found == wanted


@pytest.mark.parametrize("path", SAVED, ids=name_of)
def test_the_program_finds_its_state_and_its_results_again(path: Path) -> None:
    saved, today = read(path), now(path.stem)
    assert stores(today) == stores(saved)
    assert sorted(sink.topic for sink in today.sinks.values()) == sorted(
        sink.topic for sink in saved.sinks.values()
    )
    assert {item.id: fingerprint(item, today) for item in today.pipelines} == {
        item.id: fingerprint(item, saved) for item in saved.pipelines
    }
