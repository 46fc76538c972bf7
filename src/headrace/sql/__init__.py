"""SQL text to syntax tree and back, with the place of everything in the text."""

import logging

from headrace.sql.parser import parse_program, parse_query
from headrace.sql.printer import print_program, print_query

__all__ = ["parse_program", "parse_query", "print_program", "print_query"]

# What sqlglot warns of is meant for those who translate between databases. Without a handler, Python would write it to
# standard error.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())
