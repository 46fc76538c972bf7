"""Functions on URLs, by the grammar of RFC 3986. A part that is not there is null."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function, Nulls
from headrace.functions.signature import signature

FAMILY: Final = "url"

_GRAMMAR: Final = r"^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?$"
_AUTHORITY: Final = r"^(([^@]*)@)?(\[[^\]]*\]|[^:]*)(:([0-9]*))?$"
_GROUPS: Final = {"scheme": 2, "authority": 4, "path": 5, "query": 7, "fragment": 9}


def _part(name: str) -> str:
    return f"nullif(regexp_extract(u, '{_GRAMMAR}', {_GROUPS[name]}), '')"


def _of_authority(group: int) -> str:
    authority = f"regexp_extract(u, '{_GRAMMAR}', {_GROUPS['authority']})"
    return f"nullif(regexp_extract({authority}, '{_AUTHORITY}', {group}), '')"


_HOST: Final = f"lower({_of_authority(3)})"
_PORT: Final = f"TRY_CAST({_of_authority(5)} AS INTEGER)"
_DECODED: Final = "url_decode(replace({0}, '+', ' '))"
_PARAMETERS: Final = f"string_split({_part('query')}, '&')"
_NAME: Final = _DECODED.format("split_part(q, '=', 1)")
_VALUE: Final = _DECODED.format("CASE WHEN contains(q, '=') THEN substr(q, strpos(q, '=') + 1) ELSE '' END")
_PARAMETER: Final = (
    f"list_extract(list_transform(list_filter({_PARAMETERS}, lambda q: {_NAME} = k), lambda q: {_VALUE}), 1)"
)

_URL: Final = "https://ann@example.org:8443/a/b?q=rain%20or+sun&q=2&x#top"


def _taken(name: str, alias: str, body: str, result: str, what: str, *examples: Example) -> Function:
    return Function(
        name=name,
        aliases=(alias,),
        family=FAMILY,
        signatures=(signature("url STRING", result),),
        description=what,
        nulls=Nulls.HANDLED,
        macro=(f"(u) AS {body}",),
        examples=examples,
    )


FUNCTIONS: Final = (
    _taken(
        "URL_PROTOCOL",
        "URL_EXTRACT_PROTOCOL",
        _part("scheme"),
        "STRING",
        "Gives the scheme of a URL, without its colon.",
        Example(f"URL_PROTOCOL('{_URL}')", "'https'"),
        Example("URL_PROTOCOL('/only/a/path')", "NULL"),
    ),
    _taken(
        "URL_HOST",
        "URL_EXTRACT_HOST",
        _HOST,
        "STRING",
        "Gives the host of a URL in lower case; an IPv6 address with its brackets.",
        Example(f"URL_HOST('{_URL}')", "'example.org'"),
        Example("URL_HOST('http://[::1]:80/')", "'[::1]'"),
        Example("URL_HOST('mailto:ann@example.org')", "NULL"),
    ),
    _taken(
        "URL_PORT",
        "URL_EXTRACT_PORT",
        _PORT,
        "INT",
        "Gives the port that a URL names.",
        Example(f"URL_PORT('{_URL}')", "8443"),
        Example("URL_PORT('http://example.org/')", "NULL"),
    ),
    _taken(
        "URL_PATH",
        "URL_EXTRACT_PATH",
        f"regexp_extract(u, '{_GRAMMAR}', {_GROUPS['path']})",
        "STRING",
        "Gives the path of a URL as it is written; empty if there is none.",
        Example(f"URL_PATH('{_URL}')", "'/a/b'"),
        Example("URL_PATH('http://example.org')", "''"),
    ),
    _taken(
        "URL_QUERY",
        "URL_EXTRACT_QUERY",
        _part("query"),
        "STRING",
        "Gives the query of a URL as it is written, without its question mark.",
        Example(f"URL_QUERY('{_URL}')", "'q=rain%20or+sun&q=2&x'"),
        Example("URL_QUERY('http://example.org')", "NULL"),
    ),
    _taken(
        "URL_FRAGMENT",
        "URL_EXTRACT_FRAGMENT",
        _part("fragment"),
        "STRING",
        "Gives the fragment of a URL as it is written, without its `#`.",
        Example(f"URL_FRAGMENT('{_URL}')", "'top'"),
        Example("URL_FRAGMENT('http://example.org')", "NULL"),
    ),
    Function(
        name="URL_PARAMETER",
        aliases=("URL_EXTRACT_PARAMETER",),
        family=FAMILY,
        signatures=(signature("url STRING, name STRING", "STRING"),),
        description="Gives the first value of a parameter of the query, decoded; empty if the parameter has no value, null if it "
        "is not there. `+` is a space. Bytes that are no UTF-8 fail the record.",
        nulls=Nulls.HANDLED,
        macro=(f"(u, k) AS {_PARAMETER}",),
        examples=(
            Example(f"URL_PARAMETER('{_URL}', 'q')", "'rain or sun'"),
            Example(f"URL_PARAMETER('{_URL}', 'x')", "''"),
            Example(f"URL_PARAMETER('{_URL}', 'none')", "NULL"),
        ),
    ),
    Function(
        name="URL_ENCODE",
        aliases=("URL_ENCODE_PARAM",),
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Encodes a text (as UTF-8) so that it can be a part of a URL: everything but letters, digits and `-_.~` "
        "becomes `%xx`.",
        duckdb="url_encode",
        examples=(
            Example("URL_ENCODE('a b&ü')", "'a%20b%26%C3%BC'"),
            Example("URL_ENCODE('')", "''"),
        ),
    ),
    Function(
        name="URL_DECODE",
        aliases=("URL_DECODE_PARAM",),
        family=FAMILY,
        signatures=(signature("text STRING", "STRING"),),
        description="Decodes `%xx`; what is no such code stays as it is, `+` too. Bytes that are no UTF-8 fail the record.",
        duckdb="url_decode",
        examples=(
            Example("URL_DECODE('a%20b%26%C3%BC')", "'a b&ü'"),
            Example("URL_DECODE('100%')", "'100%'"),
        ),
    ),
)
