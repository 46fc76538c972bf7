"""`STATE('application', 'store')` in FROM: the state of a processor as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from headrace.errors.codes import catalog as catalog_codes
from headrace.errors.codes import plan as codes
from headrace.errors.suggest import did_you_mean
from headrace.plan.snapshot import StateScan
from headrace.planner.faults import refusal
from headrace.planner.snapshot.rows import declarable
from headrace.planner.snapshot.sources import Bound, Output
from headrace.planner.typed import Typed
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.plan.operators import Column
    from headrace.planner.relations import Names


class StoredStates(Protocol):
    """The stores of processors that can be read."""

    def stores(self, application: str) -> list[str]:
        """Give the names of an application's stores."""

    def columns(self, application: str, store: str) -> tuple[Column, ...] | None:
        """Give the columns of a store as a table; None if nothing is known of it."""


def is_state(node: exp.Expression) -> bool:
    """Say whether this is a call of STATE."""
    return isinstance(node, exp.Anonymous) and str(node.this).upper() == "STATE"


def state_table(
    call: exp.Expression,
    stored: StoredStates | None,
    scans: list[StateScan],
    names: Names,
    prefix: str = "",
) -> Bound:
    """Bind a call of STATE.

    Args:
        call: in FROM.
        stored: what can be read.
        scans: of the query; one is added.
        names: of the query.
        prefix: of the names of relations.

    Raises:
        ProgramError: the arguments are not two texts, or nothing is known of the store.
    """
    arguments = call.expressions
    if len(arguments) != 2 or not all(isinstance(item, exp.Literal) and item.is_string for item in arguments):
        message = "STATE takes the application id and the name of the store, both as text"
        raise refusal(
            codes.TYPE_MISMATCH, message, nearest_span(call), "write `STATE('application', 'store')`"
        )
    application, store = (item.name for item in arguments)
    columns = None if stored is None else stored.columns(application, store)
    if columns is None:
        known = [] if stored is None else stored.stores(application)
        message = f"nothing is known here of a store `{store}` of application `{application}`"
        has = f"it has {', '.join(f'`{name}`' for name in known)}" if known else None
        raise refusal(
            catalog_codes.UNKNOWN_STATE, message, nearest_span(call), did_you_mean(store, known) or has
        )
    scan = StateScan(f"{prefix}state{len(scans)}", application, store, columns)
    scans.append(scan)
    query = exp.Select(from_=exp.From(this=exp.to_table(scan.relation)))
    outputs = []
    for index, column in enumerate(columns):
        name = names.column("x", declarable(column.type))
        query.append("expressions", exp.alias_(exp.column(f"c{index}"), name.name))
        outputs.append(Output(column.name, Typed(name, column.type, nullable=True)))
    return Bound(query, tuple(outputs))
