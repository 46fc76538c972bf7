"""The rules, in the order of their codes. A new one is a module with a `RULE`, a code in `errors.codes.lint`, and a line here."""

from typing import Final

from headrace.check.rule import Rule
from headrace.check.rules import (
    by_the_clock,
    compared_with_null,
    cross_join,
    duplicate_insert,
    float_equality,
    implicit_repartition,
    integer_division,
    lost_key,
    missing_grace,
    not_in_null,
    null_left_out,
    null_not_counted,
    null_operand,
    star_into_declared,
    unbounded_state,
    unused_with,
)

RULES: Final[tuple[Rule, ...]] = (
    unused_with.RULE,
    lost_key.RULE,
    implicit_repartition.RULE,
    unbounded_state.RULE,
    missing_grace.RULE,
    cross_join.RULE,
    compared_with_null.RULE,
    not_in_null.RULE,
    integer_division.RULE,
    float_equality.RULE,
    star_into_declared.RULE,
    duplicate_insert.RULE,
    null_left_out.RULE,
    null_operand.RULE,
    null_not_counted.RULE,
    by_the_clock.RULE,
)
