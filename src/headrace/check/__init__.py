"""Finds what can run and is seldom meant, for `headrace check`: each rule is a module of `rules`."""

from headrace.check.checking import check_program
from headrace.check.rule import Rule
from headrace.check.rules import RULES

__all__ = ["RULES", "Rule", "check_program"]
