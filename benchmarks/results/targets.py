"""What is wanted of the engine, and whether the figures show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.peers.figures import OURS, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.figures import Figures
    from benchmarks.results.raw import Raw

STREAMS: Final = "Kafka Streams"
FLINK: Final = "Flink SQL"
JVM: Final = (STREAMS, FLINK)
QUIX: Final = "Quix Streams"
KINDS: Final = {
    "stateless programs": (3.0, ("vessels", "vessels-avro", "q1")),
    "windowed aggregates": (3.0, ("payments", "q5", "q7", "q11", "q12")),
    "joins": (2.0, ("q8", "q20")),
}
"""How many times less CPU than an engine of the JVM is wanted, and of which programs."""
_QUIX: Final = 15.0
_MEMORY: Final = 0.5
_START: Final = 1.5
_RESTART: Final = 10.0
_KEYS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Check:
    """One figure that a target speaks of.

    Args:
        case: what was measured.
        found: its ratio or value, of medians; None where it cannot be told.
        worst: what it is when the spread of the runs goes against us.
    """

    case: str
    found: float | None
    worst: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One target.

    Args:
        title: what is wanted.
        wanted: the value that is to be reached.
        unit: of the values.
        upward: more is better.
        checks: what was measured; empty where nothing was.
    """

    title: str
    wanted: float
    unit: str
    upward: bool
    checks: Sequence[Check]

    def holds(self, check: Check) -> bool | None:
        """Say whether a figure reaches the target; None where there is none."""
        if check.found is None:
            return None
        return check.found >= self.wanted if self.upward else check.found <= self.wanted

    @property
    def verdict(self) -> str:
        """Whether all figures reach it, and how many of them do; where some are missing, it does not hold yet."""
        held = [self.holds(check) for check in self.checks]
        count = f"{held.count(True)} of {len(held)}"
        if False in held:
            return f"**no**: {count}"
        if None in held or not held:
            return f"not measured yet: {count}" if held else "not measured yet"
        return f"yes: {count}"

    @property
    def furthest(self) -> Check | None:
        """The figure that is closest to failing, or has failed by most."""
        told = [check for check in self.checks if check.found is not None]
        return (min if self.upward else max)(told, key=lambda check: check.found or 0.0) if told else None


def targets(raw: Raw) -> Iterator[Target]:
    """Give all targets with what was measured of them."""
    for kind, (wanted, programs) in KINDS.items():
        for engine in JVM:
            title = f"{wanted:g} times the records per CPU second of {engine}, {kind}"
            yield Target(title, wanted, "x", True, _cpu(raw, engine, programs))
    title = f"{_QUIX:g} times the records per CPU second of {QUIX}, all programs"
    yield Target(title, _QUIX, "x", True, _cpu(raw, QUIX))
    others = list(dict.fromkeys(item.engine for item in raw.figures if item.engine != OURS))
    ahead = [check for engine in others for check in _cpu(raw, engine)]
    yield Target("behind no peer on any program, records per CPU second", 1.0, "x", True, ahead)
    for engine in JVM:
        title = f"at most half of the peak memory of {engine}, all programs"
        yield Target(title, _MEMORY, "x", False, _memory(raw, engine))
    firsts = [
        Check(item.program, item.first.median, item.first.high)
        for item in raw.figures
        if item.engine == OURS and item.first is not None
    ]
    yield Target(f"first result within {_START} s of the start", _START, " s", False, firsts)
    title = f"p99 latency no worse than {STREAMS}', at half of the slowest engine's capacity"
    yield Target(title, 1.0, "x", False, list(_latency(raw)))
    title = f"a warm restart after `kill -9` {_RESTART:g} times as quick as {STREAMS}', {_KEYS:,} keys"
    yield Target(title, _RESTART, "x", True, list(_restart(raw)))


def _pairs(raw: Raw, engine: str) -> Iterator[tuple[Figures, Figures]]:
    ours = {item.program: item for item in raw.figures if item.engine == OURS}
    for item in raw.figures:
        if item.engine == engine and item.program in ours:
            yield ours[item.program], item


def _cpu(raw: Raw, engine: str, programs: Sequence[str] = ()) -> list[Check]:
    """Give the ratio of each program; those that are named and were not measured have none."""
    checks = {program: Check(f"{program}, {engine}", None) for program in programs}
    for ours, theirs in _pairs(raw, engine):
        times = ratio(theirs, ours)
        if programs and ours.program not in programs:
            continue
        case = f"{ours.program}, {engine}"
        least = theirs.cpu.low / ours.cpu.high
        checks[ours.program] = Check(case, None) if times is None else Check(case, times.median, least)
    return list(checks.values())


def _memory(raw: Raw, engine: str) -> list[Check]:
    return [
        Check(
            f"{ours.program}, {engine}",
            ours.peak.median / theirs.peak.median,
            ours.peak.high / theirs.peak.low,
        )
        for ours, theirs in _pairs(raw, engine)
    ]


def _latency(raw: Raw) -> Iterator[Check]:
    for guarantee, rate in raw.halves.items():
        ours, theirs = (raw.latencies.get((guarantee, rate, name)) for name in (OURS, STREAMS))
        if ours and theirs:
            case = f"{guarantee.replace('_', ' ')}, {rate:,}/s"
            yield Check(case, ours[99].median / theirs[99].median, ours[99].high / theirs[99].low)


def _restart(raw: Raw) -> Iterator[Check]:
    ours, theirs = (raw.away.get((_KEYS, "warm", name)) for name in (OURS, STREAMS))
    if ours and theirs:
        yield Check(f"{_KEYS:,} keys", theirs.median / ours.median, theirs.low / ours.high)
