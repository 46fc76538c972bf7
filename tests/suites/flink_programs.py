"""Flink's planner programs in our SQL.

Flink's WATERMARK of a second is GRACE BY 1s; it closes a session a millisecond earlier than Kafka Streams at either side,
so that there 998ms says the same. Groups of null are left out here, so such a group is given a name and called null again.
Streams that Flink joins for ever are joined WITHIN 1000d.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.suites.program import Program, Refused

_COUNTS_OF_WINDOW: Final = """
INSERT INTO result
SELECT STREAM NULLIF(COALESCE(name, '-'), '-') AS name, _window.start AS window_start, {end} AS window_end,
       COUNT(*) AS cnt, SUM(a_int) AS sum_int, COUNT(DISTINCT `comment`) AS distinct_cnt
FROM window_source_t WINDOW BY {window} GRACE BY {grace} GROUP BY COALESCE(name, '-') EMIT FINAL"""

_TUMBLE: Final = _COUNTS_OF_WINDOW.format(window="TUMBLE 5s", grace="1s", end="_window.end")
_HOP: Final = _COUNTS_OF_WINDOW.format(window="HOP 10s,5s", grace="1s", end="_window.end")
_TUMBLE_LATER: Final = _COUNTS_OF_WINDOW.format(window="TUMBLE 5s OFFSET 1s", grace="1s", end="_window.end")
_HOP_LATER: Final = _COUNTS_OF_WINDOW.format(window="HOP 10s,5s OFFSET 1s", grace="1s", end="_window.end")
_CUMULATE: Final = _COUNTS_OF_WINDOW.format(window="CUMULATE 15s,5s", grace="1s", end="_window.end")
_CUMULATE_LATER: Final = _COUNTS_OF_WINDOW.format(
    window="CUMULATE 15s,5s OFFSET 1s", grace="1s", end="_window.end"
)
_SESSION: Final = _COUNTS_OF_WINDOW.format(window="SESSION 5s", grace="998ms", end="_window.end + 5000")

_LEAST: Final = """
WITH e AS (SELECT STREAM deptno, MIN(salary) AS salary FROM EMPLOYEE GROUP BY deptno);
WITH d AS (SELECT STREAM department_num, MIN(b2) AS b2 FROM DEPARTMENT GROUP BY department_num);"""

_EQUAL_KEYS: Final = f"""{_LEAST}
INSERT INTO result SELECT TABLE deptno, department_num FROM e JOIN d ON e.deptno = d.department_num"""

_COPY: Final = "INSERT INTO result SELECT STREAM * FROM source_t"

_FIRST_OF_WINDOW: Final = """
INSERT INTO result SELECT TABLE * FROM (
    SELECT STREAM _meta.timestamp AS bid_time, price, item, supplier_id,
           _meta.timestamp / 10000 * 10000 AS window_start, _meta.timestamp / 10000 * 10000 + 10000 AS window_end,
           ROW_NUMBER() OVER (PARTITION BY {parts} ORDER BY _meta.timestamp {order}) AS row_num
    FROM bid_t
) WHERE row_num <= 1"""
_WINDOW: Final = "_meta.timestamp / 10000"

_ROWS_OF_WINDOWS: Final = """
INSERT INTO result
SELECT STREAM _meta.timestamp AS bid_time, price, item, _window.start AS window_start, _window.end AS window_end,
       _window.end - 1 AS window_time
FROM bid_t WINDOW BY {window}"""

_FIRST_ROWS_OF_WINDOWS: Final = """
INSERT INTO result
SELECT STREAM {columns}, ROW_NUMBER() OVER (PARTITION BY _window.start, _window.end ORDER BY {order}) AS row_num
FROM bid_t WINDOW BY {window} QUALIFY row_num <= {most}"""
_LEAST_OF_WINDOW: Final = """_window.start AS window_start, _window.end AS window_end,
       _meta.timestamp AS bid_time, supplier_id, price, item"""

_JOINED_WINDOWS: Final = """
WITH l AS (SELECT STREAM id, num, name FROM source_one_t WINDOW BY {window});
WITH r AS (SELECT STREAM id, num, name FROM source_two_t WINDOW BY {window});
INSERT INTO result
SELECT STREAM l._window.start AS window_start, l._window.end AS window_end, l.name AS name, l.id AS L_id, l.num AS L_num,
       r.id AS R_id, r.num AS R_num
FROM l {join} r ON l.name = r.name AND l._window.start = r._window.start AND l._window.end = r._window.end GRACE BY 1s"""

_LOOKUP: Final = """
INSERT INTO result
SELECT STREAM o.order_id, o.total, c.id, c.name, c.age, c.city, c.state, c.zipcode
FROM orders_t o LEFT JOIN (SELECT TABLE * FROM customers_t) c
ON CASE WHEN o.total > 15.3 THEN o.customer_id END = c._key AND {condition}"""

_PATTERN_OF_NAMES: Final = """
INSERT INTO result SELECT STREAM T.aid, T.bid, T.cid
FROM MyTable MATCH_RECOGNIZE (
    ORDER BY _meta.timestamp
    MEASURES `A"`.id AS aid, l.id AS bid, C.id AS cid
    PATTERN (`A"` l C)
    DEFINE `A"` AS name = 'a', l AS name = 'b', C AS name = 'c'
) AS T"""

_PATTERN_OF_PRICES: Final = """
INSERT INTO result SELECT STREAM *
FROM MyTable MATCH_RECOGNIZE (
    PARTITION BY symbol
    ORDER BY _meta.timestamp
    MEASURES FIRST(DOWN.price) AS first, LAST(DOWN.price) AS last, FIRST(DOWN.price, 5) AS nullPrice
    ONE ROW PER MATCH
    AFTER MATCH SKIP PAST LAST ROW
    PATTERN (DOWN{2,} UP)
    DEFINE
        DOWN AS price < LAST(DOWN.price, 1) OR LAST(DOWN.price, 1) IS NULL,
        UP AS price > LAST(DOWN.price)
) AS T"""

_OWN: Final = f"SET functions.file='{Path(__file__).parent / 'flink_functions.py'}';\n"
"""User functions of the programs."""

_RETRIES: Final = "functions that Flink calls again when they fail: here a failure is one of the record"
_SEVERAL_FUNCTIONS: Final = f"""{_OWN}
INSERT INTO result
SELECT STREAM a, CAST(a AS STRING) AS a1, b, udf2(b, b, d) AS b1, udf3(c, b) AS c1, udf4(SUBSTRING(c, 0, 5)) AS c2,
       udf5(d, 1000) AS d1
FROM source_t WHERE (udf1(a) > 0 OR (a * b) < 100) AND b > 10"""

_BY_CLOCK: Final = """
INSERT INTO result SELECT STREAM NULLIF(COALESCE(name, '-'), '-') AS name, COUNT(*) AS cnt
FROM source_t EVENTTIME BY PROCTIME() WINDOW BY {window} GROUP BY COALESCE(name, '-') EMIT FINAL"""
_ONE_SESSION: Final = """
WITH sessions AS (
    SELECT STREAM _window.start AS window_start, _window.end + 5000 AS window_end, COLLECT(_value) AS entries
    FROM window_source_t WINDOW BY SESSION 5s GRACE BY 998ms EMIT FINAL
);
INSERT INTO result
SELECT STREAM NULLIF(COALESCE(e.name, '-'), '-') AS name, window_start, window_end, COUNT(*) AS cnt, SUM(e.a_int) AS sum_int,
       COUNT(DISTINCT e.`comment`) AS distinct_cnt
FROM sessions LATERAL entries AS e GROUP BY COALESCE(e.name, '-'), window_start, window_end"""
_SORTED: Final = "ORDER BY of rows that have no end, by something else than their time"

PROGRAMS: Final[tuple[Program | Refused, ...]] = (
    Program(
        "calc-project-pushdown",
        "INSERT INTO result SELECT STREAM a, CAST(a AS STRING) AS a1 FROM source_t WHERE a > CAST(1 AS LONG)",
    ),
    Program(
        "calc-sarg", "INSERT INTO result SELECT STREAM a FROM source_t WHERE a = 1 OR a = 2 OR a IS NULL"
    ),
    Program("calc-udf-simple", f"{_OWN}INSERT INTO result SELECT STREAM a, udf1(a) AS a1 FROM source_t"),
    Program("calc-udf-complex", _SEVERAL_FUNCTIONS, times=("d1",)),
    Program(
        "correlate-catalog-func",
        "INSERT INTO result SELECT STREAM c AS a, CONCAT('$', s) AS b FROM source_t LATERAL STRING_SPLIT(c, '#') AS s",
    ),
    Program(
        "correlate-system-func",
        "INSERT INTO result SELECT STREAM c AS a, s AS b FROM source_t LATERAL STRING_SPLIT(c, '#') AS s",
    ),
    Program(
        "correlate-join-filter",
        "INSERT INTO result SELECT STREAM c AS a, s AS b FROM source_t LATERAL STRING_SPLIT(c, '#') AS s "
        "WHERE c LIKE '%hello%' OR c LIKE '%fiz%'",
    ),
    Program(
        "correlate-left-join",
        "INSERT INTO result SELECT STREAM c AS a, s AS b FROM source_t "
        "LATERAL CASE WHEN c LIKE '%#%' THEN STRING_SPLIT(c, '#') ELSE [CAST(NULL AS STRING)] END AS s",
    ),
    Program(
        "expand",
        "INSERT INTO result SELECT STREAM a AS b, COUNT(DISTINCT b) AS a, FIRST(c) AS c FROM MyTable GROUP BY a",
        table=True,
    ),
    Program(
        "join-non-window-inner-join",
        """
WITH l AS (SELECT STREAM CASE WHEN a = 3 THEN NULL ELSE a END AS a, b, c FROM T1);
WITH r AS (SELECT STREAM CASE WHEN a = 3 THEN NULL ELSE a END AS a, b, c FROM T2);
INSERT INTO result
SELECT STREAM r.a AS a, r.c AS c1, l.c AS c2 FROM l JOIN r ON l.a = r.a AND l.b > r.b WITHIN 1000d""",
    ),
    Program(
        "join-non-window-inner-join-with-null-cond",
        """
WITH l AS (SELECT STREAM CASE WHEN a = 3 THEN NULL ELSE a END AS a, b, c FROM T1);
WITH r AS (SELECT STREAM CASE WHEN a = 3 THEN NULL ELSE a END AS a, b, c FROM T2);
INSERT INTO result
SELECT STREAM r.a AS a, r.c AS c1, l.c AS c2 FROM l JOIN r ON COALESCE(l.a, -1) = COALESCE(r.a, -1) AND l.b > r.b WITHIN 1000d""",
    ),
    Program(
        "join-inner-join-with-duplicate-key",
        """
INSERT INTO result SELECT STREAM deptno, department_num
FROM EMPLOYEE e JOIN DEPARTMENT d ON e.deptno = d.department_num AND e.deptno = d.b3 WITHIN 1000d""",
    ),
    Program("join-inner-join-with-equal-pk", _EQUAL_KEYS, table=True),
    Program(
        "join-inner-join-with-pk",
        f"{_LEAST}\nINSERT INTO result SELECT TABLE deptno, department_num FROM e JOIN d ON e.salary = d.b2",
        table=True,
    ),
    Program(
        "join-outer-join",
        """
INSERT INTO result SELECT TABLE name, department_name
FROM EMPLOYEE e FULL JOIN DEPARTMENT d ON e.deptno = d.department_num""",
        table=True,
    ),
    Program(
        "join-left-join",
        """
INSERT INTO result SELECT TABLE name, department_name
FROM EMPLOYEE e LEFT JOIN DEPARTMENT d ON e.deptno = d.department_num""",
        table=True,
    ),
    Program(
        "join-anti-join",
        """
WITH d AS (SELECT STREAM department_num, COUNT(*) AS n FROM DEPARTMENT GROUP BY department_num);
INSERT INTO result SELECT TABLE e.name FROM EMPLOYEE e LEFT JOIN d ON e.deptno = d.department_num
WHERE d.n IS NULL AND e.deptno IS NOT NULL""",
        table=True,
    ),
    Program("join-with-state-ttl-hint", _EQUAL_KEYS, table=True),
    Program(
        "limit",
        "INSERT INTO result SELECT STREAM a, b, c FROM source_t QUALIFY ROW_NUMBER() OVER (ORDER BY _meta.timestamp) <= 3",
        table=True,
    ),
    Program("lookup-join-pre-filter", _LOOKUP.format(condition="c.age > 30"), keys={"customers_t": "id"}),
    Program(
        "lookup-join-pre-post-filter",
        _LOOKUP.format(condition="CAST(o.total AS INT) < c.age"),
        keys={"customers_t": "id"},
    ),
    Program("match-simple", _PATTERN_OF_NAMES),
    Program("match-complex", _PATTERN_OF_PRICES),
    Program(
        "rank-test-update-fast-strategy",
        """
WITH counts AS (SELECT STREAM a, b, COUNT(*) AS count_c FROM MyTable GROUP BY a, b);
INSERT INTO result SELECT TABLE * FROM (
    SELECT TABLE a, b, count_c, ROW_NUMBER() OVER (PARTITION BY b ORDER BY count_c DESC, a ASC) AS row_num FROM counts
) WHERE row_num <= 10""",
        table=True,
    ),
    Program(
        "rank-n-test",
        """
INSERT INTO result SELECT TABLE * FROM (
    SELECT STREAM a, b, ROW_NUMBER() OVER (PARTITION BY a ORDER BY _meta.timestamp) AS c FROM MyTable1
) WHERE c <= 2""",
        table=True,
    ),
    Program(
        "rank-2-test",
        """
INSERT INTO result SELECT TABLE * FROM (
    SELECT STREAM a, b, RANK() OVER (PARTITION BY a ORDER BY b) AS c FROM MyTable1
) WHERE c = 2""",
        table=True,
    ),
    Program(
        "sort-limit-asc",
        "INSERT INTO result SELECT STREAM a, b, c FROM source_t QUALIFY ROW_NUMBER() OVER (ORDER BY a) <= 3",
        table=True,
    ),
    Refused("sort-asc", _SORTED),
    Program("sink-bucketing_with-count", _COPY),
    Program("sink-bucketing_with-keys-and-count", _COPY),
    Program("sink-bucketing_range_with_keys_without_count", _COPY),
    Refused("sink-overwrite", "INSERT OVERWRITE: a topic is not overwritten"),
    Program(
        "sink-upsert", "INSERT INTO result SELECT TABLE * FROM source_t", table=True, keys={"source_t": "a"}
    ),
    Program(
        "union-two-sources",
        """
INSERT INTO result SELECT DISTINCT * FROM (
    SELECT STREAM a, b FROM source_t1 UNION ALL SELECT STREAM d AS a, e AS b FROM source_t2
)""",
        table=True,
    ),
    Program(
        "union-all-two-sources",
        "INSERT INTO result SELECT STREAM a, b FROM source_t1 UNION ALL SELECT STREAM d AS a, e AS b FROM source_t2",
    ),
    Program(
        "union-all-with-filter",
        """
INSERT INTO result SELECT STREAM * FROM source_t1 WHERE a >= 3 UNION ALL SELECT STREAM * FROM source_t2 WHERE a <= 3""",
    ),
    Program("window-table-function-tumble-tvf", _ROWS_OF_WINDOWS.format(window="TUMBLE 10s")),
    Program(
        "window-table-function-tumble-tvf-agg-proc-time",
        """
INSERT INTO result SELECT STREAM SUM(price) AS price FROM bid_t EVENTTIME BY PROCTIME() WINDOW BY TUMBLE 10s EMIT FINAL""",
        clock=True,
    ),
    Program("window-table-function-hop-tvf", _ROWS_OF_WINDOWS.format(window="HOP 10s,5s")),
    Program("async-calc-simple", f"{_OWN}INSERT INTO result SELECT STREAM a, udf1(a) AS a1 FROM source_t"),
    Program("async-calc-complex", _SEVERAL_FUNCTIONS, times=("d1",)),
    Program(
        "async-calc-nested",
        f"{_OWN}INSERT INTO result SELECT STREAM a, udf1(udf1(udf1(a))) AS a1 FROM source_t",
    ),
    Program(
        "async-calc-condition", f"{_OWN}INSERT INTO result SELECT STREAM a FROM source_t WHERE udf1(a) > 6"
    ),
    Refused("async-calc-failure-exception", _RETRIES),
    Program(
        "changelog-normalize-source",
        "INSERT INTO result SELECT TABLE a, b, c FROM source_t",
        table=True,
        keys={"source_t": "a"},
        updates=True,
    ),
    Program(
        "changelog-normalize-source-mini-batch",
        "INSERT INTO result SELECT TABLE a, b, c FROM source_t",
        table=True,
        keys={"source_t": "a"},
    ),
    Program(
        "deduplicate-asc-proctime",
        """
INSERT INTO result SELECT STREAM order_id, `user`, product, order_time FROM MyTable
QUALIFY ROW_NUMBER() OVER (PARTITION BY product ORDER BY _meta.timestamp) = 1""",
        table=True,
        updates=True,
    ),
    Program(
        "deduplicate-desc",
        """
INSERT INTO result SELECT STREAM order_id, `user`, product, order_time FROM MyTable
QUALIFY ROW_NUMBER() OVER (PARTITION BY product ORDER BY order_time DESC) = 1""",
        table=True,
        updates=True,
    ),
    Program(
        "group-aggregate-simple",
        """
SET emit='record';
INSERT INTO result
SELECT STREAM b, COUNT(*) AS cnt, AVG(a) FILTER (WHERE a > 1) AS avg_a, MIN(c) AS min_c FROM source_t GROUP BY b""",
        table=True,
        updates=True,
    ),
    Program(
        "group-aggregate-distinct",
        # Flink's AVG of whole numbers is whole.
        """
SET emit='record';
INSERT INTO result
SELECT STREAM e, COUNT(DISTINCT a) FILTER (WHERE b > 10) AS cnt_a1, COUNT(DISTINCT a) AS cnt_a2,
       SUM(DISTINCT a) AS sum_a, SUM(DISTINCT b) AS sum_b, FLOOR(AVG(b)) AS avg_b, COUNT(DISTINCT d) AS cnt_d
FROM source_t GROUP BY e""",
        table=True,
    ),
    Program(
        "group-aggregate-udf-with-merge",
        f"""
SET emit='record'; {_OWN}
INSERT INTO result SELECT STREAM e, my_avg(e, a) AS s1, my_concat(d) AS c1 FROM source_t GROUP BY e""",
        table=True,
    ),
    Program(
        "group-window-aggregate-tumble-proc-time",
        """
INSERT INTO result
SELECT STREAM NULLIF(COALESCE(name, '-'), '-') AS name, COUNT(*) AS cnt, SUM(a_int) AS sum_int,
       COUNT(DISTINCT `comment`) AS distinct_cnt
FROM source_t EVENTTIME BY PROCTIME() WINDOW BY TUMBLE 5s GROUP BY COALESCE(name, '-') EMIT FINAL""",
        clock=True,
    ),
    Program("group-window-aggregate-hop-proc-time", _BY_CLOCK.format(window="HOP 10s,5s"), clock=True),
    Program(
        "group-window-aggregate-session-event-time",
        """
INSERT INTO result SELECT STREAM NULLIF(COALESCE(name, '-'), '-') AS name, COUNT(*) AS cnt
FROM source_t WINDOW BY SESSION 3s GRACE BY 998ms GROUP BY COALESCE(name, '-') EMIT FINAL""",
        flush=True,
    ),
    Program("group-window-aggregate-session-proc-time", _BY_CLOCK.format(window="SESSION 3s"), clock=True),
    Program(
        "interval-join-event-time",
        """
INSERT INTO result SELECT STREAM o.id AS order_id, o.order_ts_str, s.shipment_ts_str
FROM orders_t o JOIN shipments_t s ON o.id = s.order_id GRACE BY 1s
WHERE o._meta.timestamp BETWEEN s._meta.timestamp - INTERVAL '5' SECOND AND s._meta.timestamp + INTERVAL '5' SECOND""",
    ),
    Program(
        "interval-join-negative-interval",
        """
INSERT INTO result SELECT STREAM o.id AS order_id, o.order_ts_str, s.shipment_ts_str
FROM orders_t o LEFT JOIN shipments_t s ON o.id = s.order_id
AND o._meta.timestamp BETWEEN s._meta.timestamp + INTERVAL '10' SECOND AND s._meta.timestamp + INTERVAL '5' SECOND""",
    ),
    Program(
        "mini-batch-assigner-row-time",
        """
WITH l AS (SELECT STREAM id, num, name, _meta.timestamp / 1000 AS second FROM source_one_t);
WITH r AS (SELECT STREAM id, num, name, _meta.timestamp / 1000 AS second FROM source_two_t);
INSERT INTO result
SELECT STREAM l.second * 1000 AS window_start, l.second * 1000 + 1000 AS window_end, l.name, l.id AS L_id, l.num AS L_num,
       r.id AS R_id, r.num AS R_num
FROM l JOIN r ON l.name = r.name AND l.second = r.second WITHIN 1s""",
    ),
    Program(
        "mini-batch-assigner-proc-time",
        "INSERT INTO result SELECT STREAM b, COUNT(DISTINCT a) AS a FROM source_t GROUP BY b",
        table=True,
    ),
    Program(
        "temporal-join-table-join",
        """
INSERT INTO result SELECT STREAM o.amount * r.rate AS amount
FROM Orders o JOIN (SELECT TABLE * FROM RatesHistory) r ON o.currency = r._key""",
        keys={"RatesHistory": "currency"},
    ),
    # Records come out in the order in which they come in.
    Program("temporal-sort-proctime", "INSERT INTO result SELECT STREAM a FROM source_t"),
    Program(
        "temporal-sort-rowtime",
        "INSERT INTO result SELECT STREAM `int` AS a FROM source_t ORDER BY _meta.timestamp, `double` NULLS FIRST GRACE BY 1s",
        flush=True,
    ),
    Program("window-aggregate-tumble-event-time-two-phase", _TUMBLE, flush=True),
    Program("window-aggregate-tumble-event-time-two-phase-distinct-split", _TUMBLE, flush=True),
    Program(
        "window-aggregate-tumble-event-time-two-phase-with-offset-distinct-split", _TUMBLE_LATER, flush=True
    ),
    Program("window-aggregate-hop-event-time", _HOP, flush=True),
    Program("window-aggregate-hop-event-time-two-phase-distinct-split", _HOP, flush=True),
    Program("window-aggregate-hop-event-time-with-offset", _HOP_LATER, flush=True),
    Program("window-aggregate-hop-event-time-two-phase-with-offset", _HOP_LATER, flush=True),
    Program("window-aggregate-cumulate-event-time", _CUMULATE, flush=True),
    Program("window-aggregate-cumulate-event-time-two-phase", _CUMULATE, flush=True),
    Program("window-aggregate-cumulate-event-time-with-offset", _CUMULATE_LATER, flush=True),
    Program("window-aggregate-cumulate-event-time-with-offset-distinct-split", _CUMULATE_LATER, flush=True),
    Program("window-aggregate-session-event-time", _ONE_SESSION, table=True, flush=True),
    Program("window-aggregate-session-event-time-two-phase", _ONE_SESSION, table=True, flush=True),
    Program("window-aggregate-session-partition-event-time", _SESSION, flush=True),
    Program(
        "window-deduplicate-asc-tumble-first-row",
        _FIRST_OF_WINDOW.format(parts=_WINDOW, order="ASC"),
        table=True,
        end_only=True,
    ),
    Program(
        "window-deduplicate-asc-tumble-first-row-condition-1",
        _FIRST_OF_WINDOW.format(parts=_WINDOW, order="ASC"),
        table=True,
        end_only=True,
    ),
    Program(
        "window-deduplicate-asc-partition-by-item-tumble-first-row",
        _FIRST_OF_WINDOW.format(parts=f"{_WINDOW}, item", order="ASC"),
        table=True,
        end_only=True,
    ),
    Program(
        "window-deduplicate-desc-partition-by-item-tumble-first-row",
        _FIRST_OF_WINDOW.format(parts=f"{_WINDOW}, item", order="DESC"),
        table=True,
        end_only=True,
    ),
    Program(
        "window-deduplicate-asc-hop-first-row",
        _FIRST_ROWS_OF_WINDOWS.format(
            columns="_meta.timestamp AS bid_time, price, item, supplier_id, "
            "_window.start AS window_start, _window.end AS window_end",
            order="_meta.timestamp",
            window="HOP 10s,5s",
            most=1,
        ),
        table=True,
        end_only=True,
    ),
    Program(
        "window-join-inner-tumble-event-time",
        _JOINED_WINDOWS.format(window="TUMBLE 5s", join="JOIN"),
        flush=True,
        end_only=True,
    ),
    Program(
        "window-join-right-tumble-event-time",
        _JOINED_WINDOWS.format(window="TUMBLE 5s", join="RIGHT JOIN"),
        flush=True,
        end_only=True,
    ),
    Program(
        "window-join-semi-tumble-event-time",
        """
WITH l AS (SELECT STREAM id, num, name FROM source_one_t WINDOW BY TUMBLE 5s);
WITH r AS (SELECT STREAM id, num, name FROM source_two_t WINDOW BY TUMBLE 5s);
INSERT INTO result
SELECT STREAM _window.start AS window_start, _window.end AS window_end, name, id AS L_id, num AS L_num,
       'NOT_PRESENT' AS R_id, 0 AS R_num
FROM l WHERE EXISTS (
    SELECT * FROM r WHERE l.name = r.name AND l._window.start = r._window.start AND l._window.end = r._window.end)""",
        flush=True,
        end_only=True,
    ),
    Program(
        "window-join-hop-event-time",
        _JOINED_WINDOWS.format(window="HOP 10s,5s", join="JOIN"),
        flush=True,
        end_only=True,
    ),
    Program(
        "window-join-cumulate-event-time",
        _JOINED_WINDOWS.format(window="CUMULATE 10s,5s", join="JOIN"),
        flush=True,
        end_only=True,
    ),
    Program(
        "window-rank-tumble-tvf-max-top-n",
        """
INSERT INTO result SELECT TABLE * FROM (
    SELECT STREAM _meta.timestamp / 10000 * 10000 AS window_start, _meta.timestamp / 10000 * 10000 + 10000 AS window_end,
           _meta.timestamp AS bid_time, supplier_id, price, item,
           ROW_NUMBER() OVER (PARTITION BY _meta.timestamp / 10000 ORDER BY price DESC) AS row_num
    FROM bid_t
) WHERE row_num <= 3""",
        table=True,
        end_only=True,
    ),
    Program(
        "window-rank-tumble-tvf-agg-max-top-n",
        """
WITH totals AS (
    SELECT STREAM _window.start AS window_start, _window.end AS window_end, supplier_id, SUM(price) AS total, COUNT(*) AS cnt
    FROM bid_t WINDOW BY TUMBLE 10s GRACE BY 1s GROUP BY supplier_id EMIT FINAL
);
INSERT INTO result SELECT TABLE * FROM (
    SELECT STREAM window_start, window_end, supplier_id, total, cnt,
           ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY total DESC) AS row_num
    FROM totals
) WHERE row_num <= 3""",
        table=True,
        flush=True,
    ),
    Program(
        "window-rank-hop-tvf-min-top-n",
        _FIRST_ROWS_OF_WINDOWS.format(columns=_LEAST_OF_WINDOW, order="price", window="HOP 10s,5s", most=3),
        table=True,
        end_only=True,
    ),
    Program(
        "window-rank-cumulate-tvf-min-top-n",
        _FIRST_ROWS_OF_WINDOWS.format(
            columns=_LEAST_OF_WINDOW, order="price", window="CUMULATE 10s,5s", most=3
        ),
        table=True,
        end_only=True,
    ),
)
