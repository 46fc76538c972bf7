"""`headrace schemas`: list, show, diff, check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.cli.failures import ExitCode, bad_call, leave, reported
from headrace.cli.options import examples, log_options
from headrace.cli.session import open_session
from headrace.cli.tables import print_rows
from headrace.errors.codes import format as codes
from headrace.errors.suggest import did_you_mean
from headrace.formats.registry.compatibility import Compatibility
from headrace.formats.registry.fields import differences, schema_fields
from headrace.formats.registry.kinds import SchemaKind, kind_of
from headrace.formats.registry.rules import reasons_against
from headrace.formats.registry.schema import SchemaSyntaxError

if TYPE_CHECKING:
    from headrace.formats.interface import Registry


@click.group("schemas", epilog=examples("headrace schemas list", "headrace schemas show orders-value"))
def command() -> None:
    """List, show, compare and check the schemas of the registry."""


@command.command("list", epilog=examples("headrace schemas list"))
@log_options
@reported
def list_subjects(log: str | None, registry: str | None) -> None:
    """List the subjects with their numbers of versions and their compatibility."""
    with open_session(log, registry) as session:
        schemas = _need(session.registry)
        rows = []
        for subject in schemas.subjects():
            versions = schemas.versions(subject)
            kind = str(schemas.kind(versions[-1][0])) if versions else ""
            rows.append((subject, kind, str(len(versions)), str(schemas.level(subject))))
    print_rows(("subject", "type", "versions", "compatibility"), rows)


@command.command(
    "show", epilog=examples("headrace schemas show orders-value", "headrace schemas show orders-value --raw")
)
@click.argument("subject")
@click.option("--version", type=click.IntRange(min=1), help="Default: the latest.")
@click.option("--raw", is_flag=True, help="The text of the schema.")
@log_options
@reported
def show_schema(subject: str, version: int | None, raw: bool, log: str | None, registry: str | None) -> None:
    """Show a schema of SUBJECT as a table: name, type, default and documentation of each field."""
    with open_session(log, registry) as session:
        text, kind = _version(_need(session.registry), subject, version)
    if raw:
        click.echo(
            text
            if kind is SchemaKind.PROTOBUF
            else json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        )
        return
    rows = [
        (field.name, field.type, "yes" if field.nullable else "no", field.default or "", field.doc or "")
        for field in schema_fields(text, kind)
    ]
    print_rows(("name", "type", "nullable", "default", "doc"), rows)


@command.command(
    "diff", epilog=examples("headrace schemas diff orders-value", "headrace schemas diff orders-value 1 3")
)
@click.argument("subject")
@click.argument("old", type=click.IntRange(min=1), required=False)
@click.argument("new", type=click.IntRange(min=1), required=False)
@log_options
@reported
def diff_schemas(
    subject: str, old: int | None, new: int | None, log: str | None, registry: str | None
) -> None:
    """Show what differs between versions OLD and NEW of SUBJECT; without them, between the last two."""
    with open_session(log, registry) as session:
        schemas = _need(session.registry)
        last = len(_versions(schemas, subject))
        newer = new or last
        older = old or newer - 1
        if older < 1:
            message = f"`{subject}` has one version: there is nothing to compare it with"
            raise bad_call(message)
        (before, kind), (after, other) = (_version(schemas, subject, one) for one in (older, newer))
    if kind is not other:
        message = f"version {older} of `{subject}` is {kind.spoken}, version {newer} is {other.spoken}"
        raise bad_call(message)
    found = differences(before, after, kind)
    print_rows(("field", "", f"version {older}", f"version {newer}"), found)


@command.command(
    "check",
    epilog=examples(
        "headrace schemas check orders-value new.avsc",
        "headrace schemas check orders-value new.avsc --level FULL_TRANSITIVE",
        "headrace schemas check orders-value order.proto",
    ),
)
@click.argument("subject")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--level",
    type=click.Choice([level.value for level in Compatibility], case_sensitive=False),
    help="Default: that of the subject.",
)
@click.option(
    "--type",
    "kind_name",
    type=click.Choice([kind.value for kind in SchemaKind], case_sensitive=False),
    help="The language of FILE. Default: that of the subject, else what the text looks like.",
)
@log_options
@reported
def check_schema(
    subject: str, file: Path, level: str | None, kind_name: str | None, log: str | None, registry: str | None
) -> None:
    """Say whether the schema in FILE could be the next version of SUBJECT. Nothing is registered.

    Exits with 1 if it could not. `headrace plan` does the same for the outputs of a program.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"`{file}` cannot be read"
        raise bad_call(message) from error
    with open_session(log, registry) as session:
        schemas = _need(session.registry)
        there = schemas.versions(subject)
        asked = Compatibility(level.upper()) if level else schemas.level(subject)
        kind = schemas.kind(there[-1][0]) if there else kind_of(text)
        kind = SchemaKind(kind_name.upper()) if kind_name else kind
        try:
            schema_fields(text, kind)
            if level is None:
                reasons = list(schemas.check(subject, text, kind))
            else:
                reasons = reasons_against(kind, asked, text, [version for _, version in there])
        except (SchemaSyntaxError, ValueError) as error:
            message = f"`{file}` holds no {kind.spoken} schema: {error}"
            raise bad_call(message, code=codes.INCOMPATIBLE_SCHEMA) from error
    if reasons:
        for reason in reasons:
            click.echo(reason)
        leave(ExitCode.FAILED)
    what = f"version {len(there) + 1} of" if there else "the first version of"
    click.echo(f"it can be {what} `{subject}` ({asked})")


def _need(registry: Registry | None) -> Registry:
    if registry is None:
        message = "there is no schema registry"
        raise bad_call(
            message, help="name one with --registry or HEADRACE_SCHEMA_REGISTRY", code=codes.NO_REGISTRY
        )
    return registry


def _versions(registry: Registry, subject: str) -> list[tuple[int, str]]:
    found = list(registry.versions(subject))
    if not found:
        message = f"the registry has no subject `{subject}`"
        way_out = did_you_mean(subject, registry.subjects()) or "`headrace schemas list` shows those it has"
        raise bad_call(message, help=way_out)
    return found


def _version(registry: Registry, subject: str, version: int | None) -> tuple[str, SchemaKind]:
    """Give a version of a subject, and its language."""
    found = _versions(registry, subject)
    if version is not None and version > len(found):
        message = f"`{subject}` has {len(found)} versions, no version {version}"
        raise bad_call(message)
    id, text = found[(version or len(found)) - 1]
    return text, registry.kind(id)
