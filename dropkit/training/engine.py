"""Train many networks at once: SGD, stepwise learning rate, every network on samples of its own.

One loop for processors and GPUs. An epoch's order, shifts and flips are drawn on the processor,
from streams of each network's own, so that a seed names them on any device; within an epoch nothing
waits for the device, unless it falls behind the reading of images that it does not hold.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.sgd import sgd

from dropkit import models
from dropkit._common import machine
from dropkit.datasets.data import Images
from dropkit.training.batches import (
    Source,
    by_parts,
    draw_moves,
    read_ahead,
    source_of,
)
from dropkit.training.devices import arithmetic, graphed, one_thread
from dropkit.training.narrow import narrow
from dropkit.training.recipes import Recipe
from dropkit.training.stacks import SELECTORS, Stack, watch_finite

# The type of weights and of samples that are numbers; "bfloat16" concerns the products alone.
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}

STACK = 60  # perceptrons trained together; more no longer fit a processor's cache
SIDE_BY_SIDE = 5  # networks for small images on one GPU; eight are no faster on an H200

Observer = Callable[[int, Tensor, Tensor], None]
EpochObserver = Callable[[int, Stack], None]
Reselect = Callable[[int, Any], Any]


def train(
    model: str,
    x: np.ndarray | Images,
    y: np.ndarray,
    kept: np.ndarray,
    recipe: Recipe,
    *,
    seeds: Sequence[int],
    num_classes: int,
    strata: np.ndarray | None = None,
    val: np.ndarray | None = None,
    observe: Observer | None = None,
    after_epoch: EpochObserver | None = None,
    reselect: Reselect | None = None,
    weighted: bool = False,
    device: str | torch.device = "cpu",
) -> Stack:
    """Train S networks at once, network s on the samples ``kept[s]`` of the pool.

    On one device a network's result depends on its seed, samples and recipe alone, not on its
    neighbours.

    Parameters
    ----------
    model : str
        Architecture, a name of ``models.build``.
    x : (N, ...) array or Images
        The pool of samples.
    y : (N,) int array
        Their labels.
    kept : (S, n) int array
        Indices into the pool, n >= 2.
    recipe : Recipe
        For how long, with what optimiser and loss.
    seeds : S ints
        Each draws its network's weights, order of samples, and augmentation.
    num_classes : int
        K, outputs of each network.
    strata : (N,) int array, optional
        What CDB-W weighs by and recalls are measured in, 0 .. G-1: groups; default: the classes.
    val : (S, m) int array, optional
        Validation samples of each network, for CDB-W's weights and for the best epoch.
    observe : callable, optional
        Called at every step with the epoch, the positions 0 .. n-1 of the batch, (S, b), and its
        training-mode logits, (S, b, K), both on the device.
    after_epoch : callable, optional
        Called after every epoch with the epoch and the networks in evaluation mode.
    reselect : callable, optional
        Called after every epoch with the epoch and recalls (S, G) on `val`; returns the samples,
        as many of each network, that the next epochs train on, or None to keep them.
    weighted : bool
        Whether `reselect` needs no recalls, and returns the weights (S, n) of the samples' losses
        beside them; a batch's loss is the weighted mean.
    device : str or torch.device
        Where they are trained and stay.

    Returns
    -------
    Stack
        The networks, in evaluation mode. Those of its `diverged` are of no use.

    Raises
    ------
    ValueError
        If fewer than two samples are kept, if seeds and rows of `kept` differ in number, if CDB-W,
        the best epoch or `reselect` lacks `val`, if CDB-W is to weigh weighted samples, or if
        `reselect` would change the number of steps.
    """
    kept = np.atleast_2d(kept)
    if kept.shape[1] < 2:
        raise ValueError(f"training needs at least 2 samples, {kept.shape[1]} were kept")
    if len(seeds) != len(kept):
        raise ValueError(f"{len(kept)} sets of samples need as many seeds, got {len(seeds)}")
    validates = recipe.validates or (reselect is not None and not weighted)
    if weighted and recipe.loss == "cdbw":
        raise ValueError("CDB-W weighs classes, and samples have weights of their own: choose one")
    if validates and val is None:
        raise ValueError("CDB-W and the best epoch are measured on a validation split: pass val=")
    machine.keep_memory()
    device, dtype = torch.device(device), DTYPES[recipe.precision]
    if device.type == "cuda":
        torch.backends.cudnn.deterministic = True  # a seed fixes the result there too
    networks = [
        models.initialise(models.build(model, num_classes, x.shape[1:]).to(dtype), seed)
        for seed in seeds
    ]
    stack = Stack(networks, mixed=arithmetic(recipe.precision, device) == "bfloat16").to(device)
    source = source_of(x, dtype, device)
    y = torch.as_tensor(y, device=device)
    strata = y if strata is None else torch.as_tensor(strata, device=device)
    num_strata = max(num_classes, int(strata.max()) + 1)
    val = torch.as_tensor(val, device=device) if validates else None
    rows = torch.tensor(kept)
    weights = None
    if recipe.loss == "cdbw":
        weights = torch.ones(len(seeds), num_strata, dtype=dtype, device=device)
    if weighted:
        weights = torch.ones(len(seeds), len(y), dtype=dtype, device=device)
    weighed = torch.arange(len(y), device=device) if weighted else strata  # what has a weight
    step = _Step(stack, source, y, weighed, weights, recipe)
    select = SELECTORS[recipe.select](stack, recipe.epochs)  # once the weights lie where they stay
    all_diverged = watch_finite(stack)

    @torch.no_grad()
    def end_epoch(epoch: int) -> bool:
        """Look at the networks, and set the next epoch's class weights; whether to go on."""
        if all_diverged(epoch):
            return False
        stack.eval()
        recalls = None if val is None else _recalls(stack, source, val, y, strata, num_strata)
        if after_epoch is not None:
            after_epoch(epoch, stack)
        select(epoch, recalls)
        stack.train()
        if recipe.loss == "cdbw":
            weights.copy_(1 - recalls.nan_to_num(0))  # 1 for a class the split has no samples of
        if reselect is not None:
            found = reselect(epoch, None if weighted else recalls.double().cpu().numpy())
            if weighted and found is not None:
                found, own = found
                own = torch.as_tensor(own, dtype=dtype, device=device)
                weights.scatter_(1, torch.as_tensor(found, device=device), own)
            _replace(rows, found)
        return True

    with one_thread(stack.layers is not None):
        _fit(step, rows, seeds, observe, end_epoch)
    return stack.eval()


def _replace(rows: Tensor, chosen: np.ndarray | None) -> None:
    """Put other samples in the place of those that are trained on, if any are given."""
    if chosen is not None and chosen.shape != tuple(rows.shape):
        raise ValueError(
            f"samples of shape {chosen.shape} were selected in place of {tuple(rows.shape)}: the "
            "number of training steps would change"
        )
    if chosen is not None:
        rows.copy_(torch.as_tensor(chosen))


def stack_size(model: str, device: str = "cpu") -> int:
    """Return how many networks are trained together where that is faster.

    Parameters
    ----------
    model : str
        A name that `dropkit.models.build` takes.
    device : str
        What they are trained on.

    Returns
    -------
    int
        1 where networks are trained one by one.
    """
    if model in ("linear", "mlp"):
        return STACK
    small = not model.startswith(("resnet50", "lite0"))  # which fill a GPU's cores and memory alone
    return SIDE_BY_SIDE if small and device.startswith("cuda") else 1


class _Step:
    """A step of SGD; all that it reads stays where it is, so that a graph can hold it."""

    def __init__(
        self,
        stack: Stack,
        source: Source,
        y: Tensor,
        strata: Tensor,
        weights: Tensor | None,
        recipe: Recipe,
    ):
        self.stack, self.source, self.recipe = stack, source, recipe
        self.y, self.strata, self.weights = y, strata, weights
        self.by_hand = None if recipe.augment else narrow(stack, source, recipe.label_smoothing)
        self.parameters = list(stack.parameters())
        self.momenta: list[Tensor | None] = [None] * len(self.parameters)
        # A recorded step reads its rate from the GPU.
        self.rate = torch.zeros((), device=y.device) if y.device.type == "cuda" else 0.0
        self.set = 0.0  # the rate, as a number

    def begin(self, epoch: int, share: float) -> None:
        """Set the learning rate, where a share of the epoch's steps is done."""
        if (rate := self.recipe.learning_rate(epoch, share)) != self.set:
            self.rate = self.rate.fill_(rate) if isinstance(self.rate, Tensor) else rate
            self.set = rate

    def __call__(self, rows: Tensor, moves: Tensor | None, read: Tensor | None) -> Tensor:
        """Train on the pool's rows (S, b), moved by (S, b, 3); their logits (S, b, K)."""
        recipe, labels = self.recipe, self.y[rows]
        weights = None if self.weights is None else self.weights.gather(1, self.strata[rows])
        if self.by_hand is not None:
            shares = None if weights is None else _shares(weights)
            logits = self.by_hand(rows, labels, shares)
        else:
            for parameter in self.parameters:
                parameter.grad = None
            logits = self.stack(self.source(rows, moves, read))
            _loss(logits, labels, weights, recipe.label_smoothing).backward()
        gradients = [parameter.grad for parameter in self.parameters]
        with torch.no_grad():
            # The function behind torch.optim.SGD, whose class imports a compiler at its first step.
            sgd(
                self.parameters, gradients, self.momenta, fused=True, lr=self.rate,
                momentum=recipe.momentum, weight_decay=recipe.weight_decay,
                dampening=0.0, nesterov=recipe.nesterov, maximize=False,
            )  # fmt: skip
        return logits.detach()


def _fit(
    step: _Step,
    kept: Tensor,
    seeds: Sequence[int],
    observe: Observer | None,
    end_epoch: Callable[[int], bool],
) -> None:
    recipe, device = step.recipe, step.y.device
    run = graphed(step, device) if step.source.resident else step
    # Streams of random numbers of each network's own, apart from the one that drew its weights.
    orders, moving = (
        [torch.Generator().manual_seed(stream * 2**32 + int(seed)) for seed in seeds]
        for stream in (1, 2)
    )
    size = kept.shape[1]
    # Batches of nearly equal size, two at least: batch norm cannot take a batch of one sample.
    batches = min(-(-size // recipe.batch), size // 2)
    sizes = np.diff(np.linspace(0, size, batches + 1).astype(int)).tolist()
    step.stack.train()
    for epoch in range(recipe.epochs):
        order = torch.stack([torch.randperm(size, generator=g) for g in orders])
        rows, moves = kept.gather(1, order), [None] * batches
        if recipe.augment:
            drawn = torch.stack([draw_moves(size, g) for g in moving])
            moves = drawn.to(device).split(sizes, 1)
        with closing(read_ahead(step.source, rows.split(sizes, 1))) as found:
            order, rows = (each.to(device).split(sizes, 1) for each in (order, rows))
            for number, (positions, *batch) in enumerate(
                zip(order, rows, moves, found, strict=True)
            ):
                step.begin(epoch, (number + 0.5) / batches)
                logits = run(*batch)
                if observe is not None:
                    observe(epoch, positions, logits)
        if not end_epoch(epoch):
            return


def _loss(logits: Tensor, labels: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
    """Sum over networks of their mean losses: each gradient is as if trained alone.

    With sample weights (S, B) a network's mean is weighted, so that their scale cancels (the
    weighted mean of PyTorch's cross-entropy). A batch whose classes all have weight 0 would
    be 0 / 0; it counts as 0 and has no gradient.
    """
    logits = logits.transpose(1, 2)
    if weights is None:
        total = F.cross_entropy(logits, labels, reduction="sum", label_smoothing=smoothing)
        return total / labels.shape[1]
    losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    return (losses * _shares(weights)).sum()


def _shares(weights: Tensor) -> Tensor:
    """What each sample counts in its network's mean loss, by its weight, both (S, B)."""
    total = weights.sum(dim=1, keepdim=True)
    return weights / torch.where(total > 0, total, 1)


def _recalls(
    stack: Stack, source: Source, rows: Tensor, y: Tensor, strata: Tensor, num_strata: int
) -> Tensor:
    """Recalls (S, G) of the networks on rows of the pool; NaN for a stratum without any."""
    # In small batches, which stay in the processor's cache; and max, for argmax is slow there.
    answers = by_parts(lambda x: stack(x).max(-1).indices, source, rows, 32)
    hits = (answers == y[rows]).to(next(stack.parameters()).dtype)
    zeros = torch.zeros(len(rows), num_strata, dtype=hits.dtype, device=hits.device)
    sizes = zeros.scatter_add(1, strata[rows], torch.ones_like(hits))
    return zeros.scatter_add(1, strata[rows], hits) / sizes


@torch.no_grad()
def predict(
    stack: Stack, x: np.ndarray | Images, indices: np.ndarray, *, features: bool = False
) -> np.ndarray:
    """Logits of each trained network on samples of the pool.

    Parameters
    ----------
    stack : Stack
        S networks, as ``train`` returns them.
    x : (N, ...) array or Images
        The pool.
    indices : (S, m) or (m,) int array
        Samples of each network, or the same of all.
    features : bool
        Return what enters the last linear layer instead.

    Returns
    -------
    (S, m, K) array
        Logits; or features, (S, m, d).
    """
    weights = next(stack.parameters())
    indices = np.broadcast_to(indices, (stack.size, np.shape(indices)[-1]))
    source = source_of(x, weights.dtype, weights.device)
    rows = torch.tensor(indices, device=source.home)
    answers = by_parts(stack.features if features else stack, source, rows, rows.shape[1])
    return answers.cpu().numpy()
