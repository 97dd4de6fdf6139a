"""The face of a package: its public names, taken from private files when they are first used.

A package's ``__init__.py`` imports its public names for type checkers alone (``TYPE_CHECKING``),
and `attach` reads them there: nothing is listed twice, and a record is read without PyTorch.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dropkit._common.errors import needed_by


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package of this name and file.

    Its modules are found as well, listed or not: ``dropkit.metrics`` needs no import of its own.
    """
    homes = _homes(Path(file))

    def __getattr__(name: str) -> Any:
        # Nothing is kept here, so that a name means the same whichever way it is reached.
        module, original = homes.get(name, (package, name))
        with needed_by(f"{package}.{name}"):
            if module != package:
                return getattr(import_module(module), original)
            if not name.startswith("_") and find_spec(f"{package}.{name}"):
                return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return __getattr__, lambda: sorted(homes), sorted(homes)


def _homes(file: Path) -> dict[str, tuple[str, str]]:
    """Return the module, and the name in it, of each name imported for type checkers."""
    return {
        alias.asname or alias.name: (statement.module or "", alias.name)
        for block in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
