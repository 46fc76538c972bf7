"""Settings: the keys of SET, the environment, and what they mean to the Kafka clients."""

from headrace.config.environment import Environment, read_environment
from headrace.config.reading import Assignment, read_settings
from headrace.config.settings import SETTINGS, ProgramSettings, Setting, TopicSettings

__all__ = [
    "SETTINGS",
    "Assignment",
    "Environment",
    "ProgramSettings",
    "Setting",
    "TopicSettings",
    "read_environment",
    "read_settings",
]
