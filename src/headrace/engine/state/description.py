"""What the stores on this machine hold, written beside them, so that they can be read as tables."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from headrace.engine.state.directory import state_failed
from headrace.plan.operators_json import operator_data, operator_from
from headrace.plan.subtopologies import subtopologies

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.plan.operators import Operator
    from headrace.plan.topology import Topology

_VERSION: Final = 1
_SUFFIX: Final = ".store.json"


@dataclass(frozen=True, slots=True)
class StoreDescription:
    """What a store holds.

    Args:
        operator: whose state it is; its topics have their names.
        group: the sub-topology that the operator belongs to, after which the folders of its tasks are named.
    """

    operator: Operator
    group: str


def describe_stores(home: Path, topology: Topology) -> None:
    """Write down what the stores of a program hold.

    Args:
        home: folder of the application's state.
        topology: with the names of its internal topics.

    Raises:
        RunError: the disk refuses.
    """
    operators = {operator.id: operator for operator in topology.operators}
    try:
        for group in subtopologies(topology):
            for name in group.operators:
                operator = operators[name]
                data = {"version": _VERSION, "group": group.id, "operator": operator_data(operator)}
                home.mkdir(parents=True, exist_ok=True)
                path = _path(home, operator.store.name)
                # Whole at any time, whoever else writes it: processes of an application may share the folder.
                new = path.with_name(f"{path.name}.{os.getpid()}")
                new.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
                new.replace(path)
    except OSError as error:
        raise state_failed(error) from error


def read_description(home: Path, store: str) -> StoreDescription | None:
    """Give what a store holds; None if nothing is known of it here.

    Raises:
        RunError: the disk refuses.
    """
    try:
        data = json.loads(_path(home, store).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        # Cut off by a power failure; the next start of the program writes it anew.
        return None
    except OSError as error:
        raise state_failed(error) from error
    if data.get("version") != _VERSION:
        return None
    return StoreDescription(operator_from(data["operator"]), data["group"])


def described_stores(home: Path) -> list[str]:
    """Give the names of the stores that something is known of."""
    return sorted(unquote(path.name.removesuffix(_SUFFIX)) for path in home.glob(f"*{_SUFFIX}"))


def _path(home: Path, store: str) -> Path:
    return home / (quote(store, safe="") + _SUFFIX)
