"""One build at a time in a folder: a second one waits, and says so."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout


def alone(folder: Path) -> AbstractContextManager:
    """Take the folder's lock, which ends with the process; wait where another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        print(f"another build writes {folder}: waiting for its end", file=sys.stderr)
        return lock.acquire()
