"""Train many networks at once: SGD, stepwise learning rate, every network on samples of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropkit import models
from dropkit.selection import SELECTORS

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; recorded whole with every trial (Table 1's columns and more).

    `drops` are fractions of the run after which the learning rate is multiplied by
    `drop_factor`. `budget` says how long a set pruned to density d is trained: "epochs" keeps
    Table 1's number of epochs E; "released" takes E (0.5 + 0.5 d) / d as the authors' released
    code does; "steps" takes E / d, the steps of full training. `loss` is "ce", cross-entropy, or
    "cdbw" (Sinha et al., 2022): class weights 1 − recall on the validation split, measured anew
    after every epoch, 1 in the first. `select` says with which weights training ends: the "last",
    those of the epoch with the "best" worst class on the validation split, or the mean of the last
    quarter, "averaged"; the paper's is "last".
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    momentum: float = 0.9
    drops: tuple[float, ...] = (0.5, 0.75)
    drop_factor: float = 0.2
    budget: str = "epochs"
    precision: str = "float32"
    loss: str = "ce"
    select: str = "last"

    def __post_init__(self):
        if self.budget not in BUDGETS:
            raise ValueError(f"budget must be one of {', '.join(BUDGETS)}, got {self.budget!r}")
        if self.precision not in DTYPES:
            raise ValueError(
                f"precision must be one of {', '.join(DTYPES)}, got {self.precision!r}"
            )
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {self.loss!r}")
        if self.select not in SELECTORS:
            raise ValueError(f"select must be one of {', '.join(SELECTORS)}, got {self.select!r}")
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(
                "a recipe needs at least 1 epoch and batches of at least 2 samples, "
                f"got epochs={self.epochs} and batch={self.batch}"
            )

    def at_density(self, density: float) -> "Recipe":
        """The recipe with the epochs that its budget grants a set of this density."""
        return replace(self, epochs=round(self.epochs * BUDGETS[self.budget](density)))

    @property
    def validates(self) -> bool:
        """Whether training measures recalls on a validation split after every epoch."""
        return self.loss == "cdbw" or self.select == "best"

    def learning_rate(self, epoch: int) -> float:
        # Rounded, as 0.55 * 20 is 11.000000000000002 and the drop would come an epoch late.
        passed = sum(epoch >= round(drop * self.epochs, 9) for drop in self.drops)
        return self.lr * self.drop_factor**passed


LOSSES = ("ce", "cdbw")

BUDGETS: dict[str, Callable[[float], float]] = {
    "epochs": lambda density: 1.0,
    "released": lambda density: (0.5 + 0.5 * density) / density,
    "steps": lambda density: 1.0 / density,
}

# float64 makes the digits' records the same on every machine: rounding that differs between
# processors stays too small to flip a prediction.
DIGITS = Recipe(epochs=60, batch=32, lr=0.1, weight_decay=5e-4, precision="float64")

DEFAULTS = {
    name: ("mlp", DIGITS) for name in ("digits", "digits-2x4", "digits-3rows", "digits-on-photos")
}

# Part of every trial's key: raise it when a change alters what training returns.
ENGINE = 1

Observer = Callable[[int, Tensor, Tensor], None]
EpochObserver = Callable[[int, models.Stack], None]


def defaults(dataset: str) -> tuple[str, Recipe]:
    """The model and the recipe that a data set is trained with unless others are named.

    Raises
    ------
    ValueError
        For a data set without defaults.
    """
    if dataset not in DEFAULTS:
        known = ", ".join(sorted(DEFAULTS))
        raise ValueError(f"no default model for data set {dataset!r}; there is one for {known}")
    return DEFAULTS[dataset]


def train(
    model: str,
    x: np.ndarray,
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
) -> models.Stack:
    """Train S networks at once, network s on the samples ``kept[s]`` of the pool.

    A network's result depends on its seed, samples and recipe alone, not on its neighbours.

    Parameters
    ----------
    model : str
        Architecture, a name of ``models.build``.
    x, y : (N, ...) and (N,) arrays
        The pool of samples and its labels.
    kept : (S, n) int array
        Indices into the pool, n >= 2.
    seeds : S ints
        Each draws its network's weights and order of samples.
    strata : (N,) int array, optional
        What CDB-W weighs by and recalls are measured in, 0 .. G-1: groups; default: the classes.
    val : (S, m) int array, optional
        Validation samples of each network, for CDB-W's weights and for the best epoch.
    observe : callable, optional
        Called at every step with the epoch, the positions 0 .. n-1 of the batch, (S, b), and its
        training-mode logits, (S, b, K).
    after_epoch : callable, optional
        Called after every epoch with the epoch and the networks in evaluation mode.

    Raises
    ------
    ValueError
        If fewer than two samples are kept, if seeds and rows of `kept` differ in number, or if
        CDB-W or the best epoch lacks `val`.
    """
    kept = np.atleast_2d(kept)
    if kept.shape[1] < 2:
        raise ValueError(f"training needs at least 2 samples, {kept.shape[1]} were kept")
    if len(seeds) != len(kept):
        raise ValueError(f"{len(kept)} sets of samples need as many seeds, got {len(seeds)}")
    if recipe.validates and val is None:
        raise ValueError("CDB-W and the best epoch are measured on a validation split: pass val=")
    dtype = DTYPES[recipe.precision]
    networks = [
        models.initialise(models.build(model, num_classes, x.shape[1:]).to(dtype), seed)
        for seed in seeds
    ]
    stack = models.Stack(networks)
    x, y, kept = torch.as_tensor(x, dtype=dtype), torch.as_tensor(y), torch.as_tensor(kept)
    strata = y if strata is None else torch.as_tensor(strata)
    num_strata = max(num_classes, int(strata.max()) + 1)
    samples = (x[val], y[val], strata[val]) if recipe.validates else None
    select = SELECTORS[recipe.select](stack, recipe.epochs)

    @torch.no_grad()
    def end_epoch(epoch: int) -> Tensor | None:
        """Look at the networks; the next epoch's class weights, or None for equal ones."""
        stack.eval()
        recalls = _recalls(stack, *samples, num_strata) if samples else None
        if after_epoch is not None:
            after_epoch(epoch, stack)
        select(epoch, recalls)
        stack.train()
        if recipe.loss != "cdbw":
            return None
        return 1 - recalls.nan_to_num(0)  # 1 for a class that the split has no samples of

    _fit(stack, x, y, strata, kept, recipe, seeds, observe, end_epoch)
    return stack.eval()


def _fit(
    stack: models.Stack,
    x: Tensor,
    y: Tensor,
    strata: Tensor,
    kept: Tensor,
    recipe: Recipe,
    seeds: Sequence[int],
    observe: Observer | None,
    end_epoch: Callable[[int], Tensor | None],
) -> None:
    stack.train()
    weights = None
    optimizer = torch.optim.SGD(
        stack.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
    # One stream of random numbers a network, apart from the one that drew its weights.
    generators = [torch.Generator().manual_seed(2**32 + int(seed)) for seed in seeds]
    size = kept.shape[1]
    # Batches of nearly equal size, two at least: batch norm cannot take a batch of one sample.
    batches = min(-(-size // recipe.batch), size // 2)
    bounds = np.linspace(0, size, batches + 1).astype(int)
    for epoch in range(recipe.epochs):
        optimizer.param_groups[0]["lr"] = recipe.learning_rate(epoch)
        order = torch.stack([torch.randperm(size, generator=g) for g in generators])
        chosen = kept.gather(1, order)
        x_epoch, y_epoch = x[chosen], y[chosen]
        for start, stop in pairwise(bounds):
            logits = stack(x_epoch[:, start:stop])
            of_sample = None
            if weights is not None:
                of_sample = weights.gather(1, strata[chosen[:, start:stop]])
            loss = _loss(logits, y_epoch[:, start:stop], of_sample)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if observe is not None:
                observe(epoch, order[:, start:stop], logits.detach())
        weights = end_epoch(epoch)


def _loss(logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Sum over networks of their mean losses: each gradient is as if trained alone.

    With sample weights (S, B) a network's mean is weighted, so that their scale cancels (the
    weighted mean of PyTorch's cross-entropy). A batch whose classes all have weight 0 would
    be 0 / 0; it counts as 0 and has no gradient.
    """
    logits = logits.transpose(1, 2)
    if weights is None:
        return F.cross_entropy(logits, labels, reduction="sum") / labels.shape[1]
    total = weights.sum(dim=1, keepdim=True)
    share = weights / torch.where(total > 0, total, 1)
    return (F.cross_entropy(logits, labels, reduction="none") * share).sum()


def _recalls(stack: models.Stack, x: Tensor, y: Tensor, strata: Tensor, num_strata: int) -> Tensor:
    """Recalls (S, G) of the networks on samples of their own; NaN for a stratum without any."""
    # In small batches, which stay in the processor's cache; and max, for argmax is slow there.
    answers = [stack(batch).max(-1).indices for batch in x.split(32, dim=1)]
    hits = (torch.cat(answers, dim=1) == y).to(x.dtype)
    zeros = torch.zeros(len(y), num_strata, dtype=x.dtype)
    sizes = zeros.scatter_add(1, strata, torch.ones_like(hits))
    return zeros.scatter_add(1, strata, hits) / sizes


@torch.no_grad()
def predict(
    stack: models.Stack, x: np.ndarray, indices: np.ndarray, *, features: bool = False
) -> np.ndarray:
    """Logits (S, m, K) of each trained network s on its own samples ``indices[s]`` of the pool.

    `indices` is (S, m), or (m,) for the same samples in every network. With `features` the
    result is (S, m, d), what enters the last linear layer.
    """
    dtype = next(stack.parameters()).dtype
    indices = np.broadcast_to(indices, (stack.size, np.shape(indices)[-1]))
    answer = stack.features if features else stack
    return answer(torch.as_tensor(x[indices], dtype=dtype)).numpy()
