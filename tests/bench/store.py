"""What stored trials cost: reading ten thousand of them, and the bytes that each takes."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dropkit import study
from dropkit.store import Store, key
from tests.bench import Row

TRIALS = 10_000


def rows() -> Iterator[Row]:
    """Yield seconds of reading, beside JSON alone, and bytes a trial of the largest records."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        size = _fill(path)
        plain, ours = _seconds(lambda: _plain(path), lambda: list(Store(path)))
    what = f"{TRIALS:,} trials listed and loaded"
    yield Row(what, ours, "s", "< 1 s", ours < 1)
    yield Row(f"{what}: against their JSON alone", ours / plain, "×", "≤ 2 ×", ours <= 2 * plain)
    yield Row("growth of the store by a record", size / 1000, "KB", "≤ 4 KB", size <= 4000)


def _fill(path: Path) -> float:
    """Write as many records as there are trials, all like a real one; return the bytes of each."""
    # The protocol with both kinds of query, whose configurations are recorded.
    trials = study.grid("digits-2x4", protocols=["el2n+drop"], densities=[0.5], seeds=1)
    with tempfile.TemporaryDirectory() as other:
        (record,) = study.run(trials, store=Store(other))
    store = Store(path)
    for start in range(0, TRIALS, 100):
        numbers = range(start, start + 100)
        store.add(*(record | {"key": key({"number": number})} for number in numbers))
    store.close()
    return sum(file.stat().st_size for file in path.glob("*.jsonl")) / TRIALS


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
