"""One processor with a batch size of its own, which the command line has no option for; run by `benchmarks.scale`."""

from __future__ import annotations

import re
import sys
from contextlib import closing
from pathlib import Path

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.log import open_log
from headrace.planner import plan_program
from headrace.sql import parse_program


def main(url: str, application: str, batch: int, folder: Path, text: str) -> None:
    """Run a program to the end of its inputs, and print the largest resident memory in bytes.

    Args:
        url: of the log.
        application: its id.
        batch: records of one poll at most.
        folder: of local state.
        text: of the program.
    """
    with open_log(url) as log:
        with closing(Catalog(log, None)) as catalog:
            topology = plan_program(parse_program(text), catalog)
        options = ProcessorOptions(application, until_end=True, batch_records=batch, state_dir=folder)
        Processor(topology, log, None, options).run()
    # Not the usage that the parent is told of, in which its own memory at the fork counts.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert found is not None
    print(int(found.group(1)) * 1024)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5])
