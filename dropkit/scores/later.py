"""Scores of work that came after DRoP or beside it; higher is kept, as of the paper's."""

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import check_labels
from dropkit._common.errors import needed_by
from dropkit.scores.functions import _finite
from dropkit.scores.registry import register


def aum(margins: ArrayLike) -> np.ndarray:
    """Return the negated area under the margin, so that the hardest come first.

    Σ over epochs of p_y - max p_j, j ≠ y, of probabilities in training mode, as coverage-centric
    selection takes it (Zheng et al., 2023); Pleiss et al. (2020) take logits.

    Parameters
    ----------
    margins : (E, n) array_like
        Of n samples in each of E epochs.
    """
    return -_finite(margins, "margins", (2,)).sum(axis=0, dtype=np.float64)


def dual(probs: ArrayLike, window: int = 10) -> np.ndarray:
    """Return the mean, over windows of epochs, of uncertainty times difficulty (Cho et al., 2025).

    The standard deviation of the target probability in a window, with the divisor `window` - 1,
    times one less its mean.

    Parameters
    ----------
    probs : (E, n) array_like
        Probabilities of the true label in the first E epochs of training.
    window : int
        Epochs in a window, 2..E.

    Raises
    ------
    ValueError
        On NaN, or another window.
    """
    probs = _finite(probs, "probs", (2,)).astype(np.float64)
    if not 2 <= window <= len(probs):
        raise ValueError(
            f"window is {window} and the history has {len(probs)} epochs: "
            "a window must hold at least 2 epochs and no more than the history"
        )
    parts = [probs[start : start + window] for start in range(len(probs) - window + 1)]
    return np.mean([part.std(axis=0, ddof=1) * (1 - part.mean(axis=0)) for part in parts], axis=0)


def first_epochs(probs: np.ndarray) -> np.ndarray:
    """Return the first 15 % of the epochs (E, n), as DUAL reads 30 of 200; 20 at least, or all.

    Parameters
    ----------
    probs : (E, n) array
        Of all epochs.
    """
    return probs[: max(20, round(0.15 * len(probs)))]


def supervised_prototypes(features: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return each sample's distance to the coordinate-wise median of its class.

    Parameters
    ----------
    features : (n, d) array_like
        Outputs of the layer before the last, or any others.
    labels : (n,) array_like of int
        Classes 0..K-1.
    """
    features = _finite(features, "features", (2,))
    labels = check_labels(labels, n=len(features))
    distances = np.empty(len(labels))
    for k in np.unique(labels):
        members = features[labels == k].astype(np.float64)
        distances[labels == k] = np.linalg.norm(members - np.median(members, axis=0), axis=1)
    return distances


def kmeans_prototypes(features: ArrayLike, clusters: int) -> np.ndarray:
    """Return each sample's distance to the nearest of k-means' centres; no label is read.

    Self-supervised prototypes (Sorscher et al., 2022), by Euclidean distances.

    Parameters
    ----------
    features : (n, d) array_like
        Of a network that was trained on other data, or any others.
    clusters : int
        How many, 1..n; usually as many as there are classes.
    """
    features = _finite(features, "features", (2,))
    if not 1 <= clusters <= len(features):
        raise ValueError(f"clusters is {clusters}: it must be in 1..{len(features)}, the samples")
    with needed_by("the score 'selfproto'"):
        from sklearn.cluster import KMeans
    return KMeans(clusters, n_init=1, random_state=0).fit_transform(features).min(axis=1)


def _dual(probs: np.ndarray) -> np.ndarray:
    first = first_epochs(probs)
    return dual(first, min(10, len(first)))


register("aum", needs=("margins",), schedule="long")(lambda query: aum(query.margins))
register("dual", needs=("target_probs",), schedule="long")(lambda query: _dual(query.target_probs))
register("meanprob", needs=("target_probs",), schedule="long")(
    lambda query: first_epochs(query.target_probs).mean(axis=0)
)
register("supproto", needs=("features", "labels"), schedule="long")(
    lambda query: supervised_prototypes(query.features, query.labels)
)
register("selfproto", needs=("features", "labels"), schedule="long")(
    lambda query: kmeans_prototypes(query.features, np.unique(query.labels).size)
)
