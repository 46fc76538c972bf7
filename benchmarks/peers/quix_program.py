"""The programs of the benchmark in Quix Streams, as its documentation has them.

Run by the interpreter that has it: program, target, sources by commas, address, group, guarantee, seconds between commits,
folder for state.
Ends when nothing has come for `IDLE` seconds.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found,unused-ignore]

IDLE = 3.0
GRACE = timedelta(minutes=5)


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
    (source, *_) = sources.split(",")
    # Of windowed results: the field that is their key, together with the window.
    key = None
    if program == "vessels":
        rows: Any = app.dataframe(app.topic(source, key_deserializer="bytes"))
        rows = rows[rows["Speed"] > 10]
        rows = rows.apply(
            lambda row: {
                "MMSI": row["MMSI"],
                "Speed": row["Speed"],
                "Long": row["Longitude"],
                "Lat": row["Latitude"],
                "Timestamp": row["Timestamp"],
            }
        )
        out = app.topic(target, key_serializer="bytes")
    elif program == "q1":
        rows = app.dataframe(app.topic(source, key_deserializer="bytes"))
        rows = rows.apply(
            lambda row: {
                "auction": row["auction"],
                "bidder": row["bidder"],
                # Whole thousandths, so that the product is the one of decimals.
                "price": 908 * row["price"] / 1000,
                "date_time": row["date_time"],
                "extra": row["extra"],
            }
        )
        out = app.topic(target, key_serializer="bytes")
    elif program == "payments":
        rows = app.dataframe(app.topic(source, key_deserializer="bytes", value_deserializer="bytes"))
        rows = rows.tumbling_window(timedelta(minutes=1), grace_ms=GRACE).count().current()
        rows = rows.apply(
            lambda window, key, _time, _headers: {
                "account": int.from_bytes(key, "big"),
                "payments": window["value"],
                "starttime": window["start"],
            },
            metadata=True,
        )
        key = "account"
        out = app.topic(target, key_serializer="str")
    elif program == "q5":
        rows = app.dataframe(app.topic(source, key_deserializer="bytes"))[["auction"]]
        rows = rows.group_by("auction")
        rows = rows.hopping_window(timedelta(seconds=10), timedelta(seconds=2), grace_ms=GRACE)
        rows = rows.count().current()
        rows = rows.apply(
            lambda window, key, _time, _headers: {
                "auction": key,
                "num": window["value"],
                "starttime": window["start"],
            },
            metadata=True,
        )
        key = "auction"
        out = app.topic(target, key_serializer="str")
    elif program == "q12":
        rows = app.dataframe(app.topic(source, key_deserializer="bytes"))[["bidder"]]
        rows = rows.group_by("bidder")
        rows = rows.tumbling_window(timedelta(seconds=10), grace_ms=GRACE).count().current()
        rows = rows.apply(
            lambda window, key, _time, _headers: {
                "bidder": key,
                "bid_count": window["value"],
                "starttime": window["start"],
            },
            metadata=True,
        )
        key = "bidder"
        out = app.topic(target, key_serializer="str")
    elif program == "q20":
        day = timedelta(days=1)
        auctions: Any = app.dataframe(app.topic(sources.split(",")[1], key_deserializer="bytes"))
        auctions = auctions[auctions["category"] == 10].group_by("id")
        rows = app.dataframe(app.topic(source, key_deserializer="bytes")).group_by("auction")
        rows = rows.join_interval(
            auctions, on_merge=offer, grace_ms=day + GRACE, backward_ms=day, forward_ms=day
        )
        out = app.topic(target, key_serializer="json")
    else:
        raise SystemExit(program)
    if key is None:
        rows.to_topic(out)
    else:
        rows.to_topic(out, key=lambda row: f"{row[key]} {row['starttime']}")
    app.run(timeout=IDLE)


if __name__ == "__main__":
    main()
