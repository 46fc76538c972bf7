"""Names inside a snapshot query: several sources, columns of sub-queries, and the query around."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.errors import ProgramError
from headrace.errors.codes import plan as codes
from headrace.plan.topology import Facet
from headrace.planner.faults import refusal
from headrace.planner.relations import NoSuchField, TopicRelation, follow
from headrace.planner.scope import Header, Scope, cover
from headrace.sql.spans import span_of
from headrace.types.shape import field_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from headrace.formats.interface import Path
    from headrace.planner.typed import Typed


@dataclass(frozen=True, slots=True)
class Output:
    """A column of a query: the user's name and the expression that reads it from outside."""

    name: str
    value: Typed


@dataclass(frozen=True, slots=True)
class Bound:
    """A query with its columns."""

    query: exp.Expression
    outputs: tuple[Output, ...]


@dataclass(frozen=True, slots=True)
class View:
    """What a name of WITH means.

    Args:
        query: its text.
        columns: what its columns are called instead, if anything.
        recursive: whether the query may read its own name.
        so_far: inside a recursion: the table of the rows found so far.
        stored: it is a view of the log, which knows nothing of the names in the text around.
    """

    query: exp.Expression
    columns: tuple[exp.Identifier, ...] = ()
    recursive: bool = False
    so_far: Bound | None = None
    stored: bool = False


@dataclass(slots=True)
class DerivedRelation:
    """The rows of a sub-query or of a WITH name: columns, and no record around them."""

    outputs: tuple[Output, ...]

    def type_of(self, facet: Facet) -> pa.DataType:
        """Give the record of all columns; there is no key."""
        if facet is not Facet.VALUE:
            return pa.null()
        return pa.struct([pa.field(item.name, item.value.type) for item in self.outputs])

    def pull(self, facet: Facet, path: Path) -> Typed:
        """Give a column. Raises NoSuchField."""
        if facet is Facet.KEY:
            path = ("_key", *path)
        if facet in (Facet.META, Facet.HEADERS) or not path:
            raise NoSuchField(0, (), pa.null())
        for item in self.outputs:
            if item.name == path[0]:
                follow(item.value.type, path[1:])
                found = item.value
                for name in path[1:]:
                    found = found.field(name)
                return found
        raise NoSuchField(0, [item.name for item in self.outputs], pa.null())


@dataclass(slots=True)
class Sources:
    """The names of one SELECT with any number of sources; looks like a `Scope` to expressions.

    Args:
        scopes: one for each source, in the order of the text.
        outer: of the query around, for correlated sub-queries.
        renamed: columns of the select list by alias, for the clauses that may use them.
        merged: columns of USING and NATURAL JOIN: one for both sides.
    """

    scopes: list[Scope] = field(default_factory=list)
    outer: Sources | None = None
    renamed: dict[str, Typed] = field(default_factory=dict)
    renamed_first: bool = False
    """ORDER BY means the select list first; GROUP BY and HAVING mean the sources first."""
    merged: dict[str, Typed] = field(default_factory=dict)
    merged_away: set[tuple[str, str]] = field(default_factory=set)
    """Alias and column of those that `*` leaves out, since another source shows them."""

    @property
    def alias(self) -> str:
        """Name for messages."""
        return self.scopes[0].alias if self.scopes else "the query"

    @property
    def relation(self) -> TopicRelation | DerivedRelation:
        """The relation whose headers and whole value are meant where no name says which."""
        if not self.scopes:
            return DerivedRelation(())
        found = self.scopes[0].relation
        assert isinstance(found, TopicRelation | DerivedRelation)
        return found

    def add(self, scope: Scope, place: exp.Expression) -> None:
        """Add a source.

        Raises:
            ProgramError: another has the same name.
        """
        if self.scope_named(scope.alias) is not None:
            message = f"two sources are called `{scope.alias}`"
            way_out = f"give one of them another name: `{scope.alias} AS other`"
            raise refusal(codes.NAME_TWICE, message, span_of(place), way_out)
        self.scopes.append(scope)

    def left_of_last(self) -> Sources:
        """Give the names on the left of the join whose right side is the last source."""
        return replace(self, scopes=self.scopes[:-1])

    def columns(self) -> list[str]:
        """Give the names of all columns that `*` shows, in order."""
        found = []
        for scope in self.scopes:
            names = field_names(scope.relation.type_of(Facet.VALUE))
            found += [name for name in names if (scope.alias, name) not in self.merged_away]
        return found

    def resolve(self, parts: Sequence[exp.Identifier]) -> Typed | Header:
        """Give what a dotted name means: an alias, then a source's column, then the query around.

        Raises:
            ProgramError: nothing of that name, or several.
        """
        names = [part.name for part in parts]
        if self.renamed_first and len(names) == 1 and names[0] in self.renamed:
            return self.renamed[names[0]]
        owner = next((scope for scope in self.scopes if scope.alias == names[0] and len(names) > 1), None)
        owner = owner or next((scope for scope in self.scopes if names[0] in scope.laterals), None)
        if owner is not None:
            return owner.resolve(parts)
        if len(names) == 1 and names[0] in self.merged:
            return self.merged[names[0]]
        found, fault = self._in_sources(parts)
        if len(found) == 1 or (found and isinstance(found[0][1], Header)):
            return found[0][1]
        if found:
            owners = " and ".join(f"`{scope.alias}`" for scope, _ in found)
            message = f"`{'.'.join(names)}` is in {owners}"
            way_out = f"write `{found[0][0].alias}.{names[-1]}`"
            raise refusal(codes.AMBIGUOUS_COLUMN, message, cover(parts), way_out)
        if len(names) == 1 and names[0] in self.renamed:
            return self.renamed[names[0]]
        if self.outer is not None:
            try:
                return self.outer.resolve(parts)
            except ProgramError:
                pass
        if len(names) == 1 and self.scope_named(names[0]) is not None:
            message = f"`{names[0]}` is a source, and no column of it"
            raise refusal(codes.DUCKDB_FORM, message, cover(parts), "write `*`, or name its columns")
        if fault is None:
            raise refusal(codes.UNKNOWN_COLUMN, f"there is no column `{names[0]}`", cover(parts))
        raise fault

    def _in_sources(
        self, parts: Sequence[exp.Identifier]
    ) -> tuple[list[tuple[Scope, Typed | Header]], ProgramError | None]:
        found: list[tuple[Scope, Typed | Header]] = []
        fault: ProgramError | None = None
        for scope in self.scopes:
            try:
                found.append((scope, scope.resolve(parts)))
            except ProgramError as missing:
                fault = fault or missing
        return found, fault

    def star(self, parts: Sequence[exp.Identifier]) -> Facet | None:
        """Give which part of a record `name.*` means."""
        scope = self.scope_named(parts[0].name) if parts else None
        return (scope or self.scopes[0]).star(parts)

    def scope_named(self, alias: str) -> Scope | None:
        """Give the source with an alias."""
        return next((scope for scope in self.scopes if scope.alias == alias), None)

    def candidates(self) -> list[str]:
        """Give every name that would be right."""
        return [name for scope in self.scopes for name in scope.candidates()]
