"""Whatever program there is: its canonical text reads back as the same program, and prints as itself."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from headrace.sql import parse_program, print_program, print_query
from headrace.sql.nodes import Insert, Query
from tests.unit.sql.trees import without_places

# Shrinking such long texts takes minutes; what fails is short enough to cut by hand.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

# Texts are made from a grammar, not from trees: so they hold only what a user can write, in spellings that printing changes.

NAMES = st.sampled_from(
    [
        "a",
        "b2",
        "_x",
        "Timestamp",
        "timestamp",
        "key",
        "value",
        "offset",
        "stream",
        "date",
        "table",
        "interval",
        "lambda",
    ]
) | st.text("aé日 `.-", min_size=1, max_size=4).map(lambda name: "`" + name.replace("`", "``") + "`")
TOPICS = NAMES | st.sampled_from(["my-topic", "a.b-c.d", "t-1", "v2.x", "orders"])
TYPES = st.recursive(
    st.sampled_from(["int", "LONG", "varchar", "decimal(10, 2)", "numeric", "timestamp", "bytes", "boolean"]),
    lambda inner: st.one_of(
        inner.map("{}[]".format),
        st.tuples(NAMES, inner).map(lambda pair: f"struct({pair[0]} {pair[1]})"),
        inner.map("map(string, {})".format),
    ),
    max_leaves=3,
)
STRINGS = st.text("a'\"`-;/\\ \n日", max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'")
DURATIONS = st.tuples(st.integers(0, 99), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
SHORT = DURATIONS.map(lambda pair: f"{pair[0]}{pair[1]}")
PAIRS = DURATIONS.map(lambda pair: f"{pair[0]}, {pair[1]}")
PATHS = st.lists(NAMES, min_size=1, max_size=6).map(".".join)

LEAVES = st.one_of(
    PATHS,
    st.sampled_from(
        ["1", "2.5", ".5", "1e3", "1_000", "NULL", "true", "FALSE", "?", "$1", "[]", "CURRENT_DATE"]
    ),
    STRINGS,
    SHORT,
    PATHS.map("_key.{}".format),
)
SYMBOLS = tuple("+ - * / % || = == != <> < <= > >= & | << >> ** -> ->>".split())  # noqa: SIM905 - a symbol a line is harder to read
MATCHES = (
    "AND",
    "OR",
    "LIKE",
    "NOT LIKE",
    "ILIKE",
    "IS DISTINCT FROM",
    "IS NOT DISTINCT FROM",
    "SIMILAR TO",
    "GLOB",
)
OPERATORS = st.sampled_from((*SYMBOLS, *MATCHES, "COLLATE x ||"))


def compose(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    three = st.tuples(inner, inner, inner)
    plain = inner.map("({})".format)
    return st.one_of(
        st.tuples(inner, OPERATORS, inner).map(" ".join),
        plain,
        inner.map("-{}".format).map(lambda text: text.replace("--", "- -")),
        plain.map("(NOT {})".format),
        inner.map("{} IS NOT NULL".format),
        inner.map("{} IS NULL".format),
        plain.map("~{}".format),
        plain.map("{}[0].b.c".format),
        two.map(lambda pair: f"f({pair[0]}, {pair[1]})"),
        two.map(lambda pair: f"count(DISTINCT {pair[0]}) FILTER (WHERE {pair[1]})"),
        two.map(lambda pair: f"sum({pair[0]}) OVER (PARTITION BY {pair[1]} ORDER BY a DESC)"),
        two.map(lambda pair: f"{{'x y': {pair[0]}, z: [{pair[1]}]}}"),
        three.map(lambda parts: f"CASE WHEN {parts[0]} THEN {parts[1]} ELSE {parts[2]} END"),
        three.map(lambda parts: f"({parts[0]}) NOT BETWEEN ({parts[1]}) AND ({parts[2]})"),
        three.map(lambda parts: f"({parts[0]}) NOT IN ({parts[1]}, {parts[2]})"),
        st.tuples(plain, TYPES).map(lambda pair: f"{pair[0]}::{pair[1]}"),
        st.tuples(inner, TYPES).map(lambda pair: f"TRY_CAST({pair[0]} AS {pair[1]})"),
        inner.map("EXISTS (SELECT {} FROM t)".format),
        inner.map("f(lambda p: {})".format),
        inner.map("a IN (SELECT {} FROM t)".format),
    )


EXPRESSIONS = st.recursive(LEAVES, compose, max_leaves=8)
TARGETS = st.one_of(
    st.just(""),
    NAMES.map(" AS {}".format),
    PATHS.map(" AS {}".format),
    st.sampled_from([" AS _key", " AS _key.a", " AS _value", " alias"]),
)
ITEMS = st.tuples(EXPRESSIONS, TARGETS).map("".join) | st.sampled_from(
    ["*", "_key.*", "a.b.*", "* EXCLUDE (a)"]
)
SOURCES = st.one_of(
    TOPICS,
    st.tuples(TOPICS, NAMES).map(" AS ".join),
    st.just("(SELECT a FROM b) AS c"),
    st.just("range(3) AS r(i)"),
)
WITHINS = st.one_of(
    st.just(""),
    SHORT.map(" WITHIN {}".format),
    PAIRS.map(" WITHIN ({})".format),
    st.tuples(SHORT, SHORT).map(lambda pair: f" WITHIN ({pair[0]}, {pair[1]}) GRACE BY 1s"),
)
JOINS = st.tuples(
    st.sampled_from(
        [
            "JOIN",
            "INNER JOIN",
            "LEFT JOIN",
            "LEFT OUTER JOIN",
            "FULL JOIN",
            "OUTER JOIN",
            "RIGHT JOIN",
            "LEFT JOIN GLOBAL TABLE",
            ",",
        ]
    ),
    SOURCES,
    EXPRESSIONS,
    WITHINS,
).map(lambda parts: f"{parts[0]} {parts[1]}" + ("" if parts[0] == "," else f" ON {parts[2]}{parts[3]}"))
WINDOWS = st.one_of(
    SHORT.map("TUMBLE {}".format),
    st.tuples(SHORT, SHORT).map(lambda pair: f"HOP {pair[0]}, {pair[1]}"),
    st.tuples(SHORT, SHORT, SHORT).map(lambda three: "CUMULATE {}, {} OFFSET -{}".format(*three)),
    st.tuples(SHORT, SHORT).map(lambda pair: f"TUMBLE {pair[0]} OFFSET {pair[1]}"),
    SHORT.map("SESSION {}".format),
    PAIRS.map("slide({})".format),
)
GROUPS = st.one_of(
    EXPRESSIONS,
    PAIRS.map("TUMBLE({})".format),
    st.tuples(PAIRS, PAIRS).map(lambda pair: f"SESSION({pair[0]}, {pair[1]})"),
    EXPRESSIONS.map("ROLLUP ({}, a)".format),
)


def maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | strategy


def listed(strategy: st.SearchStrategy[str], joint: str = ", ", *, least: int = 1) -> st.SearchStrategy[str]:
    return st.lists(strategy, min_size=least, max_size=2).map(joint.join)


SELECTS = st.tuples(
    st.sampled_from(
        ["SELECT", "select STREAM", "SELECT table", "SELECT DISTINCT", "SELECT STREAM DISTINCT ON (a)"]
    ),
    listed(ITEMS),
    SOURCES.map("FROM {}".format),
    listed(JOINS, " ", least=0),
    listed(st.tuples(EXPRESSIONS, NAMES).map(lambda pair: f"LATERAL {pair[0]} AS {pair[1]}"), " ", least=0),
    maybe(EXPRESSIONS.map("EVENTTIME BY {}".format)),
    maybe(EXPRESSIONS.map("WHERE {}".format)),
    maybe(WINDOWS.map("WINDOW BY {} GRACE BY 3s".format)),
    maybe(listed(GROUPS).map("GROUP BY {}".format)),
    maybe(EXPRESSIONS.map("HAVING {}".format)),
    maybe(EXPRESSIONS.map("ORDER BY {} ASC, b DESC NULLS FIRST".format)),
    st.sampled_from(["", "LIMIT 3", "OFFSET 2", "LIMIT 3 OFFSET 2"]),
    st.sampled_from(["", "EMIT CHANGES", "EMIT FINAL"]),
).map(" ".join)
QUERIES = st.one_of(
    SELECTS,
    st.tuples(SELECTS, st.sampled_from(["UNION ALL", "UNION", "EXCEPT", "INTERSECT"]), SELECTS).map(" ".join),
    SELECTS.map("SELECT a FROM t UNION ALL ({}) ORDER BY 1".format),
)
KEYS = st.sampled_from(["autocreate", "a.b.c", "`x.y`", "topic.`my-topic`.k-v.w", "consumer.fetch.min.bytes"])
VALUES = STRINGS | st.sampled_from(["true", "FALSE", "1", "-2", "2.5", "AVRO", "10m", "20MB", "a.b-c", '"x"'])
NAMED = st.tuples(TOPICS, QUERIES).map(lambda pair: f"{pair[0]} AS ({pair[1]})")
STATEMENTS = st.one_of(
    st.tuples(KEYS, VALUES).map(lambda pair: f"SET {pair[0]} = {pair[1]}"),
    NAMED.map("WITH {}".format),
    st.tuples(
        TOPICS,
        st.sampled_from(["", "(a, b.c)", "STORE KEY AS INT", "STORE KEY AS TW[AVRO] VALUE AS json"]),
        QUERIES,
    ).map(lambda parts: f"INSERT INTO {parts[0]} {parts[1]} {parts[2]}"),
    st.tuples(TOPICS, NAMED, QUERIES).map(lambda parts: f"INSERT INTO {parts[0]} WITH {parts[1]} {parts[2]}"),
    EXPRESSIONS.map("INSERT INTO t VALUES ({}, 1)".format),
    st.tuples(TOPICS, PATHS, TYPES).map(
        lambda parts: (
            f"CREATE TABLE {parts[0]} ({parts[1]} {parts[2]} NOT NULL, b int) FORMAT (STRING, AVRO) PROPERTIES (a.b = 1)"
        )
    ),
    QUERIES,
)


@settings(
    max_examples=30,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(listed(STATEMENTS, ";\n"))
def test_the_canonical_text_means_the_same(text: str) -> None:
    program = parse_program(text)
    printed = print_program(program)
    again = parse_program(printed)
    assert without_places(again) == without_places(program)
    assert print_program(again) == printed


@settings(max_examples=40, deadline=None, phases=PHASES, suppress_health_check=[HealthCheck.too_slow])
@given(EXPRESSIONS)
def test_an_expression_by_itself_prints_on_one_line(text: str) -> None:
    statement = parse_program(f"SELECT {text} FROM t").statements[0]
    assert isinstance(statement, Query)
    line = print_query(statement.query)
    again = parse_program(line).statements[0]
    assert isinstance(again, Query)
    assert again.query == statement.query
    assert print_query(again.query.expressions[0]) == print_query(statement.query.expressions[0])


def test_names_keep_their_case_and_their_quotes() -> None:
    statement = parse_program("insert into T select Stream aB, `C d`, nOw() from X").statements[0]
    assert isinstance(statement, Insert)
    assert print_query(statement.query) == "SELECT STREAM aB, `C d`, nOw() FROM X"
