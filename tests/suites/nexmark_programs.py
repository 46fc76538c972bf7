"""The queries of the Nexmark set in our SQL.

Auctions and persons have their id as the key. A stream joined with a stream needs WITHIN; a day is more than the set lasts.
"""

from __future__ import annotations

from typing import Final

from tests.suites.program import Program, Refused

_KEYS: Final = {"auction": "id", "person": "id"}

_SPANS: Final = """
     COUNT(*) AS total_bids,
     COUNT(*) FILTER (WHERE price < 10000) AS rank1_bids,
     COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
     COUNT(*) FILTER (WHERE price >= 1000000) AS rank3_bids"""

_DISTINCT: Final = "".join(
    f""",
     COUNT(DISTINCT {column}) AS total_{column}s,
     COUNT(DISTINCT {column}) FILTER (WHERE price < 10000) AS rank1_{column}s,
     COUNT(DISTINCT {column}) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_{column}s,
     COUNT(DISTINCT {column}) FILTER (WHERE price >= 1000000) AS rank3_{column}s"""
    for column in ("bidder", "auction")
)

_AUCTIONS_WITH_BIDS: Final = """
WITH offers AS (
    SELECT STREAM a.id, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time, a.expires, a.seller, a.category,
           b.auction, b.bidder, b.price, b.date_time AS bid_date_time
    FROM auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires WITHIN 1d
);"""

_BIDS_OF_AUCTIONS: Final = """
WITH bids AS (SELECT STREAM auction, COUNT(*) AS bid_count FROM bid GROUP BY auction);"""


def _program(name: str, sql: str, *, table: bool = False, times: tuple[str, ...] = ()) -> Program:
    return Program(name, sql, table=table, keys=_KEYS, times=times)


PROGRAMS: Final[tuple[Program | Refused, ...]] = (
    _program(
        "q0",
        "INSERT INTO result SELECT STREAM auction, bidder, price, date_time FROM bid",
        times=("date_time",),
    ),
    _program(
        "q1",
        "INSERT INTO result SELECT STREAM auction, bidder, 0.908 * price AS price, date_time FROM bid",
        times=("date_time",),
    ),
    _program(
        "q2",
        "INSERT INTO result SELECT STREAM auction, price FROM bid WHERE auction IN (1007, 1020, 2001, 2019, 2087)",
    ),
    _program(
        "q3",
        """
INSERT INTO result
SELECT TABLE p.name, p.city, p.state, a.id
FROM auction a JOIN person p ON a.seller = p._key
WHERE a.category = 10 AND p.state IN ('or', 'id', 'ca')""",
        table=True,
    ),
    _program(
        "q4",
        _AUCTIONS_WITH_BIDS
        + """
WITH finals AS (SELECT STREAM id, category, MAX(price) AS final FROM offers GROUP BY id, category);
INSERT INTO result SELECT TABLE category, AVG(final) AS avg FROM finals GROUP BY category""",
        table=True,
    ),
    _program(
        "q5",
        """
WITH counts AS (
    SELECT STREAM auction, _window.start AS starttime, COUNT(*) AS num FROM bid WINDOW BY HOP 10s,2s GROUP BY auction
);
WITH keyed AS (SELECT TABLE auction, starttime, MAX(num) AS num FROM counts GROUP BY auction, starttime);
WITH most AS (SELECT TABLE starttime, MAX(num) AS maxn FROM counts GROUP BY starttime);
INSERT INTO result
SELECT TABLE c.auction, c.num FROM keyed c JOIN most m ON c.starttime = m.starttime AND c.num >= m.maxn""",
        table=True,
    ),
    _program(
        "q6_group_top1",
        """
WITH offers AS (
    SELECT STREAM a.id, a.seller, b.price, b.date_time
    FROM auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires WITHIN 1d
);
WITH lowest AS (
    SELECT STREAM seller, price, date_time FROM offers
    QUALIFY ROW_NUMBER() OVER (PARTITION BY id, seller ORDER BY price) <= 1
);
INSERT INTO result
SELECT TABLE seller, AVG(price) OVER (PARTITION BY seller ORDER BY date_time ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg
FROM lowest""",
        table=True,
    ),
    _program(
        "q7",
        """
WITH highest AS (
    SELECT STREAM MAX(price) AS maxprice, _window.end AS ends FROM bid WINDOW BY TUMBLE 10s
);
WITH keyed AS (SELECT TABLE ends, MAX(maxprice) AS maxprice FROM highest GROUP BY ends);
WITH bids AS (SELECT TABLE auction, price, bidder, date_time, _meta.timestamp AS at FROM bid);
INSERT INTO result
SELECT TABLE b.auction, b.price, b.bidder, b.date_time
FROM bids b JOIN keyed h ON b.price = h.maxprice AND b.at BETWEEN h.ends - 10000 AND h.ends""",
        table=True,
        times=("date_time",),
    ),
    _program(
        "q8",
        """
WITH p AS (
    SELECT STREAM id, name, _window.start AS starttime, COUNT(*) AS n FROM person WINDOW BY TUMBLE 10s GROUP BY id, name
);
WITH a AS (
    SELECT STREAM seller, _window.start AS starttime, COUNT(*) AS n FROM auction WINDOW BY TUMBLE 10s GROUP BY seller
);
WITH people AS (SELECT TABLE id, name, starttime, MAX(n) AS n FROM p GROUP BY id, name, starttime);
WITH sellers AS (SELECT TABLE seller, starttime, MAX(n) AS n FROM a GROUP BY seller, starttime);
INSERT INTO result
SELECT TABLE p.id, p.name, p.starttime FROM people p JOIN sellers a ON p.id = a.seller AND p.starttime = a.starttime""",
        table=True,
        times=("starttime",),
    ),
    _program(
        "q9",
        _AUCTIONS_WITH_BIDS
        + """
INSERT INTO result
SELECT STREAM id, item_name, description, initial_bid, reserve, date_time, expires, seller, category,
       auction, bidder, price, bid_date_time
FROM offers
QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY price DESC, bid_date_time) <= 1""",
        table=True,
        times=("date_time", "expires", "bid_date_time"),
    ),
    _program(
        "q10",
        """
INSERT INTO result
SELECT STREAM auction, bidder, price, date_time,
       FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS date, FORMAT_TIMESTAMP(date_time, 'hh:mm') AS time
FROM bid""",
        times=("date_time",),
    ),
    _program(
        "q14",
        """
INSERT INTO result
SELECT STREAM auction, bidder, 0.908 * price AS price,
       CASE WHEN HOUR(date_time) >= 8 AND HOUR(date_time) <= 18 THEN 'dayTime'
            WHEN HOUR(date_time) <= 6 OR HOUR(date_time) >= 20 THEN 'nightTime'
            ELSE 'otherTime' END AS bidTimeType,
       date_time, LENGTH(extra) - LENGTH(REPLACE(extra, 'c', '')) AS c_counts
FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000""",
        times=("date_time",),
    ),
    _program(
        "q15",
        f"""
INSERT INTO result SELECT STREAM FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day,{_SPANS}{_DISTINCT}
FROM bid GROUP BY FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd')""",
        table=True,
    ),
    _program(
        "q16",
        f"""
INSERT INTO result SELECT STREAM channel, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day,
       MAX(FORMAT_TIMESTAMP(date_time, 'hh:MM')) AS minute,{_SPANS}{_DISTINCT}
FROM bid GROUP BY channel, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd')""",
        table=True,
    ),
    _program(
        "q17",
        f"""
INSERT INTO result SELECT STREAM auction, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day,{_SPANS},
       MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price, SUM(price) AS sum_price
FROM bid GROUP BY auction, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd')""",
        table=True,
    ),
    _program(
        "q18",
        """
INSERT INTO result SELECT STREAM auction, bidder, price, channel, url, date_time, extra FROM bid
QUALIFY ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, extra) <= 1""",
        table=True,
        times=("date_time",),
    ),
    _program(
        "q19",
        """
INSERT INTO result SELECT TABLE * FROM (
    SELECT STREAM auction, bidder, price, channel, url, date_time, extra,
           ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number
    FROM bid
) WHERE rank_number <= 10""",
        table=True,
        times=("date_time",),
    ),
    _program(
        "q20",
        """
INSERT INTO result
SELECT STREAM auction, bidder, price, channel, url, b.date_time AS bid_date_time, b.extra AS bid_extra,
       item_name, description, initial_bid, reserve, a.date_time AS auction_date_time, expires, seller, category,
       a.extra AS auction_extra
FROM bid b JOIN auction a ON b.auction = a.id WITHIN 1d
WHERE a.category = 10""",
        times=("bid_date_time", "auction_date_time", "expires"),
    ),
    _program(
        "q21",
        """
WITH found AS (
    SELECT STREAM auction, bidder, price, channel,
           CASE LOWER(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
           ELSE NULLIF(REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2), '') END AS channel_id
    FROM bid
);
INSERT INTO result SELECT STREAM * FROM found WHERE channel_id IS NOT NULL""",
    ),
    _program(
        "q22",
        """
INSERT INTO result
SELECT STREAM auction, bidder, price, channel,
       SPLIT_PART(url, '/', 4) AS dir1, SPLIT_PART(url, '/', 5) AS dir2, SPLIT_PART(url, '/', 6) AS dir3
FROM bid""",
    ),
    _program(
        "q101",
        """
WITH highest AS (SELECT STREAM auction, MAX(price) AS max_price FROM bid GROUP BY auction);
INSERT INTO result
SELECT TABLE a.id AS auction_id, a.item_name AS auction_item_name, h.max_price AS current_highest_bid
FROM auction a LEFT JOIN highest h ON a._key = h._key""",
        table=True,
    ),
    _program(
        "q102",
        _BIDS_OF_AUCTIONS
        + """
WITH totals AS (SELECT STREAM COUNT(*) / COUNT(DISTINCT auction) AS bids FROM bid);
INSERT INTO result
SELECT TABLE a.id AS auction_id, a.item_name AS auction_item_name, a.bid_count
FROM (SELECT TABLE 0 AS zero, a.id, a.item_name, b.bid_count FROM auction a JOIN bids b ON a._key = b._key) a
JOIN totals t ON a.zero = t._key AND a.bid_count >= t.bids""",
        table=True,
    ),
    _program(
        "q103",
        """
WITH many AS (SELECT STREAM auction, COUNT(*) AS n FROM bid GROUP BY auction HAVING COUNT(*) >= 20);
INSERT INTO result
SELECT TABLE a.id AS auction_id, a.item_name AS auction_item_name FROM auction a JOIN many m ON a._key = m._key""",
        table=True,
    ),
    _program(
        "q104",
        """
WITH few AS (SELECT STREAM auction, COUNT(*) AS n FROM bid GROUP BY auction HAVING COUNT(*) < 20);
INSERT INTO result
SELECT TABLE a.id AS auction_id, a.item_name AS auction_item_name
FROM auction a LEFT JOIN few f ON a._key = f._key
WHERE f.n IS NULL""",
        table=True,
    ),
    _program(
        "q105",
        _BIDS_OF_AUCTIONS
        + """
WITH known AS (
    SELECT TABLE a.id AS auction_id, a.item_name AS auction_item_name, b.bid_count
    FROM auction a JOIN bids b ON a._key = b._key
);
INSERT INTO result
SELECT TABLE auction_id, auction_item_name, bid_count FROM known
QUALIFY ROW_NUMBER() OVER (ORDER BY bid_count DESC) <= 1000""",
        table=True,
    ),
    _program(
        "q106",
        _AUCTIONS_WITH_BIDS
        + """
WITH finals AS (SELECT STREAM id, MAX(price) AS final FROM offers GROUP BY id);
INSERT INTO result SELECT TABLE MIN(final) AS min_final FROM finals""",
        table=True,
    ),
)
