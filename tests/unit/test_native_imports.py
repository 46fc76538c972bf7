"""The contract that import-linter cannot hold: it reads Python files only, and `headrace._native` is compiled."""

from __future__ import annotations

import ast
from pathlib import Path

import headrace

ALLOWED = ("formats/", "log/kafka/", "engine/state/")


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_only_formats_and_the_kafka_log_import_the_native_module() -> None:
    root = Path(headrace.__file__).parent
    users = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if any(name.startswith("headrace._native") for name in imports(file))
    }
    assert users, "somebody must use it, or this test sees nothing"
    assert [user for user in sorted(users) if not user.startswith(ALLOWED)] == []
