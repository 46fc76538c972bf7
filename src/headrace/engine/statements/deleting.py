"""DELETE FROM and TRUNCATE: tombstones for keys of a compacted topic, offsets to begin at for any other."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.engine.snapshot import Budget, SnapshotQuery
from headrace.engine.statements.answers import Done
from headrace.engine.statements.limiting import limited, need_end, rows_to_write
from headrace.engine.statements.workspace import failed
from headrace.engine.statements.writing import send
from headrace.errors.codes import run as codes
from headrace.log.interface import ConsumerOptions, TopicPartition
from headrace.planner.snapshot import plan_condition, plan_offsets, plan_query
from headrace.sql import parse_query
from headrace.sql.printer import print_query, ticked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headrace.config.query_settings import QuerySettings
    from headrace.engine.snapshot import Ending, Limits
    from headrace.engine.statements.workspace import Workspace
    from headrace.errors import Source
    from headrace.sql.commands import Delete, Truncate

_LATEST: Final = (
    "SELECT _key AS k, _meta.partition AS p, max(_meta.offset) AS o "
    "FROM {topic} WHERE _ktype = BYTES AND _vtype = BYTES AND _key IS NOT NULL GROUP BY _key, _meta.partition"
)
"""The bytes of each key and where its last record stands: what an older record held does not count any more."""

_MATCHING: Final = "SELECT _meta.partition AS p, _meta.offset AS o FROM {topic} WHERE {condition}"


def delete(statement: Delete, source: Source, workspace: Workspace, settings: QuerySettings) -> Done:
    """Delete what a condition says.

    Raises:
        ProgramError: there is no such topic, the condition is wrong, or the topic cannot lose single records.
        RunError: a limit of the settings or KILL QUERY has ended it; it says how many keys are deleted.
        LogError: the log refuses.
    """
    topic = workspace.described(statement.name, statement.name_span)
    text = source.text[statement.span.start : statement.span.end]
    ended = partial(_need_end, "DELETE", statement, source, topic.name)
    if "compact" in topic.configs.get("cleanup.policy", ""):
        # What is wrong with the condition is found, and shown in the user's text, before anything else.
        plan_condition(statement, source, topic, workspace.catalog)
        matching = _MATCHING.format(topic=ticked(topic.name), condition=print_query(statement.condition))
        query = f"SELECT k, r.p AS p FROM ({_latest(topic.name)}) AS r JOIN ({matching}) AS m ON r.p = m.p AND r.o = m.o"
        with limited(text, workspace, settings) as limits:
            count = _bury(query, topic.name, workspace, limits, ended)
        return Done(f"{_keys(count)} of `{topic.name}` deleted")
    bounds = plan_offsets(statement, source, topic, workspace.catalog)
    places = [TopicPartition(topic.name, number) for number in bounds.partitions or range(topic.partitions)]
    with limited(text, workspace, settings) as limits:
        count = _cut_off(places, bounds.end_offset or 0, workspace, limits, ended)
    return Done(f"records of `{topic.name}` deleted, up to {count}")


def truncate(statement: Truncate, source: Source, workspace: Workspace, settings: QuerySettings) -> Done:
    """Remove all records of a topic: below its present ends, or, where the log keeps the last of each key, by tombstones.

    Raises:
        ProgramError: there is no such topic.
        RunError: a limit of the settings or KILL QUERY has ended it; it says how many keys are deleted.
        LogError: the log refuses.
    """
    topic = workspace.described(statement.name, statement.name_span)
    text = source.text[statement.span.start : statement.span.end]
    ended = partial(_need_end, "TRUNCATE", statement, source, topic.name)
    if "delete" not in topic.configs.get("cleanup.policy", "delete"):
        with limited(text, workspace, settings) as limits:
            count = _bury(
                f"SELECT k, p FROM ({_latest(topic.name)}) AS r", topic.name, workspace, limits, ended
            )
        return Done(
            f"{_keys(count)} of `{topic.name}` deleted; the log removes their records when it compacts the topic"
        )
    places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    with limited(text, workspace, settings) as limits:
        _cut_off(places, None, workspace, limits, ended)
    workspace.catalog.forget()
    return Done(f"table `{topic.name}` truncated")


def _cut_off(
    places: Sequence[TopicPartition],
    end_offset: int | None,
    workspace: Workspace,
    limits: Limits,
    check: Callable[[Ending, int], None],
) -> int:
    """Delete the records of partitions up to an offset; gives how many there may have been.

    Args:
        places: the partitions.
        end_offset: first that stays; None deletes up to the present end of each.
        workspace: with its log.
        limits: of time, looked at once: before anything is deleted. The log deletes in one step, and nothing is read.
        check: told whether a limit has ended it, and that nothing is deleted.
    """
    budget = Budget(replace(limits, max_bytes=None, idle_seconds=None))
    with closing(workspace.log.consumer(ConsumerOptions())) as consumer:
        marks = consumer.watermarks(places)
    budget.spent()
    check(budget.ending, 0)
    ends = {place: end if end_offset is None else min(end, end_offset) for place, (_, end) in marks.items()}
    wanted = {place: end for place, end in ends.items() if end > marks[place][0]}
    with closing(workspace.log.admin()) as admin:
        admin.delete_records(wanted)
    return sum(end - marks[place][0] for place, end in wanted.items())


def _keys(count: int) -> str:
    """Say how many keys."""
    return "1 key" if count == 1 else f"{count} keys"


def _need_end(
    name: str, statement: Delete | Truncate, source: Source, topic: str, ending: Ending, count: int
) -> None:
    """Say how many keys are deleted. Raises RunError: a limit has ended the statement."""
    done = f"{_keys(count)} of `{topic}` deleted before" if count else _nothing(topic)
    need_end(ending, name, done, statement.span, source)


def _nothing(topic: str) -> str:
    return f"nothing of `{topic}` was deleted"


def _bury(
    text: str, topic: str, workspace: Workspace, limits: Limits, check: Callable[[Ending, int], None]
) -> int:
    """Write a tombstone for each key that a query gives, with its partition; gives how many.

    Args:
        text: the query.
        topic: that has the keys.
        workspace: with its log.
        limits: of the query.
        check: told which limit has ended the query, and how many tombstones are written.
    """
    plan = plan_query(parse_query(text), workspace.catalog)
    count = 0
    with SnapshotQuery(plan, workspace.log, workspace.registry, limits=limits) as query:
        for batch in rows_to_write(query, plan, _nothing(topic)):
            tombstones = pa.RecordBatch.from_arrays(
                [batch.column(0), batch.column(1).cast(pa.int32()), pa.nulls(batch.num_rows, pa.binary())],
                names=["key", "partition", "value"],
            )
            send(workspace.log, topic, [tombstones])
            count += batch.num_rows
        check(query.ending, count)
        if query.failed:
            message = f"{query.failed} records of `{topic}` cannot be decoded, and were left as they are ({_keys(count)} deleted)"
            raise failed(codes.QUERY_FAILED, message)
    return count


def _latest(topic: str) -> str:
    return _LATEST.format(topic=ticked(topic))
