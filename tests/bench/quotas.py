"""Speed of DRoP's quotas at 100,000 classes, and beside the printed Algorithm 1."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from dropkit.quotas import drop_densities
from tests.bench import Row
from tests.test_quotas import algorithm_1


def rows() -> Iterator[Row]:
    """Yield the time at 100,000 classes, and the speed-up and agreement at 10,000."""
    sizes, recalls = _instance(100_000, seed=0)
    elapsed = 1e3 * _best_of(15, lambda: drop_densities(sizes, recalls, 0.5))
    what = "DRoP densities, 100,000 classes"
    yield Row(what, elapsed, "ms", "< 50 ms", elapsed < 50)

    sizes, recalls, expected = _ending_instance(10_000)
    # Plain lists: the printed loop is fastest on Python floats.
    lists = sizes.tolist(), recalls.tolist()
    literal = _best_of(5, lambda: algorithm_1(*lists, 0.5))
    ours = _best_of(15, lambda: drop_densities(sizes, recalls, 0.5))
    error = float(abs(drop_densities(sizes, recalls, 0.5) - expected).max())
    what = "DRoP densities against the printed loop, 10,000 classes"
    yield Row(what, literal / ours, "×", "≥ 3 ×", literal / ours >= 3)
    yield Row(f"{what}: largest difference", error, "", "≤ 1e-9", error <= 1e-9)


def _instance(num_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(1, 2000, num_classes), rng.random(num_classes)


def _ending_instance(num_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first instance on which the printed algorithm ends, and its answer."""
    for seed in range(100):
        sizes, recalls = _instance(num_classes, seed)
        expected = algorithm_1(sizes, recalls, 0.5)
        if expected is not None:
            return sizes, recalls, expected
    raise RuntimeError("the printed algorithm ended on none of 100 instances")


def _best_of(repeats: int, call: Callable[[], object]) -> float:
    """Return the shortest of several timings, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
