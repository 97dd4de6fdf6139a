"""What a second driver on one plan and store takes off the time, and what sharing costs a trial."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dropkit._common.machine import cores
from dropkit.store import Store
from dropkit.store.locks import Locks
from tests.bench import Row

PLAN = """
dataset = "digits-2x4"
model = "mlp"
densities = [0.1, 0.3, 0.5, 0.7, 0.9]
seeds = 240
order = "stages"
[[stage]]
protocols = ["full", "random", "random+drop"]
"""
TRIALS, NAMES, STACK = 240 * 11, 12_000, 60
CODE = (
    "import sys\nfrom dropkit.store import Store\nfrom dropkit.study import plan\n"
    "print(*plan.run(plan.read(sys.argv[1] + '/plan.toml'), store=Store(sys.argv[1] + '/store')))"
)


def rows() -> Iterator[Row]:
    """Yield milliseconds a trial of taking names, and the gain of two drivers over one."""
    with tempfile.TemporaryDirectory() as folder, closing(Locks(Path(folder))) as locks:
        start = time.perf_counter()
        for first in range(0, NAMES, STACK):
            names = list(map(str, range(first, first + STACK)))
            for name in names:
                locks.take(name)
            locks.give_back(names)
        spent = 1000 * (time.perf_counter() - start) / NAMES
    yield Row("a trial's name taken and given back", spent, "ms", "≤ 0.1 ms", spent <= 0.1)
    if cores() < 2:
        return
    one, two = _drivers(1), _drivers(2)
    what = f"a plan of {TRIALS:,} networks and their queries: two drivers on one store"
    yield Row(what, one / two, "×", "≥ 1.8 ×", one / two >= 1.8)


def _drivers(count: int) -> float:
    """Seconds until the last of the drivers is done, their starts included."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "plan.toml").write_text(PLAN)
        command = [sys.executable, "-c", CODE, folder]
        options = {"cwd": Path(__file__).parents[2], "env": environment, "stdout": subprocess.PIPE}
        start = time.perf_counter()
        drivers = [subprocess.Popen(command, **options) for _ in range(count)]
        said = [driver.communicate()[0].split() for driver in drivers]
        seconds = time.perf_counter() - start
        assert said == [[b"%d" % TRIALS] * 2] * count
        assert len(Store(f"{folder}/store")) == TRIALS
    return seconds
