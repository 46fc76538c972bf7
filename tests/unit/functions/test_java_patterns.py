"""Java's date patterns in DuckDB's words."""

from __future__ import annotations

import pytest

from headrace.errors import ProgramError
from headrace.functions.java_patterns import PatternError, to_strftime, to_strptime
from tests.unit.functions.duckdb_calls import evaluate, rendered

MOMENT = "TIMESTAMP(2024, 2, 9, 15, 4, 7.058)"


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
    ],
)
def test_reading(text: str, pattern: str, moment: str) -> None:
    assert evaluate(f"PARSE_TIMESTAMP_MICROS('{text}', '{pattern}')")[1] == moment


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
        ("yyyy-QQ", "QQ", "the letter `Q` is not supported in a date pattern"),
        (
            "HH:mm:ss.SS",
            "SS",
            "`SS` is not supported in a date pattern; write `SSS` or `SSSSSS` or `SSSSSSSSS`",
        ),
        ("d 'of MMM", "'of MMM", "a quote in the date pattern is not closed"),
        ("yyyy]", "]", "`]` without `[`"),
        ("yyyy[-MM", "[-MM", "`[` without `]`"),
        ("yyyy{MM}", "{", "`{` is reserved in a date pattern; put it in single quotes"),
    ],
)
def test_what_is_not_supported_is_pointed_at(pattern: str, part: str, message: str) -> None:
    for translate in (to_strftime, to_strptime):
        with pytest.raises(PatternError) as caught:
            translate(pattern)
        assert caught.value.message == message
        assert pattern[caught.value.start : caught.value.end] == part


def test_too_many_optional_sections_are_refused() -> None:
    with pytest.raises(PatternError, match="too many optional sections"):
        to_strptime("[y][y][y][y][y][y]")


def test_the_caret_stands_inside_the_literal() -> None:
    call = "FORMAT_DATE(d, 'yyyy QQ')"
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0403"
    assert fault.span is not None
    assert f"SELECT {call}"[fault.span.start : fault.span.end] == "QQ"


@pytest.mark.parametrize(
    "call", ["FORMAT_DATE(d, p)", "PARSE_DATE(s, CONCAT('yyyy', x))", "TO_TIMESTAMP(s, 5)"]
)
def test_a_pattern_must_be_a_literal(call: str) -> None:
    with pytest.raises(ProgramError) as caught:
        rendered(call)
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0402"
    assert fault.span is not None
