"""Train many networks at once: SGD, stepwise learning rate, every network on samples of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropkit import models

DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; recorded whole with every trial (Table 1's columns and more).

    `drops` are fractions of the run after which the learning rate is multiplied by
    `drop_factor`. `budget` says how long a set pruned to density d is trained: "epochs" keeps
    Table 1's number of epochs E; "released" takes E (0.5 + 0.5 d) / d as the authors' released
    code does; "steps" takes E / d, the steps of full training.
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

    def __post_init__(self):
        if self.budget not in BUDGETS:
            raise ValueError(f"budget must be one of {', '.join(BUDGETS)}, got {self.budget!r}")
        if self.precision not in DTYPES:
            raise ValueError(
                f"precision must be one of {', '.join(DTYPES)}, got {self.precision!r}"
            )
        if self.epochs < 1 or self.batch < 2:
            raise ValueError(
                "a recipe needs at least 1 epoch and batches of at least 2 samples, "
                f"got epochs={self.epochs} and batch={self.batch}"
            )

    def at_density(self, density: float) -> "Recipe":
        """The recipe with the epochs that its budget grants a set of this density."""
        return replace(self, epochs=round(self.epochs * BUDGETS[self.budget](density)))

    def learning_rate(self, epoch: int) -> float:
        # Rounded, as 0.55 * 20 is 11.000000000000002 and the drop would come an epoch late.
        passed = sum(epoch >= round(drop * self.epochs, 9) for drop in self.drops)
        return self.lr * self.drop_factor**passed


BUDGETS: dict[str, Callable[[float], float]] = {
    "epochs": lambda density: 1.0,
    "released": lambda density: (0.5 + 0.5 * density) / density,
    "steps": lambda density: 1.0 / density,
}

# float64 makes the digits' records the same on every machine: rounding that differs between
# processors stays too small to flip a prediction.
DIGITS = Recipe(epochs=60, batch=32, lr=0.1, weight_decay=5e-4, precision="float64")

DEFAULTS = {name: ("mlp", DIGITS) for name in ("digits", "digits-2x4", "digits-3rows")}

# Part of every trial's key: raise it when a change alters what training returns.
ENGINE = 1

Observer = Callable[[int, Tensor, Tensor], None]


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
    observe: Observer | None = None,
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
    observe : callable, optional
        Called at every step with the epoch, the positions 0 .. n-1 of the batch, (S, b), and its
        training-mode logits, (S, b, K).

    Raises
    ------
    ValueError
        If fewer than two samples are kept, or seeds and rows of `kept` differ in number.
    """
    kept = np.atleast_2d(kept)
    if kept.shape[1] < 2:
        raise ValueError(f"training needs at least 2 samples, {kept.shape[1]} were kept")
    if len(seeds) != len(kept):
        raise ValueError(f"{len(kept)} sets of samples need as many seeds, got {len(seeds)}")
    dtype = DTYPES[recipe.precision]
    networks = [
        models.initialise(models.build(model, num_classes, x.shape[1:]).to(dtype), seed)
        for seed in seeds
    ]
    stack = models.Stack(networks)
    _fit(stack, *_tensors(x, y, recipe), torch.as_tensor(kept), recipe, seeds, observe)
    return stack.eval()


def _tensors(x: np.ndarray, y: np.ndarray, recipe: Recipe) -> tuple[Tensor, Tensor]:
    return torch.as_tensor(x, dtype=DTYPES[recipe.precision]), torch.as_tensor(y)


def _fit(
    stack: models.Stack,
    x: Tensor,
    y: Tensor,
    kept: Tensor,
    recipe: Recipe,
    seeds: Sequence[int],
    observe: Observer | None,
) -> None:
    stack.train()
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
            # A sum over networks of means over samples: each gradient is as if trained alone.
            loss = F.cross_entropy(
                logits.transpose(1, 2), y_epoch[:, start:stop], reduction="sum"
            ) / (stop - start)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if observe is not None:
                observe(epoch, order[:, start:stop], logits.detach())


@torch.no_grad()
def predict(stack: models.Stack, x: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Logits (S, m, K) of each trained network s on its own samples ``indices[s]`` of the pool.

    `indices` is (S, m), or (m,) for the same samples in every network.
    """
    dtype = next(stack.parameters()).dtype
    indices = np.broadcast_to(indices, (stack.size, np.shape(indices)[-1]))
    return stack(torch.as_tensor(x[indices], dtype=dtype)).numpy()
