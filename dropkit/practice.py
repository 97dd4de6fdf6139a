"""The guide's experiments: under-samplers on data that ship with scikit-learn, paired by seed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from imblearn.under_sampling import InstanceHardnessThreshold, NearMiss, RandomUnderSampler
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dropkit import datasets
from dropkit.figures import Curves
from dropkit.metrics import Difference, class_recalls, paired_difference
from dropkit.quotas import Floats, Ints, budget, class_counts, variance_densities
from dropkit.sampler import DRoPSampler


class Case(NamedTuple):
    """One data set and one classifier; `features` are columns of a table, None for all."""

    data: str
    classifier: str
    features: tuple[str, ...] | None = None


CASES = {
    "2 × 4 digits, neighbours": Case("digits-2x4", "neighbours"),
    "2 × 4 digits, logistic": Case("digits-2x4", "logistic"),
    "8 × 8 digits, logistic": Case("digits", "logistic"),
    "tumours, logistic": Case(
        "breast-cancer", "logistic", ("mean texture", "mean smoothness", "mean symmetry")
    ),
    "wine, logistic": Case("wine", "logistic", ("alcohol", "malic_acid", "ash")),
}
FULL, WEIGHTED, RANDOM = "Full data", "Full data, class weights", "Random"
BALANCED, NEAR_MISS, HARDNESS = "RandomUnderSampler", "NearMiss", "InstanceHardnessThreshold"
DROP, DROP_10 = "DRoPSampler", "DRoPSampler, smoothing=10"
CROSS = "cross-validated"
# Fits of a classifier until the final one is there, at one density.
FITS = {
    FULL: 1,
    WEIGHTED: 1,
    RANDOM: 1,
    BALANCED: 1,
    NEAR_MISS: 1,
    HARDNESS: 6,
    DROP: 6,
    DROP_10: 6,
}


Results = dict[str, dict[float, list]]  # method -> density, or another setting -> one entry a seed


class Comparison(NamedTuple):
    """Recalls (seeds, classes) on the test half, and the fractions really kept (seeds,)."""

    recalls: Curves
    kept: Mapping[str, Mapping[float, Floats]]


class Trust(NamedTuple):
    """The same by validation samples a class in place of the density, with class densities."""

    recalls: Curves
    quotas: Mapping[str, Mapping[float, Floats]]


def load(case: Case) -> tuple[Floats, Ints, tuple[str, ...]]:
    """Return the features (n, d), labels (n,) and class names of a case."""
    tables = {"breast-cancer": load_breast_cancer, "wine": load_wine}
    if case.data not in tables:
        data = datasets.load(case.data)
        return data.x.reshape(len(data.y), -1).astype(float), data.y, data.classes
    table = tables[case.data]()
    names = list(table.feature_names)
    columns = [names.index(name) for name in case.features or names]
    return table.data[:, columns], table.target, tuple(map(str, table.target_names))


def classifier(kind: str, **settings: str) -> BaseEstimator:
    """Return "logistic" regression or 5 nearest "neighbours", on scaled features."""
    if kind == "neighbours":
        return make_pipeline(StandardScaler(), KNeighborsClassifier(5))
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, **settings))


def equal_counts(sizes: Ints, density: float) -> dict[int, int]:
    """Return a sampling strategy of equal counts, as far as the classes reach, for a density."""
    densities = variance_densities(sizes, np.ones(len(sizes)), density)
    total = budget(int(sizes.sum()), density)
    return dict(enumerate(class_counts(sizes, densities, total=total).tolist()))


def compare(case: Case, densities: Sequence[float], seeds: int) -> Comparison:
    """Train on halves pruned by each method, and measure recalls on the other halves.

    Each seed draws its own stratified halves. All methods are asked for the same number of samples;
    those of imbalanced-learn share it out equally. DRoP's recalls come from five-fold
    cross-validation of the same classifier on the training half, once for all densities.
    """
    recalls: Results = {}
    kept: Results = {}
    X, y, classes = load(case)
    for seed in range(seeds):
        X_train, X_test, y_train, y_test = halves(X, y, seed)
        chosen = {(FULL, 1.0): ((X_train, y_train), {})}
        if case.classifier == "logistic":
            chosen[WEIGHTED, 1.0] = (X_train, y_train), {"class_weight": "balanced"}
        samplers = _samplers(case, X_train, y_train, seed)
        for density in densities:
            chosen |= {(name, density): (pick(density), {}) for name, pick in samplers.items()}
        for (method, density), (data, settings) in chosen.items():
            model = classifier(case.classifier, **settings).fit(*data)
            found = class_recalls(y_test, model.predict(X_test), len(classes))
            recalls.setdefault(method, {}).setdefault(density, []).append(found)
            kept.setdefault(method, {}).setdefault(density, []).append(len(data[1]) / len(y_train))
    return Comparison(_stacked(recalls), _stacked(kept))


def trust(
    case: Case, per_class: Sequence[int], smoothings: Sequence[float], density: float, seeds: int
) -> Trust:
    """Prune with recalls measured on few validation samples a class, at several smoothings.

    Half of the data are for training, a quarter each for validation and test. The training half
    and the test quarter of a seed stay the same while its validation set shrinks. `CROSS` takes
    no validation samples: five-fold cross-validation on the training half.
    """
    recalls: Results = {}
    quotas: Results = {}
    X, y, classes = load(case)
    for seed in range(seeds):
        X_train, X_rest, y_train, y_rest = halves(X, y, seed)
        X_val, X_test, y_val, y_test = halves(X_rest, y_rest, seed)
        fitted = classifier(case.classifier).fit(X_train, y_train)

        def recall(data: tuple) -> Floats:
            model = classifier(case.classifier).fit(*data)
            return class_recalls(y_test, model.predict(X_test), len(classes))  # noqa: B023

        def drop(**settings: object) -> Floats:
            sampler = DRoPSampler(density, minimum=0, random_state=seed, **settings)  # noqa: B023
            found = recall(sampler.fit_resample(X_train, y_train))  # noqa: B023
            return found, sampler.densities_

        plain = recall(_random(X_train, y_train, seed)(density))
        crossed, _ = drop(estimator=classifier(case.classifier))
        for count in per_class:
            few = np.concatenate([np.flatnonzero(y_val == k)[:count] for k in range(len(classes))])
            recalls.setdefault(RANDOM, {}).setdefault(count, []).append(plain)
            recalls.setdefault(CROSS, {}).setdefault(count, []).append(crossed)
            for smoothing in smoothings:
                found, densities = drop(
                    estimator=fitted, validation=(X_val[few], y_val[few]), smoothing=smoothing
                )
                label = f"smoothing {smoothing:g}"
                recalls.setdefault(label, {}).setdefault(count, []).append(found)
                quotas.setdefault(label, {}).setdefault(count, []).append(densities)
    return Trust(_stacked(recalls), _stacked(quotas))


def differences(recalls: Curves, first: str, second: str, density: float) -> dict[str, Difference]:
    """Return first − second in "average" and "worst" class, in points, paired by seed.

    A method that prunes nothing is compared at density 1. Intervals are 95 % t intervals.
    """
    a, b = (recalls[name].get(density, recalls[name].get(1.0)) for name in (first, second))
    found = {
        "average": paired_difference(a, b, lambda each: each.mean(axis=1)),
        "worst": paired_difference(a, b),
    }
    return {name: Difference(*(100 * np.array(each))) for name, each in found.items()}


def halves(X: Floats, y: Ints, seed: int) -> list:
    """Return X_train, X_test, y_train, y_test: stratified halves drawn by the seed."""
    return train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)


def _random(X: Floats, y: Ints, seed: int) -> Callable[[float], tuple]:
    order = np.random.default_rng(seed).permutation(len(y))

    def pick(density: float) -> tuple:
        part = order[: budget(len(y), density)]
        return X[part], y[part]

    return pick


def _samplers(case: Case, X: Floats, y: Ints, seed: int) -> dict[str, Callable[[float], tuple]]:
    """Return what keeps a part of the data at a density, by method."""
    sizes = np.bincount(y)
    model = classifier(case.classifier)
    measured = DRoPSampler(estimator=model, random_state=seed).fit(X, y)

    def drop(density: float, **settings: float) -> tuple:
        settings |= {"recalls": measured.recalls_, "below": "keep", "random_state": seed}
        return DRoPSampler(density, **settings).fit_resample(X, y)

    def sampled(sampler: type, density: float, **settings: object) -> tuple:
        counts = equal_counts(sizes, density)
        return sampler(sampling_strategy=counts, **settings).fit_resample(X, y)

    return {
        RANDOM: _random(X, y, seed),
        BALANCED: partial(sampled, RandomUnderSampler, random_state=seed),
        NEAR_MISS: partial(sampled, NearMiss),
        HARDNESS: partial(sampled, InstanceHardnessThreshold, estimator=model, random_state=seed),
        DROP: drop,
        DROP_10: partial(drop, smoothing=10),
    }


def _stacked(results: Results) -> dict[str, dict[float, Floats]]:
    return {
        method: {setting: np.array(each) for setting, each in by_setting.items()}
        for method, by_setting in results.items()
    }
