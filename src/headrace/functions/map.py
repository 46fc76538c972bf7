"""Functions on maps."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function, Nulls
from headrace.functions.signature import signature

FAMILY: Final = "map"

_MAP: Final = "MAP_OF(['a', 'b'], [1, 2])"

FUNCTIONS: Final = (
    Function(
        name="MAP_OF",
        aliases=("AS_MAP", "MAP_FROM_ARRAYS"),
        family=FAMILY,
        signatures=(signature("keys ARRAY, values ARRAY", "map"),),
        description="Makes a map of an array of keys and one of values, which are equally long. A key that comes twice, or is "
        "null, fails the record.",
        macro=("(k, v) AS CASE WHEN k IS NOT NULL AND v IS NOT NULL THEN map(k, v) END",),
        examples=(
            Example("MAP_OF(['a', 'b'], [1, 2])", "MAP {'a': 1, 'b': 2}"),
            Example("MAP_SIZE(MAP_OF(['a'], [NULL]))", "1"),
        ),
    ),
    Function(
        name="MAP_GET",
        family=FAMILY,
        signatures=(signature("map MAP, key ANY", "type of the values"),),
        description="Gives the value of a key; null if the map has no such key.",
        nulls=Nulls.HANDLED,
        macro=("(m, k) AS list_extract(element_at(m, k), 1)",),
        examples=(
            Example(f"MAP_GET({_MAP}, 'b')", "2"),
            Example(f"MAP_GET({_MAP}, 'none')", "NULL"),
        ),
    ),
    Function(
        name="MAP_KEYS",
        family=FAMILY,
        signatures=(signature("map MAP", "array"),),
        description="Gives the keys in their order.",
        duckdb="map_keys",
        examples=(
            Example(f"MAP_KEYS({_MAP})", "['a', 'b']"),
            Example("SIZEOF(MAP_KEYS(MAP_OF(['a'], [1])))", "1"),
        ),
    ),
    Function(
        name="MAP_VALUES",
        family=FAMILY,
        signatures=(signature("map MAP", "array"),),
        description="Gives the values in the order of their keys.",
        duckdb="map_values",
        examples=(
            Example(f"MAP_VALUES({_MAP})", "[1, 2]"),
            Example("MAP_VALUES(MAP_OF(['x'], [NULL]))", "[NULL]"),
        ),
    ),
    Function(
        name="MAP_CONTAINS",
        aliases=("MAP_CONTAINS_KEY",),
        family=FAMILY,
        signatures=(signature("map MAP, key ANY", "BOOLEAN"),),
        description="Says whether the map has a key.",
        macro=("(m, k) AS CASE WHEN k IS NOT NULL THEN map_contains(m, k) END",),
        examples=(
            Example(f"MAP_CONTAINS({_MAP}, 'a')", "true"),
            Example(f"MAP_CONTAINS({_MAP}, 'z')", "false"),
        ),
    ),
    Function(
        name="MAP_SIZE",
        family=FAMILY,
        signatures=(signature("map MAP", "INT"),),
        description="Gives the number of keys.",
        macro=("(m) AS CAST(len(map_keys(m)) AS INTEGER)",),
        examples=(Example(f"MAP_SIZE({_MAP})", "2"), Example("MAP_SIZE(MAP_OF([1], ['x']))", "1")),
    ),
    Function(
        name="MAP_UNION",
        aliases=("MAP_CONCAT",),
        family=FAMILY,
        signatures=(signature("first MAP, second MAP", "map"),),
        description="Makes a map of the entries of both; where both have a key, the second one's value counts.",
        macro=("(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN map_concat(a, b) END",),
        examples=(
            Example(f"MAP_UNION({_MAP}, MAP_OF(['b', 'c'], [7, 8]))", "MAP {'a': 1, 'b': 7, 'c': 8}"),
            Example(f"MAP_SIZE(MAP_UNION({_MAP}, {_MAP}))", "2"),
        ),
    ),
)
