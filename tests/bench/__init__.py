"""What the project promises about speed and memory: ``python -m tests.bench [topic ...]``."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

# A process inherits the peak memory of the one that starts it, so a small one stands between.
_MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


class Row(NamedTuple):
    """One measurement beside its target."""

    what: str
    value: float
    unit: str
    target: str
    met: bool


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread, and then on as many as before."""
    import torch  # here, for most topics do without

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def measured(*arguments: str) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MiB of Python with arguments, in its own process."""
    command = [sys.executable, "-c", _MEASURED, sys.executable, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / (2**20 if sys.platform == "darwin" else 2**10)
