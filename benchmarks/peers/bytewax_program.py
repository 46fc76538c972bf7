"""The programs of the benchmark in Bytewax, as its documentation has them.

Run by the interpreter that has it: program, target, source, address, group, guarantee, seconds between snapshots, folder for
them. Bytewax keeps its places in its own snapshots, not in a group, and its sink writes at least once whatever is asked.
Ends with the source.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op  # type: ignore[import-not-found,unused-ignore]
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


PROGRAMS = {"vessels": vessels, "q1": q1}


def main() -> None:
    program, target, source, address, _group, _guarantee, seconds, folder = sys.argv[1:]
    flow = Dataflow(program)
    messages = op.input("source", flow, KafkaSource([address], [source], tail=False))
    rows = op.filter_map(program, messages, PROGRAMS[program])
    op.output("target", rows, KafkaSink([address], target))
    init_db_dir(Path(folder), 1)
    cli_main(flow, epoch_interval=timedelta(seconds=float(seconds)), recovery_config=RecoveryConfig(folder))


if __name__ == "__main__":
    main()
