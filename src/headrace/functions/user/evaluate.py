"""Runs user functions over the Arrow arrays of a batch.

Values of SQL go through Python one by one here, and nowhere else in Headrace: that is what a plain Python function is. One
that takes and gives Arrow arrays is called once for up to 2048 rows.
"""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from headrace.functions.user.annotations import UserType
from headrace.functions.user.packing import Packing
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Columns: TypeAlias = "Sequence[pa.ChunkedArray[Any]]"
Evaluate: TypeAlias = "Callable[[Columns], pa.Array[Any]]"
"""Gives n results of n rows of arguments. Raises UserFunctionError."""

ITEM: Final = pa.binary()
"""What is kept of an aggregate: a byte, `+` before a value that came, `-` before one that went, `=` before a state."""

_CAME: Final = b"+"
_STATE: Final = b"="

_OURS: Final = Path(__file__).parent
"""Frames of these modules stand between DuckDB and the user's own: they say nothing to the user."""


class UserFunctionError(Exception):
    """A user function failed. The message names function, kind and place of the failure, and no values."""


FAILURES: Final = (Exception, SystemExit)
"""What code of users raises: `sys.exit()` of theirs is to end neither a query nor a processor."""


def failure(name: str, error: BaseException) -> UserFunctionError:
    """Say what went wrong inside a function, without the words of the exception, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    own = next((frame for frame in frames if Path(frame.filename).parent != _OURS), None)
    place = f" at {Path(own.filename).name}:{own.lineno}" if own is not None else ""
    return UserFunctionError(f"`{name}` raised {type(error).__name__}{place}")


def per_value(
    name: str, call: Callable[..., Any], parameters: Sequence[UserType], result: UserType
) -> Evaluate:
    """Evaluate a function of values: once for each row, unless an argument is null that it does not take."""

    def evaluate(columns: Columns) -> pa.Array[Any]:
        rows = len(columns[0])
        arguments = [
            loaded(column, kind) for column, kind in zip(columns[: len(parameters)], parameters, strict=True)
        ]
        needed = [
            index
            for index, (column, kind) in enumerate(zip(columns, parameters, strict=False))
            if column.null_count and not kind.optional
        ]
        each = zip(*arguments, strict=True) if arguments else iter([()] * rows)
        skipped = 0
        try:
            found: list[Any] = []
            if needed:
                for row in each:
                    if any(row[index] is None for index in needed):
                        found.append(None)
                        skipped += 1
                    else:
                        found.append(call(*row))
            else:
                found = [call(*row) for row in each]
        except FAILURES as error:
            raise failure(name, error) from error
        given = dumped(name, found, result)
        if given.null_count > skipped and not result.optional:
            message = f"`{name}` returned None, which its annotation does not allow"
            raise UserFunctionError(message)
        return given

    return evaluate


def per_batch(
    name: str, call: Callable[..., Any], parameters: Sequence[UserType], result: UserType
) -> Evaluate:
    """Evaluate a function of arrays; rows with a null that it does not take are kept from it."""

    def evaluate(columns: Columns) -> pa.Array[Any]:
        arrays = [column.combine_chunks() for column in columns[: len(parameters)]]
        valid: pa.Array[Any] | None = None
        for array, kind in zip(arrays, parameters, strict=True):
            if array.null_count and not kind.optional:
                there = array.is_valid()
                valid = there if valid is None else pc.and_(valid, there)
        if valid is None:
            return _called(name, call, arrays, result)
        chosen = [array.filter(valid) for array in arrays]
        found = _called(name, call, chosen, result)
        places = pc.subtract(pc.cumulative_sum(valid.cast(pa.int64())), 1)
        return found.take(pc.if_else(valid, places, pa.scalar(None, pa.int64())))

    return evaluate


def _called(
    name: str, call: Callable[..., Any], arrays: Sequence[pa.Array[Any]], result: UserType
) -> pa.Array[Any]:
    rows = len(arrays[0])
    if not rows:
        return pa.array([], result.type)
    try:
        found = call(*arrays)
    except FAILURES as error:
        raise failure(name, error) from error
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    if not isinstance(found, pa.Array) or len(found) != rows:
        message = f"`{name}` did not return an array as long as its arguments"
        raise UserFunctionError(message)
    if found.null_count and not result.optional:
        message = f"`{name}` returned nulls, which its annotation does not allow"
        raise UserFunctionError(message)
    try:
        return found.cast(result.type)
    except pa.ArrowException as error:
        message = f"`{name}` returned values that are no {type_name(result.type)}"
        raise UserFunctionError(message) from error


def loaded(column: pa.ChunkedArray[Any], kind: UserType) -> list[Any]:
    """Give the values of a column as the function wants them."""
    values = column.to_pylist(maps_as_pydicts="strict")
    convert = kind.load
    if convert is None:
        return values
    return [None if value is None else convert(value) for value in values]


def dumped(name: str, values: list[Any], kind: UserType) -> pa.Array[Any]:
    """Give what a function returned as an array of its type."""
    convert = kind.dump
    try:
        if convert is not None:
            values = [None if value is None else convert(value) for value in values]
        return pa.array(values, kind.type)
    except Exception as error:
        message = f"`{name}` returned a value that is no {type_name(kind.type)}"
        raise UserFunctionError(message) from error


class AggregateCalls:
    """The calls of a user aggregate over items that are bytes, so that stores and changelogs can hold them.

    An item is a state, or, where the class can take values back, a value that came or went: see `ITEM`. The native operators
    put items side by side, undo those that are there, and have long rows of them folded into one.

    Args:
        name: for messages.
        body: an object with `init`, `add`, `merge` and `result`; `dump`, `load` and `subtract` if it has them.
        parameters: of `add` and `subtract`, without the state.
        result: of `result`.

    Raises:
        UnpackableError: there is `subtract`, and values of a parameter cannot be written down.
    """

    def __init__(self, name: str, body: Any, parameters: Sequence[UserType], result: UserType) -> None:
        self._name = name
        self._body = body
        self._result = result
        self._load: Callable[[bytes], Any] = getattr(body, "load", json.loads)
        self._dump: Callable[[Any], bytes] = getattr(body, "dump", _json)
        self._values = Packing(parameters) if hasattr(body, "subtract") else None
        item = UserType(ITEM)
        if self._values is None:
            self.each: Evaluate = per_value(name, self._state_of, parameters, item)
        else:
            self.each = per_value(name, self._value_of, self._values.plain, item)
        items = UserType(pa.list_(ITEM), optional=True)
        self.total: Evaluate = per_value(name, self._total, [items], result)

    def fold(self, items: list[bytes]) -> bytes:
        """Give the item that stands for some items, in their order.

        Raises whatever the class raises.
        """
        return _STATE + self._dump(self._state(items))

    def _state_of(self, *values: Any) -> bytes:
        return _STATE + self._dump(self._body.add(self._body.init(), *values))

    def _value_of(self, *values: Any) -> bytes:
        assert self._values is not None
        packed = _CAME + self._values.pack(values)
        # A value that the class does not take is an error of its record.
        self._body.add(self._body.init(), *self._values.load(values))
        return packed

    def _total(self, items: list[bytes] | None) -> Any:
        return self._body.result(self._state(items or []))

    def _state(self, items: list[bytes]) -> Any:
        if not items or items[0][:1] != _STATE:
            state = self._body.init()
        else:
            state = self._load(items[0][1:])
            items = items[1:]
        for item in items:
            kind, rest = item[:1], item[1:]
            if kind == _STATE:
                state = self._body.merge(state, self._load(rest))
            else:
                assert self._values is not None
                change = self._body.add if kind == _CAME else self._body.subtract
                state = change(state, *self._values.unpack(rest))
        return state


def _json(state: Any) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()
