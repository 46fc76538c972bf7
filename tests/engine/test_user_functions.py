"""User functions in queries, in saved plans, and in floods of records that they fail for."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.catalog import CatalogTopic, KnownTopics
from headrace.engine.guarded import GuardedQuery
from headrace.engine.query import InputRelation
from headrace.formats.interface import Format, Side
from headrace.functions.user import from_file
from headrace.log.embedded import EmbeddedLog
from headrace.plan.serde import from_json, to_json
from headrace.planner import plan_program
from headrace.planner.connection import connection
from headrace.sql import parse_program
from tests.engine.test_statements import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.engine.faults import Fault

FILE = Path(__file__).parents[1] / "cases" / "run" / "functions" / "of_users.py"
NUMBERS = CatalogTopic(
    "numbers",
    Side(Format.STRING, pa.string()),
    Side(Format.JSON, pa.struct([("x", pa.float64())])),
    partitions=1,
)
ROWS = """
    CREATE TABLE t (_key string, team string, word string, x double) FORMAT (STRING, JSON);
    INSERT INTO t (_key, team, word, x) VALUES ('a', 'r', 'long', 4), ('b', 'r', 'by', 0.5), ('c', 's', NULL, NULL);
"""


@pytest.fixture
def session() -> Iterator[Session]:
    with EmbeddedLog(":memory:") as log:
        found = Session(log)
        with closing(found.catalog):
            found.say(f"SET functions.file='{FILE}'; {ROWS}")
            yield found


def test_queries_call_them(session: Session) -> None:
    assert session.say(
        "SELECT inverse(x), letter FROM t LATERAL each_letter(word) AS letter WHERE LONGER(x) > 4"
    ) == [
        (0.25, "l"),
        (0.25, "o"),
        (0.25, "n"),
        (0.25, "g"),
    ]


def test_queries_group_by_them_and_compute_their_aggregates(session: Session) -> None:
    asked = "SELECT team, LONGEST(word), LONGEST(word) FILTER (WHERE x < 1) AS f, COUNT(*) FROM t GROUP BY team ORDER BY team"
    assert session.say(asked) == [("r", "long", "by", 2), ("s", None, None, 1)]
    assert session.say("WITH w AS (SELECT word FROM t) SELECT LONGEST(DISTINCT word) FROM w") == [("long",)]


def test_views_call_them(session: Session) -> None:
    session.say("CREATE VIEW short AS SELECT LOWER(word) AS word FROM t WHERE word IS NOT NULL")
    assert session.say("SELECT LONGEST(word) FROM short") == [("long",)]


def test_they_are_listed_and_described(session: Session) -> None:
    listed = session.say("SHOW FUNCTIONS LIKE 'LONGE%'")
    assert ("LONGEST", "user", "aggregate", "LONGEST(text STRING) -> STRING") in [row[:4] for row in listed]
    described = dict(session.say("DESCRIBE FUNCTION longest"))
    assert described["description"] == "The longest text, the first of those that are equally long."
    assert described["from"] == str(FILE)


def test_functions_of_duckdb_are_listed_and_described(session: Session) -> None:
    names = {row[0] for row in session.say("SHOW FUNCTIONS")}
    assert {"levenshtein", "UPPER", "regexp_replace", "INVERSE"} <= names
    assert not names & {"upper", "hr_upper", "+"}
    assert dict(session.say("DESCRIBE FUNCTION levenshtein"))["family"] == "duckdb"


def test_a_name_that_nothing_has_is_refused(session: Session) -> None:
    assert session.refusal("DESCRIBE FUNCTION longst") == ("CAT0108", "there is no function `longst`")


def test_others_do_not_see_them(session: Session) -> None:
    session.say("SELECT inverse(x) FROM t WHERE x > 0")
    with closing(connection()) as other:
        found = other.execute(
            "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'hr\\_user\\_%' ESCAPE '\\'"
        )
        assert found.fetchone() == (0,)


def test_a_saved_plan_finds_them_again() -> None:
    text = f"SET functions.file='{FILE}'; INSERT INTO out SELECT STREAM inverse(x) AS y FROM numbers"
    planned = plan_program(
        parse_program(text), KnownTopics.of((NUMBERS,), None), defaults={"autocreate": "true"}
    )
    assert [item.name for item in planned.functions] == ["INVERSE"]
    assert from_json(to_json(planned)).functions == planned.functions


def test_a_flood_of_records_that_they_fail_for_costs_their_neighbours_nothing() -> None:
    functions = from_file(str(FILE))
    inverse = functions.find("inverse")
    assert inverse is not None
    rows = pa.RecordBatch.from_pydict(
        {
            "x": pa.array([float(index % 3) for index in range(240)]),
            "_row": pa.array(range(240), pa.int32()),
        }
    )
    faults: dict[int, Fault] = {}
    relation = InputRelation(rows.schema, (), (inverse,))
    try:
        query = GuardedQuery(
            relation, "SELECT _row, hr_user_inverse(x) AS y FROM input", lambda batch: batch.num_rows
        )
        assert sum(query.run(rows, faults)) == 160
    finally:
        relation.close()
    assert sorted(faults) == list(range(0, 240, 3))
    assert "`INVERSE` raised ZeroDivisionError at of_users.py" in faults[0].reason
