"""What commands print: rows in columns, and warnings as sentences."""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from dropkit._common.text import printable


def print_rows(rows: Sequence[Sequence[object]], left: int = 1, file: TextIO | None = None) -> None:
    """Print rows, heads first; the first `left` columns to the left and the others to the right."""
    cells = [[printable(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        aligned = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(aligned).rstrip(), file=file)


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
