"""Small stores, and what is in them."""

from dropkit.store import Store


def record(name, size=3):
    return {"key": name, "trial": {"seed": 1, "density": 0.1}, "recalls": [0.1] * size}


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
