"""The command line: one module per command, each loaded when it is called."""

import sys

from headrace.cli import group


def main() -> None:
    """Run the command line: the entry point of the command `headrace`."""
    # Where pandas is installed, pyarrow imports it as soon as an array is made. No command needs it, and it would be
    # a third of the start-up time.
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]
    group.main()
