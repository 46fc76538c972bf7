"""What rules look at: the queries of a program, what they read, and what is known of types."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.types import Types
from headrace.sql.nodes import CreateTable, Insert, Named, Program, Query, With

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from headrace.catalog import TopicCatalog
    from headrace.plan.topology import Topology


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT anywhere in a program.

    Args:
        node: its tree.
        names: the named queries that it can read.
        statement: the statement it stands in.
    """

    node: exp.Select
    names: Mapping[str, Named]
    statement: Insert | With | Query


@dataclass(frozen=True)
class CheckedProgram:
    """A program to be checked.

    Args:
        program: parsed.
        topology: its plan, if there is a log to plan it for.
        catalog: tells types, if there is one.
    """

    program: Program
    topology: Topology | None = None
    catalog: TopicCatalog | None = None

    @cached_property
    def types(self) -> Types:
        """Tells types of expressions, as far as declarations and the catalog go."""
        return Types(
            [item for item in self.program.statements if isinstance(item, CreateTable)], self.catalog
        )

    @cached_property
    def inserts(self) -> tuple[Insert, ...]:
        """All INSERTs."""
        return tuple(item for item in self.program.statements if isinstance(item, Insert))

    @cached_property
    def selects(self) -> tuple[Select, ...]:
        """All SELECTs, those inside others too."""
        return tuple(self._selects())

    def _selects(self) -> Iterator[Select]:
        names: dict[str, Named] = {}
        for statement in self.program.statements:
            if not isinstance(statement, Insert | With | Query):
                continue
            known = names if isinstance(statement, With) else dict(names)
            for entry in statement.names:
                yield from self._in(entry.query, known, statement)
                known[entry.name] = entry
            if not isinstance(statement, With):
                yield from self._in(statement.query, known, statement)

    @staticmethod
    def _in(
        query: exp.Expression, names: Mapping[str, Named], statement: Insert | With | Query
    ) -> Iterator[Select]:
        seen = dict(names)
        for node in query.find_all(exp.Select):
            yield Select(node, seen, statement)


def tables_of(select: exp.Select) -> list[exp.Table]:
    """Give the topics and named queries in FROM and JOIN."""
    source = select.args.get("from_")
    nodes = [source.this] if source is not None else []
    nodes += [join.this for join in select.args.get("joins") or []]
    return [node for node in nodes if isinstance(node, exp.Table)]


def alias_of(table: exp.Expr) -> str:
    """Give the name by which columns of a source are called."""
    return table.alias_or_name
