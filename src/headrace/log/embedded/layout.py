"""The tables of the file. A change here raises `VERSION` and adds a step that lifts older files.

`segment` holds the records: one row for a run of consecutive records of one partition, as an Arrow record
batch (see `segments`). The blob is the last column, so that the columns before it are read without it.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x48445243
"""Stands in the header of the file and tells it from other SQLite databases."""

VERSION: Final = 1

TABLES: Final = (
    """
    CREATE TABLE topics_revision (
        revision INTEGER NOT NULL
    )
    """,
    "INSERT INTO topics_revision VALUES (0)",
    """
    CREATE TABLE topic (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        partitions INTEGER NOT NULL,
        configs TEXT NOT NULL,
        internal INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE partition (
        topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE,
        partition INTEGER NOT NULL,
        end_offset INTEGER NOT NULL,
        tail_offset INTEGER NOT NULL,
        tail_segments INTEGER NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY,
        topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE,
        partition INTEGER NOT NULL,
        base_offset INTEGER NOT NULL,
        records INTEGER NOT NULL,
        latest_ms INTEGER NOT NULL,
        columns INTEGER NOT NULL,
        plain_size INTEGER NOT NULL,
        data BLOB NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX segment_place ON segment (topic, partition, base_offset)",
    """
    CREATE TABLE consumer_group (
        name TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        topics_revision INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE member (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        consumer_group TEXT NOT NULL REFERENCES consumer_group ON DELETE CASCADE,
        instance TEXT,
        incarnation TEXT NOT NULL,
        topics TEXT NOT NULL,
        session_ms INTEGER NOT NULL,
        seen_ms INTEGER NOT NULL,
        UNIQUE (consumer_group, instance)
    )
    """,
    """
    CREATE TABLE claim (
        consumer_group TEXT NOT NULL REFERENCES consumer_group ON DELETE CASCADE,
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        target INTEGER REFERENCES member ON DELETE SET NULL,
        owner INTEGER REFERENCES member ON DELETE SET NULL,
        PRIMARY KEY (consumer_group, topic, partition)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX claim_target ON claim (target)",
    "CREATE INDEX claim_owner ON claim (owner)",
    """
    CREATE TABLE committed (
        consumer_group TEXT NOT NULL,
        topic TEXT NOT NULL,
        partition INTEGER NOT NULL,
        next_offset INTEGER NOT NULL,
        PRIMARY KEY (consumer_group, topic, partition)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE transactional (
        id TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE schema_text (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        text TEXT NOT NULL UNIQUE
    )
    """,
    """
    CREATE TABLE schema_subject (
        subject TEXT NOT NULL,
        version INTEGER NOT NULL,
        schema_id INTEGER NOT NULL REFERENCES schema_text,
        PRIMARY KEY (subject, version)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE schema_compatibility (
        subject TEXT PRIMARY KEY,
        level TEXT NOT NULL
    ) WITHOUT ROWID
    """,
)
