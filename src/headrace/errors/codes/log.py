"""Codes of the logs: LOG01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNREACHABLE = Code(
    "LOG0101",
    "log cannot be reached",
    "No broker answered at the addresses given.",
)

REFUSED = Code(
    "LOG0102",
    "broker refused the connection",
    "Name and password, or the certificates, were not accepted, or broker and client speak different security protocols. "
    "Check `security.protocol`, the `sasl.*` and the `ssl.*` client properties against the listener of the address used.",
)

FORBIDDEN = Code(
    "LOG0103",
    "not allowed",
    "An access control list of the broker forbids this account to use the topic, group or transactional id.",
)

BAD_CLIENT_PROPERTY = Code(
    "LOG0104",
    "client property not understood",
    "librdkafka does not know the property, or refuses its value. Properties are those of librdkafka, not of the Java client.",
)

NOT_DELIVERED = Code(
    "LOG0105",
    "records were not delivered",
    "The broker, or the client, refused records of this transaction. The transaction is aborted, so nothing of it is seen.",
)

CLIENT_FAILED = Code(
    "LOG0106",
    "Kafka client failed",
    "librdkafka reported something that Headrace has no better name for; the message and the note repeat it.",
)

NO_LIBRARY = Code(
    "LOG0107",
    "librdkafka not found",
    "Headrace uses the librdkafka inside the wheel of `confluent-kafka`, or one installed on the system (2.12 or later).",
)

BAD_LOG_URL = Code(
    "LOG0120",
    "log URL not understood",
    "A log is named `kafka://host:port,host:port` or `sqlite:path`; `sqlite::memory:` lives as long as the process.",
)

CANNOT_OPEN = Code(
    "LOG0121",
    "file of the log cannot be opened",
    "The file, or its folder, does not exist or may not be read and written. Check the path and its permissions. "
    "Two more files, `-wal` and `-shm`, are made beside it, so the folder itself must be writable.",
)

NOT_A_LOG = Code(
    "LOG0122",
    "file is not a log",
    "The file exists but was not written by Headrace. Name another path; the file was not touched.",
)

NEWER_LAYOUT = Code(
    "LOG0123",
    "log was written by a newer version",
    "A newer version of Headrace laid this file out. Upgrade, or name another file.",
)

CORRUPT = Code(
    "LOG0124",
    "file of the log is damaged",
    "SQLite found pages that do not fit together. Restore the file from a copy, or save what can be read with "
    "`sqlite3 FILE .recover`. Never copy a log while it is in use without its `-wal` file.",
)

READ_ONLY = Code(
    "LOG0125",
    "log may only be read",
    "The file, its folder or its disk is write-protected, and even reading takes locks in the `-shm` file beside it.",
)

DISK_FULL = Code(
    "LOG0126",
    "disk is full",
    "Nothing of the last write was kept; what was written before is whole. Free space and run again.",
)

LOCKED = Code(
    "LOG0127",
    "log is locked",
    "Another process has held the write lock for longer than `lock.timeout.ms`. Find it, or raise the time-out.",
)

STORAGE_FAILED = Code(
    "LOG0128",
    "disk failed",
    "The operating system reported a fault while the file of the log was read or written.",
)

CLOSED = Code(
    "LOG0129",
    "log is closed",
    "The log, or the consumer or producer, was used after it had been closed.",
)

NO_SUCH_TOPIC = Code(
    "LOG0130",
    "topic does not exist",
    "The topic or partition that was named is not in the log. Create it first, or `SET autocreate = true`.",
)

NO_OFFSET = Code(
    "LOG0131",
    "no offset to begin at",
    "The group has no committed offset for the partition, or one that is outside of the log, and the reset policy is `none`.",
)

MEMBER_LOST = Code(
    "LOG0132",
    "member was thrown out of its group",
    "The group heard nothing of this member for the session time-out and gave its partitions to others.",
)

MEMBER_REPLACED = Code(
    "LOG0133",
    "member was replaced",
    "Another process joined the group with the same instance name. Give each instance a name of its own.",
)

PRODUCER_REPLACED = Code(
    "LOG0134",
    "producer was replaced",
    "Another producer began to use the same transactional id. Whoever comes last wins; this one must stop.",
)

BAD_STATE = Code(
    "LOG0135",
    "call out of order",
    "For example a commit without a transaction, or a subscription without a group.",
)

BAD_TOPIC = Code(
    "LOG0136",
    "topic cannot be made so",
    "Names hold letters, digits, `.`, `_` and `-`, at most 249 of them. There is at least one partition, and their "
    "number never shrinks.",
)

BAD_RECORDS = Code(
    "LOG0137",
    "batch does not have the columns of records",
    "A batch to be sent has the columns value, key, timestamp, headers and partition, by name and with their types.",
)

BAD_PROPERTY = Code(
    "LOG0138",
    "log property not understood",
    "A property of the embedded log has a value that is not a number of milliseconds.",
)
