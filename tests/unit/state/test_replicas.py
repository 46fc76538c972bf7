"""Which process copies which task."""

from __future__ import annotations

from collections import Counter

from headrace.engine.state.replicas import StatefulTask, followers
from headrace.log.interface import GroupMember, TopicPartition

TASKS = [
    StatefulTask(f"group_{number}", number, (), frozenset({TopicPartition("in", number)}))
    for number in range(120)
]


def members(count: int) -> list[GroupMember]:
    """Give processes of two threads each that share the partitions."""
    return [
        GroupMember(
            f"process{member // 2}",
            frozenset(TopicPartition("in", number) for number in range(member, 120, 2 * count)),
        )
        for member in range(2 * count)
    ]


def copies(count: int, replicas: int) -> dict[str, list[str]]:
    return {task.name: followers(task, members(count), replicas) for task in TASKS}


def test_each_task_has_as_many_copies_as_asked_for_and_none_with_its_owner() -> None:
    for task in TASKS:
        found = followers(task, members(4), 2)
        owner = f"process{task.partition % 8 // 2}"
        assert len(found) == len(set(found)) == 2
        assert owner not in found


def test_copies_are_spread_over_the_processes() -> None:
    shares = Counter(process for found in copies(4, 1).values() for process in found)
    assert len(shares) == 4
    assert min(shares.values()) > 15


def test_more_copies_than_processes_are_one_for_each() -> None:
    assert {len(found) for found in copies(3, 100).values()} == {2}
    assert copies(1, 1) == {task.name: [] for task in TASKS}


def test_a_process_that_follows_goes_and_the_other_copies_stay() -> None:
    task = TASKS[0]
    before = followers(task, members(4), 2)
    left = [member for member in members(4) if member.process != before[0]]
    assert followers(task, left, 1) == before[1:]


def test_a_task_without_an_owner_is_followed_too() -> None:
    idle = [GroupMember("process0", frozenset()), GroupMember("process1", frozenset())]
    assert sorted(followers(TASKS[0], idle, 2)) == ["process0", "process1"]
