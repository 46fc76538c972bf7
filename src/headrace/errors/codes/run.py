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

BAD_APPLICATION = Code(
    "RUN0109",
    "application id not usable",
    "A program with state has internal topics, whose names begin with the application id, so the id may hold only what the "
    "name of a topic may: letters, digits, `.`, `_` and `-`.",
)

STATE_OF_OTHERS = Code(
    "RUN0110",
    "state of another program",
    "A store or its changelog topic was written by a program that keeps other things under this name: another query, "
    "other types, other keys. It is never reinterpreted. Run the changed program under a new application id, so that it "
    "reads its inputs from the beginning, or give the old state up with `--discard-state=STORE`: the results then begin "
    "anew with the records that come from now on.",
)

INTERNAL_TOPIC = Code(
    "RUN0111",
    "internal topic does not fit",
    "A changelog or repartition topic exists with another number of partitions, or another `cleanup.policy`, than the "
    "program needs; often because partitions were added to an input. State cannot be dealt anew: run the program under a "
    "new application id. Or a repartition topic holds records, and none of the changelogs is there that are made with it: they are "
    "of another program, or of a former life of this one.",
)

STATE_FAILED = Code(
    "RUN0112",
    "local state failed",
    "The folder of local state could not be read or written: a full disk, missing rights, a broken device. A folder that is found "
    "damaged is made anew from the changelog, but not more than three times a day. Nothing is lost: "
    "what was committed stands in the changelog topics, and a start with a working folder goes on from there.",
)

STATE_REFUSED = Code(
    "RUN0113",
    "changelog refused",
    "The log refused a record of a changelog topic, mostly because it is too large: sets, lists and windows of a key are kept in "
    "many records, but a single value, a row, or the list of a `MAXK` with a large number is in one. Raise "
    "`max.message.bytes` of the changelog topic, or bound the values.",
)

ROW_FAILED = Code(
    "RUN0114",
    "row failed",
    "A row that an operator gave could not be computed, encoded or written, and the error policy is `fail`. What was "
    "done since the last commit is undone; a restart does it again.",
)

QUERY_ENDED = Code(
    "RUN0115",
    "query ended by a limit",
    "The time of a snapshot query was over, or KILL QUERY ended it, while it computed and before it had a row. A join, a group or an "
    "order is computed to its end before its first row. Raise the limit (`SET max.query.time = '1h'`), or let the query read less: "
    "conditions on `_meta.partition`, `_meta.offset` and `_meta.timestamp` become seeks. Where a limit ends `INSERT INTO … SELECT`, "
    "`DELETE` or `TRUNCATE`, the message says what was written before; that stays. A `PIVOT` needs a value for each of its columns: one "
    "that a limit leaves without any is ended, too.",
)

APPLICATION_RUNS = Code(
    "RUN0120",
    "application runs",
    "Offsets can be set only while no process of the application runs: a running one would go on where it is, and commit over "
    "them. Stop all its processes. One with an instance name (static membership) counts as a member until its session time-out "
    "is over, 45 seconds if nothing else is set.",
)

STATE_WOULD_STAY = Code(
    "RUN0121",
    "state would not fit the offsets",
    "The state of a program holds what came of the records before its committed offsets. If it reads them again, they count twice; "
    "if it leaves some out, they are missing for ever. Give the state up together with the offsets (`--discard-state`), or say that "
    "it stays (`--keep-state`). Which topics hold the state is known from the program, so it must be named.",
)

NO_OFFSETS = Code(
    "RUN0122",
    "nothing to reset",
    "The application has no committed offset for the topics that are asked for, so there is nothing to reset: its id is spelt in "
    "another way, it is on another log, or it has never run. With its program named, the inputs of the program are taken.",
)

NOT_REPLAYED = Code(
    "RUN0123",
    "letters not sent again",
    "Dead letters could not be read, or not be sent to where they came from: the topic is gone, or refuses them. Nothing of the batch "
    "was sent, and it is not noted as sent: mend the cause, or name another topic with `--to`, and replay again.",
)

BEGUN_BEFORE = Code(
    "RUN0124",
    "application has begun before",
    "`--from` says where an application begins that has never read its inputs. This one has committed offsets for all of them and "
    "goes on where it stopped, so that the same call finishes a replay that was interrupted. For another replay use another "
    "`--app-id`, or set the offsets back with `headrace reset`.",
)
