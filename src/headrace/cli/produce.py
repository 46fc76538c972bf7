"""`headrace produce`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from headrace.cli.failures import bad_call, reported
from headrace.cli.json_lines import read_lines
from headrace.cli.options import WRITTEN_FORMATS, examples, log_options
from headrace.cli.record_source import RecordSource, SourceOptions
from headrace.cli.session import open_session
from headrace.cli.topic_sides import partition_count
from headrace.errors import Diagnostic, RunError
from headrace.errors.codes import cli as codes
from headrace.formats.interface import Format, RowError
from headrace.log.interface import Producer, ProducerOptions

FLUSH_SECONDS = 60.0


@click.command(
    "produce",
    epilog=examples(
        "headrace produce orders --key id --timestamp at < orders.jsonl",
        "headrace produce iot_data --key-format AVRO --value-format AVRO --key MMSI < positions.jsonl",
    ),
)
@click.argument("topic")
@click.option("--key-format", type=WRITTEN_FORMATS, help="Default: STRING where there are keys.")
@click.option("--value-format", type=WRITTEN_FORMATS, default=Format.JSON.value, show_default=True)
@click.option(
    "--key", metavar="FIELD", help="The field of the value that is the key; dots lead into records."
)
@click.option("--timestamp", metavar="FIELD", help="The field that is the time: epoch ms or ISO 8601.")
@click.option(
    "--schema",
    metavar="TEXT|@FILE",
    help="Schema of the value, in the language of its format. Default: the registry's, or inferred.",
)
@click.option("--key-schema", metavar="TEXT|@FILE", help="Schema of the key.")
@click.option("--envelope", is_flag=True, help='Lines are {"key":…, "value":…, "timestamp":…, "headers":…}.')
@log_options
@reported
def command(
    topic: str,
    key_format: str | None,
    value_format: str,
    key: str | None,
    timestamp: str | None,
    schema: str | None,
    key_schema: str | None,
    envelope: bool,
    log: str | None,
    registry: str | None,
) -> None:
    """Write the JSON lines of standard input to TOPIC.

    A line is the value of a record, or with --envelope its key, value, timestamp and headers; `null` writes a
    tombstone. BYTES are read as Base64 text. The first line that does not fit ends the command with its number; what
    stood before it has been written. A line without the field of --key or --timestamp does not fit, nor an envelope with
    other members or with neither key nor value; a field that is `null` makes a null key, or the time of writing.
    """
    if envelope and (key is not None or timestamp is not None):
        message = "--envelope does not go with --key or --timestamp: the lines hold both"
        raise bad_call(message)
    options = SourceOptions(
        topic=topic,
        key_format=Format(key_format) if key_format else None,
        value_format=Format(value_format),
        key=tuple(key.split(".")) if key else None,
        timestamp=tuple(timestamp.split(".")) if timestamp else None,
        schema=_schema_text(schema),
        key_schema=_schema_text(key_schema),
        envelope=envelope,
    )
    with open_session(log, registry) as session:
        partition_count(session, topic)
        source = RecordSource(options, session.registry)
        producer = session.log.producer(ProducerOptions())
        try:
            total = _write_all(topic, source, producer)
        finally:
            producer.close()
            source.close()
    click.echo(f"{total} record{'' if total == 1 else 's'} written to `{topic}`", err=True)


def _write_all(topic: str, source: RecordSource, producer: Producer) -> int:
    total = 0
    for first, lines in read_lines(sys.stdin.buffer):
        chunk = source.read(lines)
        good, error = chunk.records, chunk.error
        if good.num_rows:
            sent = producer.send(topic, good)
            failures = [item for item in producer.flush(FLUSH_SECONDS) if item.batch == sent]
            if failures:
                earliest = min(failures, key=lambda item: item.row)
                error = RowError(chunk.line_of(earliest.row), earliest.reason)
            total += good.num_rows - len(failures)
        if error is not None:
            raise _bad_line(first + error.row, error.reason, total)
    return total


def _bad_line(line: int, reason: str, written: int) -> RunError:
    notes = (f"{written} record{'' if written == 1 else 's'} written before it",)
    return RunError((Diagnostic(codes.BAD_LINE, f"line {line} cannot be written: {reason}", notes=notes),))


def _schema_text(given: str | None) -> str | None:
    if given is None or not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text(encoding="utf-8")
    except OSError as error:
        message = f"`{given[1:]}` cannot be read: {(error.strerror or 'unknown reason').lower()}"
        raise bad_call(message) from error
