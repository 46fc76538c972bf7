"""Variables of the environment, ours and those of 2018."""

from __future__ import annotations

import pytest

from headrace.config.environment import Environment, read_environment
from headrace.config.secrets import masked_url
from headrace.errors import ProgramError

JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="me" password="pa\\"ss;";'


def test_an_empty_environment_says_nothing() -> None:
    assert read_environment({}) == Environment()
    assert read_environment({"HEADRACE_LOG": " ", "SQL_PORT": ""}) == Environment()


def test_our_variables() -> None:
    found = read_environment(
        {
            "HEADRACE_LOG": "sqlite:x.db",
            "HEADRACE_SCHEMA_REGISTRY": "http://r",
            "HEADRACE_APP_ID": "app",
            "HEADRACE_INSTANCE": "pod-1",
            "HEADRACE_LOG_FORMAT": "JSON",
            "HEADRACE_KAFKA_SOCKET_KEEPALIVE_ENABLE": "true",
            "SQL": "SELECT 1",
        }
    )
    assert (found.log, found.registry, found.application, found.instance) == (
        "sqlite:x.db",
        "http://r",
        "app",
        "pod-1",
    )
    assert found.log_json
    assert found.client == {"socket.keepalive.enable": "true"}
    assert found.sql == "SELECT 1"


def test_the_variables_of_2018() -> None:
    found = read_environment(
        {
            "SQL_BOOTSTRAP_SERVERS": "a:9092,b:9092",
            "SQL_SCHEMA_REGISTRY_URL": "http://r1, http://r2",
            "SQL_APP_ID": "app",
            "SQL_STATE_STORE_DIR": "logs/state",
            "SQL_PORT": "8083",
            "ROOT_LOG_LEVEL": "warn",
        }
    )
    assert found.log == "kafka://a:9092,b:9092"
    assert found.registry == "http://r1"
    assert (found.application, found.state_dir, found.port, found.log_level) == (
        "app",
        "logs/state",
        8083,
        "WARNING",
    )


def test_properties_of_the_registry_have_a_prefix() -> None:
    found = read_environment(
        {
            "HEADRACE_SCHEMA_REGISTRY": "https://registry:8081",
            "HEADRACE_SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "me:secret",
            "HEADRACE_SCHEMA_REGISTRY_SSL_CA_LOCATION": "",
        }
    )
    assert found.registry == "https://registry:8081"
    assert found.registry_client == {"basic.auth.user.info": "me:secret"}
    assert "secret" not in repr(found)


def test_brokers_may_carry_their_protocol() -> None:
    assert read_environment({"SQL_BOOTSTRAP_SERVERS": "PLAINTEXT://a:1,SSL://b:2"}).log == "kafka://a:1,b:2"


def test_ours_go_before_those_of_2018() -> None:
    found = read_environment(
        {"HEADRACE_LOG": "sqlite:x", "SQL_BOOTSTRAP_SERVERS": "a:1", "SQL_PORT": "1", "HEADRACE_PORT": "2"}
    )
    assert found.log == "sqlite:x"
    assert found.port == 2


def test_java_security_is_translated() -> None:
    found = read_environment(
        {
            "SECURITY_PROTOCOL": "SASL_SSL",
            "SASL_MECHANISM": "SCRAM-SHA-512",
            "SASL_JAAS_CONFIG": JAAS,
            "SSL_TRUSTSTORE_LOCATION": "/certs/ca.pem",
            "SSL_ENDPOINT_IDENTIFICATION_ALGORITHM": "none",
            "SSL_CERT_FILE": "/etc/ssl/cert.pem",
        }
    )
    assert found.client == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": 'pa"ss;',
        "ssl.ca.location": "/certs/ca.pem",
        "ssl.endpoint.identification.algorithm": "none",
    }
    assert found.warnings == ()


def test_a_java_trust_store_is_explained() -> None:
    found = read_environment({"SSL_TRUSTSTORE_LOCATION": "/certs/trust.jks"})
    assert found.client == {}
    assert [item.message for item in found.warnings] == [
        "the environment variable `SSL_TRUSTSTORE_LOCATION` has no effect: trust stores of Java cannot be read; set "
        "`ssl.ca.location` to a file of certificates (PEM)"
    ]


def test_a_user_said_by_name_goes_before_one_in_the_jaas_line() -> None:
    assert (
        read_environment({"SASL_JAAS_CONFIG": JAAS, "SASL_USERNAME": "other"}).client["sasl.username"]
        == "other"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SQL_PORT", "http"),
        ("HEADRACE_PORT", "65536"),
        ("HEADRACE_LOG_LEVEL", "loud"),
        ("HEADRACE_LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_names_the_variable_and_not_the_value(variable: str, value: str) -> None:
    with pytest.raises(ProgramError) as caught:
        read_environment({variable: value})
    [fault] = caught.value.diagnostics
    assert f"`{variable}`" in fault.message
    assert value not in fault.message


def test_secrets_are_not_printed() -> None:
    found = read_environment(
        {
            "SASL_JAAS_CONFIG": JAAS,
            "HEADRACE_SCHEMA_REGISTRY": "https://me:secret@r/x",
            "SSL_KEY_PASSWORD": "hunter2",
        }
    )
    text = repr(found)
    assert 'pa"ss' not in text
    assert "secret@" not in text
    assert "hunter2" not in text
    assert found.client["ssl.key.password"] == "hunter2"


def test_a_url_without_user_is_shown_as_it_is() -> None:
    assert masked_url("http://host:1/a@b") == "http://host:1/a@b"


def test_a_variable_of_another_program_is_left_out_with_a_warning() -> None:
    found = read_environment({"SASL_LISTENER": "10.0.0.1:9", "SASL_MECHANISM": "PLAIN"})
    assert dict(found.client) == {"sasl.mechanism": "PLAIN"}
    (warning,) = found.warnings
    assert "`SASL_LISTENER` has no effect" in warning.message
    assert "10.0.0.1" not in warning.message
