"""Query models: train them on the full training set and record what recalls and scores need."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.special import softmax

from dropkit import metrics, training
from dropkit.datasets import Data, load
from dropkit.store import Store, key
from dropkit.training import Recipe

Recorded = dict[str, np.ndarray]

LEAST_EPOCHS = 10  # what Paul et al. (2021) recommend for EL2N and GraNd


@dataclass(frozen=True)
class Query:
    """Which query models one seed trains; its key names what they recorded.

    Appendix A: 10 % of the full training length, repeated over 5 initialisations.
    """

    dataset: str
    model: str
    seed: int
    recipe: Recipe
    initialisations: int = 5

    @property
    def key(self) -> str:
        return key({"engine": training.ENGINE, "query": asdict(self)})


def short_recipe(recipe: Recipe) -> Recipe:
    """The first tenth of a recipe, at its initial learning rate; at least 10 epochs."""
    epochs = max(round(0.1 * recipe.epochs), min(LEAST_EPOCHS, recipe.epochs))
    # The budget speaks of pruned sets alone: it must not name other query models.
    return replace(recipe, epochs=epochs, drops=(), budget="epochs")


def run(queries: Iterable[Query], store: Store, *, stack: int) -> dict[Query, Recorded]:
    """Return what each query recorded, training only those the store does not have.

    Returns
    -------
    dict from query to
        ``probs`` (R, n, K) float32, softmax outputs on the training samples in evaluation mode
        without augmentation, and ``recalls`` (R, K) on the validation split.
    """
    found = {query: store.load_arrays(query.key) for query in dict.fromkeys(queries)}
    missing = [query for query, arrays in found.items() if arrays is None]
    for group in _alike(missing, stack):
        for query, arrays in zip(group, _train(group), strict=True):
            store.save_arrays(query.key, arrays)
            found[query] = arrays
    return found


def _alike(queries: Sequence[Query], stack: int) -> Iterable[list[Query]]:
    """Groups that differ in the seed alone and fit a stack of networks."""
    groups: dict[Query, list[Query]] = {}
    for query in queries:
        groups.setdefault(replace(query, seed=0), []).append(query)
    for common, group in groups.items():
        size = max(1, stack // common.initialisations)
        yield from (group[i : i + size] for i in range(0, len(group), size))


def _train(group: Sequence[Query]) -> list[Recorded]:
    common, repeats = group[0], group[0].initialisations
    sets: list[Data] = [load(common.dataset, query.seed) for query in group]
    # Query networks start from other weights than the final ones of the same seed.
    seeds = [10_000 + 100 * query.seed + r for query in group for r in range(repeats)]
    rows = np.repeat(np.arange(len(group)), repeats)
    train = np.stack([data.train for data in sets])[rows]
    val = np.stack([data.val for data in sets])[rows]
    x, y, num_classes = sets[0].x, sets[0].y, sets[0].num_classes
    networks = training.train(
        common.model, x, y, train, common.recipe, seeds=seeds, num_classes=num_classes
    )
    probs = softmax(training.predict(networks, x, train), axis=-1).astype(np.float32)
    predictions = training.predict(networks, x, val).argmax(-1)
    recalls = metrics.class_recalls(y[val], predictions, num_classes)
    return [{"probs": probs[rows == g], "recalls": recalls[rows == g]} for g in range(len(group))]
