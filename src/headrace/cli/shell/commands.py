"""The commands of the shell itself, which begin with a backslash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from headrace.cli.results import RESULT_FORMATS

FORMATS: Final = tuple(name for name in RESULT_FORMATS if name != "arrow")
"""Formats of results that a person can read."""

HELP: Final = {
    "\\help": "this list",
    "\\q": "leave; Ctrl-D does too",
    "\\timing": "show how long statements take, or no longer",
    "\\format NAME": f"format of results: {', '.join(FORMATS)}",
    "\\pager": "show long results in a pager, or no longer",
}
COMMANDS: Final = tuple(text.split()[0] for text in HELP)


@dataclass(slots=True)
class Options:
    """What the commands have switched."""

    form: str = "table"
    timing: bool = False
    pager: bool = True
    done: bool = False


def obey(text: str, options: Options) -> str:
    """Carry out a command and give what to print."""
    word, *rest = text.split()
    match word.lower():
        case "\\q" | "\\quit" | "\\exit":
            options.done = True
            return ""
        case "\\timing":
            options.timing = not options.timing
            return f"timing is {'on' if options.timing else 'off'}"
        case "\\pager":
            options.pager = not options.pager
            return f"the pager is {'on' if options.pager else 'off'}"
        case "\\format" if rest and rest[0] in FORMATS:
            options.form = rest[0]
            return f"results are shown as {options.form}"
        case "\\format":
            return f"results are shown as {options.form}; there are {', '.join(FORMATS)}"
        case "\\help" | "\\?" | "\\h":
            width = max(map(len, HELP))
            lines = [f"{name:<{width}}  {what}" for name, what in HELP.items()]
            return "\n".join([*lines, "Everything else is SQL, ended by `;`: try SHOW TABLES;"])
    return f"there is no command `{word}`; \\help lists them"
