"""Runs a golden case up to a commit, at which it ends with SIGKILL: `python -m tests.recovery.case_child`, with its arguments.

URL of the log, file of the case, partitions, size of batches, folder of the state, name of the application, its instance.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from headrace.errors import ProgramError
from headrace.formats.registry import open_registry
from headrace.log import open_log
from headrace.telemetry.logs import set_up_logging
from headrace.testing import Stop, Variant, plan_case, read_case
from headrace.testing.run_case import CaseRun


def main() -> None:
    url, path, partitions, batch, folder, application, number = sys.argv[1:]
    set_up_logging()
    planned = plan_case(read_case(Path(path)), int(partitions))
    assert not isinstance(planned.topology, ProgramError)
    # Soon the group gives away what the dead have left.
    settings = replace(planned.topology.settings, consumer_client={"session.timeout.ms": "1000"})
    topology = replace(planned.topology, settings=settings)
    variant = Variant(int(batch), int(partitions), Stop.CRASH)
    with open_log(url) as log:
        run = CaseRun(topology, log, open_registry(None, log), variant, Path(folder), application)
        records = sum(len(topic.records) for topic in planned.case.topics)
        failure = run.crash(records, lambda: os.kill(os.getpid(), signal.SIGKILL), int(number))
    if failure is not None:
        raise failure


if __name__ == "__main__":
    main()
