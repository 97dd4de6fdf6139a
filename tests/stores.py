"""Small stores, and what is in them."""

from dropkit.store import Store
from tests import made_records


def record(name, size=3):
    return made_records.record(density=0.1, seed=1, recalls=[0.1] * size) | {"key": name}


def filled(folder, names="abc"):
    store = Store(folder)
    store.add(*map(record, names))
    store.close()
    return store


def only_file(folder):
    (file,) = folder.glob("*.jsonl")
    return file


def names_in(folder, **kwargs):
    return sorted(found["key"] for found in Store(folder, **kwargs))
