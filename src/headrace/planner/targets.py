"""Target topics: what each of them is to hold, agreed between the statements that write it and what is there already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.catalog import CatalogTopic, Origin, format_named, primitive_type, windowed_name
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.formats.conversion import why_not
from headrace.formats.csv import unwritable
from headrace.formats.interface import (
    READ_ONLY,
    WINDOW_SIZE,
    WRITTEN_INSTEAD,
    Format,
    Side,
    Windowing,
)
from headrace.formats.registered import KINDS
from headrace.formats.windowed import key_of, windowed
from headrace.log.interface import TopicDescription
from headrace.log.names import WAY_OUT, is_topic_name
from headrace.plan.topology import Facet, KeyMode, Sink, ValueMode
from headrace.planner import schemas
from headrace.planner.columns import Column, columns_type, json_text, key_columns, value_columns
from headrace.planner.faults import Faults, refusal
from headrace.planner.relations import TopicReads
from headrace.planner.stateful.aggregate import window_of
from headrace.sql.nodes import Insert
from headrace.types.coercion import common_type, fits, lenient
from headrace.types.sql import is_integer, type_name

if TYPE_CHECKING:
    from headrace.config import TopicSettings
    from headrace.errors import Span
    from headrace.planner.relations import SelectRelation
    from headrace.planner.topics import Topics
    from headrace.sql.nodes import Program

_ONE_VALUE: Final[dict[Format, pa.DataType]] = {
    Format.INT: pa.int32(),
    Format.LONG: pa.int64(),
    Format.STRING: pa.string(),
    Format.BYTES: pa.binary(),
}


@dataclass(slots=True)
class Writer:
    """A branch of an INSERT on its way to a target."""

    branch: SelectRelation
    key_mode: KeyMode
    value_mode: ValueMode
    key: tuple[Column, ...] = ()
    value: tuple[Column, ...] = ()


@dataclass(slots=True)
class Target:
    """A target topic while the program is planned."""

    name: str
    settings: TopicSettings
    key: Side
    value: Side
    create: TopicDescription | None
    partitions: int = 1
    window: Windowing | None = None
    """Keys have the bounds of their window behind them; `key` is what stands before."""
    window_size: int | None = None
    fixed_key: bool = False
    fixed_value: bool = False
    """What the target holds is declared, or read by the program already: it takes what fits and does not change."""
    register_key: tuple[str, str] | None = None
    register_value: tuple[str, str] | None = None
    writers: list[Writer] = field(default_factory=list)

    def sink(self) -> Sink:
        """Give the sink of the topology."""
        key = self.whole_key()
        return Sink(self.name, key, self.value, self.create, self.register_key, self.register_value)

    def as_topic(self) -> CatalogTopic:
        """Give the topic as later statements of the program read it."""
        return CatalogTopic(self.name, self.whole_key(), self.value, self.partitions, Origin.PLANNED)

    def whole_key(self) -> Side:
        """Give the side of the keys, with their windows if they have some."""
        return self.key if self.window is None else windowed(self.key, self.window, self.window_size)


@dataclass(slots=True)
class Targets:
    """All targets of a program."""

    topics: Topics
    found: dict[str, Target] = field(default_factory=dict)

    def insert(self, insert: Insert, branches: list[SelectRelation], settings: TopicSettings) -> None:
        """Add the branches of an INSERT to its target.

        Raises:
            ProgramError: they cannot be written there.
        """
        for branch in branches:
            if insert.target in branch.reads.topics:
                message = f"`{insert.target}` is written by a query that reads it"
                way_out = "write to another topic: each record would come round again for ever"
                raise refusal(codes.SELF_INSERT, message, insert.target_span, way_out)
        for branch in branches:
            known = self.found.get(insert.target)
            if known is None:
                known = self._open(insert, branch, settings)
                there = known.create or self.topics.describe(insert.target)
                known.partitions = there.partitions if there is not None else 1
            self._join(known, insert, branch)
            self.found[insert.target] = known
        target = self.found[insert.target]
        self.topics.planned[insert.target] = target.as_topic()

    def _open(self, insert: Insert, branch: SelectRelation, settings: TopicSettings) -> Target:
        create = self._creation(insert, branch, settings)
        declared = self.topics.declared.get(insert.target)
        if declared is not None:
            if declared.value.format in READ_ONLY:
                message = f"`{insert.target}` holds {declared.value.format}, which is for reading only"
                raise refusal(
                    codes.INCOMPATIBLE_TARGET, message, insert.target_span, "write to another topic"
                )
            return _declared(insert.target, settings, declared, create)
        reads = branch.reads
        key_format = _format(_plain(insert.store_key), insert.store_key_span, reads.key_format)
        value_format = _format(insert.store_value, insert.store_value_span, reads.value_format)
        empty = pa.null()
        return Target(insert.target, settings, Side(key_format, empty), Side(value_format, empty), create)

    def _creation(
        self, insert: Insert, branch: SelectRelation, settings: TopicSettings
    ) -> TopicDescription | None:
        if self.topics.describe(insert.target) is not None:
            return None
        if not settings.autocreate:
            message = f"topic `{insert.target}` does not exist"
            way_out = "create it, or begin the program with `SET autocreate = true;`"
            raise refusal(codes.MISSING_TARGET, message, insert.target_span, way_out)
        if not is_topic_name(insert.target):
            raise refusal(
                codes.BAD_TOPIC_NAME, f"no topic can be called `{insert.target}`", insert.target_span, WAY_OUT
            )
        partitions = settings.partitions or branch.reads.partitions
        replication = settings.replication if settings.replication is not None else -1
        return TopicDescription(insert.target, partitions, replication, dict(settings.configs))

    def _join(self, target: Target, insert: Insert, branch: SelectRelation) -> None:
        _check_store(target, insert)
        key_mode, key = self._key(target, insert, branch)
        _check_window(target, insert)
        value_mode, value = self._value(target, insert, branch)
        target.writers.append(Writer(branch, key_mode, value_mode, key, value))

    # Key

    def _key(
        self, target: Target, insert: Insert, branch: SelectRelation
    ) -> tuple[KeyMode, tuple[Column, ...]]:
        source = branch.reads.topic.key if isinstance(branch.reads, TopicReads) else None
        span = insert.store_key_span or insert.target_span
        if source is not None and branch.key_passes and target.key.format is source.format:
            self._agree(target, Facet.KEY, source.type, span, source)
            return KeyMode.PASS, ()
        self._window(target, branch, span)
        columns = key_columns(branch)
        if not columns[0].path and columns[0].value.is_null:
            return KeyMode.NONE, ()
        if source is not None and branch.key_passes:
            self._convertible(source, target.key.format, "key", span)
        columns = _shaped(columns, target.key.format, "key", span, text=insert.store_key is not None)
        self._agree(target, Facet.KEY, columns_type(columns), columns[0].span or span)
        return KeyMode.ENCODE, columns

    def _window(self, target: Target, branch: SelectRelation, span: Span | None) -> None:
        """Bring the windows of keys together with those that the target has, or refuse."""
        window = window_of(branch)
        size = None if window is None or window.has_own_end else window.size
        windowing = None
        if window is not None:
            windowing = Windowing.SESSION if window.has_own_end else Windowing.TIME
        if not target.writers and not target.fixed_key:
            target.window, target.window_size = windowing, size
            return
        if target.window is windowing and (target.window_size == size or target.window_size is None):
            return
        message = f"the windows of the result are not those of `{target.name}`"
        if target.window is None:
            message = (
                f"the key of the result has a window behind it, and the keys of `{target.name}` have none"
            )
        elif windowing is None:
            message = (
                f"the keys of `{target.name}` have windows behind them, and those of the result have none"
            )
        way_out = "write the key yourself, such as `name AS _key`: then no window is put behind it"
        raise refusal(codes.INCOMPATIBLE_TARGET, message, span, None if windowing is None else way_out)

    # Value

    def _value(
        self, target: Target, insert: Insert, branch: SelectRelation
    ) -> tuple[ValueMode, tuple[Column, ...]]:
        source = branch.reads.topic.value if isinstance(branch.reads, TopicReads) else None
        span = insert.store_value_span or insert.target_span
        if branch.deletes:
            return ValueMode.TOMBSTONE, ()
        if source is None or not branch.value_passes:
            return ValueMode.ENCODE, self._encoded(target, insert, branch, span)
        passes = not branch.marked and target.value.format is source.format
        if passes and (pa.types.is_null(target.value.type) or target.value.type.equals(source.type)):
            self._agree(target, Facet.VALUE, source.type, span, source)
            return ValueMode.PASS, ()
        self._convertible(source, target.value.format, "value", span)
        return ValueMode.ENCODE, self._encoded(target, insert, branch, span)

    def _encoded(
        self, target: Target, insert: Insert, branch: SelectRelation, span: Span | None
    ) -> tuple[Column, ...]:
        columns = value_columns(branch)
        explicit = insert.store_value is not None
        columns = _shaped(columns, target.value.format, "value", span, text=explicit)
        self._agree(target, Facet.VALUE, columns_type(columns), columns[0].span or span)
        return columns

    @staticmethod
    def _convertible(source: Side, to: Format, what: str, span: Span | None) -> None:
        reason = why_not(source.format, to, source.type)
        if reason is not None:
            message = f"the {what} cannot be stored as {to}: {reason}"
            raise refusal(codes.STORE_NOT_ALLOWED, message, span)

    # Agreement

    def _agree(
        self, target: Target, facet: Facet, kind: pa.DataType, span: Span | None, passed: Side | None = None
    ) -> None:
        """Bring what is written and what the target holds together, or refuse."""
        side = target.key if facet is Facet.KEY else target.value
        fixed = target.fixed_key if facet is Facet.KEY else target.fixed_value
        what = facet.value[1:]
        if fixed or target.name in self.topics.reads:
            if not fits(lenient(kind, side.type), side.type):
                raise _misfit(target.name, what, kind, side.type, span)
            return
        if pa.types.is_null(side.type):
            agreed = kind
            settled = passed or schemas.name_side(
                side.format, kind, target, facet, self.topics.catalog.registry
            )
        else:
            common = common_type(side.type, kind)
            if common is None or (pa.types.is_struct(common) and _names(side.type) != _names(kind)):
                raise _misfit(target.name, what, kind, side.type, span)
            agreed = common
            settled = side
            if not agreed.equals(side.type):
                settled = schemas.name_side(side.format, agreed, target, facet, self.topics.catalog.registry)
        if facet is Facet.KEY:
            target.key = settled
        else:
            target.value = settled


def finish(target: Target, topics: Topics, span: Span | None) -> None:
    """Check the schemas of a finished target with the registry, and note what is to be registered."""
    registry = topics.catalog.registry
    for facet in (Facet.KEY, Facet.VALUE):
        side = target.key if facet is Facet.KEY else target.value
        modes = [writer.key_mode if facet is Facet.KEY else writer.value_mode for writer in target.writers]
        if pa.types.is_null(side.type):
            # Nobody writes this side: say what its format would hold.
            named = Side(side.format, primitive_type(side.format) or pa.string())
            target.key, target.value = (named, target.value) if facet is Facet.KEY else (target.key, named)
            continue
        unused = all(mode in (KeyMode.NONE, ValueMode.TOMBSTONE) for mode in modes)
        if side.format not in KINDS or side.schema is None or unused:
            continue
        subject = f"{target.name}-{facet.value[1:]}"
        if registry is None:
            message = f"the {facet.value[1:]} of `{target.name}` is written as {side.format}, and there is no schema registry"
            raise refusal(
                codes.NO_REGISTRY, message, span, "name one with --registry, or write JSON with STORE"
            )
        reasons = registry.check(subject, side.schema, KINDS[side.format])
        if reasons:
            message = f"the {facet.value[1:]} does not fit the schema of `{subject}` in the registry"
            way_out = "give the columns the types that the schema has, or write to another topic"
            raise refusal(codes.INCOMPATIBLE_TARGET, message, span, way_out, tuple(reasons))
        if facet is Facet.KEY:
            target.register_key = (subject, side.schema)
        else:
            target.register_value = (subject, side.schema)


def _declared(
    name: str, settings: TopicSettings, topic: CatalogTopic, create: TopicDescription | None
) -> Target:
    found = Target(name, settings, topic.key, topic.value, create, fixed_key=True, fixed_value=True)
    if topic.key.window is not None:
        size = topic.key.properties.get(WINDOW_SIZE)
        found.window, found.window_size = topic.key.window, None if size is None else int(size)
        found.key = key_of(topic.key)
    return found


def check_formats(program: Program) -> None:
    """Refuse formats of STORE that no topic can be written in, whatever it holds.

    Raises:
        ProgramError: some are unknown, or for reading only.
    """
    faults = Faults(program.source)
    for insert in program.statements:
        if isinstance(insert, Insert):
            for name, span in (
                (_plain(insert.store_key), insert.store_key_span),
                (insert.store_value, insert.store_value_span),
            ):
                try:
                    _format(name, span, Format.JSON)
                except ProgramError as error:
                    faults.add(error.diagnostics)
    faults.raise_if_any()


def _format(name: str | None, span: Span | None, default: Format) -> Format:
    if name is None:
        return WRITTEN_INSTEAD.get(default, default)
    form = format_named(name, span)
    if form in READ_ONLY:
        message = f"{form} is for reading only"
        way_out = f"store the values as {WRITTEN_INSTEAD[form]}"
        raise refusal(codes.STORE_NOT_ALLOWED, message, span, way_out)
    return form


def _plain(name: str | None) -> str | None:
    """Give the format of keys without the windows behind them."""
    return None if name is None else windowed_name(name)[1]


def _check_window(target: Target, insert: Insert) -> None:
    """Compare the windows that STORE names with those that the keys have."""
    asked = None if insert.store_key is None else windowed_name(insert.store_key)[0]
    if asked is None or target.whole_key().window is asked:
        return
    there = {None: "no window", Windowing.TIME: "windows of time", Windowing.SESSION: "sessions"}
    message = f"the keys cannot be stored as {insert.store_key}: they have {there[target.whole_key().window]} behind them"
    raise refusal(codes.STORE_NOT_ALLOWED, message, insert.store_key_span)


def _check_store(target: Target, insert: Insert) -> None:
    for name, span, side, what in (
        (_plain(insert.store_key), insert.store_key_span, target.key, "keys"),
        (insert.store_value, insert.store_value_span, target.value, "values"),
    ):
        if name is not None and _format(name, span, side.format) is not side.format:
            message = f"the {what} of `{target.name}` are {side.format}, not {name.upper()}"
            clause = "KEY AS" if what == "keys" else "VALUE AS"
            way_out = f"write `STORE {clause} {side.format}`, or write to another topic"
            raise refusal(codes.INCOMPATIBLE_TARGET, message, span, way_out)


def _shaped(
    columns: tuple[Column, ...], form: Format, what: str, span: Span | None, *, text: bool
) -> tuple[Column, ...]:
    """Give the columns in the shape that a format holds: one value, or the fields of a record."""
    wanted = _ONE_VALUE.get(form)
    first = columns[0]
    if form is Format.CSV:
        reason = unwritable(columns_type(columns))
        if reason is not None:
            raise refusal(
                codes.STORE_NOT_ALLOWED, f"the {what} cannot be stored as CSV: {reason}", first.span or span
            )
    if form is Format.PROTOBUF and not pa.types.is_struct(columns_type(columns)):
        message = f"the {what} cannot be stored as PROTOBUF: it holds records, not single values"
        way_out = f"give the {what} fields (`… AS name`), or store it as JSON or STRING"
        raise refusal(codes.STORE_NOT_ALLOWED, message, first.span or span, way_out)
    if wanted is None:
        return columns
    # A value's column always has a name; `_key.name` is written for a record's sake.
    named = len(first.path) > (what == "value")
    record = len(columns) > 1 or named or pa.types.is_struct(first.value.type)
    if record and form is Format.STRING and text:
        return (json_text(columns),)
    if record:
        message = f"a {what} of format {form} holds one value, and the query gives {_count(columns)}"
        way_out = f"write `STORE {what.upper()} AS JSON` (or AVRO) behind the target"
        raise refusal(
            codes.STORE_NOT_ALLOWED, message, span if what == "value" else first.span or span, way_out
        )
    kind = first.value.type
    takes = {
        Format.STRING: not pa.types.is_nested(kind) and not pa.types.is_binary(kind),
        Format.BYTES: pa.types.is_binary(kind),
        Format.INT: is_integer(kind) and fits(kind, pa.int32()),
        Format.LONG: is_integer(kind) and fits(kind, pa.int64()),
    }[form]
    if not takes and not pa.types.is_null(kind):
        message = f"a {what} of type {type_name(kind)} cannot be stored as {form}"
        way_out = f"convert it: `CAST(… AS {type_name(wanted)})`"
        raise refusal(codes.STORE_NOT_ALLOWED, message, first.span or span, way_out)
    return (Column((), first.value, first.span).retyped(wanted),)


def _count(columns: tuple[Column, ...]) -> str:
    return f"{len(columns)} columns" if len(columns) > 1 else "a record"


def _names(kind: pa.DataType) -> set[str]:
    return {kind.field(index).name for index in range(kind.num_fields)} if pa.types.is_struct(kind) else set()


def _misfit(
    topic: str, what: str, written: pa.DataType, there: pa.DataType, span: Span | None
) -> ProgramError:
    message = f"the {what} does not fit what `{topic}` holds"
    notes = tuple(_differences(written, there, ""))
    way_out = "CAST to what the topic holds, or write to another topic"
    return ProgramError((Diagnostic(codes.INCOMPATIBLE_TARGET, message, span, way_out, notes),))


def _differences(written: pa.DataType, there: pa.DataType, prefix: str) -> list[str]:
    if not pa.types.is_struct(written) or not pa.types.is_struct(there):
        return [f"the query gives {type_name(written)}, the topic holds {type_name(there)}"]
    found = []
    for index in range(written.num_fields):
        mine = written.field(index)
        name = f"{prefix}{mine.name}"
        place = there.get_field_index(mine.name)
        if place < 0:
            found.append(f"the topic has no field `{name}`")
            continue
        theirs = there.field(place)
        if pa.types.is_struct(mine.type) and pa.types.is_struct(theirs.type):
            found += _differences(mine.type, theirs.type, f"{name}.")
        elif not fits(mine.type, theirs.type):
            found.append(
                f"`{name}` is {type_name(mine.type)} in the query and {type_name(theirs.type)} in the topic"
            )
    for index in range(there.num_fields):
        theirs = there.field(index)
        if written.get_field_index(theirs.name) < 0:
            found.append(f"the query gives no field `{prefix}{theirs.name}`")
    return found
