"""The benchmark of how cost grows runs whole programs, each of its setups over the records that it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.scale.__main__ import Bench, Setup, setups, show
from benchmarks.state.workloads import Topic
from headrace.log import open_log

if TYPE_CHECKING:
    from pathlib import Path


def test_a_setup_is_run_over_its_records(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path / 'log.db'}"
    setup = Setup("partitions", 2, Topic("payments", 5_000, 10, partitions=2), batch=100)
    with open_log(url) as log:
        point = Bench(log, url, tmp_path / "state").measure(setup)
        assert not [name for name in log.admin().topics() if name.startswith("scale_")], "left behind"
    assert (point.curve, point.at, point.records) == ("partitions", 2, 5_000)
    assert point.rate > 0
    assert 20 < point.peak < 2_000
    assert show([point]).splitlines()[0].startswith("partitions")


def test_topics_of_one_name_are_the_same() -> None:
    named: dict[str, Topic] = {}
    for setup in setups(1_000_000):
        assert named.setdefault(setup.topic.name, setup.topic) == setup.topic
        assert setup.topic.records >= 1_000_000
