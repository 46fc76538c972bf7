"""A schema registry that speaks Confluent's API: Confluent's own, Apicurio, Karapace, Redpanda."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from headrace.errors import Diagnostic, ProgramError, RunError
from headrace.errors.codes import format as codes
from headrace.formats.errors import IncompatibleSchemaError, RegistryUnavailableError, UnknownSchemaError
from headrace.formats.registry.compatibility import Compatibility
from headrace.formats.registry.kinds import SchemaKind
from headrace.formats.registry.references import whole
from headrace.formats.registry.rules import reasons_against
from headrace.formats.registry.schema import SchemaSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BOUNDS: Final[dict[str, float]] = {
    "timeout": 5.0,
    "max.retries": 1,
    "retries.wait.ms": 100,
    "retries.max.wait.ms": 1000,
}
"""A call that fails comes back within ten seconds: a processor asks while it processes, and calls again until it is answered."""

_PREFIX: Final = "schema.registry."


class ConfluentRegistry:
    """`Registry` on a server. Thread safe."""

    def __init__(self, url: str, properties: Mapping[str, str] | None = None) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: of the registry, several with commas between; a user and password in it are used and never
                shown.
            properties: of Confluent's client, with or without `schema.registry.` before them.

        Raises:
            ProgramError: the URL or a property is not understood.
        """
        urls, user_info = _split(url)
        self._name = ",".join(urls)
        conf: dict[str, object] = {"url": self._name}
        if user_info is not None:
            conf["basic.auth.user.info"] = user_info
        conf |= _BOUNDS
        for name, text in (properties or {}).items():
            key = name.removeprefix(_PREFIX)
            conf[key] = _number(name, text) if key in _BOUNDS else text
        try:
            self._client = SchemaRegistryClient(conf)
        except (ValueError, TypeError, OSError) as error:
            # The text of the error may quote a property, so it is not shown; its kind is enough to find it.
            message = f"the client of `{self._name}` refuses its settings ({type(error).__name__})"
            raise _bad(message) from error
        self._texts: dict[int, str] = {}
        self._kinds: dict[int, SchemaKind] = {}

    @property
    def name(self) -> str:
        """The URL without secrets, for messages."""
        return self._name

    def schema(self, schema_id: int) -> str:
        """See `Registry.schema`."""
        text = self._texts.get(schema_id)
        if text is None:
            with self._errors():
                try:
                    found = self._client.get_schema(schema_id)
                except SchemaRegistryError as error:
                    if error.http_status_code != 404:
                        raise
                    message = f"the registry `{self._name}` has no schema {schema_id}"
                    raise UnknownSchemaError((Diagnostic(codes.UNKNOWN_SCHEMA, message),)) from error
                text = self._whole(found)
            self._texts[schema_id] = text
            self._kinds[schema_id] = _kind(found)
        return text

    def kind(self, schema_id: int) -> SchemaKind:
        """See `Registry.kind`."""
        self.schema(schema_id)
        return self._kinds[schema_id]

    def latest(self, subject: str) -> tuple[int, str] | None:
        """See `Registry.latest`; never from a cache."""
        with self._errors():
            try:
                # The client would answer from a cache without an end, and never see what others register.
                self._client.clear_latest_caches()  # type: ignore[no-untyped-call]
                found = self._client.get_latest_version(subject)
            except SchemaRegistryError as error:
                if error.http_status_code != 404:
                    raise
                return None
            if found.schema_id is None or found.schema is None:
                return None
            text = self._texts.get(found.schema_id) or self._whole(found.schema)
        self._texts[found.schema_id] = text
        self._kinds[found.schema_id] = _kind(found.schema)
        return found.schema_id, text

    def versions(self, subject: str) -> Sequence[tuple[int, str]]:
        """See `Registry.versions`; versions that were deleted are left out."""
        with self._errors():
            try:
                numbers = sorted(self._client.get_versions(subject))
            except SchemaRegistryError as error:
                if error.http_status_code != 404:
                    raise
                return []
            found = [self._client.get_version(subject, number) for number in numbers]
            return [
                (item.schema_id, self._whole(item.schema))
                for item in found
                if item.schema_id is not None and item.schema is not None
            ]

    def level(self, subject: str) -> Compatibility:
        """See `Registry.level`."""
        with self._errors():
            return self._level(subject)

    def check(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> Sequence[str]:
        """See `Registry.check`.

        The verdict is the registry's. Its client does not hand the reasons on, so they come from our own
        rules.
        """
        latest = self.latest(subject)
        if latest is None or latest[1] == schema:
            return []
        with self._errors():
            if self._client.test_compatibility(subject, Schema(schema, str(kind))):
                return []
            level = self._level(subject)
        try:
            reasons = reasons_against(kind, level, schema, [latest[1]])
        except SchemaSyntaxError as error:
            reasons = [f"the text is no {kind.spoken} schema: {error}"]
        return reasons or [f"the registry refuses it under compatibility {level}"]

    def _level(self, subject: str) -> Compatibility:
        for name in (subject, None):
            try:
                return Compatibility(self._client.get_compatibility(name))
            except SchemaRegistryError as error:
                if error.http_status_code != 404:
                    raise
        return Compatibility.BACKWARD

    def register(self, subject: str, schema: str, kind: SchemaKind = SchemaKind.AVRO) -> int:
        """See `Registry.register`."""
        latest = self.latest(subject)
        if latest is not None and latest[1] == schema:
            # The text may be whole where the registered one has references: it is no new version.
            return latest[0]
        with self._errors():
            try:
                schema_id = self._client.register_schema(subject, Schema(schema, str(kind)))
            except SchemaRegistryError as error:
                if error.http_status_code not in {409, 422}:
                    raise
                message = f"the schema cannot be the next version of subject `{subject}`"
                notes = (f"the registry says: {error.error_message}",)
                raise IncompatibleSchemaError(
                    (Diagnostic(codes.INCOMPATIBLE_SCHEMA, message, notes=notes),)
                ) from error
        return int(schema_id)

    def subjects(self) -> list[str]:
        """Give the names of all subjects, sorted."""
        with self._errors():
            return sorted(self._client.get_subjects())

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._client.close()

    def _whole(self, schema: Schema) -> str:
        """Give the text of a schema with what it refers to in it."""
        others: dict[str, str] = {}
        open = list(schema.references or ())
        while open:
            reference = open.pop()
            if reference.name in others or reference.subject is None or reference.version is None:
                continue
            found = self._client.get_version(reference.subject, reference.version).schema
            if found is not None:
                others[str(reference.name)] = str(found.schema_str)
                open += found.references or ()
        return whole(_kind(schema), str(schema.schema_str), others)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except SchemaRegistryError as error:
            status = error.http_status_code
            if status in {408, 429} or status >= 500:
                note = f"it answers with status {status}"
                raise self._away(note) from error
            message = f"the schema registry `{self._name}` refuses the request with status {status}"
            way_out = "check user and password" if status in {401, 403} else None
            notes = (f"the registry says: {error.error_message}",)
            raise RunError(
                (Diagnostic(codes.REGISTRY_REFUSED, message, help=way_out, notes=notes),)
            ) from error
        except Exception as error:
            # The client lets the errors of its HTTP package through, and which package that is depends on its
            # version.
            if not type(error).__module__.startswith("httpx"):
                raise
            if _is_tls(error):
                raise self._untrusted() from error
            note = f"{type(error).__name__} while talking to it"
            raise self._away(note) from error

    def _untrusted(self) -> RunError:
        message = f"no secure connection to the schema registry `{self._name}`: the two sides do not trust each other"
        way_out = (
            "name the authority of its certificate with `HEADRACE_SCHEMA_REGISTRY_SSL_CA_LOCATION`, and your own "
            "certificate, if it asks for one, with `…_SSL_CERTIFICATE_LOCATION` and `…_SSL_KEY_LOCATION`"
        )
        return RunError((Diagnostic(codes.REGISTRY_REFUSED, message, help=way_out),))

    def _away(self, note: str) -> RegistryUnavailableError:
        message = f"the schema registry `{self._name}` cannot be reached"
        return RegistryUnavailableError((Diagnostic(codes.REGISTRY_AWAY, message, notes=(note,)),))


def _kind(schema: Schema) -> SchemaKind:
    return SchemaKind(schema.schema_type or SchemaKind.AVRO)


def _is_tls(error: BaseException | None) -> bool:
    """Say whether a fault of TLS is behind an error."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _split(url: str) -> tuple[list[str], str | None]:
    """Give the URLs without user and password, and these apart."""
    urls: list[str] = []
    user_info: str | None = None
    for text in url.split(","):
        try:
            parts = urlsplit(text.strip())
            # Reading the port checks it.
            known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            known = False
        if not known:
            message = "the URL of the schema registry is not of the form `http://host:port`"
            raise _bad(message)
        if parts.username is not None:
            user_info = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        urls.append(
            urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        )
    return urls, user_info


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        message = f"the registry property `{name}` is a number"
        raise _bad(message) from None


def _bad(message: str) -> ProgramError:
    way_out = "write `http://host:port`, and properties as Confluent's client has them"
    return ProgramError((Diagnostic(codes.BAD_REGISTRY, message, help=way_out),))
