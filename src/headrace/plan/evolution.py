"""What changed between two versions of an operator, in words, and whether the state of the one serves the other.

State of a stream's aggregate can lose calls and take new ones, which begin with the rows that come from then on. All else
that changes what stored bytes mean makes the old state useless.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from headrace.plan.operators import (
    Aggregate,
    Changes,
    Emit,
    Feed,
    JoinKind,
    JoinWindow,
    LookupJoin,
    Match,
    Over,
    Rank,
    Sort,
    StreamJoin,
    Table,
    TableJoin,
)
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from headrace.plan.operators import AggregateCall, Column, Kernel, Operator, Store, Window

_KINDS: Final[dict[type[Any], str]] = {
    Aggregate: "an aggregate",
    StreamJoin: "a join of streams",
    LookupJoin: "a join of a stream with a table",
    TableJoin: "a join of tables",
    Table: "a table",
    Rank: "a rank",
    Sort: "a sort",
    Over: "aggregates over rows",
    Match: "a match",
}
_OF_A_MATCH: Final = {
    "pattern": "the pattern",
    "conditions": "what rows of the pattern meet",
    "measures": "the measures",
    "skip": "where the search goes on behind a match",
    "within": "how long a match takes at most",
}
_EMITS: Final = {
    Emit.COMMIT: "at each commit",
    Emit.RECORD: "at each record",
    Emit.FINAL: "when windows close",
}
_CHANGES: Final = {
    Changes.APPEND: "rows of a stream",
    Changes.UPSERT: "rows of a table by its key",
    Changes.RETRACT: "rows of a table",
}
_APPLICATION: Final = "{application}"
"""What the names of internal topics begin with."""

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


@dataclass(frozen=True, slots=True)
class Evolution:
    """From one version of an operator to another.

    Args:
        obstacles: changes with which the old state is of no use; empty if it can be taken over.
        is_readable: whether the new version can make its own entries of the old ones, whatever else speaks against it.
        changes: those that the state goes along with.
        consequences: what the taken-over state cannot know, for people.
        calls: for each call of the new version the number of the same call of the old one, None for a new call.
    """

    obstacles: tuple[str, ...]
    is_readable: bool = False
    changes: tuple[str, ...] = ()
    consequences: tuple[str, ...] = ()
    calls: tuple[int | None, ...] = ()


def evolution(old: Operator, new: Operator) -> Evolution:
    """Say what is between two operators whose stores have the same name and different fingerprints."""
    obstacles = [*_kernels(old.kernel, new.kernel), *_other_topics(old, new)]
    was, now = old.store.changelog.partitions, new.store.changelog.partitions
    if was != now:
        obstacles.append(f"it had {_counted(was, 'partition')}, now {now}")
    if not (isinstance(old.kernel, Aggregate) and isinstance(new.kernel, Aggregate)):
        return Evolution(tuple(obstacles or [UNKNOWN]))
    calls = _Calls(_described(old, old.kernel), _described(new, new.kernel))
    changes = calls.changes
    emits = (old.kernel.emit, new.kernel.emit)
    if emits[0] is not emits[1] and Emit.FINAL not in emits:
        changes.append(_emits(*emits))
    if not obstacles and not changes:
        obstacles.append(UNKNOWN)
    if bool(old.kernel.calls) != bool(new.kernel.calls):
        kinds = ("aggregates", "distinct rows") if old.kernel.calls else ("distinct rows", "aggregates")
        obstacles.append(f"it kept {kinds[0]}, now {kinds[1]}")
    is_readable = not obstacles
    obstacles += calls.obstacles(over_table=new.kernel.feed.changes is not Changes.APPEND)
    obstacles += _on_their_way(old.kernel.feed, new.kernel.feed)
    return Evolution(
        tuple(obstacles), is_readable, tuple(changes), tuple(calls.consequences()), calls.mapping
    )


def inputs_evolution(old: Operator, new: Operator) -> Evolution:
    """Say what is between two operators whose stores have the same fingerprint: which rows go in.

    Other topics make an obstacle: the state would be half of the one and half of the other. Other conditions, or topics more or
    less, make state of rows from before and rows from now on, which is told.
    """
    is_same = old.store.inputs == new.store.inputs
    obstacles, rows = ((), ()) if is_same else (_other_topics(old, new), _other_rows(old.store, new.store))
    return Evolution(tuple(obstacles), not tuple(obstacles), consequences=tuple(rows))


def _other_topics(old: Operator, new: Operator) -> Iterator[str]:
    if new.store.inputs is None:
        return
    for number, (feed, now) in enumerate(zip(old.feeds, new.store.inputs.topics, strict=False)):
        if old.store.inputs is not None:
            was = old.store.inputs.topics[number]
        elif is_repartitioned(feed) or now != (new.feeds[number].source,):
            continue  # Of a release that did not note it.
        else:
            was = (feed.source,)
        if set(was) - set(now) and set(now) - set(was):
            yield f"its rows came from {_topics(was)}, come from {_topics(now)}"


def _topics(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _other_rows(old: Store, new: Store) -> Iterator[str]:
    if old.inputs is not None and new.inputs is not None:
        yield (
            "the rows that go in changed: results mix old and new rows; "
            f"`--discard-state={new.name}` begins anew"
        )


UNKNOWN: Final = "it was written by another release, or in a way that this one does not know"


def _kernels(old: Kernel, new: Kernel) -> Iterable[str]:
    """Say what differs beside the calls of aggregates."""
    if type(old) is not type(new):
        yield f"it was {_KINDS[type(old)]}, is {_KINDS[type(new)]}"
        return
    for name in (item.name for item in fields(old)):
        was, now = getattr(old, name), getattr(new, name)
        if isinstance(was, Feed):
            side = "" if name == "feed" else f" of the {name} side"
            yield from _feeds(was, now, side, values=not isinstance(old, Aggregate))
        elif name == "window":
            if _window(was) != _window(now):
                yield f"the window was {_window(was)}, is {_window(now)}"
        elif name == "emit":
            if was is not now and Emit.FINAL in (was, now):
                yield _emits(was, now)
        elif name == "kind":
            if was is not now:
                yield f"it was {_article(was)} join, is {_article(now)}"
        elif name in ("before", "after"):
            if was != now:
                yield f"rows matched up to {_time(was)} {name}, now {_time(now)}"
        elif name == "calls" and isinstance(old, Over) and was != now:
            yield "the aggregates changed"
        elif name == "preceding" and isinstance(old, Over) and isinstance(new, Over):
            if _rows(old) != _rows(new):
                yield f"results were over {_rows(old)}, now over {_rows(new)}"
        elif name == "function" and was is not now:
            yield f"rows were numbered by {was.value.upper()}, now by {now.value.upper()}"
        elif name in _OF_A_MATCH:
            if was != now:
                yield f"{_OF_A_MATCH[name]} changed"
        elif name in ("order", "limit", "counted") and was != now:
            yield f"the {name} changed" if name != "limit" else f"the first {was} were kept, now {now}"


def _rows(over: Over) -> str:
    if (stretch := over.stretch) is not None:
        return (
            "the rows of all time before" if stretch.length is None else f"the last {_time(stretch.length)}"
        )
    preceding = over.preceding
    return "all rows before" if preceding is None else f"{_counted(preceding, 'row')} before"


def _emits(was: Emit, now: Emit) -> str:
    return f"results came {_EMITS[was]}, now {_EMITS[now]}"


def _feeds(old: Feed, new: Feed, side: str, *, values: bool) -> Iterable[str]:
    was, now = _columns(old, of_key=True), _columns(new, of_key=True)
    if was != now:
        yield f"the key{side} was {_listed(was)}, is {_listed(now)}"
    if old.changes is not new.changes:
        yield f"it took {_CHANGES[old.changes]}{side}, now {_CHANGES[new.changes]}"
    if values:
        was, now = _columns(old, of_key=False), _columns(new, of_key=False)
        if was != now:
            yield f"the columns{side} were {_listed(was)}, are {_listed(now)}"


def _on_their_way(old: Feed, new: Feed) -> Iterable[str]:
    """Say whether rows that the old version has put into the repartition topic would be taken for others."""
    types = [[column.type for column in feed.value] for feed in (old, new)]
    names = [feed.labels[len(feed.key) :] for feed in (old, new)]
    if is_repartitioned(new) and types[0] == types[1] and names[0] != names[1]:
        was, now = (", ".join(f"`{name}`" for name in side) for side in names)
        yield f"rows on their way to it may carry {was}, where {now} is read now"


def is_repartitioned(feed: Feed) -> bool:
    """Whether rows come by way of a topic of the program's own."""
    return feed.source.startswith(_APPLICATION)


def _columns(feed: Feed, *, of_key: bool) -> list[str]:
    keys = len(feed.key)
    columns = feed.key if of_key else feed.value
    names = feed.labels[:keys] if of_key else feed.labels[keys:]
    return [
        f"`{name}` {type_name(column.type)}"
        for name, column in zip(names or [column.name for column in columns], columns, strict=True)
    ]


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns) or "nothing"


def _article(kind: JoinKind) -> str:
    return f"an {kind.value}" if kind is JoinKind.INNER else f"a {kind.value}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _window(window: Window | JoinWindow | None) -> str:
    if isinstance(window, JoinWindow):
        return f"that of both sides, {_time(window.size)}"
    if window is None:
        return "none"
    parts = [f"{window.kind.value.upper()} {_time(window.size)}"]
    if window.advance is not None:
        parts.append(f"every {_time(window.advance)}")
    if window.offset:
        parts.append(f"from {_time(window.offset)} on")
    return " ".join(parts)


def _time(ms: int) -> str:
    for size, unit in _UNITS:
        if ms and ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms}ms"


@dataclass(frozen=True, slots=True)
class _Call:
    """A call as the program has it: `text` and `types` say whether two are the same, `label` is the result's name."""

    text: str
    types: str
    label: str


def _described(operator: Operator, kernel: Aggregate) -> list[_Call]:
    labels = operator.labels or tuple(column.name for column in operator.columns)
    results = labels[len(labels) - len(kernel.calls) :]
    return [_call(call, kernel.feed, label) for call, label in zip(kernel.calls, results, strict=True)]


def _call(call: AggregateCall, feed: Feed, label: str) -> _Call:
    names = feed.labels[len(feed.key) :] or tuple(column.name for column in feed.value)
    arguments = [names[index] for index in call.arguments] or ["*"]
    if call.limit is not None:
        arguments.append(str(call.limit))
    if call.parameter is not None:
        arguments.append(repr(call.parameter))
    text = f"{call.function}({'DISTINCT ' if call.distinct else ''}{', '.join(arguments)})"
    if call.filter is not None:
        text += f" FILTER (WHERE {names[call.filter]})"
    types = [_column_type(feed.value[index]) for index in call.arguments]
    return _Call(text, ", ".join([*types, type_name(call.type)]), label)


def _column_type(column: Column) -> str:
    return type_name(column.type)


class _Calls:
    """Which calls went, which came, and which are the same."""

    def __init__(self, old: list[_Call], new: list[_Call]) -> None:
        left: dict[tuple[str, str], list[int]] = {}
        for number, call in enumerate(old):
            left.setdefault((call.text, call.types), []).append(number)
        mapping: list[int | None] = []
        for call in new:
            same = left.get((call.text, call.types))
            mapping.append(same.pop(0) if same else None)
        self.mapping = tuple(mapping)
        kept = [number for number in mapping if number is not None]
        self._added = [call for call, number in zip(new, mapping, strict=True) if number is None]
        self._removed = [call for number, call in enumerate(old) if number not in kept]
        self._moved = kept != sorted(kept)

    @property
    def changes(self) -> list[str]:
        """Give what changed."""
        found = [f"`{call.text}` was removed" for call in self._removed]
        found += [f"`{call.text}` was added" for call in self._added]
        if not found and self._moved:
            found.append("the order of the aggregates changed")
        return found

    def consequences(self) -> list[str]:
        """Give what the results of added calls begin with."""
        again = Counter(call.label for call in self._added)
        return [
            f"`{call.label}` counts all rows, which were counted before"
            if call.text == "COUNT(*)"
            else f"`{call.label if again[call.label] == 1 else call.text}` begins with the rows that come from now on"
            for call in self._added
        ]

    def obstacles(self, *, over_table: bool) -> Iterable[str]:
        """Give what cannot be taken over."""
        for call in self._added:
            of_type = [item for item in self._removed if item.text == call.text]
            of_name = [item for item in self._removed if item.label == call.label]
            if of_type:
                yield f"`{call.text}` was of ({of_type[0].types}), is of ({call.types})"
            elif of_name:
                yield f"`{call.label}` was `{of_name[0].text}`, is `{call.text}`"
            elif over_table and call.text != "COUNT(*)":
                # A row that was there before would be taken away from a sum that it was never added to.
                yield f"`{call.text}` was added, over a table, whose rows of before it has not seen"
