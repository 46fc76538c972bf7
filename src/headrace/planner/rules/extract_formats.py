"""Take `_ktype = F` and `_vtype = F` out of WHERE: in the 2018 dialect they name the decoders of the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span

if TYPE_CHECKING:
    from headrace.errors import Span

_FORMATS = ("_ktype", "_vtype")
_SAMPLING = ("_sample", "_samplewindow")


@dataclass(frozen=True, slots=True)
class NamedFormat:
    """The name of a format, as written."""

    name: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Extracted:
    """What is left of WHERE, and the formats named in it."""

    where: exp.Expression | None
    key: NamedFormat | None = None
    value: NamedFormat | None = None


def extract_formats(where: exp.Expression | None) -> Extracted:
    """Split WHERE into the conditions on rows and the formats of the source.

    Raises:
        ProgramError: a format predicate that is no `name = literal` at the top of WHERE.
    """
    found: dict[str, NamedFormat] = {}
    kept: list[exp.Expression] = []
    for part in conjuncts(where):
        name = _pseudo(part.this) if isinstance(part, exp.EQ) else None
        if name in _FORMATS and isinstance(part, exp.EQ):
            found[name] = _format(part)
        elif name in _SAMPLING:
            raise refusal(codes.NOT_YET, f"`{part.this.name}` cannot run in a stream", nearest_span(part))
        else:
            kept.append(part)
    for part in kept:
        _refuse_elsewhere(part)
    rest: exp.Expression | None = None
    for part in kept:
        rest = part if rest is None else exp.And(this=rest, expression=part)
    return Extracted(rest, found.get("_ktype"), found.get("_vtype"))


def conjuncts(node: exp.Expression | None) -> list[exp.Expression]:
    """Give the conditions that a top-level AND chain joins, in the order of the text."""
    found: list[exp.Expression] = []
    rest = [node] if node is not None else []
    while rest:
        part = rest.pop()
        while isinstance(part, exp.Paren) and isinstance(part.this, exp.And):
            part = part.this
        if isinstance(part, exp.And):
            rest += [part.expression, part.this]
        else:
            found.append(part)
    return found


def names_format(part: exp.Expression) -> bool:
    """Say whether a condition names a format of the source."""
    return isinstance(part, exp.EQ) and _pseudo(part.this) in _FORMATS


def _format(part: exp.EQ) -> NamedFormat:
    other = part.expression
    path = column_path(other)
    if isinstance(other, exp.Literal) and other.is_string:
        return NamedFormat(other.name, nearest_span(other))
    if path is not None and len(path) == 1:
        return NamedFormat(path[0].name, nearest_span(other))
    message = f"`{part.this.name}` is compared with the name of a format, such as AVRO"
    raise refusal(codes.MISPLACED_FORMAT, message, nearest_span(part))


def _pseudo(node: exp.Expression) -> str | None:
    path = column_path(node)
    return path[-1].name.lower() if path else None


def _refuse_elsewhere(part: exp.Expression) -> None:
    # A query inside has formats of its own.
    for column in part.walk(prune=lambda node: isinstance(node, exp.Query)):
        if isinstance(column, exp.Column) and _pseudo(column) in _FORMATS:
            message = f"`{column.name}` is no condition on rows"
            way_out = f"write `{column.name} = FORMAT`, joined by AND at the top of WHERE"
            raise refusal(codes.MISPLACED_FORMAT, message, nearest_span(column), way_out)
