"""Functions that hide personal data. The number of stars is five wherever a part stays readable, so lengths do not leak."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function
from headrace.functions.signature import signature

FAMILY: Final = "obfuscation"

_WORDS: Final = ("one character", "two characters", "three characters", "four characters")


def _first(count: int) -> Function:
    kept = "Brenda"[:count]
    return Function(
        name=f"FIRST{count}",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description=f"Keeps at most the first {_WORDS[count - 1]} and writes five stars for the rest.",
        macro=(f"(s) AS left(s, {count}) || '*****'",),
        examples=(
            Example(f"FIRST{count}('Brenda')", f"'{kept}*****'"),
            Example(f"FIRST{count}('')", "'*****'"),
        ),
    )


def _last(count: int) -> Function:
    kept = "Brenda"[-count:]
    return Function(
        name=f"LAST{count}",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description=f"Keeps at most the last {_WORDS[count - 1]} and writes five stars for the rest.",
        macro=(f"(s) AS '*****' || right(s, {count})",),
        examples=(
            Example(f"LAST{count}('Brenda')", f"'*****{kept}'"),
            Example(f"LAST{count}('')", "'*****'"),
        ),
    )


FUNCTIONS: Final = (
    Function(
        name="ANONYMIZE",
        aliases=("MASK",),
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Writes a star for every character.",
        macro=("(s) AS repeat('*', length(s))",),
        examples=(Example("ANONYMIZE('Charles')", "'*******'"), Example("MASK('é')", "'*'")),
    ),
    Function(
        name="EMAIL",
        family=FAMILY,
        signatures=(signature("address STRING", "STRING"),),
        description="Keeps the first character and the domain of an e-mail address. A text without `@` is hidden after its first "
        "character.",
        macro=(
            "(s) AS left(s, 1) || '*****' || CASE WHEN contains(s, '@') THEN substr(s, strpos(s, '@')) ELSE '' END",
        ),
        examples=(
            Example("EMAIL('bob@example.org')", "'b*****@example.org'"),
            Example("EMAIL('bob')", "'b*****'"),
        ),
    ),
    Function(
        name="INITIALS",
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Keeps the first character of each word and drops the rest.",
        macro=(
            r"(s) AS array_to_string(list_transform(regexp_extract_all(s, '\S+'), lambda w: left(w, 1)), '')",
        ),
        examples=(Example("INITIALS('Ada King Lovelace')", "'AKL'"), Example("INITIALS('')", "''")),
    ),
    *(_first(count) for count in (1, 2, 3, 4)),
    *(_last(count) for count in (1, 2, 3, 4)),
)
