"""How fast the images of Waterbirds are decoded, beside torchvision's ImageFolder."""

import csv
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tqdm import tqdm

from dropkit.datasets import waterbirds
from tests.bench import Row

COUNT = 320
SIZES = [(500, 375), (500, 333), (350, 500), (500, 500)]  # as photographs of birds have
ROUNDS = 3


def rows() -> Iterator[Row]:
    """Yield images a second of both sides, taken in turns, and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        table = _published(Path(folder))
        loop, loader = (_batches(Path(folder), workers) for workers in (0, 2))
        sides = {
            "dropkit": lambda: _ours(table, Path(folder)),
            "loop": lambda: _passed(loop),
            "loader": lambda: _passed(loader),
        }
        # Libraries are loaded and workers started before the clock runs.
        first, *others = (run() for run in sides.values())
        assert all(np.array_equal(first, other) for other in others), "all sides must agree"
        measured = {side: [] for side in sides}
        busy = []
        for _ in range(ROUNDS):
            for side, run in sides.items():
                wall, processor = time.perf_counter(), time.process_time()
                run()
                wall = time.perf_counter() - wall
                measured[side].append(COUNT / wall)
                if side == "dropkit":
                    busy.append((time.process_time() - processor) / wall)
    rate = {side: float(max(rates)) for side, rates in measured.items()}
    cores = os.cpu_count() or 1
    yield Row(
        f"decode images into the cache, {cores} cores", rate["dropkit"], "images/s", "-", True
    )
    yield Row("cores that decoding keeps busy", max(busy), "cores", "-", True)
    for side, what in (
        ("loop", "a loop over ImageFolder"),
        ("loader", "the same with 2 workers, started before"),
    ):
        ratio = rate["dropkit"] / rate[side]
        yield Row(f"decode images against {what}", ratio, "×", "≥ 1 ×", ratio >= 1)


def _published(root: Path) -> waterbirds.Table:
    """A generated folder of JPEG files in the published format, a folder a class."""
    rng = np.random.default_rng(0)
    folder = root / waterbirds.FOLDER
    rows = []
    for i in range(COUNT):
        coarse = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(SIZES[i % len(SIZES)], Image.Resampling.BICUBIC)
        name = f"{i % 2}/{i:04}.jpg"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / name)
        rows.append([i + 1, name, i % 2, i // 2 % 3, i // 6 % 2, "/o/ocean/1.jpg"])
    with open(folder / "metadata.csv", "w", newline="") as file:
        csv.writer(file).writerows([waterbirds.COLUMNS, *rows])
    return waterbirds.read(root)


def _ours(table: waterbirds.Table, root: Path) -> np.ndarray:
    with (
        tempfile.TemporaryDirectory(dir=root) as cache,
        patch.dict(os.environ, DROPKIT_IMAGES=cache),
    ):
        found = waterbirds.images(table)[:]
        # In the order of ImageFolder: by class, then by name.
        return np.concatenate([found[table.y == y] for y in (0, 1)])


def _batches(root: Path, workers: int) -> DataLoader:
    steps = [transforms.Resize((256, 256)), transforms.CenterCrop(224), transforms.PILToTensor()]
    images = datasets.ImageFolder(root / waterbirds.FOLDER, transforms.Compose(steps))
    return DataLoader(images, 64, num_workers=workers, persistent_workers=workers > 0)


def _passed(batches: DataLoader) -> np.ndarray:
    return np.concatenate([x.numpy() for x, _ in tqdm(batches, desc="ImageFolder")])
