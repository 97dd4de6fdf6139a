"""Speed of stacks of networks, and what the study of the chapter on DRoP costs."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dropkit.datasets import load
from dropkit.training import DIGITS, predict, train
from tests.bench import Row
from tests.test_training import plain_loop

NETWORKS = 20

# The notebook's default parameters, on a store that has nothing yet.
STUDY = """
import sys
from dropkit import study
from dropkit.store import Store
common = {"densities": [0.1, 0.3, 0.5, 0.7, 0.9], "seeds": 60}
protocols = ["full", "random", "random+drop", "el2n", "el2n+drop", "random+el2nq"]
trials = study.grid("digits-2x4", protocols=protocols, **common)
trials += study.grid("digits-2x4", protocols=["random+drop"], smoothing=1.0, **common)
study.run(trials, store=Store(sys.argv[1]))
"""


def rows() -> Iterator[Row]:
    """Yield speed and agreement of a stack, then time and memory of a study from nothing."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from _stack_against_loop()
    finally:
        torch.set_num_threads(threads)
    yield from _study()


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


def _study() -> Iterator[Row]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            [sys.executable, "-c", STUDY, folder],
            cwd=Path(__file__).parents[2],
            env=environment,
        )
        # The usage of this child alone, which no function of subprocess tells.
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, "the study failed"
    seconds = usage.ru_utime + usage.ru_stime
    what = "the study of 03-drop, from an empty store: 1,860 networks and 300 query models"
    yield Row(what, seconds, "CPU s", "≤ 150 s", seconds <= 150)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    memory = usage.ru_maxrss * unit / 1e9
    yield Row(f"{what}: peak memory", memory, "GB", "≤ 1.5 GB", memory <= 1.5)
