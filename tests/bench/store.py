"""What stored trials cost: reading, checking and publishing many, and the bytes of each."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dropkit import study
from dropkit.store import Store, key
from dropkit.training.recipes import ENGINE
from tests.bench import Row, measured

TRIALS, MANY = 10_000, 100_000


def rows() -> Iterator[Row]:
    """Yield seconds of reading, beside JSON alone, and bytes a trial of the largest records."""
    record = _record()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        size = _fill(path, record, TRIALS)
        plain, ours = _seconds(lambda: _plain(path), lambda: list(Store(path)))
    what = f"{TRIALS:,} trials listed and loaded"
    yield Row(what, ours, "s", "< 1 s", ours < 1)
    yield Row(f"{what}: against their JSON alone", ours / plain, "×", "≤ 2 ×", ours <= 2 * plain)
    yield Row("growth of the store by a record", size / 1000, "KB", "≤ 4 KB", size <= 4000)
    with tempfile.TemporaryDirectory() as folder:
        size = _fill(Path(folder), record, MANY)
        start = time.perf_counter()
        assert len(Store(folder)) == MANY
        opening = time.perf_counter() - start
        yield Row(f"{MANY:,} trials opened", opening, "s", "< 20 s", opening < 20)
        where = f"--store={folder}"
        seconds, _ = measured("-m", "dropkit.commands", "store", "verify", "--sample=0", where)
        what = f"{MANY:,} trials: checksums, forms and keys checked by dropkit store verify"
        yield Row(what, seconds, "CPU s", "< 60 s", seconds < 60)
        export = ("-m", "dropkit.commands", "store", "export", where, f"{folder}.jsonl")
        _, mebibytes = measured(*export)
        Path(f"{folder}.jsonl").unlink()
        times = mebibytes / (size * MANY / 2**20)
        what = f"{MANY:,} trials exported: peak memory against the bytes of the store"
        yield Row(what, times, "×", "≤ 10 ×", times <= 10)


def _record() -> dict:
    """A real record, of the protocol with both kinds of query, whose configurations are stored."""
    trials = study.grid("digits-2x4", protocols=["el2n+drop"], densities=[0.5], seeds=1)
    with tempfile.TemporaryDirectory() as other:
        (record,) = study.run(trials, store=Store(other))
    return record


def _fill(path: Path, record: dict, count: int) -> float:
    """Write records like one, of other seeds, under their own keys; return the bytes of each."""
    store = Store(path)
    for start in range(0, count, 1000):
        trials = [record["trial"] | {"seed": start + number} for number in range(1000)]
        names = (key({"engine": ENGINE, "trial": trial}) for trial in trials)
        store.add(*(record | {"key": n, "trial": t} for n, t in zip(names, trials, strict=True)))
    store.close()
    return sum(file.stat().st_size for file in path.glob("*.jsonl")) / count


def _plain(path: Path) -> list[dict]:
    """The records without a look at their checksums."""
    (file,) = path.glob("*.jsonl")
    return [json.loads(line[13:]) for line in file.read_bytes().splitlines()]


def _seconds(*calls: Callable[[], object]) -> list[float]:
    """Return the least seconds of each call, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(5):
        for call, taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]
