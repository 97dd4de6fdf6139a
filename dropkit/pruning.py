"""Which samples to keep: a protocol's name, parsed, and applied to labels, scores and recalls.

The names are the paper's. With S a strategy:

    full         keep everything
    S            keep the highest scores of the whole data set
    S+drop       class counts by DRoP, the highest scores inside each class
    S+balance    equal class counts as far as the classes reach, the highest scores inside each
    random+Sq    class counts that S's global cut induces, random inside each class
    P+cdbw       P, and the final model trains with the CDB-W loss
    cdbw+P       P, from a query model trained with the CDB-W loss
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import (
    Floats,
    Ints,
    check_density,
    check_labels,
    check_minimum,
    check_scores,
    per_class,
)
from dropkit.quotas import (
    at_least,
    class_counts,
    drop_densities,
    positive_budget,
    strategy_densities,
    top,
    variance_densities,
)
from dropkit.scores.registry import names as score_names

SMOOTHED = " (smoothed)"  # ends the label of a protocol whose quotas are smoothed


def strategies() -> frozenset[str]:
    """Names that S may stand for: "random" and every registered score."""
    return frozenset({"random"}) | score_names()


@dataclass(frozen=True)
class Protocol:
    """What a protocol's name says: how to rank, how to share out, which losses to train with.

    `ranking` is a strategy, or "full"; `quota` is "global" (one cut through all classes), "drop",
    "balance", or the strategy whose global cut sets the class counts; `query_loss` and `loss` are
    "ce" or "cdbw", for the query model and for the final model.
    """

    ranking: str
    quota: str = "global"
    query_loss: str = "ce"
    loss: str = "ce"

    @property
    def strategy(self) -> str | None:
        """The strategy whose scores the protocol needs, or None."""
        name = self.ranking if self.quota in ("global", "drop", "balance") else self.quota
        return None if name in ("full", "random") else name

    @property
    def needs_scores(self) -> bool:
        """Whether `prune` needs scores."""
        return self.strategy is not None

    @property
    def needs_recalls(self) -> bool:
        """Whether `prune` needs validation recalls."""
        return self.quota == "drop"


def parse(protocol: str) -> Protocol:
    """Return what a protocol's name means; ValueError lists the valid forms for any other name.

    Examples
    --------
    >>> parse("random+el2nq")
    Protocol(ranking='random', quota='el2n', query_loss='ce', loss='ce')
    """
    if not isinstance(protocol, str):
        raise TypeError(f"protocol is {protocol!r}: it must be a name such as 'random+drop'")
    query_loss = "cdbw" if protocol.startswith("cdbw+") else "ce"
    loss = "cdbw" if protocol.endswith("+cdbw") else "ce"
    base = protocol.removeprefix("cdbw+").removesuffix("+cdbw")
    first, _, second = base.partition("+")
    induced = second.removesuffix("q")
    parsed = None
    if base == "full" or base in strategies():
        parsed = Protocol(base, "global", query_loss, loss)
    elif first in strategies() and second in ("drop", "balance"):
        parsed = Protocol(first, second, query_loss, loss)
    elif first == "random" and second == f"{induced}q" and induced in strategies() - {"random"}:
        parsed = Protocol("random", induced, query_loss, loss)
    # A query loss without a query model would name one protocol twice.
    if parsed and (query_loss == "ce" or parsed.needs_scores or parsed.needs_recalls):
        return parsed
    raise ValueError(
        f"protocol {protocol!r} is not known: use full, S, S+drop, S+balance or random+Sq, S of "
        f"{', '.join(sorted(strategies()))} (for Sq any but random), followed by +cdbw to train "
        "with that loss, or after cdbw+ to score with a query model trained by it"
    )


def prune(
    protocol: str,
    labels: ArrayLike,
    density: float,
    *,
    recalls: ArrayLike | None = None,
    scores: ArrayLike | None = None,
    smoothing: float = 0.0,
    val_sizes: ArrayLike | None = None,
    rule: Literal["densities", "counts"] = "densities",
    minimum: int = 0,
    seed: int = 0,
) -> Ints:
    """Return the indices of the samples that a protocol keeps at a density.

    Parameters
    ----------
    protocol : a name that `parse` knows; its training losses do not matter here.
    labels : (n,) integers 0..K-1, classes or groups alike.
    density : fraction of the samples to keep, in (0, 1]; exactly 1 for `full`.
    recalls : (K,) validation recalls of the query model; needed by `+drop`, where K also bounds
        the labels. Of a pandas Series, here as in `val_sizes`, the index names the classes.
    scores : (n,) of the protocol's strategy, higher is kept; needed unless only `random` ranks.
    smoothing, val_sizes, rule : see `drop_densities`; used by `+drop` only.
    minimum : fewest samples that a class keeps, or all it has if that is less (`at_least`); used
        wherever the protocol sets class counts.
    seed : of the random ranking. One seed gives the same samples on every machine and NumPy
        version, and plain `random` subsets nest: a lower density keeps a part of a higher one.

    Returns
    -------
    (round(density · n),) sorted int64, halves rounded up; ties of scores go to the lower index.

    Raises
    ------
    ValueError, TypeError
        For an unknown protocol, missing scores or recalls, a density that rounds to no sample, or
        any value out of its range.

    Examples
    --------
    >>> prune("el2n", [0, 0, 1, 1], 0.5, scores=[0.1, 0.9, 0.3, 0.2])
    array([1, 2])
    """
    plan = parse(protocol)
    check_density(density, zero=False)
    check_minimum(minimum)
    labels = check_labels(labels)
    if plan.ranking == "full":
        if density != 1:
            raise ValueError(f"density is {density}: protocol {protocol!r} keeps all, so it is 1")
        return np.arange(labels.size)
    if plan.needs_scores:
        scores = check_scores(_given(scores, "scores", protocol), labels.size)
    total = positive_budget(labels.size, density)
    keys = random_keys(seed)(labels.size) if plan.ranking == "random" else scores
    if plan.quota == "global":
        return np.sort(top(keys, total))
    if plan.quota == "drop":
        recalls = per_class(_given(recalls, "recalls", protocol), "recalls")
        if labels.max() >= recalls.size:
            raise ValueError(
                f"label {labels.max()} has no recall: recalls have shape {recalls.shape}, one for "
                f"each of the labels 0..{recalls.size - 1}"
            )
        sizes = np.bincount(labels, minlength=recalls.size)
        densities = drop_densities(sizes, recalls, density, smoothing, val_sizes, rule=rule)
    elif plan.quota == "balance":
        sizes = np.bincount(labels)
        densities = variance_densities(sizes, np.ones(sizes.size), density)
    else:
        sizes = np.bincount(labels)
        densities = strategy_densities(labels, scores, density)
    counts = class_counts(sizes, densities, total=total)
    counts = at_least(counts, sizes, minimum)
    return np.sort(top_in_class(keys, labels, counts))


def top_in_class(keys: Floats, labels: Ints, counts: Ints) -> Ints:
    """Return the indices of the counts[k] highest keys of each class k."""
    order = np.lexsort((-keys, labels))
    ordered = labels[order]
    sizes = np.bincount(labels, minlength=counts.size)
    rank = np.arange(labels.size) - (np.cumsum(sizes) - sizes)[ordered]
    return order[rank < counts[ordered]]


def random_keys(seed: int) -> Callable[[int], Floats]:
    """Return a function that draws the next n uniform numbers in [0, 1), the same for ever.

    NumPy guarantees the raw stream of a seeded PCG64, but not what Generator's methods make of it.
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed is {seed!r}: it must be an integer and not negative")
    stream = np.random.PCG64(int(seed))
    return lambda n: (stream.random_raw(n) >> np.uint64(11)) * 2.0**-53


def _given(values: ArrayLike | None, name: str, protocol: str) -> ArrayLike:
    if values is None:
        raise ValueError(f"protocol {protocol!r} needs {name}: pass {name}=")
    return values
