"""A topology as a graph: Mermaid for Markdown, DOT for Graphviz. Topics are cylinders, pipelines and operators are steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.plan.explain.kernels import kernel_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.plan.topology import Topology

_WIDTH = 60


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    label: str
    is_topic: bool


def mermaid(topology: Topology) -> str:
    """Give a Mermaid flowchart."""
    lines = ["flowchart LR"]
    for node in _nodes(topology):
        label = _mermaid(node.label)
        lines.append(f'  {node.name}[("{label}")]' if node.is_topic else f'  {node.name}["{label}"]')
    lines += [f"  {left} --> {right}" for left, right in _edges(topology)]
    return "\n".join(lines) + "\n"


def dot(topology: Topology) -> str:
    """Give a Graphviz digraph."""
    lines = ["digraph topology {", "  rankdir=LR;"]
    for node in _nodes(topology):
        shape = "cylinder" if node.is_topic else "box"
        lines.append(f'  {node.name} [shape={shape}, label="{_dot(node.label)}"];')
    lines += [f"  {left} -> {right};" for left, right in _edges(topology)]
    lines.append("}")
    return "\n".join(lines) + "\n"


def _names(topology: Topology) -> dict[str, str]:
    topics = dict.fromkeys([*topology.sources, *topology.tables, *topology.sinks])
    found = {name: f"t{index}" for index, name in enumerate(topics)}
    found.update({item.id: f"o{index}" for index, item in enumerate(topology.operators)})
    return found


def _nodes(topology: Topology) -> Iterator[_Node]:
    names = _names(topology)
    for topic in dict.fromkeys([*topology.sources, *topology.tables, *topology.sinks]):
        yield _Node(names[topic], topic, is_topic=True)
    for item in topology.operators:
        yield _Node(names[item.id], f"{item.id}: {_short(kernel_text(item.kernel))}", is_topic=False)
    for index, item in enumerate(topology.operators):
        yield _Node(f"c{index}", item.store.changelog.name, is_topic=True)
    for index, step in enumerate(topology.pipelines):
        fields = ", ".join(".".join(column.path) or "whole" for column in step.value_columns)
        yield _Node(f"p{index}", _short(fields) or step.value_mode.value, is_topic=False)


def _edges(topology: Topology) -> Iterator[tuple[str, str]]:
    names = _names(topology)
    for item in topology.operators:
        for feed in item.feeds:
            yield names[feed.source], names[item.id]
    for index, item in enumerate(topology.operators):
        yield names[item.id], f"c{index}"
    for index, step in enumerate(topology.pipelines):
        yield names[step.source], f"p{index}"
        yield f"p{index}", names[step.sink]


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "…"


def _mermaid(label: str) -> str:
    return label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _dot(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"')
