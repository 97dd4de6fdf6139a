"""Render the pages as they are, without executing them: ``python -m book._ext.render [builder]``.

Into ``_build/html``, or ``_build/singlehtml``, which `book._ext.pdf` prints. Warnings are errors.
"""

import shutil
import sys
from contextlib import redirect_stdout
from os import devnull
from pathlib import Path

from jupyter_book.cli.main import main as jupyter_book

from book._ext.alone import alone

BUILD = Path("_build")


def render(builder: str = "html") -> None:
    """Render with one of Sphinx's builders; raise RuntimeError where it warned or failed."""
    with alone(BUILD), open(devnull, "w") as nowhere, redirect_stdout(nowhere):
        # What Sphinx keeps of an earlier time makes it warn of labels that are long mended.
        for old in (builder, ".doctrees", "jupyter_execute"):
            shutil.rmtree(BUILD / old, ignore_errors=True)
        strict = ["-W", "-n", "--keep-going", "-q"]
        jupyter_book(["build", ".", "--builder", builder, *strict], standalone_mode=False)


if __name__ == "__main__":
    render(*sys.argv[1:])
