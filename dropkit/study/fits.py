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


def described(wanted: Iterable[Settings]) -> list[dict[str, Any]]:
    """Return all that each fit's key is hashed from: its settings, and what measures them here.

    Raises
    ------
    PackageNotFoundError
        Where one of the packages is not installed.
    """
    packages = {package: version(package) for package in PACKAGES}  # slow to find, so once
    return [{**settings, "version": VERSION, "packages": packages} for settings in wanted]


def name(config: Mapping[str, Any]) -> str:
    """Return the key of a fit that is ``described``."""
    return key({"fit": config})


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
    """Return the records of fits, in their order.

    Parameters
    ----------
    wanted : sequence of mappings
        The settings of each fit.
    measure : callable
        From the settings of those that the store lacks, if there are any, to what came out of each.
    store : Store

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    configs = described(wanted)
    keys = list(map(name, configs))
    missing = [number for number, each in enumerate(keys) if each not in store]
    if missing:
        began = time.perf_counter()
        results = list(measure([wanted[number] for number in missing]))
        common = {
            "seconds": round((time.perf_counter() - began) / len(missing), 3),
            "provenance": provenance(package="scikit-learn"),
        }
        store.add(
            *(
                {"key": keys[number], "fit": configs[number], **plain(result), **common}
                for number, result in zip(missing, results, strict=True)
            )
        )
    return [store[each] for each in keys]


def plain(result: Measured) -> dict[str, list[float]]:
    """Return what came out of a fit, as its record has it."""
    return {name: np.round(values, 6).tolist() for name, values in result.items()}
