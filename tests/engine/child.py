"""A process with a processor: `python -m tests.engine.child URL SOURCE SINK APPLICATION [key=value …]`, until SIGTERM."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.engine import Processor, ProcessorOptions
from headrace.log import open_log
from headrace.plan.topology import Guarantee, RunSettings
from headrace.telemetry.logs import set_up_logging
from tests.engine.programs import doubling
from tests.engine.stateful import counting, rekeyed

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.plan.topology import Topology

PROGRAMS: dict[str, Callable[..., Topology]] = {
    "doubling": doubling,
    "counting": counting,
    "rekeyed": rekeyed,
}


def main() -> None:
    url, source, sink, application, *more = sys.argv[1:]
    facts = dict(item.split("=", 1) for item in more)
    settings = RunSettings(
        guarantee=Guarantee(facts.get("guarantee", "exactly_once")),
        commit_interval=float(facts.get("interval", "0.05")),
        threads=int(facts.get("threads", "1")),
        client={"group.protocol": facts.get("protocol", "consumer")},
        # Nobody takes over the transactions of a child without a name that is killed.
        producer_client={"transaction.timeout.ms": "10000"},
    )
    options = ProcessorOptions(
        application,
        instance=facts.get("instance"),
        until_end=facts.get("until_end") == "yes",
        batch_records=int(facts.get("batch", "100")),
        state_dir=Path(facts["state"]) if "state" in facts else None,
    )
    program = PROGRAMS[facts.get("program", "doubling")]
    partitions = int(facts.get("partitions", "2"))
    set_up_logging()
    with open_log(url) as log:
        processor = Processor(program(source, sink, settings, partitions=partitions), log, None, options)
        signal.signal(signal.SIGTERM, lambda *_: processor.stop())
        processor.run()


if __name__ == "__main__":
    main()
