"""Runs the restated programs on the data of the suites and tells which pass."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from headrace.testing import Case, Stop, TopicInput, Variant, run_case
from tests.suites import flink_programs, nexmark_programs
from tests.suites.program import Program, Refused, Verdict
from tests.suites.refusals import REFUSED
from tests.suites.results import facts, latest, read_changes, read_results, table_of, text_words, words
from tests.suites.topics import (
    Column,
    Row,
    columns_of,
    declaration,
    milliseconds,
    renamed,
    times_as_numbers,
    topic,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

_WHOLE: Final = Variant()
_RESTARTED: Final = Variant(batch=7, stop=Stop.CLEAN)
_SPREAD: Final = Variant(batch=7, partitions=4, stop=Stop.CLEAN)

_EPOCH: Final = 1_577_836_800_000
_STAGE: Final = 3_600_000
_SOURCE: Final = 600_000


class Faulty(Exception):
    """A program gave something else than what the suite expects, or failed."""


class NotPlanned(Exception):
    """The planner refused a program."""


Check = tuple[str, "Callable[[], Verdict]"]


def checks(folder: Path) -> Iterator[Check]:
    """Give each program of the suites by name, to be run."""
    yield from _nexmark(json.loads((folder / "nexmark_small.json").read_text()))
    yield from _flink(json.loads((folder / "flink_programs.json").read_text()))


def judged(name: str, program: Program | Refused | None, run: Callable[[Program], None]) -> Verdict:
    """Say what became of a program; one that is refused or passes against the list of refusals is wrong."""
    found = _verdict(name, program, run)
    if found.outcome == "refused" and name not in REFUSED:
        return Verdict(name, "wrong", f"refused, and not on the list: {found.reason}")
    if found.outcome == "pass" and name in REFUSED:
        return Verdict(name, "wrong", "it passes, and is on the list of refusals")
    return found


def _verdict(name: str, program: Program | Refused | None, run: Callable[[Program], None]) -> Verdict:
    if program is None:
        return Verdict(name, "wrong", "the suite has it, and nobody has restated it")
    if isinstance(program, Refused):
        return Verdict(name, "refused", program.reason)
    try:
        run(program)
    except NotPlanned as refusal:
        return Verdict(name, "refused", str(refusal))
    except Faulty as fault:
        return Verdict(name, "wrong", str(fault))
    return Verdict(name, "pass")


def _outputs(sql: str, topics: Iterable[TopicInput], variant: Variant) -> str:
    case = Case(f"SET autocreate=true;\n{sql}", tuple(topics), {}, "")
    sections = run_case(case, variant).sections
    if "diagnostics" in sections:
        raise NotPlanned(sections["diagnostics"].partition("\n")[0])
    if "failure" in sections:
        raise Faulty(sections["failure"])
    return sections["output result"]


def _same(expected: Counter[Any], found: Counter[Any], what: str) -> None:
    if expected != found:
        lines = difflib.unified_diff(
            sorted(map(str, expected.elements())),
            sorted(map(str, found.elements())),
            "expected",
            "found",
            lineterm="",
            n=1,
        )
        raise Faulty(what + "\n" + "\n".join(lines))


def _settings_first(declarations: str, sql: str) -> str:
    """Put the declarations behind the settings, which stand first in a program."""
    text = sql.lstrip()
    if not text.startswith("SET "):
        return declarations + text
    setting, _, rest = text.partition("\n")
    return f"{setting}\n{declarations}{rest}"


# Nexmark


def _nexmark(suite: dict[str, Any]) -> Iterator[Check]:
    programs = {program.name: program for program in nexmark_programs.PROGRAMS}
    for name, query in suite["queries"].items():
        yield (
            f"nexmark {name}",
            partial(
                judged,
                f"nexmark {name}",
                programs.get(name),
                partial(_run_nexmark, events=suite["events"], expected=query["expected_text"]),
            ),
        )


_TIMES: Final = ("date_time", "expires")


def _run_nexmark(program: Program, events: dict[str, list[dict[str, Any]]], expected: list[str]) -> None:
    declarations = ""
    topics = []
    for name, rows in events.items():
        columns = [Column(column, _json_type(column, value)) for column, value in rows[0].items()]
        key = program.keys.get(name)
        declarations += declaration(name, columns, key)
        numbered = [times_as_numbers(row, _TIMES) for row in rows]
        topics.append(topic(name, columns, [Row(row, row["date_time"]) for row in numbered], key=key))
    records = read_results(_outputs(_settings_first(declarations, program.sql), topics, _SPREAD))
    found = latest(records) if program.table else facts(records)
    names = _names(program, declarations, topics)
    times = [name in program.times for name in names]
    _same(
        Counter(map(text_words, expected)),
        Counter(words(row, times) for row in found.elements()),
        "at the end",
    )


def _json_type(name: str, value: Any) -> str:
    if name in _TIMES:
        return "TIMESTAMP"
    return "LONG" if isinstance(value, int) else "STRING"


def _names(program: Program, declarations: str, topics: list[TopicInput]) -> list[str]:
    """Give the names of the result's columns."""
    case = Case("SET autocreate=true;\n" + _settings_first(declarations, program.sql), tuple(topics), {}, "")
    for line in run_case(case, _WHOLE).sections["output result"].splitlines():
        if line.startswith("{") and (value := json.loads(line)["value"]) is not None:
            return list(value)
    return []


# Flink


def _flink(suite: list[dict[str, Any]]) -> Iterator[Check]:
    programs = {program.name: program for program in flink_programs.PROGRAMS}
    for entry in suite:
        name = entry["name"]
        yield (
            f"flink {name}",
            partial(judged, f"flink {name}", programs.get(name), partial(_run_flink, entry=entry)),
        )


def _run_flink(program: Program, entry: dict[str, Any]) -> None:
    declarations = ""
    topics = []
    for number, (name, source) in enumerate(entry["sources"].items()):
        columns = columns_of(source["schema"])
        key = program.keys.get(name)
        declarations += declaration(name, columns, key)
        stages = [
            _stage(source, columns, rows, number, stage, clock=program.clock)
            for stage, rows in enumerate((source["producedBeforeRestore"], source["producedAfterRestore"]))
        ]
        topics.append(
            topic(
                name,
                columns,
                stages[0] + stages[1],
                key=key,
                before_restart=len(stages[0]),
                flush=program.flush,
            )
        )
    if program.clock:
        passing = [Row({}, _EPOCH + stage * _STAGE + _SOURCE) for stage in (0, 1)]
        topics.append(topic("time", [], passing, key=None, before_restart=1))
    sql = _settings_first(declarations, program.sql)
    early = read_results(_outputs(sql, [_before_restart(item) for item in topics], _WHOLE))
    records = read_results(_outputs(sql, topics, _RESTARTED))
    if records[: len(early)] != early:
        raise Faulty("the restart changes what was there before it")
    (sink,) = entry["sinks"].values()
    schema = sink["schema"]
    before = read_changes(sink["consumedBeforeRestore"], schema)
    changes = before + read_changes(sink["consumedAfterRestore"], schema)
    if program.table:
        if not program.end_only:
            _same(table_of(before, schema), latest(early), "before the restart")
        _same(table_of(changes, schema), latest(records), "at the end")
    if program.updates or not program.table:
        if not program.end_only:
            _same(_additions(before), facts(early), "each update before the restart")
        _same(_additions(changes), facts(records), "each update")


def _additions(changes: list[tuple[str, tuple[Any, ...]]]) -> Counter[tuple[Any, ...]]:
    return Counter(values for kind, values in changes if kind[0] == "+")


def _before_restart(item: TopicInput) -> TopicInput:
    return replace(item, records=item.records[: int(item.options["restart"])])


def _stage(
    source: dict[str, Any], columns: list[Column], rows: list[Any], number: int, stage: int, *, clock: bool
) -> list[Row]:
    """Give the rows of one side of the restart.

    Where the schema has no time, records follow one another by a second, each source behind those before it; by the clock
    they come all at once.
    """
    event_time = next(
        (name for name in _time_columns(source["schema"]) if name in {c.name for c in columns}), None
    )
    found: list[Row] = []
    for row in rows:
        values = renamed(row["row"], columns)
        if clock:
            time = _EPOCH + stage * _STAGE
        elif event_time is not None:
            time = milliseconds(values[event_time])
        else:
            time = _EPOCH + stage * _STAGE + number * _SOURCE + len(found) * 1000
        # A record replaces the one before it by its key: what is taken back needs none of its own.
        if row["kind"] != "-U":
            found.append(Row(values, time, deletes=row["kind"] == "-D"))
    return found


def _time_columns(schema: list[str]) -> list[str]:
    """Give the columns that watermarks are made of: `TO_TIMESTAMP(ts)` of text."""
    if not any(re.match(r"(?i)watermark", entry) for entry in schema):
        return []
    return re.findall(r"(?i)TO_TIMESTAMP\(`?(\w+)`?\)", " ".join(schema))
