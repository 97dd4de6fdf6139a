"""DRoP on more labels than fit into memory: the same result as `dropkit.pruning.prune`, in chunks.

Labels come as a column: anything with a length that gives a part of itself as ``column[a:b]``.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dropkit._common.checks import Floats, Ints
from dropkit._common.labels import check_complete
from dropkit._common.ranking import random_keys, top_in_class

CHUNK = 1 << 20  # labels in memory at a time
Encoder = Callable[[np.ndarray], Ints]


class Column(Protocol):
    """What the functions below read labels from; NumPy arrays are columns."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> np.ndarray: ...


def spans(length: int) -> Iterator[slice]:
    """Yield the parts of a column in order."""
    return (slice(start, min(start + CHUNK, length)) for start in range(0, length, CHUNK))


def classes_of(labels: Column) -> tuple[np.ndarray, Ints]:
    """Return the sorted classes and how many labels each has.

    Raises ValueError if a label is missing or a fraction.
    """
    classes, sizes = labels[0:0], np.zeros(0, dtype=np.int64)
    for part in spans(len(labels)):
        chunk = labels[part]
        check_complete(chunk, first=part.start)
        names, counts = np.unique(chunk, return_counts=True)
        classes, place = np.unique(np.concatenate([classes, names]), return_inverse=True)
        sizes = np.bincount(place, np.concatenate([sizes, counts])).astype(np.int64)
    if classes.dtype.kind != "f":
        return classes, sizes
    if (classes % 1).any():
        raise ValueError(
            f"{classes[classes % 1 != 0][0]} is among the labels: expected whole numbers or text"
        )
    return classes.astype(np.int64), sizes


def encoder(classes: np.ndarray, name: str = "labels") -> Encoder:
    """Return the function from labels to class indices; it raises ValueError for other labels."""
    whole = classes.dtype.kind in "iu" and classes[-1] - classes[0] == classes.size - 1

    def encode(chunk: np.ndarray) -> Ints:
        if whole and chunk.dtype.kind in "iu":  # 20 times faster than a search
            codes = chunk.astype(np.int64) - int(classes[0])
            known = (codes >= 0) & (codes < classes.size)
        else:
            codes = np.searchsorted(classes, chunk).clip(max=classes.size - 1)
            known = classes[codes] == chunk
        if not known.all():
            raise ValueError(f"{name} hold {chunk[~known][0]!s}, which is no class of the data")
        return codes

    return encode


def check_paired(labels: Column, others: Column, name: str) -> None:
    """Raise ValueError unless there is one of the others, such as predictions, a label."""
    if len(labels) != len(others):
        raise ValueError(
            f"there are {len(labels)} labels and {len(others)} {name}: "
            f"expected one {name.removesuffix('s')} a label, in the same order"
        )


def recalls_of(
    labels: Column, predictions: Column, strata: Column, encode: Encoder, num_strata: int
) -> tuple[Floats, Ints]:
    """Return the recall in each stratum, a class or group, NaN for an empty one, and its size."""
    check_paired(labels, predictions, "predictions")
    check_paired(labels, strata, "groups")
    hits, sizes = np.zeros((2, num_strata), dtype=np.int64)
    for part in spans(len(labels)):
        truth, guess = labels[part], predictions[part]
        if (truth.dtype.kind in "USO") != (guess.dtype.kind in "USO"):
            raise ValueError(
                f"labels are {_kind(truth)} but predictions are {_kind(guess)}: "
                "expected numbers for both or text for both"
            )
        codes = encode(truth if strata is labels else strata[part])
        sizes += np.bincount(codes, minlength=num_strata)
        hits += np.bincount(codes[truth == guess], minlength=num_strata)
    return np.divide(hits, sizes, out=np.full(num_strata, np.nan), where=sizes > 0), sizes


def _kind(values: np.ndarray) -> str:
    """In words, with what makes text of a column of numbers, such as "n/a", where there is one."""
    if values.dtype.kind not in "USO":
        return f"numbers such as {values[0]}"
    return f"text such as {next((v for v in values.tolist() if not _number(v)), values[0])!r}"


def _number(text: object) -> bool:
    return str(text).strip().replace(".", "", 1).lstrip("+-").isdecimal()


def kept_at_random(
    labels: Column, encode: Encoder, sizes: Ints, counts: Ints, seed: int
) -> Iterator[Ints]:
    """Yield the indices that ``random+drop`` keeps for these class counts, chunk by chunk.

    The samples with the highest random keys of their class stay. The key at which a class is cut
    is known beforehand up to its sampling error, so one pass settles all samples but those near
    the cut, which it collects and sorts; a second pass yields. Memory grows with the square root
    of samples times classes.
    """
    share = counts / np.maximum(sizes, 1)
    # 8 standard deviations of a quantile: missed once in 1e15 classes, and then made wider.
    spread = (8 * np.sqrt(share * (1 - share) * sizes) + 20) / np.maximum(sizes, 1)
    chosen = None
    while chosen is None:
        low, high = 1 - share - spread, 1 - share + spread
        # A class that keeps all or nothing has no cut to search for.
        high = np.where(counts == sizes, -1.0, np.where(counts == 0, 2.0, high))
        low = np.where((counts == sizes) | (counts == 0), high, low)
        chosen = _near_the_cut(labels, encode, low, high, counts, seed)
        spread = spread * 4
    for part, keys, codes in _keyed(labels, encode, seed):
        stay = keys > high[codes]
        first, last = np.searchsorted(chosen, [part.start, part.stop])
        stay[chosen[first:last] - part.start] = True
        yield part.start + np.flatnonzero(stay)


def _near_the_cut(
    labels: Column, encode: Encoder, low: Floats, high: Floats, counts: Ints, seed: int
) -> Ints | None:
    """Return the samples to keep with keys in (low, high] of their class, or None: look wider."""
    above = np.zeros_like(counts)
    near: list[tuple[NDArray, ...]] = []
    for part, keys, codes in _keyed(labels, encode, seed):
        above += np.bincount(codes[keys > high[codes]], minlength=counts.size)
        at = np.flatnonzero((keys > low[codes]) & (keys <= high[codes]))
        near.append((part.start + at, keys[at], codes[at]))
    indices, keys, codes = (np.concatenate(parts) for parts in zip(*near, strict=True))
    wanted = counts - above
    if (wanted < 0).any() or (wanted > np.bincount(codes, minlength=counts.size)).any():
        return None
    return indices[top_in_class(keys, codes, wanted)]


def _keyed(labels: Column, encode: Encoder, seed: int) -> Iterator[tuple[slice, Floats, Ints]]:
    """Yield the parts of the column with their random keys and class indices."""
    draw = random_keys(seed)
    for part in spans(len(labels)):
        yield part, draw(part.stop - part.start), encode(labels[part])
