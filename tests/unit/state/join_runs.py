"""Runs a kernel and its model over the same rows, with cuts, commits, restarts and failures in between, and compares them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import strategies as st

from headrace._native import Kernel, LocalStore
from headrace.plan.operators import OP, PARTITION, SEQ, TIME, Changes, Order, RowKind
from tests.unit.state.join_oracles import Oracle, Out, Row, Values, changes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTITIONS = 2
UNKNOWN = 0
"""Stands for `_seq` of rows that no row caused."""
FIXED = [
    pa.field(PARTITION, pa.int32()),
    pa.field(SEQ, pa.int64()),
    pa.field(TIME, pa.int64()),
    pa.field(OP, pa.int8()),
]


class Event(Enum):
    """What happens after a batch."""

    NOTHING = "nothing"
    COMMIT = "commit"
    REOPEN = "reopen"
    """Commit, then a new kernel on the same local store."""
    REBUILD = "rebuild"
    """Commit, then a new kernel on a store that was restored from the changelog."""
    ROLLBACK = "rollback"
    """The batches since the last commit fail, and are processed again."""
    CRASH = "crash"
    """A new kernel on the same local store, without a commit; then as ROLLBACK."""
    TRIM = "trim"
    """Commit, and keep nothing in memory that the store has."""


@dataclass(frozen=True)
class Record:
    """A source record, and the rows that the feeds of each input make of it."""

    partition: int
    time: int
    rows: tuple[tuple[int, RowKind, Values, Values], ...]
    """Input, kind, key, value. None at all: stream time moves on without a row."""


@dataclass(frozen=True)
class Plan:
    """How records are cut into calls."""

    cuts: Sequence[int]
    """Records in each call; the last number again and again."""
    events: Sequence[Event]
    """What happens after each call; in turn."""


plans = st.builds(
    Plan,
    cuts=st.lists(st.sampled_from([1, 1, 2, 3, 7, 100]), min_size=1, max_size=5),
    events=st.lists(st.sampled_from(list(Event)), min_size=1, max_size=6),
)


@dataclass(frozen=True)
class Subject:
    """A kernel under test."""

    spec: dict[str, Any]
    key: Sequence[pa.DataType]
    values: Sequence[Sequence[pa.DataType]]
    """Of each input."""
    output: Sequence[pa.DataType]
    """The kernel's own columns."""

    def input_schema(self, index: int) -> pa.Schema:
        keys = [pa.field(f"k{at}", type) for at, type in enumerate(self.key)]
        return pa.schema(
            [*FIXED, *keys, *(pa.field(f"v{at}", type) for at, type in enumerate(self.values[index]))]
        )

    def output_schema(self) -> pa.Schema:
        return pa.schema([*FIXED, *(pa.field(f"c{at}", type) for at, type in enumerate(self.output))])

    def make(self) -> Kernel:
        spec = {"store": "s", "keys": len(self.key), **self.spec}
        inputs = [self.input_schema(index) for index in range(len(self.values))]
        return Kernel(json.dumps(spec), inputs, self.output_schema())

    def batch(self, index: int, rows: list[Row]) -> pa.RecordBatch | None:
        rows = [row for row in rows if row.input == index]
        if not rows:
            return None
        fixed = [(row.partition, row.seq, row.time, int(row.op)) for row in rows]
        columns = list(
            zip(*((*head, *row.key, *row.value) for head, row in zip(fixed, rows, strict=True)), strict=True)
        )
        schema = self.input_schema(index)
        return pa.record_batch(
            [pa.array(list(c), f.type) for c, f in zip(columns, schema, strict=True)], schema=schema
        )


@dataclass
class Run:
    """A kernel with its local stores and changelog."""

    subject: Subject
    kernel: Kernel = field(init=False)
    stores: list[LocalStore] = field(init=False)
    changelog: list[dict[bytes, bytes]] = field(init=False)
    committed: list[Out] = field(default_factory=list)
    """What came out up to the last commit."""
    pending: list[Out] = field(default_factory=list)
    late: list[Row] = field(default_factory=list)
    pending_late: list[Row] = field(default_factory=list)
    since_commit: list[Callable[[], None]] = field(default_factory=list)
    """The calls since the last commit."""
    position: int = 0

    def __post_init__(self) -> None:
        self.changelog = [{} for _ in range(PARTITIONS)]
        self.stores = [self.new_store() for _ in range(PARTITIONS)]
        self.open()

    def new_store(self) -> LocalStore:
        store = LocalStore(None)
        store.begin("s", "fingerprint")
        return store

    def open(self) -> None:
        self.kernel = self.subject.make()
        for partition, store in enumerate(self.stores):
            self.kernel.open(partition, store)

    def process(self, rows: list[Row]) -> None:
        inputs = range(len(self.subject.values))
        batches = [self.subject.batch(index, rows) for index in inputs]
        done = self.kernel.process(batches)
        assert done.failed == []
        self.take(done.rows)
        for index in inputs:
            mine = [row for row in rows if row.input == index]
            self.pending_late += [mine[at] for at in done.late[index].to_pylist() if at is not None]

    def advance(self, partition: int, time: int) -> None:
        """Let time move on. The rows carry the highest `_seq` that the kernel has seen, which a restart forgets."""
        before = len(self.pending)
        self.take(self.kernel.advance(partition, time).rows)
        self.pending[before:] = [replace(out, seq=UNKNOWN) for out in self.pending[before:]]

    def take(self, rows: pa.RecordBatch) -> None:
        assert rows.schema.equals(self.subject.output_schema()), rows.schema
        rows.validate(full=True)
        columns = [column.to_pylist() for column in rows.columns]
        for partition, seq, time, op, *own in zip(*columns, strict=True):
            self.pending.append(Out(partition, seq, time, RowKind(op), tuple(map(hashable, own))))

    def call(self, function: Callable[[], None]) -> None:
        self.since_commit.append(function)
        function()

    def commit(self) -> None:
        self.take(self.kernel.flush())
        changes = self.kernel.changes()
        for partition, key, value, timestamp in zip(
            *(column.to_pylist() for column in changes.columns), strict=True
        ):
            assert timestamp is not None
            if value is None:
                self.changelog[partition].pop(key, None)
            else:
                self.changelog[partition][key] = value
        self.position += 10
        self.kernel.committed(dict.fromkeys(range(PARTITIONS), self.position))
        assert self.kernel.changes().num_rows == 0
        self.committed += self.pending
        self.late += self.pending_late
        self.pending, self.pending_late, self.since_commit = [], [], []

    def happen(self, event: Event) -> None:
        if event is Event.TRIM:
            self.kernel.limit(0)
            self.commit()
            self.kernel.limit(1 << 30)
        elif event in (Event.ROLLBACK, Event.CRASH):
            if event is Event.ROLLBACK:
                self.kernel.rollback()
            else:
                self.open()
            self.pending, self.pending_late = [], []
            for function in self.since_commit:
                function()
        elif event is not Event.NOTHING:
            self.commit()
            if event is Event.REBUILD:
                self.stores = [self.rebuilt(entries) for entries in self.changelog]
            if event is not Event.COMMIT:
                self.open()

    def rebuilt(self, entries: dict[bytes, bytes]) -> LocalStore:
        store = self.new_store()
        keys, values = pa.array(entries.keys(), pa.binary()), pa.array(entries.values(), pa.binary())
        store.restore("s", keys, values, self.position)
        return store


def hashable(value: Any) -> Any:
    return tuple(map(hashable, value)) if isinstance(value, list) else value


def rows_of(records: Sequence[Record]) -> list[list[Row]]:
    """Give the rows of each record; `_seq` ascends within a partition."""
    return [
        [
            Row(index, record.partition, 10 * seq, record.time, op, key, value)
            for index, op, key, value in record.rows
        ]
        for seq, record in enumerate(records)
    ]


def calls_of(records: Sequence[Record], cuts: Sequence[int]) -> list[list[Row] | Record]:
    """Cut the rows into batches; records without rows stand alone."""
    found: list[list[Row] | Record] = []
    waiting: list[Row] = []
    size = turn = 0
    for record, rows in zip(records, rows_of(records), strict=True):
        if not rows:
            found += [waiting, record] if waiting else [record]
            waiting, size = [], 0
            continue
        waiting += rows
        size += 1
        if size >= cuts[min(turn, len(cuts) - 1)]:
            found.append(waiting)
            waiting, size = [], 0
            turn += 1
    return [*found, waiting] if waiting else found


def check(subject: Subject, oracle: Callable[[], Oracle], records: Sequence[Record], plan: Plan) -> Run:
    """Fail unless the kernel gives what the model gives, in each partition in the same order."""
    run = Run(subject)
    for turn, call in enumerate(calls_of(records, plan.cuts)):
        if isinstance(call, Record):
            run.call(lambda call=call: run.advance(call.partition, call.time))  # type: ignore[misc]
        else:
            run.call(lambda call=call: run.process(call))  # type: ignore[misc]
        run.happen(plan.events[turn % len(plan.events)])
    run.commit()
    late: list[Row] = []
    for partition in range(PARTITIONS):
        model = oracle()
        expected: list[Out] = []
        for record, rows in zip(records, rows_of(records), strict=True):
            if record.partition != partition:
                continue
            if not rows:
                expected += model.advance(partition, UNKNOWN, record.time)
            for change in changes_of(rows):
                expected += model.process(change)
        found = [out for out in run.committed if out.partition == partition]
        assert found == expected
        late += model.late
    assert sorted(run.late, key=order_of) == sorted(late, key=order_of)
    return run


def order_of(row: Row) -> tuple[int, int, int]:
    return row.partition, row.seq, row.input


Drawn = tuple[int, RowKind, Values, Values]
Maker = Callable[[Random], Values]
"""Makes a key or the values of a row."""


def one_of_each(*columns: Sequence[Any]) -> Maker:
    """Make a row of one item of each column; an item that stands there twice comes twice as often."""
    return lambda random: tuple(map(random.choice, columns))


def terms(columns: int) -> st.SearchStrategy[Order]:
    """Give terms of an ORDER BY over so many columns."""
    return st.builds(
        Order, column=st.integers(0, columns - 1), descending=st.booleans(), nulls_first=st.booleans()
    )


@st.composite
def records(
    draw: st.DrawFn, inputs: Sequence[Changes], key: Maker, values: Sequence[Maker], *, advances: bool = False
) -> list[Record]:
    """Draw records whose rows are what each input is declared to be; a record may feed both inputs (a self-join).

    Hypothesis draws a number a record, and leaves out records and makes numbers smaller where it has found a fault. Drawing
    all that is in them would take three times as long as running the kernel and its model.
    """
    live: dict[tuple[int, int], list[tuple[Values, Values]]] = defaultdict(list)
    sides = [(0,)] if len(inputs) == 1 else [(0,), (1,), (0,), (1,), (0, 1)]
    found = []
    count = draw(st.integers(1, 30))
    for number in draw(st.lists(st.integers(0, 0xFFFF_FFFF), min_size=count, max_size=count)):
        random = Random(number)
        partition = random.randrange(PARTITIONS)
        time = random.randint(0, 40)
        rows: list[Drawn] = []
        for side in random.choice(sides):
            for _ in range(random.choice([1, 1, 1, 2])):
                rows += change(random, inputs[side], side, live[partition, side], key, values[side])
        if advances and random.randrange(10) == 0:
            rows = []
        if rows or advances:
            found.append(Record(partition, time, tuple(rows)))
    return found


def change(
    random: Random,
    changes: Changes,
    side: int,
    live: list[tuple[Values, Values]],
    key: Maker,
    value: Maker,
) -> list[Drawn]:
    """Make one change of an input: the rows of a RETRACT input are those that are there."""
    if changes is Changes.APPEND:
        return [(side, RowKind.INSERT, key(random), value(random))]
    if changes is Changes.UPSERT:
        kinds = [RowKind.INSERT, RowKind.UPDATE_AFTER, RowKind.UPDATE_AFTER, RowKind.DELETE]
        return [(side, random.choice(kinds), key(random), value(random))]
    what = random.choice(["insert", "insert", "update", "update", "rekey", "delete"])
    if what == "insert" or not live:
        live.append((key(random), value(random)))
        return [(side, RowKind.INSERT, *live[-1])]
    old = live.pop(random.randrange(len(live)))
    if what == "delete":
        return [(side, RowKind.DELETE, *old)]
    live.append((key(random) if what == "rekey" else old[0], value(random)))
    return [(side, RowKind.UPDATE_BEFORE, *old), (side, RowKind.UPDATE_AFTER, *live[-1])]
