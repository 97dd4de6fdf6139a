"""Names that one process of several works on: locks of the system, which end with the process.

One byte of the file ``locks`` stands for a name, and is locked by the process that works on it. So
there is nothing to time out, to compare clocks for or to clear: whatever ends a process, a
``kill -9`` too, gives back what it had.
"""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from time import sleep

from dropkit.store.records import StoreError, checksum

try:
    import fcntl
except ImportError:  # on Windows, where two runs on one store do the same work
    fcntl = None  # type: ignore[assignment]

SECONDS = 0.2  # between two looks at what others have


class Locks:
    """Names of one folder that this process has, and no other then.

    Of a folder a process has one such object at a time: closing one gives back the names of all.

    Parameters
    ----------
    folder : Path
        Of a store; made if it is not there.

    Raises
    ------
    StoreError
        If it cannot be written.
    """

    def __init__(self, folder: Path):
        self.others: set[str] = set()  # names that were asked for and another process had
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / "locks", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(f"cannot write to the store {folder}: {error}") from error

    def take(self, name: str) -> bool:
        """Take a name, or return False where another process has it."""
        try:
            if fcntl:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except (BlockingIOError, PermissionError):
            self.others.add(name)
            return False
        except OSError as error:
            what = f"this store's disk has no locks, a second run does the same work: {error}"
            warnings.warn(what, stacklevel=2)
        self.others.discard(name)
        return True

    def give_back(self, names: Iterable[str]) -> None:
        """Let others take names."""
        for name in names if fcntl else ():
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, _place(name))

    def is_free(self, name: str) -> bool:
        """Whether no other process has a name."""
        free = self.take(name)
        if free:
            self.give_back([name])
        return free

    def wait(self) -> None:
        """Return when each of `others` was free since."""
        while not all([self.is_free(name) for name in sorted(self.others)]):
            sleep(SECONDS)

    def close(self) -> None:
        """Give back all names."""
        os.close(self._file)


def _place(name: str) -> int:
    """One of 2**48 bytes: it need not be in the file to be locked."""
    return int(checksum(name.encode()), 16)
