"""Which samples a protocol keeps, by its quotas and its rule, of labels, scores and recalls."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import (
    Floats,
    Ints,
    check_density,
    check_labels,
    check_nonnegative,
    check_scores,
    check_whole,
    per_class,
)
from dropkit._common.own_quotas import QUOTAS as OWN
from dropkit._common.ranking import random_keys, top_in_class
from dropkit._common.rounding import positive_budget
from dropkit.pruning.by_losses import first
from dropkit.pruning.protocols import HARDNESS, Protocol, parse
from dropkit.pruning.rules import RULES
from dropkit.quotas import (
    at_least,
    class_counts,
    drop_densities,
    hardness_densities,
    strategy_densities,
    variance_densities,
    weighted_densities,
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
        matter here. Of one that selects during training, the first selection is returned.
    labels : (n,) array_like of int
        Classes 0..K-1, or groups.
    density : float
        Fraction of the samples to keep, in (0, 1]; exactly 1 for "full".
    recalls : (K,) array_like, optional
        Validation recalls of the query model; needed by "+drop", where K also bounds the labels.
        Of a pandas Series, here as in `val_sizes`, the index names the classes.
    scores : (n,) array_like, optional
        Of the protocol's strategy, higher is kept; needed unless only "random" ranks. Of a protocol
        with several, rows in the order of `parse(protocol).strategies`.
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
        For an unknown protocol, missing scores or recalls, a density that rounds to no sample, any
        value out of its range, or a rule that selects other numbers of samples than its quotas.

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
    names = plan.strategies
    rows = _rows(_given(scores, "scores", protocol), names, n) if names else {}
    total, draw = positive_budget(n, density), random_keys(seed)
    groups, counts = np.zeros(n, dtype=np.int64), np.array([total])
    if plan.by_losses:
        return first(plan.quota, labels, total, draw)
    if plan.quota != "global":
        sizes = np.bincount(labels)
        if plan.needs_recalls:
            recalls = per_class(_given(recalls, "recalls", protocol), "recalls")
            if sizes.size > recalls.size:
                raise ValueError(
                    f"label {labels.max()} has no recall: recalls have shape {recalls.shape}, one "
                    f"for each of the labels 0..{recalls.size - 1}"
                )
            sizes = np.bincount(labels, minlength=recalls.size)
        if plan.quota in ("drop", "dynamicdrop"):
            given = _given(recalls, "recalls", protocol)
            densities = drop_densities(sizes, given, density, smoothing, val_sizes, rule=rule)
        elif plan.quota in OWN:
            known = {"recalls": recalls, "val_sizes": val_sizes}
            needed = {
                name: check_nonnegative(_given(known[name], name, protocol), name, sizes.size)
                for name in OWN[plan.quota].needs
            }
            weights = OWN[plan.quota](sizes.astype(float), **needed)
            densities = weighted_densities(sizes.astype(float), weights, density)
        else:
            densities = _densities(plan, labels, rows, density)
        groups = labels
        counts = at_least(class_counts(sizes, densities, total=total), sizes, minimum)
    if not plan.rule:
        keys = draw(n) if plan.ranking == "random" else rows[plan.ranking]
        return top_in_class(keys, groups, counts)
    own = [
        rows[name] for name in (plan.ranking, *(RULES[plan.rule].scores or ())[1:]) if name in rows
    ]
    return RULES[plan.rule](np.array(own[0] if len(own) == 1 else own), groups, counts, draw)


def _rows(scores: ArrayLike, names: tuple[str, ...], n: int) -> dict[str, Floats]:
    """The scores (n,) of each strategy: of more than one, rows in their order."""
    given = [scores] if len(names) == 1 else list(np.asarray(scores))
    if len(given) != len(names):
        raise ValueError(f"scores have {len(given)} rows: they must be {', '.join(names)}")
    return {name: check_scores(row, n) for name, row in zip(names, given, strict=True)}


def _densities(plan: Protocol, labels: Ints, rows: dict[str, Floats], density: float) -> Floats:
    """The class densities of a quota that needs no recalls."""
    sizes = np.bincount(labels)
    if plan.quota == "balance":
        return variance_densities(sizes, np.ones(sizes.size), density)
    if plan.quota in ("proportional", "dynamicproportional"):
        return np.full(sizes.size, float(density))
    if plan.quota.startswith(HARDNESS):
        return hardness_densities(labels, rows[plan.quota.removeprefix(HARDNESS)], density)
    return strategy_densities(labels, rows[plan.quota], density)


def _given(values: ArrayLike | None, name: str, protocol: str) -> ArrayLike:
    if values is None:
        raise ValueError(f"protocol {protocol!r} needs {name}: pass {name}=")
    return values
