"""The file of the embedded log meets the limits of the operating system."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.log import open_log
from headrace.plan.topology import Guarantee
from tests.engine.programs import create, fill, read

COMMAND = Path(sys.executable).with_name("headrace")
"""Under limits, which a forked command would not inherit."""
COUNT = 20_000
PROGRAM = """\
SET autocreate=true;
SET processing.guarantee='{guarantee}';
INSERT INTO copied SELECT STREAM n, s FROM given WHERE _vtype='JSON' AND _ktype='BYTES'
"""


def run(command: Path, url: str, guarantee: Guarantee, largest_file: int) -> tuple[int, str]:
    done = subprocess.run(
        [command, "run", "--until-end", "-e", PROGRAM.format(guarantee=guarantee.value), "--log", url],
        env={**os.environ, "HEADRACE_APP_ID": "copier"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)),
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("guarantee", list(Guarantee))
def test_a_log_that_cannot_grow_stops_the_run_and_loses_nothing(
    tmp_path: Path, commands: Path, guarantee: Guarantee
) -> None:
    chance = random.Random(1)
    url = f"sqlite:{tmp_path / 'log.db'}"
    with open_log(url) as log:
        create(log, "given", 2)
        # Chance is what cannot be compressed.
        fill(log, "given", [f'{{"n":{n},"s":"{chance.getrandbits(128):x}"}}'.encode() for n in range(COUNT)])
    # What is copied stands in the write-ahead log first: a file of its own, which gets no larger than this.
    code, told = run(COMMAND, url, guarantee, 400_000)
    assert code == 1, told
    assert "error[LOG0128]: cannot read or write" in told or "error[LOG0126]: no space left" in told
    assert told.count("error[") == 1
    code, told = run(commands / "headrace", url, guarantee, resource.RLIM_INFINITY)
    assert code == 0, told
    with open_log(url) as log:
        keys = [row["value"] for row in read(log, "copied")]
    assert len(set(keys)) == COUNT
    if guarantee is Guarantee.EXACTLY_ONCE:
        assert len(keys) == COUNT
