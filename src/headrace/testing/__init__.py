"""Runs SQL on given records, without a broker: golden cases, for our tests and for `headrace test`."""

from headrace.testing.case_file import Case, CaseFileError, TopicInput, read_case, write_case
from headrace.testing.run_case import PLAIN, VARIANTS, Outcome, Variant, run_case, run_on

__all__ = [
    "PLAIN",
    "VARIANTS",
    "Case",
    "CaseFileError",
    "Outcome",
    "TopicInput",
    "Variant",
    "read_case",
    "run_case",
    "run_on",
    "write_case",
]
