"""Functions on JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import function as codes
from headrace.functions.declaration import Example, Function, Nulls
from headrace.functions.json_path import DuckdbPath, JsonPathError, translate
from headrace.functions.literal import inside, literal_text
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY: Final = "json"


def _path(node: exp.Expression, name: str, span: Span | None) -> DuckdbPath:
    text = literal_text(node, f"the path of `{name}`", span)
    try:
        return translate(text)
    except JsonPathError as error:
        place = inside(node, text, error.start, error.end, span)
        raise ProgramError((Diagnostic(codes.BAD_JSON_PATH, error.message, place),)) from None


def _extract(text: exp.Expression, path: DuckdbPath) -> exp.Expression:
    return exp.Anonymous(this="json_extract_string", expressions=[text.copy(), exp.Literal.string(path.text)])


def _first(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    path = _path(args[1], "JSON_EXTRACT_FIRST", span)
    found = _extract(args[0], path)
    if not path.many:
        return found
    return exp.Anonymous(this="list_extract", expressions=[found, exp.Literal.number(1)])


def _all(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    path = _path(args[1], "JSON_EXTRACT_ALL", span)
    found = _extract(args[0], path)
    if path.many:
        return found
    return exp.Anonymous(this="hr_json_extract_all", expressions=[args[0].copy(), found])


FUNCTIONS: Final = (
    Function(
        name="JSON_EXTRACT_FIRST",
        family=FAMILY,
        signatures=(signature("json STRING, path STRING", "STRING"),),
        description="Gives the first value at a JsonPath as text; null if there is none or it is a JSON null. Objects and arrays "
        "come as JSON. A text that is no JSON fails the record.",
        nulls=Nulls.HANDLED,
        renderer=_first,
        examples=(
            Example("""JSON_EXTRACT_FIRST('{"a":{"b":[7,8]}}', '$.a.b[0]')""", "'7'"),
            Example("""JSON_EXTRACT_FIRST('{"a":[{"b":"x"},{"b":"y"}]}', '$.a[*].b')""", "'x'"),
            Example("""JSON_EXTRACT_FIRST('{"a":1}', '$.b')""", "NULL"),
        ),
    ),
    Function(
        name="JSON_EXTRACT_ALL",
        family=FAMILY,
        signatures=(signature("json STRING, path STRING", "array of STRING"),),
        description="Gives all values at a JsonPath as texts; an empty array if there is none. A text that is no JSON fails the "
        "record.",
        renderer=_all,
        macro=(
            "(j, x) AS CASE WHEN j IS NULL THEN NULL WHEN x IS NULL THEN CAST([] AS VARCHAR[]) ELSE [x] END",
        ),
        examples=(
            Example("""JSON_EXTRACT_ALL('{"a":[{"b":"x"},{"b":2}]}', '$.a[*].b')""", "['x', '2']"),
            Example("""JSON_EXTRACT_ALL('{"a":1}', '$.a')""", "['1']"),
            Example("""JSON_EXTRACT_ALL('{"a":1}', '$.b')""", "CAST([] AS VARCHAR[])"),
        ),
    ),
)
