"""Constants that a function does not take: no record is to blame, and neither is Headrace."""

from __future__ import annotations

import pyarrow as pa
import pytest

from headrace.engine.query import InputRelation
from headrace.engine.snapshot import SnapshotQuery
from headrace.errors import ProgramError, RunError
from headrace.functions import setup_sql
from headrace.log.embedded import EmbeddedLog
from headrace.plan.snapshot import SnapshotPlan

FOLDED = "CASE json_extract_string('nope', '$.a') WHEN 'x' THEN 1 END"
"""DuckDB computes it while it compiles."""


def test_a_program_with_one_is_refused_when_it_is_prepared() -> None:
    relation = InputRelation(pa.schema([("c0", pa.int64())]), ())
    try:
        with pytest.raises(ProgramError, match="cannot be compiled: Malformed JSON") as caught:
            relation.prepare(f"SELECT {FOLDED} AS a FROM input")
    finally:
        relation.close()
    assert caught.value.diagnostics[0].code.id == "SQL0406"


def test_a_snapshot_query_with_one_is_refused() -> None:
    with (
        EmbeddedLog(":memory:") as log,
        pytest.raises(ProgramError, match="cannot be compiled: Malformed JSON"),
    ):
        SnapshotQuery(SnapshotPlan((), f"SELECT {FOLDED} AS a", ("a",)), log, None)


def test_a_polygon_that_is_no_json_fails_its_records_alone() -> None:
    plan = SnapshotPlan((), "SELECT hr_in_polygon(1, 1, 'nope') AS a", ("a",), setup=setup_sql())
    with (
        EmbeddedLog(":memory:") as log,
        SnapshotQuery(plan, log, None) as query,
        pytest.raises(RunError, match="a function does not accept a value"),
    ):
        list(query.batches())
