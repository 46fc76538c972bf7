"""User functions in queries, in saved plans, and in floods of records that they fail for."""

from __future__ import annotations

import json
import random
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from headrace.catalog import CatalogTopic, KnownTopics
from headrace.engine import Processor, ProcessorOptions
from headrace.engine.guarded import GuardedQuery
from headrace.engine.query import InputRelation
from headrace.errors import RunError
from headrace.formats.interface import Format, Side
from headrace.functions.user import from_file
from headrace.log.embedded import EmbeddedLog
from headrace.plan.operators import Aggregate
from headrace.plan.serde import from_json, to_json
from headrace.planner import plan_program
from headrace.planner.connection import connection
from headrace.sql import parse_program
from headrace.testing import Case, Stop, TopicInput, Variant, run_case
from tests.engine.programs import create, fill, read
from tests.engine.test_statements import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def test_queries_compute_their_aggregates_over_windows(session: Session) -> None:
    asked = """
        SELECT _key, total(CAST(x * 2 AS BIGINT)) OVER (ORDER BY _key) AS running, total(1) OVER () AS whole,
          longest(word) FILTER (WHERE x < 1) OVER (PARTITION BY team) AS some, longest(DISTINCT word) OVER w AS distinct_ones,
          total(2) OVER (w ORDER BY _key ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS framed
        FROM t WINDOW w AS (PARTITION BY team) ORDER BY _key
    """
    assert session.say(asked) == [
        ("a", 8, 3, "by", "long", 2),
        ("b", 9, 3, "by", "long", 4),
        ("c", 9, 3, None, None, 2),
    ]
    assert session.refusal("SELECT nototal(x) OVER () FROM t") == (
        "SQL0301",
        "`nototal` is no function over a window",
    )
    assert session.refusal("SELECT total(word) OVER () FROM t") == (
        "SQL0301",
        "the first argument of `TOTAL` is a long, not `word` (string)",
    )


def test_a_failure_behind_a_yield_is_at_the_line_of_the_user(session: Session) -> None:
    line = FILE.read_text().splitlines().index("    raise ValueError(text)", 100) + 1
    code, message = session.refusal("SELECT letter FROM t LATERAL letters_then_none(word) AS letter")
    assert (code, message.endswith(f"`LETTERS_THEN_NONE` raised ValueError at of_users.py:{line}")) == (
        "RUN0106",
        True,
    )


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


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_tables_lose_are_taken_back_with_and_without_a_method_for_it(seed: int) -> None:
    chosen = random.Random(seed)
    current: dict[str, tuple[str, int]] = {}
    records: list[dict[str, object]] = []
    for _ in range(60):
        key = f"k{chosen.randrange(8)}"
        if chosen.random() < 0.3:
            current.pop(key, None)
            records.append({"key": key, "value": None})
        else:
            current[key] = (f"g{chosen.randrange(3)}", chosen.randrange(-50, 50))
            records.append({"key": key, "value": dict(zip("gx", current[key], strict=True))})
    text = f"""SET functions.file='{FILE}'; SET autocreate=true;
        INSERT INTO out SELECT TABLE TOTAL(x) AS a, TOTAL_WITH_SUBTRACT(x) AS b, SUM(x) AS c FROM t GROUP BY g"""
    case = Case(text, (TopicInput("t", {"format": "STRING, JSON"}, tuple(records)),), {}, "")
    for variant in (Variant(), Variant(batch=7, stop=Stop.CLEAN)):
        found: dict[str, dict[str, int]] = {}
        for line in run_case(case, variant).sections["output out"].splitlines()[1:]:
            record = json.loads(line)
            found[record["key"]] = record["value"]
        wanted: dict[str, int] = {}
        for group, number in current.values():
            wanted[group] = wanted.get(group, 0) + number
        assert {key: value for key, value in found.items() if value is not None} == {
            key: dict.fromkeys("abc", number) for key, number in wanted.items()
        }


def test_a_method_that_takes_rows_back_is_told_not_to_be_called() -> None:
    def warnings(rows: str, call: str) -> list[str]:
        query = f"SELECT {rows} {call}(CAST(x AS BIGINT)) AS s FROM numbers GROUP BY {{}}"
        text = f"SET functions.file='{FILE}'; INSERT INTO out {query}"
        return [
            item.message
            for group in ("_key", "x")
            for item in plan_program(
                parse_program(text.format(group)),
                KnownTopics.of((NUMBERS,), None),
                defaults={"autocreate": "true"},
            ).warnings
        ]

    told = "`TOTAL_WITH_RETRACT` is over a table, and the method `retract` of its class is not called"
    assert warnings("TABLE", "TOTAL_WITH_RETRACT") == [told] * 2
    assert warnings("TABLE", "TOTAL_WITH_SUBTRACT") == warnings("TABLE", "TOTAL") == []
    assert warnings("STREAM", "TOTAL_WITH_RETRACT") == []


def test_states_are_folded_unless_rows_go_that_cannot_be_subtracted() -> None:
    def kept(rows: str, call: str) -> list[tuple[str, str | None]]:
        text = (
            f"SET functions.file='{FILE}'; INSERT INTO out SELECT {rows} {call} AS s FROM numbers GROUP BY x"
        )
        catalog = KnownTopics.of((NUMBERS,), None)
        (operator,) = plan_program(parse_program(text), catalog, defaults={"autocreate": "true"}).operators[
            -1:
        ]
        assert isinstance(operator.kernel, Aggregate)
        return [(item.function, item.parameter) for item in operator.kernel.calls]

    assert kept("STREAM", "TOTAL(1)") == [("FOLD", "TOTAL")]
    assert kept("STREAM", "TOTAL_WITH_SUBTRACT(1)") == kept("TABLE", "TOTAL_WITH_SUBTRACT(1)")
    assert kept("TABLE", "TOTAL_WITH_SUBTRACT(1)") == [("FOLD", "TOTAL_WITH_SUBTRACT")]
    assert kept("TABLE", "TOTAL(1)") == [("COLLECT", None)]
    assert kept("STREAM", "TOTAL(DISTINCT 1)") == [("COLLECT_UNIQUE", None)]


@pytest.mark.parametrize("policy", ["dlq", "continue", "fail"])
def test_an_exception_while_a_row_is_taken_back_is_an_error_of_the_result(
    policy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def pay(values: Mapping[str, int | None]) -> None:
        lines = [
            None if x is None else json.dumps({"g": key[0], "x": x}).encode() for key, x in values.items()
        ]
        fill(log, "t", lines, keys=[key.encode() for key in values])

    def run() -> dict[str, int]:
        """Run to the end; gives the last result of each group."""
        options = ProcessorOptions("app", until_end=True, lag_interval=0, state_dir=tmp_path)
        Processor(topology, log, None, options).run()
        return {row["key"].decode(): json.loads(row["value"])["s"] for row in read(log, "out")}

    with EmbeddedLog(":memory:") as log:
        for topic in ("t", "out", "letters"):
            create(log, topic, 1)
        text = f"""SET functions.file='{FILE}'; SET error.policy='{policy}'; SET dead.letter.queue='letters';
            INSERT INTO out STORE KEY AS STRING VALUE AS JSON
            SELECT TABLE TOTAL_THAT_KEEPS(CAST(x AS BIGINT)) AS s FROM t GROUP BY g"""
        declared = CatalogTopic(
            "t",
            Side(Format.STRING, pa.string()),
            Side(Format.JSON, pa.struct([("g", pa.string()), ("x", pa.int64())])),
            1,
        )
        out = CatalogTopic(
            "out", Side(Format.STRING, pa.string()), Side(Format.JSON, pa.struct([("s", pa.int64())])), 1
        )
        topology = plan_program(parse_program(text), KnownTopics.of((declared, out), None))
        # More than are folded at once, so that the value that does not go has gone into the state.
        pay({f"a{index}": 7713 if index == 3 else index for index in range(20)} | {"b0": 1})
        assert run() == {"a": 7713 + sum(range(20)) - 3, "b": 1}
        pay({"a3": None, "b1": 2})
        if policy == "fail":
            with pytest.raises(RunError) as raised:
                run()
            assert "`TOTAL_THAT_KEEPS` raised ValueError at of_users.py" in str(raised.value)
            assert "7713" not in str(raised.value) + caplog.text
            return
        # Others go on, and the last result of the group stays.
        assert run() == {"a": 7713 + sum(range(20)) - 3, "b": 3}
        pay({"a4": 104})
        assert run() == {"a": 7713 + sum(range(20)) - 3, "b": 3}
        letters = read(log, "letters")
        reasons = [{head["key"]: head["value"] for head in letter["headers"]} for letter in letters]
        assert len(letters) == (2 if policy == "dlq" else 0)
        assert all(
            b"`TOTAL_THAT_KEEPS` raised ValueError at" in found["headrace.error.reason"] for found in reasons
        )
        # What went is still in the log of the group: once it comes again, all is right.
        pay({"a3": 7713, "a5": None})
        assert run() == {"a": 7713 + sum(range(20)) - 3 + 100 - 5, "b": 3}
        assert read(log, "letters") == letters
        assert "7713" not in caplog.text
