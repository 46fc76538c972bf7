"""URLs of logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.errors import ProgramError
from headrace.errors.codes import log as codes
from headrace.log import open_log

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_opened(tmp_path: Path) -> None:
    with open_log(f"sqlite:{tmp_path}/log.db") as log:
        assert log.name == f"sqlite:{tmp_path}/log.db"
    assert (tmp_path / "log.db").exists()


def test_memory_is_opened_anew_each_time() -> None:
    with open_log("sqlite::memory:") as first, open_log("sqlite::memory:") as second:
        assert first.name == second.name == "sqlite::memory:"
        assert first.admin().topics() == second.admin().topics() == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "the URL of the log does not begin with `kafka://` or `sqlite:`"),
        ("localhost:9092", "there is no log of the kind `localhost`"),
        ("log.db", "the URL of the log does not begin with `kafka://` or `sqlite:`"),
        ("redis://x", "there is no log of the kind `redis`"),
        ("sqlite:", "the URL of the log names no file"),
        ("kafka://", "the URL of the log has an empty name where a broker should be"),
        ("kafka://a:1,,b:2", "the URL of the log has an empty name where a broker should be"),
        ("kafka://a:port", "the URL of the log has `a:port` where a broker should be"),
        ("kafka://a:70000", "the URL of the log has `a:70000` where a broker should be"),
        ("kafka://a:1/topic", "the URL of the log has `a:1/topic` where a broker should be"),
    ],
)
def test_other_urls_are_refused(url: str, message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        open_log(url)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.message) == (codes.BAD_LOG_URL, message)
    assert diagnostic.help


def test_a_secret_in_the_url_is_not_repeated() -> None:
    with pytest.raises(ProgramError) as caught:
        open_log("kafka://me:hunter2@broker:9092")
    assert "hunter2" not in str(caught.value)
    assert caught.value.diagnostics[0].message == "a Kafka URL holds no user or password"
