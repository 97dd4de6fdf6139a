"""What files and pipes hold: arrays, and tables as text, packed by gzip or not."""

import csv
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np

# Kinds of text: what separates columns, that in words, and what a wrong separator would be.
TEXT = {"csv": (",", "commas", "[;\t]"), "tsv": ("\t", "tabs", "[;,]"), "jsonl": ("", "", "")}


def is_pipe(path: Path) -> bool:
    """Whether the path is standard input or another that can be read only once."""
    return str(path) == "-" or str(path).startswith("/dev/") or path.is_fifo()


@cache
def _piped(path: Path) -> bytes:
    """All that comes through a pipe: several columns may be read of it."""
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def piped_array(path: Path) -> np.ndarray:
    with opened(path) as file:
        found = np.load(file, allow_pickle=False)
    if found.ndim != 1:
        raise ValueError(f"{path} has shape {found.shape}: expected (n,)")
    return found


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """What a file or a pipe holds, unpacked where gzip packed it."""
    with io.BytesIO(_piped(path)) if is_pipe(path) else path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            yield gzip.GzipFile(fileobj=raw) if packed else raw
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged: gzip cannot unpack it ({error})") from None


def kind_of(path: Path) -> str:
    """What a file's name says that it is, or what a pipe holds: npy, parquet, a text, or other."""
    if not is_pipe(path):
        return re.sub(r"\.gz$", "", path.name.lower()).rpartition(".")[2]
    with opened(path) as file:
        first = file.readline()
    if first.startswith(b"\x93NUMPY"):
        return "npy"
    return "jsonl" if first.lstrip().startswith(b"{") else "tsv" if b"\t" in first else "csv"


@contextmanager
def text_rows(path: Path, kind: str) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The rows of a text with their lines, the names of the columns first."""
    with opened(path) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        try:
            yield _objects(path, file) if kind == "jsonl" else _cells(path, file, *TEXT[kind])
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not in UTF-8, as it must be ({error})") from None


def _cells(
    path: Path, file: TextIO, separator: str, words: str, others: str
) -> Iterator[tuple[int, list[str]]]:
    rows = csv.reader(file, delimiter=separator)
    for row in rows:
        if rows.line_num == 1 and len(row) == 1 and (other := re.search(others, row[0])):
            raise ValueError(f"{path} separates its columns by {other[0]!r}: expected {words}")
        yield rows.line_num, row


def _objects(path: Path, file: TextIO) -> Iterator[tuple[int, list[str]]]:
    """The objects of a file of JSON lines as rows, whose columns are the first object's names."""
    header: list[str] = []
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {line}: expected an object of JSON, such as {{...}}")
        if not header:
            header = list(row)
            yield 0, header
        yield line, ["" if row.get(name) is None else str(row[name]) for name in header]
