"""Functions on dates and times. Instants are TIMESTAMP in UTC; patterns are those of Java's `DateTimeFormatter`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlglot import exp, parse_one

from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import function as codes
from headrace.functions.declaration import Example, Function, Nulls, Renderer, Volatility
from headrace.functions.java_patterns import PatternError, Piece, to_read, to_write
from headrace.functions.literal import inside, literal_text
from headrace.functions.signature import signature

if TYPE_CHECKING:
    from collections.abc import Sequence

FAMILY: Final = "date"

_ARGUMENT: Final = "hr_argument"
_SHAPED: Final = (
    f"CASE WHEN regexp_full_match({_ARGUMENT}, {{shape}}) THEN {{smooth}} "
    f"WHEN {_ARGUMENT} IS NOT NULL THEN chr(1) END"
)
"""What no pattern reads fails in `strptime`; a call of `error` could not be tried row by row, being volatile."""

_LATER_MOMENT: Final = "hr_read"
_WHEN: Final = "DATE|TIMESTAMP"


def _quoted(text: str) -> str:
    return exp.Literal.string(text).sql(dialect="duckdb")


def _refused(error: PatternError, node: exp.Expression, text: str, span: Span | None) -> ProgramError:
    place = inside(node, text, error.start, error.end, span)
    return ProgramError((Diagnostic(codes.BAD_PATTERN, error.message, place),))


def _formatted(moment: exp.Expression, node: exp.Expression, name: str, span: Span | None) -> exp.Expression:
    """Give the text of a moment by a pattern."""
    text = literal_text(node, f"the pattern of `{name}`", span)
    try:
        pieces = to_write(text)
    except PatternError as error:
        raise _refused(error, node, text, span) from None
    parts = [_piece(piece, moment) for piece in pieces]
    whole = parts[0]
    for part in parts[1:]:
        whole = exp.DPipe(this=whole, expression=part)
    return exp.Paren(this=whole) if len(parts) > 1 else whole


def _piece(piece: Piece, moment: exp.Expression) -> exp.Expression:
    if not piece.is_sql:
        return exp.Anonymous(this="strftime", expressions=[moment.copy(), exp.Literal.string(piece.text)])
    return exp.Paren(this=_filled(piece.text.replace("{t}", _ARGUMENT), moment))


def _filled(sql: str, argument: exp.Expression) -> exp.Expression:
    """Give an expression of DuckDB with an argument in its place."""
    built = parse_one(sql, dialect="duckdb")
    assert isinstance(built, exp.Expression)

    def fill(node: exp.Expression) -> exp.Expression:
        return argument.copy() if isinstance(node, exp.Column) and node.name == _ARGUMENT else node

    filled: exp.Expression = built.transform(fill)
    return filled


def _parsed(text: exp.Expression, node: exp.Expression, name: str, span: Span | None) -> exp.Expression:
    """Give the moment that a text says by a pattern; what does not look as the pattern says is refused."""
    pattern = literal_text(node, f"the pattern of `{name}`", span)
    try:
        reading = to_read(pattern)
    except PatternError as error:
        raise _refused(error, node, pattern, span) from None
    formats: list[exp.Expression] = [exp.Literal.string(item) for item in reading.formats]
    form = formats[0] if len(formats) == 1 else exp.Array(expressions=formats)
    smooth = _ARGUMENT
    for found_text, replacement in reading.smoothed:
        smooth = f"regexp_replace({smooth}, {_quoted(found_text)}, {_quoted(replacement)})"
    shaped = _filled(_SHAPED.replace("{smooth}", smooth).replace("{shape}", _quoted(reading.shape)), text)
    found: exp.Expression = exp.Anonymous(this="strptime", expressions=[shaped, form])
    checked = _LATER_MOMENT
    if reading.short_year:
        checked = f"CASE WHEN year({checked}) < 2000 THEN {checked} + INTERVAL 100 YEAR ELSE {checked} END"
    if reading.day_of_week:
        checked = (
            f"CASE WHEN contains({_ARGUMENT}, strftime({checked}, '%a')) THEN {checked} "
            f"ELSE strptime(chr(1) || {_ARGUMENT}, '%Y') END"
        )
    if reading.milli_of_day is not None:
        millis = f"CAST(regexp_extract({_ARGUMENT}, {_quoted(reading.milli_of_day)}, 1) AS HUGEINT)"
        checked = (
            f"CASE WHEN {millis} < 86400000 THEN {checked} + to_microseconds(CAST({millis} * 1000 AS BIGINT)) "
            f"ELSE strptime(chr(1) || {_ARGUMENT}, '%Y') END"
        )
    if checked == _LATER_MOMENT:
        return found
    # The moment is named by a lambda: what stands twice DuckDB computes beforehand, outside a TRY around all this.
    body = exp.Lambda(this=_filled(checked, text), expressions=[exp.to_identifier(_LATER_MOMENT)], colon=True)
    mapped = exp.Anonymous(this="list_transform", expressions=[exp.Array(expressions=[found]), body])
    return exp.Anonymous(this="list_extract", expressions=[mapped, exp.Literal.number(1)])


def _writes(name: str) -> Renderer:
    def render(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
        return _formatted(args[0], args[1], name, span)

    return render


def _format_time(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    moment = exp.Anonymous(this="hr_format_time", expressions=[args[0].copy()])
    return _formatted(moment, args[1], "FORMAT_TIME", span)


def _reads(name: str, macro: str) -> Renderer:
    """Render `macro(strptime(text, pattern))`, or `macro(text)` where the pattern may be left out."""

    def render(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
        if len(args) == 1:
            return exp.Anonymous(this=macro, expressions=[args[0].copy()])
        parsed = _parsed(args[0], args[1], name, span)
        return exp.Anonymous(this=macro, expressions=[parsed])

    return render


def _convert(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    parsed = _parsed(args[0], args[1], "CONVERT_DATETIME", span)
    return _formatted(parsed, args[2], "CONVERT_DATETIME", span)


def _from_unixtime(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    moment = exp.Anonymous(this="hr_from_unixtime", expressions=[args[0].copy()])
    given = args[1] if len(args) == 2 else exp.Literal.string("yyyy-MM-dd HH:mm:ss")
    return _formatted(moment, given, "FROM_UNIXTIME", span)


def _unix_timestamp(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
    given = [arg.copy() for arg in args[:1]]
    if len(args) == 2:
        given = [_parsed(args[0], args[1], "UNIX_TIMESTAMP", span)]
    return exp.Anonymous(this="hr_unix_timestamp", expressions=given)


def _part(name: str, what: str, types: str, *examples: Example) -> Function:
    return Function(
        name=name,
        family=FAMILY,
        signatures=(signature(f"when {types}", "INT"),),
        description=what,
        macro=(f"(x) AS CAST({name.lower()}(x) AS INTEGER)",),
        examples=examples,
    )


def _clock(name: str, body: str, result: str, what: str, *examples: Example) -> Function:
    return Function(
        name=name,
        family=FAMILY,
        signatures=(signature("", result),),
        description=what,
        nulls=Nulls.NEVER,
        volatility=Volatility.STABLE,
        macro=(f"() AS {body}",),
        examples=examples,
    )


_TIME_OF: Final = (
    # Beside what DuckDB refuses itself it takes 24 o'clock and a 60th second for those of the next day and minute.
    "CASE WHEN h > 23 OR s >= 60 OR isnan(CAST(s AS DOUBLE)) THEN error('TIMESTAMP was given a part that is out of range') "
    "ELSE make_timestamp(y, mo, d, h, mi, s) END"
)

_OFFSET: Final = (
    "'[+-](?:[0-9]|(?:0[0-9]|1[0-7])(?::[0-5][0-9](?::[0-5][0-9])?|(?:[0-5][0-9]){0,2})"
    "|18(?::00){0,2}|18(?:00){0,2})'"
)
"""The offsets of Java's `ZoneId`."""

_OFFSET_DIGITS: Final = (
    "rpad(regexp_replace(regexp_replace(z, '[^0-9]', '', 'g'), '^([0-9])$', '0\\1'), 6, '0')"
)
_OFFSET_SECONDS: Final = (
    f"(CASE WHEN contains(z, '-') THEN -1 ELSE 1 END * (CAST(left({_OFFSET_DIGITS}, 2) AS INTEGER) * 3600 "
    f"+ CAST(substr({_OFFSET_DIGITS}, 3, 2) AS INTEGER) * 60 + CAST(right({_OFFSET_DIGITS}, 2) AS INTEGER)))"
)
_IN_ZONE: Final = (
    f"CASE WHEN z = 'Z' THEN {_TIME_OF} AT TIME ZONE 'UTC' "
    f"WHEN regexp_full_match(z, '(?:UTC|GMT|UT)?(?:' || {_OFFSET} || ')') "
    f"THEN ({_TIME_OF} - to_seconds({_OFFSET_SECONDS})) AT TIME ZONE 'UTC' "
    "WHEN regexp_matches(z, '^(?:UTC|GMT|UT)?[+-]') THEN error('TIMESTAMP was given an offset that is none') "
    f"ELSE {_TIME_OF} AT TIME ZONE z END"
)

_MOMENT: Final = "TO_TIMESTAMP('2024-02-29T13:05:09.250Z')"


def _moved(sign: str) -> str:
    """Give the macro's text for a time `t` that is moved by `n` units `u`."""
    moved = f"CAST(t AS TIMESTAMP) {sign} CAST('1 ' || u AS INTERVAL) * CAST(n AS BIGINT)"
    return f"CAST({moved} AS TIMESTAMP WITH TIME ZONE)"


FUNCTIONS: Final = (
    _clock(
        "NOW",
        "now()",
        "TIMESTAMP",
        "Gives the present time.",
        Example("NOW() > TO_TIMESTAMP(0)", "true"),
        Example("NOW() = NOW()", "true"),
    ),
    _clock(
        "DATETIME",
        "now()",
        "TIMESTAMP",
        "Gives the present date and time, as `NOW`.",
        Example("DATETIME() = NOW()", "true"),
        Example("DATETIME() > TO_TIMESTAMP(0)", "true"),
    ),
    _clock(
        "DATE",
        "CAST(now() AS DATE)",
        "DATE",
        "Gives the present date in UTC.",
        Example("DATE() = EXTRACT_DATE(NOW())", "true"),
        Example("YEAR(DATE()) >= 2024", "true"),
    ),
    _clock(
        "TOMORROW",
        "now() + INTERVAL 1 DAY",
        "TIMESTAMP",
        "Gives the present time of tomorrow.",
        Example("TOMORROW() > NOW()", "true"),
        Example("EXTRACT_TIME(TOMORROW()) = EXTRACT_TIME(NOW())", "true"),
    ),
    _clock(
        "YESTERDAY",
        "now() - INTERVAL 1 DAY",
        "TIMESTAMP",
        "Gives the present time of yesterday.",
        Example("YESTERDAY() < NOW()", "true"),
        Example("EXTRACT_TIME(YESTERDAY()) = EXTRACT_TIME(NOW())", "true"),
    ),
    Function(
        name="CONVERT_DATETIME",
        family=FAMILY,
        signatures=(signature("text STRING, from_pattern STRING, to_pattern STRING", "STRING"),),
        description="Reads a text by one pattern and writes it by another. A text that does not fit fails the record.",
        renderer=_convert,
        examples=(
            Example("CONVERT_DATETIME('29/02/2024 13:05', 'dd/MM/yyyy HH:mm', 'yyyy-MM-dd')", "'2024-02-29'"),
            Example("CONVERT_DATETIME('1:05 PM', 'h:mm a', 'HH:mm')", "'13:05'"),
        ),
    ),
    Function(
        name="FORMAT_DATE",
        family=FAMILY,
        signatures=(signature(f"when {_WHEN}, pattern STRING", "STRING"),),
        description="Writes a date by a pattern.",
        renderer=_writes("FORMAT_DATE"),
        examples=(
            Example("FORMAT_DATE(TO_DATE('2024-02-29'), 'd MMM yyyy')", "'29 Feb 2024'"),
            Example("FORMAT_DATE(TO_DATE('2024-02-29'), 'EEEE')", "'Thursday'"),
        ),
    ),
    Function(
        name="FORMAT_TIME",
        family=FAMILY,
        signatures=(signature("time TIME|TIMESTAMP, pattern STRING", "STRING"),),
        description="Writes a time of day by a pattern.",
        renderer=_format_time,
        macro=(
            "(t TIME) AS DATE '1970-01-01' + t",
            "(t TIMESTAMP WITH TIME ZONE) AS CAST(t AS TIMESTAMP)",
        ),
        examples=(
            Example("FORMAT_TIME(TIME_MILLIS(47109000), 'HH:mm:ss')", "'13:05:09'"),
            Example(f"FORMAT_TIME({_MOMENT}, 'h a')", "'1 PM'"),
        ),
    ),
    Function(
        name="FORMAT_TIMESTAMP",
        aliases=("DATE_FORMAT",),
        family=FAMILY,
        signatures=(signature(f"when {_WHEN}, pattern STRING", "STRING"),),
        description="Writes a timestamp by a pattern, in UTC.",
        renderer=_writes("FORMAT_TIMESTAMP"),
        examples=(
            Example(
                f"FORMAT_TIMESTAMP({_MOMENT}, 'yyyy-MM-dd''T''HH:mm:ss.SSSXXX')", "'2024-02-29T13:05:09.250Z'"
            ),
            Example(f"FORMAT_TIMESTAMP({_MOMENT}, 'HH:mm')", "'13:05'"),
        ),
    ),
    Function(
        name="PARSE_DATE",
        family=FAMILY,
        signatures=(signature("text STRING, pattern STRING", "DATE"),),
        description="Reads a date by a pattern. A text that does not fit fails the record.",
        renderer=_reads("PARSE_DATE", "hr_parse_date"),
        macro=("(x) AS CAST(x AS DATE)",),
        examples=(
            Example("PARSE_DATE('29.02.2024', 'dd.MM.yyyy')", "DATE '2024-02-29'"),
            Example("PARSE_DATE('20240229', 'yyyyMMdd')", "DATE '2024-02-29'"),
        ),
    ),
    Function(
        name="PARSE_TIME_MILLIS",
        family=FAMILY,
        signatures=(signature("text STRING, pattern STRING", "TIME"),),
        description="Reads a time of day by a pattern, cut to milliseconds.",
        renderer=_reads("PARSE_TIME_MILLIS", "hr_parse_time_millis"),
        macro=("(x) AS CAST(date_trunc('millisecond', x) AS TIME)",),
        examples=(
            Example("PARSE_TIME_MILLIS('13:05:09', 'HH:mm:ss')", "TIME '13:05:09'"),
            Example("PARSE_TIME_MILLIS('13:05:09.123456', 'HH:mm:ss.SSSSSS')", "TIME '13:05:09.123'"),
        ),
    ),
    Function(
        name="PARSE_TIME_MICROS",
        aliases=("PARSE_TIME",),
        family=FAMILY,
        signatures=(signature("text STRING, pattern STRING", "TIME"),),
        description="Reads a time of day by a pattern.",
        renderer=_reads("PARSE_TIME_MICROS", "hr_parse_time_micros"),
        macro=("(x) AS CAST(x AS TIME)",),
        examples=(
            Example("PARSE_TIME_MICROS('13:05:09.123456', 'HH:mm:ss.SSSSSS')", "TIME '13:05:09.123456'"),
            Example("PARSE_TIME_MICROS('1305', 'HHmm')", "TIME '13:05:00'"),
        ),
    ),
    Function(
        name="PARSE_TIMESTAMP_MILLIS",
        family=FAMILY,
        signatures=(signature("text STRING, pattern STRING", "TIMESTAMP"),),
        description="Reads a timestamp by a pattern, cut to milliseconds. Without a zone in the pattern it is UTC.",
        renderer=_reads("PARSE_TIMESTAMP_MILLIS", "hr_parse_timestamp_millis"),
        macro=("(x) AS date_trunc('millisecond', CAST(x AS TIMESTAMP WITH TIME ZONE))",),
        examples=(
            Example(
                "PARSE_TIMESTAMP_MILLIS('2016-01-01 00:00:02', 'yyyy-MM-dd HH:mm:ss')",
                "TIMESTAMPTZ '2016-01-01 00:00:02+00'",
            ),
            Example(
                "PARSE_TIMESTAMP_MILLIS('2016-01-01T02:00+02:00', 'yyyy-MM-dd''T''HH:mmXXX')",
                "TIMESTAMPTZ '2016-01-01 00:00:00+00'",
            ),
        ),
    ),
    Function(
        name="PARSE_TIMESTAMP_MICROS",
        aliases=("PARSE_TIMESTAMP",),
        family=FAMILY,
        signatures=(signature("text STRING, pattern STRING", "TIMESTAMP"),),
        description="Reads a timestamp by a pattern. Without a zone in the pattern it is UTC.",
        renderer=_reads("PARSE_TIMESTAMP_MICROS", "hr_parse_timestamp_micros"),
        macro=("(x) AS CAST(x AS TIMESTAMP WITH TIME ZONE)",),
        examples=(
            Example(
                "PARSE_TIMESTAMP_MICROS('2016-01-01 00:00:02.000007', 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
                "TIMESTAMPTZ '2016-01-01 00:00:02.000007+00'",
            ),
            Example(
                "PARSE_TIMESTAMP_MICROS('2016-01-01', 'yyyy-MM-dd[ HH:mm]')",
                "TIMESTAMPTZ '2016-01-01 00:00:00+00'",
            ),
        ),
    ),
    Function(
        name="FROM_UNIXTIME",
        family=FAMILY,
        signatures=(
            signature("seconds LONG", "STRING"),
            signature("seconds LONG, pattern STRING", "STRING"),
        ),
        description="Writes seconds since 1970-01-01 UTC by a pattern, `yyyy-MM-dd HH:mm:ss` if none is given.",
        renderer=_from_unixtime,
        macro=("(x BIGINT) AS CAST(make_timestamp(x * 1000000) AS TIMESTAMP WITH TIME ZONE)",),
        examples=(
            Example("FROM_UNIXTIME(1709211909)", "'2024-02-29 13:05:09'"),
            Example("FROM_UNIXTIME(-1, 'yyyy/MM/dd')", "'1969/12/31'"),
        ),
    ),
    Function(
        name="UNIX_TIMESTAMP",
        family=FAMILY,
        signatures=(
            signature("", "LONG"),
            signature("when TIMESTAMP|DATE", "LONG"),
            signature("text STRING, pattern STRING", "LONG"),
        ),
        description="Gives the seconds since 1970-01-01 UTC of a timestamp, of a text that is read by a pattern, or of the "
        "present time.",
        volatility=Volatility.STABLE,
        renderer=_unix_timestamp,
        macro=(
            "() AS CAST(floor(epoch(now())) AS BIGINT)",
            "(x) AS CAST(floor(epoch(CAST(x AS TIMESTAMP WITH TIME ZONE))) AS BIGINT)",
        ),
        examples=(
            Example(f"UNIX_TIMESTAMP({_MOMENT})", "1709211909"),
            Example("UNIX_TIMESTAMP('1970-01-02', 'yyyy-MM-dd')", "86400"),
        ),
    ),
    Function(
        name="TIMESTAMPDIFF",
        family=FAMILY,
        signatures=(signature(f"unit STRING, from {_WHEN}, to {_WHEN}", "LONG"),),
        description="Gives how many whole units (`SECOND`, `MINUTE`, `HOUR`, `DAY`, `WEEK`, `MONTH`, `YEAR`, …) lie between two "
        "times; negative if `to` is earlier.",
        macro=("(u, a, b) AS date_sub(u, CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP))",),
        examples=(
            Example(f"TIMESTAMPDIFF(HOUR, TO_TIMESTAMP(1709207999000), {_MOMENT})", "1"),
            Example("TIMESTAMPDIFF(MONTH, TO_DATE('2024-03-30'), TO_DATE('2024-01-31'))", "-1"),
        ),
    ),
    Function(
        name="TIMESTAMPADD",
        family=FAMILY,
        signatures=(signature(f"unit STRING, count LONG, when {_WHEN}", "TIMESTAMP"),),
        description="Gives the time so many units (as those of `TIMESTAMPDIFF`) later. A day that the month does not have is "
        "its last.",
        macro=(f"(u, n, t) AS {_moved('+')}",),
        examples=(
            Example("TIMESTAMPADD(DAY, 1, TO_TIMESTAMP(0))", "TIMESTAMPTZ '1970-01-02 00:00:00+00'"),
            Example("TIMESTAMPADD(MONTH, 1, TO_DATE('2024-01-31'))", "TIMESTAMPTZ '2024-02-29 00:00:00+00'"),
        ),
    ),
    Function(
        name="TIMESTAMPSUB",
        family=FAMILY,
        signatures=(signature(f"unit STRING, count LONG, when {_WHEN}", "TIMESTAMP"),),
        description="Gives the time so many units earlier; see `TIMESTAMPADD`.",
        macro=(f"(u, n, t) AS {_moved('-')}",),
        examples=(
            Example("TIMESTAMPSUB(SECOND, 1, TO_TIMESTAMP(0))", "TIMESTAMPTZ '1969-12-31 23:59:59+00'"),
            Example("TIMESTAMPSUB(YEAR, 1, TO_DATE('2024-02-29'))", "TIMESTAMPTZ '2023-02-28 00:00:00+00'"),
        ),
    ),
    Function(
        name="TO_TIMESTAMP_LTZ",
        family=FAMILY,
        signatures=(signature("number LONG, precision INT", "TIMESTAMP"),),
        description="Gives the timestamp so many seconds (precision 0) or milliseconds (3) after 1970-01-01 UTC. Another "
        "precision fails the record.",
        macro=(
            "(x, p) AS CAST(make_timestamp(CAST(x AS BIGINT) * CASE WHEN p = 0 THEN 1000000 WHEN p = 3 THEN 1000 "
            "WHEN p IS NOT NULL THEN error('the precision of TO_TIMESTAMP_LTZ is 0 or 3') END) AS TIMESTAMP WITH TIME ZONE)",
        ),
        examples=(
            Example("TO_TIMESTAMP_LTZ(2, 0)", "TIMESTAMPTZ '1970-01-01 00:00:02+00'"),
            Example("TO_TIMESTAMP_LTZ(1500, 3)", "TIMESTAMPTZ '1970-01-01 00:00:01.5+00'"),
        ),
    ),
    Function(
        name="EXTRACT_DATE",
        family=FAMILY,
        signatures=(signature(f"when {_WHEN}", "DATE"),),
        description="Gives the date of a timestamp, in UTC.",
        macro=("(x) AS CAST(x AS DATE)",),
        examples=(
            Example(f"EXTRACT_DATE({_MOMENT})", "DATE '2024-02-29'"),
            Example("EXTRACT_DATE(TO_TIMESTAMP(-1))", "DATE '1969-12-31'"),
        ),
    ),
    Function(
        name="EXTRACT_TIME",
        family=FAMILY,
        signatures=(signature("when TIMESTAMP", "TIME"),),
        description="Gives the time of day of a timestamp, in UTC.",
        macro=("(x) AS CAST(CAST(x AS TIMESTAMP) AS TIME)",),
        examples=(
            Example(f"EXTRACT_TIME({_MOMENT})", "TIME '13:05:09.25'"),
            Example("EXTRACT_TIME(TO_TIMESTAMP(0))", "TIME '00:00:00'"),
        ),
    ),
    _part(
        "YEAR",
        "Gives the year.",
        _WHEN,
        Example(f"YEAR({_MOMENT})", "2024"),
        Example("YEAR(TO_TIMESTAMP(0))", "1970"),
    ),
    _part(
        "MONTH",
        "Gives the month, 1 to 12.",
        _WHEN,
        Example(f"MONTH({_MOMENT})", "2"),
        Example("MONTH(TO_DATE('2024-12-01'))", "12"),
    ),
    Function(
        name="MONTH_TEXT",
        family=FAMILY,
        signatures=(signature(f"when {_WHEN}", "STRING"),),
        description="Gives the English name of the month.",
        duckdb="monthname",
        examples=(
            Example(f"MONTH_TEXT({_MOMENT})", "'February'"),
            Example("MONTH_TEXT(TO_DATE('2024-05-01'))", "'May'"),
        ),
    ),
    _part(
        "DAY",
        "Gives the day of the month.",
        _WHEN,
        Example(f"DAY({_MOMENT})", "29"),
        Example("DAY(TO_DATE('2024-12-01'))", "1"),
    ),
    _part(
        "HOUR",
        "Gives the hour, 0 to 23, in UTC.",
        f"{_WHEN}|TIME",
        Example(f"HOUR({_MOMENT})", "13"),
        Example("HOUR(TIME_MILLIS(0))", "0"),
    ),
    _part(
        "MINUTE",
        "Gives the minute.",
        f"{_WHEN}|TIME",
        Example(f"MINUTE({_MOMENT})", "5"),
        Example("MINUTE(TIME_MILLIS(60000))", "1"),
    ),
    _part(
        "SECOND",
        "Gives the second, without its fraction.",
        f"{_WHEN}|TIME",
        Example(f"SECOND({_MOMENT})", "9"),
        Example("SECOND(TIME_MILLIS(59999))", "59"),
    ),
    Function(
        name="TIMESTAMP",
        family=FAMILY,
        signatures=(
            signature("year INT, month INT, day INT, hour INT, minute INT, second NUMBER", "TIMESTAMP"),
            signature(
                "year INT, month INT, day INT, hour INT, minute INT, second NUMBER, zone STRING", "TIMESTAMP"
            ),
        ),
        description="Builds a timestamp from its parts, in the zone (`Europe/Athens`, `+02:00`, `Z`) or in UTC. Parts out of "
        "range, a day that its month does not have, and a zone that is not known fail the record. A time that clocks leave out "
        "in spring is moved on by an hour; of one that comes twice in autumn the second is taken.",
        macro=(
            f"(y, mo, d, h, mi, s) AS {_TIME_OF} AT TIME ZONE 'UTC'",
            f"(y, mo, d, h, mi, s, z) AS {_IN_ZONE}",
        ),
        examples=(
            Example("TIMESTAMP(2024, 2, 29, 13, 5, 9)", "TIMESTAMPTZ '2024-02-29 13:05:09+00'"),
            Example(
                "TIMESTAMP(2024, 2, 29, 2, 0, 0, 'Europe/Athens')", "TIMESTAMPTZ '2024-02-29 00:00:00+00'"
            ),
            Example("TIMESTAMP(2024, 2, 29, 2, 0, 0, '+05:30')", "TIMESTAMPTZ '2024-02-28 20:30:00+00'"),
        ),
    ),
    Function(
        name="TIMESTAMP_MILLIS",
        family=FAMILY,
        signatures=(signature("millis LONG", "TIMESTAMP"),),
        description="Builds a timestamp from milliseconds since 1970-01-01 UTC.",
        macro=("(x BIGINT) AS CAST(make_timestamp(x * 1000) AS TIMESTAMP WITH TIME ZONE)",),
        examples=(
            Example("TIMESTAMP_MILLIS(1500)", "TIMESTAMPTZ '1970-01-01 00:00:01.5+00'"),
            Example("TIMESTAMP_MILLIS(-1)", "TIMESTAMPTZ '1969-12-31 23:59:59.999+00'"),
        ),
    ),
    Function(
        name="TIMESTAMP_MICROS",
        family=FAMILY,
        signatures=(signature("micros LONG", "TIMESTAMP"),),
        description="Builds a timestamp from microseconds since 1970-01-01 UTC.",
        macro=("(x BIGINT) AS CAST(make_timestamp(x) AS TIMESTAMP WITH TIME ZONE)",),
        examples=(
            Example("TIMESTAMP_MICROS(1500)", "TIMESTAMPTZ '1970-01-01 00:00:00.0015+00'"),
            Example("TIMESTAMP_MICROS(0)", "TIMESTAMPTZ '1970-01-01 00:00:00+00'"),
        ),
    ),
    Function(
        name="TIME_MILLIS",
        family=FAMILY,
        signatures=(signature("millis LONG", "TIME"),),
        description="Builds a time of day from milliseconds since midnight. What is not within a day fails the record.",
        macro=(
            "(x BIGINT) AS CASE WHEN x >= 0 AND x < 86400000 THEN TIME '00:00:00' + to_microseconds(x * 1000) "
            "WHEN x IS NOT NULL THEN error('TIME_MILLIS was given a number outside a day') END",
        ),
        examples=(
            Example("TIME_MILLIS(47109250)", "TIME '13:05:09.25'"),
            Example("TIME_MILLIS(0)", "TIME '00:00:00'"),
        ),
    ),
    Function(
        name="TIME_MICROS",
        family=FAMILY,
        signatures=(signature("micros LONG", "TIME"),),
        description="Builds a time of day from microseconds since midnight. What is not within a day fails the record.",
        macro=(
            "(x BIGINT) AS CASE WHEN x >= 0 AND x < 86400000000 THEN TIME '00:00:00' + to_microseconds(x) "
            "WHEN x IS NOT NULL THEN error('TIME_MICROS was given a number outside a day') END",
        ),
        examples=(
            Example("TIME_MICROS(1)", "TIME '00:00:00.000001'"),
            Example("TIME_MICROS(47109000000)", "TIME '13:05:09'"),
        ),
    ),
    Function(
        name="TO_DATE",
        family=FAMILY,
        signatures=(
            signature("text STRING|TIMESTAMP|DATE", "DATE"),
            signature("text STRING, pattern STRING", "DATE"),
        ),
        description="Reads a date, in ISO form or by a pattern, or gives the date of a timestamp.",
        renderer=_reads("TO_DATE", "hr_to_date"),
        macro=("(x) AS CAST(x AS DATE)",),
        examples=(
            Example("TO_DATE('2024-02-29')", "DATE '2024-02-29'"),
            Example("TO_DATE('29/02/24', 'dd/MM/yy')", "DATE '2024-02-29'"),
        ),
    ),
    Function(
        name="TO_DATETIME",
        family=FAMILY,
        signatures=(
            signature("text STRING|TIMESTAMP|DATE", "TIMESTAMP"),
            signature("text STRING, pattern STRING", "TIMESTAMP"),
        ),
        description="Reads a date with a time, in ISO form or by a pattern. Without a zone it is UTC.",
        renderer=_reads("TO_DATETIME", "hr_to_datetime"),
        macro=("(x) AS CAST(x AS TIMESTAMP WITH TIME ZONE)",),
        examples=(
            Example("TO_DATETIME('2024-02-29T13:05:09Z')", "TIMESTAMPTZ '2024-02-29 13:05:09+00'"),
            Example("TO_DATETIME('2024-02-29 13', 'yyyy-MM-dd HH')", "TIMESTAMPTZ '2024-02-29 13:00:00+00'"),
        ),
    ),
    Function(
        name="TO_TIMESTAMP",
        family=FAMILY,
        signatures=(
            signature("value LONG|STRING|TIMESTAMP|DATE", "TIMESTAMP"),
            signature("text STRING, pattern STRING", "TIMESTAMP"),
        ),
        description="Builds a timestamp from milliseconds since 1970-01-01 UTC, or reads a text in ISO form or by a pattern.",
        renderer=_reads("TO_TIMESTAMP", "hr_to_timestamp"),
        macro=(
            "(x BIGINT) AS CAST(make_timestamp(x * 1000) AS TIMESTAMP WITH TIME ZONE)",
            "(x VARCHAR) AS CAST(x AS TIMESTAMP WITH TIME ZONE)",
            "(x TIMESTAMP WITH TIME ZONE) AS x",
        ),
        examples=(
            Example("TO_TIMESTAMP(1500)", "TIMESTAMPTZ '1970-01-01 00:00:01.5+00'"),
            Example("TO_TIMESTAMP('29.02.2024', 'dd.MM.yyyy')", "TIMESTAMPTZ '2024-02-29 00:00:00+00'"),
        ),
    ),
)
