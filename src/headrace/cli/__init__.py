"""The command line: one module per command, each loaded when it is called."""

from __future__ import annotations

import gc
import os
import sys

from headrace.cli import group, leaving


class WithoutPandas:
    """Hides pandas. Where it is installed, pyarrow imports it as soon as an array is made; no command needs it."""

    hides_packages = True
    """Taken away before user functions are loaded, which may need it."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        """Say that there is no pandas, and leave every other module to others."""
        if fullname == "pandas":
            message = "pandas is not used by the command line"
            raise ModuleNotFoundError(message, name=fullname)


def main() -> None:
    """Run the command line: the entry point of the command `headrace`."""
    # NumPy's algebra, which nothing here needs, else starts a thread for each core that looks for work for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A third of the start-up time otherwise.
    sys.meta_path.insert(0, WithoutPandas())
    # Loading a command makes no garbage; to look for it again and again is a tenth of the time. `group` turns it on.
    gc.disable()
    try:
        group.main()
    except SystemExit as left:
        leaving.leave(left.code)
        raise
    finally:
        # Else the interpreter cannot take down what it has loaded, and DuckDB complains about that line by line.
        gc.unfreeze()
