"""The face of a package: its public names, taken from private files when they are first used.

A package's ``__init__.py`` imports its public names for type checkers alone (``TYPE_CHECKING``),
and `attach` reads them there: nothing is listed twice, and a record is read without PyTorch.
"""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, TypeGuard

# What `pip install dropkit` does not install: the package of each module, and the extra with it.
EXTRAS = {
    "imblearn": ("imbalanced-learn", "sampler"),
    "sklearn": ("scikit-learn", "sampler"),
    "matplotlib": ("matplotlib", "train"),
    "PIL": ("pillow", "train"),
    "filelock": ("filelock", "train"),
    "torch": ("torch", "train"),
    "torchvision": ("torchvision", "train"),
    "tqdm": ("tqdm", "train"),
    "IPython": ("ipython", "book"),
    "joblib": ("joblib", "sampler"),
    "matplotlib_inline": ("matplotlib-inline", "book"),
    "pyarrow": ("pyarrow", "parquet"),
    "ray": ("ray", "ray"),
}


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Parameters
    ----------
    package, file : str
        The package's ``__name__`` and ``__file__``.
    """
    homes = _homes(Path(file))

    def __getattr__(name: str) -> Any:
        # Nothing is kept here, so that a name means the same whichever way it is reached.
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, original = homes[name]
        try:
            return getattr(import_module(module), original)
        except ModuleNotFoundError as error:
            raise lacking(f"{package}.{name}", error) from None

    return __getattr__, lambda: sorted(homes), sorted(homes)


def _homes(file: Path) -> dict[str, tuple[str, str]]:
    """Return the module, and the name in it, of each name imported for type checkers."""
    blocks = [each for each in ast.parse(file.read_text(encoding="utf-8")).body if _is_typing(each)]
    return {
        alias.asname or alias.name: (statement.module or "", alias.name)
        for block in blocks
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def _is_typing(statement: ast.stmt) -> TypeGuard[ast.If]:
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"


def lacking(what: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error in one sentence that names the extra, or as it is where no extra helps."""
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        return error
    package, extra = EXTRAS[module]
    return ModuleNotFoundError(
        f"{what} needs {package}: pip install 'dropkit[{extra}]'", name=module
    )
