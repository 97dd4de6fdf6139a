"""Which networks a study trains: trials, and grids of them."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from dropkit._common.checks import check_density
from dropkit._common.fields import (
    AMOUNT,
    COUNT,
    FACTOR,
    PART,
    SEED,
    SHARE,
    check,
    check_table,
    choice,
    whole,
)
from dropkit.datasets import loading
from dropkit.datasets.data import Data
from dropkit.datasets.long_tail import load_imbalanced
from dropkit.models import pretrained
from dropkit.pruning import parse, version
from dropkit.quotas import RULES
from dropkit.scores.registry import SCORES
from dropkit.store.records import key
from dropkit.study import queries
from dropkit.study.queries import Query
from dropkit.training import recipes
from dropkit.training.recipes import ENGINE, Recipe, as_recorded

# Data set and model of each scale of the notebooks; "paper" is the one whose numbers it states.
_OF_SCALE = {
    "digits": ("digits-2x4", "mlp"),
    "features": ("cifar100-features", "linear"),
    "mini": ("cifar10", "mini"),
    "paper": ("cifar100", "vgg19"),
}
SCALES = tuple(_OF_SCALE)

# What `grid` takes of each of its numbers and names.
OPTIONS = {
    "initialisations": whole(1, 100),  # more would share their seeds with the next query's
    "val_share": SHARE,
    "val_noise": PART,
    "smoothing": AMOUNT,
    "rule": choice(RULES),
    "imbalance": FACTOR,
}


@dataclass(frozen=True)
class Trial:
    """One network to be trained and tested: the whole configuration its key is hashed from.

    Build trials with ``grid``, which leaves out what a protocol does not use: the same trial then
    has the same key wherever it is asked for.

    Parameters
    ----------
    dataset, model, protocol : str
        Names of ``datasets.load``, ``models.build`` and ``pruning.parse``.
    density : float
        Fraction of the training set that is kept, in (0, 1].
    seed : int
        Of the split, the pruning and the network.
    recipe : Recipe
        How the network is trained.
    recall_query, score_query : Query or None
        Where DRoP's recalls, and a strategy's scores, come from; None where a protocol needs none.
    smoothing, rule : float, str
        Those of ``quotas.drop_densities``.
    imbalance : float
        Factor of the training set's long tail, 1 for none.
    score_version : str
        Tells apart scores, rules and quotas that a reader registered under one name.
    inputs : str
        Tells apart draws of a data set, pretrained weights, and models of a reader.
    quota_query : Query or None
        Where the scores of a quota come from, if not from `score_query`.
    """

    dataset: str
    model: str
    protocol: str
    density: float
    seed: int
    recipe: Recipe
    recall_query: Query | None
    score_query: Query | None
    smoothing: float
    rule: str
    imbalance: float = 1.0
    score_version: str = ""
    inputs: str = ""
    quota_query: Query | None = None

    @property
    def data(self) -> Data:
        """The data set that it prunes and trains on."""
        return load_imbalanced(self.dataset, self.seed, self.imbalance)

    @functools.cached_property
    def config(self) -> dict:
        """All fields, as a record holds them."""
        return as_recorded(self)

    @functools.cached_property
    def key(self) -> str:
        """What its record is stored under."""
        return key({"engine": ENGINE, "trial": self.config})

    def images(self, samples: int) -> int:
        """Images that it trains on, counted each time, of a training set of so many samples."""
        return round(self.density * samples) * self.recipe.at_density(self.density).epochs

    @property
    def queries(self) -> list[Query]:
        """The queries that have to run before it."""
        asked = (self.recall_query, self.score_query, self.quota_query)
        return [query for query in asked if query]

    @property
    def rankings(self) -> list[tuple[Query, str]]:
        """The strategies whose scores it needs, each with the query that they come from."""
        plan = parse(self.protocol)
        queries = [self.score_query] * len(plan.strategies)
        if self.quota_query:
            queries[-1] = self.quota_query
        return list(zip(queries, plan.strategies, strict=True))


def chosen(scale: str, dataset: str = "", model: str = "") -> tuple[str, str]:
    """Return the data set and the model of a notebook: those named, else those of its scale.

    Parameters
    ----------
    scale : {"digits", "features", "mini", "paper"}
        What neither is named for.
    dataset, model : str
        Names of ``datasets.load`` and ``models.build``; "" for those of the scale.

    Returns
    -------
    (str, str)

    Raises
    ------
    ValueError
        For an unknown scale, or a data set that no model is known for.
    """
    if scale not in SCALES:
        raise ValueError(f"unknown scale {scale!r}; known are {', '.join(SCALES)}")
    usual, network = _OF_SCALE[scale]
    dataset = dataset or usual
    first, _ = recipes.defaults(dataset)
    return dataset, model or (network if network in recipes.DEFAULTS[dataset] else first)


def inputs_of(dataset: str, model: str) -> str:
    """What a trial says of its inputs: the draw of the data, the weights or code of the model."""
    return "; ".join(filter(None, [loading.version(dataset), pretrained.version(model)]))


def grid(
    dataset: str,
    *,
    protocols: Iterable[str],
    densities: Iterable[float],
    seeds: Iterable[int] | int,
    model: str | None = None,
    recipe: Recipe | None = None,
    query: Recipe | None = None,
    initialisations: int = 5,
    val_share: float = 1.0,
    val_noise: float = 0.0,
    smoothing: float = 0.0,
    rule: str = "densities",
    imbalance: float = 1.0,
) -> list[Trial]:
    """Return the trials of every protocol at every density and seed, each trial once.

    Parameters
    ----------
    dataset : str
        A name of ``datasets.load``; it chooses `model` and `recipe` where they are not given.
    protocols : iterable of str
        Names of ``pruning.parse``; "full", and any protocol at density 1, is one trial a seed.
    densities : iterable of float
        In (0, 1].
    seeds : iterable of int, or int
        Which, or how many.
    model : str, optional
        A name of ``models.build``.
    recipe, query : Recipe, optional
        Of the final models, and of the short query models; default: a tenth of `recipe`.
    initialisations : int
        Short query models a seed; recalls and scores are averaged over them.
    val_share, val_noise : float
        Share of each class's validation samples that recalls are measured on, and of their labels
        the share that is wrong.
    smoothing, rule : float, {"densities", "counts"}
        As in ``quotas.drop_densities``.
    imbalance : float
        Imbalance factor I >= 1 of the training set, see ``datasets.load_imbalanced``.

    Returns
    -------
    list of Trial
        Seed by seed.

    Raises
    ------
    ValueError
        For an unknown name, a density outside (0, 1], another number that is not as ``OPTIONS`` has
        it, or a recipe with another loss than "ce": it is the protocol that says where CDB-W comes
        in.
    """
    options = (initialisations, val_share, val_noise, smoothing, rule, imbalance)
    check_table(dict(zip(OPTIONS, options, strict=True)), OPTIONS, "a grid")
    if model is None or recipe is None:  # own data sets may have no defaults
        model, default_recipe = recipes.defaults(dataset, model)
        recipe = recipe or default_recipe
    for given in filter(None, (recipe, query)):
        if given.loss != "ce":
            raise ValueError(
                f"a grid's recipe has loss {given.loss!r}: leave it 'ce' and name the loss in the "
                "protocol, as in 'full+cdbw'"
            )
    query = queries.plain(query) if query else queries.short_recipe(recipe)
    inputs, versions = inputs_of(dataset, model), functools.cache(version)
    if isinstance(seeds, int | np.integer):
        check(seeds, COUNT, "seeds")
        seeds = range(seeds)
    wanted = list(seeds)
    for seed in wanted:
        check(seed, SEED, "seed")
    trials = {}
    for seed, protocol, density in product(map(int, wanted), protocols, densities):
        # As Python's own numbers: 1 and NumPy's 1.0 are one smoothing and must be one key.
        seen = (float(val_share), float(val_noise), float(imbalance))
        short = Query(dataset, model, seed, query, "short", initialisations, *seen, inputs)
        whole = queries.plain(recipe)
        long = Query(dataset, model, seed, whole, "long", 1, imbalance=seen[-1], inputs=inputs)
        trial = _trial(protocol, density, recipe, short, long, float(smoothing), rule, versions)
        trials[trial] = None
    return list(trials)


def _trial(
    protocol: str,
    density: float,
    recipe: Recipe,
    short: Query,
    long: Query,
    smoothing: float,
    rule: str,
    versions: Callable[[str], str],
) -> Trial:
    """The trial of a protocol without what the protocol does not use."""
    plan = parse(protocol)
    check_density(density, zero=False)
    if density == 1 or plan.ranking == "full":
        # Nothing is pruned, whatever the protocol: only the loss of the final model is left.
        protocol, density = "full" + "+cdbw" * (plan.loss == "cdbw"), 1.0
        plan = parse(protocol)
    short, long = (
        replace(query, recipe=replace(query.recipe, loss=plan.query_loss))
        for query in (short, long)
    )
    queried = plan.needs_recalls and not plan.dynamic
    if not queried:
        short = replace(short, val_share=1.0, val_noise=0.0)
    asked = [{"short": short, "long": long}[SCORES[each].schedule] for each in plan.strategies]
    if len(set(asked[:-1])) > 1:
        raise ValueError(f"the rule of {protocol!r} needs scores of short and long query models")
    return Trial(
        dataset=short.dataset,
        model=short.model,
        protocol=protocol,
        density=float(density),
        seed=short.seed,
        recipe=replace(recipe, loss=plan.loss),
        recall_query=short if queried else None,
        score_query=asked[0] if asked else None,
        smoothing=smoothing if plan.needs_recalls else 0.0,
        rule=rule if plan.needs_recalls else "densities",
        imbalance=short.imbalance,
        score_version=versions(protocol),
        inputs=short.inputs,
        quota_query=asked[-1] if len(set(asked)) > 1 else None,
    )
