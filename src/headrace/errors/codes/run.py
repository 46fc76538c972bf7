"""Codes of a running processor: RUN01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

RECORD_FAILED = Code(
    "RUN0101",
    "record failed",
    "A record could not be processed and the error policy is `fail`.",
)

TOPIC_MISSING = Code(
    "RUN0102",
    "topic missing",
    "A topic that the program reads or writes is not there. Create it, or let Headrace create targets with "
    "`SET defaults.topic.autocreate=true;`.",
)

FENCED = Code(
    "RUN0103",
    "fenced again and again",
    "Another process runs under the same instance name and application id, and each of the two throws the other out. "
    "Give each process an instance name of its own.",
)

DEAD_LETTER_REFUSED = Code(
    "RUN0104",
    "dead letter refused",
    "A failed record could not be written to the dead letter topic. The processor stops before that record, so that "
    "nothing is lost: raise `max.message.bytes` of the dead letter topic, or choose another error policy.",
)

NOT_COMMITTED = Code(
    "RUN0105",
    "stopped without commit",
    "The log could not be reached while stopping. What was not committed is processed again at the next start.",
)

QUERY_FAILED = Code(
    "RUN0106",
    "query failed",
    "An expression of a snapshot query failed for a record, for example a cast of text that is no number. "
    "`TRY_CAST` gives null in place of a failure.",
)

LOG_AWAY = Code(
    "RUN0107",
    "log away",
    "No broker could be reached while a snapshot query was reading. Check the address of the log and the network.",
)

ENGINE_BROKEN = Code(
    "RUN0108",
    "query engine broken",
    "DuckDB has met a fault of its own and refuses all further work in this process. Nothing of the batch is committed: start "
    "the processor again, and report the query if it happens again.",
)
