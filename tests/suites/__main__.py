"""`python -m tests.suites [NAME…]`: run the programs of the suites in HEADRACE_SUITES and print what became of each."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

from tests.suites.run_suites import checks


def main(wanted: list[str]) -> int:
    """Print the table; 1 if a result is wrong."""
    folder = os.environ.get("HEADRACE_SUITES")
    if folder is None:
        sys.stderr.write("set HEADRACE_SUITES to the folder of the suites\n")
        return 2
    counts: Counter[tuple[str, str]] = Counter()
    for name, check in checks(Path(folder)):
        if wanted and name.partition(" ")[2] not in wanted:
            continue
        verdict = check()
        counts[name.partition(" ")[0], verdict.outcome] += 1
        sys.stdout.write(f"{verdict.outcome:8} {name}{': ' if verdict.reason else ''}{verdict.reason}\n")
        sys.stdout.flush()
    for (suite, outcome), count in sorted(counts.items()):
        sys.stdout.write(f"{suite}: {count} {outcome}\n")
    return 1 if any(outcome == "wrong" for _, outcome in counts) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
