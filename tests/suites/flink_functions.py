"""The functions of Flink's programs, in Python."""

from __future__ import annotations

from datetime import datetime, timedelta

from headrace.udf import aggregate, scalar


@scalar
def udf1(a: int) -> int:
    return a + 1


@scalar
def udf2(a: int, b: int, d: datetime) -> str:
    return f"{a} and {b} and {int(d.timestamp()) * 1000}"


@scalar
def udf3(c: str, b: int) -> str:
    return f"{c}{b}"


@scalar
def udf4(text: str) -> str:
    return f"${text}"


@scalar
def udf5(d: datetime, millis: int) -> datetime:
    return d.replace(microsecond=0) - timedelta(milliseconds=millis)


@aggregate(name="my_avg")
class WeightedAverage:
    def init(self) -> tuple[int, int]:
        return 0, 0

    def add(self, state: tuple[int, int], value: int, weight: int) -> tuple[int, int]:
        return state[0] + value * weight, state[1] + weight

    def merge(self, state: tuple[int, int], later: tuple[int, int]) -> tuple[int, int]:
        return state[0] + later[0], state[1] + later[1]

    def result(self, state: tuple[int, int]) -> int | None:
        return state[0] // state[1] if state[1] else None


@aggregate(name="my_concat")
class Joined:
    def init(self) -> list[str]:
        return []

    def add(self, state: list[str], text: str) -> list[str]:
        return [*state, text]

    def merge(self, state: list[str], later: list[str]) -> list[str]:
        return [*state, *(text for text in later if text not in state)]

    def result(self, state: list[str]) -> str:
        return "|".join(state)
