"""Each rule finds its own example, and nothing in the mended one; comments silence."""

from __future__ import annotations

from contextlib import closing

import pytest

from headrace.catalog import Catalog
from headrace.check import RULES, Rule, check_program
from headrace.errors import Code, ProgramError
from headrace.errors.codes import lint
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import TopicDescription
from headrace.sql import parse_program
from headrace.sql.nodes import CreateTable

COUNTED = "INSERT INTO n SELECT STREAM a, COUNT(*) AS n FROM t GROUP BY a"


def codes(text: str) -> list[str]:
    return [str(item.code) for item in check_program(parse_program(text))]


def planned(text: str) -> list[str]:
    """Check with a log on which each declared topic has four partitions."""
    program = parse_program(text)
    with EmbeddedLog(":memory:") as log, closing(log.admin()) as admin:
        for table in program.statements:
            if isinstance(table, CreateTable):
                admin.create(TopicDescription(table.name, 4))
        with closing(Catalog(log)) as catalog:
            return [str(item.code) for item in check_program(program, catalog)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code.id)
def test_a_rule_finds_its_example_and_not_the_mended_one(rule: Rule) -> None:
    find = planned if rule.planned else codes
    assert find(rule.example) == [rule.code.id]
    assert find(rule.better) == []


def test_rules_have_a_code_each_in_their_order() -> None:
    found = [rule.code.id for rule in RULES]
    assert found == sorted(set(found))
    assert {lint.USELESS_SILENCE.id, *found} == {
        code.id for code in vars(lint).values() if isinstance(code, Code)
    }


@pytest.mark.parametrize(
    "text",
    [
        f"{COUNTED} -- headrace: ignore=LINT0104 few",
        COUNTED.replace("GROUP", "\n-- few of them\n-- headrace: ignore=LINT0104\nGROUP"),
        f"/* headrace: ignore=LINT0104 */\nSET autocreate = true;\n\n{COUNTED};",
        f"{COUNTED} /* headrace: ignore = LINT0104 , LINT0104 */",
    ],
)
def test_a_comment_silences(text: str) -> None:
    assert codes(text) == []


def test_a_comment_elsewhere_silences_nothing_and_is_told_of() -> None:
    text = f"SET autocreate = true; -- headrace: ignore=LINT0104\n{COUNTED}"
    assert codes(text) == ["LINT0100", "LINT0104"]
    assert codes(f"{COUNTED} -- headrace: ignore=LINT9999") == ["LINT0104", "LINT0100"]


def test_a_comment_about_what_was_not_looked_for_may_be_right() -> None:
    for code in ("LINT0103", "LINT0109", "SQL0101"):
        assert codes(f"INSERT INTO n SELECT STREAM a / b AS c FROM t -- headrace: ignore={code}") == []
    (rule,) = (rule for rule in RULES if rule.planned)
    assert planned(f"/* headrace: ignore={rule.code}, LINT0109 */ {rule.example}") == ["LINT0100"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT STREAM DISTINCT a FROM t", ["LINT0104"]),
        ("SELECT TABLE a, COUNT(*) AS n FROM t GROUP BY a", []),
        ("SELECT STREAM a FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY b ORDER BY c) <= 3", ["LINT0104"]),
        ("SELECT STREAM a FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY _window.start ORDER BY c) <= 3", []),
        ("SELECT STREAM a, COUNT(*) AS n FROM t GROUP BY TUMBLE(5m), a", []),
        (
            "SELECT STREAM * FROM t MATCH_RECOGNIZE (ORDER BY _ts MEASURES a.x AS x PATTERN (a b+))",
            ["LINT0104"],
        ),
        (
            "SELECT STREAM * FROM t MATCH_RECOGNIZE (ORDER BY _ts MEASURES a.x AS x PATTERN (a b+) WITHIN 1h)",
            [],
        ),
        ("SELECT STREAM * FROM t MATCH_RECOGNIZE (PARTITION BY b ORDER BY _ts PATTERN (a b))", ["LINT0104"]),
        ("SELECT STREAM * FROM t MATCH_RECOGNIZE (ORDER BY _ts MEASURES a.x AS x PATTERN (a b{3}))", []),
    ],
)
def test_state_is_bounded_by_windows_and_tables(query: str, found: list[str]) -> None:
    assert codes(f"INSERT INTO o {query}") == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("i / 2 > 1", ["LINT0109"]),
        ("i / 2.0 > 1", []),
        ("d / i > 1", []),
        ("(i + 1) / COUNTED(i) > 1", []),
        ("r.i / r.i > 1", ["LINT0109"]),
        ("_key / 2 > 1", []),
        ("d = i", ["LINT0110"]),
        ("d = 0", []),
        ("d <> d + 1", ["LINT0110", "LINT0113"]),
        ("s <> 'a' AND s IS NOT NULL", []),
        ("filled <> 'a'", []),
        ("i NOT IN (SELECT i FROM r)", ["LINT0108"]),
        ("i NOT IN (SELECT i FROM r WHERE i IS NOT NULL)", []),
        ("s NOT IN ('a', 'b')", ["LINT0113"]),
        ("NOT (s IN ('a', 'b'))", ["LINT0113"]),
        ("s NOT IN ('a', 'b') OR s IS NULL", []),
        ("filled NOT IN ('a', 'b')", []),
        ("filled NOT IN ('a', s)", ["LINT0108"]),
        ("filled NOT IN ('a', s) AND s IS NOT NULL", []),
        ("NOT (filled IN ('a', NULL))", ["LINT0108"]),
        ("s IN ('a', NULL)", ["LINT0107"]),
        ("s IN ('a', 'b')", []),
        ("NULL >= i OR s LIKE NULL", ["LINT0107", "LINT0107"]),
    ],
)
def test_types_are_those_of_declarations(condition: str, found: list[str]) -> None:
    declared = (
        "CREATE TABLE r(_key string, i int, d double, s string, filled string NOT NULL) FORMAT(STRING, JSON);"
    )
    assert codes(f"{declared} INSERT INTO o SELECT STREAM s FROM r WHERE {condition}") == found
    through = "WITH w AS (SELECT STREAM *, _key FROM r), v AS (SELECT STREAM i, d, s, filled FROM w AS x) "
    renamed = condition.replace("r.i", "v.i").replace("FROM r", "FROM v")
    assert codes(f"{declared} INSERT INTO o {through} SELECT STREAM s FROM v WHERE {renamed}") == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT STREAM 'Dear ' || s AS x FROM r", ["LINT0114"]),
        ("SELECT STREAM (filled || '-') || CAST(i AS string) AS x FROM r", ["LINT0114"]),
        ("SELECT STREAM n - i AS x FROM r", ["LINT0114"]),
        ("SELECT STREAM n - i AS x FROM r WHERE i IS NOT NULL", []),
        (
            "SELECT STREAM n - COALESCE(i, 0) AS x, COALESCE('Dear ' || s, '') AS y, CONCAT('a', s) AS z FROM r",
            [],
        ),
        (
            "SELECT STREAM i * 2 AS x, i + d AS y, s || s AS z, 'a' || filled AS f, 'a' || _key AS k FROM r",
            [],
        ),
        ("SELECT STREAM n - i AS x FROM nobody", []),
        ("SELECT STREAM l.n - g.n AS x FROM r AS l LEFT JOIN GLOBAL TABLE g ON l.s = g._key", ["LINT0114"]),
        ("SELECT STREAM l.n - g.n AS x FROM r AS l JOIN GLOBAL TABLE g ON l.s = g._key", []),
        ("SELECT STREAM l.n - l.n AS x FROM r AS l LEFT JOIN GLOBAL TABLE g ON l.s = g._key", []),
        ("SELECT TABLE filled, COUNT(i) AS x FROM r GROUP BY filled", ["LINT0115"]),
        ("SELECT TABLE filled, COUNT(i) AS x, COUNT(*) AS y FROM r GROUP BY filled", []),
        ("SELECT TABLE filled, COUNT(i) AS x FROM r WHERE i IS NOT NULL GROUP BY filled", []),
        (
            "SELECT TABLE filled, COUNT(n) AS x, COUNT(DISTINCT i) AS y, COUNT(_key) AS k FROM r GROUP BY filled",
            [],
        ),
        (
            "SELECT TABLE l.filled, COUNT(g.n) AS x FROM r AS l LEFT JOIN GLOBAL TABLE g ON l.s = g._key GROUP BY l.filled",
            [],
        ),
    ],
)
def test_nulls_surprise_only_where_a_schema_or_an_outer_join_has_them(query: str, found: list[str]) -> None:
    declared = (
        "CREATE TABLE r(_key string, i int, d double, n int NOT NULL, s string, filled string NOT NULL) FORMAT(STRING, JSON);"
        "CREATE TABLE g(_key string, n int NOT NULL) FORMAT(STRING, JSON);"
    )
    assert codes(f"{declared} INSERT INTO o {query}") == found
    for code in found:
        assert codes(f"{declared} INSERT INTO o {query} -- headrace: ignore={code}") == []


def test_formats_that_no_topic_can_be_written_in_are_refused_without_a_log() -> None:
    text = "INSERT INTO a STORE VALUE AS XML SELECT STREAM x FROM s;\nINSERT INTO b STORE KEY AS BOGUS SELECT STREAM x FROM s;"
    with pytest.raises(ProgramError) as caught:
        check_program(parse_program(text))
    found = [
        (str(item.code), text[item.span.start : item.span.end])
        for item in caught.value.diagnostics
        if item.span
    ]
    assert found == [("SQL0305", "XML"), ("CAT0103", "BOGUS")]
