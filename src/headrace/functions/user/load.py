"""Finds user functions: in a Python file that the program names, and in installed packages."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import sys
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import function as codes
from headrace.functions.registry import lookup
from headrace.functions.user.declare import DeclarationError, UserFunction, declared
from headrace.functions.user.evaluate import FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GROUP: Final = "headrace.functions"
"""The entry points that installed packages offer functions by: each names a module, or one function."""

_INSTALLED: Final = "entry point "


@dataclass(frozen=True, slots=True)
class UserFunctions:
    """The user functions of one program, by their names in SQL.

    Args:
        file: where those of the program's own file are; None: it has none.
        own: of that file.
    """

    file: str | None = None
    own: Mapping[str, UserFunction] = field(default_factory=dict)

    def find(self, name: str) -> UserFunction | None:
        """Find a function by name in any case; the program's file goes before installed packages.

        Raises:
            ProgramError: an installed package offers it and cannot be loaded.
        """
        return self.own.get(name.upper()) or installed().get(name.upper())

    def all(self) -> tuple[UserFunction, ...]:
        """Give every function, by name."""
        return tuple(found for _, found in sorted({**installed(), **self.own}.items()))


def from_file(file: str, span: Span | None = None) -> UserFunctions:
    """Load the functions of a Python file, once for each state of the file.

    Args:
        file: its path.
        span: the place that names it, for diagnostics.

    Raises:
        ProgramError: it is not there, fails, or holds what cannot be a function of SQL.
    """
    path = Path(file).absolute()
    try:
        stat = path.stat()
        return _loaded(str(path), stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        message = (
            f"the file of functions `{file}` cannot be read: {(error.strerror or 'unknown reason').lower()}"
        )
        raise _refused(message, span) from None
    except _LoadError as error:
        message = f"the functions of `{file}` cannot be used: {error}"
        raise _refused(message, span) from error.__cause__


@functools.cache
def installed() -> Mapping[str, UserFunction]:
    """Give the functions of installed packages.

    Raises:
        ProgramError: one cannot be loaded.
    """
    found: dict[str, UserFunction] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda item: item.name):
        origin = _INSTALLED + point.name
        try:
            target = _entry(point)
            items = [target] if declared(target) is not None else list(vars(target).values())
            _add(found, items, origin)
        except _LoadError as error:
            message = f"the functions of the installed entry point `{point.name}` cannot be used: {error}"
            raise _refused(message, None, "mend or remove the package that offers it") from error.__cause__
    return found


def resolve(name: str, origin: str) -> UserFunction:
    """Give a function that a saved plan calls.

    Raises:
        ProgramError: it is not there any more.
    """
    offered = installed() if origin.startswith(_INSTALLED) else from_file(origin).own
    found = offered.get(name)
    if found is None:
        message = f"the plan calls the function `{name}` of `{origin}`, which is not there"
        raise _refused(message, None)
    return found


class _LoadError(Exception):
    """Why functions cannot be loaded, in words for the user."""


@functools.cache
def _loaded(path: str, modified: int, size: int) -> UserFunctions:
    name = "headrace_functions_" + hashlib.sha256(f"{path}:{modified}:{size}".encode()).hexdigest()[:12]
    _show_all_packages()
    folder = str(Path(path).parent)
    if folder not in sys.path:
        # The file may import others beside it, as a script may; what is installed goes first.
        sys.path.append(folder)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        message = "its name does not end in `.py`"
        raise _LoadError(message)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except DeclarationError as error:
        raise _LoadError(str(error)) from None
    except FAILURES as error:
        raise _LoadError(_failed(error, path)) from error
    found: dict[str, UserFunction] = {}
    _add(found, vars(module).values(), path)
    if not found:
        message = "it has none; mark them with the decorators of `headrace.udf`"
        raise _LoadError(message)
    return UserFunctions(path, found)


def _entry(point: EntryPoint) -> object:
    _show_all_packages()
    try:
        target: object = point.load()
    except DeclarationError as error:
        raise _LoadError(str(error)) from None
    except FAILURES as error:
        raise _LoadError(_failed(error, "")) from error
    if declared(target) is None and not isinstance(target, ModuleType):
        message = f"`{point.value}` is no module and no function that `headrace.udf` has marked"
        raise _LoadError(message)
    return target


def _add(found: dict[str, UserFunction], items: Iterable[object], origin: str) -> None:
    for item in items:
        function = declared(item)
        if function is None:
            continue
        if lookup(function.name) is not None:
            message = f"`{function.name}` is the name of a built-in function"
            raise _LoadError(message)
        known = found.get(function.name)
        if known is not None and known.declaration is not function.declaration:
            message = f"two functions are called `{function.name}`"
            raise _LoadError(message)
        found[function.name] = replace(function, origin=origin)


def _failed(error: BaseException, path: str) -> str:
    """Say how a module failed; its own words are shown, for no record has been read yet."""
    line = ""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = f" (line {trace.tb_lineno})"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == path:
        line = f" (line {error.lineno})"
    words = str(error.msg if isinstance(error, SyntaxError) else error)
    return f"{type(error).__name__}: {words}{line}" if words else f"{type(error).__name__}{line}"


def _refused(message: str, span: Span | None, help: str | None = None) -> ProgramError:
    return ProgramError((Diagnostic(codes.USER_FUNCTION, message, span, help),))


def _show_all_packages() -> None:
    """Take away what hides packages from Headrace's own imports: functions of users may import all of them."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not getattr(finder, "hides_packages", False)]
