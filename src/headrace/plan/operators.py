"""Stateful operators of a topology: what goes into each, what it does, what comes out. Only data; the kernels are native.

Rows between operators are changes. Each has a kind in the column `_op` (see `RowKind`), an event time, the partition of its task
and its place in the order of the task. A relation's `Changes` says which kinds occur and what they carry.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.log.interface import TopicDescription

OP, TIME, SEQ, PARTITION = "_op", "_time", "_seq", "_partition"
"""Columns that every kernel takes and gives beside its own: int8, int64 (epoch ms), int64, int32."""

NO_EVENT_TIME: Final = "event time is null or before 1970"
"""What queries fail with for a record that has no place in event-time order."""


class RowKind(IntEnum):
    """What a row does to the relation it belongs to. The sign is its weight in an aggregate."""

    INSERT = 1
    UPDATE_AFTER = 2
    """The new state of a row whose old state stands right before it, as UPDATE_BEFORE."""
    DELETE = -1
    UPDATE_BEFORE = -2


class Changes(StrEnum):
    """Which changes a relation gives."""

    APPEND = "append"
    """Facts: INSERT alone."""
    UPSERT = "upsert"
    """The latest state of a key (INSERT or UPDATE_AFTER), or DELETE, of which only the key counts."""
    RETRACT = "retract"
    """As UPSERT, but whatever goes is given whole: UPDATE_BEFORE right before its UPDATE_AFTER, DELETE with all columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of rows on the way into or out of a kernel."""

    name: str
    type: pa.DataType


@dataclass(frozen=True, slots=True)
class Feed:
    """One input of an operator: a DuckDB query over the rows of a source or of an earlier operator.

    Args:
        source: key of `Topology.sources`, or id of an operator that stands before this one.
        query: a SELECT over `input`: `_row`, then the names of `key` (`k0`, …), of `value` (`v0`, …), with `sets_time` `_time`
            (epoch ms, int64), with `sets_op` `_op` (int8). Rows in input order. What it does not set is the input row's.
            For a source, `input` is as for a pipeline. For an operator it has that operator's columns, `_row`, `_op` and `_time`.
        key: what rows are grouped, joined or told apart by.
        value: arguments of aggregates, or the columns that are carried on.
        changes: what the rows are.
        labels: what the program calls the columns of key and value, one for each; for people, and to tell the columns of one
            version of a program from those of another. Empty if it has no names for them.
        parts: columns that the query gives in place of `value`, where a row may stand for several rows of one group; the first
            (int64) says for how many. Named `u0`, ….
    """

    source: str
    query: str
    key: tuple[Column, ...]
    value: tuple[Column, ...]
    changes: Changes = Changes.APPEND
    sets_time: bool = False
    sets_op: bool = False
    labels: tuple[str, ...] = ()
    parts: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Give what the query gives: the key, and the value or what stands for it."""
        return (*self.key, *(self.parts or self.value))


class WindowKind(StrEnum):
    """How event time is cut."""

    TUMBLE = "tumble"
    HOP = "hop"
    CUMULATE = "cumulate"
    SESSION = "session"
    SLIDE = "slide"


@dataclass(frozen=True, slots=True)
class Window:
    """A window of an aggregate, in milliseconds.

    Args:
        size: of TUMBLE, HOP, SLIDE; the longest of CUMULATE; the gap of inactivity of SESSION.
        advance: of HOP; by how much CUMULATE grows.
        grace: how long after its end a window still takes records.
        offset: how much later than at multiples of their step TUMBLE, HOP and CUMULATE begin; at least 0.
    """

    kind: WindowKind
    size: int
    grace: int
    advance: int | None = None
    offset: int = 0

    @property
    def has_own_end(self) -> bool:
        """Whether a window is told apart by its start and its end: several may begin at one time."""
        return self.kind in (WindowKind.SESSION, WindowKind.CUMULATE)


class Emit(StrEnum):
    """When an aggregate gives its results."""

    COMMIT = "commit"
    """At each commit the latest state of each key that changed."""
    RECORD = "record"
    """One update for each input row."""
    FINAL = "final"
    """Once, when the window closes: stream time has reached its end and grace."""


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """One aggregate function of an operator.

    Args:
        function: canonical name, upper case: COUNT (no argument: COUNT(*)), SUM, AVG, MIN, MAX, FIRST, LAST, ANYF, COLLECT,
            COLLECT_UNIQUE, MAXK, MAXK_UNIQUE, MINK, MINK_UNIQUE, TOPK, BOTTOMK, STDDEV, STDDEV_POP, VARIANCE, VAR_POP,
            APPROX_COUNT_DISTINCT, APPROX_QUANTILE, BOOL_AND, BOOL_OR, STRING_AGG, COVAR_POP, COVAR_SAMP, CORR, REGR_…; FOLD, a
            user function over items that the feed makes (`functions.user.evaluate`), whose result is a list of such items.
        arguments: indices of the feed's value columns.
        type: of the result.
        distinct: each value counts once.
        filter: index of a boolean value column; the row counts where it is true.
        limit: N of MAXK and the like, most elements of COLLECT; None for all.
        parameter: separator of STRING_AGG, the quantile as text, or the name of the user function of FOLD.
    """

    function: str
    arguments: tuple[int, ...]
    type: pa.DataType
    distinct: bool = False
    filter: int | None = None
    limit: int | None = None
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """What rows that stand for several bring along for a call, by indices of the feed's `parts`.

    Args:
        argument: the sum, the least or the greatest of the rows, or how many there are to count; None for COUNT(*).
        weight: by how much the call's number of values grows where the argument is not null.
    """

    argument: int | None
    weight: int


@dataclass(frozen=True, slots=True)
class Aggregate:
    """GROUP BY.

    Columns: the key's `k0`…, with a window `w0` (start) and `w1` (end; int64 ms), the calls' `a0`…
    Without calls it is DISTINCT: a group comes out when it appears (and, over a table, when it goes).
    """

    feed: Feed
    calls: tuple[AggregateCall, ...]
    emit: Emit = Emit.COMMIT
    window: Window | None = None
    retracts: bool = False
    """Give RETRACT changes instead of UPSERT."""
    keeps_nulls: bool = False
    """A row whose keys are all null is a group like others; else it is in none."""
    parts: tuple[Part, ...] = ()
    """With `parts` of the feed: for each call, in place of its arguments and filter."""


class JoinKind(StrEnum):
    """Which rows without a partner come out, with nulls for the other side."""

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class JoinWindow:
    """The windows in which rows of two streams meet.

    Args:
        key: index of the key column that is a bound of the row's window (int64 ms).
        until: how long after that bound the window ends.
        size: how long it is at most.
    """

    key: int
    until: int
    size: int


@dataclass(frozen=True, slots=True)
class StreamJoin:
    """Two streams within a time of one another, or in equal windows.

    Columns: `k0`…, the left's `l0`…, the right's `r0`…; `_time` is the later of both, or the last of the window.
    A right row matches a left row of equal key whose time t meets t - before <= right's time <= t + after. Rows without a
    partner come out once, when stream time has passed all times that could match, and grace. With a window, which is among
    the keys, `before` and `after` are 0, and this is when the window and its grace are over. Either of them may be below 0
    where their sum is: no time lies between, so no row has a partner, and those that come out alone do so at once.
    """

    left: Feed
    right: Feed
    kind: JoinKind
    before: int
    after: int
    grace: int
    window: JoinWindow | None = None


@dataclass(frozen=True, slots=True)
class LookupJoin:
    """A stream, each row with the present row of a table.

    Columns: `k0`…, the stream's `l0`…, the table's `r0`…
    """

    stream: Feed
    table: Feed
    kind: JoinKind
    """INNER or LEFT."""
    broadcast: bool = False
    """The table is read whole by every thread: its feed's source is a key of `Topology.tables`."""


@dataclass(frozen=True, slots=True)
class TableJoin:
    """Two tables on equal keys, any number of rows a key on each side.

    RETRACT changes. Columns: `k0`…, `l0`…, `r0`…
    Args:
        left, right: rows told apart by all of their columns: RETRACT, or UPSERT where the join key is the table's key.
    """

    left: Feed
    right: Feed
    kind: JoinKind


@dataclass(frozen=True, slots=True)
class Table:
    """The latest row of each key: UPSERT in, RETRACT out.

    Columns: `k0`…, `v0`…
    With `counted`, the input is RETRACT changes whose order across keys' former owners is not known (a result put into a new
    order by repartition): rows are counted, and the row that is left is the state.
    """

    feed: Feed
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """One term of ORDER BY over the value column with this index."""

    column: int
    descending: bool = False
    nulls_first: bool = False


class RankFunction(StrEnum):
    """What rows that are equal in the order get for a number."""

    ROW_NUMBER = "row_number"
    """Each another one: first the row that came first."""
    RANK = "rank"
    """The same, and those behind them go on as if they had not."""
    DENSE_RANK = "dense_rank"
    """The same, and those behind them the next one."""


@dataclass(frozen=True, slots=True)
class Rank:
    """ROW_NUMBER() OVER (PARTITION BY key ORDER BY …) <= limit, or another function in its place.

    Columns: `k0`…, `n0` (place in the order, int64, from 1), with RANK and DENSE_RANK `n1` (the number, int64, from 1), `v0`…;
    UPSERT by key and place.
    Ties: the place before is that of the row that came first.
    """

    feed: Feed
    order: tuple[Order, ...]
    limit: int
    retracts: bool = False
    function: RankFunction = RankFunction.ROW_NUMBER


@dataclass(frozen=True, slots=True)
class Sort:
    """A stream in the order of its event time.

    Columns: the key's `k0`…, if it has one, and `v0`…; each row once, at its own time, when stream time has passed that and
    the grace. Rows of equal times: by `order`, then as they came.
    """

    feed: Feed
    grace: int
    order: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Stretch:
    """The stretch of event time that ends at that of a row.

    Args:
        length: milliseconds; None: all of the time before.
        grace: how long after its time a row may come, milliseconds.
    """

    length: int | None
    grace: int


@dataclass(frozen=True, slots=True)
class Over:
    """Aggregates OVER (PARTITION BY key ORDER BY … ROWS | RANGE BETWEEN … PRECEDING AND CURRENT ROW).

    Columns: `k0`…, the calls' `a0`…, `v0`…; each row with the results over itself and the rows before it.
    Over APPEND rows the order is that in which they come, and each comes out once; over RETRACT changes it is that of columns.
    Ties: the row that came first. With `stretch` a row comes out when stream time has passed its own and the grace, with the
    results over all rows whose times lie in the stretch, both ends among them; APPEND only.
    """

    feed: Feed
    calls: tuple[AggregateCall, ...]
    order: tuple[Order, ...] = ()
    preceding: int | None = None
    """How many rows before each are taken; None: all."""
    arguments: int = 0
    """So many value columns, the first ones, are arguments."""
    stretch: Stretch | None = None
    """The rows are those of a stretch of time, and `preceding` says nothing."""


Skip = tuple[Literal["past_last", "to_next", "to_first", "to_last"], int | None]
"""Where the search goes on behind a match; the number is that of a variable."""

Take = Literal["first", "last", "all", "count"]
"""What a measure takes: the value of the first or the last row, a list of all values, or the number of rows."""


@dataclass(frozen=True, slots=True)
class MatchMeasure:
    """A column of a match.

    Args:
        take: what it is.
        variable: of whose rows; None: of all.
        column: index of the value column; None for a number of rows.
        offset: of the first or the last row, how many rows further inward.
    """

    take: Take
    variable: int | None
    column: int | None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """MATCH_RECOGNIZE: rows of a key that follow one another as a pattern says.

    Columns: `k0`…, the measures' `a0`…; `_time` is that of the last row of the match.
    Pattern, conditions and references stand in the form that the native module reads (`kernels/matching/spec.rs`), with numbers
    for variables.

    Args:
        text: the pattern, for people.
        conditions: one for each variable; None: all rows meet it.
        references: what conditions ask of the rows taken before.
        within: a match is shorter than so many milliseconds.
    """

    feed: Feed
    text: str
    pattern: dict[str, Any]
    conditions: tuple[Any, ...]
    references: tuple[dict[str, Any], ...]
    measures: tuple[MatchMeasure, ...]
    skip: Skip
    within: int | None = None


Kernel = Aggregate | StreamJoin | LookupJoin | TableJoin | Table | Rank | Sort | Over | Match


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which rows go into an operator. The meaning of its state does not hang on it, and what the state says does.

    Args:
        topics: for each feed, the topics that its rows come from, directly or through other operators.
        rows: changes with the queries on the way: conditions, and what columns are computed of.
    """

    topics: tuple[tuple[str, ...], ...]
    rows: str


@dataclass(frozen=True, slots=True)
class Store:
    """Where the state of an operator is kept.

    Args:
        name: stable under unrelated edits of the program; also the id of the operator.
        changelog: the compacted topic behind it. Its name lacks the application id: `{application}` stands for it.
        fingerprint: changes whenever the meaning of stored bytes does.
        inputs: what goes in; None in plans and marks of before it was noted.
    """

    name: str
    changelog: TopicDescription
    fingerprint: str
    inputs: Inputs | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """A stateful operator.

    Args:
        id: key of the operator; the name of its store.
        kernel: what it does.
        columns: its own columns of the rows that come out.
        changes: what those rows are.
        store: its state.
        labels: what the program calls the columns, one for each; for people.
        clock: all of its rows have the machine's clock as their time, so that its stream time may go with the clock.
    """

    id: str
    kernel: Kernel
    columns: tuple[Column, ...]
    changes: Changes
    store: Store
    labels: tuple[str, ...] = ()
    clock: bool = False

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Give the inputs, in the order in which the kernel takes them."""
        kernel = self.kernel
        if isinstance(kernel, Aggregate | Table | Rank | Sort | Over | Match):
            return (kernel.feed,)
        if isinstance(kernel, LookupJoin):
            return (kernel.stream, kernel.table)
        return (kernel.left, kernel.right)

    @property
    def task_feeds(self) -> tuple[Feed, ...]:
        """Give the inputs whose partitions make up its tasks: all but a table that every thread reads whole."""
        kernel = self.kernel
        if isinstance(kernel, LookupJoin) and kernel.broadcast:
            return (kernel.stream,)
        return self.feeds
