"""PATTERN as the operator has it: variables by number, and what cannot be matched refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.sql.nodes import MatchRecognize, PatternChoice, PatternName, PatternRepeat, PatternSequence
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from sqlglot import exp

    from headrace.plan.operators import Skip

_MOST: Final = 1000
"""Variables of a pattern, each as often as it must or may stand there."""


def variables_of(pattern: exp.Expression) -> tuple[str, ...]:
    """Give the variables of a pattern in the order in which they first stand there."""
    return tuple(dict.fromkeys(node.this.name for node in _names(pattern)))


def _names(pattern: exp.Expression) -> list[PatternName]:
    if isinstance(pattern, PatternName):
        return [pattern]
    parts = [pattern.this] if isinstance(pattern, PatternRepeat) else pattern.expressions
    return [name for part in parts for name in _names(part)]


def pattern_data(pattern: exp.Expression, variables: tuple[str, ...]) -> dict[str, Any]:
    """Give a pattern as the kernel reads it.

    Raises:
        ProgramError: it can be met by no row at all, repeats what can, or is too long.
    """
    for repeat in pattern.find_all(PatternRepeat):
        if _least(repeat.this) == 0:
            message = "what is repeated may take no row, so it is not said how often it comes"
            way_out = "let one repetition say it: `a*` for `(a*)+`, `(a | b)*` for `(a* b*)*`"
            raise refusal(codes.BAD_PATTERN, message, span_of(repeat), way_out)
    if _least(pattern) == 0:
        message = "the pattern is met by no row at all, so there would be a match everywhere"
        way_out = "let at least one variable take a row: `+` in place of `*`"
        raise refusal(codes.BAD_PATTERN, message, span_of(pattern), way_out)
    if _length(pattern) > _MOST:
        message = f"written out, the pattern has more than {_MOST:,} variables"
        raise refusal(codes.BAD_PATTERN, message, span_of(pattern), "write `+` or `*` for what may be long")
    return _data(pattern, variables)


def skip_of(node: MatchRecognize, variables: tuple[str, ...]) -> Skip:
    """Give where the search goes on behind a match.

    Raises:
        ProgramError: it would go on where it has begun.
    """
    after = node.args.get("after")
    if after is None or after.args["kind"] == "PAST LAST ROW":
        return "past_last", None
    if after.args["kind"] == "TO NEXT ROW":
        return "to_next", None
    name = after.this.name
    if name not in variables:
        message = f"`{name}` is no variable of the pattern"
        raise refusal(codes.BAD_PATTERN, message, span_of(after.this), f"there are {listed(variables)}")
    first = _first(node.args["pattern"])
    if after.args["kind"] == "TO FIRST" and first == {name}:
        message = f"every match begins with `{name}`, so the search would go on where it has begun"
        raise refusal(codes.BAD_PATTERN, message, nearest_span(after), "write `SKIP TO NEXT ROW`")
    return ("to_first" if after.args["kind"] == "TO FIRST" else "to_last"), variables.index(name)


def listed(variables: tuple[str, ...]) -> str:
    """Give variables for a message."""
    return ", ".join(f"`{name}`" for name in variables)


def _data(pattern: exp.Expression, variables: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(pattern, PatternName):
        return {"variable": variables.index(pattern.this.name)}
    if isinstance(pattern, PatternRepeat):
        repeat = {
            "of": _data(pattern.this, variables),
            "least": pattern.args["least"],
            "most": pattern.args.get("most"),
            "reluctant": bool(pattern.args.get("reluctant")),
        }
        return {"repeat": repeat}
    kind = "choice" if isinstance(pattern, PatternChoice) else "sequence"
    return {kind: [_data(part, variables) for part in pattern.expressions]}


def _least(pattern: exp.Expression) -> int:
    """Give how many rows it takes at least."""
    if isinstance(pattern, PatternName):
        return 1
    if isinstance(pattern, PatternRepeat):
        return int(pattern.args["least"]) * _least(pattern.this)
    counts = [_least(part) for part in pattern.expressions]
    return min(counts) if isinstance(pattern, PatternChoice) else sum(counts)


def _length(pattern: exp.Expression) -> int:
    """Give how many variables it has, written out."""
    if isinstance(pattern, PatternName):
        return 1
    if isinstance(pattern, PatternRepeat):
        least, most = int(pattern.args["least"]), pattern.args.get("most")
        return _length(pattern.this) * (least + 1 if most is None else int(most))
    return sum(_length(part) for part in pattern.expressions)


def _first(pattern: exp.Expression) -> set[str]:
    """Give the variables that the first row of a match can be taken for."""
    if isinstance(pattern, PatternName):
        return {pattern.this.name}
    if isinstance(pattern, PatternRepeat):
        return _first(pattern.this)
    found: set[str] = set()
    for part in pattern.expressions:
        found |= _first(part)
        if isinstance(pattern, PatternSequence) and _least(part) > 0:
            break
    return found
