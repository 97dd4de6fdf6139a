"""DRoP for data sets of Hugging Face's `datasets`, in memory or streamed; it is not imported."""

from typing import Any

import numpy as np

from dropkit._common.checks import check_whole
from dropkit.sampler.keeping import ByClass, keep, quotas_of

GOLDEN = 0x9E3779B97F4A7C15


def pruned(
    dataset: Any, density: float, recalls: ByClass, *, label: str = "label", **options: Any
) -> Any:
    """Return the rows of a data set that DRoP keeps.

    Parameters
    ----------
    dataset : datasets.Dataset
        With a column of labels.
    density, recalls : float, and (K,) array_like, dict or Series
        As in `dropkit.keep`.
    label : str
        The column of the labels.
    **options : Any
        Others of `dropkit.keep`.

    Returns
    -------
    datasets.Dataset
        Of the same columns, its rows in their order.

    Raises
    ------
    ValueError
        If there is no such column, or as `dropkit.keep`.
    """
    _check_label(dataset, label)
    return dataset.select(keep(dataset[label], density, recalls, **options).indices)


def thinned(
    stream: Any,
    class_sizes: dict[Any, int],
    density: float,
    recalls: ByClass,
    *,
    label: str = "label",
    val_sizes: ByClass | None = None,
    smoothing: float | str = 10.0,
    seed: int = 0,
) -> Any:
    """Return a stream that lets each row pass with the chance that DRoP gives to its class.

    What is kept of a class is as many as `pruned` keeps on average, and the same in each pass.

    Parameters
    ----------
    stream : datasets.IterableDataset
        With a column of labels.
    class_sizes : dict
        How many rows the stream has of each label, at least in proportion.
    density, recalls, val_sizes, smoothing : as in `dropkit.keep`
        The recalls of an array are in the order of the sorted labels.
    label : str
        The column of the labels.
    seed : int
        Another seed keeps other rows.

    Returns
    -------
    datasets.IterableDataset
        Of the same columns.

    Raises
    ------
    ValueError
        If there is no such column, as `dropkit.keep`, or, while it is read, for a label without a
        size.
    """
    _check_label(stream, label)
    check_whole(seed, "seed")
    names = sorted(class_sizes)
    sizes = [class_sizes[name] for name in names]
    for name, size in class_sizes.items():
        check_whole(size, f"the size of {name!r}", 1)
    table = quotas_of(
        np.array(names),
        np.array(sizes),
        density,
        recalls,
        val_sizes,
        smoothing=smoothing,
        minimum=0,
        below="keep",
    )
    chances = dict(zip(names, table.densities.tolist(), strict=True))

    def passes(row: dict[str, Any], place: int) -> bool:
        if row[label] not in chances:
            raise ValueError(f"row {place} has the label {row[label]!r}, which has no class size")
        return _chance(seed, place) < chances[row[label]]

    return stream.filter(passes, with_indices=True)


def _check_label(dataset: Any, label: str) -> None:
    names = getattr(dataset, "column_names", None)  # None of a stream that does not know them
    if names is not None and label not in names:
        raise ValueError(f"label is {label!r}: it must be a column, one of {', '.join(names)}")


def _chance(seed: int, place: int) -> float:
    """A uniform number in [0, 1) of a row, by SplitMix64 (Steele, Lea and Flood, 2014)."""
    state = (mixed(seed) + place * GOLDEN) % 2**64
    return (mixed(state) >> 11) * 2.0**-53


def mixed(state: int) -> int:
    """Return the number of 64 bits that SplitMix64 makes of its state."""
    state = (state + GOLDEN) % 2**64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31
