"""Fits of scikit-learn's classifiers: each is measured once and then found in the store.

A fit is described by the settings of its experiment. Its key is hashed from these, from the data
themselves and from the versions of the packages that compute it, so that nothing stored is
found again where another result could come out.

Its record stands in the store beside the trials, where a cache of pickles would not do: readers
download it with its page, merge it with others', and have it measured again.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from dropkit._common.checks import Floats, Ints
from dropkit.store.folder import Store
from dropkit.store.provenance import provenance
from dropkit.store.records import Record, key

# Of the experiments in `your_data`: the next number where the same settings measure something else.
VERSION = 1
PACKAGES = ("imbalanced-learn", "numpy", "scikit-learn", "scipy")

Settings = Mapping[str, Any]  # of one fit, as JSON has them
Measured = Mapping[str, np.ndarray]  # what came out, by name


def described(wanted: Iterable[Settings]) -> list[tuple[str, Settings]]:
    """Return each fit's key and what it is hashed from: the settings, and what measures them here.

    Raises PackageNotFoundError where one of the packages is not installed.
    """
    packages = {package: version(package) for package in PACKAGES}  # slow to find, so once
    configs = [{**settings, "version": VERSION, "packages": packages} for settings in wanted]
    return [(key({"fit": config}), config) for config in configs]


def digest(X: Floats, y: Ints) -> str:
    """Return 12 hexadecimal digits that name features and labels."""
    found = hashlib.sha256()
    for array in (X, y):
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]


def recorded(
    wanted: Sequence[Settings],
    measure: Callable[[Sequence[Settings]], Iterable[Measured]],
    store: Store,
) -> list[Record]:
    """Return the records of fits, in their order; `measure` is given those that the store lacks."""
    named = described(wanted)
    missing = {name: config for name, config in named if not store.holds(name, config, "fit")}
    if missing:
        began = time.perf_counter()
        results = list(measure(list(missing.values())))
        common = {
            "seconds": round((time.perf_counter() - began) / len(missing), 3),
            "provenance": provenance(package="scikit-learn"),
        }
        store.add(
            *(
                {"key": name, "fit": config, **plain(result), **common}
                for (name, config), result in zip(missing.items(), results, strict=True)
            )
        )
    return [store[name] for name, _ in named]


def plain(result: Measured) -> dict[str, list[float]]:
    """Return what came out of a fit, as its record has it."""
    return {name: np.round(values, 6).tolist() for name, values in result.items()}
