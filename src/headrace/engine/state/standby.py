"""Warm standby: local copies of the state of tasks that other processes run, so that a take-over reads the last records alone."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from headrace.engine.state.restore import RestoreJob, Restorer, StoreRestore
from headrace.errors import HeadraceError
from headrace.log.interface import TopicPartition

if TYPE_CHECKING:
    from headrace.engine.state.directory import StateDirectory
    from headrace.engine.state.replicas import Replicas, StatefulTask
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology
    from headrace.telemetry.metrics import Metrics

_HELD: Final = 4.0
"""Longest time to hold a folder, in seconds: less than a task of another process on this machine waits for it. What is
left is read in the next rounds."""

_LOOK: Final = 0.02
"""Seconds between two looks at whether a copy is complete, or wanted."""

_LOGGER: Final = logging.getLogger("headrace.engine.state.standby")


class Standby:
    """A thread that follows the changelogs of tasks that do not run here; from `start` to `close`."""

    def __init__(
        self,
        topology: Topology,
        log: Log,
        replicas: Replicas,
        directory: StateDirectory,
        metrics: Metrics,
        interval: float,
    ) -> None:
        """Begin with nothing.

        Args:
            topology: with the names of its internal topics.
            log: where the changelogs are.
            replicas: tells which tasks.
            directory: of local state; a folder that is in use belongs to a task that runs.
            metrics: of the processor.
            interval: seconds between two rounds over all tasks: how far copies are behind.
        """
        settings = topology.settings
        self._log = log
        self._replicas = replicas
        self._properties = {**settings.client, **settings.consumer_client}
        self._directory = directory
        self._metrics = metrics
        self._interval = interval
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="headrace-standby", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """Let go of all folders and end the thread."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        told = ""
        restorer = self._restorer()
        try:
            while not self._closing.wait(self._interval):
                try:
                    for task in self._replicas.mine(self._log):
                        if self._closing.is_set():
                            return
                        self._follow(restorer, task)
                except HeadraceError as error:
                    # A copy is of use and not needed: the processor itself says what is wrong when it meets it.
                    if str(error) != told:
                        told = str(error)
                        _LOGGER.warning("state is not followed for now: %s", told)
                    restorer.close()
                    restorer = self._restorer()
        finally:
            restorer.close()

    def _restorer(self) -> Restorer:
        return Restorer(self._log, self._properties, self._metrics, announces=False)

    def _follow(self, restorer: Restorer, task: StatefulTask) -> None:
        """Bring the copy of one task to the present end of its changelogs."""
        folder = self._directory.borrow(task.name)
        if folder is None:
            return
        places = [
            StoreRestore(operator, TopicPartition(operator.store.changelog.name, task.partition))
            for operator in task.operators
        ]
        job = RestoreJob(task.name, folder.store, places, time.monotonic(), folder.followed)
        try:
            restorer.begin([job])
            end = time.monotonic() + _HELD
            while not job.finished:
                if self._closing.is_set() or self._directory.wanted(task.name) or time.monotonic() > end:
                    restorer.cancel(job)
                time.sleep(_LOOK)
        finally:
            if job.damaged:
                self._directory.discard(folder)
            else:
                folder.store.close()
        if job.error is not None:
            raise job.error
