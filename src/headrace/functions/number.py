"""Functions on numbers. Results of DOUBLE functions follow IEEE 754: no error, but NaN or infinity, outside their range."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function, Nulls, Volatility
from headrace.functions.signature import signature

FAMILY: Final = "number"


def _double(name: str, duckdb: str, what: str, *examples: Example) -> Function:
    """Declare a function from DOUBLE to DOUBLE that DuckDB has."""
    return Function(
        name=name,
        family=FAMILY,
        signatures=(signature("x NUMBER", "DOUBLE"),),
        description=what,
        duckdb=duckdb,
        examples=examples,
    )


def _whole(duckdb: str) -> tuple[str, ...]:
    """Give the overloads of a function to whole numbers: DuckDB would turn integers into DOUBLE, and lose digits of long ones."""
    same = tuple(f"(x {kind}) AS x" for kind in ("INTEGER", "BIGINT", "HUGEINT"))
    return (*same, f"(x) AS {duckdb}(x)")


FUNCTIONS: Final = (
    Function(
        name="ABS",
        family=FAMILY,
        signatures=(signature("x NUMBER", "type of x"),),
        description="Gives the absolute value. The smallest integer of a type has none and fails the record.",
        duckdb="abs",
        examples=(Example("ABS(-5)", "5"), Example("ABS(2.5)", "2.5")),
    ),
    _double(
        "ACOS",
        "acos",
        "Gives the arc cosine in radians; NaN outside -1 to 1.",
        Example("ACOS(1)", "0.0"),
        Example("ACOS(2)", "CAST('NaN' AS DOUBLE)"),
    ),
    _double(
        "ASIN",
        "asin",
        "Gives the arc sine in radians; NaN outside -1 to 1.",
        Example("ASIN(0)", "0.0"),
        Example("ROUND(ASIN(1), 4)", "1.5708"),
    ),
    _double(
        "ATAN",
        "atan",
        "Gives the arc tangent in radians.",
        Example("ATAN(0)", "0.0"),
        Example("ROUND(ATAN(1), 4)", "0.7854"),
    ),
    Function(
        name="CBRT",
        family=FAMILY,
        signatures=(signature("x NUMBER", "DOUBLE"),),
        description="Gives the cube root; exact for cubes of integers.",
        macro=("(x) AS CASE WHEN pow(round(cbrt(x)), 3) = x THEN round(cbrt(x)) ELSE cbrt(x) END",),
        examples=(Example("CBRT(27)", "3.0"), Example("CBRT(-8)", "-2.0")),
    ),
    Function(
        name="CEIL",
        aliases=("CEILING",),
        family=FAMILY,
        signatures=(signature("x NUMBER", "type of x"),),
        description="Gives the smallest whole number that is not less.",
        macro=_whole("ceil"),
        examples=(Example("CEIL(1.2)", "2"), Example("CEIL(9007199254740993)", "9007199254740993")),
    ),
    _double(
        "COS",
        "cos",
        "Gives the cosine of radians.",
        Example("COS(0)", "1.0"),
        Example("ROUND(COS(1), 4)", "0.5403"),
    ),
    _double(
        "COSH",
        "cosh",
        "Gives the hyperbolic cosine.",
        Example("COSH(0)", "1.0"),
        Example("ROUND(COSH(1), 4)", "1.5431"),
    ),
    _double(
        "DEGREES",
        "degrees",
        "Turns radians into degrees.",
        Example("ROUND(DEGREES(3.14159265358979), 6)", "180.0"),
        Example("DEGREES(0)", "0.0"),
    ),
    Function(
        name="FLOOR",
        family=FAMILY,
        signatures=(signature("x NUMBER", "type of x"),),
        description="Gives the largest whole number that is not greater.",
        macro=_whole("floor"),
        examples=(Example("FLOOR(-1.2)", "-2"), Example("TYPEOF(FLOOR(5))", "'INT'")),
    ),
    Function(
        name="MAX",
        family=FAMILY,
        signatures=(signature("a ANY, b ANY", "common type", variadic=1),),
        description="Gives the greatest of two or more arguments that are not null. With one argument it is an aggregate.",
        nulls=Nulls.HANDLED,
        duckdb="greatest",
        examples=(Example("MAX(1, 3, 2)", "3"), Example("MAX(1, NULL)", "1")),
    ),
    Function(
        name="MIN",
        family=FAMILY,
        signatures=(signature("a ANY, b ANY", "common type", variadic=1),),
        description="Gives the least of two or more arguments that are not null. With one argument it is an aggregate.",
        nulls=Nulls.HANDLED,
        duckdb="least",
        examples=(Example("MIN(1, 3, 2)", "1"), Example("MIN(NULL, 2)", "2")),
    ),
    Function(
        name="MOD",
        family=FAMILY,
        signatures=(signature("a NUMBER, b NUMBER", "common type"),),
        description="Gives the remainder of a division, with the sign of `a`, as `%`. Division by 0 fails the record.",
        macro=("(a, b) AS a % b",),
        examples=(Example("MOD(7, 3)", "1"), Example("MOD(-7, 3)", "-1")),
    ),
    Function(
        name="NEG",
        family=FAMILY,
        signatures=(signature("x NUMBER", "type of x"),),
        description="Changes the sign.",
        macro=("(x) AS -(x)",),
        examples=(Example("NEG(5)", "-5"), Example("NEG(-2.5)", "2.5")),
    ),
    Function(
        name="POW",
        aliases=("POWER",),
        family=FAMILY,
        signatures=(signature("a NUMBER, b NUMBER", "INT for two INT, else DOUBLE"),),
        description="Raises `a` to the power `b`. Of two INT the result is an INT, cut to a whole number, and stops at the ends "
        "of its range (2147483647) instead of failing.",
        macro=(
            "(a INTEGER, b INTEGER) AS CASE WHEN a IS NOT NULL AND b IS NOT NULL "
            "THEN CAST(trunc(least(greatest(pow(a, b), -2147483648), 2147483647)) AS INTEGER) END",
            "(a DOUBLE, b DOUBLE) AS pow(a, b)",
        ),
        examples=(
            Example("POW(2, 10)", "1024"),
            Example("POW(2, 40)", "2147483647"),
            Example("POW(2, -1)", "0"),
            Example("POW(2.5, 2)", "6.25"),
        ),
    ),
    _double(
        "RADIANS",
        "radians",
        "Turns degrees into radians.",
        Example("ROUND(RADIANS(180), 4)", "3.1416"),
        Example("RADIANS(0)", "0.0"),
    ),
    Function(
        name="RANDINT",
        family=FAMILY,
        signatures=(signature("", "INT"),),
        description="Gives a random INT, negative ones included, another one for each record.",
        nulls=Nulls.NEVER,
        volatility=Volatility.VOLATILE,
        macro=("() AS CAST(floor(random() * 4294967296) - 2147483648 AS INTEGER)",),
        examples=(
            Example("RANDINT() BETWEEN -2147483648 AND 2147483647", "true"),
            Example("RANDINT() = RANDINT()", "false"),
        ),
    ),
    Function(
        name="ROUND",
        family=FAMILY,
        signatures=(
            signature("x NUMBER", "type of x"),
            signature("x NUMBER, digits INT", "type of x"),
        ),
        description="Rounds to a whole number, or to `digits` decimal places; halves away from zero.",
        duckdb="round",
        examples=(
            Example("ROUND(2.5)", "3"),
            Example("ROUND(-2.5)", "-3"),
            Example("ROUND(1.256, 2)", "1.26"),
        ),
    ),
    Function(
        name="SIGN",
        family=FAMILY,
        signatures=(signature("x NUMBER", "INT"),),
        description="Gives -1, 0 or 1.",
        macro=("(x) AS CAST(sign(x) AS INTEGER)",),
        examples=(Example("SIGN(-3.5)", "-1"), Example("SIGN(0)", "0")),
    ),
    _double(
        "SIN",
        "sin",
        "Gives the sine of radians.",
        Example("SIN(0)", "0.0"),
        Example("ROUND(SIN(1), 4)", "0.8415"),
    ),
    _double(
        "SINH",
        "sinh",
        "Gives the hyperbolic sine.",
        Example("SINH(0)", "0.0"),
        Example("ROUND(SINH(1), 4)", "1.1752"),
    ),
    _double(
        "SQRT",
        "sqrt",
        "Gives the square root; NaN for negative numbers.",
        Example("SQRT(9)", "3.0"),
        Example("SQRT(-1)", "CAST('NaN' AS DOUBLE)"),
    ),
    _double(
        "TAN",
        "tan",
        "Gives the tangent of radians.",
        Example("TAN(0)", "0.0"),
        Example("ROUND(TAN(1), 4)", "1.5574"),
    ),
    _double(
        "TANH",
        "tanh",
        "Gives the hyperbolic tangent.",
        Example("TANH(0)", "0.0"),
        Example("ROUND(TANH(1), 4)", "0.7616"),
    ),
)
