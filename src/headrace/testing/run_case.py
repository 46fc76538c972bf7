"""Runs a case through the real parser, planner and engine, in several ways that must all give the same."""

from __future__ import annotations

import itertools
import tempfile
import threading
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from headrace.catalog import Catalog
from headrace.engine import Clock, Processor, ProcessorOptions
from headrace.errors import ProgramError, RunError
from headrace.errors.render import render
from headrace.formats.registry import open_registry
from headrace.log.embedded import EmbeddedLog
from headrace.log.interface import ProducerOptions, TopicDescription
from headrace.plan.topology import RunSettings
from headrace.planner import plan_program
from headrace.sql import parse_program
from headrace.testing.interrupted import Interrupted, InterruptedLog, interrupt
from headrace.testing.outcome import Outcome, outcome_of, results_at_commits
from headrace.testing.records import encode_records, register_schemas, time_of
from headrace.testing.variants import PLAIN, Stop, Variant

if TYPE_CHECKING:
    from collections.abc import Callable

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology
    from headrace.testing.case_file import Case, TopicInput

NAME: Final = "case.sql"

_COMMIT_INTERVAL: Final = 0.02
"""Seconds, instead of the product's default: cases are many and short."""

_CLOCK: Final = Clock(None, of_records=True)
"""PROCTIME() of a record is its own timestamp, or the largest before it in its partition."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A case with its plan, or what was refused: to be run in several ways."""

    case: Case
    partitions: int
    topology: Topology | ProgramError

    @property
    def stateful(self) -> bool:
        """Say whether the program keeps state."""
        return not isinstance(self.topology, ProgramError) and bool(self.topology.operators)

    def fitting(self, variant: Variant) -> Variant:
        """Give the variant, or the nearest one in which the program has to give the same.

        Records that go through a repartition topic are in one order as far as one thread reads them. Of two instances each
        writes there on its own, so then only results at commits, which do not tell the order, are the same.
        """
        if isinstance(self.topology, ProgramError) or variant.instances == 1:
            return variant
        own = (int(topic.options.get("partitions", variant.partitions)) for topic in self.case.topics)
        if max(own, default=1) == 1:
            return variant
        outer = [source for source in self.topology.sources.values() if not source.internal]
        if len(outer) == len(self.topology.sources) or (
            len(outer) == 1 and results_at_commits(self.topology)
        ):
            return variant
        return replace(variant, instances=1)


def plan_case(case: Case, partitions: int = 1) -> Planned:
    """Plan a case, on a log of its own that holds all records, since types may be found by sampling."""
    with EmbeddedLog(":memory:") as log:
        registry = open_registry(None, log)
        ids = _create(case, partitions, log, registry)
        _produce(case, log, ids, None)
        with closing(Catalog(log, registry)) as catalog:
            try:
                program = parse_program(case.sql, NAME)
                topology = plan_program(program, catalog, defaults=case.defaults, folder=case.folder)
            except ProgramError as error:
                return Planned(case, partitions, error)
    return Planned(case, partitions, topology)


def run_case(case: Case, variant: Variant = PLAIN, planned: Planned | None = None) -> Outcome:
    """Run a case on an embedded log in memory.

    Args:
        case: what to run.
        variant: how.
        planned: its plan for as many partitions, if there is one already.
    """
    with EmbeddedLog(":memory:") as log:
        return run_on(case, variant, log, open_registry(None, log), planned)


def run_on(
    case: Case,
    variant: Variant,
    log: Log,
    registry: Registry | None,
    planned: Planned | None = None,
    crash: Callable[[CaseRun, int], RunError | None] | None = None,
) -> Outcome:
    """Run a case on a log that has none of its topics yet.

    Args:
        case: what to run.
        variant: how.
        log: where.
        registry: of the log.
        planned: its plan for as many partitions, if there is one already.
        crash: carries out what `CaseRun.crash` does for a number of records, for example in another process.
    """
    if planned is None or planned.partitions != variant.partitions:
        planned = plan_case(case, variant.partitions)
    variant = planned.fitting(variant)
    topology = planned.topology
    if isinstance(topology, ProgramError):
        return Outcome({"diagnostics": render(topology) + "\n"})
    ids = _create(case, variant.partitions, log, registry)
    with tempfile.TemporaryDirectory() as folder:
        run = CaseRun(topology, log, registry, variant, Path(folder))
        failure = None
        for half in (0, 1) if variant.stop is Stop.CLEAN else (None,):
            _produce(case, log, ids, half)
            if variant.stop is Stop.CRASH:
                failure = (crash or CaseRun.crash)(run, sum(len(topic.records) for topic in case.topics))
            failure = failure or run.to_the_end() or run.pass_time(_newest(case, half))
            if failure is not None:
                break
    return outcome_of(case, topology, log, registry, failure)


class CaseRun:
    """The processors of one application, one life after the other."""

    def __init__(
        self,
        topology: Topology,
        log: Log,
        registry: Registry | None,
        variant: Variant,
        folder: Path,
        application: str | None = None,
    ) -> None:
        """Begin with nothing processed.

        Args:
            topology: of the case.
            log: holds the topics of the case.
            registry: of the log.
            variant: how to run.
            folder: for local state.
            application: its name; one that nobody else has by default.
        """
        settings = topology.settings
        if settings.commit_interval == RunSettings().commit_interval:
            topology = replace(topology, settings=replace(settings, commit_interval=_COMMIT_INTERVAL))
        self._topology = topology
        self._log = log
        self._registry = registry
        self.variant = variant
        self.folder = folder
        # Where nothing stops, nobody reads them again.
        self._keeps_files = bool(topology.operators) and variant.stop is not Stop.NONE
        self.application = application or f"case-{uuid4().hex[:8]}"

    def crash(self, records: int, end: Callable[[], None] = interrupt, number: int = 0) -> RunError | None:
        """Process up to a commit in the middle: every other one is still carried out, and what follows it is not.

        Args:
            records: of all inputs.
            end: ends the processor.
            number: of the instance.
        """
        polls = -(-records // self.variant.batch)
        log = InterruptedLog(self._log, max(1, polls // 2), after=polls % 2 == 0, end=end)
        try:
            return self._process(log, number)
        except Interrupted:
            return None

    def to_the_end(self) -> RunError | None:
        """Process to the end of the inputs."""
        found: list[BaseException | None] = []

        def body(number: int) -> None:
            try:
                found.append(self._process(self._log, number))
            except BaseException as error:
                found.append(error)

        others = [
            threading.Thread(target=body, args=(number,)) for number in range(1, self.variant.instances)
        ]
        for other in others:
            other.start()
        body(0)
        for other in others:
            other.join()
        failure = next((item for item in found if item is not None), None)
        if failure is not None and not isinstance(failure, RunError):
            raise failure
        return failure

    def pass_time(self, until: int) -> RunError | None:
        """Let the clock of PROCTIME() come to a time, milliseconds, after everything that came before it."""
        if not any(operator.clock for operator in self._topology.operators):
            return None
        return self._process(self._log, 0, Clock(lambda: until, of_records=True))

    def _process(self, log: Log, number: int, clock: Clock = _CLOCK) -> RunError | None:
        options = ProcessorOptions(
            self.application,
            until_end=True,
            batch_records=self.variant.batch,
            # Commits come by what was read, not by the time that a busy machine takes.
            in_flight_records=self.variant.batch if self.variant.stop is Stop.CRASH else 1_000_000,
            lag_interval=0,
            state_dir=self.folder / str(number) if self._keeps_files else None,
            clock=clock,
        )
        try:
            Processor(self._topology, log, self._registry, options).run()
        except RunError as error:
            return error
        return None


def _create(case: Case, partitions: int, log: Log, registry: Registry | None) -> dict[str, dict[str, int]]:
    ids = {}
    with closing(log.admin()) as admin:
        for topic in case.topics:
            ids[topic.name] = register_schemas(topic, registry)
            count = int(topic.options.get("partitions", partitions))
            admin.create(TopicDescription(topic.name, count))
    return ids


def _produce(case: Case, log: Log, ids: dict[str, dict[str, int]], half: int | None) -> None:
    with closing(log.producer(ProducerOptions())) as producer:
        for topic in case.topics:
            records = _half(case, topic, half)
            if records:
                producer.send(topic.name, encode_records(topic, records, ids[topic.name]))
        failures = producer.flush(30.0)
    assert not failures, failures[0].reason


def _half(case: Case, topic: TopicInput, half: int | None) -> list[tuple[int, dict[str, object]]]:
    """Give the records of a topic on one side of a restart, with their numbers.

    Topics are cut at one time, as they are read in the order of times; a case may say how many records of a topic come before.
    """
    records = list(enumerate(topic.records))
    if half is None:
        return records
    if "restart" in topic.options:
        middle = int(topic.options["restart"])
    else:
        times = sorted(time for item in case.topics for time in _reached(item))
        cut = times[(len(times) - 1) // 2] if times else 0
        middle = sum(time <= cut for time in _reached(topic))
    return records[:middle] if half == 0 else records[middle:]


def _newest(case: Case, half: int | None) -> int:
    """Give the time of the newest record given so far, of any topic: there the clock of PROCTIME() stands."""
    halves = (None,) if half is None else range(half + 1)
    records = (item for topic in case.topics for part in halves for item in _half(case, topic, part))
    return max((time_of(number, record) for number, record in records), default=0)


def _reached(topic: TopicInput) -> list[int]:
    """Give, for each record, the largest time up to it."""
    times = (time_of(number, record) for number, record in enumerate(topic.records))
    return list(itertools.accumulate(times, max))
