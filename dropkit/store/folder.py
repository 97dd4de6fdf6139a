"""Keep every finished trial once, in plain text, safe against crashes and other writers.

A store is a folder of ``.jsonl`` files, one record a line, each line led by a checksum of the rest.
Every writer appends to a file of its own, so that writers never wait for or damage each other, and
a line that a crash cut short is left out when the folder is read. The published records in
``book/results`` have the same form.
"""

import gc
import io
import json
import os
import socket
import uuid
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from dropkit._common.errors import UserError
from dropkit.store.records import (
    CHECKSUM,
    DamagedRecord,
    Record,
    StoreError,
    appended,
    canonical,
    checksum,
    line,
    lines,
    read,
    sync_folder,
    write_atomically,
)

# Told of each record that is used, by a look-up, `select` or `add`, and whether it was just added.
watchers: list[Callable[[Record, bool], None]] = []


def default_path() -> Path:
    """Return the store of a reader's own runs: ``$DROPKIT_STORE``, else ``~/.cache/dropkit``."""
    chosen = os.environ.get("DROPKIT_STORE")
    return named(chosen) if chosen else Path.home() / ".cache" / "dropkit"


def named(path: str | Path) -> Path:
    """Return a store's folder; ``~``, which shells leave in quotes and behind ``=``, is the home.

    Raises UserError for a blank name and the home of nobody.
    """
    try:
        if str(path).strip():
            return Path(path).expanduser()
        raise RuntimeError("it must have a name")
    except RuntimeError as error:
        raise UserError(f"the folder of the store is {str(path)!r}: {error}") from error


class Store:
    """A folder of records, looked up by key.

    Parameters
    ----------
    path : str or Path, optional
        The folder that is written to; made at the first write. Default: ``default_path()``.
    also : iterable of str or Path
        Further folders that are read only, such as the published ``book/results``.

    Raises
    ------
    StoreError
        If a folder cannot be read, or, at the first write, not written.
    """

    def __init__(self, path: str | Path | None = None, *, also: Iterable[str | Path] = ()):
        self.path = named(path) if path else default_path()
        self._also = [named(folder) for folder in also]
        self._writing: int | None = None
        self._owner: int | None = None
        self._records: dict[str, Record] = {}
        self._unwritten: dict[str, str] = {}
        self.reload()

    def reload(self) -> None:
        """Read again what is on disk, as another process may have written to it."""
        self._records = {name: json.loads(text) for name, text in self._unwritten.items()}
        self._read_to = self._sizes()
        with _no_collection():
            for folder in [self.path, *self._also]:
                for _, record in read(folder):
                    self._records.setdefault(record["key"], record)

    def refresh(self) -> None:
        """Read what other processes have appended since, at the cost of that alone."""
        for file, size in self._sizes().items():
            if size > self._read_to.get(file, 0):
                with suppress(FileNotFoundError):
                    found, self._read_to[file] = appended(file, self._read_to.get(file, 0))
                    for record in found:
                        self._records.setdefault(record["key"], record)

    def _sizes(self) -> dict[Path, int]:
        sizes = {}
        with suppress(OSError):  # that the folder cannot be read is said where it is
            for file in self.path.glob("*.jsonl"):
                if file.is_file():
                    sizes[file] = file.stat().st_size
        return sizes

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def holds(self, name: str, config: Any, *path: str) -> bool:
        """Return whether there is a record under the key of a configuration.

        `path` leads to that in the record. Raises StoreError for a record of another.
        """
        if name not in self:
            return False
        found: Any = self._records[name]
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        if canonical(found) != canonical(config):
            raise StoreError(
                f"the record {name} in {self.path} is not of the {path[-1]} whose key it has: "
                "dropkit store verify names such records, repair --forged takes them away"
            )
        return True

    def __getitem__(self, name: str) -> Record:
        return _used(self._records[name])

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def select(self, wanted: Callable[[Record], bool]) -> Iterator[Record]:
        """Yield the records that `wanted` is true of; a page that is executed offers them.

        As it offers those looked up by key or added, but not what is only iterated over.
        """
        return map(_used, filter(wanted, self))

    def add(self, *records: Record) -> None:
        """Append records, on disk when this returns; a key that is there already is left alone.

        Raises StoreError if they cannot be written; they stay readable from this object, and the
        next call tries again to write them.
        """
        fresh = {
            record["key"]: canonical(record) for record in records if record["key"] not in self
        }
        # As they will be read, so that a record is the same now and later.
        self._records |= {name: json.loads(text) for name, text in fresh.items()}
        self._unwritten |= fresh
        for name in fresh:
            _used(self._records[name], fresh=True)
        if not self._unwritten:
            return
        file = self.open()
        rest = "".join(map(line, self._unwritten.values())).encode()
        try:
            while rest:  # a disk that is nearly full takes a part
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        except OSError as error:
            self.close()  # the next record goes to a new file, away from a line cut short
            raise StoreError(f"cannot write to the store {self.path}: {error}") from error
        self._unwritten = {}

    def open(self) -> int:
        """Make the folder and this object's file, or raise StoreError; return its descriptor."""
        if self._writing is None or self._owner != os.getpid():
            try:
                self._writing, self._owner = _open_own_file(self.path), os.getpid()
            except OSError as error:
                raise StoreError(f"cannot write to the store {self.path}: {error}") from error
        return self._writing

    def export(self, file: str | Path, keys: Iterable[str] | None = None) -> None:
        """Write the records of these keys, or all, to one ``.jsonl`` file that replaces `file`."""
        chosen = sorted(self._records if keys is None else keys)
        write_atomically(Path(file), lines(self._records[name] for name in chosen))

    def close(self) -> None:
        """Close this object's file."""
        if self._writing is not None and self._owner == os.getpid():
            os.close(self._writing)
        self._writing = None

    def save_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep named arrays (a query's scores) under a key, replacing the file at once."""
        buffer, named = io.BytesIO(), dict[str, Any](arrays)
        np.savez(buffer, **named)
        content = buffer.getvalue()
        # The checksum goes behind the archive, where np.load overlooks it.
        write_atomically(self._array_file(name), content + checksum(content))

    def load_arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """Return the arrays kept under a key; None if there are none, with a warning if damaged."""
        file = self._array_file(name)
        if not file.exists():
            return None
        try:
            whole = file.read_bytes()
            content = whole[:-CHECKSUM]
            if checksum(content) != whole[-CHECKSUM:]:
                raise ValueError("it does not match its checksum")
            # As save_arrays writes them: what is small on disk is not large in memory.
            if any(part.compress_type for part in zipfile.ZipFile(io.BytesIO(content)).filelist):
                raise ValueError("it is compressed")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except FileNotFoundError:  # taken by another process meanwhile
            return None
        except Exception as error:  # readers of archives raise what they like
            warnings.warn(f"{file} is damaged and computed again: {error}", DamagedRecord, 2)
            return None

    def discard_arrays(self, name: str) -> None:
        """Delete the arrays kept under a key, if there are any."""
        self._array_file(name).unlink(missing_ok=True)

    def array_names(self) -> list[str]:
        """Return the keys under which this folder keeps arrays."""
        names = (file.stem for file in (self.path / "queries").glob("*.npz"))
        return sorted(name for name in names if name.isalnum())

    def _array_file(self, name: str) -> Path:
        if not name.isalnum():  # nor leads out of the folder
            raise ValueError(f"arrays are kept under letters and digits, got {name!r}")
        return self.path / "queries" / f"{name}.npz"


def _used(record: Record, fresh: bool = False) -> Record:
    for watch in watchers:
        watch(record, fresh)
    return record


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for garbage, which takes half the time where thousands of objects stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _open_own_file(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    binary = getattr(os, "O_BINARY", 0)  # Windows would write other line ends than are summed
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | binary
    file = os.open(folder / name, flags, 0o644)
    sync_folder(folder)
    return file
