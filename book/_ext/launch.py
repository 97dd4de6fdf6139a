"""Make pages that Colab can open: ``python -m book._ext.launch OWNER/NAME pages``.

Colab opens one notebook without the code around it. The publishing workflow pushes a branch whose
pages fetch and install that code in a first cell; the pages of the main branch stay as they are.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from dropkit.store.records import write_atomically

INSTALL = """\
# Fetches and installs this book's code where it is missing, as on Colab.
import importlib.util

if importlib.util.find_spec("dropkit") is None:
    !git clone --quiet --depth 1 https://github.com/{repository}.git drop-book
    %cd drop-book
    %pip install --quiet '.[sampler,train]'"""


def with_install(notebook: nbformat.NotebookNode, repository: str) -> nbformat.NotebookNode:
    """Return a notebook that starts with the cell that installs `repository`, "owner/name"."""
    first = nbformat.v4.new_code_cell(INSTALL.format(repository=repository), id="install")
    title, *rest = notebook.cells
    return nbformat.v4.new_notebook(cells=[title, first, *rest], metadata=notebook.metadata)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: rewrite every page of a folder; exit status 0."""
    parser = argparse.ArgumentParser("python -m book._ext.launch", description=__doc__)
    parser.add_argument("repository", help="OWNER/NAME on GitHub")
    parser.add_argument("folder", type=Path, help="the folder of the pages, which are rewritten")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", options.repository):
        parser.error(f"repository is {options.repository!r}: it must be OWNER/NAME")
    pages = sorted(options.folder.glob("*.ipynb"))
    if not pages:
        parser.error(f"there are no notebooks in {options.folder}")
    for page in pages:
        launchable = with_install(nbformat.read(page, as_version=4), options.repository)
        write_atomically(page, (nbformat.writes(launchable) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
