"""What a query is: which query models one seed trains, and what tells them from others."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from dropkit.datasets.data import Data
from dropkit.datasets.long_tail import load_imbalanced
from dropkit.scores.registry import Schedule
from dropkit.store.records import key
from dropkit.training.recipes import ENGINE, Recipe, as_recorded

LEAST_EPOCHS = 10  # what Paul et al. (2021) recommend for EL2N and GraNd


@dataclass(frozen=True)
class Query:
    """Which query models one seed trains; its key names what they recorded.

    EL2N, GraNd and DRoP's recalls take a "short" schedule, 10 % of the full training length over 5
    initialisations; scores that watch training take one "long" run (Appendix A). Recalls are
    measured on `val_share` of each class's validation samples, rounded up, of whose labels the
    share `val_noise` is replaced by another class at random. `inputs` is as a ``Trial`` has it.
    """

    dataset: str
    model: str
    seed: int
    recipe: Recipe
    schedule: Schedule
    initialisations: int
    val_share: float = 1.0
    val_noise: float = 0.0
    imbalance: float = 1.0
    inputs: str = ""

    def __post_init__(self):
        if self.schedule == "long" and self.initialisations != 1:
            raise ValueError(f"a long query is one run, got initialisations={self.initialisations}")

    @property
    def data(self) -> Data:
        """The data set that it trains on."""
        return load_imbalanced(self.dataset, self.seed, self.imbalance)

    def images(self, samples: int) -> int:
        """How many images each of its networks trains on, counted each time, of so many samples."""
        return samples * self.recipe.epochs

    @property
    def key(self) -> str:
        """What its networks recorded is stored under."""
        return key({"engine": ENGINE, "query": as_recorded(self)})

    @property
    def networks(self) -> list["Network"]:
        """All that it trains."""
        return [Network(self, number) for number in range(self.initialisations)]


class Network(NamedTuple):
    """One of a query's networks; a store keeps what it recorded until all are there."""

    query: Query
    number: int

    @property
    def name(self) -> str:
        """What the store keeps it under."""
        return f"{self.query.key}n{self.number}"

    @property
    def seed(self) -> int:
        """Query networks start from other weights than the final ones of the same seed."""
        return 10_000 + 100 * self.query.seed + self.number


def arrays_of(trained: Query | Network) -> dict[str, Callable[[np.ndarray], bool]]:
    """Return of each array that a query, or one of its networks, records whether one may be it."""
    query = trained.query if isinstance(trained, Network) else trained
    networks = () if isinstance(trained, Network) else (query.initialisations,)
    data, epochs = query.data, query.recipe.epochs
    n = len(data.train)
    shapes: dict[str, tuple[int | None, ...]]
    shapes = {"recalls": (*networks, data.num_strata), "val_sizes": (data.num_strata,)}
    if query.schedule == "long":
        shapes |= {"target_probs": (epochs, n), "correct": (epochs, n), "features": (n, None)}
        shapes |= {"margins": (epochs, n)}
    else:
        shapes |= {"probs": (*networks, n, data.num_classes), "grad_norms": (*networks, n)}
    return {name: partial(_is_of, shape) for name, shape in shapes.items()}


def _is_of(shape: tuple[int | None, ...], array: np.ndarray) -> bool:
    alike = len(shape) == array.ndim and all(
        length in (None, found) for length, found in zip(shape, array.shape, strict=True)
    )
    return alike and array.dtype.kind in "bif"


def plain(recipe: Recipe) -> Recipe:
    """Return the recipe of queries: images are shifted for final models alone (Appendix A)."""
    # The budget speaks of pruned sets alone: it must not name other query models.
    return replace(recipe, budget="epochs", augment=False)


def short_recipe(recipe: Recipe) -> Recipe:
    """Return the first tenth of a recipe, at its initial learning rate; at least 10 epochs.

    Of a recipe so short that 10 epochs are more than a third of it, that third. A recipe whose rate
    makes a triangle is compressed to its tenth, at least 2 epochs, triangle and all.
    """
    tenth = round(0.1 * recipe.epochs)
    if recipe.anneal == "triangle":
        return replace(plain(recipe), epochs=max(tenth, 2))
    least = min(LEAST_EPOCHS, max(1, round(recipe.epochs / 3)))
    return replace(plain(recipe), epochs=max(tenth, least), drops=())
