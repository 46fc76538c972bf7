"""The queries of Nexmark in our SQL, and beside each what DuckDB says of the same events as tables.

Our text writes the topic `{target}` from the topics `{person}`, `{auction}`, `{bid}` and, for q13, `{side}`. DuckDB's text reads
tables of these names; `$end` is the time of the closing records. Times are compared as milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ALL: Final = tuple(f"q{number}" for number in range(23))


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    Args:
        name: as Nexmark names it.
        ours: in our SQL.
        duckdb: gives the rows that must come out.
        table: results are the latest row of each key; otherwise each record is a result.
        note: where the text differs from the published one, and why.
    """

    name: str
    ours: str
    duckdb: str
    table: bool = False
    note: str = ""


_SPANS: Final = """COUNT(*) AS total_bids,
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
_OFFERS: Final = """
WITH offers AS (
    SELECT STREAM a.id, a.item_name, a.seller, a.category, b.auction, b.bidder, b.price, b.date_time AS bid_time
    FROM {auction} a JOIN {bid} b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires WITHIN 1d
);"""
_OFFERED: Final = "auction a JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires"
_DAY: Final = "strftime(date_time, '%Y-%m-%d') AS day"
_WINDOW: Final = "epoch_ms(time_bucket(INTERVAL 10 SECONDS, date_time))"
_WITHIN: Final = "streams are joined within a day, which is longer than the events last"
_FINAL: Final = "each window once, when it is over (EMIT FINAL)"

QUERIES: Final = (
    Query(
        "q0",
        "INSERT INTO {target} SELECT STREAM auction, bidder, price, date_time, extra FROM {bid}",
        "SELECT auction, bidder, price, epoch_ms(date_time) AS date_time, extra FROM bid",
    ),
    Query(
        "q1",
        "INSERT INTO {target} SELECT STREAM auction, bidder, 0.908 * price AS price, date_time, extra FROM {bid}",
        "SELECT auction, bidder, 0.908 * price AS price, epoch_ms(date_time) AS date_time, extra FROM bid",
    ),
    Query(
        "q2",
        "INSERT INTO {target} SELECT STREAM auction, price FROM {bid} WHERE auction % 123 = 0",
        "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    ),
    Query(
        "q3",
        """INSERT INTO {target}
SELECT TABLE p.name, p.city, p.state, a.id
FROM {auction} a JOIN {person} p ON a.seller = p._key
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')""",
        """SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')""",
        table=True,
    ),
    Query(
        "q4",
        _OFFERS
        + """
WITH finals AS (SELECT STREAM id, category, MAX(price) AS final FROM offers GROUP BY id, category);
INSERT INTO {target} SELECT TABLE category, AVG(final) AS avg FROM finals GROUP BY category""",
        f"""SELECT category, AVG(final) AS avg
FROM (SELECT a.id, a.category, MAX(b.price) AS final FROM {_OFFERED} GROUP BY a.id, a.category)
GROUP BY category""",
        table=True,
        note=_WITHIN,
    ),
    Query(
        "q5",
        """
WITH counts AS (
    SELECT STREAM auction, _window.start AS starttime, COUNT(*) AS num
    FROM {bid} WINDOW BY HOP 10s,2s GRACE BY 1m GROUP BY auction EMIT FINAL
);
WITH keyed AS (SELECT STREAM auction, starttime, MAX(num) AS num FROM counts GROUP BY auction, starttime);
WITH most AS (SELECT STREAM starttime, MAX(num) AS maxn FROM counts GROUP BY starttime);
INSERT INTO {target}
SELECT TABLE c.auction, c.starttime, c.num FROM keyed c JOIN most m ON c.starttime = m.starttime AND c.num >= m.maxn""",
        """WITH counts AS (
    SELECT auction, starttime, COUNT(*) AS num
    FROM (
        SELECT auction, unnest(range(epoch_ms(date_time) // 2000 * 2000 - 8000, epoch_ms(date_time) + 1, 2000)) AS starttime
        FROM bid
    )
    GROUP BY auction, starttime
)
SELECT auction, starttime, num FROM counts WHERE starttime < $end - 20000
QUALIFY num = MAX(num) OVER (PARTITION BY starttime)""",
        table=True,
        note=_FINAL,
    ),
    Query(
        "q6",
        _OFFERS
        + """
WITH won AS (
    SELECT STREAM id, seller, price, bid_time FROM offers
    QUALIFY ROW_NUMBER() OVER (PARTITION BY id, seller ORDER BY price DESC, bid_time) <= 1
);
INSERT INTO {target}
SELECT TABLE id, seller,
       AVG(price) OVER (PARTITION BY seller ORDER BY bid_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg
FROM won""",
        f"""SELECT id, seller,
       AVG(price) OVER (PARTITION BY seller ORDER BY bid_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg
FROM (SELECT a.id, a.seller, b.price, b.date_time AS bid_time FROM {_OFFERED}
      QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time) = 1)""",
        table=True,
        note=f"{_WITHIN}; with the auction beside; of auctions won at one time that of the lowest number comes first",
    ),
    Query(
        "q7",
        """
WITH highest AS (
    SELECT STREAM MAX(price) AS maxprice, _window.start AS starttime
    FROM {bid} WINDOW BY TUMBLE 10s GRACE BY 1m EMIT FINAL
);
WITH bids AS (
    SELECT STREAM auction, price, bidder, date_time, _window.start AS starttime FROM {bid} WINDOW BY TUMBLE 10s
);
INSERT INTO {target}
SELECT STREAM b.auction, b.price, b.bidder, b.date_time
FROM bids b JOIN highest h ON b.price = h.maxprice AND b.starttime = h.starttime WITHIN 1d""",
        """SELECT auction, price, bidder, epoch_ms(date_time) AS date_time FROM bid
WHERE epoch_ms(date_time) < $end
QUALIFY price = MAX(price) OVER (PARTITION BY time_bucket(INTERVAL 10 SECONDS, date_time))""",
        note=_FINAL,
    ),
    Query(
        "q8",
        """
WITH p AS (
    SELECT STREAM id, name, _window.start AS starttime, COUNT(*) AS n
    FROM {person} WINDOW BY TUMBLE 10s GRACE BY 1m GROUP BY id, name EMIT FINAL
);
WITH a AS (
    SELECT STREAM seller, _window.start AS starttime, COUNT(*) AS n
    FROM {auction} WINDOW BY TUMBLE 10s GRACE BY 1m GROUP BY seller EMIT FINAL
);
INSERT INTO {target}
SELECT STREAM p.id, p.name, p.starttime FROM p JOIN a ON p.id = a.seller AND p.starttime = a.starttime WITHIN 1d""",
        f"""SELECT DISTINCT p.id, p.name, p.starttime
FROM (SELECT id, name, {_WINDOW} AS starttime FROM person) p
JOIN (SELECT seller, {_WINDOW} AS starttime FROM auction) a ON p.id = a.seller AND p.starttime = a.starttime
WHERE p.starttime < $end""",
        note=_FINAL,
    ),
    Query(
        "q9",
        _OFFERS
        + """
INSERT INTO {target}
SELECT STREAM id, item_name, seller, category, auction, bidder, price, bid_time FROM offers
QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY price DESC, bid_time, bidder) <= 1""",
        f"""SELECT a.id, a.item_name, a.seller, a.category, b.auction, b.bidder, b.price, epoch_ms(b.date_time) AS bid_time
FROM {_OFFERED}
QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder) <= 1""",
        table=True,
        note=f"{_WITHIN}; fewer columns; of equal bids at one time that of the lowest bidder",
    ),
    Query(
        "q10",
        """INSERT INTO {target}
SELECT STREAM auction, bidder, price, date_time, extra,
       FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, FORMAT_TIMESTAMP(date_time, 'HH:mm') AS time
FROM {bid}""",
        """SELECT auction, bidder, price, epoch_ms(date_time) AS date_time, extra,
       strftime(date_time, '%Y-%m-%d') AS day, strftime(date_time, '%H:%M') AS time FROM bid""",
        note="to a topic instead of a partitioned folder",
    ),
    Query(
        "q11",
        """INSERT INTO {target}
SELECT STREAM bidder, COUNT(*) AS bid_count, _window.start AS starttime
FROM {bid} WINDOW BY SESSION 10s GRACE BY 1m GROUP BY bidder EMIT FINAL""",
        """SELECT bidder, COUNT(*) AS bid_count, epoch_ms(MIN(date_time)) AS starttime
FROM (
    SELECT bidder, date_time, SUM(opens) OVER (PARTITION BY bidder ORDER BY date_time) AS session
    FROM (
        SELECT bidder, date_time,
               coalesce(date_time - lag(date_time) OVER ordered > INTERVAL 10 SECONDS, true)::INT AS opens
        FROM bid WHERE epoch_ms(date_time) < $end
        WINDOW ordered AS (PARTITION BY bidder ORDER BY date_time)
    )
)
GROUP BY bidder, session""",
        note=_FINAL,
    ),
    Query(
        "q12",
        """INSERT INTO {target}
SELECT STREAM bidder, COUNT(*) AS bid_count, _window.start AS starttime
FROM {bid} WINDOW BY TUMBLE 10s GRACE BY 1m GROUP BY bidder EMIT FINAL""",
        f"""SELECT bidder, COUNT(*) AS bid_count, {_WINDOW} AS starttime FROM bid WHERE epoch_ms(date_time) < $end
GROUP BY bidder, {_WINDOW}""",
        note=f"by event time: there are no windows by the machine's clock; {_FINAL}",
    ),
    Query(
        "q13",
        """INSERT INTO {target}
SELECT STREAM b.auction, b.bidder, b.price, b.date_time, s.label
FROM {bid} b JOIN GLOBAL TABLE {side} s ON b.auction % 10000 = s._key""",
        """SELECT b.auction, b.bidder, b.price, epoch_ms(b.date_time) AS date_time, s.label
FROM bid b JOIN side s ON b.auction % 10000 = s.id""",
        note="the bounded side is a topic, read as a global table",
    ),
    Query(
        "q14",
        """INSERT INTO {target}
SELECT STREAM auction, bidder, 0.908 * price AS price,
       CASE WHEN HOUR(date_time) >= 8 AND HOUR(date_time) <= 18 THEN 'dayTime'
            WHEN HOUR(date_time) <= 6 OR HOUR(date_time) >= 20 THEN 'nightTime'
            ELSE 'otherTime' END AS bid_time_type,
       date_time, extra, LENGTH(extra) - LENGTH(REPLACE(extra, 'c', '')) AS c_counts
FROM {bid} WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000""",
        """SELECT auction, bidder, 0.908 * price AS price,
       CASE WHEN hour(date_time) >= 8 AND hour(date_time) <= 18 THEN 'dayTime'
            WHEN hour(date_time) <= 6 OR hour(date_time) >= 20 THEN 'nightTime'
            ELSE 'otherTime' END AS bid_time_type,
       epoch_ms(date_time) AS date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000""",
        note="counts the letter with functions that there are",
    ),
    Query(
        "q15",
        f"""INSERT INTO {{target}} SELECT STREAM FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, {_SPANS}{_DISTINCT}
FROM {{bid}} GROUP BY FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd')""",
        f"SELECT {_DAY}, {_SPANS}{_DISTINCT} FROM bid GROUP BY day",
        table=True,
    ),
    Query(
        "q16",
        f"""INSERT INTO {{target}}
SELECT STREAM channel, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day,
       MAX(FORMAT_TIMESTAMP(date_time, 'HH:mm')) AS minute, {_SPANS}{_DISTINCT}
FROM {{bid}} GROUP BY channel, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd')""",
        f"""SELECT channel, {_DAY}, MAX(strftime(date_time, '%H:%M')) AS minute, {_SPANS}{_DISTINCT}
FROM bid GROUP BY channel, day""",
        table=True,
    ),
    Query(
        "q17",
        f"""INSERT INTO {{target}}
SELECT STREAM auction, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd') AS day, {_SPANS},
       MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price, SUM(price) AS sum_price
FROM {{bid}} GROUP BY auction, FORMAT_TIMESTAMP(date_time, 'yyyy-MM-dd')""",
        f"""SELECT auction, {_DAY}, {_SPANS},
       MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price, SUM(price) AS sum_price
FROM bid GROUP BY auction, day""",
        table=True,
    ),
    Query(
        "q18",
        """INSERT INTO {target}
SELECT STREAM auction, bidder, price, channel, url, date_time, extra FROM {bid}
QUALIFY ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, extra) <= 1""",
        """SELECT auction, bidder, price, channel, url, epoch_ms(date_time) AS date_time, extra FROM bid
QUALIFY ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, extra) <= 1""",
        table=True,
        note="of bids at one time the one with the first text",
    ),
    Query(
        "q19",
        """INSERT INTO {target} SELECT TABLE * FROM (
    SELECT STREAM auction, bidder, price, channel, url, date_time, extra,
           ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, extra) AS rank_number
    FROM {bid}
) WHERE rank_number <= 10""",
        """SELECT auction, bidder, price, channel, url, epoch_ms(date_time) AS date_time, extra,
       ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, extra) AS rank_number
FROM bid QUALIFY rank_number <= 10""",
        table=True,
        note="of equal prices the one with the first text",
    ),
    Query(
        "q20",
        """INSERT INTO {target}
SELECT STREAM b.auction, b.bidder, b.price, b.channel, b.url, b.date_time AS bid_time, b.extra AS bid_extra,
       a.item_name, a.description, a.initial_bid, a.reserve, a.date_time AS auction_time, a.expires, a.seller, a.category,
       a.extra AS auction_extra
FROM {bid} b JOIN {auction} a ON b.auction = a.id WITHIN 1d
WHERE a.category = 10""",
        """SELECT b.auction, b.bidder, b.price, b.channel, b.url, epoch_ms(b.date_time) AS bid_time, b.extra AS bid_extra,
       a.item_name, a.description, a.initial_bid, a.reserve, epoch_ms(a.date_time) AS auction_time,
       epoch_ms(a.expires) AS expires, a.seller, a.category, a.extra AS auction_extra
FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10""",
        note=_WITHIN,
    ),
    Query(
        "q21",
        """
WITH found AS (
    SELECT STREAM auction, bidder, price, channel,
           CASE LOWER(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
           ELSE NULLIF(REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2), '') END AS channel_id
    FROM {bid}
);
INSERT INTO {target} SELECT STREAM * FROM found WHERE channel_id IS NOT NULL""",
        """SELECT * FROM (
    SELECT auction, bidder, price, channel,
           CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
           ELSE nullif(regexp_extract(url, '(&|^)channel_id=([^&]*)', 2), '') END AS channel_id
    FROM bid
) WHERE channel_id IS NOT NULL""",
    ),
    Query(
        "q22",
        """INSERT INTO {target}
SELECT STREAM auction, bidder, price, channel,
       SPLIT_PART(url, '/', 4) AS dir1, SPLIT_PART(url, '/', 5) AS dir2, SPLIT_PART(url, '/', 6) AS dir3
FROM {bid}""",
        """SELECT auction, bidder, price, channel,
       split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3
FROM bid""",
    ),
)
BY_NAME: Final = {query.name: query for query in QUERIES}
