"""What a store can do without: torn lines, spare and empty files, arrays that nothing refers to.

Nothing that a running program may still write to is touched: its file's name has the machine and
the process, and files of other machines are left until nobody has written to them for a week.
"""

import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from dropkit._common.text import printable
from dropkit.store.folder import Store
from dropkit.store.forms import fault
from dropkit.store.records import CHECKSUM, Record, checksum, is_whole, key, mended, parsed

HOUR, WEEK = 3600.0, 7 * 24 * 3600.0
SPARE = re.compile(r"\..+\.[0-9a-f]{32}")  # what write_atomically writes until it is whole
OWN = re.compile(r"(?P<host>.+)-(?P<process>\d+)-[0-9a-f]{8}\.jsonl")  # of one process's records


class Leftover(NamedTuple):
    """A part of a store that it can do without: where, what it is, and what takes it away."""

    path: Path
    what: str
    remove: Callable[[], None]

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.what}")


def is_named(record: Record, engines: Iterable[int]) -> bool:
    """Return whether a record's key is that of the trial, its failure or the fit in it.

    `engines` are the versions of the training that a trial's key may be of.
    """
    if "fit" in record:
        return record["key"] == key({"fit": record["fit"]})
    trial = record.get("trial") or record.get("failed", {}).get("trial")
    names = (key({"engine": engine, "trial": trial}) for engine in engines)
    if "trial" not in record:
        names = (key({"failed": name}) for name in names)
    return record["key"] in names


def leftovers(folder: Path, engines: Iterable[int] | None = None) -> list[Leftover]:
    """Return what crashes left in a folder: torn lines, empty and spare files, damaged arrays.

    Lines that are whole are none, but where `engines` are given: then also those that are not of
    the form of a record, or not of what their key is made from.
    """
    return [*_lines(folder, engines), *_spares(folder), *_arrays(folder)]


def _lines(folder: Path, engines: Iterable[int] | None) -> Iterator[Leftover]:
    for file in sorted(folder.glob("*.jsonl")):
        if not file.is_file() or _in_use(file):
            continue
        content = file.read_bytes()
        if not any(is_whole(text) or mended(text)[1] for text in content.split(b"\n")):
            if OWN.fullmatch(file.name):  # else perhaps somebody's data
                what = "has no whole line" if content.strip(b" \n") else "empty"
                yield Leftover(file, what, partial(file.unlink, missing_ok=True))
            continue
        start = 0
        for number, text in enumerate(content.split(b"\n"), start=1):
            if text.strip(b" ") and not is_whole(text):
                mend, whole, _ = mended(text)
                what = f"line {number} is damaged, {len(text):,} bytes"
                what += f", but for the records in it: {len(whole)}" * bool(whole)
                yield Leftover(file, what, partial(_overwrite, file, start, text, mend))
            elif engines and text.strip(b" ") and (wrong := _forged(text, engines)):
                remove = partial(_overwrite, file, start, text, b" " * len(text))
                yield Leftover(file, f"line {number}: {wrong}", remove)
            start += len(text) + 1


def _forged(text: bytes, engines: Iterable[int]) -> str:
    """What tells a line that is whole from a record, "" if nothing does."""
    if (record := parsed(text)) is None:
        return "no record of this version of dropkit"
    return fault(record) or "under another's key" * (not is_named(record, engines))


def _overwrite(file: Path, start: int, text: bytes, mend: bytes) -> None:
    """Write over a line in its place: what others append meanwhile is not lost."""
    with open(file, "r+b") as stream:
        stream.seek(start)
        if stream.read(len(text)) == text:
            stream.seek(start)
            stream.write(mend)
            stream.flush()
            os.fsync(stream.fileno())


def _spares(folder: Path) -> Iterator[Leftover]:
    for file in sorted([*folder.glob(".*"), *folder.glob("queries/.*")]):
        if SPARE.fullmatch(file.name) and file.is_file() and _age(file) > HOUR:
            size = f"{file.stat().st_size / 1e6:.1f} MB"
            what = f"a file that was being written, {size}"
            yield Leftover(file, what, partial(file.unlink, missing_ok=True))


def _arrays(folder: Path) -> Iterator[Leftover]:
    for file in sorted(folder.glob("queries/*.npz")):
        whole = file.read_bytes()
        if checksum(whole[:-CHECKSUM]) != whole[-CHECKSUM:]:
            what = "damaged, and computed again when it is needed"
            yield Leftover(file, what, partial(file.unlink, missing_ok=True))


def unreferenced(store: Store, engines: Iterable[int]) -> list[Leftover]:
    """Return the query arrays of a store that no record in it was made from, a day old at least.

    They are computed again when a trial needs them.
    """
    engines = list(engines)
    used = {
        key({"engine": engine, "query": query})
        for record in store
        for query in _queries(record)
        for engine in engines
    }
    files = [store.path / "queries" / f"{name}.npz" for name in store.array_names()]
    return [
        Leftover(file, "of no record here", partial(store.discard_arrays, file.stem))
        for file in files
        if file.stem not in used and _age(file) > 24 * HOUR
    ]


def _queries(record: Record) -> list[dict]:
    trial = record.get("trial", {})
    return [trial[name] for name in ("recall_query", "score_query") if trial.get(name)]


def _in_use(file: Path) -> bool:
    own = OWN.fullmatch(file.name)
    if own is None:
        return False
    if own["host"] == socket.gethostname() and os.name == "posix":
        return int(own["process"]) != os.getpid() and _is_alive(int(own["process"]))
    return _age(file) < WEEK


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks alone
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


def _age(file: Path) -> float:
    return time.time() - file.stat().st_mtime
