"""A registry behind TLS and a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from headrace.cli.session import open_session
from headrace.errors import RunError
from headrace.errors.codes import format as codes
from headrace.formats.errors import RegistryUnavailableError
from headrace.formats.registry.confluent import ConfluentRegistry
from tests.engine.programs import unique
from tests.engine.registry_proxy import RegistryProxy
from tests.servers.certificates import Certificates, make_certificates

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.kafka

SCHEMA = '{"type":"record","name":"R","fields":[{"name":"x","type":"int"}]}'
ACCOUNT = ("vessels", "p@ss:word/")
QUOTED = "vessels:p%40ss%3Aword%2F@"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def works(url: str, properties: Mapping[str, str] | None = None) -> None:
    registry = ConfluentRegistry(url, properties)
    subject = unique("subject")
    schema_id = registry.register(subject, SCHEMA)
    assert registry.latest(subject) == (schema_id, SCHEMA)
    assert registry.check(subject, SCHEMA) == []
    registry.close()


def refusal(url: str, properties: Mapping[str, str] | None = None) -> str:
    registry = ConfluentRegistry(url, properties)
    with pytest.raises(RunError) as caught:
        registry.latest("any")
    registry.close()
    assert not isinstance(caught.value, RegistryUnavailableError)
    (told,) = caught.value.diagnostics
    assert told.code == codes.REGISTRY_REFUSED
    assert "word" not in repr(told).replace("password", "")
    assert told.help is not None
    return told.help


def test_a_user_and_password(registry_url: str) -> None:
    with RegistryProxy(registry_url, ACCOUNT) as proxy:
        works(proxy.url(QUOTED))
        works(proxy.url(), {"basic.auth.user.info": ":".join(ACCOUNT)})
        assert "password" in refusal(proxy.url())
        assert "password" in refusal(proxy.url("vessels:wrong@"))


def test_a_certificate_of_a_private_authority(registry_url: str, certificates: Certificates) -> None:
    with RegistryProxy(registry_url, ACCOUNT, certificates.server) as proxy:
        works(proxy.url(QUOTED), {"ssl.ca.location": str(certificates.authority)})
        assert "SSL_CA_LOCATION" in refusal(proxy.url(QUOTED))


def test_the_environment_opens_a_guarded_registry(
    registry_url: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RegistryProxy(registry_url, ACCOUNT, certificates.server) as proxy:
        monkeypatch.setenv("HEADRACE_SCHEMA_REGISTRY", proxy.url())
        monkeypatch.setenv("HEADRACE_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO", ":".join(ACCOUNT))
        monkeypatch.setenv("HEADRACE_SCHEMA_REGISTRY_SSL_CA_LOCATION", str(certificates.authority))
        with open_session("sqlite::memory:", None) as session:
            assert isinstance(session.registry, ConfluentRegistry)
            assert session.registry.latest(unique("subject")) is None
            session.registry.close()
