"""What executors add to the work, and what a second process takes off it."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from dropkit._common.machine import cores
from dropkit.store import Store
from dropkit.study import EXECUTORS
from tests import works
from tests.bench import Row

JOBS = 1000
LIMITS = {"local": 2.0, "processes": 2.0, "ray": 20.0}  # ms
PROTOCOLS = ["random", "random+drop", "el2n"]
DENSITIES, SEEDS = [0.1, 0.3, 0.5, 0.7, 0.9], 120


def rows() -> Iterator[Row]:
    """Yield milliseconds of scheduling a job, and the gain of two processes over one."""
    for name, limit in LIMITS.items():
        if name == "ray" and not importlib.util.find_spec("ray"):
            continue  # an extra
        spent = _scheduling(name)
        yield Row(f"scheduling by {name}, a job", spent, "ms", f"≤ {limit:g} ms", spent <= limit)
    if cores() < 2:
        return
    trials = len(PROTOCOLS) * len(DENSITIES) * SEEDS
    one, two = _study("local"), _study("processes")
    what = f"a digits study of {trials} networks and their queries: {cores()} processes"
    yield Row(what, one / two, "×", "≥ 1.7 ×", one / two >= 1.7)


def _scheduling(name: str) -> float:
    """Milliseconds a job that does nothing, from the first answer on, when workers are there."""
    with EXECUTORS[name]("cpu") as workers:
        answers = workers.do(works.square, [works.Job(number) for number in range(JOBS)])
        next(answers)
        start = time.perf_counter()
        rest = sum(1 for _ in answers)
        return 1000 * (time.perf_counter() - start) / rest


def _study(executor: str) -> float:
    """Seconds of a study in a program of its own, its start included."""
    code = (
        "import sys\nfrom dropkit import study\nfrom dropkit.store import Store\n"
        f"trials = study.grid('digits-2x4', protocols={PROTOCOLS}, densities={DENSITIES},"
        f" seeds={SEEDS})\n"
        "study.run(trials, store=Store(sys.argv[1]), executor=sys.argv[2])\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, folder, executor]
        start = time.perf_counter()
        subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, check=True)
        seconds = time.perf_counter() - start
        assert len(Store(folder)) == len(PROTOCOLS) * len(DENSITIES) * SEEDS
    return seconds
