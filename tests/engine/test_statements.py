"""Statements of `headrace query` and `headrace sql`, on real logs."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from headrace.catalog import Catalog, Kind
from headrace.engine.snapshot import Ending, LocalStates
from headrace.engine.statements import Done, Rows, Runner, Workspace, parse_statements
from headrace.engine.statements.running import RunningQueries
from headrace.errors import HeadraceError, ProgramError, RunError, Span
from headrace.formats.registry import open_registry
from headrace.functions import Example, forms
from headrace.log.embedded import EmbeddedLog
from headrace.log.embedded.consumer import EmbeddedConsumer
from headrace.sql import parse_program
from tests.engine.programs import unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from headrace.log.interface import Log


class Session:
    """A user who types statements."""

    def __init__(self, log: Log, folder: Path | None = None, rows: int | None = None) -> None:
        self.catalog = Catalog(log, open_registry(None, log, {}))
        running = None if folder is None else RunningQueries(folder / "queries.db", log.name)
        self.workspace = Workspace(
            log, self.catalog.registry, self.catalog, LocalStates(None, log), running=running
        )
        self.runner = Runner(self.workspace, rows=rows)
        self.endings: list[Ending] = []

    def say(self, text: str) -> Any:
        """Run statements; gives the message or the rows of the last one."""
        program = parse_program(text, "test")
        last: Any = None
        for statement in program.statements:
            answer = self.runner.run(statement, program)
            last = answer.message if isinstance(answer, Done) else self._rows(answer)
        return last

    def _rows(self, answer: Rows) -> list[tuple[Any, ...]]:
        with answer.while_read:
            found = [tuple(row.values()) for batch in answer.batches for row in batch.to_pylist()]
            self.endings += [answer.query.ending] if answer.query else []
        return found

    def refusal(self, text: str) -> tuple[str, str]:
        """Give code and message of what is wrong with a statement."""
        with pytest.raises(HeadraceError) as raised:
            self.say(text)
        (fault, *_) = raised.value.diagnostics
        return fault.code.id, fault.message


@pytest.fixture
def memory() -> Iterator[Session]:
    with EmbeddedLog(":memory:") as log:
        session = Session(log)
        with closing(session.catalog):
            yield session


@pytest.fixture
def xs(memory: Session) -> Session:
    memory.say("CREATE TABLE xs (x int) FORMAT (STRING, JSON); INSERT INTO xs VALUES (2), (1), (2), (NULL)")
    return memory


@pytest.fixture
def cars(memory: Session) -> Session:
    memory.say(
        """
        CREATE TABLE cars (_key string, color string, engine.power int, price double NOT NULL) FORMAT (STRING, JSON)
        PROPERTIES (partitions = 2, compacted = true);
        INSERT INTO cars (_key, color, engine.power, price) VALUES
        ('a', 'red', 100, 9.5), ('b', 'blue', 200, 10), ('c', NULL, 300, 11);
        """
    )
    return memory


def test_a_table_lives_from_create_to_drop(log: Log) -> None:
    name = unique("cars")
    session = Session(log)
    with closing(session.catalog):
        assert (
            session.say(f"CREATE TABLE `{name}` (_key string, n int) FORMAT (STRING, JSON)")
            == f"table `{name}` created"
        )
        assert (
            session.say(f"INSERT INTO `{name}` (_key, n) VALUES ('a', 1), ('b', 2), ('c', 3)")
            == f"3 records inserted into `{name}`"
        )
        assert (name, 1, False, True) in [
            (row[0], row[1], row[3], row[4]) for row in session.say("SHOW TABLES")
        ]
        # Another session knows what was declared: an empty topic of JSON would tell nothing.
        with closing(Catalog(log)) as other:
            found = other.topic(name)
            assert found is not None
            assert str(found.origin) == "declared"
        assert session.say(f"SELECT _key, n FROM `{name}`") == [("a", 1), ("b", 2), ("c", 3)]
        assert (
            session.say(f"DELETE FROM `{name}` WHERE _meta.partition = 0 AND _meta.offset <= 1")
            == f"records of `{name}` deleted, up to 2"
        )
        assert session.say(f"SELECT n FROM `{name}`") == [(3,)]
        assert session.say(f"TRUNCATE TABLE `{name}`") == f"table `{name}` truncated"
        assert session.say(f"SELECT count(*) FROM `{name}`") == [(0,)]
        assert session.say(f"DROP TABLE `{name}`") == f"table `{name}` dropped"
        assert session.refusal(f"SELECT * FROM `{name}`")[0] == "CAT0101"
        assert session.say(f"DROP TABLE IF EXISTS `{name}`") == f"there is no table `{name}`"


def test_describe_tells_columns_and_settings(cars: Session) -> None:
    assert cars.say("DESCRIBE TABLE cars") == [
        ("_key", "string", "yes"),
        ("color", "string", "yes"),
        ("engine.power", "int", "yes"),
        ("price", "double", "no"),
    ]
    facts = dict(cars.say("DESCRIBE FORMATTED cars"))
    assert facts["records"] == "3"
    assert facts["config cleanup.policy"] == "compact"
    assert facts["column price"] == "double NOT NULL"


def test_keys_that_match_are_deleted_from_a_compacted_table(cars: Session) -> None:
    cars.say("INSERT INTO cars (_key, color, price) VALUES ('b', 'red', 12)")
    # An older record of `a` is not what the table holds.
    cars.say("INSERT INTO cars (_key, color, price) VALUES ('a', 'green', 12)")
    assert cars.say("DELETE FROM cars WHERE color = 'red' AND price > 5") == "1 key of `cars` deleted"
    last = "SELECT _key FROM cars WHERE _meta.__valuesize IS NULL"
    assert cars.say(last) == [("b",)]
    assert cars.say("TRUNCATE TABLE cars").startswith("3 keys of `cars` deleted")


def test_a_wrong_condition_is_shown_in_the_text_of_the_user(cars: Session) -> None:
    text = "DELETE FROM cars WHERE colour = 'red'"
    with pytest.raises(ProgramError) as raised:
        cars.say(text)
    (fault,) = raised.value.diagnostics
    assert fault.span is not None
    assert text[fault.span.start : fault.span.end] == "colour"
    assert cars.say("SELECT count(*) FROM cars") == [(3,)]


def test_an_error_of_a_value_does_not_hold_it(cars: Session) -> None:
    with pytest.raises(RunError) as raised:
        cars.say("INSERT INTO cars (_key, price) VALUES ('a', 'secret')")
    assert "secret" not in str(raised.value)
    assert cars.say("SELECT count(*) FROM cars") == [(3,)]


def test_a_query_that_follows_ends_when_it_is_killed(tmp_path: Path) -> None:
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        session = Session(log, tmp_path)
        with closing(session.catalog):
            session.say("CREATE TABLE t (n int) FORMAT (STRING, JSON); INSERT INTO t (n) VALUES (1)")
            program = parse_program("SELECT n FROM t", "test")
            (statement,) = program.statements
            answer = session.runner.run(statement, program, follow=True)
            assert isinstance(answer, Rows)
            with answer.while_read:
                assert next(answer.batches).to_pylist() == [{"n": 1}]
                ((number, *_),) = session.say("SHOW QUERIES")
                session.say(f"KILL QUERY {number}")
                assert list(answer.batches) == []


def test_records_in_the_middle_of_a_plain_topic_stay(memory: Session) -> None:
    memory.say("CREATE TABLE t (n int) FORMAT (STRING, JSON); INSERT INTO t (n) VALUES (1), (2)")
    for condition in ("n = 1", "_meta.offset >= 1", "_meta.offset <= 1 OR n = 2"):
        code, message = memory.refusal(f"DELETE FROM t WHERE {condition}")
        assert "not compacted" in message, code
    assert (
        memory.refusal("DELETE FROM t WHERE _meta.partition = 0")[1]
        == "the condition names no offset to delete up to"
    )
    assert memory.say("SELECT n FROM t") == [(1,), (2,)]


def test_rows_of_a_query_are_inserted(cars: Session) -> None:
    assert cars.say(
        "INSERT INTO cars SELECT 'z' AS _key, upper(color) AS color, 1.5 AS price FROM cars WHERE _key = 'a'"
    )
    assert cars.say("SELECT color, engine.power, price FROM cars WHERE _key = 'z'") == [("RED", None, 1.5)]
    assert cars.say(
        "WITH r AS (SELECT * FROM cars WHERE color = 'RED'); INSERT INTO cars SELECT 'y' AS _key, color, price FROM r"
    )
    assert cars.say("SELECT color FROM cars WHERE _key = 'y'") == [("RED",)]


def test_rows_that_no_topic_gives_are_inserted(cars: Session) -> None:
    cars.say("INSERT INTO cars SELECT 'n' AS _key, upper('new') AS color, 1.5 AS price")
    assert cars.say("SELECT color, price FROM cars WHERE _key = 'n'") == [("NEW", 1.5)]
    assert cars.refusal("INSERT INTO cars SELECT nothing AS color")[0] == "SQL0105"


def test_an_empty_array_has_the_type_of_its_column(memory: Session) -> None:
    memory.say("CREATE TABLE t (_key string, s string[], l long[], m double[][]) FORMAT (STRING, JSON)")
    memory.say("INSERT INTO t (_key, s, l, m) VALUES ('a', [], [], []), ('b', ['x'], [1], [[1.5]])")
    memory.say("INSERT INTO t (_key, l) VALUES ('c', []), ('d', NULL)")
    memory.say("INSERT INTO t SELECT 'e' AS _key, CAST([] AS string[]) AS s")
    assert memory.say("SELECT _key, s, l, m FROM t ORDER BY _key") == [
        ("a", [], [], []),
        ("b", ["x"], [1], [[1.5]]),
        ("c", None, [], None),
        ("d", None, None, None),
        ("e", [], None, None),
    ]
    assert memory.refusal("INSERT INTO t (_key) VALUES ([])")[0] == "SQL0301"
    assert memory.refusal("SELECT CAST([] AS int)")[0] == "SQL0301"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "INSERT INTO cars (_key, engine.power) VALUES ('a', '1'), ('b', 'secret')",
            "'secret'",
            "row 2: column `engine.power` of `cars-value` is int, and the value cannot be converted to it (0 written before)",
        ),
        (
            "INSERT INTO cars (_key, price, engine.power) VALUES ('a', 1, 2), ('b', 2, 99999999999), ('c', 3, 4)",
            "99999999999",
            "row 2: column `engine.power` of `cars-value` is int, and the value cannot be converted to it (0 written before)",
        ),
        (
            "INSERT INTO cars SELECT 'a' AS _key, 'secret' AS price",
            "SELECT 'a' AS _key, 'secret' AS price",
            "row 1: column `price` of `cars-value` is double, and the value cannot be converted to it (0 written before)",
        ),
        (
            "SELECT 1; SELECT CAST(color AS int) FROM cars",
            "SELECT CAST(color AS int) FROM cars",
            "the query failed: a value cannot be converted to the type that the query asks for",
        ),
    ],
)
def test_what_fails_while_it_runs_has_a_place(cars: Session, text: str, place: str, message: str) -> None:
    with pytest.raises(RunError) as raised:
        cars.say(text)
    (fault,) = raised.value.diagnostics
    assert fault.span is not None
    assert raised.value.source is not None
    assert raised.value.source.text[fault.span.start : fault.span.end] == place
    assert (fault.code.id, fault.message) == ("RUN0106", message)
    assert cars.say("SELECT count(*) FROM cars") == [(3,)]


def test_values_without_columns_fill_the_value_in_order(memory: Session) -> None:
    memory.say("CREATE TABLE t (a int, b string) FORMAT (STRING, JSON); INSERT INTO t VALUES (1, 'x')")
    assert memory.say("SELECT _key, a, b FROM t") == [(None, 1, "x")]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("INSERT INTO t (a, a) VALUES (1, 2)", "SQL0205", "column `a` is named twice"),
        ("INSERT INTO t SELECT 1 AS a, 2 AS a", "SQL0205", "column `a` is named twice"),
        (
            "INSERT INTO t (r.n, r) VALUES (1, {'n': 2})",
            "SQL0205",
            "`r.n` and `r` are named, and one holds the other",
        ),
        (
            "INSERT INTO t (_key, _key) VALUES ('x', 'y')",
            "SQL0205",
            "column `_key` is named twice",
        ),
        (
            "INSERT INTO t VALUES ('k', 1, {'n': 2})",
            "SQL0307",
            "without names the values are those of `a`, `r`, and each row has 3 values",
        ),
        ("INSERT INTO t (a) VALUES (1, 2)", "SQL0307", "1 column is named, and each row has 2 values"),
    ],
)
def test_no_value_of_an_insert_is_lost(memory: Session, text: str, code: str, message: str) -> None:
    memory.say("CREATE TABLE t (a int, r.n int) FORMAT (STRING, JSON)")
    assert memory.refusal(text) == (code, message)


def test_a_view_is_no_topic(memory: Session) -> None:
    memory.say("CREATE VIEW v AS SELECT 1 AS a")
    for text in ("DESCRIBE v", "DESCRIBE FORMATTED v", "TRUNCATE TABLE v"):
        assert memory.refusal(text) == ("CAT0101", "`v` is a view, and no topic")


def test_keys_with_windows_are_named_where_nothing_else_tells_them(memory: Session) -> None:
    memory.say("CREATE TABLE w (n int) FORMAT (BYTES, JSON)")
    insert = "INSERT INTO w (_key.key, _key.start, n) VALUES"
    assert memory.refusal(f"{insert} ('a', 1000, 1)")[0] == "SQL0307"
    memory.say(f"SET _ktype = 'TWSTRING'; SET _vtype = 'JSON'; {insert} ('a', 1000, 1)")
    memory.say("INSERT INTO w (_key.key, _key.start, n) STORE KEY AS TWSTRING VALUES ('b', 2000, 2)")
    rows = "SELECT _key AS k, _window.start AS s, n FROM w WHERE _ktype = 'TWSTRING' ORDER BY n"
    assert memory.say(rows) == [("a", 1000, 1), ("b", 2000, 2)]
    bytes_of = "SELECT hex(_key) AS k FROM w WHERE _ktype = BYTES AND n = 1"
    assert memory.say(bytes_of) == [("6100000000000003E8",)]


def test_avro_tables_register_their_schema(memory: Session) -> None:
    memory.say("CREATE TABLE t (_key long, x int NOT NULL, s string) FORMAT (LONG, AVRO)")
    registry = memory.catalog.registry
    assert registry is not None
    latest = registry.latest("t-value")
    assert latest is not None
    assert [field["name"] for field in json.loads(latest[1])["fields"]] == ["x", "s"]
    memory.say("INSERT INTO t (_key, x) VALUES (7, 1)")
    assert memory.say("SELECT _key, x, s FROM t") == [(7, 1, None)]
    with pytest.raises(RunError, match="t-value"):
        memory.say("INSERT INTO t (s) VALUES ('no x')")
    assert memory.say("SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("INSERT INTO cars (_key, colour) VALUES ('a', 'x')", "SQL0307"),
        ("INSERT INTO cars (_key, color) VALUES ('a')", "SQL0307"),
        ("INSERT INTO cras (_key) VALUES ('a')", "SQL0306"),
        ("INSERT INTO cars SELECT STREAM * FROM cars", "SQL0317"),
        ("CREATE TABLE cars (x int) FORMAT (STRING, JSON)", "CAT0108"),
        ("CREATE TABLE t (x int) FORMAT (STRING, JSON) PROPERTIES (partitions = 0)", "CAT0104"),
        ("CREATE VIEW cars AS SELECT 1 AS a", "CAT0108"),
        ("CREATE VIEW v AS SELECT nothing FROM cars", "SQL0201"),
        ("CREATE SYNONYM s FOR crs", "CAT0101"),
        ("DROP VIEW v", "CAT0108"),
        ("DROP TABLE crs", "CAT0101"),
        ("SHOW VIEW v", "CAT0108"),
        ("DESCRIBE TABLE crs", "CAT0101"),
        ("DESCRIBE FUNCTION lenn", "CAT0108"),
        ("USE postgres", "CAT0108"),
        ("KILL QUERY 1", "CAT0108"),
        ("SET max.size = 'much'", "SET0101"),
        ("SET live.aggs = false; SELECT count(*) FROM cars", "SQL0317"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_changes(cars: Session, text: str, code: str) -> None:
    before = cars.say("SELECT _meta.offset, * FROM cars")
    assert cars.refusal(text)[0] == code
    assert cars.say("SELECT _meta.offset, * FROM cars") == before


def test_views_are_named_like_topics_and_know_nothing_of_the_text_around(cars: Session) -> None:
    cars.say(
        "CREATE VIEW fast AS WITH x AS (SELECT _key AS id, * FROM cars) SELECT id, color FROM x WHERE engine.power > 150"
    )
    assert cars.say("SELECT id FROM fast ORDER BY id") == [("b",), ("c",)]
    cars.say("CREATE VIEW fastest AS SELECT count(*) AS n FROM fast")
    # A name of WITH does not get into a view.
    assert cars.say("WITH cars AS (SELECT 1 AS one) SELECT n FROM fastest") == [(2,)]
    assert [row[0] for row in cars.say("SHOW VIEWS")] == ["fast", "fastest"]
    cars.say("CREATE OR REPLACE VIEW fast AS SELECT 1 AS id")
    assert cars.say("SELECT n FROM fastest") == [(1,)]
    assert cars.refusal("DROP VIEW fast") == ("CAT0108", "`fast` is read by the view `fastest`")
    cars.say("DROP VIEW fastest; DROP VIEW fast")
    assert cars.refusal("SELECT n FROM fastest")[0] == "CAT0101"


def test_what_views_read_is_not_dropped_under_them(cars: Session) -> None:
    cars.say("CREATE SYNONYM autos FOR cars; CREATE VIEW red AS SELECT * FROM autos WHERE color = 'red'")
    cars.say("CREATE VIEW blue AS WITH c AS (SELECT * FROM cars) SELECT * FROM c WHERE color = 'blue'")
    # Its name of WITH is none of the log.
    cars.say("CREATE TABLE x (n int) FORMAT (STRING, JSON)")
    cars.say("CREATE VIEW alone AS WITH x AS (SELECT 1 AS a) SELECT a FROM x")
    assert cars.refusal("DROP TABLE cars") == ("CAT0108", "`cars` is read by the views `blue` and `red`")
    assert cars.refusal("DROP SYNONYM autos") == ("CAT0108", "`autos` is read by the view `red`")
    assert cars.say("SELECT count(*) FROM red") == [(1,)]
    assert cars.say("DROP TABLE x") == "table `x` dropped"
    cars.say("DROP VIEW red; DROP VIEW blue; DROP SYNONYM autos")
    assert cars.say("DROP TABLE cars") == "table `cars` dropped"
    assert cars.say("DROP TABLE IF EXISTS cars") == "there is no table `cars`"


@pytest.mark.parametrize(
    ("text", "message", "way_out"),
    [
        ("DROP TABLE s", "`s` is a synonym of `cars`", "DROP SYNONYM s"),
        ("DROP TABLE IF EXISTS s", "`s` is a synonym of `cars`", "DROP TABLE cars"),
        ("DROP TABLE v", "`v` is a view", "DROP VIEW v"),
    ],
)
def test_drop_table_is_for_tables(cars: Session, text: str, message: str, way_out: str) -> None:
    cars.say("CREATE SYNONYM s FOR cars; CREATE VIEW v AS SELECT 1 AS a")
    with pytest.raises(ProgramError) as raised:
        cars.say(text)
    (fault,) = raised.value.diagnostics
    assert (fault.message, way_out in str(fault.help)) == (message, True)
    assert cars.say("SELECT count(*) FROM s, v") == [(3,)]


def test_the_connection_of_pasted_queries_is_this_log(cars: Session) -> None:
    assert cars.say("USE `kafka`; SELECT count(*) FROM cars") == [(3,)]
    assert "changes nothing" in cars.say("USE kafka")
    assert cars.say("USE sqlite") == f"using {cars.workspace.log.name}"


def test_a_view_does_not_read_itself(cars: Session) -> None:
    cars.say(
        "CREATE VIEW a AS SELECT * FROM cars; CREATE VIEW b AS SELECT * FROM a; CREATE VIEW c AS SELECT * FROM b"
    )
    assert cars.refusal("CREATE OR REPLACE VIEW a AS SELECT * FROM c") == (
        "CAT0108",
        "the view `a` would read itself, through `c` and `b`",
    )
    assert cars.refusal("CREATE OR REPLACE VIEW a AS SELECT * FROM a")[1] == "the view `a` would read itself"
    # An earlier version let it be.
    cars.workspace.definitions.define(Kind.VIEW, "a", "SELECT * FROM c")
    cars.catalog.forget()
    cars.say("DROP VIEW a")
    assert [row[0] for row in cars.say("SHOW VIEWS")] == ["b", "c"]


def test_what_is_wrong_with_a_view_is_told_with_its_name(cars: Session) -> None:
    cars.say("CREATE VIEW a AS SELECT * FROM cars; CREATE VIEW b AS SELECT * FROM a")
    with closing(cars.workspace.log.admin()) as admin:
        admin.delete("cars")
    cars.catalog.forget()
    with pytest.raises(ProgramError) as raised:
        cars.say("SELECT color FROM b WHERE price > 1")
    (fault,) = raised.value.diagnostics
    assert fault.span == Span(18, 19)
    assert [note.partition(":")[0] for note in fault.notes] == [
        "it stands in the view `a`",
        "it stands in the view `b`",
    ]


def test_a_table_that_is_there_is_not_created_again(cars: Session) -> None:
    text = "CREATE TABLE IF NOT EXISTS cars (x int) FORMAT (STRING, JSON)"
    assert cars.say(text) == "table `cars` is there already"
    assert cars.say(text.replace("cars", "vans")) == "table `vans` created"
    assert cars.say(text.replace("cars", "vans")) == "table `vans` is there already"
    cars.say("CREATE VIEW v AS SELECT 1 AS a")
    assert cars.refusal(text.replace("cars", "v"))[0] == "CAT0108"


def test_a_property_that_nobody_knows_creates_nothing(log: Log) -> None:
    name = unique("cars")
    session = Session(log)
    with closing(session.catalog):
        text = f"CREATE TABLE `{name}` (n int) FORMAT (STRING, JSON) PROPERTIES (nosuch.thing = 1)"
        _, message = session.refusal(text)
        assert "nosuch.thing" in message
        assert session.refusal(f"SELECT * FROM `{name}`")[0] == "CAT0101"


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("compacted = maybe", "`compacted` is `true` or `false`"),
        ("nosuch.thing = 1", "there is no property `nosuch.thing`"),
        ("partition = 3", "there is no property `partition`"),
        ("replication = many", "`replication` is a number of at least 1"),
        ("retention.ms = 1000, compacted = TRUE, partitions = 2", None),
    ],
)
def test_properties_are_known(memory: Session, properties: str, message: str | None) -> None:
    text = f"CREATE TABLE t (x int) FORMAT (STRING, JSON) PROPERTIES ({properties})"
    if message is not None:
        assert memory.refusal(text) == ("CAT0104", message)
        assert memory.refusal("SELECT * FROM t")[0] == "CAT0101"
        return
    memory.say(text)
    with closing(memory.workspace.log.admin()) as admin:
        found = admin.describe("t")
    assert found is not None
    assert (found.partitions, found.configs["cleanup.policy"], found.configs["retention.ms"]) == (
        2,
        "compact",
        "1000",
    )


def test_a_synonym_is_another_name_of_a_topic(cars: Session) -> None:
    cars.say("CREATE SYNONYM autos FOR cars; INSERT INTO autos (_key, price) VALUES ('s', 1)")
    assert cars.say("SELECT count(*) FROM autos") == [(4,)]
    assert cars.say("SHOW SYNONYMS") == [("autos", "cars")]
    cars.say("DROP SYNONYM autos")
    assert cars.refusal("SELECT * FROM autos")[0] == "CAT0101"


def test_functions_are_listed_and_described(memory: Session) -> None:
    assert ("LEN", "string") in [row[:2] for row in memory.say("SHOW FUNCTIONS LIKE 'LE%'")]
    facts = dict(memory.say("DESCRIBE FUNCTION length"))
    assert facts["name"] == "LEN"
    assert [(row[0], row[-1]) for row in memory.say("SHOW FUNCTIONS LIKE 'mask%'")] == [
        ("MASK", "Alias of ANONYMIZE.")
    ]
    assert dict(memory.say("DESCRIBE FUNCTION last_offset"))["family"] == "form"
    assert dict(memory.say("DESCRIBE FUNCTION Row_Number"))["usage"] == "ROW_NUMBER() -> LONG"
    assert [row[0] for row in memory.say("SHOW FUNCTIONS LIKE 'LAST%'") if row[1] == "form"] == [
        "LAST_OFFSET",
        "LAST_VALUE",
    ]


@pytest.mark.parametrize(
    "example", [pytest.param(item, id=item.call) for form in forms() for item in form.examples]
)
def test_examples_of_forms_of_queries(example: Example, xs: Session) -> None:
    shown = [row[0] for row in xs.say(example.call)]
    (wanted,) = xs.say(f"SELECT {example.result}")[0]
    assert shown == wanted


def test_each_result_says_which_limit_ended_it() -> None:
    with EmbeddedLog(":memory:") as log:
        session = Session(log, rows=3)
        with closing(session.catalog):
            session.say("CREATE TABLE t (n int) FORMAT (STRING, JSON)")
            for _ in range(3):
                session.say("INSERT INTO t SELECT range AS n FROM range(100)")
            assert session.say("SELECT n FROM t LIMIT 5") == [(0,), (1,), (2,), (3,), (4,)]
            assert len(session.say("SELECT n FROM t")) == 3
            assert session.say("SELECT count(*) FROM t") == [(300,)]
            assert session.say("SET max.query.time = 0; SELECT count(*) FROM t") == [(0,)]
            assert session.say("SET max.query.time = 1h; SET max.size = 0; SELECT count(*) FROM t") == [(0,)]
            assert session.say("SET max.size = '1g'; SET max.idle.time = 0; SELECT count(*) FROM t") == [(0,)]
            assert session.endings == [
                Ending.ROWS,
                Ending.ROWS,
                Ending.END,
                Ending.TIME,
                Ending.SIZE,
                Ending.IDLE,
            ]


def test_a_record_that_cannot_be_decoded_is_left_out_or_ends_the_query(memory: Session) -> None:
    memory.say("CREATE TABLE raw (_value string) FORMAT (STRING, STRING)")
    memory.say("INSERT INTO raw (_value) VALUES ('{\"n\": 1}'), ('{broken'), ('{\"n\": 2}')")
    assert memory.say("SELECT n FROM raw WHERE _vtype = JSON") == [(1,), (2,)]
    memory.say("SET skip.bad.records = false")
    with pytest.raises(RunError, match="partition 0, offset 1"):
        memory.say("SELECT n FROM raw WHERE _vtype = JSON")


def test_times_come_as_they_are_wanted(memory: Session) -> None:
    memory.say("CREATE TABLE t (at timestamp) FORMAT (STRING, AVRO)")
    memory.say("INSERT INTO t (at) VALUES (TIMESTAMP '2020-01-01 00:00:00.5')")
    assert memory.say("SET format.timestamp = true; SELECT at FROM t") == [("2020-01-01T00:00:00.500Z",)]
    assert memory.say("SET format.timestamp = false; SELECT at FROM t") == [(1577836800500,)]


def test_a_running_query_is_listed_and_killed_from_elsewhere(tmp_path: Path) -> None:
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        session = Session(log, tmp_path)
        with closing(session.catalog):
            session.say("CREATE TABLE t (n int) FORMAT (STRING, JSON); INSERT INTO t (n) VALUES (1)")
            noted = RunningQueries(tmp_path / "queries.db", log.name)
            with noted.noted("SELECT 1") as ended:
                ((number, status, *_, sql),) = session.say("SHOW QUERIES")
                assert (status, sql) == ("Running", "SELECT 1")
                assert not ended()
                assert session.say(f"KILL QUERY {number}") == f"query {number} is asked to end"
                event = threading.Event()
                while not ended():
                    event.wait(0.05)
            assert session.say("SHOW QUERIES") == []
            assert session.say("SELECT n FROM t") == [(1,)]
            assert [row[1] for row in session.say("SHOW ALL QUERIES")] == ["Killed", "Completed"]
            assert (tmp_path / "queries.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("PIVOT (SELECT a.n * b.n * c.n % 7 AS x FROM t AS a, t AS b, t AS c) ON x USING count(*)", ""),
        (
            "INSERT INTO u SELECT a.n FROM t AS a, t AS b, t AS c WHERE a.n * b.n * c.n % 7 = 9",
            "nothing was inserted into `u`",
        ),
    ],
)
def test_what_opens_or_writes_is_listed_and_killed_from_elsewhere(
    tmp_path: Path, text: str, nothing: str
) -> None:
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        session = Session(log, tmp_path)
        with closing(session.catalog):
            session.say(
                "CREATE TABLE t (n int) FORMAT (STRING, JSON); CREATE TABLE u (n int) FORMAT (STRING, JSON)"
            )
            session.say("INSERT INTO t SELECT range AS n FROM range(5000)")
            noted, numbers = RunningQueries(tmp_path / "queries.db", log.name), []

            def kill() -> None:
                for _ in range(600):
                    if found := noted.listed(all=False):
                        numbers.append(found[0].id)
                        assert noted.kill(found[0].id)
                        return
                    time.sleep(0.05)

            killing = threading.Thread(target=kill)
            killing.start()
            program = parse_statements(text, "test")
            with pytest.raises(RunError) as raised:
                session.runner.run(program.statements[0], program)
            killing.join()
            (fault,) = raised.value.diagnostics
            assert fault.code.id == "RUN0115"
            assert fault.message.startswith("KILL QUERY ended the ")
            assert fault.message.endswith(nothing)
            assert [(item.id, item.status) for item in noted.listed(all=True)][-1] == (numbers[0], "Killed")
            assert session.say("SELECT count(*) FROM u") == [(0,)]


def test_a_limit_ends_an_insert_which_says_what_it_has_written(memory: Session) -> None:
    memory.say("CREATE TABLE t (n int) FORMAT (STRING, JSON); CREATE TABLE u (n int) FORMAT (STRING, JSON)")
    memory.say("INSERT INTO t SELECT range AS n FROM range(300)")
    assert memory.refusal("SET max.query.time = 0; INSERT INTO u SELECT n FROM t") == (
        "RUN0115",
        "max.query.time ended the INSERT before its end: nothing was inserted into `u`",
    )
    memory.say("SET max.query.time = 1h; SET max.size = 1000")
    code, message = memory.refusal("INSERT INTO u SELECT n FROM t")
    count = memory.say("SET max.size = 1g; SELECT count(*) FROM u")[0][0]
    assert 0 < count < 300
    assert (code, message) == (
        "RUN0115",
        f"max.size ended the INSERT before its end: {count} records were inserted into `u` before, and stay",
    )
    # A sum over some of the records is wrong: it is not written.
    memory.say("TRUNCATE u; SET max.size = 1000")
    assert memory.refusal("INSERT INTO u SELECT count(*) AS n FROM t") == (
        "RUN0115",
        "max.size ended the INSERT before its end: nothing was inserted into `u`",
    )
    assert memory.say("SET max.size = 1g; SELECT count(*) FROM u") == [(0,)]
    assert memory.say("INSERT INTO u SELECT n FROM t LIMIT 2") == "2 records inserted into `u`"


def test_a_limit_ends_a_delete_before_it_takes_older_records_for_the_last(memory: Session) -> None:
    memory.say("CREATE TABLE t (_key string, n int) FORMAT (STRING, JSON) PROPERTIES(compacted=true)")
    memory.say("INSERT INTO t (_key, n) VALUES ('a', 1), ('b', 1), ('a', 2), ('b', 2)")
    for limit in ("max.size = 24", "max.query.time = 0", "max.idle.time = 0"):
        name = limit.split(" ", maxsplit=1)[0]
        assert memory.refusal(f"SET {limit}; DELETE FROM t WHERE n = 1") == (
            "RUN0115",
            f"{name} ended the DELETE before its end: nothing of `t` was deleted",
        )
        memory.say("SET max.size = 1g; SET max.query.time = 1h; SET max.idle.time = 1h")
        assert memory.say("SELECT _key FROM t WHERE _meta.__valuesize IS NULL") == []
    assert memory.say("DELETE FROM t WHERE n = 2") == "2 keys of `t` deleted"


@pytest.mark.parametrize("policy", ["compact", "delete"])
@pytest.mark.parametrize("text", ["TRUNCATE t", "DELETE FROM t WHERE _meta.offset < 5"])
def test_limits_end_what_removes_records(memory: Session, text: str, policy: str) -> None:
    compacted = policy == "compact"
    memory.say(f"CREATE TABLE t (_key string, n int) FORMAT (STRING, JSON) PROPERTIES(compacted={compacted})")
    memory.say("INSERT INTO t (_key, n) VALUES ('a', 1), ('b', 1), ('a', 2), ('b', 2)")
    name = text.split(" ", maxsplit=1)[0]
    # Where the log deletes by offset nothing is read: only the time counts.
    for limit in ("max.query.time", "max.size", "max.idle.time") if compacted else ("max.query.time",):
        assert memory.refusal(f"SET {limit} = 0; {text}") == (
            "RUN0115",
            f"{limit} ended the {name} before its end: nothing of `t` was deleted",
        )
        memory.say("SET max.size = 1g; SET max.query.time = 1h; SET max.idle.time = 1h")
        assert memory.say("SELECT count(*) FROM t") == [(4,)]
    if not compacted:
        memory.say("SET max.size = 0; SET max.idle.time = 0")
    memory.say(text)
    memory.say("SET max.size = 1g; SET max.idle.time = 1h")
    assert memory.say("SELECT count(*) FROM t WHERE n > 0 AND _meta.offset > 3") == [(0,)]


@pytest.mark.parametrize("policy", ["compact", "delete"])
@pytest.mark.parametrize("text", ["TRUNCATE t", "DELETE FROM t WHERE _meta.offset < 5"])
def test_what_removes_records_is_listed_and_killed_from_elsewhere(
    tmp_path: Path, text: str, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedLog(str(tmp_path / "log.db")) as log:
        session = Session(log, tmp_path)
        with closing(session.catalog):
            session.say(
                f"CREATE TABLE t (_key string, n int) FORMAT (STRING, JSON) PROPERTIES(compacted={policy == 'compact'}); "
                "INSERT INTO t (_key, n) VALUES ('a', 1), ('b', 1)"
            )
            noted = RunningQueries(tmp_path / "queries.db", log.name)
            monkeypatch.setattr("headrace.engine.statements.running._EVERY", 0.0)
            seen: list[tuple[str, bool]] = []

            def watermarks(self: Any, places: Any) -> Any:
                if places[0].topic == "t":
                    seen.extend((item.sql, noted.kill(item.id)) for item in noted.listed(all=False))
                return real(self, places)

            real = EmbeddedConsumer.watermarks
            monkeypatch.setattr(EmbeddedConsumer, "watermarks", watermarks)
            code, message = session.refusal(text)
            monkeypatch.undo()
            assert seen[0] == (text, True)
            assert code == "RUN0115"
            assert (
                message
                == f"KILL QUERY ended the {text.split(' ')[0]} before its end: nothing of `t` was deleted"
            )
            assert noted.listed(all=True)[-1].status == "Killed"
            assert session.say("SELECT count(*) FROM t") == [(2,)]


def test_commands_have_no_place_in_a_program_that_runs_for_ever() -> None:
    from headrace.planner import plan_program

    with (
        EmbeddedLog(":memory:") as log,
        closing(Catalog(log)) as catalog,
        pytest.raises(ProgramError) as raised,
    ):
        plan_program(parse_program("SHOW TABLES; DROP TABLE t"), catalog)
    assert [item.message for item in raised.value.diagnostics][:2] == [
        "a program that runs for ever has no commands"
    ] * 2
