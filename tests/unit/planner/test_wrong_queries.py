"""Wrong snapshot queries: each is refused with a code, a message, and the place that «…» marks in the text."""

from __future__ import annotations

import pytest

from headrace.errors import ProgramError
from headrace.errors.render import render
from headrace.planner.snapshot import plan_query
from headrace.sql import parse_program
from tests.unit.planner.topics import known

WRONG = [
    ("SELECT «cstomer» FROM orders", "SQL0201", "column `cstomer` does not exist in `orders`"),
    ("SELECT id FROM «ordrs»", "CAT0101", "there is no topic `ordrs`"),
    (
        "SELECT o.«idd» FROM orders AS o JOIN positions AS p ON o.id = p.MMSI",
        "SQL0201",
        "column `idd` does not exist in `o`",
    ),
    ("SELECT id FROM orders JOIN «orders» ON id = id", "SQL0202", "two sources are called `orders`"),
    ("SELECT «id» FROM orders AS a, orders AS b", "SQL0209", "`id` is in `a` and `b`"),
    ("SELECT address.«zipp» FROM orders", "SQL0201", "`address` has no field `zipp`"),
    ("SELECT id.«x» FROM orders", "SQL0201", "`id` is no record, it is a long, so it has no field `x`"),
    (
        "SELECT lines[0].«itm» FROM orders",
        "SQL0201",
        "`lines[0]` (record(item string, quantity int, notes string[])) has no field `itm`",
    ),
    ("SELECT «customer + 1» FROM orders", "SQL0301", "`+` does not take `customer` (string) and `1` (int)"),
    ("SELECT «UPER»(customer) FROM orders", "SQL0204", "there is no function `UPER`"),
    ("SELECT «UPPER(customer, 2)» FROM orders", "SQL0401", "`UPPER` takes 1 argument, not 2"),
    (
        "SELECT «REGEXP(customer, '[')» FROM orders",
        "SQL0301",
        "`REGEXP` does not take `customer` (string), `'['` (string)",
    ),
    (
        "SELECT JSON_EXTRACT_FIRST(customer, '$«[\"*\"]»') FROM orders",
        "SQL0404",
        "a JSON path cannot lead through a field without a name, or one called `*`",
    ),
    (
        "SELECT COUNT(*), «id» FROM orders",
        "SQL0318",
        "this column is neither in GROUP BY nor inside an aggregate",
    ),
    ("SELECT «SUM(customer)» FROM orders", "SQL0301", "`SUM` does not take `customer` (string)"),
    ("SELECT id FROM orders WHERE «COUNT(*)» > 1", "SQL0318", "an aggregate cannot stand in WHERE"),
    ("SELECT SUM(«COUNT(*)») FROM orders", "SQL0318", "an aggregate stands inside another"),
    ("SELECT customer FROM orders GROUP BY «COUNT(*)»", "SQL0318", "an aggregate cannot stand in GROUP BY"),
    (
        "SELECT id FROM orders WHERE «ROW_NUMBER() OVER (ORDER BY id)» = 1",
        "SQL0318",
        "a function over a window cannot stand in WHERE",
    ),
    ("SELECT id FROM orders WHERE placed < «PROCTIME()»", "SQL0338", "a snapshot query has no PROCTIME()"),
    ("SELECT «ROW_NUMBER()» FROM orders", "SQL0303", "`ROW_NUMBER` is a function over a window"),
    ("SELECT SUM(id) OVER «v» FROM orders WINDOW w AS (ORDER BY id)", "SQL0201", "there is no window `v`"),
    (
        "SELECT «UPPER»(customer) OVER (ORDER BY id) FROM orders",
        "SQL0301",
        "`UPPER` is no function over a window",
    ),
    (
        "SELECT id FROM orders UNION «SELECT id, customer FROM orders»",
        "SQL0311",
        "the first SELECT of the UNION has 1 column, the other 2",
    ),
    (
        "SELECT address FROM orders UNION «SELECT id FROM orders»",
        "SQL0311",
        "column `address` is record(street string, zip int, country string) in the first SELECT of the UNION "
        "and long in the other",
    ),
    (
        "SELECT id FROM orders WHERE id IN «(SELECT id, customer FROM orders)»",
        "SQL0311",
        "the query of IN gives 2 columns, and 1 are compared",
    ),
    (
        "SELECT id FROM orders WHERE «id IN (SELECT customer FROM orders)»",
        "SQL0301",
        "cannot compare `id` (long) with `customer` (string)",
    ),
    (
        "SELECT «(SELECT id, customer FROM orders)» FROM orders",
        "SQL0311",
        "a query inside an expression gives one column, not 2",
    ),
    (
        "SELECT id FROM orders WHERE «customer»",
        "SQL0304",
        "WHERE takes a condition, and `customer` (string) is none",
    ),
    ("SELECT id FROM orders ORDER BY «nothing»", "SQL0201", "column `nothing` does not exist in `orders`"),
    ("SELECT id FROM orders ORDER BY «7»", "SQL0201", "there is no column 7: the SELECT has 1"),
    ("SELECT id FROM orders GROUP BY «7»", "SQL0201", "there is no column 7: the SELECT has 1"),
    (
        "SELECT MAX(CASE «JSON_EXTRACT_FIRST('nope', '$.a')» WHEN 'x' THEN id END) FROM orders GROUP BY customer",
        "SQL0406",
        'the query cannot be compiled: Malformed JSON at byte 0 of input: invalid literal.  Input: "nope"',
    ),
    ("SELECT id FROM orders «LIMIT 'x'»", "SQL0301", "LIMIT takes a whole number"),
    ("SELECT id FROM orders «LIMIT -1»", "SQL0301", "LIMIT takes a whole number"),
    ("SELECT id FROM orders «HAVING id > 1»", "SQL0318", "HAVING filters groups, and there are none"),
    (
        "SELECT * FROM orders «NATURAL JOIN words»",
        "SQL0201",
        "the two sides of the NATURAL JOIN have no column in common",
    ),
    (
        "SELECT * FROM orders JOIN positions USING («id»)",
        "SQL0201",
        "column `id` does not exist in `positions`",
    ),
    ("SELECT * FROM orders AS o(«a», b)", "SQL0303", "the columns of a topic keep their names"),
    (
        "SELECT * FROM (SELECT id FROM orders) AS x(a, «b»)",
        "SQL0311",
        "the query has 1 column, so there is none for `b`",
    ),
    (
        "WITH t(a, «b») AS (SELECT id FROM orders) SELECT * FROM t",
        "SQL0311",
        "the query has 1 column, so there is none for `b`",
    ),
    (
        "WITH RECURSIVE r AS («SELECT id FROM r») SELECT * FROM r",
        "SQL0303",
        "`r` reads itself and is no UNION",
    ),
    (
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL «SELECT i, 2 FROM r») SELECT * FROM r",
        "SQL0311",
        "the first SELECT of the UNION has 1 column, the other 2",
    ),
    (
        "WITH a AS (SELECT * FROM b), b AS (SELECT * FROM «a») SELECT * FROM a",
        "CAT0101",
        "there is no topic `a`",
    ),
    ("VALUES (1, 2), «(3)»", "SQL0311", "the first row has 2 values, this one 1"),
    (
        "VALUES (1, 'a'), (2, «3»)",
        "SQL0301",
        "a column of VALUES has values of different types: `'a'` (string) and `3` (int)",
    ),
    ("SELECT id FROM orders ORDER BY «'id'»", "SQL0301", "ORDER BY a text, which is the same in each row"),
    ("SELECT * FROM «read_csv»('/etc/passwd')", "SQL0303", "`read_csv` gives no rows"),
    (
        "SELECT * FROM «'/etc/passwd'»",
        "SQL0101",
        "expected the name of a topic after `FROM`, found `'/etc/passwd'`",
    ),
    ("SELECT * FROM orders, «nothing»(3)", "SQL0303", "`nothing` gives no rows"),
    ("SELECT COLUMNS(«'z.*'») FROM orders", "SQL0201", "no column has a name like `z.*`"),
    ("SELECT «COLUMNS(id)» FROM orders", "SQL0331", "COLUMNS takes `*` or a regular expression"),
    ("SELECT * EXCLUDE («nope») FROM orders", "SQL0201", "`*` has no column `nope`"),
    ("SELECT *«»", "SQL0105", "the query has no FROM"),
    ("SELECT id«,» FROM orders", "SQL0101", "the list of columns ends with a comma"),
    ("SELECT id FROM orders WHERE«»", "SQL0101", "expected an expression, found the end of the text"),
    ("SELECT id FROM orders WHERE id = «=» 3", "SQL0101", "expected an expression, found `=`"),
    ("SELECT id «FORM» orders", "SQL0104", "`FORM` is not a keyword"),
    ("SELECT «'abc FROM orders»", "SQL0102", "the string that begins here is not closed"),
    ("SELECT «(»id + 1 FROM orders", "SQL0103", "`(` is not closed"),
    (
        "SELECT CASE WHEN paid THEN 1 ELSE «'x'» END FROM orders",
        "SQL0301",
        "CASE has values of different types: `1` (int) and `'x'` (string)",
    ),
    ("SELECT CAST(id AS «strng») FROM orders", "SQL0113", "`strng` is not a type"),
    (
        "SELECT CAST(«address» AS int) FROM orders",
        "SQL0301",
        "`address` (record(street string, zip int, country string)) cannot be converted to int",
    ),
    (
        "SELECT DATE «'2024-13-45'» FROM orders",
        "SQL0301",
        "`'2024-13-45'` (string) cannot be converted to date",
    ),
    (
        "SELECT [1, «'a'»] FROM orders",
        "SQL0301",
        "an array has values of different types: `1` (int) and `'a'` (string)",
    ),
    ("SELECT «[]» FROM orders", "SQL0301", "an empty array has no type"),
    ("SELECT lines[«'a'»] FROM orders", "SQL0301", "an index is a whole number, not `'a'` (string)"),
    ("SELECT «customer[0]» FROM orders", "SQL0301", "`customer` (string) has no elements"),
    ("SELECT «id[0:1]» FROM orders", "SQL0301", "`id` (long) has no parts"),
    ("SELECT customer[«'a'»:2] FROM orders", "SQL0301", "an index is a whole number, not `'a'` (string)"),
    (
        "SELECT list_transform(lines, lambda l: l.«nope») FROM orders",
        "SQL0201",
        "`l` (record(item string, quantity int, notes string[])) has no field `nope`",
    ),
    (
        "SELECT list_transform(«id», lambda l: l) FROM orders",
        "SQL0301",
        "the first argument of `LIST_TRANSFORM` is an array, not `id` (long)",
    ),
    (
        "SELECT «list_transform(lines, lambda a, b, c: a)» FROM orders",
        "SQL0301",
        "`LIST_TRANSFORM` does not take `lines` (record(item string, quantity int, notes string[])[]), `lambda a, b, c: a`",
    ),
    (
        "SELECT list_filter(lines, lambda l: «l.quantity + 'x'» > 1) FROM orders",
        "SQL0301",
        "`+` does not take `l.quantity` (int) and `'x'` (string)",
    ),
    ("SELECT x.«nope»() FROM orders AS x", "SQL0204", "there is no function `nope`"),
    ("SELECT customer.«nope»() FROM orders", "SQL0204", "there is no function `nope`"),
    ("SELECT «1 / 'a'» FROM orders", "SQL0301", "`/` does not take `1` (int) and `'a'` (string)"),
    (
        "SELECT id FROM orders WHERE «id BETWEEN 'a' AND 3»",
        "SQL0301",
        "cannot compare `id` (long) with `'a'` (string)",
    ),
    (
        "SELECT id FROM orders WHERE «address = 3»",
        "SQL0301",
        "cannot compare `address` (record(street string, zip int, country string)) with `3` (int)",
    ),
    (
        "SELECT id FROM orders WHERE «customer LIKE 3»",
        "SQL0301",
        "`LIKE` does not take `customer` (string) and `3` (int)",
    ),
    (
        "SELECT «id ~ 'x'» FROM orders",
        "SQL0301",
        "`REGEXP_FULL_MATCH` does not take `id` (long), `'x'` (string)",
    ),
    (
        "SELECT «POSITION('a' IN id)» FROM orders",
        "SQL0301",
        "`STRPOS` does not take `id` (long), `'a'` (string)",
    ),
    (
        "SELECT id FROM orders WHERE EXISTS (SELECT «nope» FROM orders AS z)",
        "SQL0201",
        "column `nope` does not exist in `z`",
    ),
    (
        "SELECT SUM(id) FILTER (WHERE «customer») FROM orders",
        "SQL0304",
        "FILTER takes a condition, and `customer` (string) is none",
    ),
    ("SELECT «UPPER(customer) FILTER (WHERE paid)» FROM orders", "SQL0301", "FILTER goes with aggregates"),
    ("SELECT id FROM orders LATERAL «id» AS x", "SQL0301", "LATERAL takes an array, and `id` (long) is none"),
    ("SELECT unnest(«id») FROM orders", "SQL0301", "`id` (long) is no array"),
    ("SELECT id FROM orders WHERE «unnest(lines)» = 1", "SQL0318", "`unnest` makes rows, which WHERE cannot"),
    (
        "SELECT id FROM orders EVENTTIME BY «placed»",
        "SQL0303",
        "EVENTTIME BY belongs to streams, and this query runs once",
    ),
    (
        "SELECT STREAM id FROM orders WINDOW BY «TUMBLE 5m»",
        "SQL0303",
        "WINDOW BY belongs to streams, and this query runs once",
    ),
    ("«SELECT id FROM orders EMIT CHANGES»", "SQL0303", "EMIT belongs to streams, and this query runs once"),
    ("SELECT «?» FROM orders", "SQL0303", "a parameter has no value here"),
    ("SELECT «$1» FROM orders", "SQL0303", "a parameter has no value here"),
    ("SELECT id FROM orders QUALIFY «id»", "SQL0304", "QUALIFY takes a condition, and `id` (long) is none"),
    ("SELECT DISTINCT ON («nope») id FROM orders", "SQL0201", "column `nope` does not exist in `orders`"),
    (
        "SELECT «percentile_cont(0.5) WITHIN GROUP (ORDER BY customer)» FROM orders",
        "SQL0301",
        "`percentile_cont(0.5) WITHIN GROUP (OR…` cannot be computed from these types",
    ),
    ("SELECT id FROM orders; «SELECT id FROM orders»", "SQL0317", "a snapshot query is one SELECT"),
    ("«DELETE FROM orders»", "SQL0101", "DELETE without WHERE would remove every record"),
    ("«PIVOT» orders ON customer USING count(*)", "SQL0110", "PIVOT is not supported in a program"),
    ("SELECT id FROM orders «USING» SAMPLE 10%", "SQL0110", "SAMPLE is not supported"),
    ("SELECT id FROM orders «FETCH» FIRST 3 ROWS ONLY", "SQL0110", "FETCH is not supported"),
    (
        "SELECT id FROM orders WHERE id IS «3»",
        "SQL0101",
        "expected `NULL` or `TRUE` or `FALSE` or `DISTINCT` after `IS`, found `3`",
    ),
    ("SELECT «_meta» FROM orders", "SQL0201", "`_meta` is read field by field"),
    ("SELECT _meta.«nope» FROM orders", "SQL0201", "`_meta` has no field `nope`"),
    ("SELECT _key.«x» FROM orders", "SQL0201", "`_key` is no record, it is a string, so it has no field `x`"),
    ("SELECT id FROM orders WHERE _vtype = «THRIFT»", "CAT0103", "there is no format `THRIFT`"),
    (
        "SELECT «interval '3 lightyears'» FROM orders",
        "SQL0301",
        "`interval '3 lightyears'` is no length of time",
    ),
    ("SELECT «made» + 5m FROM orders", "SQL0201", "column `made` does not exist in `orders`"),
    ("SELECT «customer + 5m» FROM orders", "SQL0301", "a duration cannot be added to `customer` (string)"),
    (
        "SELECT struct_pack(a := id).«b» FROM orders",
        "SQL0201",
        "`struct_pack(a := id)` (record(a long)) has no field `b`",
    ),
    (
        "SELECT «current_setting('x')», version(), getenv('HOME') FROM orders",
        "SQL0301",
        "`CURRENT_SETTING` does not take `'x'` (string)",
    ),
    ("SELECT «read_text»('/etc/passwd') FROM orders", "SQL0204", "there is no function `read_text`"),
]


@pytest.mark.parametrize(("marked", "code", "message"), WRONG, ids=[marked for marked, _, _ in WRONG])
def test_the_fault_is_shown_where_it_is(marked: str, code: str, message: str) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    with pytest.raises(ProgramError) as refused:
        plan_query(parse_program(text, "query"), known())
    (found,) = refused.value.diagnostics
    assert (found.code.id, found.message) == (code, message)
    assert found.span is not None
    assert (found.span.start, found.span.end) == (start, end)
    assert "^" in render(refused.value) or start == end
