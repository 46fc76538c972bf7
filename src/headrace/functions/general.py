"""Functions on values of any type: nulls, names of types, text forms. CAST and CASE belong to the grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.functions.declaration import Example, Function, Nulls
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors import Span

FAMILY: Final = "general"

_AS_TEXT: Final = (
    "CASE WHEN starts_with(typeof({0}), 'STRUCT') OR starts_with(typeof({0}), 'MAP') OR ends_with(typeof({0}), ']') "
    "THEN CAST(to_json({0}) AS VARCHAR) ELSE CAST({0} AS VARCHAR) END"
)


def _coalesce(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    return exp.Coalesce(this=args[0].copy(), expressions=[arg.copy() for arg in args[1:]])


def _identity(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    return exp.Paren(this=args[0].copy())


def _is_null(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    return exp.Paren(this=exp.Is(this=_operand(args[0]), expression=exp.Null()))


def _is_not_null(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    return exp.Paren(this=exp.Not(this=exp.Is(this=_operand(args[0]), expression=exp.Null())))


def _operand(node: exp.Expression) -> exp.Expression:
    """Wrap what binds weaker than IS."""
    copy = node.copy()
    return exp.Paren(this=copy) if isinstance(copy, exp.Binary | exp.Unary | exp.Predicate) else copy


FUNCTIONS: Final = (
    Function(
        name="COALESCE",
        family=FAMILY,
        signatures=(signature("value ANY", "common type", variadic=1),),
        description="Gives the first argument that is not null; null if all are.",
        nulls=Nulls.HANDLED,
        renderer=_coalesce,
        examples=(Example("COALESCE(NULL, 2, 3)", "2"), Example("COALESCE(NULL, NULL)", "NULL")),
    ),
    Function(
        name="ISNULL",
        family=FAMILY,
        signatures=(signature("value ANY", "BOOLEAN"),),
        description="Says whether the value is null, as `IS NULL`.",
        nulls=Nulls.NEVER,
        renderer=_is_null,
        examples=(Example("ISNULL(NULL)", "true"), Example("ISNULL('')", "false")),
    ),
    Function(
        name="ISNOTNULL",
        family=FAMILY,
        signatures=(signature("value ANY", "BOOLEAN"),),
        description="Says whether the value is not null, as `IS NOT NULL`.",
        nulls=Nulls.NEVER,
        renderer=_is_not_null,
        examples=(Example("ISNOTNULL(0)", "true"), Example("ISNOTNULL(NULL)", "false")),
    ),
    Function(
        name="EXISTS",
        family=FAMILY,
        signatures=(signature("field ANY", "BOOLEAN"),),
        description="Says whether the record has the field. A field that is there with null counts as absent.",
        nulls=Nulls.NEVER,
        renderer=_is_not_null,
        examples=(Example("EXISTS(1)", "true"), Example("EXISTS(NULL)", "false")),
    ),
    Function(
        name="AS_NULLABLE",
        family=FAMILY,
        signatures=(signature("value ANY", "type of value"),),
        description="Gives the value unchanged; its type may be null from here on.",
        nulls=Nulls.HANDLED,
        renderer=_identity,
        examples=(Example("AS_NULLABLE(1)", "1"), Example("AS_NULLABLE('a')", "'a'")),
    ),
    Function(
        name="AS_NON_NULLABLE",
        family=FAMILY,
        signatures=(signature("value ANY", "type of value"),),
        description="Gives the value unchanged and promises that it is not null. A record that breaks the promise fails.",
        nulls=Nulls.NEVER,
        macro=("(x) AS coalesce(x, error('AS_NON_NULLABLE was given null'))",),
        examples=(Example("AS_NON_NULLABLE(1)", "1"), Example("AS_NON_NULLABLE('a')", "'a'")),
    ),
    Function(
        name="MKSTRING",
        family=FAMILY,
        signatures=(signature("value ANY", "STRING"),),
        description="Gives the value as text; records, maps and arrays as JSON.",
        macro=(f"(x) AS {_AS_TEXT.format('x')}",),
        examples=(
            Example("MKSTRING(12)", "'12'"),
            Example("MKSTRING([1, 2])", "'[1,2]'"),
            Example("MKSTRING(true)", "'true'"),
        ),
    ),
    Function(
        name="DUMP",
        family=FAMILY,
        signatures=(signature("value ANY", "STRING"),),
        description="Shows a value with its type, for looking at what a topic holds: `type: value`, the value as in JSON.",
        nulls=Nulls.NEVER,
        macro=("(x) AS typeof(x) || ': ' || coalesce(CAST(to_json(x) AS VARCHAR), 'null')",),
        examples=(Example("DUMP('a')", "'VARCHAR: \"a\"'"), Example("DUMP([1])", "'INTEGER[]: [1]'")),
    ),
    Function(
        name="TYPEOF",
        family=FAMILY,
        signatures=(signature("value ANY", "STRING"),),
        description="Gives the name of the type: `INT`, `LONG`, `STRING`, `RECORD`, `ARRAY` and so on.",
        nulls=Nulls.NEVER,
        macro=(
            "(x) AS CASE WHEN ends_with(typeof(x), ']') THEN 'ARRAY' WHEN starts_with(typeof(x), 'STRUCT') THEN 'RECORD' "
            "WHEN starts_with(typeof(x), 'MAP') THEN 'MAP' WHEN starts_with(typeof(x), 'TIMESTAMP') THEN 'TIMESTAMP' "
            "WHEN starts_with(typeof(x), 'ENUM') THEN 'STRING' "
            "WHEN typeof(x) IN ('TINYINT', 'SMALLINT', 'INTEGER') THEN 'INT' WHEN typeof(x) = 'BIGINT' THEN 'LONG' "
            "WHEN typeof(x) = 'VARCHAR' THEN 'STRING' WHEN typeof(x) = 'BLOB' THEN 'BYTES' "
            "WHEN typeof(x) = '\"NULL\"' THEN 'NULL' ELSE typeof(x) END",
        ),
        examples=(Example("TYPEOF(1)", "'INT'"), Example("TYPEOF(['a'])", "'ARRAY'")),
    ),
)
