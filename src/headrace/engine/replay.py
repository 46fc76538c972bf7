"""Runs over a stretch of the past: from a time, and up to one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from headrace.engine.bounded import BoundedLog
from headrace.engine.ends import partitions_of_topics
from headrace.engine.reset import Target, commit_offsets, positions
from headrace.errors import RunError
from headrace.log.interface import ConsumerOptions, TopicPartition

if TYPE_CHECKING:
    from headrace.log.interface import Log
    from headrace.plan.topology import Topology


def begin_at(log: Log, topology: Topology, application: str, time: int) -> bool:
    """Let an application begin at a time in the partitions that it has never read; False if there are none.

    In the others it goes on where it stopped, so that a replay which was interrupted is finished by the same call.

    Args:
        log: where the topics are.
        topology: of its program.
        application: its id; no process of it runs.
        time: milliseconds since the epoch: of each partition the first record that is not earlier is the first to be read.

    Raises:
        RunError: it runs, and has not committed offsets yet.
    """
    missing = _never_read(log, topology, application)
    if not missing:
        return False
    with closing(log.consumer(ConsumerOptions())) as consumer:
        begin = positions(consumer, missing, Target(time=time))
    try:
        commit_offsets(log, application, begin)
    except RunError:
        # Another process of the same replay was first: then all partitions have offsets.
        if _never_read(log, topology, application):
            raise
    return True


def bounded(log: Log, topology: Topology, time: int) -> BoundedLog:
    """Give the log up to a time: of each input partition the records before the first that is not earlier.

    Whatever stands behind that record is left for another run, whatever its timestamp: where timestamps are out of order, a
    stretch of a partition is what a run at that time would have read.
    """
    with closing(log.admin()) as admin:
        places = partitions_of_topics(admin, _inputs(topology))
    with closing(log.consumer(ConsumerOptions())) as consumer:
        return BoundedLog(log, positions(consumer, places, Target(time=time)))


def _inputs(topology: Topology) -> list[str]:
    return sorted(source.topic for source in topology.sources.values() if not source.internal)


def _never_read(log: Log, topology: Topology, application: str) -> list[TopicPartition]:
    with closing(log.admin()) as admin:
        committed = admin.group_offsets(application)
        return [place for place in partitions_of_topics(admin, _inputs(topology)) if place not in committed]
