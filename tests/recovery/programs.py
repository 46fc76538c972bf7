"""Programs whose results say for each input record whether it counted, and whether it counted once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from headrace.catalog import Catalog
from headrace.planner import plan_program
from headrace.sql import parse_program
from tests.engine.programs import create, fill, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.log.interface import Log
    from headrace.plan.topology import RunSettings, Topology

KEYS: Final = 40
GROUPS: Final = 7
_BEGIN: Final = 1_000_000_000
_STEP: Final = 10
"""Milliseconds from one record to the next."""
_WINDOW: Final = 1_000
_CHANGE: Final = 8
"""The table changes its row of a key with every so manieth record of the key."""

TEXTS: Final[Mapping[str, str]] = {
    # One update a record, of four tasks.
    "totals": "SELECT STREAM COUNT(*) AS c, SUM(n) AS s FROM `{name}-events` GROUP BY _key",
    # One result a window, by way of a repartition topic.
    "windows": (
        "SELECT STREAM g, _window.start AS w, COUNT(*) AS c, SUM(n) AS s FROM `{name}-events` "
        "WINDOW BY TUMBLE 1s GRACE BY 30m GROUP BY g EMIT FINAL"
    ),
    # The same by the clock of the machine: which window a record is in differs from run to run.
    "moments": (
        "SELECT STREAM g, _window.start AS w, COUNT(*) AS c, SUM(n) AS s FROM `{name}-events` EVENTTIME BY PROCTIME() "
        "WINDOW BY TUMBLE 200ms GROUP BY g EMIT FINAL"
    ),
    # Each record with the row of the table at its time.
    "rows": (
        "SELECT STREAM e.n AS n, t.n AS row FROM `{name}-events` AS e "
        "LEFT JOIN `{name}-table` AS t ON e._key = t._key"
    ),
    # Each record with its equal of the other stream, by way of two repartition topics.
    "pairs": (
        "SELECT STREAM e.n AS one, o.n AS two FROM `{name}-events` AS e "
        "JOIN `{name}-others` AS o ON e.n = o.n WITHIN 10s GRACE BY 30m"
    ),
}
"""By the names of their results."""

LATER: Final[Mapping[str, str]] = {
    "totals": "SELECT STREAM MAX(n) AS m, COUNT(*) AS c, SUM(n) AS s FROM `{name}-events` GROUP BY _key",
}
"""Later versions, which take over the state of the first."""

PROGRAMS: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (name,) for name in TEXTS},
    "totals-later": ("totals",),
    # Records may come while these run: their results tell no times of tables.
    "sums": ("totals", "windows"),
    "two": ("totals", "rows"),
    "all": tuple(name for name in TEXTS if name != "moments"),
}


def plan(log: Log, program: str, name: str, settings: RunSettings) -> Topology:
    """Give the topology of a program over the topics of this name."""
    texts = LATER if program.endswith(", later") else TEXTS
    text = "SET autocreate=true;\nSET emit='record';\n" + ";\n".join(
        f"INSERT INTO `{name}-{result}` {texts[result].format(name=name)}" for result in PROGRAMS[program]
    )
    with closing(Catalog(log, None)) as catalog:
        topology = plan_program(parse_program(text, f"{name}.sql"), catalog)
    return replace(topology, settings=settings)


class Workload:
    """Input topics that grow, and what must have come of them."""

    def __init__(self, log: Log, program: str, name: str) -> None:
        """Make the input topics.

        Args:
            log: where.
            program: of `PROGRAMS`.
            name: no other test uses it.
        """
        self.program = program
        self.name = name
        self.records = 0
        self._log = log
        for topic, partitions in (("events", 4), ("table", 4), ("others", 3)):
            create(log, f"{name}-{topic}", partitions)

    def grow(self, records: int) -> None:
        """Add records, all later than those before them, while nobody reads: their order is that of their times then."""
        numbers = range(self.records, self.records + records)
        changes = [number for number in numbers if _changes_table(number)]
        self._fill("table", changes, earlier=_STEP // 2)
        self._fill("events", [*numbers])
        self._fill("others", [*numbers])
        self.records += records

    def end(self) -> None:
        """Add what is later than all windows."""
        self._put(
            "events",
            keys=[f"k{number}".encode() for number in range(GROUPS)],
            values=[{"n": -1 - number, "g": f"g{number}"} for number in range(GROUPS)],
            times=[_time(self.records) + 3_600_000] * GROUPS,
        )

    def faults(self) -> list[str]:
        """Say what is missing, there too often, or wrong in the results; empty if everything counted exactly once."""
        checks = {
            "totals": self._totals,
            "windows": self._windows,
            "moments": self._moments,
            "rows": self._rows,
            "pairs": self._pairs,
        }
        return [
            f"{result}: {fault}"
            for result in PROGRAMS[self.program]
            for fault in checks[result](self._read(result))
        ]

    def _totals(self, found: list[tuple[str, dict[str, Any]]]) -> list[str]:
        updates: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for key, value in found:
            updates[key].append((value["c"], value["s"]))
        expected: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for key, number in [
            *((_key(number), number) for number in range(self.records)),
            *((f"k{number}", -1 - number) for number in range(GROUPS)),
        ]:
            count, total = expected[key][-1] if expected[key] else (0, 0)
            expected[key].append((count + 1, total + number))
        return [
            f"{key}: {_difference(expected[key], updates[key])}"
            for key in sorted(expected.keys() | updates.keys())
            if updates[key] != expected[key]
        ]

    def _windows(self, found: list[tuple[str, dict[str, Any]]]) -> list[str]:
        counts: Counter[tuple[str, int]] = Counter()
        sums: Counter[tuple[str, int]] = Counter()
        for number in range(self.records):
            window = f"g{number % GROUPS}", _time(number) // _WINDOW * _WINDOW
            counts[window] += 1
            sums[window] += number
        expected = Counter((*window, count, sums[window]) for window, count in counts.items())
        return _compared(expected, Counter((v["g"], v["w"], v["c"], v["s"]) for _, v in found))

    def _moments(self, found: list[tuple[str, dict[str, Any]]]) -> list[str]:
        """Compare counts and sums of groups over all windows, each of which comes once."""
        windows = Counter((value["g"], value["w"]) for _, value in found)
        sums: dict[str, list[int]] = {f"g{number}": [0, 0] for number in range(GROUPS)}
        for _, value in found:
            sums[value["g"]][0] += value["c"]
            sums[value["g"]][1] += value["s"]
        for number in range(self.records):
            sums[f"g{number % GROUPS}"][0] -= 1
            sums[f"g{number % GROUPS}"][1] -= number
        twice = [f"{window} comes {count} times" for window, count in windows.items() if count > 1]
        return [*twice, *(f"{group} is off by {off}" for group, off in sums.items() if any(off))]

    def _rows(self, found: list[tuple[str, dict[str, Any]]]) -> list[str]:
        row: dict[str, int] = {}
        expected: Counter[tuple[int, int | None]] = Counter()
        for number in range(self.records):
            if _changes_table(number):
                row[_key(number)] = number
            expected[number, row.get(_key(number))] += 1
        for number in range(GROUPS):
            expected[-1 - number, row.get(f"k{number}")] += 1
        return _compared(expected, Counter((value["n"], value["row"]) for _, value in found))

    def _pairs(self, found: list[tuple[str, dict[str, Any]]]) -> list[str]:
        expected = Counter((number, number) for number in range(self.records))
        return _compared(expected, Counter((value["one"], value["two"]) for _, value in found))

    def _read(self, result: str) -> list[tuple[str, dict[str, Any]]]:
        rows = read(self._log, f"{self.name}-{result}", 120)
        return [((row["key"] or b"").decode(errors="replace"), json.loads(row["value"])) for row in rows]

    def _fill(self, topic: str, numbers: list[int], earlier: int = 0) -> None:
        self._put(
            topic,
            keys=[_key(number).encode() for number in numbers],
            values=[{"n": number, "g": f"g{number % GROUPS}"} for number in numbers],
            times=[_time(number) - earlier for number in numbers],
        )

    def _put(self, topic: str, keys: list[bytes], values: list[dict[str, Any]], times: list[int]) -> None:
        lines: list[bytes | None] = [json.dumps(value).encode() for value in values]
        fill(self._log, f"{self.name}-{topic}", lines, keys=keys, timestamps=times)


def _key(number: int) -> str:
    return f"k{number % KEYS}"


def _time(number: int) -> int:
    return _BEGIN + number * _STEP


def _changes_table(number: int) -> bool:
    return number // KEYS % _CHANGE == 0


def _compared(expected: Counter[Any], found: Counter[Any]) -> list[str]:
    lost, more = expected - found, found - expected
    faults = [f"{lost.total()} lost, such as {_first(lost)}"] if lost else []
    return [*faults, f"{more.total()} too many, such as {_first(more)}"] if more else faults


def _first(rows: Counter[Any]) -> str:
    return ", ".join(map(str, sorted(rows, key=str)[:5]))


def _difference(expected: list[tuple[int, int]], found: list[tuple[int, int]]) -> str:
    for at, (one, other) in enumerate(zip(expected, found, strict=False)):
        if one != other:
            return f"update {at} is {other}, not {one}"
    return f"{len(found)} updates, not {len(expected)}"
