"""What librdkafka reports, as an error of the log with a way out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from headrace._native import KafkaError
from headrace.errors import Code, Diagnostic
from headrace.errors.codes import log as codes
from headrace.log.errors import AbortableError, FencedError, LogError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL: Final = "_LOCAL"
"""The name of errors that our side of the client found."""

RETRIABLE: Final = frozenset(
    {
        "_TRANSPORT",
        "_TIMED_OUT",
        "_TIMED_OUT_QUEUE",
        "_MSG_TIMED_OUT",
        "_WAIT_COORD",
        "_WAIT_CACHE",
        "_ALL_BROKERS_DOWN",
        "_RETRY",
        "_PURGE_QUEUE",
        "_PURGE_INFLIGHT",
        "_RESOLVE",
        "_DESTROY_BROKER",
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "LEADER_NOT_AVAILABLE",
        "NOT_LEADER_FOR_PARTITION",
        "REQUEST_TIMED_OUT",
        "NETWORK_EXCEPTION",
        "NOT_ENOUGH_REPLICAS",
        "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
        "BROKER_NOT_AVAILABLE",
        "REPLICA_NOT_AVAILABLE",
        "KAFKA_STORAGE_ERROR",
        "FENCED_LEADER_EPOCH",
        "UNKNOWN_LEADER_EPOCH",
        "OFFSET_NOT_AVAILABLE",
        "UNSTABLE_OFFSET_COMMIT",
        "STALE_MEMBER_EPOCH",
        "THROTTLING_QUOTA_EXCEEDED",
    }
)
"""Names of faults that pass."""

FORBIDDEN: Final = frozenset({"TOPIC_AUTHORIZATION_FAILED", "CLUSTER_AUTHORIZATION_FAILED"})
"""Names of refusals to write anything at all."""

_MEMBER_LOST: Final = frozenset({"UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "FENCED_MEMBER_EPOCH"})
_MEMBER_REPLACED: Final = frozenset({"FENCED_INSTANCE_ID", "UNRELEASED_INSTANCE_ID"})
_PRODUCER_REPLACED: Final = frozenset({"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"})
_UNREACHABLE: Final = frozenset({"_TRANSPORT", "_ALL_BROKERS_DOWN", "_RESOLVE", "_TIMED_OUT", "_WAIT_COORD"})
_CODES: Final[dict[str, Code]] = {
    "_AUTHENTICATION": codes.REFUSED,
    "_SSL": codes.REFUSED,
    "SASL_AUTHENTICATION_FAILED": codes.REFUSED,
    "TOPIC_AUTHORIZATION_FAILED": codes.FORBIDDEN,
    "GROUP_AUTHORIZATION_FAILED": codes.FORBIDDEN,
    "CLUSTER_AUTHORIZATION_FAILED": codes.FORBIDDEN,
    "TRANSACTIONAL_ID_AUTHORIZATION_FAILED": codes.FORBIDDEN,
    "_UNKNOWN_TOPIC": codes.NO_SUCH_TOPIC,
    "_UNKNOWN_PARTITION": codes.NO_SUCH_TOPIC,
    "UNKNOWN_TOPIC_OR_PART": codes.NO_SUCH_TOPIC,
    "UNKNOWN_TOPIC_ID": codes.NO_SUCH_TOPIC,
    "_AUTO_OFFSET_RESET": codes.NO_OFFSET,
    "OFFSET_OUT_OF_RANGE": codes.NO_OFFSET,
    "INVALID_TOPIC_EXCEPTION": codes.BAD_TOPIC,
    "INVALID_PARTITIONS": codes.BAD_TOPIC,
    "INVALID_REPLICATION_FACTOR": codes.BAD_TOPIC,
    "INVALID_CONFIG": codes.BAD_TOPIC,
    "_STATE": codes.BAD_STATE,
    "_CONFLICT": codes.BAD_STATE,
    "INVALID_TXN_STATE": codes.BAD_STATE,
    **dict.fromkeys(_MEMBER_LOST, codes.MEMBER_LOST),
    **dict.fromkeys(_MEMBER_REPLACED, codes.MEMBER_REPLACED),
    **dict.fromkeys(_PRODUCER_REPLACED, codes.PRODUCER_REPLACED),
    **dict.fromkeys(_UNREACHABLE, codes.UNREACHABLE),
}
_HELP: Final[dict[Code, str]] = {
    codes.REFUSED: "check `security.protocol`, `sasl.*` and `ssl.*` of the client properties",
    codes.FORBIDDEN: "ask for an ACL, or use another account",
    codes.UNREACHABLE: "check the address, `security.protocol`, and that the broker runs",
    codes.MEMBER_REPLACED: "give each instance a name of its own",
    codes.BAD_CLIENT_PROPERTY: "look where it is set: `SET`, or a variable `HEADRACE_KAFKA_…`, `SASL_…` or `SSL_…`",
    codes.NO_OFFSET: "choose where to begin: `auto.offset.reset` earliest or latest",
}


def error_name(error: KafkaError) -> str:
    """Give librdkafka's name of the error, for example `_TRANSPORT`."""
    return error.args[2]


def fault(log: str, doing: str, error: KafkaError) -> LogError:
    """Give the error of the log.

    Args:
        log: the log's name.
        doing: what was refused, for the message: "cannot commit".
        error: what the native client raised.
    """
    message, _, name, fatal, _, abortable = error.args
    return _fault(log, doing, message, name, fatal=fatal, abortable=abortable)


def fault_of(log: str, doing: str, message: str, name: str) -> LogError:
    """Give the error of the log for an error of the administration client."""
    return _fault(log, doing, message, name, fatal=False, abortable=False)


def _fault(log: str, doing: str, message: str, name: str, *, fatal: bool, abortable: bool) -> LogError:
    code = _CODES.get(name, codes.CLIENT_FAILED)
    if name in (LOCAL, "_INVALID_ARG") and "configuration" in message:
        code = codes.BAD_CLIENT_PROPERTY
    diagnostic = Diagnostic(
        code, f"{doing} on `{log}`: {message}", help=_HELP.get(code), notes=(f"librdkafka: {name}",)
    )
    fenced = name in _PRODUCER_REPLACED or name in _MEMBER_REPLACED
    if fenced and (fatal or not abortable):
        return FencedError((diagnostic,))
    if abortable and code is not codes.FORBIDDEN:
        return AbortableError((diagnostic,))
    if name in _MEMBER_LOST:
        return FencedError((diagnostic,))
    return LogError((diagnostic,))


@contextmanager
def faults(log: str, doing: str) -> Iterator[None]:
    """Turn what the native client raises into errors of the log."""
    try:
        yield
    except KafkaError as error:
        raise fault(log, doing, error) from None
    except ValueError as error:
        diagnostic = Diagnostic(codes.CLOSED, f"{doing} on `{log}`: {error}")
        raise LogError((diagnostic,)) from None
