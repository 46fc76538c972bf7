"""Lays the text of a program out in one style, for `headrace fmt`: only blanks and the case of keywords change.

The layout works on tokens, not on the syntax tree, so that comments, brackets and spellings stay as they were written. The
tree is used twice: to tell keywords from names (`keywords`), and to make sure that the new text means what the old one did.
"""

from headrace.sql.style.formatter import MeaningChangedError, format_program

__all__ = ["MeaningChangedError", "format_program"]
