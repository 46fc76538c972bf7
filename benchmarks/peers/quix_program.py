"""The programs of the benchmark in Quix Streams, as its documentation has them.

Run by the interpreter that has it: program, target, sources by commas, address, group, guarantee, seconds between commits,
folder for state.
Ends when nothing has come for `IDLE` seconds.
"""

from __future__ import annotations

import sys
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from quixstreams import Application  # type: ignore[import-not-found,unused-ignore]
from quixstreams.dataframe.windows import Max  # type: ignore[import-not-found,unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 3.0
GRACE = timedelta(minutes=5)
TEN_SECONDS = timedelta(seconds=10)
DAY = timedelta(days=1)
EPOCH = date(1970, 1, 1).toordinal()


def vessels(positions: Any) -> Any:
    return positions[positions["Speed"] > 10].apply(
        lambda row: {
            "MMSI": row["MMSI"],
            "Speed": row["Speed"],
            "Long": row["Longitude"],
            "Lat": row["Latitude"],
            "Timestamp": row["Timestamp"],
        }
    )


def q1(bids: Any) -> Any:
    return bids.apply(
        lambda row: {
            "auction": row["auction"],
            "bidder": row["bidder"],
            # Whole thousandths, so that the product is the one of decimals.
            "price": 908 * row["price"] / 1000,
            "date_time": row["date_time"],
            "extra": row["extra"],
        }
    )


def payments(rows: Any) -> Any:
    found = rows.tumbling_window(timedelta(minutes=1), grace_ms=GRACE).count().current()
    return found.apply(
        lambda window, key, _time, _headers: {
            "account": int.from_bytes(key, "big"),
            "payments": window["value"],
            "starttime": window["start"],
        },
        metadata=True,
    )


def q5(bids: Any) -> Any:
    grouped = bids[["auction"]].group_by("auction")
    return counts(grouped.hopping_window(TEN_SECONDS, timedelta(seconds=2), grace_ms=GRACE), "auction", "num")


def q12(bids: Any) -> Any:
    grouped = bids[["bidder"]].group_by("bidder")
    return counts(grouped.tumbling_window(TEN_SECONDS, grace_ms=GRACE), "bidder", "bid_count")


def counts(windows: Any, key: str, number: str) -> Any:
    found = windows.count().current()
    return found.apply(
        lambda window, of, _time, _headers: {key: of, number: window["value"], "starttime": window["start"]},
        metadata=True,
    )


def q7(bids: Any) -> Any:
    grouped = bids[["price"]].group_by(lambda _: "all", name="all")
    highest = grouped.tumbling_window(TEN_SECONDS, grace_ms=GRACE).agg(maxprice=Max("price")).current()
    return highest.apply(lambda window: {"maxprice": window["maxprice"], "starttime": window["start"]})


def q17(bids: Any) -> Any:
    days = bids.apply(
        lambda row: {
            "auction": row["auction"],
            "day": date.fromordinal(EPOCH + row["date_time"] // 86_400_000).isoformat(),
            "price": row["price"],
        }
    )
    return days.group_by(lambda row: f"{row['auction']} {row['day']}", name="auction_day").apply(
        prices, stateful=True
    )


def prices(bid: dict[str, Any], state: Any) -> dict[str, Any]:
    """Give the statistics with one more bid."""
    price = bid["price"]
    found: dict[str, Any] | None = state.get("prices")
    if found is None:
        found = {
            "auction": bid["auction"],
            "day": bid["day"],
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
    state.set("prices", found)
    return found


def q20(bids: Any, auctions: Any) -> Any:
    chosen = auctions[auctions["category"] == 10].group_by("id")
    return bids.group_by("auction").join_interval(
        chosen, on_merge=offer, grace_ms=DAY + GRACE, backward_ms=DAY, forward_ms=DAY
    )


def offer(bid: dict[str, Any], auction: dict[str, Any]) -> dict[str, Any]:
    return {
        "auction": bid["auction"],
        "bidder": bid["bidder"],
        "price": bid["price"],
        "channel": bid["channel"],
        "url": bid["url"],
        "bid_time": bid["date_time"],
        "bid_extra": bid["extra"],
        "item_name": auction["item_name"],
        "description": auction["description"],
        "initial_bid": auction["initial_bid"],
        "reserve": auction["reserve"],
        "auction_time": auction["date_time"],
        "expires": auction["expires"],
        "seller": auction["seller"],
        "category": auction["category"],
        "auction_extra": auction["extra"],
    }


# What is run, how its results write their key, and the fields that are their key where they are updated.
PROGRAMS: dict[str, tuple[Callable[..., Any], str, tuple[str, ...]]] = {
    "vessels": (vessels, "bytes", ()),
    "q1": (q1, "bytes", ()),
    "payments": (payments, "str", ("account", "starttime")),
    "q5": (q5, "str", ("auction", "starttime")),
    "q7": (q7, "str", ("starttime",)),
    "q12": (q12, "str", ("bidder", "starttime")),
    "q17": (q17, "str", ("auction", "day")),
    "q20": (q20, "json", ()),
}


def main() -> None:
    program, target, sources, address, group, guarantee, seconds, folder = sys.argv[1:]
    app = Application(
        broker_address=address,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        commit_interval=float(seconds),
        state_dir=folder,
        loglevel="WARNING",
    )
    build, serializer, fields = PROGRAMS[program]
    # Nothing of the value of a payment is counted, so nothing of it is decoded.
    values = "bytes" if program == "payments" else "json"
    topics = [
        app.topic(source, key_deserializer="bytes", value_deserializer=values)
        for source in sources.split(",")
    ]
    rows = build(*(app.dataframe(topic) for topic in topics))
    out = app.topic(target, key_serializer=serializer)
    if fields:
        rows.to_topic(out, key=lambda row: " ".join(str(row[field]) for field in fields))
    else:
        rows.to_topic(out)
    app.run(timeout=IDLE)


if __name__ == "__main__":
    main()
