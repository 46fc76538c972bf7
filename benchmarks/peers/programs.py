"""The programs that all engines run: what they read, what must come out, and how SQL engines say them.

Those for Kafka Streams are in `StreamsPeer.java`, those for engines that are written for Python in
`quix_program.py` and so on, by the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from benchmarks.nexmark.queries import BY_NAME, Query


@dataclass(frozen=True, slots=True)
class Program:
    """One program.

    Args:
        name: in all engines.
        title: for the table.
        sources: the topics it reads.
        query: in our SQL, and in DuckDB's what must come out.
        flink: what Flink's INSERT selects.
        sink: the columns of the result, as Flink declares them.
        keyed: the records of the result keep the key of the source.
        upsert: the columns by which Flink replaces rows of the result, where it does not write each once.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    query: Query
    flink: str
    sink: str
    keyed: bool = False
    upsert: str = ""

    @property
    def avro(self) -> bool:
        """Whether the schema of what it reads is in the registry."""
        return "positions_avro" in self.sources


_SINCE: Final = "TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_start) * CAST(1000 AS BIGINT)"
_START: Final = f"{_SINCE} AS starttime"
_FAST: Final = (
    'SELECT MMSI, Speed, Longitude AS "Long", Latitude AS Lat, "Timestamp" FROM positions WHERE Speed > 10'
)

PROGRAMS: Final = (
    Program(
        "vessels",
        "filter: vessels faster than 10 knots",
        ("positions",),
        Query(
            "vessels",
            "INSERT INTO {target} SELECT STREAM MMSI, Speed, Longitude AS Long, Latitude AS Lat, `Timestamp` "
            "FROM {positions} WHERE Speed > 10",
            _FAST,
        ),
        "SELECT k, MMSI, Speed, Longitude, Latitude, `Timestamp` FROM positions WHERE Speed > 10",
        "k STRING, MMSI BIGINT, Speed DOUBLE, `Long` DOUBLE, Lat DOUBLE, `Timestamp` BIGINT",
        keyed=True,
    ),
    Program(
        "vessels-avro",
        "the same filter over Avro",
        ("positions_avro",),
        Query(
            "vessels-avro",
            "INSERT INTO {target} STORE VALUE AS JSON SELECT STREAM MMSI, Speed, Longitude AS Long, Latitude AS Lat, "
            "`Timestamp` FROM {positions_avro} WHERE Speed > 10",
            _FAST,
        ),
        "SELECT k, MMSI, Speed, Longitude, Latitude, `Timestamp` FROM positions_avro WHERE Speed > 10",
        "k STRING, MMSI BIGINT, Speed DOUBLE, `Long` DOUBLE, Lat DOUBLE, `Timestamp` BIGINT",
        keyed=True,
    ),
    Program(
        "q1",
        "Nexmark q1: prices in another currency",
        ("bid",),
        BY_NAME["q1"],
        "SELECT auction, bidder, 0.908 * price, date_time, extra FROM bid",
        "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), date_time BIGINT, extra STRING",
    ),
    Program(
        "payments",
        "payments a minute, 50,000 keys, no repartitioning",
        ("payments",),
        Query(
            "payments",
            "INSERT INTO {target} SELECT STREAM COUNT(*) AS payments, _window.start AS starttime "
            "FROM {payments} WINDOW BY TUMBLE 1m GRACE BY 5m GROUP BY _key",
            "SELECT COUNT(*) AS payments, millis // 60000 * 60000 AS starttime FROM payments "
            "GROUP BY id, starttime",
            table=True,
        ),
        f"SELECT k, COUNT(*), {_START} FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) "
        "GROUP BY k, window_start, window_end",
        "k BIGINT, payments BIGINT, starttime BIGINT",
        keyed=True,
    ),
    Program(
        "q5",
        "Nexmark q5, its counts: bids of each auction, 10 s every 2 s",
        ("bid",),
        Query(
            "q5",
            "INSERT INTO {target} SELECT STREAM auction, COUNT(*) AS num, _window.start AS starttime "
            "FROM {bid} WINDOW BY HOP 10s,2s GRACE BY 5m GROUP BY auction",
            """SELECT auction, COUNT(*) AS num, starttime
FROM (
    SELECT auction, unnest(range(epoch_ms(date_time) // 2000 * 2000 - 8000, epoch_ms(date_time) + 1, 2000)) AS starttime
    FROM bid
) GROUP BY auction, starttime""",
            table=True,
        ),
        f"SELECT auction, COUNT(*), {_START} "
        "FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) "
        "GROUP BY auction, window_start, window_end",
        "auction BIGINT, num BIGINT, starttime BIGINT",
    ),
    Program(
        "q7",
        "Nexmark q7, its maximum: the highest price of each 10 s",
        ("bid",),
        Query(
            "q7",
            "INSERT INTO {target} SELECT STREAM MAX(price) AS maxprice, _window.start AS starttime "
            "FROM {bid} WINDOW BY TUMBLE 10s GRACE BY 5m",
            "SELECT MAX(price) AS maxprice, epoch_ms(date_time) // 10000 * 10000 AS starttime FROM bid GROUP BY starttime",
            table=True,
        ),
        f"SELECT MAX(price), {_START} FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND)) "
        "GROUP BY window_start, window_end",
        "maxprice BIGINT, starttime BIGINT",
    ),
    Program(
        "q8",
        "Nexmark q8: new persons who opened auctions in the same 10 s",
        ("person", "auction"),
        Query(
            "q8",
            """WITH p AS (SELECT STREAM id, name FROM {person} WINDOW BY TUMBLE 10s);
WITH a AS (SELECT STREAM seller FROM {auction} WINDOW BY TUMBLE 10s);
INSERT INTO {target}
SELECT STREAM DISTINCT p.id, p.name, p._window.start AS starttime
FROM p JOIN a ON p.id = a.seller AND p._window.start = a._window.start GRACE BY 5m""",
            BY_NAME["q8"].duckdb,
            table=True,
        ),
        f"""SELECT P.id, P.name, P.starttime
FROM (
    SELECT id, name, {_START}, window_start, window_end
    FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY id, name, window_start, window_end
) P JOIN (
    SELECT seller, window_start, window_end
    FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY seller, window_start, window_end
) A ON P.id = A.seller AND P.window_start = A.window_start AND P.window_end = A.window_end""",
        "id BIGINT, name STRING, starttime BIGINT",
    ),
    Program(
        "q11",
        "Nexmark q11: bids of each bidder in sessions of 10 s",
        ("bid",),
        Query(
            "q11",
            "INSERT INTO {target} SELECT STREAM bidder, COUNT(*) AS bid_count, _window.start AS starttime "
            "FROM {bid} WINDOW BY SESSION 10s GRACE BY 5m GROUP BY bidder",
            BY_NAME["q11"].duckdb,
            table=True,
        ),
        f"SELECT bidder, COUNT(*), {_SINCE} + EXTRACT(MILLISECOND FROM window_start) "
        "FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND)) "
        "GROUP BY bidder, window_start, window_end",
        "bidder BIGINT, bid_count BIGINT, starttime BIGINT",
    ),
    Program(
        "q12",
        "Nexmark q12 by event time: bids of each bidder in 10 s",
        ("bid",),
        Query(
            "q12",
            "INSERT INTO {target} SELECT STREAM bidder, COUNT(*) AS bid_count, _window.start AS starttime "
            "FROM {bid} WINDOW BY TUMBLE 10s GRACE BY 5m GROUP BY bidder",
            BY_NAME["q12"].duckdb,
            table=True,
        ),
        f"SELECT bidder, COUNT(*), {_START} FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND)) "
        "GROUP BY bidder, window_start, window_end",
        "bidder BIGINT, bid_count BIGINT, starttime BIGINT",
    ),
    Program(
        "q17",
        "Nexmark q17: statistics of each auction and day",
        ("bid",),
        BY_NAME["q17"],
        """SELECT auction, DATE_FORMAT(ts, 'yyyy-MM-dd'), COUNT(*), COUNT(*) FILTER (WHERE price < 10000),
       COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000), COUNT(*) FILTER (WHERE price >= 1000000),
       MIN(price), MAX(price), AVG(CAST(price AS DOUBLE)), SUM(price)
FROM bid GROUP BY auction, DATE_FORMAT(ts, 'yyyy-MM-dd')""",
        "auction BIGINT, `day` STRING, total_bids BIGINT, rank1_bids BIGINT, rank2_bids BIGINT, rank3_bids BIGINT, "
        "min_price BIGINT, max_price BIGINT, avg_price DOUBLE, sum_price BIGINT",
        upsert="auction, `day`",
    ),
    Program(
        "q20",
        "Nexmark q20: bids with their auctions, of one category",
        ("bid", "auction"),
        BY_NAME["q20"],
        "SELECT auction, bidder, price, channel, url, B.date_time, B.extra, item_name, description, initial_bid, reserve, "
        "A.date_time, expires, seller, category, A.extra FROM bid B JOIN auction A ON B.auction = A.id WHERE A.category = 10",
        "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, bid_time BIGINT, bid_extra STRING, "
        "item_name STRING, description STRING, initial_bid BIGINT, reserve BIGINT, auction_time BIGINT, expires BIGINT, "
        "seller BIGINT, category BIGINT, auction_extra STRING",
    ),
)

_ALL: Final = tuple(program.name for program in PROGRAMS)
RUN_BY: Final = {
    "headrace": _ALL,
    "streams": _ALL,
    "flink": _ALL,
    "quix": tuple(name for name in _ALL if name not in ("vessels-avro", "q8", "q11")),
    "bytewax": ("vessels", "q1", "q7", "q11", "q12", "q17"),
    "faust": ("vessels", "q1"),
}
"""What each engine runs; docs/benchmarks.md says why the others are missing."""

OURS: Final = {
    "positions": "MMSI long, Speed double, Longitude double, Latitude double, `Timestamp` long) FORMAT (STRING, JSON)",
    "payments": "account long, amount long, currency string, merchant string) FORMAT (LONG, JSON)",
}
"""What topics hold that are not Nexmark's, for CREATE TABLE."""

_TIME: Final = (
    "ts TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, WATERMARK FOR ts AS ts - INTERVAL '4' SECOND"
)
FLINK: Final = {
    "positions": (
        "k STRING, MMSI BIGINT, Speed DOUBLE, Longitude DOUBLE, Latitude DOUBLE, `Timestamp` BIGINT",
        "'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY'",
    ),
    "positions_avro": (
        "k STRING, MMSI BIGINT, Speed DOUBLE, Longitude DOUBLE, Latitude DOUBLE, `Timestamp` BIGINT",
        "'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'avro-confluent', "
        "'value.avro-confluent.url' = '{registry}', 'value.fields-include' = 'EXCEPT_KEY'",
    ),
    # Nothing of the value is counted, so nothing of it is decoded.
    "payments": (
        f"k BIGINT, v BYTES, {_TIME}",
        "'key.format' = 'raw', 'key.fields' = 'k', 'value.format' = 'raw', 'value.fields-include' = 'EXCEPT_KEY'",
    ),
    "person": (
        "id BIGINT, name STRING, email_address STRING, credit_card STRING, city STRING, state STRING, date_time BIGINT, "
        f"extra STRING, {_TIME}",
        "'format' = 'json'",
    ),
    "bid": (
        f"auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, date_time BIGINT, extra STRING, {_TIME}",
        "'format' = 'json'",
    ),
    "auction": (
        "id BIGINT, item_name STRING, description STRING, initial_bid BIGINT, reserve BIGINT, date_time BIGINT, "
        f"expires BIGINT, seller BIGINT, category BIGINT, extra STRING, {_TIME}",
        "'format' = 'json'",
    ),
}
"""The columns of the topics, and their formats, as Flink declares them; `{registry}` is the address of the schemas."""
