"""The flights example on real data, equal to DuckDB over the CSV file."""

from __future__ import annotations

import os
import subprocess
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import duckdb
import pyarrow as pa
import pytest

from examples.flights.flights import archive, lines
from headrace.formats import make_decoder
from headrace.formats.interface import Format, Registry, Side
from headrace.formats.registry import open_registry
from headrace.formats.registry.confluent import ConfluentRegistry
from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, Log, TopicPartition
from headrace.types.avro import avro_to_arrow

if TYPE_CHECKING:
    from tests.servers.kafka import KafkaAddress

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "flights"
FLIGHTS = 336_776
FIRST = 20_000
TARGET = "delayed_long_haul"
COLUMNS = (
    "carrier, flight, tailnum, origin, dest, distance, arr_delay, arr_delay - dep_delay AS lost_in_the_air, "
    "distance * 60.0 / air_time AS miles_an_hour, strftime(time_hour, '%Y-%m-%dT%H:%M:%SZ') AS time_hour"
)
JSON_TYPE = pa.struct(
    [
        ("carrier", pa.string()),
        ("flight", pa.int64()),
        ("tailnum", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("distance", pa.int64()),
        ("arr_delay", pa.int64()),
        ("lost_in_the_air", pa.int64()),
        ("miles_an_hour", pa.float64()),
        ("time_hour", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Flights:
    """The first flights of the year, or all: as JSON lines, and as the CSV file that they come from."""

    jsonl: Path
    csv: Path
    count: int


@pytest.fixture(scope="session")
def all_flights(tmp_path_factory: pytest.TempPathFactory) -> Flights:
    folder = tmp_path_factory.mktemp("flights")
    with (folder / "flights.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines())
    with zipfile.ZipFile(archive()) as opened:
        opened.extractall(folder)
    return Flights(folder / "flights.jsonl", folder / "flights.csv", FLIGHTS)


@pytest.fixture(scope="session")
def first_flights(all_flights: Flights, tmp_path_factory: pytest.TempPathFactory) -> Flights:
    folder = tmp_path_factory.mktemp("first-flights")
    few = Flights(folder / "flights.jsonl", folder / "flights.csv", FIRST)
    for whole, part, heads in ((all_flights.jsonl, few.jsonl, 0), (all_flights.csv, few.csv, 1)):
        with whole.open("rb") as file:
            part.write_bytes(b"".join(islice(file, heads + FIRST)))
    return few


# All flights in both formats; and some of them in the format that the log has not had, since there the log makes the
# difference, not the number.
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("format", "flights"), [(Format.JSON, "all_flights"), (Format.AVRO, "first_flights")]
)
def test_delayed_flights_on_the_embedded_log(
    format: Format, flights: str, request: pytest.FixtureRequest, commands: Path, tmp_path: Path
) -> None:
    _check(commands, f"sqlite:{tmp_path / 'flights.db'}", None, format, request.getfixturevalue(flights))


@pytest.mark.kafka
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("format", "flights"), [(Format.AVRO, "all_flights"), (Format.JSON, "first_flights")]
)
def test_delayed_flights_on_kafka(
    format: Format,
    flights: str,
    request: pytest.FixtureRequest,
    kafka: KafkaAddress,
    registry_url: str,
    commands: Path,
) -> None:
    _check(commands, kafka.url, registry_url, format, request.getfixturevalue(flights))


def _check(commands: Path, url: str, registry_url: str | None, format: Format, flights: Flights) -> None:
    def call(*arguments: str, stdin: IO[bytes] | None = None) -> str:
        return _headrace(commands, *arguments, log=url, registry=registry_url, stdin=stdin).stderr

    # Tests share a broker and a registry, where a subject of the name of a topic says that it holds Avro.
    source, target = f"flights_{format.lower()}", f"{TARGET}_{format.lower()}"
    text = (EXAMPLE / "delayed_long_haul.sql").read_text(encoding="utf-8")
    program = text.replace("FROM flights", f"FROM {source}").replace(f"INTO {TARGET}", f"INTO {target}")
    call("topics", "create", source, "--partitions", "4", "--config", "retention.ms=-1")
    schema = ("--schema", f"@{EXAMPLE / 'flights.avsc'}") if format is Format.AVRO else ()
    options = ("--key", "tailnum", "--timestamp", "time_hour", "--value-format", format.value, *schema)
    with flights.jsonl.open("rb") as file:
        said = call("produce", source, *options, stdin=file)
    assert f"{flights.count} records written" in said
    call("run", "-e", program, "--until-end", "--app-id", f"{target}-app")
    with open_log(url) as log, ExitStack() as opened:
        registry = open_registry(registry_url, log)
        if isinstance(registry, ConfluentRegistry):
            opened.callback(registry.close)
        found = _rows(log, registry, target, format)
    differing, expected = _compare(found, flights.csv, format)
    assert found.num_rows == expected > flights.count // 300
    assert differing == 0


def _compare(found: pa.Table, csv: Path, format: Format) -> tuple[int, int]:
    """Give how many rows are on one side only, and how many DuckDB selects from the file."""
    shown = (
        "* REPLACE (strftime(time_hour, '%Y-%m-%dT%H:%M:%SZ') AS time_hour)" if format is Format.AVRO else "*"
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("found", found)
        connection.execute(
            f"CREATE TABLE expected AS SELECT {COLUMNS} FROM read_csv(?, nullstr = 'NA') "
            "WHERE distance > 1500 AND arr_delay > 60",
            [str(csv)],
        )
        connection.execute(f"CREATE TABLE result AS SELECT {shown} FROM found")
        both = "(FROM {} EXCEPT ALL FROM {})"
        query = f"SELECT count(*) FROM {both.format('result', 'expected')}"
        reverse = f"SELECT count(*) FROM {both.format('expected', 'result')}"
        counts = [
            connection.execute(text).fetchall()[0][0]
            for text in (query, reverse, "SELECT count(*) FROM expected")
        ]
    return counts[0] + counts[1], counts[2]


def _rows(log: Log, registry: Registry | None, target: str, format: Format) -> pa.Table:
    """Read the whole target."""
    side = Side(Format.JSON, JSON_TYPE)
    if format is Format.AVRO:
        assert registry is not None
        latest = registry.latest(f"{target}-value")
        assert latest is not None
        side = Side(Format.AVRO, avro_to_arrow(latest[1]), latest[1])
    decoder = make_decoder(side, [()], registry)
    consumer = log.consumer(ConsumerOptions())
    arrays: list[Any] = []
    try:
        admin = log.admin()
        described = admin.describe(target)
        admin.close()
        assert described is not None
        parts = [TopicPartition(target, number) for number in range(described.partitions)]
        ends = {part: end for part, (first, end) in consumer.watermarks(parts).items() if end > first}
        consumer.assign(dict.fromkeys(parts, -2))
        while any(consumer.positions().get(part, 0) < end for part, end in ends.items()):
            for batch in consumer.poll(50_000, 1.0):
                decoded = decoder.decode(cast("pa.BinaryArray", batch.column("value")))
                assert not decoded.errors
                arrays += decoded.columns
    finally:
        consumer.close()
    return pa.Table.from_batches([pa.RecordBatch.from_struct_array(array) for array in arrays])


def _headrace(
    commands: Path, *arguments: str, log: str, registry: str | None = None, stdin: Any = None
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HEADRACE_LOG": log}
    if registry is not None:
        environment["HEADRACE_SCHEMA_REGISTRY"] = registry
    done = subprocess.run(
        [str(commands / "headrace"), *arguments],
        env=environment,
        stdin=stdin or subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done
