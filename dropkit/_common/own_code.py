"""Files of a user that register scores, quotas, models and data sets: ``dropkit run --import``.

``$DROPKIT_IMPORT`` names them, so that worker processes and Ray's load them too.
"""

import os
import sys
from collections.abc import Iterable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from dropkit._common.errors import UserError

VARIABLE = "DROPKIT_IMPORT"


def declare(files: Iterable[str]) -> None:
    """Load files here, and in the workers that are started from now on."""
    paths = [str(Path(file).resolve()) for file in files]
    os.environ[VARIABLE] = os.pathsep.join(paths)
    load()


def load() -> None:
    """Import the files that the environment names, each once; UserError where one cannot be."""
    for path in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        name = Path(path).stem
        if getattr(sys.modules.get(name), "__file__", None) == path:
            continue
        if name in sys.modules:
            raise UserError(f"{path} cannot be imported: there is a module {name!r}, rename it")
        spec = spec_from_file_location(name, path)
        if spec is None or spec.loader is None or not os.path.isfile(path):
            raise UserError(f"{path} cannot be imported: expected a file of Python, NAME.py")
        sys.path.append(str(Path(path).parent))  # for what it imports from beside it
        sys.modules[name] = module = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # whatever the user's code raises
            del sys.modules[name]
            raise UserError(
                f"{path} cannot be imported: {type(error).__name__}: {error}"
            ) from error
