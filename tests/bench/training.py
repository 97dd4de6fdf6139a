"""Speed of stacks of networks against one network at a time."""

import time
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import numpy as np
import torch

from dropkit.datasets import load
from dropkit.training import engine, predict, train
from dropkit.training.engine import STACK
from dropkit.training.recipes import DIGITS
from tests.bench import Row, one_thread
from tests.training.test_engine import plain_loop

NETWORKS = 20


def rows() -> Iterator[Row]:
    """Yield speed and agreement of a stack."""
    with one_thread():
        yield from _stack_against_loop()
        yield from _by_hand_against_autograd()


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
    (fast, found), (slow, expected) = _in_turn(stack, loop, recipe)
    what = f"a stack of {NETWORKS} MLPs against one network at a time"
    yield Row(what, slow / fast, "×", "≥ 6 ×", slow / fast >= 6)
    error = float(abs(found - expected).max())
    yield Row(f"{what}: largest difference of logits", error, "", "≤ 1e-5", error <= 1e-5)


def _by_hand_against_autograd() -> Iterator[Row]:
    """The digits' stacks of 60, whose gradients are by hand, and the same with autograd's."""
    data, seeds = load("digits-2x4"), range(STACK)
    kept = np.stack([load("digits-2x4", seed).train for seed in seeds])
    recipe = replace(DIGITS, epochs=10)

    def stack(recipe):
        networks = train("mlp", data.x, data.y, kept, recipe, seeds=seeds, num_classes=10)
        return predict(networks, data.x, data.test)

    def autograd(recipe):
        with mock.patch.object(engine, "narrow", lambda *_: None):
            return stack(recipe)

    stack(replace(recipe, epochs=1))
    autograd(replace(recipe, epochs=1))
    (fast, found), (slow, expected) = _in_turn(stack, autograd, recipe)
    what = f"gradients of {STACK} MLPs by hand against autograd's"
    yield Row(what, slow / fast, "×", "≥ 1.3 ×", slow / fast >= 1.3)
    steps = recipe.epochs * -(-kept.shape[1] // recipe.batch)
    yield Row(f"a step of {STACK} MLPs", 1e3 * fast / steps, "ms", "", True)
    flips = float((found.argmax(-1) != expected.argmax(-1)).mean())
    yield Row(f"{what}: share of answers that differ", flips, "", "0", flips == 0)


def _in_turn(first, second, recipe):
    """The fastest of three runs of each, its seconds and what it answered."""
    pairs = [(_timed(first, recipe), _timed(second, recipe)) for _ in range(3)]
    return [min(runs, key=lambda run: run[0]) for runs in zip(*pairs, strict=True)]


def _timed(call, recipe):
    start = time.perf_counter()
    answer = call(recipe)
    return time.perf_counter() - start, answer
