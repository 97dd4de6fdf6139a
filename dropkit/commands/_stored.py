"""What the actions of ``dropkit store`` share: a store that exists, records chosen and named."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # NumPy and PyTorch load when a command runs, not for --help
    from dropkit.store.folder import Store
    from dropkit.store.records import Record


def engines() -> tuple[int, ...]:
    """The versions of the training that a record's key may be of, the likely one first."""
    from dropkit.training.recipes import ENGINE

    return (ENGINE, *range(1, ENGINE), *range(ENGINE + 1, ENGINE + 10))


def counted(records: Iterable["Record"]) -> str:
    """How many trials and, where there are any, how many fits."""
    kinds = [kind for record in records for kind in ("trial", "fit") if kind in record]
    trials, fits = map(kinds.count, ("trial", "fit"))
    return f"{trials:,} trials" + (f", {fits:,} fits" if fits else "")


def name(record: "Record") -> str:
    made = record.get("trial") or record["fit"]
    what = made["protocol"] if "trial" in record else f"{made['classifier']} {made['method']}"
    return f"{record['key']} {data_set(record)} {what} {made['density']:g} seed {made['seed']}"


def data_set(record: "Record") -> str:
    return record["trial"]["dataset"] if "trial" in record else record["fit"]["data"]


def check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ValueError(f"there is no store {folder}: name a folder that holds one")


def opened(folder: str | None) -> "Store":
    from dropkit.store.folder import Store, default_path, named

    path = named(folder) if folder else default_path()
    check_folder(path)
    return Store(path)


def chosen(
    store: "Store", dataset: str | None, kinds: Collection[str] = ("trial",)
) -> list["Record"]:
    records = [record for record in store if not record.keys().isdisjoint(kinds)]
    if dataset is None:
        return records
    chosen = [record for record in records if data_set(record) == dataset]
    if not chosen:
        known = ", ".join(sorted(set(map(data_set, records)))) or "none"
        raise ValueError(f"no trial on data set {dataset!r} in {store.path}; it has {known}")
    return chosen
