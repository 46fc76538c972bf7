"""Functions on arrays. Positions are counted from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.functions.declaration import Example, Function, Nulls, Renderer
from headrace.functions.literal import literal_text
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors import Span

FAMILY: Final = "array"


def _zip(name: str, *, shortest: bool) -> Renderer:
    def render(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
        arrays = [arg.copy() for arg in args[0::2]]
        fields = [literal_text(arg, f"a field name of `{name}`", span) for arg in args[1::2]]
        zipped = exp.Anonymous(this="list_zip", expressions=[*arrays, exp.Boolean(this=shortest)])
        record = exp.Struct(
            expressions=[
                exp.PropertyEQ(
                    this=exp.to_identifier(field, quoted=True),
                    expression=exp.Anonymous(
                        this="struct_extract_at",
                        expressions=[exp.column("hr_tuple"), exp.Literal.number(index + 1)],
                    ),
                )
                for index, field in enumerate(fields)
            ]
        )
        mapped = exp.Lambda(this=record, expressions=[exp.to_identifier("hr_tuple")], colon=True)
        whole = exp.Anonymous(this="list_transform", expressions=[zipped, mapped])
        # list_zip takes a null array for an empty one.
        missing = exp.or_(*(exp.Is(this=arg.copy(), expression=exp.Null()) for arg in args[0::2]))
        return exp.Paren(this=exp.Case(ifs=[exp.If(this=exp.not_(missing), true=whole)]))

    return render


def _unique(array: str) -> str:
    """Give the text for the different elements of an array, in the order of their first occurrence."""
    return f"list_filter({array}, lambda x, i: list_position({array}, x) = i)"


FUNCTIONS: Final = (
    Function(
        name="ELEMENT_OF",
        family=FAMILY,
        signatures=(signature("array ARRAY, index INT", "element type"),),
        description="Gives the element at a position, as `array[index]`; null outside the array.",
        nulls=Nulls.HANDLED,
        macro=("(a, i) AS CASE WHEN i >= 0 AND i < len(a) THEN list_extract(a, i + 1) END",),
        examples=(
            Example("ELEMENT_OF([5, 6], 1)", "6"),
            Example("ELEMENT_OF([5, 6], -1)", "NULL"),
            Example("ELEMENT_OF([5, 6], 9223372036854775807)", "NULL"),
        ),
    ),
    Function(
        name="FLATTEN",
        family=FAMILY,
        signatures=(signature("arrays ARRAY", "array"),),
        description="Joins an array of arrays into one. Null arrays in it are left out.",
        duckdb="flatten",
        examples=(Example("FLATTEN([[1, 2], [3]])", "[1, 2, 3]"), Example("FLATTEN([[1], NULL])", "[1]")),
    ),
    Function(
        name="IN_ARRAY",
        family=FAMILY,
        signatures=(signature("element ANY, array ARRAY", "BOOLEAN"),),
        description="Says whether an element is in an array.",
        macro=("(e, a) AS list_contains(a, e)",),
        examples=(Example("IN_ARRAY(2, [1, 2])", "true"), Example("IN_ARRAY('x', ['a'])", "false")),
    ),
    Function(
        name="REPEAT",
        family=FAMILY,
        signatures=(signature("element ANY, count INT", "array"),),
        description="Gives an array with the element `count` times. A negative count counts as 0.",
        nulls=Nulls.HANDLED,
        macro=(
            "(e, n) AS CASE WHEN n IS NOT NULL THEN list_resize([e], CASE WHEN n < 0 THEN 0 ELSE n END, e) END",
        ),
        examples=(
            Example("REPEAT('x', 3)", "['x', 'x', 'x']"),
            Example("REPEAT(1, 0)", "CAST([] AS INTEGER[])"),
        ),
    ),
    Function(
        name="SIZEOF",
        family=FAMILY,
        signatures=(signature("array ARRAY", "INT"),),
        description="Gives the number of elements.",
        macro=("(a) AS CAST(len(a) AS INTEGER)",),
        examples=(Example("SIZEOF([1, 2, 3])", "3"), Example("SIZEOF([NULL])", "1")),
    ),
    Function(
        name="TRANSFORM",
        aliases=("LIST_TRANSFORM", "ARRAY_TRANSFORM"),
        family=FAMILY,
        signatures=(signature("array ARRAY, function ANY", "array"),),
        description="Gives the array of what a lambda makes of each element: `x -> …`, or `(x, i) -> …` with its position, "
        "counted from 1. Null for a null array.",
        nulls=Nulls.HANDLED,
        duckdb="list_transform",
        examples=(
            Example("TRANSFORM([1, 2, 3], x -> x * 10)", "[10, 20, 30]"),
            Example("TRANSFORM(['a', NULL], x -> UPPER(x))", "['A', NULL]"),
        ),
    ),
    Function(
        name="FILTER",
        aliases=("LIST_FILTER", "ARRAY_FILTER"),
        family=FAMILY,
        signatures=(signature("array ARRAY, condition ANY", "array"),),
        description="Gives the elements for which a lambda is true; null for a null array.",
        nulls=Nulls.HANDLED,
        duckdb="list_filter",
        examples=(
            Example("FILTER([1, 2, 3], x -> x > 1)", "[2, 3]"),
            Example("FILTER([1, NULL], x -> x > 1)", "CAST([] AS INTEGER[])"),
        ),
    ),
    Function(
        name="REDUCE",
        aliases=("LIST_REDUCE", "ARRAY_REDUCE"),
        family=FAMILY,
        signatures=(
            signature("array ARRAY, function ANY", "type of the elements"),
            signature("array ARRAY, function ANY, first ANY", "type of the first"),
        ),
        description="Brings the elements together from the left by a lambda of two: what came out so far, and the next element. "
        "It begins with `first`, or with the first element; without `first` an empty array fails the record. Null for a "
        "null array.",
        nulls=Nulls.HANDLED,
        duckdb="list_reduce",
        examples=(
            Example("REDUCE([1, 2, 3], (a, x) -> a + x)", "6"),
            Example("REDUCE([2, 3], (a, x) -> a * x, 10)", "60"),
        ),
    ),
    Function(
        name="ARRAY_MAX",
        family=FAMILY,
        signatures=(signature("array ARRAY", "type of the elements"),),
        description="Gives the greatest element that is not null; null if there is none.",
        nulls=Nulls.HANDLED,
        duckdb="list_max",
        examples=(Example("ARRAY_MAX([1, 3, NULL])", "3"), Example("ARRAY_MAX(['b', 'a'])", "'b'")),
    ),
    Function(
        name="ARRAY_MIN",
        family=FAMILY,
        signatures=(signature("array ARRAY", "type of the elements"),),
        description="Gives the least element that is not null; null if there is none.",
        nulls=Nulls.HANDLED,
        duckdb="list_min",
        examples=(Example("ARRAY_MIN([2, 1, NULL])", "1"), Example("ARRAY_MIN(['b', 'a'])", "'a'")),
    ),
    Function(
        name="ARRAY_JOIN",
        family=FAMILY,
        signatures=(
            signature("array ARRAY", "STRING"),
            signature("array ARRAY, separator STRING", "STRING"),
        ),
        description="Joins the texts of the elements, with a separator between (`,` if none is given). Nulls are left out.",
        macro=(
            "(a) AS array_to_string(a, ',')",
            "(a, s) AS CASE WHEN s IS NOT NULL THEN array_to_string(a, s) END",
        ),
        examples=(
            Example("ARRAY_JOIN(['a', 'b'], ' & ')", "'a & b'"),
            Example("ARRAY_JOIN([1, NULL, 2])", "'1,2'"),
        ),
    ),
    Function(
        name="ARRAY_REMOVE",
        family=FAMILY,
        signatures=(signature("array ARRAY, element ANY", "array"),),
        description="Gives the array without the elements that equal one; null takes nulls out.",
        nulls=Nulls.HANDLED,
        macro=("(a, e) AS list_filter(a, lambda x: x IS DISTINCT FROM e)",),
        examples=(
            Example("ARRAY_REMOVE([1, 2, 1], 1)", "[2]"),
            Example("ARRAY_REMOVE([1, NULL], NULL)", "[1]"),
        ),
    ),
    Function(
        name="ARRAY_UNION",
        family=FAMILY,
        signatures=(signature("first ARRAY, second ARRAY", "array"),),
        description="Gives the different elements of both arrays, in the order of their first occurrence.",
        macro=(
            f"(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL THEN {_unique('list_concat(a, b)')} END",
        ),
        examples=(
            Example("ARRAY_UNION([3, 1], [1, 2])", "[3, 1, 2]"),
            Example("ARRAY_UNION(['a', 'a'], ['a'])", "['a']"),
        ),
    ),
    Function(
        name="ARRAY_EXCEPT",
        family=FAMILY,
        signatures=(signature("first ARRAY, second ARRAY", "array"),),
        description="Gives the different elements of the first array that the second does not have, in their order.",
        macro=(
            "(a, b) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL "
            f"THEN {_unique('list_filter(a, lambda y: NOT (list_position(b, y) IS NOT NULL))')} END",
        ),
        examples=(
            Example("ARRAY_EXCEPT([3, 1, 3], [1])", "[3]"),
            Example("ARRAY_EXCEPT(['a'], ['a'])", "CAST([] AS VARCHAR[])"),
        ),
    ),
    Function(
        name="SLICE",
        family=FAMILY,
        signatures=(signature("array ARRAY, from INT, to INT", "array"),),
        description="Gives the elements from position `from` up to, but without, position `to`, counted from 0. Positions "
        "outside the array are cut to it.",
        macro=(
            "(a, f, t) AS CASE WHEN f IS NOT NULL AND t IS NOT NULL "
            "THEN list_slice(a, greatest(f, f - f) + 1, greatest(t, t - t)) END",
        ),
        examples=(
            Example("SLICE([5, 6, 7], 1, 3)", "[6, 7]"),
            Example("SLICE([5, 6], -4, 1)", "[5]"),
            Example("SLICE([5, 6], 1, 0)", "CAST([] AS INTEGER[])"),
        ),
    ),
    Function(
        name="ZIP",
        family=FAMILY,
        signatures=(signature("array ARRAY, field STRING", "array of RECORD", variadic=2),),
        description="Makes an array of records: the n-th holds the n-th element of each array under the field name after it. As "
        "long as the shortest array. Field names are literals.",
        renderer=_zip("ZIP", shortest=True),
        examples=(
            Example("ZIP([1, 2], 'x', [3, 4, 5], 'y')", "[{'x': 1, 'y': 3}, {'x': 2, 'y': 4}]"),
            Example("SIZEOF(ZIP([1], 'x', ['a', 'b'], 'y'))", "1"),
        ),
    ),
    Function(
        name="ZIP_ALL",
        family=FAMILY,
        signatures=(signature("array ARRAY, field STRING", "array of RECORD", variadic=2),),
        description="As `ZIP`, but as long as the longest array; what is missing is null.",
        renderer=_zip("ZIP_ALL", shortest=False),
        examples=(
            Example("ZIP_ALL([1], 'x', [3, 4], 'y')", "[{'x': 1, 'y': 3}, {'x': NULL, 'y': 4}]"),
            Example("SIZEOF(ZIP_ALL([1], 'x', ['a', 'b'], 'y'))", "2"),
        ),
    ),
)
