"""What CDB-W and the choice of an epoch add to the time of training a stack."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dropkit.datasets import load
from dropkit.training import Recipe, train
from dropkit.training.recipes import DIGITS
from tests.bench import Row, one_thread

NETWORKS = 60
ROUNDS = 5

VARIANTS = {
    "CDB-W": {"loss": "cdbw"},
    "the best epoch": {"select": "best"},
    "averaged weights": {"select": "averaged"},
}


def rows() -> Iterator[Row]:
    """Yield the time of each variant over that of plain training, side by side."""
    with one_thread():
        recipe = replace(DIGITS, epochs=8)
        data = [load("digits-2x4", seed) for seed in range(NETWORKS)]
        _seconds(data, replace(recipe, epochs=1))  # what PyTorch loads at the first step
        plain, *others = np.array(
            [
                [_seconds(data, replace(recipe, **fields)) for fields in ({}, *VARIANTS.values())]
                for _ in range(ROUNDS)
            ]
        ).T
        for name, seconds in zip(VARIANTS, others, strict=True):
            # Neighbours in time are compared, as the speed of a busy machine drifts.
            ratio = float(np.median(seconds / plain))
            what = f"{NETWORKS} MLPs in a stack with {name} against plain training"
            yield Row(what, ratio, "×", "≤ 1.3 ×", ratio <= 1.3)


def _seconds(data: list, recipe: Recipe) -> float:
    kept, val = (np.stack([getattr(each, split) for each in data]) for split in ("train", "val"))
    x, y, seeds = data[0].x, data[0].y, range(NETWORKS)
    start = time.process_time()
    train("mlp", x, y, kept, recipe, seeds=seeds, num_classes=10, val=val)
    return time.process_time() - start
