"""The aggregates of the language, by name: the planner refuses them until aggregation is there."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Function, Kind, Nulls
from headrace.functions.signature import signature

FAMILY: Final = "aggregate"


def _aggregate(name: str, parameters: str, result: str, description: str) -> Function:
    return Function(
        name=name,
        family=FAMILY,
        kind=Kind.AGGREGATE,
        signatures=(signature(parameters, result),),
        description=description,
        nulls=Nulls.HANDLED,
    )


FUNCTIONS: Final = (
    _aggregate("COUNT", "value ANY", "LONG", "Counts records (`COUNT(*)`) or values that are not null."),
    _aggregate("SUM", "x NUMBER", "type of x", "Adds the values that are not null."),
    _aggregate("AVG", "x NUMBER", "DOUBLE", "Gives the mean of the values that are not null."),
    _aggregate("MIN", "value ANY", "type of value", "Gives the least value of a group."),
    _aggregate("MAX", "value ANY", "type of value", "Gives the greatest value of a group."),
    _aggregate("COLLECT", "value ANY, count INT", "array", "Collects at most `count` values."),
    _aggregate(
        "COLLECT_UNIQUE", "value ANY, count INT", "array", "Collects at most `count` different values."
    ),
    _aggregate("FIRST", "value ANY", "type of value", "Gives the value that arrived first."),
    _aggregate("LAST", "value ANY", "type of value", "Gives the value that arrived last."),
    _aggregate("MAXK", "value ANY, count INT", "array", "Gives the `count` greatest values."),
    _aggregate(
        "MAXK_UNIQUE", "value ANY, count INT", "array", "Gives the `count` greatest different values."
    ),
    _aggregate("MINK", "value ANY, count INT", "array", "Gives the `count` least values."),
    _aggregate("MINK_UNIQUE", "value ANY, count INT", "array", "Gives the `count` least different values."),
    _aggregate(
        "TOPK", "value ANY, count INT", "array", "Gives the `count` values that were seen most often."
    ),
    _aggregate(
        "BOTTOMK", "value ANY, count INT", "array", "Gives the `count` values that were seen least often."
    ),
    _aggregate("ANYF", "value ANY", "type of value", "Gives any value of a group."),
)
