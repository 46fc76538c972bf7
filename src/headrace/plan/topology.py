"""The physical plan of a program: what is read, which DuckDB query turns a batch into a batch, what is written.

Only data: made by the planner, run by the engine, shown by `headrace plan`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from headrace.log.interface import OffsetReset, TopicDescription

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from headrace.errors import Diagnostic
    from headrace.formats.interface import Path, Side
    from headrace.functions.user import UserFunction
    from headrace.plan.operators import Operator


class Facet(StrEnum):
    """A part of a record."""

    KEY = "_key"
    VALUE = "_value"
    META = "_meta"
    HEADERS = "_headers"


ROW = "_row"
"""Name of the column with the row number in the input batch (int32); every pipeline carries it through to its output."""

TOMBSTONE = "_tombstone"
"""Name of the column that says which records of a source have no value (bool, never null)."""

CLOCK: Final = "PROCTIME()"
"""Name, among those of META, of the machine's clock when the batch of a record was taken up."""


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column of the relation `input` that the pipelines of a source read.

    Args:
        name: `c0`, `c1`, …; free of the user's spelling, so case never clashes in DuckDB.
        facet: KEY, VALUE: decoded at `path`; META: `path` is (name,) with partition, offset, timestamp (epoch ms, int64),
            `__keysize`, `__valuesize` (null without key or value), topic, or CLOCK; HEADERS: `path` () is the whole column as
            log.HEADERS.
        type: Arrow type that DuckDB sees.
    """

    name: str
    facet: Facet
    path: Path
    type: pa.DataType


class KeyMode(StrEnum):
    """Where the bytes of an output key come from."""

    PASS = "pass"
    """The input's key bytes, untouched."""
    ENCODE = "encode"
    """The output columns of the key, encoded."""
    NONE = "none"
    """No key (null)."""


class ValueMode(StrEnum):
    """Where the bytes of an output value come from."""

    PASS = "pass"
    """The input's value bytes, untouched (SELECT * into the same format and schema)."""
    ENCODE = "encode"
    TOMBSTONE = "tombstone"


@dataclass(frozen=True, slots=True)
class Sink:
    """A target topic.

    Args:
        topic: name.
        key, value: format and type written; with PASS the side of the source.
        create: how to create it if it is missing (autocreate), else None: it exists and was checked.
        register_key, register_value: (subject, schema text) to register before the first record, if the format has a registry.
        internal: a repartition topic, read by the program itself; `topic` and `create` have `{application}` in their names.
    """

    topic: str
    key: Side
    value: Side
    create: TopicDescription | None = None
    register_key: tuple[str, str] | None = None
    register_value: tuple[str, str] | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column of a pipeline's result, and its place in the key or value of the sink.

    The engine casts the column to the type that the sink's side has at `path` and puts the record together by path: the sink's
    type gives the order of fields, a record on the way is never null, a field of the sink without a column is null.

    Args:
        name: `k0`, `v0`, … in the query's result.
        path: field names from the root of the sink's side; () if the column is the whole key or value (a primitive, or a record
            as one struct column, which may be null: a null whole value is a tombstone, a null whole key is no key).
    """

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Combined:
    """The query of a pipeline for rows of one group put together: a batch then gives one row for each group in it.

    It may stand in for the pipeline's own query where no row of the batch fails, and none of them is late because of another:
    where the first window of the earliest ends, and its grace is over, only after the latest.

    Args:
        query: a SELECT over `input`. Output columns as the pipeline's, `_row` being the first row of each group; then `_time`,
            the latest event time (epoch ms, int64), `_least`, the earliest, and `_undated`, whether a row of the group has none.
        pane: length in ms of the stretches of time that no window divides; 0: there are no windows.
        offset: how much later than at multiples of that they begin.
        grace: of the windows, in ms.
    """

    query: str
    pane: int = 0
    offset: int = 0
    grace: int = 0


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One DuckDB query from one source to one sink.

    Args:
        id: stable name from the logical plan, for metrics and explain.
        source: key of `Topology.sources`, or id of an operator: `input` then has that operator's columns, `_row`, `_op`, `_time`.
        sink: key of `Topology.sinks`.
        query: a SELECT over `input`. Output columns, in this order: `_row`; then the names of `key_columns` (`k0`, `k1`, …),
            the names of `value_columns` (`v0`, `v1`, …) and, with `sets_time`, `_time` (epoch ms, int64). Flat, so that field
            names that differ only by case never meet in DuckDB. Rows in input order. Input rows with null value (tombstones)
            are dropped by the query's own condition on `_tombstone` (a boolean column that the engine always gives), or
            passed on, as the plan says.
        key_mode, value_mode: where bytes come from.
        sets_time: the record timestamp is `_time`, else the input's.
        key_columns: with KeyMode.ENCODE, what the key is made of.
        value_columns: with ValueMode.ENCODE, what the value is made of.
        deletes: what becomes of rows of kind DELETE and UPDATE_BEFORE of an operator: with True a row that goes, and is not
            replaced, is written as a tombstone of its key; with False (a repartition topic that carries `_op` as a column)
            they are written like others.
        combined: into a repartition topic: how rows of one group may go as one; None: each row goes by itself.
    """

    id: str
    source: str
    sink: str
    query: str
    key_mode: KeyMode
    value_mode: ValueMode
    sets_time: bool = False
    key_columns: tuple[OutputColumn, ...] = ()
    value_columns: tuple[OutputColumn, ...] = ()
    deletes: bool = True
    combined: Combined | None = None


@dataclass(frozen=True, slots=True)
class SourceTopic:
    """An input topic with the union of the columns that its pipelines and operators read.

    Args:
        topic: name; of an internal topic with `{application}` in place of the application id.
        key, value: formats and types.
        columns: of the relation `input`.
        time_query: gives `_row` and `_time` (event time, epoch ms) over `input`, where the order of the inputs of a task is
            not that of the records' timestamps (EVENTTIME BY).
        internal: a repartition topic, written by the program itself.
        clock: its records, of a repartition topic, have as their time the machine's clock when they are taken up from it, as
            those have that they were made of: none of them is late.
    """

    topic: str
    key: Side
    value: Side
    columns: tuple[InputColumn, ...]
    time_query: str | None = None
    internal: bool = False
    clock: bool = False

    @property
    def reads_clock(self) -> bool:
        """Say whether its records are read with the machine's clock."""
        return any(column.facet is Facet.META and column.path == (CLOCK,) for column in self.columns)


ALL_PROCESSES: Final = (1 << 31) - 1
"""As a number of standby replicas: every process keeps a copy of everything."""


class ErrorPolicy(StrEnum):
    """What becomes of a record that cannot be decoded, computed or encoded."""

    FAIL = "fail"
    CONTINUE = "continue"
    DLQ = "dlq"


class Guarantee(StrEnum):
    """Processing guarantee."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What SET (and the command line) decides about the run. Defaults here are the product's defaults.

    Args:
        on_read_error: a record that cannot be decoded, or whose expression fails.
        on_write_error: a record that cannot be encoded or is refused by the log (too large).
        dead_letter_topic: needed with DLQ; created if missing.
        client: properties for both clients; consumer_client / producer_client for one of them.
        commit_interval: seconds.
        threads: `num.stream.threads`.
        late_topic: where records go that are too late for every window; None: they are counted alone.
        task_idle: seconds that a task waits for records of an input that has none, before it goes on with its others.
        idle_timeout: seconds without records after which the stream time of a task moves on with the clock; 0: never.
        state_memory: bytes for state in memory; None: a share of what the process may have.
        standby_replicas: how many other processes keep a copy of each task's state.
    """

    guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    on_read_error: ErrorPolicy = ErrorPolicy.FAIL
    on_write_error: ErrorPolicy = ErrorPolicy.FAIL
    dead_letter_topic: str | None = None
    commit_interval: float = 0.2
    threads: int = 1
    offset_reset: OffsetReset = OffsetReset.EARLIEST
    late_topic: str | None = None
    task_idle: float = 0.0
    idle_timeout: float = 0.0
    state_memory: int | None = None
    standby_replicas: int = 0
    client: Mapping[str, str] = field(default_factory=dict)
    consumer_client: Mapping[str, str] = field(default_factory=dict)
    producer_client: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topology:
    """A whole program, ready to run."""

    sources: Mapping[str, SourceTopic]
    sinks: Mapping[str, Sink]
    pipelines: tuple[Pipeline, ...]
    settings: RunSettings
    setup: tuple[str, ...] = ()
    """SQL to run once on each DuckDB connection before the queries (macros of functions)."""
    warnings: tuple[Diagnostic, ...] = ()
    """What the user should know before it runs; nothing that stops it."""
    operators: tuple[Operator, ...] = ()
    """Stateful operators; each stands behind those that it reads from."""
    functions: tuple[UserFunction, ...] = ()
    """User functions that the queries and operators call."""
    tables: Mapping[str, SourceTopic] = field(default_factory=dict)
    """Topics that every thread reads whole, for joins with `broadcast`: no member of the group owns their partitions."""
