"""Codes of the command line: CLI01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

BAD_CALL = Code(
    "CLI0101",
    "bad call",
    "The command was called with options that do not go together, or that name what is not there. "
    "`--help` of each command lists its options and has an example.",
)

BAD_LINE = Code(
    "CLI0102",
    "line cannot be written",
    "A line that `headrace produce` read is not JSON, lacks the field that --key or --timestamp names, is no envelope where --envelope "
    "promises one, does not fit the schema of the topic, or was refused by the log. "
    "The lines before it have been written; mend the line and send the rest from there.",
)

INTERNAL = Code(
    "CLI0103",
    "internal error",
    "Headrace has met a fault of its own. What was not committed is processed again at the next start. Run the command again "
    "with `HEADRACE_LOG_LEVEL=debug` for the traceback, and report it with the program.",
)
