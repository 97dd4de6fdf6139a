"""Keep every finished trial once, in plain text, safe against crashes and other writers.

A store is a folder of ``.jsonl`` files, one record a line, each line led by a checksum of the rest.
Every writer appends to a file of its own, so that writers never wait for or damage each other, and
a line that a crash cut short is left out when the folder is read. The published records in
``book/results`` have the same form.
"""

import hashlib
import io
import json
import os
import socket
import uuid
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

Record = dict[str, Any]

CHECKSUM = 12  # hexadecimal digits in front of each line


class StoreError(OSError):
    """A store that cannot be read or written."""


class DamagedRecord(UserWarning):
    """A line of a store that is left out because it does not match its checksum."""


def default_path() -> Path:
    """The store of a reader's own runs: ``$DROPKIT_STORE``, else ``~/.cache/dropkit``."""
    chosen = os.environ.get("DROPKIT_STORE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "dropkit"


def key(config: Mapping[str, Any]) -> str:
    """Name a configuration: 20 hexadecimal digits of the SHA-256 of its canonical JSON."""
    return hashlib.sha256(_canonical(config).encode()).hexdigest()[:20]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Store:
    """A folder of records, looked up by key.

    Parameters
    ----------
    path : str or Path, optional
        The folder that is written to; made at the first write. Default: ``default_path()``.
    also : paths
        Further folders that are read only, such as the published ``book/results``.

    Raises
    ------
    StoreError
        If a folder cannot be read, or, at the first write, not written.
    """

    def __init__(self, path: str | Path | None = None, *, also: Iterable[str | Path] = ()):
        self.path = Path(path) if path else default_path()
        self._also = [Path(folder) for folder in also]
        self._writing: int | None = None
        self._owner: int | None = None
        self._records: dict[str, Record] = {}
        self._unwritten: dict[str, str] = {}
        self.reload()

    def reload(self) -> None:
        """Read again what is on disk, as another process may have written to it."""
        self._records = {name: json.loads(text) for name, text in self._unwritten.items()}
        for folder in [self.path, *self._also]:
            for file in _record_files(folder):
                for record in _read(file):
                    self._records.setdefault(record["key"], record)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def __getitem__(self, name: str) -> Record:
        return self._records[name]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def add(self, *records: Record) -> None:
        """Append records, on disk when this returns; a key that is there already is left alone.

        Raises
        ------
        StoreError
            If they cannot be written; they stay readable from this object, and the next call
            tries again to write them.
        """
        fresh = {
            record["key"]: _canonical(record) for record in records if record["key"] not in self
        }
        # As they will be read, so that a record is the same now and later.
        self._records |= {name: json.loads(text) for name, text in fresh.items()}
        self._unwritten |= fresh
        if not self._unwritten:
            return
        self.open()
        lines = "".join(map(_line, self._unwritten.values())).encode()
        try:
            while lines:  # a disk that is nearly full takes a part
                lines = lines[os.write(self._writing, lines) :]
            os.fsync(self._writing)
        except OSError as error:
            self.close()  # the next record goes to a new file, away from a line cut short
            raise StoreError(f"cannot write to the store {self.path}: {error}") from error
        self._unwritten = {}

    def open(self) -> None:
        """Make the folder and this object's file in it, unless that is done.

        Raises
        ------
        StoreError
            If the folder cannot be written.
        """
        if self._writing is None or self._owner != os.getpid():
            try:
                self._writing, self._owner = _open_own_file(self.path), os.getpid()
            except OSError as error:
                raise StoreError(f"cannot write to the store {self.path}: {error}") from error

    def export(self, file: str | Path, keys: Iterable[str] | None = None) -> None:
        """Write records, sorted by key, to one ``.jsonl`` file that replaces `file` at once."""
        chosen = sorted(self._records if keys is None else keys)
        lines = (_line(_canonical(self[name])) for name in chosen)
        write_atomically(Path(file), "".join(lines).encode())

    def close(self) -> None:
        """Close this object's file."""
        if self._writing is not None and self._owner == os.getpid():
            os.close(self._writing)
        self._writing = None

    def save_arrays(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep named arrays (a query's scores) under a key, replacing the file at once."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        content = buffer.getvalue()
        # The checksum goes behind the archive, where np.load overlooks it.
        write_atomically(self._array_file(name), content + _checksum(content))

    def load_arrays(self, name: str) -> dict[str, np.ndarray] | None:
        """The arrays kept under a key; None if there are none, with a warning if damaged."""
        file = self._array_file(name)
        if not file.exists():
            return None
        try:
            whole = file.read_bytes()
            content = whole[:-CHECKSUM]
            if _checksum(content) != whole[-CHECKSUM:]:
                raise ValueError("it does not match its checksum")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return dict(arrays)
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            warnings.warn(f"{file} is damaged and computed again: {error}", DamagedRecord, 2)
            return None

    def _array_file(self, name: str) -> Path:
        return self.path / "queries" / f"{name}.npz"


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    spare = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with spare.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        spare.replace(file)
    except OSError as error:
        with suppress(OSError):
            spare.unlink(missing_ok=True)
        raise StoreError(f"cannot write {file}: {error}") from error


def _open_own_file(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
    return os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest()[:CHECKSUM].encode()


def _line(text: str) -> str:
    return f"{_checksum(text.encode()).decode()} {text}\n"


def _record_files(folder: Path) -> list[Path]:
    """The folder's files of records, none if there is no folder."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".jsonl")
    except (FileNotFoundError, NotADirectoryError) as error:
        if folder.is_file():
            raise StoreError(f"the store {folder} is a file; a store is a folder") from error
        return []
    except OSError as error:
        raise StoreError(f"cannot read the store {folder}: {error}") from error


def _read(file: Path) -> Iterator[Record]:
    try:
        lines = file.read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        checksum, _, text = line.partition(b" ")
        if _checksum(text) == checksum:
            yield json.loads(text)
        else:
            warnings.warn(
                f"line {number} of {file} is damaged and left out; its trial will run again",
                DamagedRecord,
                stacklevel=2,
            )
