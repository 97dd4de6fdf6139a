"""Data sets of vectors that a frozen network made: ``NAME-features``, one file each.

The file is an ``.npz`` without pickles: ``features`` (N, d), floats or bytes that are multiplied by
``step``; ``y`` (N,), ``split`` (N,), which is 0, 1 or 2 for training, validation and test;
``classes``; ``groups`` and ``group_names`` where there are any; and ``header``, JSON that says what
images or texts and weights they are of.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

import dropkit
from dropkit._common.checks import check_labels
from dropkit._common.errors import UserError
from dropkit.datasets.data import Data

SUFFIX = "-features"
BUNDLED = Path(dropkit.__file__).parents[1] / "book" / "data"  # in a checkout
SPLITS = ("train", "val", "test")
HEADER = ({"dataset"}, {"network"}, {"weights"}, {"components"}, {"images", "texts"})


def load(name: str, root: str | None) -> Data:
    """Load ``NAME-features`` from `root`, or from the files that come with the repository."""
    return _opened(*_found(name, root))[0]


def version(name: str, root: str | None) -> str:
    """Return of what, and by which network and weights, the features are, as trials record it."""
    header = _opened(*_found(name, root))[1]
    kept = f", {header['components']} components" * bool(header["components"])
    kind = "texts" if "texts" in header else "images"
    return f"{header['network']} {header['weights']}, {kind} {header[kind]:.16}" + kept


def _found(name: str, root: str | None) -> tuple[Path, int]:
    """The file of a name, and when it was written."""
    own = [Path(root) / f"{name}.npz"] if root else []
    for file in (*own, BUNDLED / f"{name}.npz"):
        if file.is_file():
            return file, file.stat().st_mtime_ns
    raise UserError(
        f"{name} needs {name}.npz in the folder that DROPKIT_DATA names: "
        f"make it by `dropkit features {_command(name.removesuffix(SUFFIX))}`"
    )


def _command(name: str) -> str:
    """The data set, and the network where its name has one that is not the usual one."""
    dataset, _, network = name.rpartition("-")
    return f"{dataset} --network {network}" if dataset else name


@lru_cache(maxsize=4)
def _opened(file: Path, stamp: int) -> tuple[Data, dict[str, Any]]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            found = dict(arrays)
        header = json.loads(str(found["header"]))
        rows = {len(found[key]) for key in ("features", "y", "split", "groups") if key in found}
        if len(rows) != 1 or found["features"].ndim != 2:
            raise ValueError("its features, labels and splits differ in number")
        if not isinstance(header, dict) or any(each.isdisjoint(header) for each in HEADER):
            raise ValueError("its header does not say of what, and by what, they are")
        return _data(found), header
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError(f"{file} holds no features as dropkit writes them: {error}") from error


def _data(found: dict[str, np.ndarray]) -> Data:
    x = found["features"].astype(np.float32) * np.float32(found["step"])
    if not np.isfinite(x).all():
        raise ValueError("its features are not all finite")
    y = check_labels(found["y"], len(found["classes"]), len(x))
    groups = found["groups"].astype(np.int64) if "groups" in found else None
    return Data(
        x,
        y,
        *(np.flatnonzero(found["split"] == code) for code in range(len(SPLITS))),
        tuple(map(str, found["classes"])),
        groups,
        tuple(map(str, found.get("group_names", ()))),
    ).sound()
