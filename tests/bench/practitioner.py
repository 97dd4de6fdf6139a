"""The command line on long label files, and DRoPSampler beside imbalanced-learn's samplers."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.bench import Row, measured

MANY = 100_000_000


def rows() -> Iterator[Row]:
    """Yield seconds and memory of ``dropkit prune``, and the sampler's time beside a random one."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = _prune(Path(folder), 1_000_000, 10_000)
        what = "dropkit prune, 1 million labels in 10,000 classes, start-up included"
        yield Row(what, seconds, "CPU s", "< 2 s", seconds < 2)
        seconds, mebibytes = _prune(Path(folder), MANY, 1_000)
        labels = 4 * MANY / 2**20
        what = f"dropkit prune, 100 million labels of {labels:.0f} MiB: peak memory"
        yield Row(what, mebibytes, "MiB", "< 400 MiB", mebibytes < 400)
        yield Row("dropkit prune, 100 million labels", seconds, "CPU s", "< 30 s", seconds < 30)
    yield _sampler_row()
    yield _measuring_row()
    yield _text_row()
    yield _redraw_row()
    yield _advice_row()


def _prune(folder: Path, n: int, num_classes: int) -> tuple[float, float]:
    """Return CPU seconds and peak memory in MiB of the command in a process of its own."""
    rng = np.random.default_rng(0)
    paths = folder / "labels.npy", folder / "predictions.npy"
    labels, predictions = (
        np.lib.format.open_memmap(path, mode="w+", dtype=np.int32, shape=(n,)) for path in paths
    )
    for start in range(0, n, 10_000_000):
        part = rng.integers(0, num_classes, min(10_000_000, n - start), dtype=np.int32)
        labels[start : start + part.size] = part
        predictions[start : start + part.size] = np.where(rng.random(part.size) < 0.7, part, 0)
    options = [f"--labels={paths[0]}", f"--predictions={paths[1]}", "--density=0.5", "--rows=1"]
    command = [
        "-m",
        "dropkit.commands",
        "prune",
        *options,
        f"--out={folder}/kept.npy",
    ]
    return measured(*command)


def _sampler_row() -> Row:
    from imblearn.under_sampling import RandomUnderSampler

    from dropkit.sampler import DRoPSampler

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 1000, 1_000_000)
    features = rng.random((labels.size, 4))
    ours = DRoPSampler(recalls=rng.random(1000), random_state=0)
    theirs = RandomUnderSampler(random_state=0)
    ratio = _seconds(lambda: theirs.fit_resample(features, labels)) / _seconds(
        lambda: ours.fit_resample(features, labels)
    )
    what = "DRoPSampler with recalls against RandomUnderSampler, 1 million samples, 1,000 classes"
    return Row(what, ratio, "×", "≥ 1 ×", ratio >= 1)


def _measuring_row() -> Row:
    from imblearn.under_sampling import InstanceHardnessThreshold
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression

    from dropkit.sampler import DRoPSampler

    features, labels = make_classification(
        20_000, n_features=20, n_informative=10, n_classes=10, random_state=0
    )
    model = LogisticRegression(max_iter=1000)
    ours = DRoPSampler(estimator=model, random_state=0)
    theirs = InstanceHardnessThreshold(
        estimator=model, sampling_strategy=dict.fromkeys(range(10), 1000), random_state=0
    )
    ratio = _seconds(lambda: theirs.fit_resample(features, labels)) / _seconds(
        lambda: ours.fit_resample(features, labels)
    )
    what = "DRoPSampler cross-validating against InstanceHardnessThreshold, 20,000 samples"
    return Row(what, ratio, "×", "≥ 0.9 ×", ratio >= 0.9)


def _text_row() -> Row:
    from imblearn.under_sampling import RandomUnderSampler

    from dropkit.sampler import DRoPSampler

    rng = np.random.default_rng(0)
    labels = np.array([f"class {k}" for k in range(100)])[rng.integers(0, 100, 1_000_000)]
    features = rng.random((labels.size, 10))
    ours = DRoPSampler(recalls=rng.random(100), random_state=0)
    theirs = RandomUnderSampler(random_state=0)
    ratio = _seconds(lambda: theirs.fit_resample(features, labels)) / _seconds(
        lambda: ours.fit_resample(features, labels)
    )
    what = "DRoPSampler against RandomUnderSampler, 1 million labels of text, 100 classes"
    return Row(what, ratio, "×", "≥ 1 ×", ratio >= 1)


def _redraw_row() -> Row:
    from dropkit.sampler.pytorch import DRoPSubsetSampler

    rng = np.random.default_rng(0)
    sampler = DRoPSubsetSampler(rng.integers(0, 1000, 1_281_167), 0.3, rng.random(1000))
    seconds = _seconds(lambda: sampler.drawn(0))
    what = "DRoPSubsetSampler, an epoch's draw of 1.28 million labels"
    return Row(what, seconds, "CPU s", "≤ 0.5 s", seconds <= 0.5)


def _advice_row() -> Row:
    from sklearn.datasets import make_classification

    from dropkit import advise

    X, y = make_classification(20_000, n_features=20, n_informative=10, n_classes=5, random_state=0)
    start = time.process_time()
    advise(X, y)
    seconds = time.process_time() - start
    what = "dropkit.advise, 20,000 samples of 20 features, logistic regression"
    return Row(what, seconds, "CPU s", "≤ 60 s", seconds <= 60)


def _seconds(call: Callable[[], object]) -> float:
    """Return the shorter of two timings."""
    times = []
    for _ in range(2):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)
