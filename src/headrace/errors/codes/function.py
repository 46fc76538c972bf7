"""Codes of functions: SQL04xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

ARGUMENT_COUNT = Code(
    "SQL0401",
    "wrong number of arguments",
    "A function is called with more or fewer arguments than it takes. The help shows its signatures.",
)

LITERAL_NEEDED = Code(
    "SQL0402",
    "argument must be a literal",
    "Date patterns, JSON paths and field names are translated once, when the plan is made, so they must be written as "
    "literals and cannot come from a column.",
)

BAD_PATTERN = Code(
    "SQL0403",
    "date pattern cannot be used",
    "The pattern of a date function follows Java's `DateTimeFormatter`. This one has a letter or a construct that is not "
    "supported, or a quote that is not closed. The caret stands under the pattern.",
)

BAD_JSON_PATH = Code(
    "SQL0404",
    "JSON path cannot be used",
    "The path of a JSON function follows JsonPath: `$`, `.name`, `['name']`, `[0]`, `[-1]`, `[*]`, `.*`, `..name`, "
    "slices `[0:2]`, `[-3:]`, `[::2]`, and filters of arrays that compare fields with constants: "
    "`[?(@.price < 10 && (@.name == 'x' || !@.sold))]`. Values of another type than the constant are unequal to it and in no order "
    "with it. Functions, comparisons of two fields and regular expressions are not supported in filters.",
)

USER_FUNCTION = Code(
    "SQL0405",
    "user function cannot be used",
    "The functions of a Python file (`functions.file`) or of an installed package (entry points of `headrace.functions`) are "
    "loaded before the program is planned. A file that is not there or raises, an annotation that says no type of SQL, and "
    "the name of a built-in function are refused.",
)

CANNOT_COMPILE = Code(
    "SQL0406",
    "query cannot be compiled",
    "DuckDB refuses the query before it has read a record. Nearly always a function is given a constant that it does not take, "
    "such as a text that is no JSON; the message says which, and the caret stands under the call. No record is to blame, so "
    "`error.policy` does not count.",
)

UNCALLED_METHOD = Code(
    "SQL0407",
    "method of a user aggregate is not called",
    "The class of a user aggregate has a method `retract` or `remove`, as other systems call what takes a value back; here it is called "
    "`subtract`. Without that Headrace keeps the states of a group's rows side by side and takes the state of a row away with the "
    "row: results over tables are right, but the state of a group grows with its rows. Call the method `subtract`, or leave it out.",
)
