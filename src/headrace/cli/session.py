"""The log and the registry that a call names, opened for the length of a command."""

from __future__ import annotations

from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.catalog import Catalog
from headrace.cli.failures import warn
from headrace.config.environment import Environment, read_environment
from headrace.formats.registry import open_registry
from headrace.log import open_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headrace.formats.interface import Registry
    from headrace.log.interface import Log

DEFAULT_LOG = "sqlite:headrace.db"


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works on."""

    log: Log
    registry: Registry | None
    catalog: Catalog
    environment: Environment


def setting_defaults(functions: str | None, environment: Environment) -> dict[str, str]:
    """Give the settings of programs that say nothing of their own, by their SET keys.

    Args:
        functions: of --functions.
        environment: its variables count where there is no flag.
    """
    file = functions or environment.functions
    return {} if file is None else {"functions.file": file}


@contextmanager
def open_session(log: str | None, registry: str | None) -> Iterator[Session]:
    """Open log and registry; flags go before the environment, the environment before the default."""
    environment = read_environment()
    warn(environment.warnings)
    url = log or environment.log or DEFAULT_LOG
    with open_log(url, environment.client) as opened:
        schemas = open_registry(registry or environment.registry, opened, environment.registry_client)
        with (
            closing(schemas) if schemas is not None else nullcontext(),
            closing(Catalog(opened, schemas)) as catalog,
        ):
            yield Session(opened, schemas, catalog, environment)
