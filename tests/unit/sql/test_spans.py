"""Every node that a message can point at knows the text it was read from."""

from __future__ import annotations

import pytest
from sqlglot import exp

from headrace.sql import nodes, parse_program
from headrace.sql.calls import name_span
from headrace.sql.paths import column_path
from headrace.sql.spans import nearest_span, span_of

TEXT = """\
SET `a.b` = 'c';
INSERT INTO `my-topic` STORE KEY AS INT VALUE AS AVRO
SELECT STREAM a.b.c + 1 AS x, COALESCE( d , `e f` ) AS _key.k, CASE WHEN g THEN 'it''s' END AS s, h[0].i, a.b.c.d.e, j.*
FROM t AS u
LEFT JOIN v ON u.k = v.k WITHIN 1h
LATERAL xs AS y
EVENTTIME BY ts
WHERE z NOT IN (1, 2) AND CAST(w AS decimal(10, 2)) > -3
WINDOW BY HOP 5m,1m
GRACE BY 2m
GROUP BY m, n;
"""


def insert() -> nodes.Insert:
    statement = parse_program(TEXT).statements[1]
    assert isinstance(statement, nodes.Insert)
    return statement


def texts(kind: type[exp.Expression]) -> list[str]:
    found = []
    for node in insert().query.find_all(kind, bfs=False):
        span = span_of(node)
        assert span is not None, node
        found.append(TEXT[span.start : span.end])
    return found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (exp.Add, ["a.b.c + 1"]),
        (exp.Anonymous, ["COALESCE( d , `e f` )"]),
        (exp.Alias, ["a.b.c + 1 AS x", "CASE WHEN g THEN 'it''s' END AS s"]),
        (nodes.Target, ["COALESCE( d , `e f` ) AS _key.k"]),
        (exp.Case, ["CASE WHEN g THEN 'it''s' END"]),
        (exp.If, ["WHEN g THEN 'it''s'"]),
        (exp.Dot, ["h[0].i", "a.b.c.d.e"]),
        (exp.Bracket, ["h[0]"]),
        (exp.Table, ["t AS u", "v"]),
        (nodes.Join, ["LEFT JOIN v ON u.k = v.k WITHIN 1h"]),
        (nodes.Within, ["WITHIN 1h"]),
        (nodes.ArrayLateral, ["LATERAL xs AS y"]),
        (exp.Where, ["WHERE z NOT IN (1, 2) AND CAST(w AS decimal(10, 2)) > -3"]),
        (exp.Not, ["z NOT IN (1, 2)"]),
        (exp.Cast, ["CAST(w AS decimal(10, 2))"]),
        (exp.DataType, ["decimal(10, 2)"]),
        (exp.Neg, ["-3"]),
        (exp.And, ["z NOT IN (1, 2) AND CAST(w AS decimal(10, 2)) > -3"]),
        (nodes.Window, ["HOP 5m,1m"]),
        (nodes.Duration, ["1h", "5m", "1m", "2m"]),
        (exp.Group, ["GROUP BY m, n"]),
        (nodes.Select, [TEXT[TEXT.index("SELECT") : -2]]),
    ],
)
def test_a_node_covers_its_text(kind: type[exp.Expression], expected: list[str]) -> None:
    assert texts(kind) == expected


def test_columns_reach_over_all_their_parts() -> None:
    columns = set(texts(exp.Column))
    assert {"a.b.c", "d", "`e f`", "a.b.c.d", "j.*", "u.k", "ts"} <= columns


def test_literals_and_names_include_their_quotes() -> None:
    assert "'it''s'" in texts(exp.Literal)
    assert "`e f`" in texts(exp.Identifier)


def test_statements_know_their_parts() -> None:
    statement = insert()
    assert TEXT[statement.target_span.start : statement.target_span.end] == "`my-topic`"
    assert statement.store_key_span is not None
    assert statement.store_value_span is not None
    assert TEXT[statement.store_key_span.start : statement.store_key_span.end] == "INT"
    assert TEXT[statement.store_value_span.start : statement.store_value_span.end] == "AVRO"
    setting = parse_program(TEXT).statements[0]
    assert isinstance(setting, nodes.Set)
    assert TEXT[setting.span.start : setting.span.end] == "SET `a.b` = 'c'"
    assert TEXT[setting.value_span.start : setting.value_span.end] == "'c'"


def test_places_survive_copy_and_transform() -> None:
    query = insert().query
    places = [span_of(node) for node in query.walk()]
    assert [span_of(node) for node in query.copy().walk()] == places

    renamed = query.transform(
        lambda node: exp.column("other") if isinstance(node, exp.Column) and node.name == "g" else node
    )
    found = renamed.find(exp.Anonymous)
    assert found is not None
    assert span_of(found) == span_of(query.find(exp.Anonymous))


def test_places_do_not_make_equal_trees_differ() -> None:
    one, other = (parse_program(text).statements[0] for text in ("SELECT a  FROM t", "SELECT a FROM t"))
    assert isinstance(one, nodes.Query)
    assert isinstance(other, nodes.Query)
    assert one.query == other.query
    assert span_of(one.query) != span_of(other.query)


def test_a_node_without_a_place_has_that_of_its_parent() -> None:
    call = insert().query.find(exp.Anonymous)
    assert call is not None
    added = exp.column("new")
    call.append("expressions", added)
    assert span_of(added) is None
    assert nearest_span(added) == span_of(call)


def test_a_call_knows_where_its_name_stands() -> None:
    call = insert().query.find(exp.Anonymous)
    assert call is not None
    span = name_span(call)
    assert span is not None
    assert TEXT[span.start : span.end] == "COALESCE"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        ("a.b", ["a", "b"]),
        ("a.b.c.d", ["a", "b", "c", "d"]),
        ("a.b.c.d.e.f.g", ["a", "b", "c", "d", "e", "f", "g"]),
        ("a.b[0].c", None),
        ("f(a).b", None),
        ("a.*", None),
        ("a + b", None),
        ("1", None),
    ],
)
def test_a_dotted_name_is_a_list_of_its_parts(text: str, expected: list[str] | None) -> None:
    statement = parse_program(f"SELECT {text} FROM t").statements[0]
    assert isinstance(statement, nodes.Query)
    path = column_path(statement.query.expressions[0])
    assert (path if path is None else [part.name for part in path]) == expected
