"""Unite stores from several machines, and find trials that have more than one result."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from dropkit._common.text import printable
from dropkit.store.folder import Store
from dropkit.store.records import Record, read, result


class Conflict(NamedTuple):
    """One trial with two results: its key, the files that hold them, and the fields that differ."""

    key: str
    kept: Path
    other: Path
    fields: list[str]

    def __str__(self) -> str:
        fields = ", ".join(self.fields)
        return printable(f"{self.key}: {fields} differ between {self.kept} and {self.other}")


def conflicts(folders: Iterable[Path]) -> list[Conflict]:
    """Return where records of the folders give one trial another result than the first such record.

    When, where and how fast a result was made does not count.
    """
    first: dict[str, tuple[Path, Record]] = {}
    found = []
    for folder in folders:
        for file, record in read(folder):
            other = result(record)
            kept, known = first.setdefault(record["key"], (file, other))
            if known != other:
                names = sorted(known.keys() | other.keys())
                fields = [name for name in names if known.get(name) != other.get(name)]
                found.append(Conflict(record["key"], kept, file, fields))
    return found


def merge(
    store: Store, sources: Iterable[Path], wanted: Callable[[Record], bool] | None = None
) -> int:
    """Add to a store what it lacks of other folders' records and query arrays; return how many.

    Only records that are `wanted`, where that is given. Of a trial with several results the store
    keeps its own, else that of the first source.
    """
    before = len(store)
    for folder in sources:
        source = Store(folder)
        store.add(*filter(wanted, source))
        for name in set(source.array_names()) - set(store.array_names()):
            if arrays := source.load_arrays(name):
                store.save_arrays(name, arrays)
    return len(store) - before
