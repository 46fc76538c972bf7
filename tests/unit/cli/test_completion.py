"""What the shell completes, by the text before the cursor."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from headrace.catalog import CatalogTopic, KnownTopics
from headrace.cli.shell.commands import COMMANDS
from headrace.cli.shell.completion import SqlCompleter
from headrace.formats.interface import Format, Side

ENGINE = pa.struct(
    [("power", pa.int32()), ("port", pa.string()), ("maker", pa.struct([("country", pa.string())]))]
)
CARS = CatalogTopic(
    "cars",
    Side(Format.JSON, pa.struct([("plate", pa.string())])),
    Side(Format.JSON, pa.struct([("colour", pa.string()), ("engine", ENGINE)])),
    partitions=1,
)
DOTTED = CatalogTopic(
    "old.cars-2",
    Side(Format.STRING, pa.string()),
    Side(Format.JSON, pa.struct([("rust", pa.int32())])),
    partitions=1,
)


@pytest.fixture
def completer() -> SqlCompleter:
    known = KnownTopics.of((CARS, DOTTED), None)
    catalog = SimpleNamespace(
        topic=known.topic,
        names=lambda: ["cars", "old.cars-2"],
        definitions=SimpleNamespace(views={}, synonyms={}),
    )
    workspace: Any = SimpleNamespace(catalog=catalog, topic_name=lambda name: name)
    return SqlCompleter(workspace, COMMANDS)


@pytest.mark.parametrize(
    ("before", "after", "offered"),
    [
        ("SELECT * FROM cars WHERE colo", "", ["colour"]),
        ("SELECT c.", " FROM cars AS c", ["c.colour", "c.engine", "c._key", "c._value"]),
        ("SELECT c.col", " FROM cars c WHERE 1 = 1", ["c.colour"]),
        ("SELECT cars.en", " FROM cars", ["cars.engine"]),
        ("SELECT engine.po", " FROM cars", ["engine.power", "engine.port"]),
        ("SELECT c.engine.po", " FROM cars AS c", ["c.engine.power", "c.engine.port"]),
        ("SELECT engine.maker.c", " FROM cars", ["engine.maker.country"]),
        ("SELECT c._key.", " FROM cars AS c", ["c._key.plate"]),
        ("SELECT _key.p", " FROM cars", ["_key.plate"]),
        ("SELECT _value.col", " FROM cars", ["_value.colour"]),
        ("SELECT o.r", " FROM `old.cars-2` o", ["o.rust"]),
        ("SELECT a.plate FROM cars AS a JOIN old.cars-2 AS b ON b.ru", "", ["b.rust"]),
        ("SELECT colour.x", " FROM cars", []),
        ("SELECT none.x", " FROM nowhere", []),
        ("SELECT _meta.off", " FROM cars", ["_meta.offset"]),
        ("SET max.q", "", ["max.query.time"]),
        ("SELECT 1; SET live", "", ["live.aggs"]),
        ("\\format c", "", ["csv"]),
        ("\\fo", "", ["\\format"]),
        ("SELECT LAST_OF", " FROM cars", ["LAST_OFFSET"]),
        ("SELECT * FROM ca", "", ["cars"]),
    ],
)
def test_what_is_offered(completer: SqlCompleter, before: str, after: str, offered: list[str]) -> None:
    found = [
        item.text
        for item in completer.get_completions(Document(before + after, len(before)), CompleteEvent())
    ]
    assert found[: len(offered)] == offered
    if offered and not before.endswith("."):
        assert found == offered
