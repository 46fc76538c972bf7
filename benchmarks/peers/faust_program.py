"""The programs of the benchmark in Faust (faust-streaming), as its documentation has them.

Run by the interpreter that has it: program, target, source, address, group, guarantee, seconds between commits, folder.
It processes at least once whatever is asked (docs/benchmarks.md says why), and runs until SIGTERM.
"""

from __future__ import annotations

import sys
from typing import Any

import faust  # type: ignore[import-not-found,unused-ignore]
import mode.loop  # type: ignore[import-not-found,unused-ignore]


def vessels(app: Any, source: Any, target: Any) -> None:
    @app.agent(source)  # type: ignore[untyped-decorator,unused-ignore]
    async def faster(positions: Any) -> None:
        async for event in positions.events():
            row = event.value
            if row["Speed"] > 10:
                found = {
                    "MMSI": row["MMSI"],
                    "Speed": row["Speed"],
                    "Long": row["Longitude"],
                    "Lat": row["Latitude"],
                    "Timestamp": row["Timestamp"],
                }
                await event.forward(target, value=found)


def q1(app: Any, source: Any, target: Any) -> None:
    @app.agent(source)  # type: ignore[untyped-decorator,unused-ignore]
    async def exchanged(bids: Any) -> None:
        async for event in bids.events():
            row = event.value
            found = {
                "auction": row["auction"],
                "bidder": row["bidder"],
                # Whole thousandths, so that the product is the one of decimals.
                "price": 908 * row["price"] / 1000,
                "date_time": row["date_time"],
                "extra": row["extra"],
            }
            await event.forward(target, value=found)


PROGRAMS = {"vessels": vessels, "q1": q1}


def main() -> None:
    program, target, source, address, group, _guarantee, seconds, folder = sys.argv[1:]
    mode.loop.use("uvloop")
    app = faust.App(
        group,
        broker=f"kafka://{address}",
        broker_commit_interval=float(seconds),
        consumer_auto_offset_reset="earliest",
        datadir=folder,
        topic_disable_leader=True,
        web_enabled=False,
    )
    rows = {"key_serializer": "raw", "value_serializer": "json"}
    PROGRAMS[program](app, app.topic(source, **rows), app.topic(target, **rows))
    faust.Worker(app, loglevel="ERROR").execute_from_commandline()


if __name__ == "__main__":
    main()
