"""Pieces as a tree: brackets and CASE … END, and the clauses of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from headrace.sql.style.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "CASE": "END"}
_QUERY_WORDS: Final = ("SELECT", "WITH", "VALUES", "FROM")
_JOIN_WORDS: Final = (
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "OUTER",
    "SEMI",
    "ANTI",
    "NATURAL",
    "ASOF",
    "POSITIONAL",
)
_SINGLE: Final = (
    *("FROM", "WHERE", "HAVING", "QUALIFY", "LIMIT", "OFFSET", "EMIT", "VALUES", "WINDOW", "LATERAL", "JOIN"),
    *("INSERT", "CREATE", "SET"),
)
_WITH_BY: Final = ("EVENTTIME", "WINDOW", "GRACE", "GROUP", "ORDER")
_SET_OPERATIONS: Final = ("UNION", "EXCEPT", "INTERSECT")
_OF_A_MATCH: Final = ("PARTITION", "ORDER", "MEASURES", "ONE", "AFTER", "PATTERN", "WITHIN", "DEFINE")
_OF_A_MATCH_WITH_BY: Final = ("PARTITION", "ORDER")


@dataclass(frozen=True, slots=True)
class Group:
    """What stands between two brackets, or between CASE and END. `is_match`: they are those of MATCH_RECOGNIZE."""

    opening: Piece
    body: tuple[Node, ...]
    closing: Piece
    is_match: bool = False

    @property
    def is_query(self) -> bool:
        """Say whether a query stands in it."""
        return bool(self.body) and isinstance(self.body[0], Piece) and self.body[0].is_word(*_QUERY_WORDS)

    @property
    def is_case(self) -> bool:
        """Say whether it is CASE … END."""
        return self.opening.text == "CASE"


Node = Piece | Group
Nodes = Sequence[Node]


def nest(pieces: Sequence[Piece]) -> tuple[Node, ...]:
    """Put brackets together with what they hold."""
    stack: list[tuple[Piece | None, list[Node]]] = [(None, [])]
    for piece in pieces:
        if piece.text in _CLOSING and (piece.text != "CASE" or piece.keyword):
            stack.append((piece, []))
            continue
        opening = stack[-1][0]
        if (
            opening is not None
            and piece.text == _CLOSING[opening.text]
            and (piece.text != "END" or piece.keyword)
        ):
            body = tuple(stack.pop()[1])
            around = stack[-1][1]
            around.append(Group(opening, body, piece, bool(around) and _is(around[-1], "MATCH_RECOGNIZE")))
        else:
            stack[-1][1].append(piece)
    assert len(stack) == 1, "a program that can be read closes its brackets"
    return tuple(stack[0][1])


def walk(nodes: Nodes) -> Iterator[Piece]:
    """Give all pieces in the order of the text."""
    for node in nodes:
        if isinstance(node, Piece):
            yield node
        else:
            yield node.opening
            yield from walk(node.body)
            yield node.closing


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause: the words that begin it, and the rest."""

    head: Nodes
    rest: Nodes

    @property
    def word(self) -> str:
        """Give the first word; nothing for a query in brackets."""
        return self.head[0].text if self.head and isinstance(self.head[0], Piece) else ""


def clauses_of(nodes: Nodes) -> list[Clause]:
    """Cut a query or another statement into its clauses."""
    starts = [(number, length) for number in range(len(nodes)) if (length := _head(nodes, number))]
    starts = _without_parts(nodes, starts)
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0, 0))
    ends = [number for number, _ in starts[1:]] + [len(nodes)]
    return [
        Clause(nodes[number : number + length], nodes[number + length : end])
        for (number, length), end in zip(starts, ends, strict=True)
    ]


def clauses_of_match(nodes: Nodes) -> list[Clause]:
    """Cut what stands in the brackets of MATCH_RECOGNIZE into its clauses."""
    starts = [number for number, node in enumerate(nodes) if _is(node, *_OF_A_MATCH)]
    heads = [1 + _is(nodes[number], *_OF_A_MATCH_WITH_BY) for number in starts]
    ends = [*starts[1:], len(nodes)]
    return [
        Clause(nodes[number : number + head], nodes[number + head : end])
        for number, head, end in zip(starts, heads, ends, strict=True)
    ]


def _without_parts(nodes: Nodes, starts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Leave out what begins no clause of its own: the GRACE BY of a join, the JOIN behind LEFT, LATERAL behind JOIN."""
    kept: list[tuple[int, int]] = []
    for number, length in starts:
        if kept:
            begin, head = kept[-1]
            if number < begin + head:
                continue
            before = nodes[number - 1]
            own = any(_is(node, "WITHIN") for node in nodes[begin:number])
            if _is(nodes[number], "GRACE") and own:
                continue
            if _is(nodes[number], "LATERAL") and (_is(before, "JOIN", "FROM") or _text(before) == ","):
                continue
        kept.append((number, length))
    return kept


def _head(nodes: Nodes, number: int) -> int:
    """Give how many nodes the head of the clause has that begins here; 0 if none does."""
    node = nodes[number]
    if not isinstance(node, Piece) or not node.keyword:
        return 0
    before = nodes[number - 1] if number else None
    following = nodes[number + 1] if number + 1 < len(nodes) else None
    if node.text == "SELECT":
        return 1 + _run(nodes, number + 1, ("STREAM", "TABLE", "DISTINCT", "ALL"))
    if node.text in _SET_OPERATIONS:
        return 1 + _run(nodes, number + 1, ("ALL", "DISTINCT", "BY", "NAME"))
    if node.text in _JOIN_WORDS:
        words = _run(nodes, number, _JOIN_WORDS)
        behind = nodes[number + words] if number + words < len(nodes) else None
        return words + 1 if _is(behind, "JOIN") else 0
    if node.text in _WITH_BY and _is(following, "BY"):
        return 2
    if node.text == "FROM" and _is(before, "DISTINCT"):
        return 0  # IS DISTINCT FROM
    if node.text == "WITH":
        return 1 + _run(nodes, number + 1, ("RECURSIVE",))
    return int(node.text in _SINGLE)


def _run(nodes: Nodes, begin: int, words: Sequence[str]) -> int:
    """Give how many of these words follow one another."""
    end = begin
    while end < len(nodes) and _is(nodes[end], *words):
        end += 1
    return end - begin


def _is(node: Node | None, *words: str) -> bool:
    return isinstance(node, Piece) and node.is_word(*words)


def _text(node: Node) -> str:
    return node.text if isinstance(node, Piece) else ""


def split_at_commas(nodes: Nodes) -> list[Nodes]:
    """Cut a list into its items, each with the comma behind it."""
    items: list[Nodes] = []
    begin = 0
    for number, node in enumerate(nodes):
        if _text(node) == ",":
            items.append(nodes[begin : number + 1])
            begin = number + 1
    if begin < len(nodes):
        items.append(nodes[begin:])
    return items


def split_before(nodes: Nodes, words: Sequence[str]) -> list[Nodes]:
    """Cut a condition before each of these words; the AND of BETWEEN is none."""
    parts: list[Nodes] = []
    begin = between = 0
    for number, node in enumerate(nodes):
        if _is(node, "BETWEEN"):
            between += 1
        elif _is(node, "AND") and between:
            between -= 1
        elif number and _is(node, *words):
            parts.append(nodes[begin:number])
            begin = number
    parts.append(nodes[begin:])
    return parts
