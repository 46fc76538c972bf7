"""What names mean where a SELECT has several sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.planner.faults import refusal
from headrace.planner.joins.draft import JoinRelation
from headrace.planner.scope import Scope, cover
from headrace.sql.paths import column_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot import exp

    from headrace.plan.topology import Facet
    from headrace.planner.relations import Relation
    from headrace.planner.scope import Header, Rows
    from headrace.planner.typed import Typed

_OF_THE_ROW = (
    "_key",
    "_value",
    "_meta",
    "_header",
    "_headers",
    "_window",
    "_partition",
    "_offset",
    "_ts",
    "_topic",
)


@dataclass(slots=True)
class JoinNames:
    """The names of a SELECT with several sources.

    Args:
        scopes: one for each source, in the order of the text.
        relation: the rows of the join: what `_key` and the like mean without the name of a source.
        merged: columns that USING has made one of.
        hidden: alias and name of those that `*` leaves out.
        joined: the join is behind: else its own ON is looked at, and `_key` belongs to one of the sources.
        laterals: elements of LATERAL by alias.
    """

    scopes: list[Scope]
    relation: Rows
    merged: dict[str, Typed] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)
    joined: bool = True
    laterals: dict[str, Typed] = field(default_factory=dict)

    @property
    def alias(self) -> str:
        """Name of the rows, for messages."""
        return "the join"

    def resolve(self, parts: Sequence[exp.Identifier]) -> Typed | Header:
        """Give what a dotted name means.

        Raises:
            ProgramError: nothing, or a column of several sources.
        """
        name = parts[0].name
        if name in self.laterals or (self.joined and name in _OF_THE_ROW):
            return Scope(self.relation, self.alias, self.laterals).resolve(parts)
        if len(parts) == 1 and name in self.merged:
            return self.merged[name]
        return self.owner(parts).resolve(parts)

    def owner(self, parts: Sequence[exp.Identifier]) -> Scope:
        """Give the source that a name belongs to.

        Raises:
            ProgramError: none, or several.
        """
        if len(parts) > 1:
            for scope in self.scopes:
                if scope.alias == parts[0].name:
                    return scope
        found = [scope for scope in self.scopes if _has(scope, parts)]
        if len(found) == 1:
            return found[0]
        shown = ".".join(part.name for part in parts)
        if found:
            owners = " and ".join(f"`{scope.alias}`" for scope in found)
            way_out = "write " + " or ".join(f"`{scope.alias}.{shown}`" for scope in found)
            raise refusal(codes.AMBIGUOUS_COLUMN, f"`{shown}` is in {owners}", cover(parts), way_out)
        owners = " nor in ".join(f"`{scope.alias}`" for scope in self.scopes)
        message = f"column `{shown}` exists neither in {owners}"
        if len(self.scopes) == 1:
            message = f"column `{shown}` does not exist in {owners}"
        candidates = [f"{scope.alias}.{name}" for scope in self.scopes for name in scope.candidates()]
        plain = [name for scope in self.scopes for name in scope.candidates()]
        near = did_you_mean(shown, candidates if len(parts) > 1 else plain)
        raise refusal(codes.UNKNOWN_COLUMN, message, cover(parts), near)

    def star(self, parts: Sequence[exp.Identifier]) -> Facet | None:
        """Give which part of a record `name.*` means."""
        scope = self._named(parts)
        if scope is not None:
            return scope.star(parts)
        return Scope(self.relation, self.alias).star(parts)

    def starred(self, parts: Sequence[exp.Identifier]) -> list[Scope]:
        """Give whose columns `name.*` means; those of the join itself for `_key.*`."""
        scope = self._named(parts)
        if scope is not None:
            return [scope]
        return self.scopes if not parts else [Scope(self.relation, self.alias)]

    def _named(self, parts: Sequence[exp.Identifier]) -> Scope | None:
        if not parts:
            return None
        return next((scope for scope in self.scopes if scope.alias == parts[0].name), None)


def names_over(relation: Relation, alias: str) -> Scope | JoinNames:
    """Give the names of a SELECT over rows: those of all sources where these are the rows of its own join."""
    if isinstance(relation, JoinRelation):
        return JoinNames(relation.scopes, relation, relation.merged, relation.hidden)
    return Scope(relation, alias)


def names_in(node: exp.Expression) -> Iterator[list[exp.Identifier]]:
    """Give the dotted names in an expression; arguments of lambdas are none."""
    rest: list[tuple[exp.Expression, frozenset[str]]] = [(node, frozenset())]
    while rest:
        part, own = rest.pop()
        parts = column_path(part)
        if parts is not None:
            if parts[0].name not in own:
                yield list(parts)
            continue
        if part.key == "lambda":
            own |= {item.name for item in part.expressions}
            rest.append((part.this, own))
            continue
        rest += [(child, own) for child in part.iter_expressions()]


def _has(scope: Scope, parts: Sequence[exp.Identifier]) -> bool:
    try:
        scope.resolve(parts)
    except ProgramError:
        return False
    return True
