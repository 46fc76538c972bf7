"""One group with so many values that its state is larger than a record may be."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.catalog import Catalog
from headrace.engine import Processor, ProcessorOptions
from headrace.formats import make_encoder
from headrace.formats.interface import Format, Side
from headrace.log.interface import ProducerOptions
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import create, read, unique

if TYPE_CHECKING:
    from pathlib import Path

    from headrace.log.interface import Log

VALUES = 300_000
TYPE = pa.struct([("n", pa.int64())])


def give(log: Log, topic: str, numbers: range) -> None:
    values = pa.StructArray.from_arrays([pa.array(numbers, pa.int64())], fields=[TYPE.field(0)])
    encoded = make_encoder(Side(Format.JSON, TYPE)).encode(values).data
    with closing(log.producer(ProducerOptions())) as producer:
        for start in range(0, len(encoded), 50_000):
            part = encoded.slice(start, 50_000)
            producer.send(
                topic, pa.RecordBatch.from_pydict({"key": pa.array([b"k"] * len(part)), "value": part})
            )
        assert producer.flush(60) == []


def test_a_set_that_is_larger_than_a_record_goes_on_after_its_store_was_lost(
    log: Log, tmp_path: Path
) -> None:
    source, target, application = create(log, unique("in"), 1), unique("out"), unique("app")
    program = (
        f"SET autocreate=true; CREATE TABLE `{source}` (n long) FORMAT (STRING, JSON); "
        f"INSERT INTO `{target}` SELECT STREAM COUNT(DISTINCT n) AS seen FROM `{source}` GROUP BY _key"
    )
    with closing(Catalog(log, None)) as catalog:
        topology = plan_program(parse_program(program), catalog)
    state = tmp_path / "state"
    for numbers in (range(VALUES), range(VALUES - 5, VALUES + 7)):
        give(log, source, numbers)
        options = ProcessorOptions(application, until_end=True, lag_interval=0, state_dir=state)
        Processor(topology, log, None, options).run()
        shutil.rmtree(state)
    seen = [json.loads(record["value"])["seen"] for record in read(log, target)]
    assert seen[-1] == VALUES + 7
    assert max(seen[:-1]) == VALUES
