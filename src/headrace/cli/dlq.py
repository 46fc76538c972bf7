"""`headrace dlq`: list, show and replay dead letters."""

from __future__ import annotations

import functools
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from headrace.cli.failures import bad_call, reported
from headrace.cli.options import examples, log_options
from headrace.cli.session import open_session
from headrace.cli.tables import print_pairs, print_rows
from headrace.engine.letters import Filter, Letters, matching, read_letters, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headrace.log.interface import Log

_HEADER = ("letter", "time", "from", "stage", "reason", "replayed")
_LATE = "late"


@click.group(
    "dlq", epilog=examples("headrace dlq list errors", "headrace dlq replay errors --reason 'out of range'")
)
def command() -> None:
    """List, show and replay the records of a topic of dead letters, or of late records."""


def _filters(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose letters."""

    @click.option("--from-topic", metavar="TOPIC", help="Only those that came from this topic.")
    @click.option(
        "--stage", metavar="STAGE", help="Only those that failed at this stage; `late` for late records."
    )
    @click.option("--reason", metavar="TEXT", help="Only those whose reason holds this text.")
    @click.option("--application", metavar="NAME", help="Only those of this application.")
    @click.option(
        "--letter", metavar="P:FIRST[-LAST]", help="Only those at these offsets of a partition of TOPIC."
    )
    @functools.wraps(function)
    def body(
        from_topic: str | None,
        stage: str | None,
        reason: str | None,
        application: str | None,
        letter: str | None,
        **more: Any,
    ) -> None:
        partition, offsets = (None, None) if letter is None else _places(letter)
        function(wanted=Filter(from_topic, partition, offsets, stage, reason, application), **more)

    return body


@command.command(
    "list",
    epilog=examples(
        "headrace dlq list errors", "headrace dlq list errors --reason 'out of range' --format json"
    ),
)
@click.argument("topic")
@click.option("--all", "everything", is_flag=True, help="Those too that have been replayed.")
@click.option(
    "--max", "limit", type=click.IntRange(min=1), default=100, show_default=True, help="Stop after so many."
)
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
@_filters
@log_options
@reported
def list_letters(
    topic: str, everything: bool, limit: int, form: str, wanted: Filter, log: str | None, registry: str | None
) -> None:
    """List the letters of TOPIC: where each came from, when, at which stage it failed, and why."""
    with open_session(log, registry) as session:
        found: list[dict[str, Any]] = []
        for letter in _chosen(session.log, topic, wanted, everything=everything):
            if len(found) == limit:
                click.echo(f"the first {limit}; more with --max", err=True)
                break
            found.append(letter)
    if form == "json":
        click.echo("\n".join(json.dumps(_as_json(letter), ensure_ascii=False) for letter in found))
    else:
        print_rows(_HEADER, [_row(letter) for letter in found])


@command.command(
    "show", epilog=examples("headrace dlq show errors 0:42", "headrace dlq show errors 0:42 --hex")
)
@click.argument("topic")
@click.argument("letter", metavar="P:OFFSET")
@click.option("--hex", "as_hex", is_flag=True, help="Print all bytes in hexadecimal, those of text too.")
@log_options
@reported
def show_letter(topic: str, letter: str, as_hex: bool, log: str | None, registry: str | None) -> None:
    """Show one letter of TOPIC whole: what was wrong, and the record's key, value and headers as they came."""
    partition, offsets = _places(letter)
    with open_session(log, registry) as session:
        chosen = _chosen(session.log, topic, Filter(partition=partition, offsets=offsets), everything=True)
        found = next(chosen, None)
    if found is None:
        message = f"there is no letter at `{letter}` of `{topic}`"
        raise bad_call(message, help=f"list them with `headrace dlq list {topic} --all`")
    facts = [
        (name, value)
        for name, value in found.items()
        if name not in ("key", "value", "headers") and value is not None
    ]
    print_pairs(
        [
            *((name, str(value)) for name, value in facts),
            ("key", _bytes(found["key"], as_hex)),
            ("value", _bytes(found["value"], as_hex)),
            *((f"header {name}", _bytes(value, as_hex)) for name, value in found["headers"]),
        ]
    )


@command.command(
    "replay",
    epilog=examples(
        "headrace dlq replay errors --dry-run",
        "headrace dlq replay errors --from-topic iot_data --reason 'out of range'",
        "headrace dlq replay errors --to mended",
    ),
)
@click.argument("topic")
@click.option("--to", metavar="TOPIC", help="Send them to this topic, not to those that they came from.")
@click.option("--again", is_flag=True, help="Those too that have been replayed before.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@_filters
@log_options
@reported
def replay_letters(
    topic: str,
    to: str | None,
    again: bool,
    dry_run: bool,
    wanted: Filter,
    log: str | None,
    registry: str | None,
) -> None:
    """Send letters of TOPIC to the topics they came from, once the cause is mended.

    Each goes to the partition it came from, with its own key, value, timestamp and headers; the headers about the error are
    taken off. What is sent is noted in TOPIC in the same transaction, so that a second call sends only what is new. All who
    read the source topic see the records again; with --to they go to a topic that the program reads beside it.
    """
    with open_session(log, registry) as session:
        sent = replay(session.log, topic, wanted, to=to, again=again, dry_run=dry_run)
    for name, count in sorted(sent.items()):
        click.echo(f"{name}: {count} {'would be sent' if dry_run else 'sent'}")
    if not sent:
        click.echo("nothing to send")


def _places(text: str) -> tuple[int, tuple[int, int]]:
    """Read `partition:first-last`."""
    partition, colon, offsets = text.partition(":")
    first, dash, last = offsets.partition("-")
    if not (partition.isdecimal() and colon and first.isdecimal() and (not dash or last.isdecimal())):
        message = f"`{text}` names no letter"
        raise bad_call(
            message, help="write partition:offset, as `headrace dlq list` shows it: 0:42, or 0:42-60"
        )
    return int(partition), (int(first), int(last or first))


def _chosen(log: Log, topic: str, wanted: Filter, *, everything: bool) -> Iterator[dict[str, Any]]:
    """Give the letters that are meant, one by one, with what there is to say of each."""
    for letters, replayed in read_letters(log, topic):
        meant = matching(letters, wanted).to_pylist()
        for row, (is_meant, before) in enumerate(zip(meant, replayed.to_pylist(), strict=True)):
            if is_meant and (everything or not before):
                yield _letter(letters, row, replayed=bool(before))


def _letter(letters: Letters, row: int, *, replayed: bool) -> dict[str, Any]:
    record = letters.records.slice(row, 1)
    facts = {name: column[row].as_py() for name, column in letters.facts.items()}
    own = letters.take(pa.array([row])).originals.column("headers")[0].as_py() or []
    return {
        "letter": f"{record.column('partition')[0]}:{record.column('offset')[0]}",
        "time": _time(record.column("timestamp")[0].as_py()),
        "topic": facts["topic"],
        "partition": int(facts["partition"]),
        "offset": int(facts["offset"]),
        "stage": facts["stage"] or _LATE,
        "reason": facts["reason"] or f"too late for `{facts['operator']}`",
        "application": facts["application"],
        "replayed": replayed,
        "key": record.column("key")[0].as_py(),
        "value": record.column("value")[0].as_py(),
        "headers": [(item["key"], item["value"]) for item in own],
    }


def _row(letter: dict[str, Any]) -> tuple[str, ...]:
    place = f"{letter['topic']}[{letter['partition']}]@{letter['offset']}"
    return (
        letter["letter"],
        letter["time"] or "",
        place,
        letter["stage"],
        letter["reason"],
        "yes" if letter["replayed"] else "",
    )


def _as_json(letter: dict[str, Any]) -> dict[str, Any]:
    """Give a letter as data; bytes that are no text in hexadecimal."""
    return {
        **letter,
        "key": _data(letter["key"]),
        "value": _data(letter["value"]),
        "headers": [[name, _data(value)] for name, value in letter["headers"]],
    }


def _data(data: bytes | None) -> str | dict[str, str] | None:
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def _bytes(data: bytes | None, as_hex: bool) -> str:
    if data is None:
        return "null"
    shown = None if as_hex else _data(data)
    return shown if isinstance(shown, str) and shown.isprintable() else f"hex {data.hex(' ')}"


def _time(value: datetime | None) -> str | None:
    return (
        None
        if value is None
        else value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
