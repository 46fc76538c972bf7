"""Ranks over random changes of tables, run whole on the embedded log, beside DuckDB over the same records."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest

from headrace.testing import Stop, Variant
from headrace.testing.case_file import TopicInput
from tests.engine.test_joins_against_duckdb import latest, load, run

if TYPE_CHECKING:
    from tests.engine.test_joins_against_duckdb import Record

BOTH = "(SELECT {0} id, c0, c1 FROM t5 UNION ALL SELECT {0} id, c0, c1 FROM t6)"
FIRST = (
    "(SELECT {0} id, c0, c1 FROM t5 QUALIFY ROW_NUMBER() OVER (PARTITION BY c0 ORDER BY c1 DESC, id) <= 2)"
)
QUERIES = {
    "a union": f"SELECT {{0}} id, c0 FROM {BOTH} QUALIFY ROW_NUMBER() OVER (PARTITION BY c0 ORDER BY c1 DESC, id) <= 2",
    "first rows": f"SELECT {{0}} id, c0 FROM {FIRST} WHERE c1 < 4 QUALIFY ROW_NUMBER() OVER (ORDER BY id DESC) <= 3",
    "groups": "SELECT {0} c0 AS id, SUM(c1) AS c0 FROM t5 GROUP BY c0 "
    "QUALIFY ROW_NUMBER() OVER (ORDER BY SUM(c1) DESC, COUNT(*), c0) <= 3",
    "groups of a union": f"SELECT {{0}} c0 AS id, COUNT(*) AS c0 FROM {BOTH} GROUP BY c0, c1 % 2 HAVING COUNT(*) > 1 "
    "QUALIFY ROW_NUMBER() OVER (PARTITION BY c1 % 2 ORDER BY MAX(id) DESC) <= 2",
}


def rows(seed: int) -> TopicInput:
    """Give changes of a table: rows come, change and go."""
    chance = random.Random(seed)
    records: list[Record] = [
        {
            "key": f"k{chance.randrange(8)}",
            "value": None
            if chance.random() < 0.2
            else {"id": seed * 100 + number, "c0": chance.randrange(3), "c1": chance.randrange(6)},
            "timestamp": 1000 + 10 * number,
        }
        for number in range(60)
    ]
    return TopicInput(f"t{seed}", {"format": "STRING, JSON"}, tuple(records))


@pytest.mark.parametrize(
    "variant", [Variant(), Variant(batch=7, partitions=3, stop=Stop.CLEAN)], ids=["plain", "spread"]
)
def test_the_last_state_is_that_of_duckdb(variant: Variant) -> None:
    topics = rows(5), rows(6)
    names = {name: name.replace(" ", "_") for name in QUERIES}
    sql = ";\n".join(f"INSERT INTO {names[name]} {query.format('TABLE')}" for name, query in QUERIES.items())
    found = run(sql, topics, variant, tuple(names.values()))
    with duckdb.connect() as duck:
        for topic in topics:
            load(duck, topic, table=True)
        for name, query in QUERIES.items():
            expected = Counter(duck.sql(query.format("")).fetchall())
            assert len(expected) > 2, name
            state = latest(found[names[name]]).values()
            assert Counter((row["id"], row["c0"]) for row in state) == expected, name
