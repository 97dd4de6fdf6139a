"""Query models: train them on the full training set and record what recalls and scores need."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn
from tqdm import tqdm

from dropkit import images, metrics, training
from dropkit.datasets import Data
from dropkit.images import Images
from dropkit.imbalance import load_imbalanced
from dropkit.recipes import Recipe
from dropkit.registry import QueryRecord, Schedule
from dropkit.scores import grand
from dropkit.stacks import Stack
from dropkit.store import Store, key

GRADIENTS = 2000  # samples normalised at once for GraNd

LEAST_EPOCHS = 10  # what Paul et al. (2021) recommend for EL2N and GraNd


@dataclass(frozen=True)
class Query:
    """Which query models one seed trains; its key names what they recorded.

    Appendix A: EL2N, GraNd and DRoP's recalls take a "short" schedule, 10 % of the full training
    length over 5 initialisations; scores that watch training take one "long" run. Recalls are
    measured on `val_share` of each class's validation samples, rounded up, of whose labels
    `val_noise` is replaced by another class at random. `imbalance` is the factor of the training
    set's long tail, `inputs` names the draw of the data set and pretrained weights.
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
        if not 0 < self.val_share <= 1:
            raise ValueError(f"val_share must be above 0 and at most 1, got {self.val_share}")
        if not 0 <= self.val_noise <= 1:
            raise ValueError(f"val_noise must be in [0, 1], got {self.val_noise}")

    @property
    def data(self) -> Data:
        """The data set it trains on."""
        return load_imbalanced(self.dataset, self.seed, self.imbalance)

    @property
    def key(self) -> str:
        return key({"engine": training.ENGINE, "query": asdict(self)})


@dataclass(frozen=True, kw_only=True)
class Recorded(QueryRecord):
    """A query's record with its recalls on the validation split.

    `recalls` (R, K) and `val_sizes` (K,), the samples of each class they were measured on.
    """

    recalls: np.ndarray
    val_sizes: np.ndarray


def plain(recipe: Recipe) -> Recipe:
    """The recipe as queries take it: images are shifted for final models alone (Appendix A)."""
    # The budget speaks of pruned sets alone: it must not name other query models.
    return replace(recipe, budget="epochs", augment=False)


def short_recipe(recipe: Recipe) -> Recipe:
    """The first tenth of a recipe, at its initial learning rate; at least 10 epochs.

    Of a recipe so short that 10 epochs are more than a third of it, that third.
    """
    least = min(LEAST_EPOCHS, max(1, round(recipe.epochs / 3)))
    return replace(plain(recipe), epochs=max(round(0.1 * recipe.epochs), least), drops=())


def run(
    queries: Iterable[Query], store: Store, *, device: str | torch.device = "cpu"
) -> dict[Query, Recorded]:
    """Return what each query recorded, training only those the store does not have.

    A short query records ``probs`` and ``grad_norms``, a long one ``target_probs`` and
    ``correct``, both from training-mode outputs as they occur, and ``features``; every query
    records the recalls on the validation split.
    """
    found = {query: store.load_arrays(query.key) for query in dict.fromkeys(queries)}
    missing = [query for query, arrays in found.items() if arrays is None]
    with tqdm(total=len(missing), desc="queries", unit="query", disable=not missing or None) as bar:
        for group in _alike(missing):
            for query, arrays in zip(group, _train(group, device), strict=True):
                store.save_arrays(query.key, arrays)
                found[query] = arrays
                bar.update()
    return {query: _record(query, arrays) for query, arrays in found.items()}


def _record(query: Query, arrays: dict[str, np.ndarray]) -> Recorded:
    data = query.data
    known = {field.name for field in fields(Recorded)}
    chosen = {name: array for name, array in arrays.items() if name in known}
    return Recorded(labels=data.y[data.train], **chosen)


def _alike(queries: Sequence[Query]) -> Iterable[list[Query]]:
    """Groups that differ in the seed alone and fit a stack of networks."""
    groups: dict[Query, list[Query]] = {}
    for query in queries:
        groups.setdefault(replace(query, seed=0), []).append(query)
    for common, group in groups.items():
        size = max(1, training.stack_size(common.model) // common.initialisations)
        yield from (group[i : i + size] for i in range(0, len(group), size))


def _train(group: Sequence[Query], device: str | torch.device) -> list[dict[str, np.ndarray]]:
    common, repeats = group[0], group[0].initialisations
    sets = [query.data for query in group]
    # Query networks start from other weights than the final ones of the same seed.
    seeds = [10_000 + 100 * query.seed + r for query in group for r in range(repeats)]
    rows = np.repeat(np.arange(len(group)), repeats)
    train = np.stack([data.train for data in sets])[rows]
    val, val_labels, val_strata = (
        np.stack(parts)[rows] for parts in zip(*map(_validation, group, sets), strict=True)
    )
    x, y, num_classes = sets[0].x, sets[0].y, sets[0].num_classes
    history = None
    if common.schedule == "long":
        history = _History(common.recipe.epochs, torch.as_tensor(y[train], device=device))
    networks = training.train(
        common.model, x, y, train, common.recipe,
        seeds=seeds, num_classes=num_classes, strata=sets[0].strata, val=val, observe=history,
        device=device,
    )  # fmt: skip
    predictions = training.predict(networks, x, val).argmax(-1)
    num_strata = sets[0].num_strata
    sizes = [np.bincount(strata, minlength=num_strata) for strata in val_strata]
    recalls = metrics.group_recalls(val_strata, val_labels, predictions, num_strata)
    recorded = {"recalls": recalls}
    if history is None:
        logits = training.predict(networks, x, train)
        recorded["probs"] = softmax(logits, axis=-1).astype(np.float32)
        recorded["grad_norms"] = _gradient_norms(networks, x, y, train)
        return [
            {"val_sizes": sizes[g * repeats]} | {n: a[rows == g] for n, a in recorded.items()}
            for g in range(len(group))
        ]
    features = training.predict(networks, x, train, features=True).astype(np.float32)
    return [
        {
            "val_sizes": sizes[g],
            "recalls": recorded["recalls"][[g]],
            "target_probs": history.target_probs[:, g].cpu().numpy(),
            "correct": history.correct[:, g].cpu().numpy(),
            "features": features[g],
        }
        for g in range(len(group))
    ]


def _validation(query: Query, data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pool indices of a query's validation samples, their labels and strata as the query sees."""
    # A stream of its own: 1 keeps it apart from the one that draws splits.
    stream = np.random.PCG64(np.random.SeedSequence(query.seed, spawn_key=(1,)))
    order = data.val[np.argsort(stream.random_raw(len(data.val)), kind="stable")]
    strata = data.strata[order]
    chosen = [
        np.flatnonzero(strata == k)[: math.ceil(query.val_share * size - 1e-9)]
        for k, size in enumerate(data.sizes("val"))
    ]
    order = order[np.concatenate(chosen)]
    labels = data.y[order]
    flipped = stream.random_raw(len(labels)) < query.val_noise * 2.0**64
    shift = stream.random_raw(len(labels)) % np.uint64(max(data.num_classes - 1, 1)) + np.uint64(1)
    noisy = (labels + shift.astype(np.int64)) % data.num_classes
    labels = np.where(flipped, noisy, labels)
    return order, labels, labels if data.groups is None else data.groups[order]


def _gradient_norms(
    networks: Stack, x: np.ndarray | Images, y: np.ndarray, train: np.ndarray
) -> np.ndarray:
    """GraNd's norms of each network on its own samples, (S, n) float32."""
    weights = next(networks.parameters())
    source = images.source(x, weights.dtype, weights.device)

    def norms(network: nn.Module, rows: np.ndarray) -> np.ndarray:
        (samples,) = source(torch.as_tensor(rows, device=weights.device)[None])
        return grand(network, samples, torch.as_tensor(y[rows]))

    parts = -(-train.shape[1] // GRADIENTS)
    of_each = [
        np.concatenate([norms(networks.network(s), rows) for rows in np.array_split(row, parts)])
        for s, row in enumerate(train)
    ]
    return np.stack(of_each).astype(np.float32)


class _History:
    """Watches training: target probability and correctness of every sample in every epoch."""

    def __init__(self, epochs: int, labels: Tensor):
        self.labels = labels
        shape = (epochs, *labels.shape)
        self.target_probs = torch.zeros(shape, device=labels.device)
        self.correct = torch.zeros(shape, dtype=torch.bool, device=labels.device)

    def __call__(self, epoch: int, positions: Tensor, logits: Tensor) -> None:
        labels = self.labels.gather(1, positions)
        target = logits.softmax(-1).gather(-1, labels[..., None])[..., 0]
        self.target_probs[epoch].scatter_(1, positions, target.float())
        self.correct[epoch].scatter_(1, positions, logits.argmax(-1) == labels)
