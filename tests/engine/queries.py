"""Queries of users, each with the same in DuckDB's own words where the two languages differ.

They differ on purpose in three places: arrays begin with 0, `/` of whole numbers is whole, names with odd letters stand
between back-ticks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pair:
    """A query in our language and in DuckDB's."""

    headrace: str
    own: str | None = None

    @property
    def duckdb(self) -> str:
        """The query for DuckDB."""
        return self.own or self.headrace.replace("`", '"')

    @property
    def ordered(self) -> bool:
        """Whether the order of rows is part of the answer."""
        return "ORDER BY" in self.headrace.rpartition(")")[2] or self.headrace.startswith("--ordered")

    @property
    def name(self) -> str:
        """The query, for the name of a test."""
        return " ".join(self.headrace.split())[:60]


QUERIES = [
    # Projection, nested fields, expressions
    Pair("SELECT * FROM orders"),
    Pair("SELECT * FROM payments"),
    Pair("SELECT * FROM countries"),
    Pair("SELECT id, address.geo.lat AS lat, address.zip + 1 FROM orders"),
    Pair(
        "SELECT o.address.street, o.lines[0].item FROM orders AS o",
        "SELECT o.address.street, o.lines[1].item FROM orders o",
    ),
    Pair("SELECT address FROM orders WHERE address IS NOT NULL"),
    Pair("SELECT tags[1], lines[1].price FROM orders", "SELECT tags[2], lines[2].price FROM orders"),
    Pair(
        "SELECT id / 4, id % 4, id / 4.0, -id / 4 FROM orders",
        "SELECT id // 4, id % 4, id / 4.0, (-id) // 4 FROM orders",
    ),
    Pair("SELECT amount * quantity + 1, amount / 3, round(amount / 7, 2) FROM orders"),
    Pair("SELECT 2 ** 10, 7 - 3 - 2, 2 + 3 * 4, (2 + 3) * 4, 10 % 4, -2 ^ 2 FROM countries"),
    Pair("SELECT `sum` * 2, `sum` + 0.005, `sum` / 3, CAST(`sum` AS decimal(10, 1)) FROM payments"),
    Pair(
        "SELECT CASE WHEN quantity > 3 THEN 'many' WHEN quantity > 0 THEN 'few' ELSE 'none' END AS much FROM orders"
    ),
    Pair("SELECT CASE country WHEN 'DE' THEN 1 WHEN 'FR' THEN 2 END FROM orders"),
    Pair("SELECT COALESCE(note, customer, '?'), NULLIF(quantity, 3) FROM orders"),
    Pair(
        "SELECT paid AND quantity > 2, paid OR id > 20, NOT paid, paid IS TRUE, paid IS DISTINCT FROM true FROM orders"
    ),
    Pair("SELECT {'a': id, 'b': {'c': customer}} AS r, [id, quantity] AS l FROM orders"),
    Pair("SELECT CAST(id AS string) || '-' || customer, TRY_CAST(customer AS int) FROM orders"),
    Pair("SELECT id::string, '12'::int + id FROM orders"),
    Pair("SELECT customer AS Name, COUNT(*) AS `how many` FROM orders GROUP BY customer"),
    Pair("SELECT * EXCLUDE (raw, tags) FROM orders"),
    Pair("SELECT * EXCEPT (raw, tags) FROM orders", "SELECT * EXCLUDE (raw, tags) FROM orders"),
    Pair("SELECT * REPLACE (quantity * 2 AS quantity) FROM orders"),
    Pair("SELECT o.* FROM orders AS o WHERE o.id < 3"),
    # Filters
    Pair("SELECT id FROM orders WHERE customer LIKE '%o%' AND note NOT LIKE '%1%'"),
    Pair("SELECT id FROM orders WHERE customer ILIKE 'd%' OR note LIKE '%50!% off!_' ESCAPE '!'"),
    Pair("SELECT id FROM orders WHERE country IN ('DE', 'GB') AND quantity NOT IN (1, 2)"),
    Pair("SELECT id FROM orders WHERE amount BETWEEN 0 AND 100 AND id NOT BETWEEN 5 AND 7"),
    Pair("SELECT id FROM orders WHERE country IS NULL AND address.zip IS NOT NULL"),
    Pair("SELECT id FROM orders WHERE (country, quantity) IN (('DE', 1), ('FR', 5))"),
    Pair(
        "SELECT id FROM orders WHERE customer ~ '[a-c].*'",
        "SELECT id FROM orders WHERE regexp_full_match(customer, '[a-c].*')",
    ),
    Pair(
        "SELECT id FROM orders WHERE customer !~ '[a-c].*'",
        "SELECT id FROM orders WHERE NOT regexp_full_match(customer, '[a-c].*')",
    ),
    Pair("SELECT id FROM orders WHERE customer SIMILAR TO '(ann|bob)'"),
    Pair("SELECT id FROM orders WHERE NOT (paid OR quantity = 1)"),
    Pair("SELECT id FROM orders WHERE contains(tags, 'blue')"),
    # Grouping
    Pair(
        "SELECT country, COUNT(*), SUM(amount), AVG(quantity), MIN(id), MAX(placed) FROM orders GROUP BY country"
    ),
    Pair("SELECT country, COUNT(*) AS n FROM orders GROUP BY 1 HAVING COUNT(*) > 7 ORDER BY n DESC, country"),
    Pair("SELECT upper(country) AS c, sum(quantity) FROM orders GROUP BY upper(country)"),
    Pair("SELECT upper(country) AS c, sum(quantity) FROM orders GROUP BY c HAVING sum(quantity) > 10"),
    Pair("SELECT country, customer, COUNT(*) FROM orders GROUP BY ROLLUP (country, customer)"),
    Pair("SELECT country, paid, COUNT(*) FROM orders GROUP BY CUBE (country, paid)"),
    Pair("SELECT country, paid, SUM(id) FROM orders GROUP BY GROUPING SETS ((country), (paid), ())"),
    Pair("SELECT country, grouping(country), COUNT(*) FROM orders GROUP BY ROLLUP (country)"),
    Pair("SELECT country, paid, count(*) FROM orders GROUP BY ALL"),
    Pair("SELECT COUNT(DISTINCT customer), COUNT(note), SUM(DISTINCT quantity) FROM orders"),
    Pair("SELECT COUNT(*) FILTER (WHERE paid), SUM(amount) FILTER (WHERE country = 'DE') FROM orders"),
    Pair(
        "SELECT list(id ORDER BY amount DESC), string_agg(customer, '+' ORDER BY id) FROM orders WHERE id < 6"
    ),
    Pair(
        "SELECT median(amount), quantile_cont(amount, 0.9), stddev_samp(amount), mode(quantity) FROM orders WHERE id <> 0"
    ),
    Pair("SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) FROM orders"),
    Pair(
        "SELECT arg_max(customer, amount), arg_min(id, amount), bool_and(quantity >= 0), any_value(7) FROM orders"
    ),
    Pair("SELECT first(id ORDER BY id), last(id ORDER BY id), histogram(quantity) FROM orders"),
    Pair(
        "SELECT address.zip % 3 AS part, SUM(`sum`) FROM orders AS o JOIN payments AS p ON p.order_id = o.id GROUP BY part"
    ),
    Pair("SELECT SUM(`sum`), AVG(`sum`), MAX(day), MIN(made) FROM payments"),
    Pair("SELECT approx_count_distinct(customer) > 2, count_if(paid), product(quantity + 1) > 0 FROM orders"),
    Pair("SELECT DISTINCT country, paid FROM orders"),
    Pair("SELECT DISTINCT ON (country) country, id FROM orders ORDER BY country, id DESC"),
    Pair(
        "SELECT maxk(id, 3), mink(customer, 2), maxk_unique(quantity, 2), mink_unique(quantity, 2), topk(customer, "
        "2), bottomk(country, 1) FROM orders WHERE id > 5",
        "SELECT max(id, 3), min(customer, 2), [6, 5], [0, 1], ['Dora', 'bob'], ['DE'] FROM orders WHERE id > 5",
    ),
    # Windows over rows
    Pair("SELECT id, ROW_NUMBER() OVER (PARTITION BY country ORDER BY amount) AS n FROM orders"),
    Pair("SELECT id, SUM(amount) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders"),
    Pair("SELECT id, lag(amount) OVER (ORDER BY id), lead(amount, 2, 0) OVER (ORDER BY id) FROM orders"),
    Pair(
        "SELECT id, rank() OVER w, dense_rank() OVER w, ntile(4) OVER w FROM orders WINDOW w AS (ORDER BY quantity, id)"
    ),
    Pair(
        "SELECT id, sum(id) OVER w, first_value(id) OVER (w ORDER BY id) FROM orders WINDOW w AS (PARTITION BY country)",
        "SELECT id, sum(id) OVER w, first_value(id) OVER (PARTITION BY country ORDER BY id) FROM orders WINDOW w AS "
        "(PARTITION BY country)",
    ),
    Pair(
        "SELECT id, country FROM orders QUALIFY ROW_NUMBER() OVER (PARTITION BY country ORDER BY id DESC) = 1"
    ),
    Pair("SELECT id, last_value(note IGNORE NULLS) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) FROM orders"),
    Pair("SELECT country, SUM(amount), SUM(SUM(amount)) OVER () FROM orders GROUP BY country"),
    Pair("SELECT id, percent_rank() OVER (ORDER BY id), cume_dist() OVER (ORDER BY id) FROM orders"),
    Pair(
        "SELECT id, count(*) OVER (ORDER BY made RANGE BETWEEN INTERVAL 3 HOURS PRECEDING AND CURRENT ROW) FROM payments"
    ),
    Pair(
        "SELECT id, count(*) OVER (ORDER BY made RANGE 3h PRECEDING), "
        "count(*) OVER (ORDER BY epoch_ms(made) RANGE BETWEEN INTERVAL '3 hours' PRECEDING AND 2m FOLLOWING) FROM payments",
        "SELECT id, count(*) OVER (ORDER BY made RANGE INTERVAL 3 HOURS PRECEDING), "
        "count(*) OVER (ORDER BY epoch_ms(made) RANGE BETWEEN 10800000 PRECEDING AND 120000 FOLLOWING) FROM payments",
    ),
    Pair(
        "SELECT id, nth_value(note, 2) IGNORE NULLS OVER (ORDER BY id), first_value(note) RESPECT NULLS OVER (ORDER BY id) "
        "FROM orders",
        "SELECT id, nth_value(note, 2 IGNORE NULLS) OVER (ORDER BY id), first_value(note) OVER (ORDER BY id) FROM orders",
    ),
    Pair(
        "SELECT id, sum(quantity) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) "
        "FROM orders"
    ),
    # Joins
    Pair("SELECT o.id, p.id, method FROM orders AS o JOIN payments AS p ON o.id = p.order_id"),
    Pair(
        "SELECT o.id, p.id FROM orders AS o LEFT JOIN payments AS p ON o.id = p.order_id AND p.method = 'CARD'"
    ),
    Pair("SELECT o.id, p.id FROM orders AS o RIGHT JOIN payments AS p ON o.id = p.order_id"),
    Pair("SELECT o.id, p.id FROM orders AS o FULL OUTER JOIN payments AS p ON o.id = p.order_id"),
    Pair("SELECT o.id, c.name FROM orders AS o, countries AS c WHERE o.country = c.code"),
    Pair("SELECT o.id, c.name FROM orders AS o CROSS JOIN countries AS c WHERE o.id < 2"),
    Pair("SELECT id FROM orders AS o SEMI JOIN payments AS p ON o.id = p.order_id"),
    Pair("SELECT id FROM orders AS o ANTI JOIN payments AS p ON o.id = p.order_id"),
    Pair(
        "SELECT o.customer, c.name, p.method, SUM(p.`sum`) AS total FROM orders AS o JOIN payments AS p ON p.order_id "
        "= o.id LEFT JOIN countries AS c ON c.code = o.country GROUP BY o.customer, c.name, p.method ORDER BY total "
        "DESC LIMIT 7"
    ),
    Pair("SELECT a.id, b.id FROM orders AS a JOIN orders AS b ON a.customer = b.customer AND a.id < b.id"),
    Pair("SELECT id, a.quantity, b.quantity FROM orders AS a JOIN orders AS b USING (id)"),
    Pair(
        "SELECT * FROM (SELECT id, customer FROM orders) AS a NATURAL JOIN (SELECT id, quantity FROM orders) AS b"
    ),
    Pair(
        "SELECT * FROM (SELECT id, customer FROM orders) AS a JOIN (SELECT id, quantity FROM orders) AS b USING (id)"
    ),
    Pair(
        "SELECT * FROM (SELECT id, customer FROM orders) AS a FULL JOIN (SELECT order_id AS id, method FROM payments) "
        "AS b USING (id)"
    ),
    Pair("SELECT p.id, o.id FROM payments AS p ASOF JOIN orders AS o ON p.id - 995 >= o.id"),
    # Sub-queries, WITH, set operations
    Pair("SELECT id FROM orders WHERE id IN (SELECT order_id FROM payments WHERE fee > 1)"),
    Pair("SELECT id FROM orders WHERE id NOT IN (SELECT order_id FROM payments WHERE order_id IS NOT NULL)"),
    Pair(
        "SELECT id FROM orders AS o WHERE EXISTS (SELECT 1 FROM payments AS p WHERE p.order_id = o.id AND p.method = 'CASH')"
    ),
    Pair("SELECT id FROM orders AS o WHERE NOT EXISTS (SELECT * FROM payments AS p WHERE p.order_id = o.id)"),
    Pair(
        "SELECT id, (SELECT SUM(`sum`) FROM payments AS p WHERE p.order_id = o.id) AS paid_sum FROM orders AS o"
    ),
    Pair("SELECT id FROM orders WHERE amount > (SELECT AVG(amount) FROM orders)"),
    Pair("SELECT id FROM orders WHERE amount >= ALL (SELECT amount FROM orders)"),
    Pair("SELECT id FROM orders WHERE id = ANY (SELECT order_id FROM payments)"),
    Pair(
        "WITH big AS (SELECT * FROM orders WHERE quantity > 3), per AS (SELECT country, COUNT(*) AS n FROM big GROUP "
        "BY country) SELECT big.id, per.n FROM big JOIN per ON per.country = big.country"
    ),
    Pair(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) SELECT i, customer FROM n JOIN "
        "orders ON orders.id = n.i"
    ),
    Pair("WITH t(a, b) AS (SELECT id, customer FROM orders) SELECT a, b FROM t WHERE a > 3"),
    Pair(
        "SELECT x.n, x.c FROM (SELECT country AS c, COUNT(*) AS n FROM orders GROUP BY country) AS x WHERE n > 7"
    ),
    Pair("SELECT x.a, x.b FROM (SELECT id, customer FROM orders) AS x(a, b)"),
    Pair("SELECT id FROM orders UNION SELECT order_id FROM payments"),
    Pair("SELECT id FROM orders UNION ALL SELECT order_id FROM payments ORDER BY id"),
    Pair("SELECT country FROM orders EXCEPT SELECT code FROM countries"),
    Pair("SELECT country FROM orders INTERSECT SELECT code FROM countries"),
    Pair("SELECT id, customer FROM orders UNION ALL BY NAME SELECT method AS customer, fee FROM payments"),
    Pair(
        "(SELECT id FROM orders ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM payments ORDER BY id DESC LIMIT 2)"
    ),
    Pair("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, s) JOIN orders ON orders.id = v.n"),
    Pair("VALUES (1, 'a'), (2, 'b')"),
    Pair(
        "SELECT o.id, l.price FROM orders AS o, LATERAL (SELECT p.`sum` AS price FROM payments AS p WHERE p.order_id "
        "= o.id) AS l"
    ),
    # Functions
    Pair("SELECT upper(customer), length(customer), reverse(customer) FROM orders"),
    Pair("SELECT TRIM(BOTH 'a' FROM customer), TRIM(LEADING 'a' FROM customer), trim(customer) FROM orders"),
    Pair("SELECT POSITION('o' IN customer), SUBSTRING(customer FROM 2 FOR 1) FROM orders"),
    Pair(
        "SELECT list_transform(tags, lambda x: upper(x) || '!'), list_filter([1, 2, 3], lambda x: x > 1) FROM orders"
    ),
    Pair(
        "SELECT list_transform(lines, lambda l: l.count * 2), list_sum(list_transform(lines, lambda l: l.price)) FROM orders"
    ),
    Pair(
        "SELECT list_transform([id, 7], lambda x: x / 2) FROM orders",
        "SELECT list_transform([id, 7], lambda x: x // 2) FROM orders",
    ),
    Pair("SELECT list_reduce([1, 2, id], lambda a, b: a + b), [x + 1 for x in [1, id] if x > 1] FROM orders"),
    Pair(
        "SELECT tags[0:2], tags[1:], tags[:1] FROM orders", "SELECT tags[1:2], tags[2:], tags[:1] FROM orders"
    ),
    Pair(
        "SELECT list_sort(tags), list_distinct(tags), len(tags), array_to_string(tags, '/') FROM orders",
        "SELECT list_sort(tags), list_distinct(tags), len(tags), array_to_string(tags, '/') FROM orders",
    ),
    Pair(
        "SELECT json_extract(raw, '$.a.b'), raw -> '$.n', raw ->> '$.kind', json_extract_string(raw, '$.a.b[1]') FROM orders"
    ),
    Pair(
        "SELECT date_trunc('hour', made), extract(hour FROM made), date_part('dow', day), day + INTERVAL 1 DAY FROM payments"
    ),
    Pair(
        "SELECT made - INTERVAL '2 hours', date_diff('day', day, DATE '2024-03-01'), strftime(made, '%Y/%m') FROM payments"
    ),
    Pair("SELECT id FROM payments WHERE made >= TIMESTAMP '2024-02-28 00:00:00' AND day < DATE '2024-03-01'"),
    Pair("SELECT CAST(placed AS timestamp) + INTERVAL 3 DAY, year(CAST(placed AS timestamp)) FROM orders"),
    Pair("SELECT counts['k0'], map_keys(counts), cardinality(counts) FROM payments"),
    Pair(
        "SELECT greatest(id, quantity, 5), least(amount, 0), abs(amount), sign(amount), ceil(amount), floor(amount) "
        "FROM orders"
    ),
    Pair(
        "SELECT md5(customer), hash(id) = hash(id), concat_ws('-', customer, country), regexp_extract(customer, "
        "'[a-z]+') FROM orders"
    ),
    Pair("SELECT generate_series(1, quantity), range(3) FROM orders"),
    Pair("SELECT customer.upper() FROM orders"),
    Pair("SELECT struct_pack(a := id, b := customer).b FROM orders"),
    Pair("SELECT unnest(tags), id FROM orders"),
    Pair(
        "SELECT id, t FROM orders LATERAL tags AS t WHERE t <> 'red'",
        "SELECT id, t FROM (SELECT id, unnest(tags) AS t FROM orders) WHERE t <> 'red'",
    ),
    Pair("SELECT id, t.tag FROM orders, unnest(orders.tags) AS t(tag)"),
    Pair("SELECT r.i FROM range(5) AS r(i)"),
    # Order and limits
    Pair("SELECT id, note FROM orders ORDER BY note DESC NULLS LAST, id LIMIT 5 OFFSET 2"),
    Pair("SELECT id, note FROM orders ORDER BY note NULLS FIRST, id DESC"),
    Pair("SELECT id, note FROM orders ORDER BY note, id"),
    Pair("SELECT country, amount FROM orders ORDER BY ALL"),
    Pair("SELECT id FROM orders ORDER BY amount * -1 LIMIT 3"),
    Pair("SELECT id, -id AS neg FROM orders ORDER BY 2 LIMIT 4"),
    Pair("FROM orders SELECT id, customer"),
    Pair("FROM orders WHERE id < 3", "FROM orders WHERE id < 3"),
    Pair("SELECT COLUMNS('i.*') FROM payments"),
    Pair("SELECT min(COLUMNS(* EXCLUDE (raw))) FROM (SELECT id, amount, raw FROM orders)"),
    # All together
    Pair(
        "WITH RECURSIVE r(i, c) AS (SELECT 1, 'a' UNION ALL SELECT r.i + 1, o.customer FROM r JOIN orders AS o ON "
        "o.id = r.i WHERE r.i < 5) SELECT * FROM r"
    ),
    Pair(
        "WITH RECURSIVE p AS (SELECT id, quantity AS q FROM orders WHERE id = 0 UNION SELECT o.id, o.quantity FROM "
        "orders AS o JOIN p ON o.id = p.id + 7) SELECT p.id, p.q FROM p ORDER BY id"
    ),
    Pair(
        "WITH a AS (SELECT country, SUM(amount) AS s FROM orders GROUP BY country), b AS (SELECT MAX(s) AS m FROM a) "
        "SELECT a.country FROM a, b WHERE a.s = b.m"
    ),
    Pair(
        "SELECT o.id FROM orders AS o WHERE o.amount = (SELECT MAX(i.amount) FROM orders AS i WHERE i.country = o.country)"
    ),
    Pair(
        "SELECT country, list(id ORDER BY id)[1] FROM orders GROUP BY country",
        "SELECT country, list(id ORDER BY id)[2] FROM orders GROUP BY country",
    ),
    Pair(
        "SELECT id FROM orders WHERE address.geo.lat BETWEEN 1 AND 2 OR lines[0].price IS NOT NULL",
        "SELECT id FROM orders WHERE address.geo.lat BETWEEN 1 AND 2 OR lines[1].price IS NOT NULL",
    ),
    Pair(
        "SELECT customer, COUNT(*) AS n FROM orders WHERE quantity > 1 GROUP BY customer HAVING n > 2 ORDER BY n "
        "DESC, customer"
    ),
    Pair("SELECT id * 2 AS d FROM orders WHERE d > 50"),
    Pair(
        "SELECT d / 2 AS h FROM (SELECT id * 2 AS d FROM orders) WHERE d > 50",
        "SELECT d // 2 AS h FROM (SELECT id * 2 AS d FROM orders) WHERE d > 50",
    ),
    Pair("SELECT t.* FROM (SELECT o.* FROM orders AS o) AS t WHERE t.id = 3"),
    Pair(
        "SELECT x.address.geo.lon, x.lines[0].count FROM (SELECT * FROM orders) AS x",
        "SELECT x.address.geo.lon, x.lines[1].count FROM (SELECT * FROM orders) AS x",
    ),
    Pair(
        "SELECT SUM(l.count * l.price) AS total, o.id FROM orders AS o LATERAL lines AS l GROUP BY o.id",
        "SELECT SUM(l.count * l.price) AS total, id FROM (SELECT id, unnest(lines) AS l FROM orders) GROUP BY id",
    ),
    Pair(
        "SELECT o.id, p.id, l.item FROM orders AS o JOIN payments AS p ON p.order_id = o.id LATERAL o.lines AS l",
        "SELECT a,b,l.item FROM (SELECT o.id AS a, p.id AS b, unnest(o.lines) AS l FROM orders o JOIN payments p ON "
        "p.order_id = o.id)",
    ),
    Pair(
        "SELECT COUNT(*) FROM orders AS a, orders AS b, countries AS c WHERE a.country = c.code AND b.id = a.id"
    ),
    Pair(
        "SELECT id, CASE WHEN EXISTS (SELECT 1 FROM payments AS p WHERE p.order_id = o.id) THEN 'paid' ELSE 'open' "
        "END AS state FROM orders AS o"
    ),
    Pair("SELECT customer, SUM(CASE WHEN paid THEN amount ELSE 0 END) FROM orders GROUP BY customer"),
    Pair(
        "SELECT date_trunc('day', made) AS d, method, COUNT(*), SUM(`sum`) FROM payments GROUP BY d, method ORDER BY "
        "d, method"
    ),
    Pair("SELECT SUM(fee), COUNT(fee), COUNT(*), AVG(COALESCE(fee, 0)) FROM payments"),
    Pair("SELECT method, `sum` FROM payments WHERE method IN ('CARD') AND `sum` > 100.5 ORDER BY `sum` DESC"),
    Pair("SELECT name FROM countries WHERE people IS NULL OR people > 70000000"),
    Pair("SELECT UPPER(method) || ':' || CAST(`sum` AS string) FROM payments"),
    Pair("SELECT made::date = day, made::date - day, day::string FROM payments"),
    Pair("SELECT avg(fee) OVER (PARTITION BY method ORDER BY id) FROM payments"),
    Pair("SELECT country, COUNT(*) * 100.0 / SUM(COUNT(*)) OVER () AS share FROM orders GROUP BY country"),
    Pair(
        "SELECT * FROM (SELECT id, rank() OVER (PARTITION BY country ORDER BY amount DESC, id) AS r FROM orders) "
        "WHERE r <= 2 ORDER BY r, id"
    ),
    Pair("SELECT counts FROM payments WHERE cardinality(counts) = 2"),
    Pair("SELECT map_from_entries([(id, customer)]) FROM orders"),
    Pair("SELECT string_split(note, ' ')[1] FROM orders", "SELECT string_split(note, ' ')[2] FROM orders"),
    Pair(
        "SELECT id FROM orders WHERE tags[0] = 'red' AND list_contains(tags, 'blue')",
        "SELECT id FROM orders WHERE tags[1] = 'red' AND list_contains(tags, 'blue')",
    ),
    Pair("SELECT id FROM orders WHERE list_any_value(tags) = 'red'"),
    Pair("SELECT flatten([tags, ['x']]) FROM orders"),
    Pair("SELECT list_zip(tags, [1, 2]) FROM orders"),
    Pair("SELECT tags || ['x'] FROM orders"),
    Pair("SELECT json_array_length(raw, '$.a.b'), json_type(raw, '$.n'), json_keys(raw) FROM orders"),
    Pair("SELECT CAST(raw AS json) ->> 'kind' FROM orders"),
    Pair("SELECT to_json({'a': id}) FROM orders"),
    Pair("SELECT strptime(placed, '%Y-%m-%d %H:%M:%S') FROM orders"),
    Pair("SELECT age(CAST(placed AS timestamp), TIMESTAMP '2024-01-01') FROM orders"),
    Pair("SELECT time_bucket(INTERVAL '2 hours', made), COUNT(*) FROM payments GROUP BY ALL"),
    Pair("SELECT epoch_ms(made), epoch(made) FROM payments"),
    Pair("SELECT made AT TIME ZONE 'UTC' FROM payments"),
    Pair("SELECT dayname(day), monthname(day), last_day(day), weekofyear(day), quarter(day) FROM payments"),
    Pair("SELECT bit_count(id), id & 3, id | 4, xor(id, 2), ~id FROM orders"),
    Pair("SELECT format('{}-{:03d}', customer, id), printf('%05.1f', amount) FROM orders"),
    Pair(
        "SELECT levenshtein(customer, 'bob'), jaccard(customer, 'bob') > 0.5, starts_with(customer, 'a') FROM orders "
        "WHERE customer <> ''"
    ),
    Pair("SELECT corr(amount, quantity), covar_pop(amount, id), regr_slope(amount, id) FROM orders"),
    Pair("SELECT array_agg(DISTINCT country ORDER BY country) FROM orders WHERE country IS NOT NULL"),
    Pair(
        "SELECT list(customer)[0:2] FROM (SELECT customer FROM orders ORDER BY id)",
        "SELECT list(customer)[1:2] FROM (SELECT customer FROM orders ORDER BY id)",
    ),
    Pair("SELECT count(*) AS c, country FROM orders GROUP BY country HAVING c > (SELECT 7)"),
    Pair("SELECT id FROM orders WHERE (SELECT COUNT(*) FROM payments AS p WHERE p.order_id = orders.id) = 1"),
    Pair(
        "SELECT id, (SELECT method FROM payments AS p WHERE p.order_id = o.id ORDER BY p.id LIMIT 1) AS m FROM orders AS o"
    ),
    Pair("SELECT id FROM orders ORDER BY (SELECT 1), id LIMIT 2"),
    Pair("SELECT 1 AS x UNION SELECT 2 UNION ALL SELECT 2 ORDER BY x"),
    Pair("SELECT * FROM (SELECT 1 AS a UNION ALL SELECT 2) AS u WHERE a > 1"),
    Pair(
        "SELECT o1.id FROM orders AS o1 WHERE id NOT IN (SELECT id FROM orders WHERE quantity > 2) EXCEPT ALL SELECT 0"
    ),
    Pair("SELECT CAST([1, 2] AS string[]), CAST({'a': 1} AS struct(a string)) FROM countries"),
    Pair("SELECT DISTINCT address.zip % 2 FROM orders"),
    Pair("SELECT id FROM orders WHERE paid = true AND country = 'FR' OR (id = 4 AND NOT paid = false)"),
    Pair("SELECT SUM(amount) AS total FROM orders WHERE id < 0"),
    Pair("SELECT country, paid, count(*) FROM orders GROUP BY country, ROLLUP (paid)"),
    Pair(
        "SELECT p.* EXCLUDE (counts, made), c.* FROM payments AS p CROSS JOIN countries AS c WHERE p.id = 1003"
    ),
    Pair("SELECT lag(id) OVER (ORDER BY id) IS NULL AS first FROM orders"),
    Pair("SELECT id FROM orders WHERE amount::decimal(10,2) = 33.50"),
    Pair("SELECT nullif(country, 'DE') IS NULL AS n, count(*) FROM orders GROUP BY n"),
    Pair("SELECT array_length(tags), tags IS NULL, tags = ['red'] FROM orders"),
    Pair(
        "SELECT lines[0] = {'item': 'i0', 'count': 1, 'price': 0.0} FROM orders",
        "SELECT lines[1] = {'item': 'i0', 'count': 1, 'price': 0.0} FROM orders",
    ),
    Pair("SELECT if(paid, 1, 0), ifnull(note, '?'), sum(id) FILTER (id > 3) FROM orders GROUP BY ALL"),
    Pair("SELECT id FROM orders ORDER BY id LIMIT 3 OFFSET 25"),
]


IN_DUCKDB = [
    # Forms that the grammar of programs has not: DuckDB reads these as they stand.
    "PIVOT orders ON country USING count(*) AS n, sum(amount) AS total GROUP BY paid ORDER BY paid",
    "PIVOT (SELECT country, quantity, amount FROM orders) ON country IN ('DE', 'FR') USING max(amount) GROUP BY quantity",
    "SELECT * FROM (SELECT country, quantity FROM orders) PIVOT (count(*) FOR country IN ('DE', 'GB'))",
    "UNPIVOT (SELECT id, quantity, amount::BIGINT AS amount FROM orders) ON quantity, amount INTO NAME what VALUE much",
    "SUMMARIZE SELECT id, customer FROM orders",
    "SELECT column_name, \"max\" FROM (SUMMARIZE payments) WHERE column_name IN ('id', 'sum', 'day')",
    "TABLE payments",
    "SELECT id FROM orders WHERE id = ANY([1, 3, 99])",
    "SELECT id FROM orders WHERE 'green' = ANY(tags) AND id <> ALL([1, 2])",
    "SELECT MAP {'id': id, 'n': quantity} AS m FROM orders",
    "SELECT address.* FROM orders WHERE id < 5",
    "SELECT number: id, twice: id * 2 FROM orders ORDER BY number LIMIT 50%",
    "SELECT id FROM orders ORDER BY id FETCH FIRST 3 ROWS ONLY",
    "SELECT id FROM orders ORDER BY id LIMIT 1 + 1",
    "SELECT id FROM orders ORDER BY id LIMIT (SELECT min(quantity) + 2 FROM orders)",
    "SELECT count(*) FROM (SELECT id FROM orders USING SAMPLE 7 ROWS)",
    "SELECT count(*) FROM orders TABLESAMPLE reservoir(5)",
    "SELECT * RENAME (id AS number) FROM payments",
    "SELECT * LIKE 'o%' FROM payments",
    "SELECT * FROM payments ORDER BY COLUMNS('^id|^day')",
    "SELECT id FROM orders WHERE COLUMNS('^id|quantity') > 4",
    "SELECT coalesce(*COLUMNS(['order_id', 'id'])) AS one FROM payments",
    "SELECT COLUMNS(lambda name: name LIKE 'c%') FROM orders",
    "SELECT unnest(address) FROM orders WHERE id = 5",
    "SELECT unnest(address, recursive := true) FROM orders WHERE id = 5",
    "SELECT orders FROM orders WHERE id = 7",
    "SELECT #2, #1 FROM orders",
    "SELECT $$it's$$ AS said, E'a\\tb' AS tab, x'AB' AS byte FROM orders",
    "SELECT @(id - 10) AS away, 5! AS many FROM orders",
    "SELECT id ISNULL, order_id NOTNULL FROM payments",
    "SELECT try(id / (id - 3)) AS part, try(customer::INT) AS number FROM orders",
    "SELECT overlay(customer PLACING 'x' FROM 1 FOR 1) FROM orders",
    "SELECT [1, 2, 3, 4][1:4:2] AS odd, id FROM orders",
    "SELECT id::UNION(number BIGINT, word VARCHAR) AS one FROM orders",
    "SELECT address::ROW(street VARCHAR, zip BIGINT, geo ROW(lat DOUBLE, lon DOUBLE)) AS place FROM orders WHERE id < 4",
    "SELECT '101'::BIT AS bits, customer::ENUM('ann', 'bob', 'cid', 'Dora', 'Émile') AS who FROM orders",
    "SELECT count(*), sum(o.id) FROM orders o POSITIONAL JOIN payments p",
    "SELECT o.id FROM (orders o JOIN payments p ON o.id = p.order_id) WHERE p.fee > 1",
    "WITH big AS MATERIALIZED (SELECT * FROM orders WHERE amount > 100) SELECT b: id FROM big",
    "SELECT id, FROM orders",
    'SELECT id AS "an odd name" FROM orders WHERE "customer" = \'bob\'',
    "FROM orders SELECT n: count(*) WHERE EXISTS (FROM payments WHERE order_id = orders.id)",
]
"""Queries in DuckDB's own SQL."""
