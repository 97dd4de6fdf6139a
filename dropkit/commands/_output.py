"""What commands print: rows in columns or JSON, and warnings as sentences."""

import argparse
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from dropkit._common.text import printable


def add_options(
    command: argparse.ArgumentParser, about: str = "print JSON in place of text"
) -> None:
    """Add what every command takes; `about` says what its JSON is."""
    command.add_argument("--json", action="store_true", help=about)
    about = "no progress bars and no summary of what was done; warnings and errors stay"
    command.add_argument("--quiet", action="store_true", help=about)


def add_import(command: argparse.ArgumentParser) -> None:
    """Add --import, which `main` obeys."""
    about = "your Python files that register scores, quotas, models or data sets"
    command.add_argument("--import", dest="files", nargs="+", metavar="FILE.py", help=about)


def tell(options: argparse.Namespace, found: Any, text: str, *, summary: bool = True) -> None:
    """Print what was found as one line of JSON, or as text unless --quiet wants no `summary`."""
    if options.json:
        print(json.dumps(found, default=str))
    elif not (summary and options.quiet):
        print(text)


def print_rows(rows: Sequence[Sequence[object]], file: TextIO | None = None) -> None:
    """Print what `in_rows` returns."""
    print(in_rows(rows), file=file)


def in_rows(rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """Return rows, heads first, as text; the first `left` columns to the left, others right."""
    cells = [[printable(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        aligned = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


@contextmanager
def plain_warnings() -> Iterator[list[str]]:
    """Print warnings to stderr as one sentence each; the list has those that there were."""
    said = []

    def say(message: Warning | str, *_: object) -> None:
        said.append(str(message))
        print(f"warning: {printable(message)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = say
        yield said
