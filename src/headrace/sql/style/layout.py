"""Writes the tree of a statement on lines: what fits on one line stays there, what does not is cut at its outermost joints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.sql.style.pieces import Piece
from headrace.sql.style.spacing import Flow
from headrace.sql.style.tree import (
    Clause,
    Group,
    Nodes,
    clauses_of,
    clauses_of_match,
    split_at_commas,
    split_before,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.sql.style.pieces import Comment

WIDTH: Final = 100
_STEP: Final = 2
_JOINTS: Final = ("AND", "OR", "ON", "USING", "WITHIN")
_LISTS: Final = frozenset(["SELECT", "GROUP", "ORDER", "VALUES", "WINDOW", "PARTITION", "MEASURES", "DEFINE"])


class Lines:
    """The lines of one statement, and how to go on."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        self._flow = Flow()
        self._ended = False

    def statement(self, nodes: Nodes, end: Piece) -> list[str]:
        """Write a statement and the `;` behind it; give the lines."""
        self._query(nodes, 0)
        self._piece(end, 0)
        return [*self._lines, self._line]

    def _query(self, nodes: Nodes, indent: int) -> None:
        for number, clause in enumerate(clauses_of(nodes)):
            if number:
                self._break(indent)
            self._clause(clause, indent)

    def _clause(self, clause: Clause, indent: int) -> None:
        whole = [*clause.head, *clause.rest]
        if clause.word in ("WITH", "CREATE"):
            self._with_open_groups(whole, indent, queries=clause.word == "WITH")
        elif self._fits(whole):
            self._run(whole, indent)
        else:
            self._run(clause.head, indent)
            items = split_at_commas(clause.rest)
            if clause.word in _LISTS and len(items) > 1:
                for item in items:
                    self._break(indent + _STEP)
                    self._item(item, indent + _STEP)
            else:
                first = next(walk(clause.rest), None)
                inner = indent + _STEP if first is not None and first.before else indent
                self._item(clause.rest, inner)

    def _with_open_groups(self, nodes: Nodes, indent: int, *, queries: bool) -> None:
        """Write named queries, or the columns of a table, on lines of their own, however short they are."""
        opened = False
        for node in nodes:
            if isinstance(node, Group) and (node.is_query if queries else not opened):
                opened = True
                self._open(node, indent)
            else:
                self._run([node], indent)

    def _item(self, nodes: Nodes, indent: int) -> None:
        """Write an item of a list or a condition, cut at its joints if it does not fit."""
        parts = [nodes] if self._fits(nodes) else split_before(nodes, _JOINTS)
        for number, part in enumerate(parts):
            inner = indent + _STEP if number else indent
            if number:
                self._break(inner)
            self._run(part, inner)

    def _run(self, nodes: Nodes, indent: int) -> None:
        """Write nodes one behind the other; brackets that do not fit, with what follows them, are opened."""
        for number, node in enumerate(nodes):
            if isinstance(node, Piece):
                self._piece(node, indent)
                continue
            end = number + 1
            while end < len(nodes) and isinstance(nodes[end], Piece):
                end += 1
            if self._fits(nodes[number:end]):
                for piece in walk([node]):
                    self._piece(piece, indent)
            else:
                self._open(node, indent)

    def _open(self, group: Group, indent: int) -> None:
        """Write what stands in brackets on lines of its own."""
        inner = indent + _STEP
        self._piece(group.opening, indent)
        if group.is_query:
            self._break(inner)
            self._query(group.body, inner)
        elif group.is_match:
            for clause in clauses_of_match(group.body):
                self._break(inner)
                self._clause(clause, inner)
        elif group.is_case:
            for number, part in enumerate(split_before(group.body, ("WHEN", "ELSE"))):
                # What is compared, if there is such, stays behind CASE.
                if number or (isinstance(part[0], Piece) and part[0].is_word("WHEN")):
                    self._break(inner)
                self._item(part, inner)
        else:
            for item in split_at_commas(group.body):
                self._break(inner)
                self._item(item, inner)
        self._break(indent)
        self._piece(group.closing, indent)

    def _piece(self, piece: Piece, indent: int) -> None:
        if piece.before:
            self._comment_lines(piece.before, indent)
        elif self._ended:
            self._break(indent + _STEP)
        if self._flow.step(piece) and self._line.strip():
            self._line += " "
        self._line += piece.text
        for comment in piece.after:
            self._line += f" {comment.text}"
            self._ended = comment.ends_line

    def _comment_lines(self, comments: Sequence[Comment], indent: int) -> None:
        for comment in comments:
            self._break(indent)
            self._line += comment.text
        self._break(indent)

    def _break(self, indent: int) -> None:
        """Begin a new line, unless one has just begun."""
        if self._line.strip():
            self._lines.append(self._line)
        self._line = " " * indent
        self._ended = False

    def _fits(self, nodes: Nodes) -> bool:
        """Say whether nodes can stand on what is left of the line."""
        pieces = list(walk(nodes))
        if any(piece.before for piece in pieces[1:]) or any(piece.ends_line for piece in pieces[:-1]):
            return False
        flow, width = self._flow.copy(), len(self._line)
        for piece in pieces:
            width += flow.step(piece) + len(piece.text)
            width += sum(len(comment.text) + 1 for comment in piece.after if not comment.ends_line)
            if width > WIDTH:
                return False
        return True
