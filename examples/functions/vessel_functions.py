"""Functions that the program beside this file calls from SQL."""

import math
import re
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from headrace.udf import Array, Int32, aggregate, scalar, table


@scalar
def vessel_class(length: float, flag: str | None) -> str:
    """Gives the class of a vessel by its length in metres; those without a flag are `unknown`."""
    if flag is None:
        return "unknown"
    if length <= 0:
        raise ValueError(length)
    return "large" if length >= 100 else "small"


@scalar
def kilometres_per_hour(
    knots: Annotated[Array, pa.float64()],
) -> Annotated[Array, pa.float64()]:
    """Turns knots into kilometres an hour, many at once."""
    return pc.round(pc.multiply(knots, 1.852), 1)


class Call(NamedTuple):
    """A port on the way of a vessel."""

    port: str
    number: Int32


@table
def ports(route: str) -> Iterator[Call]:
    """Gives the ports of a route such as `Piraeus - Chios - Lesbos`."""
    for number, port in enumerate(re.split(r"\s*-\s*", route.strip()), start=1):
        if port:
            yield Call(port, number)


@aggregate(name="geometric_average")
class GeometricAverage:
    """Gives the geometric mean of numbers above 0."""

    def init(self) -> tuple[int, float]:
        return 0, 0.0

    def add(self, state: tuple[int, float], x: float) -> tuple[int, float]:
        return state[0] + 1, state[1] + math.log(x)

    def merge(self, state: tuple[int, float], later: tuple[int, float]) -> tuple[int, float]:
        return state[0] + later[0], state[1] + later[1]

    def result(self, state: tuple[int, float]) -> float | None:
        return round(math.exp(state[1] / state[0]), 3) if state[0] else None
