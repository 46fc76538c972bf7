"""Kills processors at random: `python -m tests.recovery.soak --kills 200`. Ends with 1 if a record was lost or counted twice.

On a real Kafka of its own, under exactly-once. Each round takes a program, lets its inputs grow, starts one process or two
and kills them some time later or at a step of a commit, of a restore or of a rebalance; now and then local state is deleted
or damaged. After some kills the program runs to the end, and what came out is compared with what must come out. A run that
does not come to its end is a fault too; where each thread of it stands is then told, and how far the group has come.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from headrace.log import open_log
from headrace.log.interface import ConsumerOptions, TopicPartition
from tests.engine.processes import Child
from tests.recovery.child import STEPS
from tests.recovery.programs import PROGRAMS, Workload
from tests.servers.commands import CommandServer
from tests.servers.kafka import KafkaServer

if TYPE_CHECKING:
    from headrace.log.interface import Log

_INSTANCES: Final = ("one", "two")
_PATIENCE: Final = 90.0
"""Seconds within which a program that has not come to the end of its inputs must have come further."""
_STEP_SECONDS: Final = 8.0
"""In which a process is to come to the step at which it ends."""


@dataclass(slots=True)
class Outcome:
    """What a run did and found."""

    kills: int = 0
    at_steps: int = 0
    rounds: int = 0
    records: int = 0
    wiped: int = 0
    damaged: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.at_steps} at steps, {self.kills - self.at_steps} at random times), "
            f"{self.rounds} programs, {self.records} records, local state {self.wiped} times deleted and "
            f"{self.damaged} times damaged: {len(self.faults)} faults"
        )


class Soak:
    """One broker and what is killed on it."""

    def __init__(self, url: str, log: Log, commands: Path, folder: Path, chance: random.Random) -> None:
        self._url = url
        self._log = log
        self._commands = commands
        self._folder = folder
        self._chance = chance
        self._started = 0
        self.outcome = Outcome()

    def round(self, kills: int, records: int) -> None:
        """Kill the processes of one program so many times, then let it end and look."""
        chance, outcome = self._chance, self.outcome
        program = chance.choice([*PROGRAMS])
        work = Workload(self._log, program, f"{program}-{uuid4().hex[:8]}")
        done = 0
        while done < kills:
            work.grow(records)
            names = _INSTANCES[: chance.choice((1, 1, 2))]
            with ExitStack() as stack:
                steps = [self._step() for _ in names]
                children = [
                    stack.enter_context(self._start(work, name, step))
                    for name, step in zip(names, steps, strict=True)
                ]
                self._let_run(children, at_step=any(steps))
                for process in children:
                    code = process.poll()
                    if code is None:
                        process.kill()
                    elif code != -9:
                        outcome.faults.append(f"{work.name}: ended with {code}:\n{process.lines.read_text()}")
                    outcome.at_steps += code == -9
                    done += 1
            self._harm(work)
        # Twice: what closes the windows comes when everything else has been read, by whichever process.
        if self._finished(work):
            work.end()
            if self._finished(work):
                outcome.faults += [f"{work.name}: {fault}" for fault in work.faults()]
        outcome.kills += done
        outcome.rounds += 1
        outcome.records += work.records

    def _let_run(self, children: list[Child], *, at_step: bool) -> None:
        """Wait for the time to kill: soon after the start, or after some work, or when one has ended by itself."""
        begun = time.monotonic()
        if self._chance.random() < 0.8:
            # A busy machine takes its time to start a process.
            until = begun + _STEP_SECONDS
            while time.monotonic() < until and not any("is ready" in c.lines.read_text() for c in children):
                time.sleep(0.05)
        until = time.monotonic() + (_STEP_SECONDS if at_step else self._chance.uniform(0.1, 3.0))
        while time.monotonic() < until and not (at_step and any(c.poll() is not None for c in children)):
            time.sleep(0.05)

    def _finished(self, work: Workload) -> bool:
        """Run to the end of the inputs."""
        with self._start(work, "one", ["until_end=yes"]) as last:
            code = self._ended(last, work)
            if code is None:
                last.send_signal(signal.SIGUSR1)
                time.sleep(1.0)
                stands = f"{self._progress(work)}\n{last.lines.read_text()}"
                fault = f"has not come further for {_PATIENCE:g} s:\n{stands}"
            else:
                fault = "" if code == 0 else f"the last run failed:\n{last.lines.read_text()}"
        if fault:
            self.outcome.faults.append(f"{work.name}: {fault}")
        return not fault

    def _ended(self, last: Child, work: Workload) -> int | None:
        """Give the exit code; None if it does not end, and the group has not come any further for a while."""
        with closing(self._log.admin()) as admin:
            committed, since = admin.group_offsets(work.name), time.monotonic()
            while time.monotonic() - since < _PATIENCE:
                with suppress(TimeoutError):
                    return last.wait(10.0)
                if (now := admin.group_offsets(work.name)) != committed:
                    committed, since = now, time.monotonic()
        return None

    def _progress(self, work: Workload) -> str:
        """Tell how far the group has come, and where the topics of the program end, seen and not seen yet."""
        with (
            closing(self._log.admin()) as admin,
            closing(self._log.consumer(ConsumerOptions())) as reader,
            closing(self._log.consumer(ConsumerOptions(read_committed=False))) as looker,
        ):
            committed = admin.group_offsets(work.name)
            descriptions = [admin.describe(topic) for topic in admin.topics() if work.name in topic]
            places = [
                TopicPartition(item.name, number)
                for item in descriptions
                if item is not None
                for number in range(item.partitions)
            ]
            stable, ends = reader.watermarks(places), looker.watermarks(places)
        return "\n".join(
            f"{item.topic}[{item.partition}]: committed {committed.get(item)}, stable {stable[item][1]}, end {ends[item][1]}"
            for item in places
        )

    def _step(self) -> list[str]:
        if self._chance.random() < 0.5:
            return []
        return [f"step={self._chance.choice(STEPS)}", f"time={self._chance.randint(1, 6)}"]

    def _start(self, work: Workload, name: str, facts: list[str]) -> Child:
        self._started += 1
        lines = self._folder / f"{self._started}-{work.name}-{name}.log"
        named = (
            f"instance={name}",
            f"state={self._state(work, name)}",
            f"batch={self._chance.choice((20, 100, 500))}",
        )
        arguments = (self._url, work.program, work.name, *named, *facts)
        return Child(self._commands, lines, *arguments, module="tests.recovery.child")

    def _state(self, work: Workload, name: str) -> Path:
        return self._folder / "state" / work.name / name

    def _harm(self, work: Workload) -> None:
        """Do to local state what happens to disks."""
        which = self._chance.random()
        folder = self._state(work, self._chance.choice(_INSTANCES))
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
        if not files or which > 0.2:
            return
        if which < 0.1:
            shutil.rmtree(folder)
            self.outcome.wiped += 1
            return
        path = self._chance.choice(files)
        content = bytearray(path.read_bytes())
        for _ in range(20):
            content[self._chance.randrange(len(content))] ^= self._chance.randint(1, 255)
        path.write_bytes(content)
        self.outcome.damaged += 1


def main() -> None:
    """Run until so many were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.recovery.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument(
        "--a-round", type=int, default=10, metavar="KILLS", help="of one program (default 10)"
    )
    parser.add_argument("--records", type=int, default=400, help="by which inputs grow between kills")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", type=Path, help="folder for the lines that the processes wrote")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with ExitStack() as stack:
        folder = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-soak-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        kafka = stack.enter_context(KafkaServer())
        commands = stack.enter_context(CommandServer())
        log = stack.enter_context(open_log(kafka.url))
        soak = Soak(kafka.url, log, commands.folder, folder, random.Random(options.seed))
        while soak.outcome.kills < options.kills:
            before = len(soak.outcome.faults)
            soak.round(min(options.a_round, options.kills - soak.outcome.kills), options.records)
            print(soak.outcome, *soak.outcome.faults[before:], sep="\n", flush=True)
    sys.exit(1 if soak.outcome.faults else 0)


if __name__ == "__main__":
    main()
