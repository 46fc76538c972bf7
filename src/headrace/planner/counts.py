"""The number that says how many values an aggregate keeps: `TOPK(x, 10)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from sqlglot import exp

_MOST_VALUES: Final = 2**31 - 1


def values_kept(node: exp.Expression, name: str) -> int:
    """Give the number that an argument is.

    Args:
        node: the second argument of the aggregate.
        name: of the aggregate, for the message.

    Raises:
        ProgramError: it is no whole number from 1 on.
    """
    if not node.is_int or not 1 <= int(node.to_py()) <= _MOST_VALUES:
        message = f"the second argument of `{name}` is how many values are kept: a number from 1 on"
        raise refusal(codes.NOT_CONSTANT, message, nearest_span(node), f"write `{name}(x, 10)`")
    return int(node.to_py())
