"""Results of cases in the XML of JUnit, which build servers read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Result:
    """A case, how long it took in seconds, and what is wrong with it; `error`: it could not be run at all."""

    file: Path
    seconds: float
    problem: str | None = None
    error: bool = False


def junit_xml(results: Sequence[Result]) -> str:
    """Give the report."""
    suite = ET.Element(
        "testsuite",
        name="headrace",
        tests=str(len(results)),
        failures=str(sum(item.problem is not None and not item.error for item in results)),
        errors=str(sum(item.error for item in results)),
        time=f"{sum(item.seconds for item in results):.3f}",
    )
    for item in results:
        case = ET.SubElement(
            suite,
            "testcase",
            classname=".".join(item.file.parent.parts) or ".",
            name=item.file.stem,
            file=item.file.as_posix(),
            time=f"{item.seconds:.3f}",
        )
        if item.problem is not None:
            kind = "error" if item.error else "failure"
            ET.SubElement(case, kind, message=_printable(item.problem.partition("\n")[0])).text = _printable(
                item.problem
            )
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """Replace what XML cannot hold."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text
    )
