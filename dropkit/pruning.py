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

import warnings
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import (
    Floats,
    Ints,
    check_choice,
    check_density,
    check_labels,
    check_scores,
    check_whole,
    per_class,
)
from dropkit._common.labels import in_words
from dropkit._common.ranking import random_keys, top, top_in_class
from dropkit._common.rounding import positive_budget
from dropkit.quotas import (
    at_least,
    class_counts,
    drop_densities,
    strategy_densities,
    variance_densities,
)
from dropkit.scores.registry import RESERVED, names as score_names

SMOOTHED = " (smoothed)"  # ends the label of a protocol whose quotas are smoothed

Below = Literal["raise", "warn", "keep"]


def strategies() -> frozenset[str]:
    """Return the names that S may stand for: "random" and every registered score."""
    return frozenset({"random"}) | score_names()


@dataclass(frozen=True)
class Protocol:
    """What a protocol's name says: how to rank, how to share out, which losses to train with.

    Parameters
    ----------
    ranking : str
        A strategy, or "full".
    quota : str
        "global" (one cut through all classes), "drop", "balance", or the strategy whose global
        cut sets the class counts.
    query_loss, loss : {"ce", "cdbw"}
        Of the query model and of the final model.
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


def parse(protocol: str, *, scored: bool = False) -> Protocol:
    """Return what a protocol's name means.

    Parameters
    ----------
    protocol : str
        A name of the paper's grammar, which the head of this module lists.
    scored : bool
        Whether scores are at hand, and S may be any name.

    Raises
    ------
    ValueError
        For any other name; the sentence lists the valid forms.

    Examples
    --------
    >>> parse("random+el2nq")
    Protocol(ranking='random', quota='el2n', query_loss='ce', loss='ce')
    """
    if not isinstance(protocol, str):
        raise TypeError(f"protocol is {protocol!r}: it must be a name such as 'random+drop'")
    known = strategies()
    query_loss = "cdbw" if protocol.startswith("cdbw+") else "ce"
    loss = "cdbw" if protocol.endswith("+cdbw") else "ce"
    base = protocol.removeprefix("cdbw+").removesuffix("+cdbw")
    first, _, second = base.partition("+")
    induced = second.removesuffix("q")
    if scored:
        known |= {name for name in (first, induced) if name.isidentifier()} - set(RESERVED)
    parsed = None
    if base == "full" or base in known:
        parsed = Protocol(base, "global", query_loss, loss)
    elif first in known and second in ("drop", "balance"):
        parsed = Protocol(first, second, query_loss, loss)
    elif first == "random" and second == f"{induced}q" and induced in known - {"random"}:
        parsed = Protocol("random", induced, query_loss, loss)
    # A query loss without a query model would name one protocol twice.
    if parsed and (query_loss == "ce" or parsed.needs_scores or parsed.needs_recalls):
        return parsed
    raise ValueError(
        f"protocol {protocol!r} is not known: use full, S, S+drop, S+balance or random+Sq, S of "
        f"{', '.join(sorted(known))} (for Sq any but random), followed by +cdbw to train "
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
    protocol : str
        A name that `parse` knows, or with `scores` any in place of S; its training losses do not
        matter here.
    labels : (n,) array_like of int
        Classes 0..K-1, or groups.
    density : float
        Fraction of the samples to keep, in (0, 1]; exactly 1 for "full".
    recalls : (K,) array_like, optional
        Validation recalls of the query model; needed by "+drop", where K also bounds the labels.
        Of a pandas Series, here as in `val_sizes`, the index names the classes.
    scores : (n,) array_like, optional
        Of the protocol's strategy, higher is kept; needed unless only "random" ranks.
    smoothing, val_sizes, rule : float, (K,) array_like, {"densities", "counts"}
        As in `dropkit.quotas.drop_densities`; used by "+drop" only.
    minimum : int
        Fewest samples that a class keeps, or all it has if that is less, as
        `dropkit.quotas.at_least` does; used wherever the protocol sets class counts.
    seed : int
        Of the random ranking. One seed gives the same samples on every machine and NumPy version,
        and plain "random" subsets nest: a lower density keeps a part of a higher one.

    Returns
    -------
    (round(density · n),) ndarray of int64
        Sorted; halves are rounded up, and ties of scores go to the lower index.

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
    plan = parse(protocol, scored=scores is not None)
    check_density(density, zero=False)
    check_whole(minimum, "minimum")
    labels = check_labels(labels)
    if plan.ranking == "full":
        if density != 1:
            raise ValueError(f"density is {density}: protocol {protocol!r} keeps all, so it is 1")
        return np.arange(labels.size)
    n = labels.size
    ranks = check_scores(_given(scores, "scores", protocol), n) if plan.needs_scores else None
    total = positive_budget(n, density)
    keys = random_keys(seed)(n) if ranks is None or plan.ranking == "random" else ranks
    if plan.quota == "global":
        return np.sort(top(keys, total))
    sizes = np.bincount(labels)
    if plan.quota == "drop":
        recalls = per_class(_given(recalls, "recalls", protocol), "recalls")
        if sizes.size > recalls.size:
            raise ValueError(
                f"label {labels.max()} has no recall: recalls have shape {recalls.shape}, one for "
                f"each of the labels 0..{recalls.size - 1}"
            )
        sizes = np.bincount(labels, minlength=recalls.size)
        densities = drop_densities(sizes, recalls, density, smoothing, val_sizes, rule=rule)
    elif plan.quota == "balance":
        densities = variance_densities(sizes, np.ones(sizes.size), density)
    else:
        densities = strategy_densities(labels, _given(scores, "scores", protocol), density)
    counts = class_counts(sizes, densities, total=total)
    return top_in_class(keys, labels, at_least(counts, sizes, minimum))


def _given(values: ArrayLike | None, name: str, protocol: str) -> ArrayLike:
    if values is None:
        raise ValueError(f"protocol {protocol!r} needs {name}: pass {name}=")
    return values


class ClassTable(NamedTuple):
    """What DRoP keeps of each class: (K,) arrays with one entry a class.

    `sizes` and `counts` are samples before pruning and after, `densities` the fractions before
    they are rounded to whole samples; `recalls` are NaN where nothing was validated.
    """

    classes: np.ndarray
    sizes: Ints
    recalls: Floats
    densities: Floats
    counts: Ints


def class_table(
    classes: ArrayLike,
    sizes: ArrayLike,
    recalls: ArrayLike,
    density: float,
    *,
    smoothing: float = 1.0,
    val_sizes: ArrayLike | None = None,
    minimum: int = 1,
    below: Below = "warn",
) -> ClassTable:
    """Return what DRoP keeps of each class (Algorithm 1, smoothed), with classes named in errors.

    Parameters
    ----------
    classes : (K,) array_like
        Names.
    sizes, recalls, density, smoothing, val_sizes : (K,) array_like, and float
        As in `dropkit.quotas.drop_densities`; a class without validation samples is warned of.
    minimum : int
        Fewest samples that a class should keep; smaller classes should keep all they have.
    below : {"warn", "raise", "keep"}
        What to do with a class under the minimum; "keep" holds the minimum, which the other
        classes give up in proportion to what they have above it.

    Raises
    ------
    ValueError
        For values out of range, a density above 0 that rounds to no sample, a class without
        validation samples if smoothing is 0, a class under the minimum if `below` is "raise", or
        a minimum that the density cannot pay for.
    """
    check_choice(below, "below", ("warn", "raise", "keep"))
    check_whole(minimum, "minimum")
    classes, sizes = np.asarray(classes), np.asarray(sizes)
    if val_sizes is not None and (unseen := np.asarray(val_sizes) == 0).any():
        message = f"the validation data have no samples of {in_words(classes[unseen])}"
        if smoothing == 0:
            raise ValueError(f"{message}: use smoothing above 0, which takes its recall for 1/2")
        warnings.warn(f"{message}: its recall is taken for 1/2", stacklevel=2)
    densities = drop_densities(sizes, recalls, density, smoothing, val_sizes)
    counts = class_counts(sizes, densities, total=positive_budget(int(sizes.sum()), density))
    counts = held(classes, sizes, counts, density, minimum, below)
    return ClassTable(classes, sizes, np.asarray(recalls, dtype=float), densities, counts)


def held(
    classes: np.ndarray, sizes: Ints, counts: Ints, density: float, minimum: int, below: Below
) -> Ints:
    """Return class counts held to the minimum, or as they are, with a warning or an error.

    Parameters
    ----------
    classes, sizes, counts : (K,) ndarray
        Names, samples before pruning and after.
    density : float
        For the sentence.
    minimum, below : int, {"warn", "raise", "keep"}
        As in `class_table`.
    """
    if below == "keep":
        return at_least(counts, sizes, minimum)
    if (few := counts < np.minimum(minimum, sizes)).any():
        message = (
            f"{in_words(classes[few])} would keep fewer than the minimum of {minimum} at density "
            f"{density:g}: raise the density, lower the minimum, or choose 'keep' for below"
        )
        if below == "raise":
            raise ValueError(message)
        warnings.warn(message, stacklevel=3)
    return counts
