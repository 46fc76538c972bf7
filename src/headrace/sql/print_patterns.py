"""Prints MATCH_RECOGNIZE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from headrace.sql.nodes import (
    MatchRecognize,
    PatternChoice,
    PatternName,
    PatternRepeat,
    PatternSequence,
    SkipTo,
)
from headrace.sql.print_expressions import expression, expressions

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp

_SHORT: Final = {(0, None): "*", (1, None): "+", (0, 1): "?"}


def match_recognize(node: exp.Expr) -> str:
    """Print a source with its pattern, on one line."""
    args = node.args
    parts = []
    if args.get("partition_by"):
        parts.append(f"PARTITION BY {expressions(args['partition_by'])}")
    if args.get("order") is not None:
        parts.append(expression(args["order"]))
    if args.get("measures"):
        parts.append(f"MEASURES {expressions(args['measures'])}")
    if args.get("one_row"):
        parts.append("ONE ROW PER MATCH")
    if args.get("after") is not None:
        parts.append(expression(args["after"]))
    parts.append(f"PATTERN ({expression(args['pattern'])})")
    if args.get("within") is not None:
        parts.append(f"WITHIN {expression(args['within'])}")
    if args.get("define"):
        # The name stands before what it means.
        definitions = (
            f"{expression(item.args['alias'])} AS {expression(item.this)}" for item in args["define"]
        )
        parts.append(f"DEFINE {', '.join(definitions)}")
    alias = "" if args.get("alias") is None else f" AS {expression(args['alias'])}"
    return f"{expression(node.this)} MATCH_RECOGNIZE ({' '.join(parts)}){alias}"


def _skip(node: exp.Expr) -> str:
    name = "" if node.args.get("this") is None else f" {expression(node.this)}"
    return f"AFTER MATCH SKIP {node.args['kind']}{name}"


def _name(node: exp.Expr) -> str:
    return expression(node.this)


def _sequence(node: exp.Expr) -> str:
    return " ".join(_closed(part, PatternChoice) for part in node.expressions)


def _choice(node: exp.Expr) -> str:
    return " | ".join(expression(part) for part in node.expressions)


def _repeat(node: exp.Expr) -> str:
    bounds = node.args["least"], node.args.get("most")
    least, most = bounds
    times = _SHORT.get(bounds) or (
        f"{{{least}}}" if least == most else f"{{{least},{'' if most is None else most}}}"
    )
    inner = _closed(node.this, PatternChoice, PatternSequence, PatternRepeat)
    return f"{inner}{times}{'?' if node.args.get('reluctant') else ''}"


def _closed(part: exp.Expr, *kinds: type[exp.Expr]) -> str:
    return f"({expression(part)})" if isinstance(part, kinds) else expression(part)


PATTERN_PRINTERS: Final[dict[type[exp.Expr], Callable[[exp.Expr], str]]] = {
    MatchRecognize: match_recognize,
    SkipTo: _skip,
    PatternName: _name,
    PatternSequence: _sequence,
    PatternChoice: _choice,
    PatternRepeat: _repeat,
}
