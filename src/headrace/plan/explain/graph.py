"""A topology as a graph: Mermaid for Markdown, DOT for Graphviz. Topics are stores, pipelines are steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.plan.topology import Topology


def mermaid(topology: Topology) -> str:
    """Give a Mermaid flowchart."""
    names = _topics(topology)
    lines = ["flowchart LR"]
    lines += [f'  {node}[("{_mermaid(name)}")]' for name, node in names.items()]
    for node, source, sink, label in _steps(topology):
        lines.append(f'  {node}["{_mermaid(label)}"]')
        lines.append(f"  {names[source]} --> {node} --> {names[sink]}")
    return "\n".join(lines) + "\n"


def dot(topology: Topology) -> str:
    """Give a Graphviz digraph."""
    names = _topics(topology)
    lines = ["digraph topology {", "  rankdir=LR;"]
    lines += [f'  {node} [shape=cylinder, label="{_dot(name)}"];' for name, node in names.items()]
    for node, source, sink, label in _steps(topology):
        lines.append(f'  {node} [shape=box, label="{_dot(label)}"];')
        lines.append(f"  {names[source]} -> {node} -> {names[sink]};")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _topics(topology: Topology) -> dict[str, str]:
    found = dict.fromkeys([*topology.sources, *topology.sinks])
    return {name: f"t{index}" for index, name in enumerate(found)}


def _steps(topology: Topology) -> Iterator[tuple[str, str, str, str]]:
    for index, item in enumerate(topology.pipelines):
        fields = ", ".join(".".join(column.path) or "whole" for column in item.value_columns)
        shown = fields if len(fields) <= 60 else fields[:57] + "…"
        yield f"p{index}", item.source, item.sink, shown or item.value_mode.value


def _mermaid(label: str) -> str:
    return label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _dot(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"')
