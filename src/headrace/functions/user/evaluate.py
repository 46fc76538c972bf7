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
from headrace.types.sql import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Columns: TypeAlias = "Sequence[pa.ChunkedArray[Any]]"
Evaluate: TypeAlias = "Callable[[Columns], pa.Array[Any]]"
"""Gives n results of n rows of arguments. Raises UserFunctionError."""

STATE: Final = pa.binary()
"""How the state of a user aggregate is kept."""


_OURS: Final = Path(__file__).parent
"""Frames of these modules stand between DuckDB and the user's own: they say nothing to the user."""


class UserFunctionError(Exception):
    """A user function failed. The message names function, kind and place of the failure, and no values."""


def failure(name: str, error: Exception) -> UserFunctionError:
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
        except Exception as error:
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
    except Exception as error:
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
    """The calls of a user aggregate over states that are bytes, so that stores and changelogs can hold them.

    Args:
        name: for messages.
        body: an object with `init`, `add`, `merge` and `result`; `dump` and `load` if it has them.
        parameters: of `add`, without the state.
        result: of `result`.
    """

    def __init__(self, name: str, body: Any, parameters: Sequence[UserType], result: UserType) -> None:
        self._name = name
        self._body = body
        self._result = result
        self._load: Callable[[bytes], Any] = getattr(body, "load", json.loads)
        self._dump: Callable[[Any], bytes] = getattr(body, "dump", _json)
        self.each: Evaluate = per_value(name, self._each, parameters, UserType(STATE))
        states = UserType(pa.list_(STATE), optional=True)
        self.total: Evaluate = per_value(name, self._total, [states], result)

    def _each(self, *values: Any) -> bytes:
        return self._dump(self._body.add(self._body.init(), *values))

    def _total(self, states: list[bytes] | None) -> Any:
        if not states:
            return self._body.result(self._body.init())
        state = self._load(states[0])
        for item in states[1:]:
            state = self._body.merge(state, self._load(item))
        return self._body.result(state)


def _json(state: Any) -> bytes:
    return json.dumps(state, separators=(",", ":")).encode()
