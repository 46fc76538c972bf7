"""The page of results, and the plots on it, as texts by the names of their files."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, Any, Final

from benchmarks.peers.figures import OURS, ratio
from benchmarks.results.plots import Line, Panel, bars, curves
from benchmarks.results.raw import FILES
from benchmarks.results.targets import targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from benchmarks.peers.figures import Figures
    from benchmarks.results.raw import Raw
    from benchmarks.spread import Spread

_TAIL: Final = 99.97
"""Where the worst of all stands on the axis of percentiles, which has no end."""
_MEASURES: Final = {"rate": "records/s", "cpu_per_million": "CPU s per million", "peak": "peak MiB"}


def pages(raw: Raw) -> dict[str, str]:
    """Give the text of each file."""
    found: dict[str, str] = {}
    lines = [
        "# Results",
        "",
        "Made by `python -m benchmarks.results` from the raw figures beside this page, none of them by hand. "
        "[Benchmarks](../benchmarks.md) says what is measured, how, and with which settings.",
        "",
        "Figures are medians; in brackets stand the lowest and the highest of the runs, where they differ.",
        "",
        *_targets(raw),
    ]
    if raw.figures:
        found["cpu.svg"] = bars(_ratios(raw.figures), " x")
        found["memory.svg"] = bars(_peaks(raw.figures), " MiB")
        lines += _peers(raw)
    if raw.latencies:
        found["latency.svg"] = curves(list(_latency_panels(raw)), 3)
        lines += _latency(raw)
    if raw.away:
        found["restart.svg"] = curves(list(_away_panels(raw)), 2)
        lines += _away(raw)
    if raw.curves:
        found["scale.svg"] = curves(list(_scale_panels(raw)), 3)
        lines += _scale(raw)
    found["results.md"] = "\n".join(lines)
    return found


def _targets(raw: Raw) -> list[str]:
    rows = []
    for target in targets(raw):
        furthest = target.furthest
        shown = [target.title, target.verdict, "", ""]
        if furthest is not None and furthest.found is not None:
            worst = "" if furthest.worst is None else f"{furthest.worst:.2f}{target.unit}"
            shown[2:] = [f"{furthest.case}: {furthest.found:.2f}{target.unit}", worst]
        rows.append(shown)
    failing = []
    for target in targets(raw):
        cases = [
            f"{check.case} {check.found:.2f}{target.unit}"
            for check in target.checks
            if check.found is not None and not target.holds(check)
        ]
        if cases:
            failing.append(f"- {target.title}: {'; '.join(cases)}")
    return [
        "## Targets",
        "",
        "Ratios are of medians. The last column is the same figure at the least favourable runs of both.",
        "",
        *_table(
            ("target", "holds", "closest to failing, or furthest from the target", "at worst"),
            rows,
            words=(0, 1, 2),
        ),
        *(["Not reached:", "", *failing, ""] if failing else []),
    ]


def _about(raw: Raw, name: str) -> list[str]:
    """Say how a benchmark was run."""
    file = raw.files[name]
    machine, sessions = file["machine"], file["sessions"]
    versions = ", ".join(f"{engine} {version}" for engine, version in file["versions"].items())
    dates = list(dict.fromkeys([sessions[0]["date"], file["entries"][-1]["date"]]))
    commands = dict.fromkeys(session["command"] for session in sessions)
    revisions = ", ".join(dict.fromkeys(session["revision"] for session in sessions))
    loads = ", ".join(dict.fromkeys(str(session["load"]) for session in sessions))
    return [
        f"{' to '.join(dates)}, revision {revisions}, raw figures: [{name}.json]({name}.json)",
        "",
        "```sh",
        *commands,
        "```",
        "",
        f"{machine['cores']} cores {machine['cpu']} ({machine['architecture']}), "
        f"{machine['memory'] / (1 << 30):.0f} GiB of memory, {machine['system']}; "
        f"load {loads} when the commands began. {versions}.",
        "",
    ]


def _peers(raw: Raw) -> list[str]:
    settings: Mapping[str, Any] = raw.files["peers"]["settings"]
    lines = [
        f"## {FILES['peers']}",
        "",
        *_about(raw, "peers"),
        f"{settings['guarantee'].replace('_', ' ').capitalize()}, a commit each {settings['commit']:g} s, "
        f"{settings['threads']} threads. CPU seconds are of the whole process, for a million records, "
        "without what the start takes; the column behind has the start in it.",
        "",
        "CPU of each engine as a multiple of ours, by program:",
        "",
        "![CPU of each engine as a multiple of ours](cpu.svg)",
        "",
        "Peak of resident memory:",
        "",
        "![Peak memory of each engine](memory.svg)",
        "",
    ]
    for program, items in _by_program(raw.figures).items():
        ours = _ours(items)
        head = ["", "records", "runs", "CPU s per million", "with the start", "times ours"]
        head += ["records/s", "peak MiB", "first result, s", "results"]
        lines += [f"### {program}: {items[0].title}", ""]
        lines += _table(head, [_row(item, ours) for item in items], words=(0, 9))
    return lines


def _row(item: Figures, ours: Figures | None) -> list[str]:
    times = ratio(item, ours)
    # How many, and not which: those are in the raw figures.
    differing = "; ".join(line.partition(":")[0] for line in item.differing)
    verdict = f"{item.rows:,}: **{differing}**" if differing else f"{item.rows:,}, as DuckDB's"
    return [
        item.engine,
        f"{item.records:,}",
        f"{len(item.costs)}",
        item.cpu.text(2),
        f"{item.whole_cpu:.2f}",
        "-" if times is None else f"{times.median:.1f}",
        "-" if item.rate is None else f"{item.rate:,.0f}",
        item.peak.text(0),
        "-" if item.first is None else item.first.text(2),
        verdict,
    ]


def _latency(raw: Raw) -> list[str]:
    lines = [
        f"## {FILES['latency']}",
        "",
        *_about(raw, "latency"),
        "The filter over vessel positions, milliseconds from the sender's clock to a reader of committed records, "
        f"a commit each {raw.files['latency']['settings']['commit'] * 1000:g} ms, {raw.files['latency']['settings']['threads']} "
        "thread that processes.",
        "",
        "![Percentiles of latency](latency.svg)",
        "",
    ]
    most = [
        [entry["engine"], entry["guarantee"].replace("_", " "), f"{entry['rate']:,}"]
        for entry in raw.entries("latency")
        if entry["kind"] == "capacity"
    ]
    lines += _table(("as fast as it can, same settings", "", "records/s"), most, words=(0, 1))
    percents = list(next(iter(raw.latencies.values())))
    for guarantee, rate in dict.fromkeys(key[:2] for key in raw.latencies):
        half = ", half of the slowest engine's capacity" if raw.halves.get(guarantee) == rate else ""
        lines += [f"### {guarantee.replace('_', ' ').capitalize()}, {rate:,} records/s{half}", ""]
        rows = [
            [engine, *(found[percent].text(0) for percent in percents)]
            for (kind, at, engine), found in raw.latencies.items()
            if (kind, at) == (guarantee, rate)
        ]
        head = ["ms", *("worst" if percent == 100 else f"p{percent:g}" for percent in percents)]
        lines += _table(head, rows)
    return lines


def _latency_panels(raw: Raw) -> Iterator[Panel]:
    for guarantee, rate in dict.fromkeys(key[:2] for key in raw.latencies):
        lines: list[Line] = []
        ticks: dict[float, str] = {}
        for (kind, at, engine), found in raw.latencies.items():
            if (kind, at) == (guarantee, rate):
                points = [(_percent(percent), value) for percent, value in found.items()]
                ticks |= {_percent(percent): "max" if percent == 100 else f"{percent:g}" for percent in found}
                lines.append(Line(engine, points))
        half = ", half of capacity" if raw.halves.get(guarantee) == rate else ""
        title = f"{guarantee.replace('_', ' ')}, {rate:,}/s{half}, ms"
        yield Panel(title, list(ticks.items()), lines, logarithmic=True)


def _percent(percent: float) -> float:
    """Give the place on an axis on which each nine is as wide as the one before."""
    return -log10(1 - min(percent, _TAIL) / 100)


def _away(raw: Raw) -> list[str]:
    settings = raw.files["restart"]["settings"]
    engines = list(dict.fromkeys(engine for _, _, engine in raw.away))
    rows = []
    for keys, way in dict.fromkeys(key[:2] for key in raw.away):
        found = [raw.away.get((keys, way, engine)) for engine in engines]
        rows.append([f"{keys:,} keys, {way}", *("-" if value is None else value.text(2) for value in found)])
    return [
        f"## {FILES['restart']}",
        "",
        *_about(raw, "restart"),
        "Seconds from the start of a new process until a reader of committed records has the right new counts of forty keys; "
        f"{settings['guarantee'].replace('_', ' ')}, a commit each {settings['commit'] * 1000:g} ms, "
        f"{settings['threads']} threads. Warm: the local state is as the killed process left it; cold: it is gone.",
        "",
        "![Seconds away by the number of keys](restart.svg)",
        "",
        *_table(("s", *engines), rows),
    ]


def _away_panels(raw: Raw) -> Iterator[Panel]:
    for way in dict.fromkeys(way for _, way, _ in raw.away):
        found = {(keys, engine): value for (keys, kind, engine), value in raw.away.items() if kind == way}
        yield _by_size(
            f"{way}: seconds by keys", [(engine, keys, value) for (keys, engine), value in found.items()]
        )


def _scale(raw: Raw) -> list[str]:
    lines = [
        f"## {FILES['scale']}",
        "",
        *_about(raw, "scale"),
        "Headrace alone: COUNT, SUM and MAX of each key, exactly once; what the same takes over an empty topic is taken off.",
        "",
        "![How cost grows](scale.svg)",
        "",
    ]
    for curve in dict.fromkeys(curve for curve, _ in raw.curves):
        rows = [
            [f"{at:,}", point["rate"].text(0), point["cpu_per_million"].text(2), point["peak"].text(0)]
            for (name, at), point in raw.curves.items()
            if name == curve
        ]
        lines += _table((curve, *_MEASURES.values()), rows)
    return lines


def _scale_panels(raw: Raw) -> Iterator[Panel]:
    # Curves over the same thing that grows share a panel.
    kinds = {curve: curve.partition(",")[0] for curve, _ in raw.curves}
    for kind in dict.fromkeys(kinds.values()):
        for measure in _MEASURES:
            points = [
                (curve, at, point[measure])
                for (curve, at), point in raw.curves.items()
                if kinds[curve] == kind
            ]
            yield _by_size(f"{_MEASURES[measure]} by {kind}", points)


def _by_size(title: str, points: Sequence[tuple[str, int, Spread]]) -> Panel:
    """Give a panel with a line for each name over sizes, which stand on a scale of logarithms."""
    ticks = {log10(at): _short(at) for _, at, _ in points}
    lines = [
        Line(name, [(log10(at), value) for own, at, value in points if own == name])
        for name in dict.fromkeys(name for name, _, _ in points)
    ]
    return Panel(title, list(ticks.items()), lines)


def _short(number: int) -> str:
    """Give a power of ten from a thousand on as such."""
    power = round(log10(number))
    return f"1e{power}" if power >= 3 and 10**power == number else f"{number:,}"


def _ratios(figures: Sequence[Figures]) -> dict[str, dict[str, Spread]]:
    """Give the CPU of each engine as a multiple of ours."""
    found: dict[str, dict[str, Spread]] = {}
    for program, items in _by_program(figures).items():
        times = {item.engine: ratio(item, _ours(items)) for item in items}
        # What little is left of a start may be below nothing.
        found[program] = {name: value for name, value in times.items() if value is not None and value.low > 0}
    return {program: values for program, values in found.items() if values}


def _peaks(figures: Sequence[Figures]) -> dict[str, dict[str, Spread]]:
    return {
        program: {item.engine: item.peak for item in items} for program, items in _by_program(figures).items()
    }


def _by_program(figures: Iterable[Figures]) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {}
    for item in figures:
        found.setdefault(item.program, []).append(item)
    return found


def _ours(items: Iterable[Figures]) -> Figures | None:
    return next((item for item in items if item.engine == OURS), None)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int] = (0,)) -> list[str]:
    """Give a table with an empty line behind it; columns of words stand left, those of numbers right."""
    marks = ["---" if number in words else "---:" for number in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, marks, *rows)] + [""]
