"""What the chapters' studies cost at their default parameters, from an empty store."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import Row

HEAD = """
from dropkit import study
from dropkit.store import Store
def run(*trials): study.run(sum(trials, []), store=Store())
"""
DROP = """
common = {"densities": [0.1, 0.3, 0.5, 0.7, 0.9], "seeds": 60}
protocols = ["full", "random", "random+drop", "el2n", "el2n+drop", "random+el2nq"]
run(
    study.grid("digits-2x4", protocols=protocols, **common),
    study.grid("digits-2x4", protocols=["random+drop"], smoothing=1.0, **common),
)
"""
BIAS = """
from dropkit.scores import SCORES
protocols = ["full", "random", "random+drop", *SCORES]
densities = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9]
run(study.grid("digits-2x4", protocols=protocols, densities=densities, seeds=20))
"""
STUDIES = [
    ("the study of 03-drop: 1,860 networks, 300 query models", DROP, 150),
    ("the bias study: 9 methods, 6 densities, 20 seeds", BIAS, 80),
]
MEMORY = 1.5  # GB
CHAPTERS = ["04-cdbw", "05-imbalance"]


def rows() -> Iterator[Row]:
    """Yield CPU seconds and peak memory of each study, on one thread, and seconds of chapters."""
    seconds = sum(map(chapter, CHAPTERS))
    what = f"chapters {', '.join(CHAPTERS)} as they stand, kernels and pictures included"
    yield Row(what, seconds, "CPU s", "≤ 110 s", seconds <= 110)
    for what, code, target in STUDIES:
        seconds, memory = _cost(["-c", HEAD + code])
        yield Row(what, seconds, "CPU s", f"≤ {target} s", seconds <= target)
        yield Row(f"{what}: peak memory", memory, "GB", f"≤ {MEMORY} GB", memory <= MEMORY)


def chapter(name: str) -> float:
    """CPU seconds of a chapter from an empty store; alone, for a forked kernel's are not ours."""
    with tempfile.TemporaryDirectory() as pages:
        return _cost(["-m", "book._ext.execute", f"notebooks/{name}.ipynb", "--to", pages])[0]


def _cost(command: list[str]) -> tuple[float, float]:
    """CPU seconds and peak resident memory (GB) of Python with an empty store and its children."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        environment["DROPKIT_STORE"] = folder
        child = subprocess.Popen(
            [sys.executable, *command], cwd=Path(__file__).parents[2], env=environment
        )
        # The usage of this child alone, which no function of subprocess tells.
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, "the study failed"
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e9
