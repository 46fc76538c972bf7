"""A stream that is grouped, ranked or made distinct without a window, or a pattern over it without an end in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.check.rule import Finding, Rule
from headrace.errors.codes.lint import UNBOUNDED_STATE
from headrace.sql.nodes import Insert, MatchRecognize, Mode, PatternRepeat, Window, With
from headrace.sql.spans import nearest_span, span_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.check.program import CheckedProgram
    from headrace.errors import Span


def _find(checked: CheckedProgram) -> Iterator[Finding]:
    for select in checked.selects:
        node = select.node
        if node.args.get("mode") != Mode.STREAM or not isinstance(select.statement, Insert | With):
            continue
        for match in node.find_all(MatchRecognize):
            if match.find_ancestor(exp.Select) is node and _waits(match):
                yield Finding(
                    nearest_span(match.args["pattern"]),
                    "this keeps rows of the stream until the pattern is met or fails, which may be never",
                    "add `WITHIN` behind PATTERN, with the time that a match takes at most",
                )
        if node.args.get("window") is not None:
            continue
        group, distinct = node.args.get("group"), node.args.get("distinct")
        if group is not None and not any(group.find_all(Window)):
            yield _finding(_place(group) or nearest_span(node), "groups the stream")
        elif distinct is not None:
            yield _finding(nearest_span(node), "is distinct over the whole stream")
        for over in node.find_all(exp.Window):
            keys = over.args.get("partition_by") or []
            of_a_window = any(
                "_window" in column.sql() for key in keys for column in key.find_all(exp.Column)
            )
            if over.find_ancestor(exp.Select) is node and keys and not of_a_window:
                yield _finding(nearest_span(over), "keeps rows of each key of the stream")


def _waits(match: MatchRecognize) -> bool:
    """Say whether keys, or rows of one key, can become ever more."""
    repeats = match.args["pattern"].find_all(PatternRepeat)
    endless = any(repeat.args.get("most") is None for repeat in repeats)
    return match.args.get("within") is None and (endless or bool(match.args.get("partition_by")))


def _place(group: exp.Group) -> Span | None:
    if not group.expressions:
        return span_of(group)
    first, last = span_of(group.expressions[0]), span_of(group.expressions[-1])
    return first.cover(last) if first is not None else None


def _finding(span: Span | None, what: str) -> Finding:
    return Finding(
        span,
        f"this {what} without a window: each key is kept for ever",
        "add `WINDOW BY`, or silence this if the keys are few",
    )


RULE = Rule(
    UNBOUNDED_STATE,
    "INSERT INTO clicks_per_session\nSELECT STREAM session, COUNT(*) AS n\nFROM clicks\nGROUP BY session;",
    "INSERT INTO clicks_per_session\nSELECT STREAM session, COUNT(*) AS n\nFROM clicks\nWINDOW BY SESSION 30m\nGROUP BY session;",
    _find,
)
