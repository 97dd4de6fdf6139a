"""What this machine is, and what of it this process may use."""

import ctypes
import functools
import os
import platform
import sys
from pathlib import Path


def cores() -> int:
    """The cores that this process may use: batch systems grant fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor() or platform.machine()


# Of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGEST = 2**30, 2**25  # bytes; from the latter on it takes no larger number


@functools.cache
def keep_memory() -> None:
    """Let the C library keep up to a gigabyte of what is freed for what is asked for next.

    glibc returns it to the system, and each step of a training then pays for new pages, up to a
    sixth of its time. Other libraries, and an environment that says otherwise, are left alone.
    """
    told = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"} & {*os.environ}
    if sys.platform != "linux" or told:
        return
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_MMAP_THRESHOLD, _LARGEST)
        mallopt(_TRIM_THRESHOLD, _KEPT)
