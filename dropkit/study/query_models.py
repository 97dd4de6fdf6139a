"""Query models: train them on the full training set and record what recalls and scores need."""

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from functools import partial
from operator import attrgetter

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor, nn
from tqdm import tqdm

from dropkit import metrics, training
from dropkit._common.errors import UserError
from dropkit.datasets.data import Images
from dropkit.datasets.loading import Data
from dropkit.scores.functions import grand
from dropkit.scores.registry import QueryRecord
from dropkit.store.folder import Store
from dropkit.store.locks import Locks
from dropkit.study import executors
from dropkit.study.executors import Workers
from dropkit.study.queries import Network, Query
from dropkit.study.query_arrays import EXTRAS, Arrays, by_others, enough, whole, without_result
from dropkit.study.sharing import own
from dropkit.training.batches import source_of
from dropkit.training.recipes import diverged
from dropkit.training.stacks import Stack

GRADIENTS = 2000  # samples normalised at once for GraNd
_OF_SCORES = frozenset({"probs", "grad_norms"})  # where the latter are wanted, the former are kept

Answer = Arrays | str  # what a network recorded, or why it is of no use


@dataclass(frozen=True, kw_only=True)
class Recorded(QueryRecord):
    """A query's record with its recalls on the validation split."""

    recalls: np.ndarray  # (R, K), of each of its networks
    val_sizes: np.ndarray  # (K,), samples that they were measured on


def run(
    queries: Iterable[Query],
    store: Store,
    workers: Workers,
    extras: Collection[str] = EXTRAS,
    locks: Locks | None = None,
) -> Iterator[tuple[Query, Recorded | str]]:
    """Yield each query with what it recorded: those in the store, then others as they are trained.

    In its place stands in words why a query failed, if it did.

    A short query records its recalls, and of the `extras` ``probs`` and ``grad_norms``; a long one
    ``target_probs``, ``correct`` and, of the `extras`, ``margins``, all from training-mode outputs
    as they occur, and ``features``. Where a watch stops the training, the finished networks of a
    query are in the store. With `locks`, networks that another process trains are left to it, and
    their queries left out unless it is done with them at the end.
    """
    asked = dict.fromkeys(queries)
    missing = []
    with tqdm(total=len(asked), desc="queries", unit="query", disable=not asked or None) as bar:
        for query in asked:
            arrays = store.load_arrays(query.key)
            if not enough(query, arrays, extras):
                missing.append(query)
            else:
                bar.update()
                yield query, _record(query, arrays)
        for query, answer in _trained(missing, store, workers, extras, locks):
            bar.update()
            yield query, answer if isinstance(answer, str) else _record(query, answer)


def _trained(
    queries: Sequence[Query],
    store: Store,
    workers: Workers,
    extras: Collection[str],
    locks: Locks | None,
) -> Iterator[tuple[Query, Answer]]:
    """Yield the arrays of each query as soon as its networks are trained, and in the store."""
    networks = [network for query in queries for network in query.networks]
    stored = {network: store.load_arrays(network.name) for network in networks}
    parts = {n: arrays for n, arrays in stored.items() if enough(n, arrays, extras)}
    todo = _alike([network for network in networks if network not in parts], workers)
    left = set(queries)
    for query, arrays in whole(queries, parts, store):
        left.remove(query)
        yield query, arrays
    work = partial(_train, device=workers.device, extras=extras)
    jobs = own(todo, locks, attrgetter("name"), partial(without_result, store, extras))
    with closing(workers.do(work, jobs)) as answers:
        for trained, found in answers:
            for network, answer in zip(trained, found, strict=True):
                if not isinstance(answer, str):
                    parts[network] = answer
                elif network.query in left:
                    left.remove(network.query)
                    yield network.query, answer
            complete = whole(dict.fromkeys(network.query for network in trained), parts, store)
            for network in trained:
                if network in parts:
                    store.save_arrays(network.name, parts[network])
            if locks:
                locks.give_back([network.name for network in trained])
            left.difference_update(query for query, _ in complete)
            yield from complete
    for query in sorted(left, key=queries.index) if locks else ():
        yield from by_others(query, parts, store, extras)


def lacking(queries: Iterable[Query], store: Store) -> list[Network]:
    """Return the networks of queries that the store has neither alone nor with their others."""
    there = set(store.array_names())  # by name: what a large set recorded takes long to read
    missing = [query for query in dict.fromkeys(queries) if query.key not in there]
    return [each for query in missing for each in query.networks if each.name not in there]


def train(networks: Iterable[Network], store: Store, device: str, extras: Collection[str]) -> None:
    """Train networks of queries, and keep each in the store for `run` to find it there."""
    for network in networks:
        _, (answer,) = _train([network], device, extras)
        if isinstance(answer, str):
            raise UserError(f"a query of seed {network.query.seed} diverged: {answer}")
        store.save_arrays(network.name, answer)


def _record(query: Query, arrays: Arrays) -> Recorded:
    data = query.data
    known = {field.name for field in fields(Recorded)}
    chosen = {name: array for name, array in arrays.items() if name in known}
    return Recorded(labels=data.y[data.train], **chosen)


def _alike(networks: Sequence[Network], workers: Workers) -> list[list[Network]]:
    """Groups that differ in the seed alone and fit a stack, those that take longest first.

    Networks of a query stay together if a stack holds them.
    """
    kinds: dict[Query, dict[tuple, list[Network]]] = {}
    for network in networks:
        query = network.query
        size = training.stack_size(query.model, workers.device)
        unit = query.seed, size < query.initialisations and network.number
        kinds.setdefault(replace(query, seed=0), {}).setdefault(unit, []).append(network)
    groups = []
    for common, units in kinds.items():
        most = max(1, training.stack_size(common.model, workers.device) // common.initialisations)
        shares = executors.shares(list(units.values()), most, workers.count)
        groups += [sum(share, []) for share in shares]
    return sorted(groups, key=lambda group: -group[0].query.recipe.epochs * len(group))


def _train(
    networks: Sequence[Network], device: str, extras: Collection[str]
) -> tuple[Sequence[Network], list[Answer]]:
    """Train one stack; what each network recorded, beside the networks."""
    common = networks[0].query
    sets = {network.query: network.query.data for network in networks}
    seen = {query: _validation(query, data) for query, data in sets.items()}
    any_set = sets[common]
    x, y, num_classes, num_strata = any_set.x, any_set.y, any_set.num_classes, any_set.num_strata
    kept = np.stack([sets[network.query].train for network in networks])
    val, val_labels, val_strata = (
        np.stack(parts) for parts in zip(*(seen[n.query] for n in networks), strict=True)
    )
    history = None
    if common.schedule == "long":
        history = _History(
            common.recipe.epochs, torch.as_tensor(y[kept], device=device), "margins" in extras
        )
    stack = training.train(
        common.model, x, y, kept, common.recipe, seeds=[network.seed for network in networks],
        num_classes=num_classes, strata=any_set.strata, val=val, observe=history, device=device,
    )  # fmt: skip
    if stack.diverged:
        return _without(networks, stack, device, extras)
    predictions = training.predict(stack, x, val).argmax(-1)
    recorded = {
        "val_sizes": [np.bincount(strata, minlength=num_strata) for strata in val_strata],
        "recalls": metrics.group_recalls(val_strata, val_labels, predictions, num_strata),
    }
    if history is None:
        if not _OF_SCORES.isdisjoint(extras):
            logits = training.predict(stack, x, kept)
            recorded["probs"] = softmax(logits, axis=-1).astype(np.float32)
        if "grad_norms" in extras:
            recorded["grad_norms"] = _gradient_norms(stack, x, y, kept)
    else:
        recorded["target_probs"] = history.target_probs.cpu().numpy().swapaxes(0, 1)
        if history.margins is not None:
            recorded["margins"] = history.margins.cpu().numpy().swapaxes(0, 1)
        recorded["correct"] = history.correct.cpu().numpy().swapaxes(0, 1)
        features = training.predict(stack, x, kept, features=True)
        recorded["features"] = features.astype(np.float32)
    return networks, [
        {name: values[s] for name, values in recorded.items()} for s in range(len(networks))
    ]


def _without(
    networks: Sequence[Network], stack: Stack, device: str, extras: Collection[str]
) -> tuple[Sequence[Network], list[Answer]]:
    """Of a stack in which some diverged: why they are of no use, and the others trained alone."""
    sound = [network for s, network in enumerate(networks) if s not in stack.diverged]
    found = iter(_train(sound, device, extras)[1] if sound else [])
    recipe = networks[0].query.recipe
    return networks, [
        diverged(recipe, stack.diverged[s]) if s in stack.diverged else next(found)
        for s in range(len(networks))
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
    source = source_of(x, weights.dtype, weights.device)
    chunk = 64 if weights.device.type == "cpu" else 256  # a GPU waits for its orders in small ones

    def norms(network: nn.Module, rows: np.ndarray) -> np.ndarray:
        (samples,) = source(torch.as_tensor(rows, device=weights.device)[None])
        return grand(network, samples, torch.as_tensor(y[rows]), chunk=chunk)

    parts = -(-train.shape[1] // GRADIENTS)
    of_each = [
        np.concatenate([norms(networks.network(s), rows) for rows in np.array_split(row, parts)])
        for s, row in enumerate(train)
    ]
    return np.stack(of_each).astype(np.float32)


class _History:
    """Watches training: each sample's target probability, margin and correctness in every epoch."""

    def __init__(self, epochs: int, labels: Tensor, margins: bool):
        self.labels = labels
        shape = (epochs, *labels.shape)
        self.target_probs = torch.zeros(shape, device=labels.device)
        self.correct = torch.zeros(shape, dtype=torch.bool, device=labels.device)
        self.margins = torch.zeros(shape, device=labels.device) if margins else None

    def __call__(self, epoch: int, positions: Tensor, logits: Tensor) -> None:
        labels, probs = self.labels.gather(1, positions), logits.softmax(-1)
        target = probs.gather(-1, labels[..., None])[..., 0]
        self.target_probs[epoch].scatter_(1, positions, target.float())
        self.correct[epoch].scatter_(1, positions, logits.argmax(-1) == labels)
        if self.margins is not None:
            others = probs.scatter(-1, labels[..., None], -1.0).amax(-1)
            self.margins[epoch].scatter_(1, positions, (target - others).float())
