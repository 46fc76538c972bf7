"""The argument lists of functions: how they are written in a declaration, and which Arrow types fit them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _is_text(found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        return _is_text(found.value_type)
    return bool(
        pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found)
    )


def _is_bytes(found: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(found)
        or pa.types.is_large_binary(found)
        or pa.types.is_binary_view(found)
        or pa.types.is_fixed_size_binary(found)
    )


def _is_number(found: pa.DataType) -> bool:
    return bool(pa.types.is_integer(found) or pa.types.is_floating(found) or pa.types.is_decimal(found))


def _is_array(found: pa.DataType) -> bool:
    return bool(
        pa.types.is_list(found) or pa.types.is_large_list(found) or pa.types.is_fixed_size_list(found)
    )


_FITS: Final[dict[str, Callable[[pa.DataType], bool]]] = {
    "ANY": lambda found: True,
    "BOOLEAN": lambda found: bool(pa.types.is_boolean(found)),
    "INT": lambda found: bool(pa.types.is_integer(found)),
    "LONG": lambda found: bool(pa.types.is_integer(found)),
    "NUMBER": _is_number,
    "DOUBLE": _is_number,
    "STRING": _is_text,
    "BYTES": _is_bytes,
    "DATE": lambda found: bool(pa.types.is_date(found)),
    "TIME": lambda found: bool(pa.types.is_time(found)),
    "TIMESTAMP": lambda found: bool(pa.types.is_timestamp(found)),
    "ARRAY": _is_array,
    "RECORD": lambda found: bool(pa.types.is_struct(found)),
    "MAP": lambda found: bool(pa.types.is_map(found)),
}
"""Type names of declarations. INT and LONG both take every integer: DuckDB widens and checks the range."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument. `types` are names of `_FITS`; any of them is taken."""

    name: str
    types: tuple[str, ...]

    def fits(self, found: pa.DataType) -> bool:
        """Say whether an argument of this type is taken; the type of a bare NULL always is."""
        return bool(pa.types.is_null(found)) or any(_FITS[name](found) for name in self.types)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The argument at `index` (0-based) has a type that does not fit; `expected` are the type names that would."""

    index: int
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """An argument list with its result type. With `variadic` the last `variadic` parameters may come again, together."""

    parameters: tuple[Parameter, ...]
    result: str
    variadic: int = 0

    def accepts(self, count: int) -> bool:
        """Say whether the number of arguments fits."""
        extra = count - len(self.parameters)
        if not self.variadic:
            return extra == 0
        return extra >= 0 and extra % self.variadic == 0

    def mismatch(self, types: Sequence[pa.DataType]) -> Mismatch | None:
        """Give the first argument whose type does not fit."""
        for index, found in enumerate(types):
            parameter = self._at(index)
            if not parameter.fits(found):
                return Mismatch(index, parameter.types)
        return None

    def describe(self, name: str) -> str:
        """Give the text `NAME(a TYPE, …) -> TYPE`."""
        shown = [f"{item.name} {'|'.join(item.types)}" for item in self.parameters]
        if self.variadic:
            shown.append("…")
        return f"{name}({', '.join(shown)}) -> {self.result}"

    def _at(self, index: int) -> Parameter:
        count = len(self.parameters)
        if index < count:
            return self.parameters[index]
        return self.parameters[count - self.variadic + (index - count) % self.variadic]


def signature(parameters: str, result: str, *, variadic: int = 0) -> Signature:
    """Read a signature as declarations write it: `s STRING, n INT`, with `STRING|BYTES` for alternatives."""
    found = []
    for part in parameters.split(",") if parameters else ():
        name, types = part.split()
        names = tuple(types.split("|"))
        unknown = [item for item in names if item not in _FITS]
        if unknown:
            message = f"unknown type {unknown[0]} in signature {parameters!r}"
            raise ValueError(message)
        found.append(Parameter(name, names))
    return Signature(tuple(found), result, variadic)
