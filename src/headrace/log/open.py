"""From a URL to a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from headrace.errors import Code, Diagnostic, ProgramError
from headrace.errors.codes import log as codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headrace.log.interface import Log

_KAFKA: Final = "kafka://"
_SQLITE: Final = "sqlite:"
_DEFAULT_PORT: Final = 9092
_SERVER: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")
_HELP: Final = "write `kafka://host:port,host:port` or `sqlite:path`"


def open_log(url: str, properties: Mapping[str, str] | None = None) -> Log:
    """Open the log of this URL.

    Args:
        url: `kafka://host:port,host:port` (the port is 9092 where it is left out), `sqlite:path`, or
            `sqlite::memory:` for a log of its own that goes away with the object.
        properties: client properties of Kafka, or of the embedded log.

    Raises:
        ProgramError: the URL is not understood; its text is not repeated, for it may hold a secret.
        LogError: the file of an embedded log cannot be used.
    """
    if url.startswith(_SQLITE):
        path = url.removeprefix(_SQLITE)
        if not path or "\0" in path:
            raise _bad(
                codes.BAD_LOG_URL,
                "the URL of the log names no file",
                "write `sqlite:path`, for example `sqlite:headrace.db`",
            )
        # Each kind of log is loaded only where it is used: it brings a database, or Kafka's client, along.
        from headrace.log.embedded import EmbeddedLog

        return EmbeddedLog(path, properties)
    if url.startswith(_KAFKA):
        servers = ",".join(_server(text) for text in url.removeprefix(_KAFKA).rstrip("/").split(","))
        from headrace.log.kafka import KafkaLog

        return KafkaLog(servers, properties or {})
    scheme, colon, _ = url.partition(":")
    if colon and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise _bad(codes.BAD_LOG_URL, f"there is no log of the kind `{scheme}`", _HELP)
    raise _bad(codes.BAD_LOG_URL, "the URL of the log does not begin with `kafka://` or `sqlite:`", _HELP)


def _server(text: str) -> str:
    if "@" in text:
        raise _bad(
            codes.BAD_LOG_URL,
            "a Kafka URL holds no user or password",
            "set the client properties `sasl.username` and `sasl.password`",
        )
    match = _SERVER.fullmatch(text.strip())
    if match is None or not 0 < int(match["port"] or _DEFAULT_PORT) < 1 << 16:
        shown = f"`{text.strip()}`" if text.strip() else "an empty name"
        raise _bad(
            codes.BAD_LOG_URL,
            f"the URL of the log has {shown} where a broker should be",
            "write `kafka://host:port,host:port`",
        )
    return f"{match['host']}:{match['port'] or _DEFAULT_PORT}"


def _bad(code: Code, message: str, way_out: str) -> ProgramError:
    return ProgramError((Diagnostic(code, message, help=way_out),))
