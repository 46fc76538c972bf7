"""User functions of the cases beside this file."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc

from headrace.udf import Array, Float32, Int32, aggregate, scalar, table


@dataclass
class Place:
    lat: float
    lon: float | None


@scalar
def inverse(x: float) -> float:
    return 1 / x


@scalar
def or_zero(x: int | None) -> int:
    return x or 0


@scalar
def nothing(x: int) -> int:
    return None  # type: ignore[return-value]


@scalar
def longer(x: Annotated[Array, pa.float64()]) -> Annotated[Array, pa.float64()]:
    return pc.add(x, 1)


@scalar
def north_of(at: Place, by: float) -> Place:
    return Place(at.lat + by, at.lon)


@scalar
def kinds(
    a: bool, b: Int32, c: Float32, d: str, e: Decimal, f: date, g: datetime, h: list[str], i: dict[str, int]
) -> str:
    return " ".join(type(item).__name__ for item in (a, b, c, d, e, f, g, h, i))


@scalar
def made(day: date) -> dict[str, list[date]]:
    return {"next": [day + timedelta(days=1)]}


@scalar(volatile=True)
def constant() -> str:
    return "c"


@table
def each_letter(text: str) -> Iterator[str]:
    if "!" in text:
        raise ValueError(text)
    yield from text


@aggregate
class Longest:
    """The longest text, the first of those that are equally long."""

    def init(self) -> str | None:
        return None

    def add(self, state: str | None, text: str) -> str:
        if text == "bad":
            raise ValueError(text)
        return text

    def merge(self, state: str, later: str) -> str:
        return later if len(later) > len(state) else state

    def result(self, state: str | None) -> str | None:
        return state


@aggregate
class Bits:
    """The bits of all numbers, kept as bytes."""

    def init(self) -> int:
        return 0

    def add(self, state: int, x: int, shift: int | None) -> int:
        return state | x << (shift or 0)

    def merge(self, state: int, later: int) -> int:
        return state | later

    def result(self, state: int) -> int:
        return state

    def dump(self, state: int) -> bytes:
        return state.to_bytes(8, "big")

    def load(self, state: bytes) -> int:
        return int.from_bytes(state, "big")


@aggregate
class Total:
    """The sum of numbers."""

    def init(self) -> int:
        return 0

    def add(self, state: int, x: int) -> int:
        return state + x

    def merge(self, state: int, later: int) -> int:
        return state + later

    def result(self, state: int) -> int:
        return state


@aggregate(name="total_with_subtract")
class TotalWithSubtract(Total):
    """The sum of numbers, which can be taken back."""

    def subtract(self, state: int, x: int) -> int:
        return state - x


@aggregate(name="ledger")
class Ledger:
    """What is left of each day."""

    def init(self) -> dict[str, str]:
        return {}

    def add(
        self, state: dict[str, str], day: date, amount: Decimal | None, place: Place | None
    ) -> dict[str, str]:
        return self.changed(state, day, amount or Decimal(0), place)

    def subtract(
        self, state: dict[str, str], day: date, amount: Decimal | None, place: Place | None
    ) -> dict[str, str]:
        return self.changed(state, day, -(amount or Decimal(0)), place)

    def changed(
        self, state: dict[str, str], day: date, amount: Decimal, place: Place | None
    ) -> dict[str, str]:
        key = f"{day:%d.%m.}" if place is None else f"{day:%d.%m.} {place.lat}"
        left = Decimal(state.get(key, 0)) + amount
        return {**state, key: str(left.normalize())}

    def merge(self, state: dict[str, str], later: dict[str, str]) -> dict[str, str]:
        raise AssertionError

    def result(self, state: dict[str, str]) -> str:
        return ", ".join(f"{key}: {left}" for key, left in sorted(state.items()) if Decimal(left))


@aggregate(name="total_with_retract")
class TotalWithRetract(Total):
    """The sum of numbers, by a class as another system wants it."""

    def retract(self, state: int, x: int) -> int:
        raise AssertionError


@table
def letters_then_none(text: str) -> Iterator[str]:
    yield from text
    raise ValueError(text)


@aggregate(name="total_that_keeps")
class TotalThatKeeps(Total):
    """The sum of numbers, which does not give back those that end in 13."""

    def subtract(self, state: int, x: int) -> int:
        if x % 100 == 13:
            raise ValueError(x)
        return state - x
