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


FUNCTIONS: Final = (
    Function(
        name="ELEMENT_OF",
        family=FAMILY,
        signatures=(signature("array ARRAY, index INT", "element type"),),
        description="Gives the element at a position, as `array[index]`; null outside the array.",
        nulls=Nulls.HANDLED,
        macro=("(a, i) AS CASE WHEN i >= 0 THEN list_extract(a, i + 1) END",),
        examples=(Example("ELEMENT_OF([5, 6], 1)", "6"), Example("ELEMENT_OF([5, 6], -1)", "NULL")),
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
