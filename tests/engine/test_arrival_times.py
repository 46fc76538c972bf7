"""Windows by the time of arrival: that of the records of a topic that notes when each came into it."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import create, fill, numbers, read, unique

if TYPE_CHECKING:
    from headrace.log.interface import Log

TEXT = """
SET autocreate=true; SET topic.`{name}-arrived`.message.timestamp.type='LogAppendTime';
INSERT INTO `{name}-arrived` SELECT STREAM * FROM `{name}-events`;
INSERT INTO `{name}-counts` SELECT STREAM _window.start AS since, COUNT(*) AS c FROM `{name}-arrived`
WINDOW BY TUMBLE 100ms GRACE BY 0s EMIT FINAL"""


def test_a_window_of_arrivals_is_written_once_whatever_is_restarted(log: Log) -> None:
    name = unique("arrivals")
    create(log, f"{name}-events", 1)
    # Long ago, and not in order.
    fill(log, f"{name}-events", numbers(range(5)), timestamps=[5000, 1000, 9000, 2000, 2000])
    with closing(Catalog(log, None)) as catalog:
        topology = plan_program(parse_program(TEXT.format(name=name), "arrivals.sql"), catalog)
    begin = int(time.time() * 1000)
    for turn in range(3):
        fill(log, f"{name}-events", numbers([turn]), timestamps=[turn])
        Processor(topology, log, None, ProcessorOptions(name, until_end=True)).run()
        time.sleep(0.15)
    # Up to the present end means that what a run itself writes may be left to the next.
    Processor(topology, log, None, ProcessorOptions(name, until_end=True)).run()
    arrived = [int(row["timestamp"].timestamp() * 1000) for row in read(log, f"{name}-arrived")]
    assert len(arrived) == 8
    assert all(begin <= at <= time.time() * 1000 for at in arrived)
    windows = Counter(at - at % 100 for at in arrived)
    last = max(windows)
    found = [json.loads(row["value"]) for row in read(log, f"{name}-counts")]
    assert [(row["since"], row["c"]) for row in found] == sorted(
        (since, count) for since, count in windows.items() if since < last
    )
    assert len(found) >= 2
