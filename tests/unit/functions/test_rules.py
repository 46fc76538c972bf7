"""Rules that hold for every declaration: nulls, names, signatures, single evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from sqlglot import exp

from headrace.errors import ProgramError
from headrace.functions import Function, Kind, Nulls, Signature, Volatility, all_functions, lookup
from tests.unit.functions.duckdb_calls import connection, evaluate, rendered, row

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

SAMPLES = {
    "ANY": "'a'",
    "BOOLEAN": "true",
    "INT": "1",
    "LONG": "1",
    "NUMBER": "1",
    "DOUBLE": "1.5",
    "STRING": "'a'",
    "BYTES": "CAST('a' AS BYTES)",
    "DATE": "TO_DATE('2024-02-29')",
    "TIME": "TIME_MILLIS(1)",
    "TIMESTAMP": "TO_TIMESTAMP(0)",
    "ARRAY": "[1]",
    "RECORD": "1",
    "MAP": "MAP_OF(['a'], [1])",
}
DUCKDB_TYPES = {
    "ANY": "VARCHAR",
    "INT": "INTEGER",
    "LONG": "BIGINT",
    "NUMBER": "DOUBLE",
    "STRING": "VARCHAR",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP": "TIMESTAMPTZ",
    "ARRAY": "INTEGER[]",
    "MAP": "MAP(VARCHAR, INTEGER)",
}
LITERAL_ARGUMENTS = {"pattern", "from_pattern", "to_pattern", "path", "field"}
LITERALS = {
    "pattern": "'yyyy'",
    "from_pattern": "'yyyy'",
    "to_pattern": "'MM'",
    "path": "'$.a'",
    "field": "'f'",
}
SPECIAL = {"json": "'{}'", "zone": "'UTC'", "expression": "'a'", "arrays": "[[1]]", "unit": "'KM'"}

SCALARS = [function for function in all_functions() if function.kind is not Kind.AGGREGATE]


def _argument(name: str, kind: str, function: Function) -> str:
    if name in LITERALS:
        return LITERALS[name]
    if function.name == "DECODE64":
        return "'YQ=='"
    if "pattern" in " ".join(function.usage()) and kind == "STRING":
        return "'2024'"
    if function.name.startswith("TO_") and kind == "STRING":
        return "'2024-01-01'"
    if name == "polygon":
        return "[[0, 0], [1, 0], [1, 1]]"
    return SPECIAL.get(name, SAMPLES[kind])


def _null_cases() -> list[ParameterSet]:
    cases = []
    for function in SCALARS:
        if function.nulls is not Nulls.PROPAGATE:
            continue
        for signature in function.signatures:
            for position, parameter in enumerate(signature.parameters):
                if parameter.name in LITERAL_ARGUMENTS:
                    continue
                for kind in parameter.types:
                    name = f"{function.name}/{len(signature.parameters)}-{parameter.name}-{kind}"
                    cases.append(pytest.param(function, signature, position, kind, id=name))
    return cases


@pytest.mark.parametrize(("function", "signature", "position", "kind"), _null_cases())
def test_null_gives_null_where_the_declaration_says_so(
    function: Function, signature: Signature, position: int, kind: str
) -> None:
    args = [_argument(item.name, item.types[0], function) for item in signature.parameters]
    args[position] = (
        f"CAST(NULL AS {DUCKDB_TYPES.get(kind, kind)})" if kind != "BYTES" else "CAST(NULL AS BLOB)"
    )
    if function.name in ("FLATTEN", "IN_POLYGON") and kind == "ARRAY":
        args[position] = "CAST(NULL AS INTEGER[][])"
    assert evaluate(f"{function.name}({', '.join(args)})")[1] is None


@pytest.mark.parametrize(
    "function", [item for item in SCALARS if item.nulls is Nulls.NEVER], ids=lambda item: item.name
)
def test_a_function_that_is_never_null_gives_a_value_or_fails(function: Function) -> None:
    count = len(function.signatures[0].parameters)
    call = f"{function.name}({', '.join(['NULL'] * count)})"
    if function.name == "AS_NON_NULLABLE":
        with pytest.raises(Exception, match="AS_NON_NULLABLE was given null"):
            evaluate("AS_NON_NULLABLE(CAST(NULL AS INT))")
        return
    assert evaluate(call)[1] is not None


def test_names_and_aliases_are_unique_but_for_aggregates() -> None:
    names = [name for item in all_functions() for name in (item.name, *item.aliases)]
    twice = {name for name in names if names.count(name) > 1}
    assert twice == {"MIN", "MAX"}


def test_lookup_tells_an_aggregate_from_a_function_of_several_arguments() -> None:
    one, two, unsaid = lookup("max", 1), lookup("max", 2), lookup("max")
    assert one is not None
    assert one.kind is Kind.AGGREGATE
    assert two is not None
    assert two.kind is Kind.SCALAR
    assert unsaid is one


def test_lookup_knows_no_other_name() -> None:
    assert lookup("nosuch") is None


def test_lookup_takes_any_case_and_alias() -> None:
    assert lookup("LeftPad") is lookup("LPAD")


def test_every_function_is_rendered_in_exactly_one_way() -> None:
    for function in SCALARS:
        ways = [function.duckdb is not None, bool(function.macro), function.renderer is not None]
        assert any(ways), function.name
        assert not (function.duckdb and (function.macro or function.renderer)), function.name


@pytest.mark.parametrize(
    ("call", "message", "usage"),
    [
        ("LEN()", "`LEN` takes 1 argument, not 0", "`LEN(text STRING) -> INT`"),
        (
            "SUBSTRING('a')",
            "`SUBSTRING` takes 2 or 3 arguments, not 1",
            "SUBSTRING(text STRING, from INT, to INT)",
        ),
        ("CONCAT()", "`CONCAT` takes 1 or more arguments, not 0", "CONCAT(value ANY, …)"),
        ("ZIP([1], 'a', [2])", "`ZIP` takes 2 or more arguments, not 3", "ZIP(array ARRAY, field STRING, …)"),
        ("HEADERASINT()", "`HEADERASINT` takes 1 argument, not 0", "HEADERASINT(name STRING)"),
        ("MASK('a', 'x')", "`MASK` takes 1 argument, not 2", "`MASK(text STRING) -> STRING`"),
        ("UUID(1)", "`UUID` takes 0 arguments, not 1", "UUID()"),
    ],
)
def test_a_wrong_number_of_arguments_is_refused_with_the_signatures(
    call: str, message: str, usage: str
) -> None:
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.message == message
    assert diagnostic.help is not None
    assert usage in diagnostic.help
    assert diagnostic.span is not None
    assert diagnostic.span.start == len("SELECT ")


@pytest.mark.parametrize(
    ("name", "types", "expected"),
    [
        ("UPPER", [pa.string()], None),
        ("UPPER", [pa.dictionary(pa.int32(), pa.string())], None),
        ("UPPER", [pa.int32()], (0, ("STRING",))),
        ("UPPER", [pa.null()], None),
        ("LPAD", [pa.string(), pa.string()], (1, ("INT",))),
        ("LPAD", [pa.string(), pa.int64(), pa.bool_()], (2, ("STRING",))),
        ("POW", [pa.decimal128(10, 2), pa.float32()], None),
        ("SIZEOF", [pa.list_(pa.int8())], None),
        ("SIZEOF", [pa.struct([("a", pa.int8())])], (0, ("ARRAY",))),
        ("YEAR", [pa.date32()], None),
        ("YEAR", [pa.timestamp("us", "UTC")], None),
        ("YEAR", [pa.time64("us")], (0, ("DATE", "TIMESTAMP"))),
        ("HOUR", [pa.time64("us")], None),
        ("BASE64", [pa.binary()], None),
        ("ZIP", [pa.list_(pa.int8()), pa.string(), pa.int8(), pa.string()], (2, ("ARRAY",))),
        ("CONCAT", [pa.int8(), pa.string(), pa.bool_()], None),
        ("TO_TIMESTAMP", [pa.int64(), pa.string()], (0, ("STRING",))),
    ],
)
def test_argument_types_are_checked(
    name: str, types: list[pa.DataType], expected: tuple[int, tuple[str, ...]] | None
) -> None:
    function = lookup(name)
    assert function is not None
    found = function.mismatch(types)
    assert (None if found is None else (found.index, found.expected)) == expected


@pytest.mark.parametrize("kind", ["TINYINT", "SMALLINT", "INTEGER", "BIGINT"])
@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("ABBREVIATE('container', {})", "c..."),
        ("TAKELEFT('container', {})", "cont"),
        ("DROPLEFT('container', {})", "ainer"),
        ("DROPRIGHT('container', {})", "conta"),
        ("TRUNCATE('container', {})", "cont"),
        ("SUBSTRING('container', {})", "ainer"),
        ("SUBSTRING('container', 0, {})", "cont"),
        ("LPAD('a', {}, '-')", "---a"),
        ("RPAD('a', {})", "a   "),
        ("CENTER('a', {}, '-')", "-a--"),
        ("MKSTRING(REPEAT('x', {}))", '["x","x","x","x"]'),
        ("ELEMENT_OF(['a', 'b', 'c', 'd', 'e'], {})", "e"),
        ("MKSTRING(SIGN({}))", "1"),
        ("FORMAT_TIMESTAMP(TO_TIMESTAMP({}), 'SSS')", "004"),
        ("FORMAT_TIMESTAMP(TIMESTAMP_MILLIS({}), 'SSS')", "004"),
        ("FORMAT_TIME(TIME_MICROS({}), 'SSSSSS')", "000004"),
    ],
)
def test_every_width_of_integer_is_taken(call: str, result: str, kind: str) -> None:
    expression = rendered(call.format("x")).sql(dialect="duckdb")
    assert row(f"SELECT 'VARCHAR', {expression} FROM (SELECT CAST(4 AS {kind}) AS x)")[1] == result


@pytest.mark.parametrize(
    ("call", "kind"),
    [("POW(a, b)", "INTEGER"), ("POW(CAST(a AS BIGINT), b)", "DOUBLE"), ("POW(a, 2.5)", "DOUBLE")],
)
def test_pow_gives_an_int_for_two_ints_alone(call: str, kind: str) -> None:
    expression = rendered(call).sql(dialect="duckdb")
    found = connection().execute(
        f"SELECT typeof({expression}) FROM (SELECT 2::INTEGER AS a, 3::INTEGER AS b)"
    )
    assert found.fetchone() == (kind,)


def test_a_random_argument_is_evaluated_once() -> None:
    expression = rendered("ABBREVIATE(UUID(), 40)").sql(dialect="duckdb")
    count = connection().execute(
        f"SELECT count(*) FROM (SELECT {expression} AS x FROM range(50)) WHERE length(x) = 36"
    )
    assert count.fetchone() == (50,)
    twice = rendered("CAPITALIZE(CONCAT('x', UUID())) = CAPITALIZE('x')")
    assert "list_transform" in twice.sql(dialect="duckdb").lower()


def test_a_random_argument_gives_each_row_its_own_value() -> None:
    expression = rendered("CAPITALIZE(UUID())").sql(dialect="duckdb")
    found = connection().execute(f"SELECT count(DISTINCT {expression}) FROM range(100)").fetchone()
    assert found == (100,)


def test_volatile_functions_say_so() -> None:
    volatile = {item.name for item in SCALARS if item.volatility is Volatility.VOLATILE}
    assert volatile == {"UUID", "RANDINT"}


def test_rendering_does_not_take_the_arguments_out_of_their_tree() -> None:
    parent = exp.Paren(this=exp.column("c0"))
    function = lookup("UPPER")
    assert function is not None
    function.render([parent.this])
    assert parent.this.parent is parent
