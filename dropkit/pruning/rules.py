"""Rules of selection: which samples of a class stay, where that is not "the highest scores"."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import entr

from dropkit._common.checks import Floats, Ints, check_each, outside
from dropkit._common.errors import needed_by
from dropkit._common.fingerprint import pinned
from dropkit._common.own_quotas import check_version
from dropkit._common.ranking import top_in_class
from dropkit.scores.registry import RESERVED, names as score_names

Draw = Callable[[int], Floats]
Function = Callable[[Floats, Ints, Ints, Draw], Ints]


@dataclass(frozen=True)
class Rule:
    """A rule as protocols use it.

    Parameters
    ----------
    name : str
        In protocols.
    function : callable
        As `register` takes it.
    scores : tuple of str, or None
        Strategies whose scores it is given; "name:S" puts S in the place of the first. None where
        S must be named, () where the rule takes no scores.
    version : callable
        Returns what tells apart functions that were registered under one name; "" for those of
        this package.
    """

    name: str
    function: Function
    scores: tuple[str, ...] | None = None
    version: Callable[[], str] = lambda: ""

    def __call__(self, scores: Floats, labels: Ints, counts: Ints, draw: Draw) -> Ints:
        """Return the sorted indices that the rule selects; ValueError unless they fit the counts.

        Parameters
        ----------
        scores, labels, counts, draw : (n,) or (m, n) array, (n,) array, (K,) array, callable
            As in `register`.
        """
        chosen = np.asarray(self.function(scores, labels, counts, draw))
        said = f"the rule {self.name!r} returned"
        if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
            raise ValueError(f"{said} {chosen.dtype} of shape {chosen.shape}: it must be indices")
        if (wrong := outside(chosen, labels.size)) is not None:
            raise ValueError(f"{said} index {wrong}: it must be one of 0..{labels.size - 1}")
        chosen, times = np.unique(chosen.astype(np.int64), return_counts=True)
        if (times > 1).any():
            raise ValueError(f"{said} sample {chosen[times > 1][0]} more than once")
        found = np.bincount(labels[chosen], minlength=counts.size)
        if (wrong_class := np.flatnonzero(found != counts)).size:
            k = int(wrong_class[0])
            of_class = f" of class {k}" * (counts.size > 1)
            raise ValueError(f"{said} {found[k]} samples{of_class}: it must be {counts[k]}")
        return chosen


RULES: dict[str, Rule] = {}
_SHIPPED = ("ccs", "stratified", "moderate", "median", "easy", "beta", "mixture")


def register(
    name: str, *, scores: tuple[str, ...] | None = None, version: str | None = None
) -> Callable[[Function], Function]:
    """Let protocols use the decorated function as a rule of selection named `name`.

    It is called with the scores, (n,) or one row for each of several `scores`, the labels (n,) of
    the samples, how many of each label to keep, (K,), and a function that draws so many uniform
    random numbers of the trial's own stream; it returns the indices that stay. Without quotas all
    labels are 0, and the counts one number, so that a rule for classes is one for a whole data set.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and underscores.
    scores : tuple of str, optional
        Strategies whose scores it is given unless a protocol says "name:S"; () for none.
    version : str, optional
        Tells trials of one function from another's; default: a digest of its source and values.

    Returns
    -------
    callable
        A decorator, which returns the function as it is.

    Raises
    ------
    ValueError
        If the name is taken or not lower-case letters, digits and underscores, or if a score is not
        known.

    Examples
    --------
    >>> @register("newest", scores=())
    ... def newest(scores, labels, counts, draw):
    ...     return np.concatenate(
    ...         [np.flatnonzero(labels == k)[::-1][:count] for k, count in enumerate(counts)]
    ...     )
    >>> from dropkit import prune
    >>> prune("newest+balance", [0, 0, 1, 1], density=0.5)
    array([1, 3])
    """
    taken = name in {*RESERVED, *score_names()} and not (name in _SHIPPED and name not in RULES)
    if taken or not (isinstance(name, str) and name.isidentifier() and name == name.lower()):
        raise ValueError(
            f"the rule name {name!r} cannot be used: it must be lower-case letters, digits and "
            f"underscores, and none of {', '.join((*RESERVED, *sorted(score_names())))}"
        )
    if scores is not None and not (isinstance(scores, tuple) and set(scores) <= score_names()):
        raise ValueError(
            f"scores is {scores!r}: it must be a tuple of names among "
            f"{', '.join(sorted(score_names()))}"
        )

    check_version(version)

    def add(function: Function) -> Function:
        named = pinned(function, f"the rule {name!r}", "" if name in _SHIPPED else version)
        RULES[name] = Rule(name, function, scores, named)
        return function

    return add


def ccs(
    scores: Floats,
    labels: Ints,
    counts: Ints,
    draw: Draw,
    *,
    hard_cut: float | None = None,
    strata: int = 50,
) -> Ints:
    """Return what coverage-centric selection keeps of each class (Zheng et al., 2023).

    The hardest share is cut off; what is left is divided into strata of equal width in score, which
    get equal numbers as far as they reach, the smallest first; random inside a stratum.

    Parameters
    ----------
    scores, labels, counts, draw : (n,) array, (n,) array, (K,) array, callable
        As in `register`; the highest scores are the hardest.
    hard_cut : float, optional
        Share of a class that is cut off, rounded down. The authors tune it for each density; by
        default it is a third of the share that goes, which is their .3 at density .1.
    strata : int
        How many; no more than samples that are kept, for the last would get them all.

    Raises
    ------
    ValueError
        If the cut leaves fewer samples than are to be kept, or a score is infinite.
    """
    check_each(np.isfinite(scores), scores, "scores", "be finite to be divided into strata")
    keys, chosen = draw(labels.size), []
    for k, count in enumerate(counts):
        members = np.flatnonzero(labels == k)
        share = (1 - count / max(members.size, 1)) / 3 if hard_cut is None else hard_cut
        cut = math.floor(share * members.size + 1e-9)
        if members.size - cut < count:
            raise ValueError(
                f"a hard cut of {share:g} leaves {members.size - cut} of {members.size} samples, "
                f"but {count} are to be kept: lower the cut or the density"
            )
        members = members[np.argsort(-scores[members], kind="stable")[cut:]]
        if members.size:
            own = scores[members]
            parts = min(strata, max(int(count), 1))
            width = np.ptp(own) / parts or 1.0
            # From the hardest: a stratum has its lower end in ease, the last both its ends.
            number = np.minimum(np.floor((own.max() - own) / width), parts - 1).astype(np.int64)
            filled = _water_filled(np.bincount(number, minlength=parts), int(count))
            chosen.append(members[top_in_class(keys[members], number, filled)])
    return np.concatenate(chosen)


def _water_filled(sizes: Ints, total: int) -> Ints:
    """Equal whole shares of the total, the smallest stratum first; the remainder to the largest."""
    shares = np.zeros_like(sizes)
    for place, stratum in enumerate(order := np.argsort(sizes, kind="stable")):
        shares[stratum] = min(sizes[stratum], total // (len(order) - place))
        total -= int(shares[stratum])
    return shares


def moderate(scores: Floats, labels: Ints, counts: Ints, draw: Draw) -> Ints:
    """Return the middle ranks of each class, neither easy nor hard (Xia et al., 2023).

    Parameters
    ----------
    scores, labels, counts, draw : (n,) array, (n,) array, (K,) array, callable
        As in `register`; the paper's scores are distances to the class centre.
    """
    order = np.lexsort((scores, labels))
    sizes = np.bincount(labels, minlength=counts.size)
    starts = np.cumsum(sizes) - sizes + (sizes - counts) // 2
    kept = [order[start : start + count] for start, count in zip(starts, counts, strict=True)]
    return np.concatenate(kept)


def beta(
    scores: Floats,
    labels: Ints,
    counts: Ints,
    draw: Draw,
    *,
    exponent: float = 5.5,
    concentration: float = 15.0,
) -> Ints:
    """Return a weighted draw from each class, easier samples at lower densities (Cho et al., 2025).

    Weights are score · Beta(μ; a, b), μ a sample's mean probability of its label, with
    b = C (1 - m) (1 - r^c), a = C + 1 - b, r the share that goes and m the mean μ of the ten
    highest scores.

    Parameters
    ----------
    scores : (2, n) array
        Not negative: DUAL, and μ.
    labels, counts, draw : (n,) array, (K,) array, callable
        As in `register`.
    exponent, concentration : float
        c and C.
    """
    score, mean = np.maximum(scores[0], 1e-300), np.clip(scores[1], 1e-9, 1 - 1e-9)
    keys = gumbel(draw(labels.size))
    for k, count in enumerate(counts):
        members = np.flatnonzero(labels == k)
        if members.size:
            anchor = mean[members[np.argsort(-score[members], kind="stable")[:10]]].mean()
            gone = 1 - count / members.size
            b = concentration * (1 - anchor) * (1 - gone**exponent)
            a = concentration + 1 - b
            density = (a - 1) * np.log(mean[members]) + (b - 1) * np.log1p(-mean[members])
            keys[members] += np.log(score[members]) + density
    return top_in_class(keys, labels, counts)


def mixture(scores: Floats, labels: Ints, counts: Ints, draw: Draw) -> Ints:
    """Return a draw from each class by uncertainty in a mixture of two Gaussians (experimental).

    Fitted to the scores of the class; weights are the entropies of the posteriors. What an
    automatic summary of the paper describes; the paper has no such rule.

    Parameters
    ----------
    scores, labels, counts, draw : (n,) array, (n,) array, (K,) array, callable
        As in `register`; the scores are finite.
    """
    keys = gumbel(draw(labels.size))
    for k in np.flatnonzero(counts):
        members = np.flatnonzero(labels == k)
        if np.unique(scores[members]).size > 1:
            keys[members] += _log_entropies(scores[members].tobytes())
    return top_in_class(keys, labels, counts)


@lru_cache(maxsize=2048)  # selections of one training ask for the same again
def _log_entropies(scores: bytes) -> Floats:
    """Logarithms of the posteriors' entropies in a mixture of two Gaussians fitted to scores."""
    with needed_by("the rule 'mixture'"):
        from sklearn.mixture import GaussianMixture
    points = np.frombuffer(scores)[:, None]
    posteriors = GaussianMixture(2, random_state=0).fit(points).predict_proba(points)
    return np.log(np.maximum(entr(posteriors).sum(axis=1), 1e-300))


def gumbel(uniform: Floats) -> Floats:
    """Noise whose sum with logarithmic weights ranks a draw without replacement."""
    return -np.log(-np.log(np.clip(uniform, 1e-300, 1 - 2.0**-53)))


register("ccs", scores=("aum",))(ccs)
register("stratified")(
    lambda scores, labels, counts, draw: ccs(scores, labels, counts, draw, hard_cut=0)
)
register("moderate", scores=("ssp",))(moderate)
register("median")(
    lambda scores, labels, counts, draw: top_in_class(
        -np.abs(scores - np.median(scores)), labels, counts
    )
)
register("easy")(lambda scores, labels, counts, draw: top_in_class(-scores, labels, counts))
register("beta", scores=("dual", "meanprob"))(beta)
register("mixture", scores=("el2n",))(mixture)
