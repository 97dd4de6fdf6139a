"""Digits on crops of two photographs: a small set whose background gives the label away.

It stands in for Waterbirds: classes are digits below 5 and from 5 on, and in training nearly every
digit lies on its class's photograph, so that the background alone is a good guess.
"""

from functools import lru_cache

import numpy as np

PHOTOGRAPHS = {"temple": "china.jpg", "flower": "flower.jpg"}  # bundled with scikit-learn
CROPS = 4  # a photograph and digit, for seeds to choose among
VARIANTS = len(PHOTOGRAPHS) * CROPS
SIDE = 8  # pixels of a digit and, each averaged over BLOCK x BLOCK, of a crop
BLOCK = 8
MINORITY = (5, 50, 50)  # per cent of each class in training, validation and test, as in Waterbirds

_GROUPS_STREAM, _CROPS_STREAM = 3, 4  # apart from those of splits, noise and long tails


@lru_cache
def photographs() -> list[np.ndarray]:
    """The photographs as (height, width, 3) uint8 arrays."""
    from sklearn.datasets import load_sample_image

    return [load_sample_image(file) for file in PHOTOGRAPHS.values()]


def paint(digits: np.ndarray) -> np.ndarray:
    """Paint each digit on ``CROPS`` crops of every photograph, one third ink, two thirds crop.

    Parameters
    ----------
    digits : (n, 8, 8) array in [0, 1]

    Returns
    -------
    (n * VARIANTS, 3, 8, 8) float64 array in [-1, 1]; sample ``(i * 2 + p) * CROPS + c`` is digit i
    on crop c of photograph p. No two samples share a draw of their crop, and every call gives the
    same samples: seeds choose among them.
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
    """Choose a photograph and a crop for every digit of a split.

    Class k lies on photograph k, but for a minority that each seed draws anew: 5 % of each class
    in training, half of it in validation and test, rounded, halves down (shares as in Sagawa
    et al., 2020, Appendix C.1).

    Parameters
    ----------
    labels : (n,) ints in {0, 1}
    splits : train, val and test indices of digits
    seed : int

    Returns
    -------
    The splits as sorted indices into ``paint``'s samples.
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
