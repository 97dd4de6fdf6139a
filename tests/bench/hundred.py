"""One seed of chapter 3 on a hundred classes: minutes, so only `make bench TOPICS=hundred`.

On vectors at random of CIFAR-100's sizes, for what they are costs nothing.
"""

import tempfile
import time
from collections.abc import Iterator

import numpy as np

from dropkit import datasets, study
from dropkit.datasets.data import Data
from dropkit.store import Store
from dropkit.training.recipes import MANY
from tests.bench import Row, one_thread

ON_REQUEST = True
PROTOCOLS = (
    "full", "full+cdbw", "random", "random+drop", "random+el2nq", "el2n", "el2n+drop",
    "el2n+cdbw", "forgetting", "forgetting+drop",
)  # fmt: skip
DENSITIES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
SIZES, CLASSES, WIDTH = (50_000, 5_000, 5_000), 100, 256
MOST = 600  # seconds


def rows() -> Iterator[Row]:
    """Yield CPU seconds of all protocols at all densities, queries included."""
    datasets.register("bench-hundred", _vectors, version="1")
    trials = study.grid(
        "bench-hundred",
        protocols=PROTOCOLS,
        densities=DENSITIES,
        seeds=1,
        model="linear",
        recipe=MANY,
    )
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        study.run(trials, store=Store(folder))
        seconds = time.process_time() - began
    what = f"a hundred classes, one seed: {len(trials)} networks and their queries"
    yield Row(what, seconds, "CPU s", f"≤ {MOST} s", seconds <= MOST)


def _vectors(seed: int, root: str | None) -> Data:
    rng = np.random.default_rng(0)
    y = np.arange(sum(SIZES)) % CLASSES
    x = rng.normal(size=(len(y), WIDTH)) + rng.normal(size=(CLASSES, WIDTH))[y]
    places = np.split(np.arange(len(y)), np.cumsum(SIZES)[:2])
    x = (x / np.sqrt((x**2).sum(axis=1).mean())).astype(np.float32)
    return Data(x, y, *places, tuple(map(str, range(CLASSES))))
