"""DataCull's MetriQ, DRoP under its former name, beside ``dropkit.prune`` on the same inputs.

``python -m tests.bench.datacull FILE`` writes what a page shows; it needs ``pip install datacull``.
"""

import json
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dropkit import quotas
from dropkit.pruning import prune
from dropkit.store.provenance import provenance
from dropkit.store.records import write_atomically
from tests.bench import Row

INSTANCES = 2000


def rows() -> Iterator[Row]:
    """Yield the ratio of times; what DataCull keeps is counted by `compared`."""
    if find_spec("datacull") is None:
        print("DataCull is not installed: pip install datacull")
        return
    found = compared(INSTANCES)
    what = "dropkit.prune against DataCull's MetriQ, a million labels in 100 classes"
    ratio = found["seconds"]["datacull"] / found["seconds"]["dropkit"]
    yield Row(what, ratio, "×", "≥ 1 ×", ratio >= 1)


def compared(instances: int, seed: int = 0) -> dict[str, Any]:
    """Count instances whose totals agree up to rounding; in every fourth 30 % of recalls are 1."""
    rng = np.random.default_rng(seed)
    short, exact = [], 0
    for number in range(instances):
        sizes = rng.integers(5, 200, rng.integers(2, 101))
        recalls = rng.random(sizes.size)
        if number % 4 == 0:
            recalls[rng.random(sizes.size) < 0.3] = 1
        density = rng.uniform(0.05, 0.95)
        theirs, ours = _theirs(sizes, recalls, density), _ours(sizes, recalls, density)
        missing = 1 - theirs.sum() / ours.sum()
        if theirs.sum() < ours.sum() - sizes.size:  # rounding down costs at most one a class
            short.append(missing)
        else:
            exact += 1
    perfect = [_theirs(np.array([50, 50]), np.ones(2), 0.5), _ours([50, 50], np.ones(2), 0.5)]
    return {
        "package": f"datacull {version('datacull')}",
        "instances": instances,
        "agree": exact,
        "short": len(short),
        "median short": float(np.median(short)) if short else 0.0,
        "most short": float(max(short, default=0.0)),
        "all recalls 1": {"datacull": int(perfect[0].sum()), "dropkit": int(perfect[1].sum())},
        "seconds": _seconds(),
        "made with": provenance(),
    }


def _ours(sizes: Any, recalls: np.ndarray, density: float) -> np.ndarray:
    densities = quotas.drop_densities(sizes, recalls, density)
    return quotas.class_counts(sizes, densities)


def _theirs(sizes: np.ndarray, recalls: np.ndarray, density: float) -> np.ndarray:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.bincount(labels[_selected(labels, recalls, density)], minlength=len(sizes))


def _selected(labels: np.ndarray, recalls: np.ndarray, density: float) -> list[int]:
    from datacull.methods.MetriQ import MetriQDataLoader

    class Labelled:  # what it asks of a data set
        targets = labels

        def __len__(self) -> int:
            return len(labels)

    wrapped = SimpleNamespace(dataset=Labelled())
    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        loader = MetriQDataLoader(wrapped, density, recalls.copy(), batch_size=1)
        return loader.compute_subset(None)


def _seconds() -> dict[str, float]:
    rng = np.random.default_rng(0)
    labels, recalls = rng.integers(0, 100, 1_000_000), rng.random(100)
    times: dict[str, list[float]] = {"datacull": [], "dropkit": []}
    for _ in range(3):
        for name, call in (("datacull", _selected), ("dropkit", _pruned)):
            start = time.process_time()
            call(labels, recalls, 0.3)
            times[name].append(time.process_time() - start)
    return {name: round(min(spent), 4) for name, spent in times.items()}


def _pruned(labels: np.ndarray, recalls: np.ndarray, density: float) -> np.ndarray:
    return prune("random+drop", labels, density, recalls=recalls)


if __name__ == "__main__":
    text = json.dumps(compared(INSTANCES), indent=1, sort_keys=True) + "\n"
    write_atomically(Path(sys.argv[1]), text.encode())
