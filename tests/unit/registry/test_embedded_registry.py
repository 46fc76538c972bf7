"""The registry in the file of the embedded log."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from headrace.errors import ProgramError
from headrace.formats.errors import IncompatibleSchemaError, RegistryUnavailableError, UnknownSchemaError
from headrace.formats.registry import open_registry
from headrace.formats.registry.compatibility import Compatibility
from headrace.formats.registry.confluent import ConfluentRegistry
from headrace.formats.registry.embedded import EmbeddedRegistry
from headrace.log.embedded import EmbeddedLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = '{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}'
TWO = '{"type":"record","name":"R","fields":[{"name":"x","type":"long"}]}'
OTHER = '{"type":"record","name":"R","fields":[{"name":"x","type":"boolean"}]}'


@pytest.fixture
def registry() -> Iterator[EmbeddedRegistry]:
    with EmbeddedLog(":memory:") as log:
        yield EmbeddedRegistry(log)


def test_a_schema_has_one_id_under_all_subjects(registry: EmbeddedRegistry) -> None:
    first = registry.register("a-value", ONE)
    assert registry.register("b-value", json.dumps(json.loads(ONE), indent=2)) == first
    assert registry.register("a-value", ONE) == first
    assert registry.register("a-value", TWO) != first
    assert registry.schema(first) == ONE
    assert registry.subjects() == ["a-value", "b-value"]


def test_the_latest_version_is_the_last_that_was_new(registry: EmbeddedRegistry) -> None:
    assert registry.latest("s") is None
    registry.register("s", ONE)
    second = registry.register("s", TWO)
    registry.register("s", ONE)
    assert registry.latest("s") == (second, TWO)
    assert [text for _, text in registry.versions("s")] == [ONE, TWO]


def test_what_is_not_compatible_is_refused_with_reasons(registry: EmbeddedRegistry) -> None:
    registry.register("s", ONE)
    reasons = registry.check("s", OTHER)
    assert reasons == [
        "the new schema cannot read the registered one: at `x` `int` cannot be read as `boolean`"
    ]
    with pytest.raises(IncompatibleSchemaError) as caught:
        registry.register("s", OTHER)
    assert list(caught.value.diagnostics[0].notes) == list(reasons)
    assert registry.latest("s") == (1, ONE)


def test_levels_are_kept_for_a_subject_and_for_all(registry: EmbeddedRegistry) -> None:
    assert registry.compatibility() == registry.compatibility("s") == Compatibility.BACKWARD
    registry.set_compatibility(Compatibility.FULL)
    registry.set_compatibility(Compatibility.NONE, "s")
    assert registry.compatibility("s") == Compatibility.NONE
    assert registry.compatibility("t") == Compatibility.FULL
    registry.register("s", ONE)
    assert registry.check("s", OTHER) == []


def test_unknown_ids_and_bad_texts_are_named(registry: EmbeddedRegistry) -> None:
    with pytest.raises(UnknownSchemaError):
        registry.schema(7)
    assert registry.check("s", "no schema") == ["the text is no Avro schema: the schema is no JSON text"]
    with pytest.raises(IncompatibleSchemaError):
        registry.register("s", "no schema")


def test_schemas_stay_in_the_file_and_threads_agree(tmp_path: Path) -> None:
    path = str(tmp_path / "log.db")
    schemas = [
        ONE.replace('"x"', f'"x{number}"').replace('"int"', '"int","default":0') for number in range(20)
    ]
    with EmbeddedLog(path) as log, ThreadPoolExecutor(4) as pool:
        registry = EmbeddedRegistry(log)
        first = list(pool.map(lambda text: registry.register("s", text), schemas * 3))
        assert len(set(first)) == 20
        assert first[:20] == first[20:40] == first[40:]
    with EmbeddedLog(path) as log:
        again = open_registry(None, log)
        assert again is not None
        assert [again.schema(number) for number in first[:20]] == schemas


@pytest.mark.parametrize("url", ["redis://x", "http://", "localhost:8081", "http://h:port", "http://a:1,b:2"])
def test_other_urls_are_refused(registry: EmbeddedRegistry, url: str) -> None:
    with pytest.raises(ProgramError):
        ConfluentRegistry(url)


def test_secrets_of_the_url_and_the_properties_stay_unseen() -> None:
    registry = ConfluentRegistry("http://me:hunter2@127.0.0.1:1/api/", {"schema.registry.max.retries": "0"})
    assert registry.name == "http://127.0.0.1:1/api"
    with pytest.raises(RegistryUnavailableError) as caught:
        registry.schema(1)
    registry.close()
    assert "hunter2" not in str(caught.value.diagnostics)
    with pytest.raises(ProgramError) as refused:
        ConfluentRegistry("http://127.0.0.1:1", {"basic.auth.user.info": "hunter2"})
    assert "hunter2" not in str(refused.value.diagnostics)
    with pytest.raises(ProgramError):
        ConfluentRegistry("http://127.0.0.1:1", {"timeout": "soon"})
