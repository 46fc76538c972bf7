"""The raw figures of a benchmark: a JSON file that is written after each of them, and gone on with by the same command."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class OtherSettingsError(RuntimeError):
    """What is in the file was measured in another way, so that nothing can be added to it."""


class Journal:
    """Figures that can be compared with one another, since they were made on one machine, with the same versions and settings.

    Args:
        path: of the file; what is in it already is kept.
        made_by: what the figures depend on: the machine, versions, settings.
        session: what may differ from one call to the next: date, command, load, revision.

    Raises:
        OtherSettingsError: the file's figures depend on something else.
    """

    def __init__(self, path: Path, made_by: Mapping[str, Any], session: Mapping[str, Any]) -> None:
        self._path = path
        self._made_by = json.loads(json.dumps(made_by))
        self._session: dict[str, Any] | None = dict(session)
        self._sessions: list[dict[str, Any]] = []
        self.entries: list[dict[str, Any]] = []
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            self._refuse_others({name: before.get(name) for name in self._made_by})
            self._sessions, self.entries = before["sessions"], before["entries"]

    def find(self, **key: Any) -> list[dict[str, Any]]:
        """Give the entries that have these members."""
        return [
            entry for entry in self.entries if all(entry.get(name) == value for name, value in key.items())
        ]

    def add(self, entry: Mapping[str, Any]) -> None:
        """Write one more. A process that is killed meanwhile leaves the file as it was."""
        if self._session is not None:
            self._sessions.append(self._session)
            self._session = None
        self.entries.append(json.loads(json.dumps(entry)))
        whole = {**self._made_by, "sessions": self._sessions, "entries": self.entries}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(_text(whole), encoding="utf-8")
        part.replace(self._path)

    def _refuse_others(self, before: Mapping[str, Any]) -> None:
        differing = [
            f"{area} {name}: {(before[area] or {}).get(name)!r} there, {value!r} now"
            for area, values in self._made_by.items()
            for name, value in values.items()
            if (before[area] or {}).get(name) != value
        ]
        if differing:
            message = (
                f"{self._path} was measured otherwise ({'; '.join(differing)}): name another folder by --out, "
                "or remove the file"
            )
            raise OtherSettingsError(message)


def _text(whole: Mapping[str, Any]) -> str:
    """Give JSON with a line for each entry, so that a change of one is a line of a diff."""
    head = json.dumps({name: value for name, value in whole.items() if name != "entries"}, indent=1)
    lines = ",\n".join(f"  {json.dumps(entry)}" for entry in whole["entries"])
    return f'{head.removesuffix("}").rstrip()},\n "entries": [\n{lines}\n ]\n}}\n'
