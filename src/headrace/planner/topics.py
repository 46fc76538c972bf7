"""Topics as one program sees them: the catalog's, with what the program declares and what its earlier statements write."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headrace.catalog import format_named, windowed_name
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes import plan as codes
from headrace.planner.faults import refusal
from headrace.planner.relations import Names, TopicReads

if TYPE_CHECKING:
    from headrace.catalog import CatalogTopic, TopicCatalog
    from headrace.errors import Span
    from headrace.formats.interface import Format, Windowing
    from headrace.log.interface import TopicDescription


@dataclass(slots=True)
class Topics:
    """The topics of one program.

    Args:
        catalog: what there is.
        names: makes column names.
        declared: CREATE TABLE of the program, by topic; it wins over the catalog.
        planned: what the program's statements write, by topic.
        later_names: WITH names that are defined further down.
        reads: what the program reads, by topic.
    """

    catalog: TopicCatalog
    names: Names
    declared: dict[str, CatalogTopic] = field(default_factory=dict)
    planned: dict[str, CatalogTopic] = field(default_factory=dict)
    later_names: set[str] = field(default_factory=set)
    reads: dict[str, TopicReads] = field(default_factory=dict)
    tables: dict[str, TopicReads] = field(default_factory=dict)
    """What every thread reads whole, by topic."""
    key_format: Format | None = None
    key_window: Windowing | None = None
    value_format: Format | None = None

    def all_names(self) -> list[str]:
        """Give every name that a FROM could mean, for suggestions."""
        return list(dict.fromkeys([*self.declared, *self.planned, *self.catalog.names()]))

    def assume(self, key: str | None, value: str | None) -> None:
        """Take formats for topics of which the program says nothing else (`SET _ktype`, `SET _vtype`)."""
        if key:
            self.key_window, plain = windowed_name(key)
            self.key_format = format_named(plain, None)
        self.value_format = format_named(value, None) if value else None

    def declare(self, topic: CatalogTopic) -> None:
        """Note what CREATE TABLE says of a topic."""
        self.declared[topic.name] = topic

    def describe(self, name: str) -> TopicDescription | None:
        """Give partitions and settings of a topic that exists."""
        return self.catalog.describe(name)

    def read(
        self, name: str, span: Span | None, key: Format | None, value: Format | None
    ) -> TopicReads | None:
        """Give what is read of a topic; None if there is no such topic.

        Raises:
            ProgramError: nothing is known of its values, or it is read in two formats.
        """
        known = self.reads.get(name)
        if known is None:
            topic = self._find(name, span, key, value)
            if topic is None:
                return None
            known = self.reads[name] = TopicReads(topic, self.names)
        for asked, side, what in ((key, known.topic.key, "keys"), (value, known.topic.value, "values")):
            if asked is not None and asked is not side.format:
                message = (
                    f"the {what} of `{name}` are {side.format} elsewhere in the program, and {asked} here"
                )
                raise refusal(codes.AMBIGUOUS_SOURCE_FORMAT, message, span)
        return known

    def whole(self, reads: TopicReads) -> TopicReads:
        """Give what every thread reads of a topic."""
        name = reads.topic.name
        if name not in self.tables:
            self.tables[name] = TopicReads(reads.topic, self.names, broadcast=True)
        return self.tables[name]

    def _find(
        self, name: str, span: Span | None, key: Format | None, value: Format | None
    ) -> CatalogTopic | None:
        planned = self.planned.get(name)
        exists = planned is not None or self.catalog.describe(name) is not None
        if name in self.declared:
            declared = self.declared[name]
            if planned is not None:
                # A topic that the program creates has the partitions that its first statement gives it.
                declared = replace(declared, partitions=planned.partitions)
            return declared if exists else None
        if planned is not None:
            return planned
        try:
            topic = self.catalog.topic(name, key or self.key_format, value or self.value_format)
        except ProgramError as fault:
            found = (
                Diagnostic(item.code, item.message, item.span or span, item.help, item.notes)
                for item in fault.diagnostics
            )
            raise ProgramError(tuple(found)) from None
        return topic if topic is None or key is not None else topic.with_window(self.key_window)
