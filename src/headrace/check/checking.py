"""Runs the rules over a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.check.program import CheckedProgram
from headrace.check.rules import RULES
from headrace.check.silence import apply_silences
from headrace.errors import Span, all_codes
from headrace.planner import plan_program
from headrace.planner.targets import check_formats
from headrace.sql.nodes import Insert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.catalog import TopicCatalog
    from headrace.errors import Diagnostic
    from headrace.sql.nodes import Program


def check_program(
    program: Program, catalog: TopicCatalog | None = None, defaults: Mapping[str, str] | None = None
) -> list[Diagnostic]:
    """Give what the rules find in a program, in the order of its text; what its comments silence is left out.

    Args:
        program: parsed.
        catalog: tells what the topics hold. With it the program is planned, too: the planner's warnings are among the findings.
            Without it rules that need types know those of CREATE TABLE alone, and those that need the plan find nothing.
        defaults: settings that hold unless the program says otherwise, by their SET keys.

    Raises:
        ProgramError: the program cannot be planned; without a catalog, whatever its topics hold.
    """
    plans = catalog is not None and any(isinstance(item, Insert) for item in program.statements)
    topology = plan_program(program, catalog, defaults=defaults) if plans and catalog is not None else None
    if topology is None:
        check_formats(program)
    checked = CheckedProgram(program, topology, catalog)
    found = [item for rule in RULES for item in rule.diagnostics(checked)]
    if topology is not None:
        found += topology.warnings
    unjudged = _unjudged(typed=catalog is not None, planned=topology is not None)
    kept = apply_silences(program.source, found, unjudged)
    return sorted(kept, key=lambda item: (item.span or Span(0, 0), str(item.code)))


def _unjudged(*, typed: bool, planned: bool) -> set[str]:
    """Give the codes that could be found, and were not looked for everywhere."""
    judged = {rule.code for rule in RULES if (typed or not rule.typed) and (planned or not rule.planned)}
    if planned:
        return set()
    return {code.id for code in all_codes() if code not in judged}
