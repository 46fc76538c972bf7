"""Runs SQL on given records, without a broker: golden cases, for our tests and for `headrace test`."""

from headrace.testing.case_file import Case, CaseFileError, TopicInput, read_case, write_case
from headrace.testing.outcome import Outcome
from headrace.testing.run_case import Planned, plan_case, run_case, run_on
from headrace.testing.variants import PLAIN, PRODUCT, Stop, Variant, variants_of

__all__ = [
    "PLAIN",
    "PRODUCT",
    "Case",
    "CaseFileError",
    "Outcome",
    "Planned",
    "Stop",
    "TopicInput",
    "Variant",
    "plan_case",
    "read_case",
    "run_case",
    "run_on",
    "variants_of",
    "write_case",
]
