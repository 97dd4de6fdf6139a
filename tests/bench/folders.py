"""How fast batches of ImageNet's size come from the decoded file, beside torchvision's loader."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from dropkit.datasets import decode, image_folders, imagenet
from dropkit.training import batches
from tests.bench import Row

COUNT, BATCH, ROUNDS = 192, 64, 3
TIMES = 8  # that the images are written, for an epoch of more batches
SIZES = [(500, 375), (500, 333), (375, 500), (400, 300)]  # as ImageNet's are


def rows() -> Iterator[Row]:
    """Yield images a second of both sides, taken in turns, and their ratio.

    Both decode, resize and crop to 224 x 224 pixels, shift by up to 4, flip and normalise; ours has
    decoded before. The decoded file is in the system's memory: a disk may be slower. Reading ahead
    is from the disk, for a device that sleeps with each batch for as long as it takes to read one.
    """
    with tempfile.TemporaryDirectory() as folder:
        listing = _published(Path(folder))
        side = imagenet.SIDE
        with patch.dict(os.environ, DROPKIT_IMAGES=f"{folder}/cache"):
            decoded = listing.data("images", [imagenet.SHORT], side).x
        source = batches.source_of(decoded, torch.float32, torch.device("cpu"))
        loader = _loader(listing.folder / "train")
        sides = {"dropkit": lambda: _ours(source), "loader": lambda: [x for x, _ in loader]}
        shapes = {name: {tuple(x.shape) for x in run()} for name, run in sides.items()}
        assert shapes["dropkit"] == shapes["loader"] == {(BATCH, 3, side, side)}
        rates = {name: max(_rate(run) for _ in range(ROUNDS)) for name, run in sides.items()}
        one_by_one, overlapped = _beside_a_device(decoded, Path(folder) / "many.npy")
    yield Row("shifted, flipped 224 x 224 from disk", rates["dropkit"], "images/s", "-", True)
    ratio = rates["dropkit"] / rates["loader"]
    yield Row("the same against torchvision's ImageFolder", ratio, "×", "≥ 3 ×", ratio >= 3)
    what = "for a device as fast as the disk"
    yield Row(f"one batch after another {what}", one_by_one, "images/s", "-", True)
    ratio = overlapped / one_by_one
    yield Row(f"read ahead {what}, of at most 2", ratio, "×", "≥ 1.2 ×", ratio >= 1.2)


def _rate(run: Callable[[], list]) -> float:
    began = time.perf_counter()
    run()
    return COUNT / (time.perf_counter() - began)


def _beside_a_device(decoded: batches.Images, file: Path) -> tuple[float, float]:
    """Images a second that reach a simulated device: read when asked for, and read ahead."""
    many = np.concatenate([decoded.pixels] * TIMES)
    np.save(file, many)
    draw = torch.Generator().manual_seed(0)
    parts = torch.randperm(len(many), generator=draw)[None].split(BATCH, 1)

    def rate(ahead: bool, pause: float = 0) -> float:
        _forget(file)
        pixels = np.load(file, mmap_mode="r")
        source = batches.ImageSource(replace(decoded, pixels=pixels), torch.device("cpu"))
        began = time.perf_counter()
        for _ in batches.read_ahead(source, parts) if ahead else map(source.read, parts):
            time.sleep(pause)
        return len(many) / (time.perf_counter() - began)

    pause = BATCH / max(rate(False) for _ in range(ROUNDS))
    pairs = [[rate(ahead, pause) for ahead in (False, True)] for _ in range(ROUNDS)]
    one_by_one, overlapped = (max(rates) for rates in zip(*pairs, strict=True))
    return one_by_one, overlapped


def _forget(file: Path) -> None:
    """Have the system read a file from its disk again, where it can be asked to."""
    if hasattr(os, "posix_fadvise"):
        with open(file, "rb") as held:
            os.fsync(held.fileno())
            os.posix_fadvise(held.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _published(root: Path) -> image_folders.Listing:
    """Generated JPEG files in the layout of ImageFolder, all in its training half."""
    rng = np.random.default_rng(0)
    part = {}
    for i in range(COUNT):
        coarse = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize(SIZES[i % len(SIZES)], Image.Resampling.BICUBIC)
        name = f"train/{i % 2}/{i}.JPEG"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(root / name)
        part[name] = str(i % 2)
    return image_folders.arranged(root, [part, {}], {"0": "a", "1": "b"})


def _ours(source: batches.ImageSource) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(COUNT, generator=generator)
    moves = batches.draw_moves(COUNT, generator)
    parts = zip(order.split(BATCH), moves.split(BATCH), strict=True)
    return [source(rows[None], moved[None])[0] for rows, moved in parts]


def _loader(folder: Path) -> DataLoader:
    steps = [
        transforms.Resize(imagenet.SHORT),
        transforms.CenterCrop(imagenet.SIDE),
        transforms.RandomCrop(imagenet.SIDE, padding=batches.SHIFT),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(*decode.IMAGENET),
    ]
    found = datasets.ImageFolder(str(folder), transforms.Compose(steps))
    return DataLoader(found, BATCH, shuffle=True)
