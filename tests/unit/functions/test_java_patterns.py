"""Java's date patterns in DuckDB's words, compared with what Java 17 does.

`java_dates.tsv` is what a JVM wrote (locale `en`, zone UTC): `write`, pattern, moment, text; and `read`, pattern, text, moment or
`-` if Java refuses the text. Patterns are all letters in all widths, usual ones, and random ones; texts are written ones with
a character changed, dropped or added.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import duckdb
import pytest

from headrace.errors import ProgramError
from headrace.functions.java_patterns import PatternError, to_read, to_write
from tests.unit.functions.duckdb_calls import connection, evaluate, rendered

JAVA = [
    line.split("\t")
    for line in (Path(__file__).parent / "java_dates.tsv").read_text(encoding="utf-8").splitlines()
]
MOMENT = "TIMESTAMP(2024, 2, 9, 15, 4, 7.058)"


def by_pattern(kind: str) -> dict[str, list[tuple[str, str]]]:
    found = defaultdict(list)
    for what, pattern, given, expected in JAVA:
        if what == kind:
            found[pattern].append((given, expected))
    return found


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def computed(call: str, values: list[str]) -> list[str | None]:
    sql = rendered(call).sql(dialect="duckdb")
    rows = ", ".join(f"({value})" for value in values)
    return [
        value
        for (value,) in connection().execute(f"SELECT TRY({sql}) FROM (VALUES {rows}) AS t(x)").fetchall()
    ]


def test_java_writes_the_same() -> None:
    patterns = by_pattern("write")
    assert len(patterns) > 120
    for pattern, rows in patterns.items():
        found = computed(
            f"FORMAT_TIMESTAMP(x, {quoted(pattern)})", [f"TIMESTAMPTZ {quoted(moment)}" for moment, _ in rows]
        )
        assert found == [text for _, text in rows], pattern


def test_java_reads_the_same_and_refuses_the_same() -> None:
    for pattern, rows in by_pattern("read").items():
        call = f"EPOCH_US(PARSE_TIMESTAMP_MICROS(x, {quoted(pattern)}))"
        found = computed(call, [quoted(text) for text, _ in rows])
        moments = [None if moment == "-" else f"EPOCH_US(TIMESTAMPTZ {quoted(moment)})" for _, moment in rows]
        expected = connection().execute("SELECT " + ", ".join(item or "NULL" for item in moments)).fetchone()
        assert found == list(expected or ()), pattern
        assert None in found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd HH:mm:ss.SSS", "2024-02-09 15:04:07.058"),
        ("yy/M/d H:m:s", "24/2/9 15:4:7"),
        ("EEE, d MMM uuuu", "Fri, 9 Feb 2024"),
        ("EEEE dd MMMM", "Friday 09 February"),
        ("hh:mm a", "03:04 PM"),
        ("h a", "3 PM"),
        ("DDD", "040"),
        ("ss.SSSSSS", "07.058000"),
        ("SSSSSSSSS", "058000000"),
        ("yyyyMMdd''T''HHmmssXXX", "20240209T150407Z"),
        ("HH Z xxx z", "15 +0000 +00:00 UTC"),
        ("''o''''clock'' H", "o'clock 15"),
        ("''100%'' d%", "100% 9%"),
        ("yyyy[-MM]", "2024-02"),
        ("QQQQQ", "1"),
        ("g", "60349"),
        ("F v vvvv", "2 UTC Coordinated Universal Time"),
        ("d日 M月", "9日 2月"),
    ],
)
def test_writing(pattern: str, text: str) -> None:
    assert evaluate(f"FORMAT_TIMESTAMP({MOMENT}, '{pattern}')")[1] == text


@pytest.mark.parametrize(
    ("text", "pattern", "moment"),
    [
        ("2024-02-09 15:04:07.058", "yyyy-MM-dd HH:mm:ss.SSS", "2024-02-09 15:04:07.058+00"),
        ("9 Feb 2024, 3 PM", "d MMM yyyy, h a", "2024-02-09 15:00:00+00"),
        ("Friday 09 February 2024", "EEEE dd MMMM yyyy", "2024-02-09 00:00:00+00"),
        ("2024-02-09T15:04:07+02:00", "yyyy-MM-dd''T''HH:mm:ssXXX", "2024-02-09 13:04:07+00"),
        ("2024-02-09T15:04:07Z", "yyyy-MM-dd''T''HH:mm:ssXXX", "2024-02-09 15:04:07+00"),
        ("2024-02-09T15:04:07Z", "yyyy-MM-dd''T''HH:mm:ss''Z''", "2024-02-09 15:04:07+00"),
        ("2024-02-09 -0130", "yyyy-MM-dd xx", "2024-02-09 01:30:00+00"),
        ("2024-02-09", "yyyy-MM-dd[ HH:mm[:ss]]", "2024-02-09 00:00:00+00"),
        ("2024-02-09 15:04", "yyyy-MM-dd[ HH:mm[:ss]]", "2024-02-09 15:04:00+00"),
        ("2024-02-09 15:04:07", "yyyy-MM-dd[ HH:mm[:ss]]", "2024-02-09 15:04:07+00"),
        ("2024-02-09 24:05", "yyyy-MM-dd kk:mm", "2024-02-09 00:05:00+00"),
        ("2024-02-09 9:05", "yyyy-MM-dd k:mm", "2024-02-09 09:05:00+00"),
        ("24h 24 Feb 2024", "k''h'' dd MMM yyyy", "2024-02-24 00:00:00+00"),
        ("2024-02-09 00:05 AM", "yyyy-MM-dd KK:mm a", "2024-02-09 00:05:00+00"),
        ("2024-02-09 0:05 PM", "yyyy-MM-dd K:mm a", "2024-02-09 12:05:00+00"),
        ("2024-02-09 11:05 PM", "yyyy-MM-dd KK:mm a", "2024-02-09 23:05:00+00"),
        ("AD 2024-02-09", "G yyyy-MM-dd", "2024-02-09 00:00:00+00"),
        ("2024-02-09 Anno Domini", "yyyy-MM-dd GGGG", "2024-02-09 00:00:00+00"),
        ("2024-07-09 12 Europe/Athens", "yyyy-MM-dd HH VV", "2024-07-09 09:00:00+00"),
        ("2024-07-09 12 Z", "yyyy-MM-dd HH VV", "2024-07-09 12:00:00+00"),
        ("2024-07-09 12 UTC", "yyyy-MM-dd HH VV", "2024-07-09 12:00:00+00"),
        ("2024-07-09 12 +02:00", "yyyy-MM-dd HH VV", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 UTC-02:00", "yyyy-MM-dd HH VV", "2024-07-09 14:00:00+00"),
        ("2024-07-09 12 GMT", "yyyy-MM-dd HH O", "2024-07-09 12:00:00+00"),
        ("2024-07-09 12 GMT+2", "yyyy-MM-dd HH O", "2024-07-09 10:00:00+00"),
        ("GMT-2:30 2024-07-09 24", "O yyyy-MM-dd kk", "2024-07-09 02:30:00+00"),
        ("2024-07-09 12 GMT+12", "yyyy-MM-dd HH O", "2024-07-09 00:00:00+00"),
        ("2024-07-09 12 GMT+02:00", "yyyy-MM-dd HH OOOO", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 GMT+02:00", "yyyy-MM-dd HH ZZZZ", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 Z", "yyyy-MM-dd HH ZZZZZ", "2024-07-09 12:00:00+00"),
        ("Fri 2024-02-09", "ccc yyyy-MM-dd", "2024-02-09 00:00:00+00"),
        # As Java 17 reads them: a name stands for the zone, with its summer time.
        ("2024-07-09 12 UTC", "yyyy-MM-dd HH z", "2024-07-09 12:00:00+00"),
        ("2024-07-09 12 EST", "yyyy-MM-dd HH z", "2024-07-09 16:00:00+00"),
        ("2024-01-09 12 PDT", "yyyy-MM-dd HH z", "2024-01-09 20:00:00+00"),
        ("2024-07-09 12 ET!", "yyyy-MM-dd HH z!", "2024-07-09 16:00:00+00"),
        ("CEST 2024-01-09 12", "z yyyy-MM-dd HH", "2024-01-09 11:00:00+00"),
        ("2024-07-09 12 JST", "yyyy-MM-dd HH z", "2024-07-09 03:00:00+00"),
        ("2024-07-09 12 Europe/Paris", "yyyy-MM-dd HH zzzz", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 +02:00", "yyyy-MM-dd HH z", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 UTC+02:00", "yyyy-MM-dd HH z", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 Pacific Daylight Time", "yyyy-MM-dd HH zzzz", "2024-07-09 19:00:00+00"),
        ("2024-07-09 12 Central European Time", "yyyy-MM-dd HH zzzz", "2024-07-09 10:00:00+00"),
        ("2024-07-09 12 Coordinated Universal Time", "yyyy-MM-dd HH zzzz", "2024-07-09 12:00:00+00"),
        ("2024-07-09 24 PST", "yyyy-MM-dd kk z", "2024-07-09 07:00:00+00"),
        ("2024-07-09 0", "yyyy-MM-dd A", "2024-07-09 00:00:00+00"),
        ("2024-07-09 86399999", "yyyy-MM-dd A", "2024-07-09 23:59:59.999+00"),
        ("2024-07-09 0000000000001", "yyyy-MM-dd A", "2024-07-09 00:00:00.001+00"),
        ("2024-07-09 500", "yyyy-MM-dd AA", "2024-07-09 00:00:00.5+00"),
        ("03660001 20240709", "AAAAAAAA yyyyMMdd", "2024-07-09 01:01:00.001+00"),
        ("2024-07-09 3600001 +02:00", "yyyy-MM-dd A XXX", "2024-07-08 23:00:00.001+00"),
    ],
)
def test_reading(text: str, pattern: str, moment: str) -> None:
    assert evaluate(f"PARSE_TIMESTAMP_MICROS('{text}', '{pattern}')")[1] == moment


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("2024-02-09 00:05", "yyyy-MM-dd kk:mm"),
        ("2024-02-09 25:05", "yyyy-MM-dd kk:mm"),
        ("2024-02-09 12:05 AM", "yyyy-MM-dd KK:mm a"),
        ("BC 2024-02-09", "G yyyy-MM-dd"),
        ("2024-07-09 12 Nowhere/City", "yyyy-MM-dd HH VV"),
        ("2024-07-09 12 GMT+02:00", "yyyy-MM-dd HH O"),
        ("2024-07-09 12 GMT+2", "yyyy-MM-dd HH OOOO"),
        ("2024-07-09 12 pst", "yyyy-MM-dd HH z"),
        ("2024-07-09 12 Nowhere", "yyyy-MM-dd HH z"),
        ("2024-07-09 12 GMT+2", "yyyy-MM-dd HH z"),
        ("2024-07-09 12 BST", "yyyy-MM-dd HH z"),
        ("2024-07-09 12 PST", "yyyy-MM-dd HH zzzz"),
        ("2024-07-09 12 Pacific Time", "yyyy-MM-dd HH z"),
        ("2024-07-09 86400000", "yyyy-MM-dd A"),
        ("2024-07-09 -5", "yyyy-MM-dd A"),
        ("2024-07-09 5", "yyyy-MM-dd AA"),
    ],
)
def test_other_spellings_fail(text: str, pattern: str) -> None:
    with pytest.raises(duckdb.Error):
        evaluate(f"PARSE_TIMESTAMP_MICROS('{text}', '{pattern}')")


@pytest.mark.parametrize("letter", "QqYwWFnNBvgp")
def test_a_letter_that_is_written_alone_is_refused_with_those_that_are_read(letter: str) -> None:
    with pytest.raises(
        PatternError, match=f"`{letter}` cannot be read, only written; those that are read: `G y u M"
    ):
        to_read(letter)


@pytest.mark.parametrize("text", ["2024-02-30", "09.02.2024", "", "2024-02-09 and more"])
def test_a_text_that_does_not_fit_fails(text: str) -> None:
    with pytest.raises(Exception, match=r"parse|out of range"):
        evaluate(f"PARSE_DATE('{text}', 'yyyy-MM-dd')")


@pytest.mark.parametrize("pattern", ["HH:mm:ss.SSS", "yyyy-MM-dd", "h:mm a", "SSSSSS"])
def test_reading_and_writing_agree(pattern: str) -> None:
    written = f"FORMAT_TIMESTAMP({MOMENT}, '{pattern}')"
    assert evaluate(f"CONVERT_DATETIME({written}, '{pattern}', '{pattern}') = {written}")[1] == "true"


@pytest.mark.parametrize(
    ("pattern", "part", "message"),
    [
        ("yyyy-RR", "RR", "the letter `R` is not supported in a date pattern"),
        ("d 'of MMM", "'of MMM", "a quote in the date pattern is not closed"),
        ("yyyy]", "]", "`]` without `[`"),
        ("yyyy[-MM", "[-MM", "`[` without `]`"),
        ("yyyy{MM}", "{", "`{` is reserved in a date pattern; put it in single quotes"),
    ],
)
def test_what_is_not_supported_is_pointed_at(pattern: str, part: str, message: str) -> None:
    for translate in (to_write, to_read):
        with pytest.raises(PatternError) as caught:
            translate(pattern)
        assert caught.value.message == message
        assert pattern[caught.value.start : caught.value.end] == part


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("yyyy-MM-dd A HH", "reads the whole time of day; leave out the other letters of the time"),
        ("yyyy-MM-dd A VV", "cannot be read beside the name of a zone; write an offset, such as `XXX`"),
        ("yyyyMMddA", "reads digits to the last; put something between it and its neighbour"),
        ("yyyy-MM-dd[ A]", "cannot be read in an optional section"),
    ],
)
def test_milliseconds_of_the_day_stand_alone(pattern: str, message: str) -> None:
    with pytest.raises(PatternError, match=message) as caught:
        to_read(pattern)
    assert pattern[caught.value.start : caught.value.end] == "A"


def test_an_empty_pattern_writes_nothing_as_in_java_and_reads_nothing() -> None:
    assert evaluate(f"FORMAT_TIMESTAMP({MOMENT}, '')")[1] == ""
    assert evaluate("FORMAT_TIMESTAMP(TO_TIMESTAMP(CAST(NULL AS long)), '')")[1] is None
    with pytest.raises(PatternError, match="an empty date pattern reads nothing"):
        to_read("")


def test_too_many_optional_sections_are_refused() -> None:
    with pytest.raises(PatternError, match="too many optional sections"):
        to_read("[y][y][y][y][y][y]")


def test_the_caret_stands_inside_the_literal() -> None:
    call = "FORMAT_DATE(d, 'yyyy RR')"
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0403"
    assert fault.span is not None
    assert f"SELECT {call}"[fault.span.start : fault.span.end] == "RR"


@pytest.mark.parametrize(
    "call", ["FORMAT_DATE(d, p)", "PARSE_DATE(s, CONCAT('yyyy', x))", "TO_TIMESTAMP(s, 5)"]
)
def test_a_pattern_must_be_a_literal(call: str) -> None:
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0402"
    assert fault.span is not None
