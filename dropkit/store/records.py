"""The form of a record on disk: one line of canonical JSON behind its checksum, in a folder.

Nothing that is read here is ever executed. A line that is cut short, changed, or written in another
form than this module's is left out with a warning that names its file.
"""

import hashlib
import json
import os
import re
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from dropkit._common.errors import sentence
from dropkit.store.forms import fault

Record = dict[str, Any]

CHECKSUM = 12  # hexadecimal digits in front of each line
FORM = 1  # of records and stores; written only where it is another

_START = re.compile(rb"[0-9a-f]{%d} \{" % CHECKSUM)  # of a line
_ORIGIN = ("seconds", "provenance")


class StoreError(OSError):
    """A store that cannot be read or written."""

    _render_traceback_ = sentence


class DamagedRecord(UserWarning):
    """A part of a store that is left out because it is not what was written."""


class ForeignRecord(UserWarning):
    """A part of a store that is left out because it is not of the form that this version reads."""


def key(config: Mapping[str, Any]) -> str:
    """Name a configuration.

    Parameters
    ----------
    config : dict
        Of what JSON has.

    Returns
    -------
    str
        20 hexadecimal digits of the SHA-256 of its canonical JSON.
    """
    return hashlib.sha256(canonical(config).encode()).hexdigest()[:20]


def canonical(value: Any) -> str:
    """The value as JSON: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def result(record: Record) -> Record:
    """The record without when, where and how fast it was made: equal for the same result."""
    return {name: value for name, value in record.items() if name not in _ORIGIN}


def checksum(content: bytes) -> bytes:
    """The first hexadecimal digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:CHECKSUM].encode()


def line(text: str) -> str:
    """A record's canonical JSON as it stands in a file."""
    return f"{checksum(text.encode()).decode()} {text}\n"


def lines(records: Iterable[Record]) -> bytes:
    """Records as a store's files hold them."""
    return "".join(line(canonical(record)) for record in records).encode()


def read(folder: Path) -> Iterator[tuple[Path, Record]]:
    """Every record in a folder's files, by file name, with its file; none if there is no folder.

    Raises StoreError if one of them cannot be read, or is in a form of a later version.
    """
    for file in _files(folder):
        for record in _read(file):
            yield file, record


def _files(folder: Path) -> list[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".jsonl")
        form = (folder / "form").read_text().strip() if (folder / "form").is_file() else str(FORM)
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.is_file():
            raise StoreError(f"the store {folder} is a file; a store is a folder") from error
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read the store {folder}: {error}") from error
    if form != str(FORM):
        raise StoreError(
            f"the store {folder} is of form {form[:20]!r}, and this version of dropkit reads form "
            f"{FORM}: use a later version, or another folder"
        )
    return files


# What files held, of those whose records are remembered; None where nothing is.
_remembered: dict[tuple[Path, int, int], list[Record]] | None = None
SETTLED = 2e9  # nanoseconds; what changed later than this before may change again at the same time


def remember() -> None:
    """From now on read a file that has not changed once in this process and those forked from it.

    For processes that change no record that they read: all their stores share them.
    """
    global _remembered
    _remembered = {}


def _read(file: Path) -> Iterator[Record]:
    """The records of a file, with a warning of what is left out."""
    if _remembered is None or not file.is_file():
        yield from _read_anew(file)
        return
    found = file.stat()
    stamp = (file.absolute(), found.st_size, found.st_mtime_ns)
    if stamp in _remembered:
        yield from _remembered[stamp]
        return
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        whole = list(_read_anew(file))
    if not said and time.time_ns() - found.st_mtime_ns > SETTLED:
        _remembered[stamp] = whole
    for each in said:
        warnings.warn(each.message, stacklevel=4)
    yield from whole


def _read_anew(file: Path) -> Iterator[Record]:
    if not file.is_file():  # a folder, or a pipe that would be waited for
        warnings.warn(f"{file} is not a file of records and is left out", ForeignRecord, 4)
        return
    try:
        texts = file.read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error}") from error
    damaged, broken, foreign = list[int](), list[int](), list[int]()
    faults = list[str]()
    for number, text in enumerate(texts, start=1):
        if not text.strip(b" "):  # nothing, or blanks in the place of a damaged line
            continue
        sound = [text]
        if not is_whole(text):
            sound, lost = mended(text)[1:]
            (damaged if lost else broken).append(number)
        for each in sound:
            if (record := parsed(each)) is None:
                foreign.append(number)
            elif wrong := fault(record):
                faults.append(f"line {number} of {file}: {wrong}; it is left out")
            else:
                yield record
    if damaged:
        what = f"{_numbered(damaged)} of {file}: damaged and left out; the trials will run again"
        warnings.warn(what, DamagedRecord, 4)
    if broken:
        what = f"{_numbered(broken)} of {file}: a line break is damaged, no record is"
        warnings.warn(what, DamagedRecord, 4)
    if foreign:
        what = f"{_numbered(foreign)} of {file}: no record of this version of dropkit, left out"
        warnings.warn(what, ForeignRecord, 4)
    if faults:
        more = f"; so are {len(faults) - 1} more lines" * (len(faults) > 1)
        warnings.warn(faults[0] + more, ForeignRecord, 4)


def is_whole(text: bytes) -> bool:
    """Whether a line is what was written."""
    expected, _, content = text.partition(b" ")
    return checksum(content) == expected


def mended(text: bytes) -> tuple[bytes, list[bytes], bool]:
    """Return a damaged line without its damage, the whole lines in it, and if anything was lost.

    Where a line break was damaged, or a line that was cut short had none, the next line is behind.
    """
    starts = [0, *(found.start() for found in _START.finditer(text, 1)), len(text)]
    parts, whole, lost = [], [], False
    for start, end in pairwise(starts):
        part, last = text[start:end], end == len(text)
        sound = next((each for each in (part, part[:-1]) if is_whole(each)), b"")
        whole += [sound] if sound else []
        lost |= not sound
        rest = len(part) - len(sound)
        parts.append(sound + (b" " * rest if last else b" " * (rest - 1) + b"\n"))
    return b"".join(parts), whole, lost


def appended(file: Path, start: int) -> tuple[list[Record], int]:
    """Return the sound records that a file holds beyond its first bytes, and where they end.

    A last line that is not whole yet is left for the next time, from where they end.
    """
    with file.open("rb") as stream:
        stream.seek(max(start - 1, 0))
        content = stream.read()
    if start and content[:1] != b"\n":  # in the midst of a line
        return appended(file, 0)
    whole = content[: content.rfind(b"\n") + 1]
    found = map(parsed, filter(is_whole, whole.split(b"\n")))
    sound = [record for record in found if record is not None and not fault(record)]
    return sound, max(start - 1, 0) + len(whole)


def _numbered(lines: Sequence[int]) -> str:
    named = ", ".join(map(str, lines[:5]))
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return f"line{'s' * (len(lines) > 1)} {named}{more}"


def parsed(line: bytes) -> Record | None:
    """The record of a line, or None for anything else that has the right checksum."""
    try:
        record = json.loads(line.partition(b" ")[2], parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("key"), str):
        return None
    return record if record.get("form", FORM) == FORM else None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def write_atomically(file: Path, content: bytes | Iterable[bytes]) -> None:
    """Write bytes, or parts of them, to a file that is there whole or not at all.

    Raises StoreError if it cannot be written.
    """
    spare = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with spare.open("wb") as stream:
            stream.writelines([content] if isinstance(content, bytes) else content)
            stream.flush()
            os.fsync(stream.fileno())
        spare.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error}") from error
    finally:
        with suppress(OSError):
            spare.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Let the names of the folder's files outlive a loss of power, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
