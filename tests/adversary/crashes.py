"""A writer that ends by SIGKILL at each of its system calls, one after the other.

``python -m tests.adversary.crashes`` forks a writer for each: it has no threads, and imports once.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np

from dropkit.store import DamagedRecord, Store, tidying
from tests.adversary import Outcome, record

ROOT = Path(__file__).parents[2]
CALLS = ("open", "write", "fsync", "replace", "unlink", "close")  # of os, that the store makes
ARRAYS = {"x": np.arange(40.0)}


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(at, mode):
    """Let this process end before or after, or in the middle of, its system call of a number."""
    count = 0

    def dangerous(name, call):
        def called(*arguments, **options):
            nonlocal count
            count += 1
            if count == at:
                if mode == "middle" and name == "write":
                    call(arguments[0], arguments[1][: len(arguments[1]) * 2 // 3])
                elif mode == "after":
                    call(*arguments, **options)
                _die()
            return call(*arguments, **options)

        return called

    for name in CALLS:
        setattr(os, name, dangerous(name, getattr(os, name)))
    whole = Path.open

    def opened(self, mode="r", *arguments, **options):
        """Files that are written by Python's own streams end in the middle, too."""
        stream = whole(self, mode, *arguments, **options)
        return _Stream(stream, dangerous) if mode == "wb" else stream

    Path.open = opened
    return lambda: count


class _Stream:
    def __init__(self, stream, dangerous):
        self._stream, self._flush = stream, dangerous("flush", stream.flush)

    def writelines(self, parts):
        content = b"".join(parts)
        self._stream.write(content[: len(content) // 2])
        self._flush()  # half of it
        self._stream.write(content[len(content) // 2 :])

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stream.close()


def _forked(do):
    """What a child says until it ends, and its status."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            do(os.fdopen(os.dup(writing), "w"))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    return text.split(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _crash(folder, numbers, at, mode):
    """The numbers of records that a writer had acknowledged when it ended, and its status."""

    def do(said):
        descriptor, write = said.fileno(), os.write  # as it is before calls are dangerous
        calls = _dying(at, mode)
        with warnings.catch_warnings(action="ignore", category=DamagedRecord):
            store = Store(folder)
        for number in numbers:
            if record(number)["key"] not in store:
                if number % 2 == 0:
                    store.save_arrays(f"q{number}", ARRAYS)
                store.add(record(number))
                write(descriptor, b"%d\n" % number)
        store.close()
        write(descriptor, b"calls %d\n" % calls())

    return _forked(do)


def _read(folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = Store(folder)
        found = {each["key"]: each for each in store}
        arrays = {name: store.load_arrays(name) for name in store.array_names()}
    return found, arrays, [str(each.message) for each in caught]


def _judged(folder, honest, acknowledged):
    """What is wrong with a store after a crash, "" if nothing."""
    found, arrays, _ = _read(folder)
    lost = [number for number in acknowledged if honest[number]["key"] not in found]
    if lost:
        return f"{lost} were acknowledged and are not there"
    if any(each not in honest for each in found.values()):
        return "a record is not what was written"
    if any(a is None or not np.array_equal(a["x"], ARRAYS["x"]) for a in arrays.values()):
        return "arrays are not what was written"
    return ""


def _completed(folder, honest):
    """What is wrong after the next run and a repair, "" if nothing."""
    with (
        warnings.catch_warnings(action="ignore", category=DamagedRecord),
        closing(Store(folder)) as store,
    ):
        store.add(*honest)
    for file in folder.rglob(".*"):
        os.utime(file, (0, 0))  # of a process that ended long ago
    for leftover in tidying.leftovers(folder):
        leftover.remove()
    found, arrays, warned = _read(folder)
    lines = sum(file.read_bytes().count(b'"key"') for file in folder.glob("*.jsonl"))
    left = [*folder.rglob(".*"), *(f for f in folder.glob("*.jsonl") if not f.read_bytes().strip())]
    if sorted(found) != sorted(each["key"] for each in honest) or lines != len(honest):
        return f"{len(found)} records in {lines} lines after the next run"
    return f"after a repair: {warned} {left}" if warned or left else ""


def _each(full, folder):
    """Crash once at each system call, in each way; then, at random, again and again."""
    honest = [record(number) for number in range(4)]
    numbers = range(len(honest))
    (*_, calls), status = _crash(folder / "none", numbers, 0, "")
    assert status == 0
    points = [[(at, mode)] for at in range(1, int(calls) + 1)
              for mode in ("before", "middle", "after")]  # fmt: skip
    draw = random.Random(time.time_ns() if full else 0)
    points += [
        [(draw.randint(1, int(calls)), draw.choice(("before", "middle", "after")))
         for _ in range(draw.randint(2, 5))]
        for _ in range(2000 if full else 30)
    ]  # fmt: skip
    tried, harm = 0, []
    for series in points:
        store = folder / "store"
        acknowledged: list[int] = []
        for at, mode in series:
            said, status = _crash(store, numbers, at, mode)
            acknowledged += [int(word) for word in said if word.isdigit() and "calls" not in said]
            tried += status == -signal.SIGKILL
            if status not in (0, -signal.SIGKILL):
                harm.append(f"{series}: the writer ended with {status}")
            if wrong := _judged(store, honest, acknowledged):
                harm.append(f"{series}: {wrong}")
        if wrong := _completed(store, honest):
            harm.append(f"{series}: {wrong}")
        shutil.rmtree(store)
    return Outcome(tried, harm)


def crashes(full, folder):
    """End a writer at each system call: what it acknowledged is there, and a repair cleans up."""
    arguments = [sys.executable, "-m", "tests.adversary.crashes", str(folder), "full" * full]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        return Outcome(0, [done.stderr[-2000:]])
    return Outcome(*json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(_each(sys.argv[2] == "full", Path(sys.argv[1]))))
