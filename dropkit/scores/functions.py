"""One pure function a score; higher scores are kept.

The scores of the paper have protocol names; `register` adds a score of one's own.
"""

import operator
import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from dropkit._common.checks import check_choice, check_each, check_labels
from dropkit._common.errors import needed_by
from dropkit.scores.registry import register

if TYPE_CHECKING:
    import torch


def el2n(probs: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return ‖p − onehot(y)‖₂ of each sample, averaged over initialisations (Section 2).

    Parameters
    ----------
    probs : (R, n, K) or (n, K) array_like
        Softmax outputs of R query models, in evaluation mode.
    labels : (n,) array_like of int
        Classes 0..K-1.

    Returns
    -------
    (n,) ndarray
        In [0, √2].

    Raises
    ------
    ValueError
        On NaN, rows that do not sum to 1, or labels of another length or range.
    """
    probs = _finite(probs, "probs", (2, 3))
    probs = probs[None] if probs.ndim == 2 else probs
    labels = check_labels(labels, num_classes=probs.shape[2], n=probs.shape[1])
    if probs.min() < 0 or not np.allclose(probs.sum(axis=-1), 1, atol=1e-3):
        raise ValueError("probs are not probabilities: each row must be ≥ 0 and sum to 1 (softmax)")
    norms = np.zeros(len(labels))
    for single in probs:  # one initialisation at a time bounds the memory
        errors = single.astype(np.float64)
        errors[np.arange(len(labels)), labels] -= 1
        norms += np.linalg.norm(errors, axis=1)
    return norms / len(probs)


def grand(
    model: "torch.nn.Module", x: "torch.Tensor", y: "torch.Tensor", *, chunk: int = 64
) -> np.ndarray:
    """Return ‖∇_θ cross-entropy‖₂ of each sample over all trainable parameters (Section 2).

    Exact, in evaluation mode, by one batched forward and backward pass; the model is left as it
    was. The mean over initialisations is GraNd as the paper uses it. On a GPU, PyTorch computes
    convolutions in TF32 unless `torch.backends.cudnn.allow_tf32` is off.

    Parameters
    ----------
    model : torch.nn.Module
        From (n, ...) inputs to (n, K) logits, of Linear, Conv2d, BatchNorm1d/2d, GroupNorm and
        LayerNorm layers and of any without parameters.
    x : (n, ...) tensor
        Inputs; moved to the model's device chunk by chunk.
    y : (n,) tensor of int
        Classes 0..K-1.
    chunk : int
        Samples in one pass; bounds the memory and does not change the result.

    Raises
    ------
    TypeError
        If a layer with trainable parameters is of another type.
    ValueError
        If layers share parameters or run twice, if samples of a batch depend on each other, on
        unfit sizes or labels, or if a norm is not finite.
    """
    with needed_by("dropkit.scores.grand"):
        from dropkit.scores.gradient_norms import gradient_norms

    return gradient_norms(model, _tensor(x), _tensor(y), chunk)


def forgetting(
    correct: ArrayLike, *, never_learned: Literal["infinite", "zero"] = "infinite"
) -> np.ndarray:
    """Return how often each sample went from correct to wrong (Toneva et al., 2019).

    Parameters
    ----------
    correct : (E, n) array_like of bool
        Whether training-mode predictions were right as they occurred in E epochs.
    never_learned : {"infinite", "zero"}
        The score of samples never correct: "infinite", as in the original work, or "zero", as in
        the authors' released code, which prunes them first.

    Returns
    -------
    (n,) ndarray
        Whole numbers 0..E/2, or infinity.

    Raises
    ------
    ValueError
        For anything but booleans of two dimensions.
    """
    correct = np.asarray(correct)
    if correct.dtype != bool or correct.ndim != 2 or len(correct) == 0:
        raise ValueError(
            f"correct is {correct.dtype} of shape {correct.shape}: it must be (E, n) booleans"
        )
    check_choice(never_learned, "never_learned", ("infinite", "zero"))
    events = (correct[:-1] & ~correct[1:]).sum(axis=0).astype(np.float64)
    if never_learned == "infinite":
        events[~correct.any(axis=0)] = np.inf
    return events


def dynamic_uncertainty(
    probs: ArrayLike, window: int = 10, *, statistic: Literal["deviation", "variance"] = "deviation"
) -> np.ndarray:
    """Return the mean, over windows of epochs, of the target probability's standard deviation.

    He et al. (2023); deviations have the divisor `window` - 1.

    Parameters
    ----------
    probs : (E, n) array_like
        Probabilities of the true label after each of E epochs.
    window : int
        Epochs in a window. The authors' released code takes 9 for a window named 10.
    statistic : {"deviation", "variance"}
        "deviation", as implementations do, or "variance", as the paper's text says.

    Raises
    ------
    ValueError
        On NaN, or if the history is shorter than the window.
    """
    probs = _finite(probs, "probs", (2,))
    if not 2 <= window <= len(probs):
        raise ValueError(
            f"window is {window} and the history has {len(probs)} epochs: "
            "a window must hold at least 2 epochs and no more than the history"
        )
    check_choice(statistic, "statistic", ("deviation", "variance"))
    spread = np.std if statistic == "deviation" else np.var
    windows = len(probs) - window + 1
    total = np.zeros(probs.shape[1])
    for start in range(windows):  # one window at a time bounds the memory
        total += spread(probs[start : start + window], axis=0, ddof=1, dtype=np.float64)
    return total / windows


def k_center(features: "ArrayLike | torch.Tensor", budget: int) -> np.ndarray:
    """Return the indices that greedy k-centre selects, in order (Sener and Savarese, 2018).

    The first centre is the point nearest the mean, as in the authors' released code. Each next one
    is the point farthest, in Euclidean distance, from the nearest centre so far; the lowest index
    among equals. Smaller budgets select a prefix of the same order.

    Parameters
    ----------
    features : (n, d) array_like or tensor
        A tensor is used on the device where it is.
    budget : int
        Number of centres, 1..n.

    Returns
    -------
    (budget,) ndarray of int64

    Raises
    ------
    ValueError
        If the budget is not in 1..n or a feature is not finite.
    """
    with needed_by("dropkit.scores.k_center"):
        from dropkit.scores.farthest_first import farthest_first

    points = _tensor(features)
    if points.ndim != 2 or points.numel() == 0:
        raise ValueError(f"features have shape {tuple(points.shape)}: they must be (n, d)")
    budget = operator.index(budget)
    if not 1 <= budget <= len(points):
        raise ValueError(f"budget is {budget}: it must be in 1..{len(points)}, the points given")
    return farthest_first(points, budget)


def k_center_scores(features: "ArrayLike | torch.Tensor") -> np.ndarray:
    """Return `k_center`'s full order as scores.

    Parameters
    ----------
    features : (n, d) array_like
        As `k_center` takes them.

    Returns
    -------
    (n,) array of int
        n for the first centre, 1 for the last.
    """
    points = _tensor(features)
    order = k_center(points, len(points))
    scores = np.empty(len(order))
    scores[order] = np.arange(len(order), 0, -1)
    return scores


def ssp(features: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return each sample's Euclidean distance to the mean of its class (Section 3).

    The supervised variant of Sorscher et al. (2022), whose original measures cosine distances to
    k-means prototypes of self-supervised features.

    Parameters
    ----------
    features : (n, d) array_like
        Outputs of the layer before the last, or any others.
    labels : (n,) array_like of int
        Classes 0..K-1.

    Raises
    ------
    ValueError
        On features that are not finite, or labels of another length.
    """
    features = _finite(features, "features", (2,))
    labels = check_labels(labels, n=len(features))
    distances = np.empty(len(labels))
    for k in np.unique(labels):
        members = features[labels == k].astype(np.float64)
        distances[labels == k] = np.linalg.norm(members - members.mean(axis=0), axis=1)
    return distances


register("el2n", needs=("probs", "labels"))(lambda query: el2n(query.probs, query.labels))
register("grand", needs=("grad_norms",))(
    lambda query: _finite(query.grad_norms, "grad_norms", (2,)).mean(axis=0)
)
register("forgetting", needs=("correct",), schedule="long")(lambda query: forgetting(query.correct))
register("dynunc", needs=("target_probs",), schedule="long")(
    # Of a run shorter than the window of 10, all its epochs are one window.
    lambda query: dynamic_uncertainty(query.target_probs, min(10, len(query.target_probs)))
)
register("coreset", needs=("features",), schedule="long")(
    lambda query: k_center_scores(query.features)
)
register("ssp", needs=("features", "labels"), schedule="long")(
    lambda query: ssp(query.features, query.labels)
)


def _finite(values: ArrayLike, name: str, dimensions: tuple[int, ...]) -> np.ndarray:
    """Return floats as they are, other numbers as float64; raise on NaN or another dimension."""
    array = np.asarray(values)
    array = array if array.dtype.kind == "f" else array.astype(np.float64)
    if array.ndim not in dimensions or array.size == 0:
        wanted = " or ".join(map(str, dimensions))
        raise ValueError(
            f"{name} have shape {array.shape}: expected {wanted} dimensions, not empty"
        )
    check_each(np.isfinite(array), array, name, "be finite")
    return array


def _tensor(values: "ArrayLike | torch.Tensor") -> "torch.Tensor":
    import torch

    if isinstance(values, torch.Tensor):
        return values.detach()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable", category=UserWarning)
        return torch.as_tensor(np.asarray(values))
