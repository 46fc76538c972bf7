"""The programs of the benchmark in Bytewax, as its documentation has them.

Run by the interpreter that has it: program, target, source, address, group, guarantee, seconds between snapshots, folder for
them. Bytewax keeps its places in its own snapshots, not in a group, and its sink writes at least once whatever is asked.
Ends with the source.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bytewax.operators as op  # type: ignore[import-not-found,unused-ignore]
import bytewax.operators.windowing as win  # type: ignore[import-not-found,unused-ignore]
import orjson  # type: ignore[import-not-found,unused-ignore]
from bytewax.connectors.kafka import (  # type: ignore[import-not-found,unused-ignore]
    KafkaSink,
    KafkaSinkMessage,
    KafkaSource,
)
from bytewax.dataflow import Dataflow  # type: ignore[import-not-found,unused-ignore]
from bytewax.recovery import (  # type: ignore[import-not-found,unused-ignore]
    RecoveryConfig,
    init_db_dir,
)
from bytewax.run import cli_main  # type: ignore[import-not-found,unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
DAY_ZERO = BEGINNING.toordinal()
GRACE = timedelta(minutes=5)
TEN_SECONDS = timedelta(seconds=10)
MILLISECOND = timedelta(milliseconds=1)


def vessels(message: Any) -> Any:
    row = orjson.loads(message.value)
    if not row["Speed"] > 10:
        return None
    return written(
        message,
        {
            "MMSI": row["MMSI"],
            "Speed": row["Speed"],
            "Long": row["Longitude"],
            "Lat": row["Latitude"],
            "Timestamp": row["Timestamp"],
        },
    )


def q1(message: Any) -> Any:
    row = orjson.loads(message.value)
    return written(
        message,
        {
            "auction": row["auction"],
            "bidder": row["bidder"],
            # Whole thousandths, so that the product is the one of decimals.
            "price": 908 * row["price"] / 1000,
            "date_time": row["date_time"],
            "extra": row["extra"],
        },
    )


def written(message: Any, row: dict[str, Any]) -> Any:
    """Give the record of a result, with the key and the time of the one that it is from."""
    return KafkaSinkMessage(message.key, orjson.dumps(row), timestamp=message.timestamp[1])


def each(of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A program that makes at most one record of each."""
    return lambda messages: op.filter_map("each", messages, of)


def q7(messages: Any) -> Any:
    prices = op.map(
        "price", messages, lambda message: ("all", (orjson.loads(message.value)["price"], time_of(message)))
    )
    clock = win.EventClock(lambda bid: bid[1], GRACE)
    windower = win.TumblingWindower(TEN_SECONDS, BEGINNING)
    highest = win.max_window("highest", prices, clock, windower, by=lambda bid: bid[0]).down
    return op.map(
        "write",
        highest,
        lambda item: result({"maxprice": item[1][1][0], "starttime": start_of(item)}),
    )


def q11(messages: Any) -> Any:
    # A session has no number to tell its beginning by, so it is kept beside the count.
    sessions = win.fold_window(
        "sessions",
        by(messages, "bidder"),
        event_time(),
        win.SessionWindower(TEN_SECONDS),
        lambda: (0, None),
        lambda found, time: (found[0] + 1, min(found[1] or time, time)),
        lambda one, other: (one[0] + other[0], min(one[1], other[1])),
    ).down
    return op.map(
        "write",
        sessions,
        lambda item: result(
            {
                "bidder": int(item[0]),
                "bid_count": item[1][1][0],
                "starttime": (item[1][1][1] - BEGINNING) // MILLISECOND,
            }
        ),
    )


def q12(messages: Any) -> Any:
    counted = win.fold_window(
        "count",
        by(messages, "bidder"),
        event_time(),
        win.TumblingWindower(TEN_SECONDS, BEGINNING),
        int,
        lambda count, _time: count + 1,
        int.__add__,
    ).down
    return op.map(
        "write",
        counted,
        lambda item: result({"bidder": int(item[0]), "bid_count": item[1][1], "starttime": start_of(item)}),
    )


def q17(messages: Any) -> Any:
    days = op.map("day", messages, day_of)
    return op.map(
        "write",
        op.stateful_map("prices", days, prices),
        lambda item: KafkaSinkMessage(item[0].encode(), orjson.dumps(item[1])),
    )


def day_of(message: Any) -> tuple[str, Any]:
    row = orjson.loads(message.value)
    day = date.fromordinal(DAY_ZERO + row["date_time"] // 86_400_000).isoformat()
    return f"{row['auction']} {day}", (row["auction"], day, row["price"])


def prices(found: dict[str, Any] | None, bid: tuple[int, str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the statistics with one more bid, to keep and to write."""
    auction, day, price = bid
    if found is None:
        found = {
            "auction": auction,
            "day": day,
            "total_bids": 0,
            "rank1_bids": 0,
            "rank2_bids": 0,
            "rank3_bids": 0,
            "min_price": price,
            "max_price": price,
            "sum_price": 0,
        }
    rank = 1 if price < 10_000 else 2 if price < 1_000_000 else 3
    found["total_bids"] += 1
    found[f"rank{rank}_bids"] += 1
    found["min_price"] = min(found["min_price"], price)
    found["max_price"] = max(found["max_price"], price)
    found["sum_price"] += price
    found["avg_price"] = found["sum_price"] / found["total_bids"]
    # What is written must not change while it waits.
    return found, dict(found)


def by(messages: Any, field: str) -> Any:
    """The time of each bid under the number in this field, as text: keys are texts in Bytewax."""

    def keyed(message: Any) -> tuple[str, Any]:
        key = str(orjson.loads(message.value)[field])
        return key, time_of(message)

    return op.map("by", messages, keyed)


def event_time() -> Any:
    return win.EventClock(lambda time: time, GRACE)


def time_of(message: Any) -> datetime:
    return BEGINNING + timedelta(milliseconds=message.timestamp[1])


def start_of(item: Any) -> Any:
    """Give where a window of ten seconds begins, in milliseconds: windows are numbered from the beginning on."""
    return item[1][0] * TEN_SECONDS // MILLISECOND


def result(row: dict[str, Any]) -> Any:
    return KafkaSinkMessage(None, orjson.dumps(row))


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "vessels": each(vessels),
    "q1": each(q1),
    "q7": q7,
    "q11": q11,
    "q12": q12,
    "q17": q17,
}


def main() -> None:
    program, target, source, address, _group, _guarantee, seconds, folder = sys.argv[1:]
    flow = Dataflow(program)
    messages = op.input("source", flow, KafkaSource([address], [source], tail=False))
    op.output("target", PROGRAMS[program](messages), KafkaSink([address], target))
    init_db_dir(Path(folder), 1)
    cli_main(flow, epoch_interval=timedelta(seconds=float(seconds)), recovery_config=RecoveryConfig(folder))


if __name__ == "__main__":
    main()
