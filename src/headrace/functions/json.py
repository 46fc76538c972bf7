"""Functions on JSON text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from sqlglot import exp, parse_one

from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import function as codes
from headrace.functions.declaration import Example, Function, Nulls
from headrace.functions.json_path import DuckdbPath, Filter, JsonPathError, Slice, translate
from headrace.functions.literal import inside, literal_text
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY: Final = "json"

_ARGUMENT: Final = "hr_argument"
_NAMES: Final = {
    "hr_json": "json_extract",
    "hr_json_text": "json_extract_string",
    "hr_json_type": "json_type",
    "hr_length": "len",
}


def _path(node: exp.Expression, name: str, span: Span | None) -> DuckdbPath:
    text = literal_text(node, f"the path of `{name}`", span)
    try:
        return translate(text)
    except JsonPathError as error:
        place = inside(node, text, error.start, error.end, span)
        raise ProgramError((Diagnostic(codes.BAD_JSON_PATH, error.message, place),)) from None


def _extract(text: exp.Expression, path: DuckdbPath) -> exp.Expression:
    if path.chosen is not None:
        shown = f"list_transform({_values(_ARGUMENT, path)}, lambda hr_value: hr_json_text(hr_value, '$'))"
        return _built(shown, text)
    return exp.Anonymous(this="json_extract_string", expressions=[text.copy(), exp.Literal.string(path.text)])


def _values(holder: str, path: DuckdbPath) -> str:
    """Give the text for the list of all values at a path."""
    if path.chosen is None:
        if path.many:
            return _array(holder, path.text)
        found = f"hr_json({holder}, {_quoted(path.text)})"
        return f"list_filter([{found}], lambda hr_value: hr_value IS NOT NULL)"
    choice, rest = path.chosen
    if path.many:
        elements = _values("hr_holder", replace(path, text="$", many=False))
        return f"flatten(list_transform({_array(holder, path.text)}, lambda hr_holder: {elements}))"
    array = _array(holder, path.text + "[*]")
    if isinstance(choice, Filter):
        chosen = f"list_filter({array}, lambda hr_element: {choice.condition})"
    else:
        # A place in an array from its end needs the array twice.
        kept = f"list_filter(hr_array, lambda hr_element, hr_place: {_within(choice)})"
        chosen = f"list_extract(list_transform([{array}], lambda hr_array: {kept}), 1)"
    if rest == DuckdbPath("$", many=False):
        return chosen
    return f"flatten(list_transform({chosen}, lambda hr_item: {_values('hr_item', rest)}))"


def _array(holder: str, path: str) -> str:
    """Give the text for all values at a path of DuckDB's, as an array also where the holder is known to be null."""
    return f"CAST(hr_json({holder}, {_quoted(path)}) AS JSON[])"


def _within(choice: Slice) -> str:
    """Give the condition for a place, counted from 1, to be in a slice."""
    first, last = (
        None if place is None else f"({place if place >= 0 else f'hr_length(hr_array) - {-place}'})"
        for place in (choice.begin, choice.end)
    )
    first = "0" if first is None else f"greatest({first}, 0)"
    conditions = [f"hr_place > {first}"]
    if last is not None:
        conditions.append(f"hr_place <= {last}")
    if choice.step > 1:
        conditions.append(f"(hr_place - 1 - {first}) % {choice.step} = 0")
    return " AND ".join(conditions)


def _built(sql: str, argument: exp.Expression) -> exp.Expression:
    """Give an expression of DuckDB. Its JSON functions go by other names in the text: sqlglot would write their paths anew."""
    built = parse_one(sql, dialect="duckdb")
    assert isinstance(built, exp.Expression)

    def fill(node: exp.Expression) -> exp.Expression:
        if isinstance(node, exp.Column) and node.name == _ARGUMENT:
            return argument.copy()
        if isinstance(node, exp.Anonymous) and str(node.this) in _NAMES:
            node.set("this", _NAMES[str(node.this)])
        return node

    filled: exp.Expression = built.transform(fill)
    return filled


def _quoted(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="duckdb")


def _first(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    path = _path(args[1], "JSON_EXTRACT_FIRST", span)
    found = _extract(args[0], path)
    if not path.gives_list:
        return found
    return exp.Anonymous(this="list_extract", expressions=[found, exp.Literal.number(1)])


def _all(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    path = _path(args[1], "JSON_EXTRACT_ALL", span)
    found = _extract(args[0], path)
    if path.gives_list:
        return found
    return exp.Anonymous(this="hr_json_extract_all", expressions=[args[0].copy(), found])


FUNCTIONS: Final = (
    Function(
        name="JSON_EXTRACT_FIRST",
        aliases=("EXTRACTJSONFIELD",),
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
            Example(
                """JSON_EXTRACT_FIRST('[{"k":"x","v":1},{"k":"y","v":2}]', '$[?(@.k == "y")].v')""", "'2'"
            ),
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
            Example("""JSON_EXTRACT_ALL('[5,6,7,8]', '$[1:-1]')""", "['6', '7']"),
            Example("""JSON_EXTRACT_ALL('[{"v":1},{"v":2},{"v":3}]', '$[?(@.v > 1)].v')""", "['2', '3']"),
        ),
    ),
)
