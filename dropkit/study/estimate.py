"""What a plan costs before it is run: images to train on, arithmetic, and hours.

The data need not be there: of published sets the sizes are known.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dropkit import datasets, models, training
from dropkit.datasets import imagenet, tinyimagenet
from dropkit.datasets.data import Images
from dropkit.datasets.decode import IMAGENET
from dropkit.datasets.long_tail import tail_sizes
from dropkit.study.queries import Network, Query
from dropkit.study.trials import Trial
from dropkit.training.devices import EAGER
from dropkit.training.recipes import Recipe

SECONDS = 5.0  # of measuring


@dataclass(frozen=True)
class Size:
    """How large a data set is; ``PUBLISHED`` has those that need not be loaded for it."""

    train: int  # training samples
    smallest: int  # those of the smallest class
    classes: int
    shape: tuple[int, ...]  # of a sample


@dataclass(frozen=True)
class Cost:
    """Networks to be trained, and the images that they train on, counted each time.

    Queries are shared by trials. Evaluation, and the gradient norms of GraNd, come on top.
    """

    trials: int
    queries: int
    trial_images: int
    query_images: int  # by all their initialisations
    record: int  # bytes of the largest query

    @property
    def images(self) -> int:
        return self.trial_images + self.query_images


_SIDE = tinyimagenet.SIDE
PUBLISHED = {
    "cifar10": Size(50_000, 5_000, 10, (3, 32, 32)),
    "cifar100": Size(50_000, 500, 100, (3, 32, 32)),
    "cifar100-coarse": Size(50_000, 2_500, 20, (3, 32, 32)),
    "tinyimagenet": Size(
        tinyimagenet.CLASSES * tinyimagenet.TRAINING,
        tinyimagenet.TRAINING,
        tinyimagenet.CLASSES,
        (3, _SIDE, _SIDE),
    ),
    # Russakovsky et al. (2015), Table 2: 732 to 1300 training images a class.
    "imagenet": Size(imagenet.TRAINING, 732, imagenet.CLASSES, (3, imagenet.SIDE, imagenet.SIDE)),
}


def size(dataset: str) -> Size:
    """Return the size of a data set; one that is not published is loaded."""
    if dataset in PUBLISHED:
        return PUBLISHED[dataset]
    data = datasets.load(dataset)
    counts = np.bincount(data.y[data.train], minlength=data.num_classes)
    return Size(len(data.train), int(counts.min()), data.num_classes, data.in_shape)


def cost(trials: Iterable[Trial]) -> Cost:
    """Return what trials and the queries before them train on."""
    trials = list(dict.fromkeys(trials))
    queries = {query for trial in trials for query in trial.queries}
    networks = [Network(query, r) for query in queries for r in range(query.initialisations)]
    record = max(map(_record, queries), default=0)
    return Cost(len(trials), len(queries), images(trials), images(networks), record)


def images(networks: Iterable[Trial | Network]) -> int:
    """Return how many images networks of trials and of queries train on, counted each time."""
    trained = [each.query if isinstance(each, Network) else each for each in networks]
    sets = {(each.dataset, each.imbalance) for each in trained}
    samples = {one: _samples(*one) for one in sets}  # once: a set that is loaded takes its time
    return sum(each.images(samples[each.dataset, each.imbalance]) for each in trained)


def _samples(dataset: str, imbalance: float) -> int:
    found = size(dataset)
    if imbalance == 1:
        return found.train
    return int(tail_sizes(found.smallest, found.classes, imbalance).sum())


def _record(query: Query) -> int:
    """Bytes of the softmax outputs of a short query; of what a long one saw, and its features."""
    found, samples = size(query.dataset), _samples(query.dataset, query.imbalance)
    if query.schedule == "short":
        return 4 * query.initialisations * samples * found.classes
    return samples * (5 * query.recipe.epochs + 4 * _network(query.model, found)[-1].in_features)


def _network(model: str, found: Size) -> nn.Sequential:
    """The network without memory for its weights."""
    with torch.device("meta"):
        return models.build(_untrained(model), found.classes, found.shape)


def _untrained(model: str) -> str:
    """A model of the same architecture, the same speed, and no weights that have to be there."""
    return models.PRETRAINED.get(model, model)


def flops(model: str, found: Size) -> float:
    """Return the floating-point operations of training on one image, forward and backward.

    Those of matrix products and convolutions, a multiplication and an addition counted each.
    """
    network = _network(model, found)
    pair = torch.empty(2, *found.shape, device="meta")  # batch norm takes no single sample
    with FlopCounterMode(display=False) as counter:
        network(pair).sum().backward()
    return counter.get_total_flops() / 2


def throughput(model: str, found: Size, recipe: Recipe, device: torch.device) -> float:
    """Return the images a second that a recipe trains on, measured on random images in memory.

    Networks that are trained together count together. A processor is given smaller batches of large
    images: those of a recipe for GPUs would not fit its memory.
    """
    batch = recipe.batch
    if device.type == "cpu":
        batch = max(2, min(batch, 2**18 // int(np.prod(found.shape[1:]))))
    # A GPU is waited for once an epoch: after every step, it would idle until told of the next.
    steps = 4 if device.type == "cpu" else max(EAGER + 2, 4096 // batch)
    count = steps * batch
    rng = np.random.default_rng(0)
    if len(found.shape) == 3 and found.shape[0] == 3:
        pixels = rng.integers(256, size=(count, *found.shape[1:], 3), dtype=np.uint8)
        x = Images(pixels, *IMAGENET)
    else:
        x = rng.random((count, *found.shape))
    seeds = range(training.stack_size(model, device.type))
    clock = _Stopwatch(every=1 if device.type == "cpu" else steps)
    with suppress(_Enough):
        training.train(
            _untrained(model),
            x,
            rng.integers(found.classes, size=count),
            np.tile(np.arange(count), (len(seeds), 1)),
            replace(recipe, epochs=10**9, batch=batch, loss="ce", select="last"),
            seeds=seeds,
            num_classes=found.classes,
            observe=clock,
            device=device,
        )
    return clock.images / clock.elapsed


class _Enough(Exception):
    """Ends a training that is only measured."""


class _Stopwatch:
    """Counts the images of steps for ``SECONDS``, `every` steps at once; the first warm up."""

    def __init__(self, every: int):
        self.every, self.steps, self.images = every, 0, 0

    def __call__(self, epoch: int, positions: Tensor, logits: Tensor) -> None:
        self.steps += 1
        if self.steps % self.every:
            return
        logits[0, 0, 0].item()  # waits for the device
        now = time.perf_counter()
        if self.steps == self.every:
            self.began = now
            return
        self.images += self.every * positions.numel()
        self.elapsed = now - self.began
        if self.elapsed >= SECONDS:
            raise _Enough
