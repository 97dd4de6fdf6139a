"""Environments with a few of the packages that are installed here, made without a network."""

import re
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement


class Bare:
    """An environment that holds packages, what they require, and dropkit from its wheel.

    pip installs the wheel without an index: it refuses where dropkit requires anything else.
    """

    def __init__(self, folder: Path, wheel: Path, packages: list[str], extra: str = ""):
        venv.create(folder, symlinks=True)
        self.bin = folder / ("Scripts" if sys.platform == "win32" else "bin")
        (site,) = folder.glob("[Ll]ib/python*/site-packages")
        for name in _required(packages):
            _link(name, site)
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "install"]
        quick = ["--quiet", "--no-index", "--disable-pip-version-check", "--no-compile"]
        subprocess.run([*pip, *quick, f"{wheel}{extra}"], check=True, capture_output=True)

    def run(self, *command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess:
        """Run a program of the environment, by default in the environment's own folder."""
        program, *arguments = command
        place = cwd or self.bin.parent
        return subprocess.run(
            [self.bin / program, *arguments], cwd=place, capture_output=True, text=True
        )


def _required(packages: list[str]) -> set[str]:
    """Names of packages, and of all that they require, as pip writes them."""
    found, waiting = set(), list(packages)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in found:
            found.add(name)
            requirements = map(Requirement, distribution(name).requires or [])
            waiting += [r.name for r in requirements if not r.marker or r.marker.evaluate()]
    return found


def _link(name: str, site: Path) -> None:
    """Let a folder of packages hold one that is installed here."""
    of_package = distribution(name)
    tops = {file.parts[0] for file in of_package.files or [] if file.parts[0] != ".."}
    for top in tops - {"__pycache__"}:
        (site / top).symlink_to(Path(str(of_package.locate_file(top))).resolve())
