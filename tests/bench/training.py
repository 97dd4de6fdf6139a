"""Speed of stacks of networks against one network at a time."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from dropkit.datasets import load
from dropkit.training import predict, train
from dropkit.training.recipes import DIGITS
from tests.bench import Row, one_thread
from tests.training.test_engine import plain_loop

NETWORKS = 20


def rows() -> Iterator[Row]:
    """Yield speed and agreement of a stack."""
    with one_thread():
        yield from _stack_against_loop()


def _stack_against_loop() -> Iterator[Row]:
    data, seeds = load("digits-2x4"), range(NETWORKS)
    kept = np.stack([load("digits-2x4", seed).train for seed in seeds])
    recipe = replace(DIGITS, epochs=12)

    def stack(recipe):
        networks = train("mlp", data.x, data.y, kept, recipe, seeds=seeds, num_classes=10)
        return predict(networks, data.x, data.test)

    def loop(recipe, count=NETWORKS):
        # Fused as the stack's: the fastest optimiser that PyTorch has.
        networks = [
            plain_loop("mlp", data.x, data.y, kept[s], recipe, s, 10, fused=True)
            for s in range(count)
        ]
        x = torch.as_tensor(data.x[data.test])
        with torch.no_grad():
            return np.stack([network(x).numpy() for network in networks])

    # What PyTorch loads at the first step is paid before the clock runs.
    stack(replace(recipe, epochs=1))
    loop(replace(recipe, epochs=1), count=1)
    pairs = [(_timed(stack, recipe), _timed(loop, recipe)) for _ in range(3)]
    (fast, found), (slow, expected) = (
        min(runs, key=lambda run: run[0]) for runs in zip(*pairs, strict=True)
    )
    what = f"a stack of {NETWORKS} MLPs against one network at a time"
    yield Row(what, slow / fast, "×", "≥ 6 ×", slow / fast >= 6)
    error = float(abs(found - expected).max())
    yield Row(f"{what}: largest difference of logits", error, "", "≤ 1e-5", error <= 1e-5)


def _timed(call, recipe):
    start = time.perf_counter()
    answer = call(recipe)
    return time.perf_counter() - start, answer
