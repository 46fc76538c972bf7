"""What statements work on."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.catalog import DefinitionStore
from headrace.errors import Diagnostic, ProgramError, RunError
from headrace.errors.codes import catalog as codes
from headrace.errors.suggest import did_you_mean

if TYPE_CHECKING:
    from headrace.catalog import Catalog
    from headrace.engine.snapshot import LocalStates
    from headrace.engine.statements.running import RunningQueries
    from headrace.errors import Code, Span
    from headrace.formats.interface import Registry
    from headrace.log.interface import Log, TopicDescription
    from headrace.sql.nodes import Set


@dataclass(frozen=True, slots=True)
class Workspace:
    """The log and what is known of it. Belongs to one thread.

    Args:
        log: where the topics are.
        registry: for formats that need one.
        catalog: what the topics hold.
        states: the state of processors of this machine.
        running: where queries are noted while they run; None notes nothing.
        preset: what holds as if each session began with it: the functions that the call names.
    """

    log: Log
    registry: Registry | None
    catalog: Catalog
    states: LocalStates
    running: RunningQueries | None = None
    preset: tuple[Set, ...] = ()

    @property
    def definitions(self) -> DefinitionStore:
        """Where definitions are kept."""
        return DefinitionStore(self.log)

    def topic_name(self, name: str) -> str:
        """Give the topic that a name or a synonym means."""
        return self.catalog.definitions.synonyms.get(name, name)

    def described(self, name: str, span: Span) -> TopicDescription:
        """Give partitions and settings of a topic, as they are now.

        Raises:
            ProgramError: there is none.
        """
        topic = self.topic_name(name)
        if topic in self.catalog.definitions.views:
            message, way_out = f"`{topic}` is a view, and no topic", f"`SHOW VIEW {topic}` gives its query"
            raise refused(codes.UNKNOWN_TOPIC, message, span, way_out)
        with closing(self.log.admin()) as admin:
            found = admin.describe(topic)
            if found is None:
                near = did_you_mean(topic, admin.topics())
                raise refused(codes.UNKNOWN_TOPIC, f"there is no topic `{topic}`", span, near)
        return found


def refused(code: Code, message: str, span: Span | None, way_out: str | None = None) -> ProgramError:
    """Make the error of a statement that cannot be run."""
    return ProgramError((Diagnostic(code, message, span, way_out),))


def failed(code: Code, message: str, way_out: str | None = None) -> RunError:
    """Make the error of a statement that failed while it ran."""
    return RunError((Diagnostic(code, message, None, way_out),))
