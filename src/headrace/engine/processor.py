"""Runs a topology: prepares the targets, starts the threads, watches them, stops them."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from headrace.engine.ends import EndOfProgram, partitions_of_topics
from headrace.engine.open_transactions import OpenTransactions
from headrace.engine.preparation import prepare
from headrace.engine.reports import FailureReports
from headrace.engine.session import Surroundings, ThreadState
from headrace.engine.state.description import describe_stores
from headrace.engine.state.directory import StateDirectory, forget, home_of
from headrace.engine.state.memory import state_memory
from headrace.engine.state.naming import named
from headrace.engine.state.ownership import check_changelogs
from headrace.engine.state.purge import Purge
from headrace.engine.state.replicas import Replicas, process_name
from headrace.engine.state.standby import Standby
from headrace.engine.tasks.ticks import closings_of
from headrace.engine.waiting import ServiceWatch
from headrace.engine.worker import work
from headrace.log.errors import LogError
from headrace.log.interface import Admin, Consumer, ConsumerOptions, Log
from headrace.plan.subtopologies import subtopologies
from headrace.telemetry.events import ProcessorStarted, ProcessorStopped
from headrace.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from headrace.engine.options import ProcessorOptions
    from headrace.formats.interface import Registry
    from headrace.plan.topology import Topology

_WATCH = 0.05
"""Seconds between two looks of the watching thread."""

_WATCH_FOR_END = 0.005
"""The same while somebody waits for the run to end."""

_LOOK = 0.5
"""Seconds between two looks at the connection to the broker."""

_WATCHER = -1
"""Number of the watching thread, among those that report on the broker."""

_BROKER_GRACE = 1.5
"""Seconds without any broker before it counts as away: reconnecting after an idle time is no news."""


class Processor:
    """A running SQL program: one consumer group, any number of threads, here and in other processes."""

    def __init__(
        self, topology: Topology, log: Log, registry: Registry | None, options: ProcessorOptions
    ) -> None:
        """Take what is needed; nothing is touched before `run`.

        Args:
            topology: from the planner.
            log: where the topics are; stays open.
            registry: for Avro; may be None if no format of the topology needs it.
            options: name of the application and how to run it.
        """
        self.metrics = Metrics()
        self._reports = FailureReports(self.metrics)
        self._topology = named(topology, options.application)
        self._log = log
        self._registry = registry
        self._options = options
        self._stopping = threading.Event()
        self._broker = ServiceWatch(f"the broker of {log.name}", self.metrics, _BROKER_GRACE)
        self._schemas = ServiceWatch("the schema registry", self.metrics, 0.0)
        self._states: list[ThreadState] = []
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._running = False
        self._monitor: Consumer | None = None
        self._looker: Consumer | None = None
        self._transactions = OpenTransactions(self._topology, log, self.metrics)

    def run(self) -> None:
        """Process until `stop` is called, or until the end of the inputs is committed if the options say so.

        Raises:
            RunError: a record stopped the run by policy, or the log or the registry refused something.
        """
        self._forget_local()
        targets = prepare(self._topology, self._log, self._registry, self._options.discard_state)
        settings = self._topology.settings
        properties = {**settings.client, **settings.consumer_client}
        check_changelogs(self._topology, self._log, properties, self._options.application)
        topics = sorted(source.topic for source in self._topology.sources.values())
        self.metrics.declare(topics, sorted(sink.topic for sink in self._topology.sinks.values()))
        count = max(1, self._topology.settings.threads)
        admin = self._log.admin()
        around = Surroundings(
            topology=self._topology,
            log=self._log,
            registry=self._registry,
            options=self._options,
            targets=targets,
            metrics=self.metrics,
            reports=self._reports,
            broker=self._broker,
            schemas=self._schemas,
            stopping=self._stopping,
            identity=self._options.instance or secrets.token_hex(6),
            directory=self._state_directory(admin),
            state_memory=state_memory(self._topology.settings.state_memory),
        )
        standby = None
        if settings.standby_replicas and self._options.state_dir is not None:
            process = process_name(around.identity)
            replicas = Replicas(self._topology, self._options.application, process)
            standby = Standby(
                self._topology,
                self._log,
                replicas,
                around.directory,
                self.metrics,
                self._options.standby_interval,
            )
        try:
            end = None
            if self._options.until_end:
                end = EndOfProgram(self._topology, admin, self._monitoring(), self._looking())
            self._states = [ThreadState() for _ in range(count)]
            threads = [
                threading.Thread(
                    target=self._body, args=(around, number, state), name=f"headrace-{number}", daemon=True
                )
                for number, state in enumerate(self._states)
            ]
            ProcessorStarted(self._options.application, count, self._log.name).emit(self.metrics)
            self._running = True
            for thread in threads:
                thread.start()
                # One that has not begun would count as one that has ended.
                self._threads.append(thread)
            if standby is not None:
                standby.start()
            self._watch(end, Purge(self._topology, admin), self._to_pass(admin))
        finally:
            self._stopping.set()
            if standby is not None:
                standby.close()
            for thread in self._threads:
                thread.join()
            self._reports.tell(everything=True)
            self._running = False
            self.metrics.set_state(up=False, threads=0, waiting=0)
            for consumer in (self._monitor, self._looker):
                if consumer is not None:
                    consumer.close()
            self._transactions.close()
            admin.close()
        if self._failure is not None:
            raise self._failure
        now = self.metrics.snapshot()
        ProcessorStopped(
            self._options.application,
            sum(now.consumed.values()),
            sum(now.produced.values()),
            sum(now.errors.values()),
        ).emit(self.metrics)

    def _forget_local(self) -> None:
        """Empty the local copies of the state that is given up; if the start is refused, the changelogs still have it."""
        options = self._options
        given_up = {
            item.store.name: item.store.fingerprint
            for item in self._topology.operators
            if item.store.name in options.discard_state
        }
        if given_up and options.state_dir is not None:
            with closing(self._log.admin()) as admin:
                forget(home_of(options.state_dir, options.application, admin.identity()), given_up)

    def _state_directory(self, admin: Admin) -> StateDirectory:
        options = self._options
        identity = ""
        if options.state_dir is not None and self._topology.operators:
            identity = admin.identity()
            describe_stores(home_of(options.state_dir, options.application, identity), self._topology)
        return StateDirectory(options.state_dir, options.application, identity, self.metrics)

    def stop(self) -> None:
        """Ask for the end and return at once: the batch is finished and committed, then the group is left.

        May be called from any thread and from a signal handler.
        """
        self._stopping.set()

    def live(self) -> bool:
        """Say whether it works, or is about to: false once a thread has failed."""
        return self._failure is None and all(thread.is_alive() for thread in self._threads)

    def ready(self) -> bool:
        """Say whether it processes records: the group is joined, and neither broker nor registry is away."""
        return (
            self._running
            and not self._stopping.is_set()
            and self.live()
            and any(state.joined for state in self._states)
            and not self._broker.away
            and not self._schemas.away
        )

    def _body(self, around: Surroundings, number: int, state: ThreadState) -> None:
        try:
            work(around, number, state)
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error
        finally:
            self._stopping.set()

    def _to_pass(self, admin: Admin) -> set[tuple[str, int]]:
        """Give the tasks that a clock must have moved on before the end, where it stands at a given time."""
        clock = self._options.clock
        if clock.read is None or not clock.of_records:
            return set()
        timed = {item.id for item in self._topology.operators if item.clock and closings_of(item.kernel)}
        return {
            (group.id, place.partition)
            for group in subtopologies(self._topology)
            if timed.intersection(group.operators)
            for place in partitions_of_topics(
                admin, [self._topology.sources[name].topic for name in group.sources]
            )
        }

    def _watch(self, end: EndOfProgram | None, purge: Purge, to_pass: set[tuple[str, int]]) -> None:
        next_look = time.monotonic() + _LOOK
        next_lag = time.monotonic() + min(0.5, self._options.lag_interval)
        pause = _WATCH if end is None else _WATCH_FOR_END
        while not self._stopping.wait(pause):
            if time.monotonic() >= next_look:
                # A thread that waits inside a commit cannot tell that the broker is away.
                self._monitoring().poll(1, 0.0)
                self._broker.seen(_WATCHER, there=self._monitoring().healthy())
                next_look = time.monotonic() + _LOOK
            waiting = max(self._broker.waiting(), self._schemas.waiting())
            self._reports.tell()
            self.metrics.set_state(up=True, threads=len(self._threads), waiting=waiting)
            if self._broker.away:
                continue
            committed = {item: offset for state in self._states for item, offset in state.committed.items()}
            passed = {task for state in self._states for task in state.passed}
            if end is not None and to_pass <= passed and end.reached(committed):
                return
            purge.look(committed)
            self._transactions.look({place for state in self._states for place in state.owned})
            if self._options.lag_interval and time.monotonic() >= next_lag:
                self._measure_lag()
                next_lag = time.monotonic() + self._options.lag_interval

    def _measure_lag(self) -> None:
        owned = {partition: state for state in self._states for partition in state.owned}
        try:
            marks = self._monitoring().watermarks(sorted(owned), timeout=2.0)
        except LogError:
            return
        lag: dict[tuple[str, int], int] = {}
        for partition, (first, last) in marks.items():
            position = owned[partition].committed.get(partition, first)
            lag[partition.topic, partition.partition] = max(0, last - position)
        self.metrics.set_lag(lag)

    def _monitoring(self) -> Consumer:
        if self._monitor is None:
            self._monitor = self._log.consumer(
                ConsumerOptions(
                    # Of the group, to see what other members commit; it never joins.
                    group=self._options.application,
                    properties={**self._topology.settings.client, **self._topology.settings.consumer_client},
                )
            )
        return self._monitor

    def _looking(self) -> Consumer:
        """Give a consumer that sees what is not committed yet, if there are topics where that counts."""
        if not any(source.internal for source in self._topology.sources.values()):
            return self._monitoring()
        settings = self._topology.settings
        properties = {**settings.client, **settings.consumer_client}
        self._looker = self._log.consumer(ConsumerOptions(read_committed=False, properties=properties))
        return self._looker
