"""SQL text to syntax tree and back, with the place of everything in the text."""

from headrace.sql.parser import parse_program, parse_query
from headrace.sql.printer import print_program, print_query

__all__ = ["parse_program", "parse_query", "print_program", "print_query"]
