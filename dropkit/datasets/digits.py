"""scikit-learn's digits, as poor sensors see them and on crops of two photographs.

On photographs they are a small set whose background gives the label away, and stand in for
Waterbirds: classes are digits below 5 and from 5 on, and in training nearly every digit lies on its
class's photograph, so that the background alone is a good guess.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from dropkit.datasets.data import Data, Loader

PHOTOGRAPHS = {"temple": "china.jpg", "flower": "flower.jpg"}  # bundled with scikit-learn
CROPS = 4  # a photograph and digit, for seeds to choose among
VARIANTS = len(PHOTOGRAPHS) * CROPS
SIDE = 8  # pixels of a digit and, each averaged over BLOCK x BLOCK, of a crop
BLOCK = 8
MINORITY = (5, 50, 50)  # per cent of each class in training, validation and test, as in Waterbirds

_GROUPS_STREAM, _CROPS_STREAM = 3, 4  # apart from those of splits, noise and long tails


@lru_cache
def _digit_images() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / 16.0, bunch.target.astype(np.int64)


def _stratified_split(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Half for training, a quarter each for validation and test, every class in proportion."""
    # Raw bits are the same on every machine; the key keeps them apart from pruning's.
    stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(0,)))
    order = np.argsort(stream.random_raw(len(labels)), kind="stable")
    splits = []
    for k in range(labels.max() + 1):
        members = order[labels[order] == k]
        half, quarter = len(members) // 2, len(members) // 4
        splits.append(np.split(members, [half, half + quarter]))
    return [np.sort(np.concatenate(part)) for part in zip(*splits, strict=True)]


def seen(view: Callable[[np.ndarray], np.ndarray]) -> Loader:
    """Return the loader of the digits as a sensor sees them: (n, 8, 8) images to (n, ...) views."""

    @lru_cache
    def pool() -> tuple[np.ndarray, np.ndarray]:
        images, labels = _digit_images()
        views = view(images)
        # One shift and scale for the whole set: nothing is fitted to a split.
        return 2 * views.reshape(len(views), 1, *views.shape[1:]) - 1, labels

    def loader(seed: int, root: str | None) -> Data:
        x, y = pool()
        return Data(x, y, *_stratified_split(y, seed), classes=tuple("0123456789"))

    return loader


@lru_cache
def _photo_pool() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, labels and groups."""
    images, digits = _digit_images()
    y = np.repeat((digits >= 5).astype(np.int64), VARIANTS)
    photos = np.repeat(np.arange(len(PHOTOGRAPHS)), CROPS)
    return paint(images), y, 2 * y + np.tile(photos, len(digits))


def on_photos(seed: int, root: str | None) -> Data:
    """Load ``digits-on-photos``."""
    digits = _digit_images()[1]
    x, y, groups = _photo_pool()
    splits = draw(digits >= 5, _stratified_split(digits, seed), seed)
    classes = ("0–4", "5–9")
    names = tuple(f"{k} on {photo}" for k in classes for photo in PHOTOGRAPHS)
    return Data(x, y, *splits, classes, groups, names)


@lru_cache
def photographs() -> list[np.ndarray]:
    """The photographs as (height, width, 3) uint8 arrays."""
    from sklearn.datasets import load_sample_image

    return [load_sample_image(file) for file in PHOTOGRAPHS.values()]


def paint(digits: np.ndarray) -> np.ndarray:
    """Paint each digit (n, 8, 8) on ``CROPS`` crops of every photograph, one third of it ink.

    Sample ``(i * 2 + p) * CROPS + c`` of shape (3, 8, 8), in [-1, 1], is digit i on crop c of
    photograph p. No two samples share a draw of their crop, and every call gives the same samples:
    seeds choose among them.
    """
    stream = np.random.PCG64(np.random.SeedSequence(0, spawn_key=(_CROPS_STREAM,)))
    crops = [_crops(photo, len(digits) * CROPS, stream) for photo in photographs()]
    behind = np.stack([each.reshape(len(digits), CROPS, *each.shape[1:]) for each in crops], 1)
    mixed = (digits[:, None, None, None] + 2 * behind) / 3
    return 2 * mixed.reshape(-1, *mixed.shape[3:]) - 1


def _crops(photo: np.ndarray, count: int, stream: np.random.PCG64) -> np.ndarray:
    """Crops at random places, averaged to (count, 3, SIDE, SIDE) in [0, 1]."""
    # Sums of all pixels above and to the left, in integers: exact on every machine.
    sums = np.pad(photo.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    corners = []
    for length in photo.shape[:2]:
        places = np.uint64(length - SIDE * BLOCK + 1)
        start = (stream.random_raw(count) % places).astype(np.int64)
        corners.append(start[:, None] + BLOCK * np.arange(SIDE + 1))
    rows, columns = corners
    blocks = np.diff(np.diff(sums[rows[:, :, None], columns[:, None]], axis=1), axis=2)
    return np.moveaxis(blocks, -1, 1) / (255 * BLOCK**2)


def draw(labels: np.ndarray, splits: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Choose a photograph and a crop for every digit; return splits of ``paint``'s samples.

    Class k of the labels, 0 or 1, lies on photograph k, but for a minority that each seed draws
    anew: 5 % of each class in training, half of it in validation and test, rounded, halves down
    (shares as in Sagawa et al., 2020, Appendix C.1).
    """
    stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(_GROUPS_STREAM,)))
    chosen = []
    for digits, percent in zip(splits, MINORITY, strict=True):
        photo = labels[digits].astype(np.int64)
        order = np.argsort(stream.random_raw(len(digits)), kind="stable")
        for k in range(len(PHOTOGRAPHS)):
            members = order[labels[digits[order]] == k]
            few = members[: (percent * len(members) + 49) // 100]
            photo[few] = 1 - k
        crop = (stream.random_raw(len(digits)) % np.uint64(CROPS)).astype(np.int64)
        chosen.append(np.sort((digits * len(PHOTOGRAPHS) + photo) * CROPS + crop))
    return chosen
