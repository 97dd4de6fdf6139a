"""Unite stores from several machines, and find trials that have more than one result."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dropkit.store.folder import Store
from dropkit.store.records import Record, read, result


class Conflict(NamedTuple):
    """One trial with two results: its key, the files that hold them, and the fields that differ."""

    key: str
    kept: Path
    other: Path
    fields: list[str]

    def __str__(self) -> str:
        return f"{self.key}: {', '.join(self.fields)} differ between {self.kept} and {self.other}"


def conflicts(folders: Iterable[Path]) -> list[Conflict]:
    """Return where records of the folders give one trial another result than the first such record.

    When, where and how fast a result was made does not count.

    Parameters
    ----------
    folders : iterable of Path
        Stores; of a trial the first of them has the result that the others are compared with.
    """
    first: dict[str, tuple[Path, Record]] = {}
    found = []
    for folder in folders:
        for file, record in read(folder):
            kept, known = first.setdefault(record["key"], (file, result(record)))
            if differing := _differing(known, result(record)):
                found.append(Conflict(record["key"], kept, file, differing))
    return found


def _differing(first: Record, second: Record) -> list[str]:
    names = sorted(first.keys() | second.keys())
    return [name for name in names if first.get(name) != second.get(name)]


def merge(store: Store, sources: Iterable[Path]) -> int:
    """Add to a store what it lacks of others' records and query arrays; return how many records.

    Of a trial with several results the store keeps its own, else that of the first source.

    Parameters
    ----------
    store : Store
        Which is written to.
    sources : iterable of Path
        Folders of other stores.

    Raises
    ------
    StoreError
        If a store cannot be read or written.
    """
    before = len(store)
    for folder in sources:
        source = Store(folder)
        store.add(*source)
        for name in set(source.array_names()) - set(store.array_names()):
            if arrays := source.load_arrays(name):
                store.save_arrays(name, arrays)
    return len(store) - before
