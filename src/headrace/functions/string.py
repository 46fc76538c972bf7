"""Functions on text. Characters are Unicode code points; positions are counted from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp

from headrace.functions.declaration import Example, Function, Nulls, Volatility
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.errors import Span

FAMILY: Final = "string"

_LONGEST: Final = 2**31 - 2
"""No text has so many characters, and DuckDB's `substr` takes no position far behind it."""


def _substring(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    """Render literal positions straight to DuckDB's `substr`, which is several times cheaper than the general rule."""
    bounds = [_natural(arg) for arg in args[1:]]
    if all(bound is not None for bound in bounds):
        start = bounds[0] or 0
        text = [args[0].copy(), exp.Literal.number(start + 1)]
        if len(bounds) == 2:
            text.append(exp.Literal.number(max((bounds[1] or 0) - start, 0)))
        return exp.Anonymous(this="substr", expressions=text)
    return exp.Anonymous(this="hr_substring", expressions=[arg.copy() for arg in args])


def _natural(node: exp.Expression) -> int | None:
    if isinstance(node, exp.Literal) and not node.is_string and str(node.this).isdigit():
        return min(int(node.this), _LONGEST)
    return None


def _within_text(position: str) -> str:
    """Give the expression of a position in the text `s` that is not negative, nor behind its end; null for null."""
    return (
        f"CASE WHEN {position} < 0 THEN greatest(length(s) + {position}, 0) "
        f"WHEN {position} > length(s) THEN length(s) ELSE {position} END"
    )


FUNCTIONS: Final = (
    Function(
        name="ABBREVIATE",
        family=FAMILY,
        signatures=(signature("text STRING, size INT", "STRING"),),
        description="Cuts a text to at most `size` characters, the last three of them `...`. A text that fits is unchanged. "
        "A size below 4 leaves no room for the dots: the text is cut without them; a negative size counts as 0.",
        macro=(
            "(s, n) AS CASE WHEN length(s) <= n THEN s WHEN n >= 4 THEN left(s, n - 3) || '...' "
            "ELSE left(s, greatest(n, n - n)) END",
        ),
        examples=(
            Example("ABBREVIATE('container vessel', 10)", "'contain...'"),
            Example("ABBREVIATE('tug', 10)", "'tug'"),
            Example("ABBREVIATE('tanker', 2)", "'ta'"),
        ),
    ),
    Function(
        name="BASE64",
        family=FAMILY,
        signatures=(signature("text STRING|BYTES", "STRING"),),
        description="Encodes a text (as UTF-8) or bytes in Base64, with padding.",
        macro=("(s VARCHAR) AS to_base64(encode(s))", "(b BLOB) AS to_base64(b)"),
        examples=(Example("BASE64('é')", "'w6k='"), Example("BASE64('')", "''")),
    ),
    Function(
        name="DECODE64",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Decodes Base64 to text. A text that is no Base64, or bytes that are no UTF-8, fail the record.",
        macro=("(s) AS decode(from_base64(s))",),
        examples=(Example("DECODE64('w6k=')", "'é'"), Example("DECODE64(BASE64('Rhône'))", "'Rhône'")),
    ),
    Function(
        name="CAPITALIZE",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Makes the first character upper case and leaves the rest.",
        macro=("(s) AS upper(left(s, 1)) || substr(s, 2)",),
        examples=(Example("CAPITALIZE('élan vital')", "'Élan vital'"), Example("CAPITALIZE('')", "''")),
    ),
    Function(
        name="UNCAPITALIZE",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Makes the first character lower case and leaves the rest.",
        macro=("(s) AS lower(left(s, 1)) || substr(s, 2)",),
        examples=(Example("UNCAPITALIZE('Speed')", "'speed'"), Example("UNCAPITALIZE('ABC')", "'aBC'")),
    ),
    Function(
        name="CENTER",
        family=FAMILY,
        signatures=(
            signature("text STRING, size INT", "STRING"),
            signature("text STRING, size INT, pad STRING", "STRING"),
        ),
        description="Puts a text in the middle of `size` characters. The odd character of padding goes to the right. A text "
        "that is longer is unchanged. Without `pad`, or with an empty one, spaces are used.",
        macro=(
            "(s, n) AS CASE WHEN length(s) >= n THEN s "
            "ELSE rpad(lpad(s, CAST(length(s) + (n - length(s)) // 2 AS INTEGER), ' '), CAST(n AS INTEGER), ' ') END",
            "(s, n, p) AS CASE WHEN n IS NULL OR p IS NULL THEN NULL WHEN length(s) >= n THEN s "
            "ELSE rpad(lpad(s, CAST(length(s) + (n - length(s)) // 2 AS INTEGER), CASE WHEN p = '' THEN ' ' ELSE p END), "
            "CAST(n AS INTEGER), CASE WHEN p = '' THEN ' ' ELSE p END) END",
        ),
        examples=(
            Example("CENTER('ab', 5, '*')", "'*ab**'"),
            Example("CENTER('abcdef', 3, '*')", "'abcdef'"),
            Example("CENTER('a', 3)", "' a '"),
        ),
    ),
    Function(
        name="CHOP",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Drops the last character. An empty text stays empty.",
        macro=("(s) AS left(s, greatest(length(s) - 1, 0))",),
        examples=(Example("CHOP('10%')", "'10'"), Example("CHOP('')", "''")),
    ),
    Function(
        name="CONCAT",
        aliases=("CONCATENATE",),
        family=FAMILY,
        signatures=(signature("value ANY", "STRING", variadic=1),),
        description="Joins the texts of all arguments; records, maps and arrays as JSON. Null counts as an empty text; use `||` "
        "where null should give null.",
        nulls=Nulls.NEVER,
        duckdb="concat",
        examples=(
            Example("CONCAT('a', 1, 'b')", "'a1b'"),
            Example("CONCAT('a', NULL)", "'a'"),
        ),
    ),
    Function(
        name="CONTAINS",
        family=FAMILY,
        signatures=(signature("text STRING, part STRING", "BOOLEAN"),),
        description="Says whether `part` occurs in the text. Case counts. An empty part occurs in every text.",
        duckdb="contains",
        examples=(
            Example("CONTAINS('Piraeus', 'rae')", "true"),
            Example("CONTAINS('Piraeus', 'RAE')", "false"),
            Example("CONTAINS('', '')", "true"),
        ),
    ),
    Function(
        name="STARTSWITH",
        family=FAMILY,
        signatures=(signature("text STRING, part STRING", "BOOLEAN"),),
        description="Says whether the text begins with `part`.",
        duckdb="starts_with",
        examples=(Example("STARTSWITH('GR123', 'GR')", "true"), Example("STARTSWITH('GR', 'GR1')", "false")),
    ),
    Function(
        name="ENDSWITH",
        family=FAMILY,
        signatures=(signature("text STRING, part STRING", "BOOLEAN"),),
        description="Says whether the text ends with `part`.",
        duckdb="ends_with",
        examples=(Example("ENDSWITH('a.csv', '.csv')", "true"), Example("ENDSWITH('', 'x')", "false")),
    ),
    Function(
        name="DELETEWHITESPACE",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Removes all white space, that of Unicode included.",
        macro=(r"(s) AS regexp_replace(s, '[\s\v\p{Z}]', '', 'g')",),
        examples=(
            Example("DELETEWHITESPACE(' a b  c ')", "'abc'"),
            Example("DELETEWHITESPACE('a\u3000b')", "'ab'"),
        ),
    ),
    Function(
        name="DIGITS",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Keeps the decimal digits, those of other scripts included.",
        macro=(r"(s) AS regexp_replace(s, '\P{Nd}', '', 'g')",),
        examples=(Example("DIGITS('+30 210-45')", "'3021045'"), Example("DIGITS('none')", "''")),
    ),
    Function(
        name="DROPLEFT",
        family=FAMILY,
        signatures=(signature("text STRING, count INT", "STRING"),),
        description="Drops the first `count` characters. A negative count drops none.",
        macro=("(s, n) AS substr(s, CASE WHEN n < 0 THEN 1 ELSE n + 1 END)",),
        examples=(
            Example("DROPLEFT('abcd', 1)", "'bcd'"),
            Example("DROPLEFT('abcd', 9)", "''"),
            Example("DROPLEFT('abcd', -1)", "'abcd'"),
        ),
    ),
    Function(
        name="DROPRIGHT",
        family=FAMILY,
        signatures=(signature("text STRING, count INT", "STRING"),),
        description="Drops the last `count` characters. A negative count drops none.",
        macro=(
            "(s, n) AS CASE WHEN n < 0 THEN s WHEN n >= length(s) THEN CASE WHEN s IS NULL THEN NULL ELSE '' END "
            "ELSE left(s, length(s) - n) END",
        ),
        examples=(
            Example("DROPRIGHT('abcd', 1)", "'abc'"),
            Example("DROPRIGHT('abcd', 9)", "''"),
            Example("DROPRIGHT('abcd', -1)", "'abcd'"),
        ),
    ),
    Function(
        name="TAKELEFT",
        family=FAMILY,
        signatures=(signature("text STRING, count INT", "STRING"),),
        description="Keeps the first `count` characters. A negative count keeps none.",
        macro=("(s, n) AS left(s, CASE WHEN n < 0 THEN 0 ELSE n END)",),
        examples=(
            Example("TAKELEFT('abcd', 2)", "'ab'"),
            Example("TAKELEFT('abcd', 9)", "'abcd'"),
            Example("TAKELEFT('abcd', -1)", "''"),
        ),
    ),
    Function(
        name="TAKERIGHT",
        family=FAMILY,
        signatures=(signature("text STRING, count INT", "STRING"),),
        description="Keeps the last `count` characters. A negative count keeps none.",
        macro=("(s, n) AS right(s, CASE WHEN n < 0 THEN 0 ELSE n END)",),
        examples=(
            Example("TAKERIGHT('abcd', 2)", "'cd'"),
            Example("TAKERIGHT('abcd', 9)", "'abcd'"),
            Example("TAKERIGHT('abcd', -1)", "''"),
        ),
    ),
    Function(
        name="TRUNCATE",
        family=FAMILY,
        signatures=(signature("text STRING, size INT", "STRING"),),
        description="Cuts a text to at most `size` characters. A negative size counts as 0.",
        macro=("(s, n) AS left(s, CASE WHEN n < 0 THEN 0 ELSE n END)",),
        examples=(Example("TRUNCATE('vessel', 3)", "'ves'"), Example("TRUNCATE('tug', 10)", "'tug'")),
    ),
    Function(
        name="INDEXOF",
        family=FAMILY,
        signatures=(signature("text STRING, part STRING", "INT"),),
        description="Gives the position of the first occurrence of `part`, counted from 0; -1 if there is none.",
        macro=("(s, t) AS CAST(strpos(s, t) - 1 AS INTEGER)",),
        examples=(
            Example("INDEXOF('user@host', '@')", "4"),
            Example("INDEXOF('abc', 'x')", "-1"),
            Example("INDEXOF('abc', '')", "0"),
        ),
    ),
    Function(
        name="LEN",
        aliases=("LENGTH",),
        family=FAMILY,
        signatures=(signature("text STRING", "INT"),),
        description="Gives the number of characters.",
        macro=("(s) AS CAST(length(s) AS INTEGER)",),
        examples=(Example("LEN('héllo')", "5"), Example("LEN('')", "0")),
    ),
    Function(
        name="LOWER",
        aliases=("LOWERCASE",),
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Makes all letters lower case.",
        duckdb="lower",
        examples=(Example("LOWER('ÅBC')", "'åbc'"), Example("LOWER('x1')", "'x1'")),
    ),
    Function(
        name="UPPER",
        aliases=("UPPERCASE",),
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Makes all letters upper case.",
        duckdb="upper",
        examples=(Example("UPPER('åbc')", "'ÅBC'"), Example("UPPER('')", "''")),
    ),
    Function(
        name="SWAPCASE",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Makes upper case letters lower and lower case letters upper.",
        macro=(
            "(s) AS array_to_string(list_transform(string_split(s, ''), "
            "lambda c: CASE WHEN c = upper(c) THEN lower(c) ELSE upper(c) END), '')",
        ),
        examples=(Example("SWAPCASE('aBcÉ')", "'AbCé'"), Example("SWAPCASE('')", "''")),
    ),
    Function(
        name="INITCAP",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Makes the first letter of each word upper case and the others lower case. Words are letters and digits.",
        macro=(
            r"(s) AS array_to_string(list_transform(regexp_extract_all(s, '[\pL\pN]+|[^\pL\pN]+'), "
            "lambda w: upper(left(w, 1)) || lower(substr(w, 2))), '')",
        ),
        examples=(
            Example("INITCAP('éric the RED')", "'Éric The Red'"),
            Example("INITCAP('a-b 1c')", "'A-B 1c'"),
        ),
    ),
    Function(
        name="SPLIT_INDEX",
        family=FAMILY,
        signatures=(signature("text STRING, separator STRING, index INT", "STRING"),),
        description="Gives the part of a text at a position, counted from 0, between separators; null outside the parts.",
        nulls=Nulls.HANDLED,
        macro=(
            "(s, p, i) AS CASE WHEN i >= 0 AND i <= length(s) THEN list_extract(string_split(s, p), i + 1) END",
        ),
        examples=(
            Example("SPLIT_INDEX('a,b,c', ',', 1)", "'b'"),
            Example("SPLIT_INDEX('a,b', ',', 2)", "NULL"),
            Example("SPLIT_INDEX('a,b', ',', 9223372036854775807)", "NULL"),
        ),
    ),
    Function(
        name="LPAD",
        aliases=("LEFTPAD",),
        family=FAMILY,
        signatures=(
            signature("text STRING, size INT", "STRING"),
            signature("text STRING, size INT, pad STRING", "STRING"),
        ),
        description="Fills a text up to `size` characters on the left. A text that is longer is unchanged. Without `pad`, or "
        "with an empty one, spaces are used.",
        macro=(
            "(s, n) AS CASE WHEN length(s) >= n THEN s ELSE lpad(s, CAST(n AS INTEGER), ' ') END",
            "(s, n, p) AS CASE WHEN p IS NULL THEN NULL WHEN length(s) >= n THEN s "
            "ELSE lpad(s, CAST(n AS INTEGER), CASE WHEN p = '' THEN ' ' ELSE p END) END",
        ),
        examples=(
            Example("LPAD('7', 3, '0')", "'007'"),
            Example("LPAD('abcd', 2, '0')", "'abcd'"),
            Example("LPAD('a', 2)", "' a'"),
        ),
    ),
    Function(
        name="RPAD",
        aliases=("RIGHTPAD",),
        family=FAMILY,
        signatures=(
            signature("text STRING, size INT", "STRING"),
            signature("text STRING, size INT, pad STRING", "STRING"),
        ),
        description="Fills a text up to `size` characters on the right. A text that is longer is unchanged. Without `pad`, or "
        "with an empty one, spaces are used.",
        macro=(
            "(s, n) AS CASE WHEN length(s) >= n THEN s ELSE rpad(s, CAST(n AS INTEGER), ' ') END",
            "(s, n, p) AS CASE WHEN p IS NULL THEN NULL WHEN length(s) >= n THEN s "
            "ELSE rpad(s, CAST(n AS INTEGER), CASE WHEN p = '' THEN ' ' ELSE p END) END",
        ),
        examples=(
            Example("RPAD('7', 3, '.')", "'7..'"),
            Example("RPAD('abcd', 2, '.')", "'abcd'"),
            Example("RPAD('a', 2)", "'a '"),
        ),
    ),
    Function(
        name="REGEXP",
        aliases=("REGEX", "REGEXP_SUBSTR"),
        family=FAMILY,
        signatures=(signature("text STRING, expression STRING", "STRING"),),
        description="Gives the first part of the text that the regular expression matches; null if there is none. Expressions "
        "follow RE2: as in Java, but without look-around and back-references.",
        nulls=Nulls.HANDLED,
        macro=("(s, re) AS CASE WHEN regexp_matches(s, re) THEN regexp_extract(s, re) END",),
        examples=(
            Example("REGEXP('MMSI 237123', '[0-9]+')", "'237123'"),
            Example("REGEXP('none', '[0-9]+')", "NULL"),
        ),
    ),
    Function(
        name="REGEXP_COUNT",
        family=FAMILY,
        signatures=(signature("text STRING, expression STRING", "INT"),),
        description="Gives how many parts of the text, none over another, the regular expression (RE2) matches.",
        macro=("(s, re) AS CAST(len(regexp_extract_all(s, re)) AS INTEGER)",),
        examples=(Example("REGEXP_COUNT('a1b22', '[0-9]+')", "2"), Example("REGEXP_COUNT('', 'x')", "0")),
    ),
    Function(
        name="LOCATE",
        family=FAMILY,
        signatures=(signature("part STRING, text STRING", "INT"),),
        description="Gives the position of the first occurrence of `part`, counted from 1; 0 if there is none. `INDEXOF` counts "
        "from 0.",
        macro=("(p, s) AS CAST(instr(s, p) AS INTEGER)",),
        examples=(Example("LOCATE('b', 'abcb')", "2"), Example("LOCATE('x', 'abc')", "0")),
    ),
    Function(
        name="REGEX_MATCHES",
        family=FAMILY,
        signatures=(signature("text STRING, expression STRING", "BOOLEAN"),),
        description="Says whether the regular expression (RE2) matches anywhere in the text. Write `^…$` to match all of it.",
        duckdb="regexp_matches",
        examples=(
            Example("REGEX_MATCHES('GR-42', '[A-Z]{2}-[0-9]+')", "true"),
            Example("REGEX_MATCHES('xGR-42', '^[A-Z]{2}-[0-9]+$')", "false"),
        ),
    ),
    Function(
        name="REPLACE",
        family=FAMILY,
        signatures=(signature("text STRING, part STRING, by STRING", "STRING"),),
        description="Replaces every occurrence of `part`. An empty part changes nothing.",
        duckdb="replace",
        examples=(Example("REPLACE('a-b-c', '-', '')", "'abc'"), Example("REPLACE('abc', '', 'x')", "'abc'")),
    ),
    Function(
        name="REVERSE",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Turns the text round; letters keep their combining marks.",
        duckdb="reverse",
        examples=(Example("REVERSE('abé')", "'éba'"), Example("REVERSE('')", "''")),
    ),
    Function(
        name="TRIM",
        aliases=("BTRIM",),
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Removes spaces, tabs and line ends from both ends.",
        macro=("(s) AS trim(s, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13))",),
        examples=(Example("TRIM('  a b ')", "'a b'"), Example("TRIM('   ')", "''")),
    ),
    Function(
        name="STRIPACCENTS",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Removes the accents of letters.",
        duckdb="strip_accents",
        examples=(Example("STRIPACCENTS('Ünïcode')", "'Unicode'"), Example("STRIPACCENTS('abc')", "'abc'")),
    ),
    Function(
        name="SUBSTRING",
        aliases=("SUBSTR",),
        family=FAMILY,
        signatures=(
            signature("text STRING, from INT", "STRING"),
            signature("text STRING, from INT, to INT", "STRING"),
        ),
        description="Gives the characters from position `from` up to, but without, position `to`, counted from 0. A negative "
        "position counts from the end. Positions outside the text are cut to it; `to` before `from` gives an empty text.",
        renderer=_substring,
        macro=(
            f"(s, f) AS substr(s, {_within_text('f')} + 1)",
            f"(s, f, t) AS substr(s, {_within_text('f')} + 1, CASE WHEN f IS NULL OR t IS NULL THEN NULL "
            f"ELSE greatest({_within_text('t')} - {_within_text('f')}, 0) END)",
        ),
        examples=(
            Example("SUBSTRING('vessel', 3)", "'sel'"),
            Example("SUBSTRING('vessel', 1, 3)", "'es'"),
            Example("SUBSTRING('vessel', -2)", "'el'"),
            Example("SUBSTRING('vessel', 0, -1)", "'vesse'"),
            Example("SUBSTRING('vessel', 4, 9007199254740993)", "'el'"),
        ),
    ),
    Function(
        name="UUID",
        family=FAMILY,
        signatures=(signature("", "STRING"),),
        description="Gives a random UUID (version 4), another one for each record.",
        nulls=Nulls.NEVER,
        volatility=Volatility.VOLATILE,
        macro=("() AS CAST(uuid() AS VARCHAR)",),
        examples=(Example("LEN(UUID())", "36"), Example("UUID() = UUID()", "false")),
    ),
)
