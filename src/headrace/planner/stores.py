"""Names, changelogs and fingerprints of the stores of operators."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from headrace.log.interface import TopicDescription
from headrace.plan.fingerprint import numbered, words
from headrace.plan.layouts import state_layout
from headrace.plan.operators import Feed, Inputs, Kernel, RankFunction, Store
from headrace.plan.types_json import type_to_json
from headrace.planner.relations import TopicReads
from headrace.planner.stateful.drafts import OperatorDraft
from headrace.planner.typed import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.plan.operators import Column
    from headrace.planner.stateful.drafts import Branch

APPLICATION: Final = "{application}"
"""Stands for the application id in the names of internal topics."""

_NOT_STORED: Final = ("grace", "broadcast", "retracts", "keeps_nulls", "parts")
"""Parts of an operator that change how long state is of use, what comes out of it or how rows come in, and not what it says."""


_LATER: Final[dict[tuple[str, str], Any]] = {
    ("Window", "offset"): 0,
    ("StreamJoin", "window"): None,
    ("Rank", "function"): RankFunction.ROW_NUMBER,
    ("Over", "stretch"): None,
}
"""Parts that operators did not have at first, as they were until then: they are left out where they are so, so that fingerprints
stay the same."""


def store_name(target: str, kind: str, taken: Sequence[str]) -> str:
    """Give the name of a store: of the target that it works for, and a number among its likes."""
    plain = f"{target}-{kind}"
    number = 1
    name = plain
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def store(name: str, draft: OperatorDraft, kernel: Kernel, columns: Sequence[Column]) -> Store:
    """Give the store of an operator."""
    # What windows leave behind is deleted by tombstones. By age, a stream that stands still for some days would lose the
    # windows that are still open.
    configs = {"cleanup.policy": "compact"}
    changelog = TopicDescription(f"{APPLICATION}-{name}-changelog", draft.partitions, -1, configs)
    return Store(name, changelog, fingerprint(draft, kernel, columns), inputs(draft))


def inputs(draft: OperatorDraft) -> Inputs:
    """Give which rows go into an operator: the same as long as it is fed the same, whatever else the program's text changes."""
    topics = tuple(
        tuple(sorted({topic for reads in feed.reads for topic in reads.topics})) for feed in draft.feeds
    )
    queries = [sorted(_query(branch) for branch in feed.branches) for feed in draft.feeds]
    return Inputs(topics, _digest(queries))


def _query(branch: Branch) -> str:
    """Give what is computed of the rows below, by places in them instead of the planner's numbers."""
    rows = branch.rows
    columns = [(f"c{index}", part.node) for index, part in enumerate([*branch.key, *branch.value])]
    columns += [("t", node) for node in ([rows.time.node] if rows.time else [])]
    # Conditions over a table decide whether a row is there or not.
    columns += [("o", node) for node in ([branch.op] if branch.op else [])]
    if isinstance(rows.reads, TopicReads):
        places = {
            node.name: json.dumps([facet.value, *path], ensure_ascii=False)
            for (facet, path), (node, _) in rows.reads.columns.items()
        }
    else:
        assert isinstance(rows.reads, OperatorDraft)
        places = {node.name: own for own, (node, _) in rows.reads.columns.items()}
    found = "".join(places.get(word, word) for word in words(text(rows.output(columns))))
    return numbered(found)


def fingerprint(draft: OperatorDraft, kernel: Kernel, columns: Sequence[Column]) -> str:
    """Give the fingerprint of a store, 16 hexadecimal digits.

    It covers what stored bytes mean: the operator, its columns with their types, and what the user calls them. What only
    decides which rows come in (WHERE, sources) or for how long they count (grace) is left out: see `inputs`.
    """
    labels = [branch.words for feed in draft.feeds for branch in feed.branches[:1]]
    parts = [_plain(kernel), [_plain(column) for column in columns], labels, draft.partitions]
    layout = state_layout(kernel)
    if layout != 1:
        parts.append(layout)
    return _digest(parts)


def _digest(parts: Any) -> str:
    written = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _plain(item: Any) -> Any:
    """Give a part of an operator as what JSON can hold."""
    if isinstance(item, Feed):
        return [_plain(item.key), _plain(item.value), item.changes.value]
    if isinstance(item, pa.DataType):
        return type_to_json(item)
    if isinstance(item, Enum):
        return item.value
    if is_dataclass(item) and not isinstance(item, type):
        kind = type(item).__name__
        stored = {
            part.name: getattr(item, part.name) for part in fields(item) if part.name not in _NOT_STORED
        }
        return [
            kind,
            {
                name: _plain(part)
                for name, part in stored.items()
                if (kind, name) not in _LATER or part != _LATER[kind, name]
            },
        ]
    if isinstance(item, tuple | list):
        return [_plain(part) for part in item]
    return item
