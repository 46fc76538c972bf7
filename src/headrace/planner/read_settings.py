"""SET statements into what the engine and the targets need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headrace.config import ProgramSettings, TopicSettings, read_settings
from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import plan
from headrace.errors.codes import setting as codes
from headrace.log.interface import OffsetReset
from headrace.log.names import WAY_OUT, is_topic_name
from headrace.plan.topology import ErrorPolicy, Guarantee, RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headrace.sql.nodes import Set

_NOWHERE = Span(-1, -1)


@dataclass(frozen=True, slots=True)
class _Default:
    """A setting from outside the text."""

    key: tuple[str, ...]
    value: str
    span: Span = _NOWHERE
    value_span: Span = _NOWHERE


def program_settings(
    sets: Sequence[Set], defaults: Mapping[str, str]
) -> tuple[ProgramSettings, list[Diagnostic]]:
    """Give the settings of a program and what is wrong with them.

    Args:
        sets: the statements, in order; the last one of a key wins.
        defaults: settings from outside, by key; the program's win.
    """
    outside = [_Default(tuple(key.split(".")), value) for key, value in defaults.items()]
    try:
        settings, complaints = read_settings([*outside, *sets])
    except ProgramError as fault:
        # Planning goes on with the product's settings, so that all that is wrong comes out at once.
        return ProgramSettings(defaults=TopicSettings(autocreate=True)), [
            _placed(item) for item in fault.diagnostics
        ]
    return settings, [_placed(item) for item in complaints]


def run_settings(settings: ProgramSettings) -> RunSettings:
    """Give the engine's part of the settings."""
    return RunSettings(
        guarantee=Guarantee(settings.guarantee),
        on_read_error=ErrorPolicy(settings.on_read_error),
        on_write_error=ErrorPolicy(settings.on_write_error),
        dead_letter_topic=settings.dead_letter_topic,
        commit_interval=settings.commit_interval,
        threads=settings.threads,
        standby_replicas=settings.standby_replicas,
        offset_reset=OffsetReset(settings.offset_reset),
        late_topic=settings.late_topic,
        task_idle=settings.task_idle,
        idle_timeout=settings.idle_timeout,
        state_memory=settings.state_memory,
        client=settings.client,
        consumer_client=settings.consumer_client,
        producer_client=settings.producer_client,
    )


def check_dead_letter_topic(
    settings: ProgramSettings, sets: Sequence[Set], inputs: Iterable[str], targets: Iterable[str]
) -> list[Diagnostic]:
    """Refuse dead letters that come back as input, end up among results, or have no place to go."""
    topic = settings.dead_letter_topic
    if ErrorPolicy.DLQ not in (settings.on_read_error, settings.on_write_error):
        return []
    places = [item.value_span for item in sets if ".".join(item.key).lower() == "dead.letter.queue"]
    place = places[-1] if places else None
    if topic is not None and not is_topic_name(topic):
        return [Diagnostic(plan.BAD_TOPIC_NAME, f"no topic can be called `{topic}`", place, WAY_OUT)]
    use = "read" if topic in set(inputs) else "written" if topic in set(targets) else None
    if use is None:
        return []
    message = f"the dead letter topic `{topic}` is {use} by the program itself"
    way_out = "name a topic of its own for bad records"
    return [Diagnostic(codes.DEAD_LETTERS_MEET_OTHERS, message, place, way_out)]


def _placed(item: Diagnostic) -> Diagnostic:
    """Take the place away from a complaint about a setting that is not in the text."""
    if item.span != _NOWHERE:
        return item
    return type(item)(item.code, item.message, None, item.help, item.notes, item.severity)
