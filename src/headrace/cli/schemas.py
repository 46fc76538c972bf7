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
from headrace.formats.registry.compatibility import Compatibility, obstacles
from headrace.formats.registry.fields import differences, schema_fields
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
        rows = [
            (subject, str(len(schemas.versions(subject))), str(schemas.level(subject)))
            for subject in schemas.subjects()
        ]
    print_rows(("subject", "versions", "compatibility"), rows)


@command.command(
    "show", epilog=examples("headrace schemas show orders-value", "headrace schemas show orders-value --raw")
)
@click.argument("subject")
@click.option("--version", type=click.IntRange(min=1), help="Default: the latest.")
@click.option("--raw", is_flag=True, help="The text of the schema as JSON.")
@log_options
@reported
def show_schema(subject: str, version: int | None, raw: bool, log: str | None, registry: str | None) -> None:
    """Show a schema of SUBJECT as a table: name, type, default and documentation of each field."""
    with open_session(log, registry) as session:
        text = _version(_need(session.registry), subject, version)
    if raw:
        click.echo(json.dumps(json.loads(text), indent=2, ensure_ascii=False))
        return
    rows = [
        (field.name, field.type, "yes" if field.nullable else "no", field.default or "", field.doc or "")
        for field in schema_fields(text)
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
        found = differences(_version(schemas, subject, older), _version(schemas, subject, newer))
    print_rows(("field", "", f"version {older}", f"version {newer}"), found)


@command.command(
    "check",
    epilog=examples(
        "headrace schemas check orders-value new.avsc",
        "headrace schemas check orders-value new.avsc --level FULL_TRANSITIVE",
    ),
)
@click.argument("subject")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--level",
    type=click.Choice([level.value for level in Compatibility], case_sensitive=False),
    help="Default: that of the subject.",
)
@log_options
@reported
def check_schema(subject: str, file: Path, level: str | None, log: str | None, registry: str | None) -> None:
    """Say whether the Avro schema in FILE could be the next version of SUBJECT. Nothing is registered.

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
        try:
            schema_fields(text)
            if level is None:
                reasons = list(schemas.check(subject, text))
            else:
                reasons = obstacles(asked, text, [version for _, version in there])
        except (SchemaSyntaxError, ValueError) as error:
            message = f"`{file}` holds no Avro schema: {error}"
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


def _version(registry: Registry, subject: str, version: int | None) -> str:
    found = _versions(registry, subject)
    if version is not None and version > len(found):
        message = f"`{subject}` has {len(found)} versions, no version {version}"
        raise bad_call(message)
    return found[(version or len(found)) - 1][1]
