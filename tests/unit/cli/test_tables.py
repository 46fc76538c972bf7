"""Tables in piped output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.cli.tables import print_pairs, print_rows

if TYPE_CHECKING:
    import pytest


def test_piped_tables_are_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    print_rows(("name", "count"), [("a", "1"), (long, "20.5")])
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == "name" + " " * 298 + "count"
    assert lines[1] == "a" + " " * 305 + "1"
    assert lines[2] == f"{long}   20.5"


def test_an_empty_table_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(("topic", "partitions"), [])
    assert capsys.readouterr().out == "topic  partitions\n"


def test_pairs_stand_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_pairs([("topic", "a"), ("partitions", "4")])
    assert capsys.readouterr().out == "topic       a\npartitions  4\n"
