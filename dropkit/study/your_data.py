"""The guide's experiments: under-samplers on data that ship with scikit-learn, paired by seed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError
from itertools import product
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
from tqdm import tqdm

from dropkit import datasets
from dropkit._common.checks import Floats, Ints
from dropkit._common.rounding import budget
from dropkit.metrics import class_recalls
from dropkit.quotas import class_counts, variance_densities
from dropkit.sampler.under_sampler import DRoPSampler
from dropkit.store.folder import Store
from dropkit.store.records import Record
from dropkit.study import fits
from dropkit.study.curves import Curves


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
SAMPLERS = (RANDOM, BALANCED, NEAR_MISS, HARDNESS, DROP, DROP_10)
CROSS, VALIDATED = "cross-validated", "validated"
# Fits of a classifier until the final one is there, at one density: some cross-validate before.
FITS = dict.fromkeys((FULL, WEIGHTED, *SAMPLERS), 1) | dict.fromkeys((HARDNESS, DROP, DROP_10), 6)


class Comparison(NamedTuple):
    """Recalls (seeds, classes) on test samples, and the fractions really kept (seeds,).

    By method, and by density or, from `trust`, by the number of validation samples a class.
    """

    recalls: Curves
    kept: Mapping[str, Mapping[float, Floats]]


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


def compare(case: Case, densities: Sequence[float], seeds: int, *, store: Store) -> Comparison:
    """Train on halves pruned by each method, and measure recalls on the other halves.

    Each seed draws its own stratified halves. All methods are asked for the same number of samples;
    those of imbalanced-learn share it out equally. DRoP's recalls come from five-fold
    cross-validation of the same classifier on the training half, once for all densities. Only
    what the store lacks is trained.
    """
    whole = [FULL, WEIGHTED] if case.classifier == "logistic" else [FULL]
    cells = [(method, 1.0) for method in whole]
    cells += product(SAMPLERS, map(float, densities))
    asked = {(method, density): {"method": method, "density": density} for method, density in cells}
    return _comparison("compare", case, asked, seeds, store)


def trust(
    case: Case,
    per_class: Sequence[int],
    smoothings: Sequence[float],
    density: float,
    seeds: int,
    *,
    store: Store,
) -> Comparison:
    """Prune with recalls measured on few validation samples a class, at several smoothings.

    Half of the data are for training, a quarter each for validation and test. The training half
    and the test quarter of a seed stay the same while its validation set shrinks. `RANDOM` and
    `CROSS`, five-fold cross-validation on the training half, take no validation samples. Only what
    the store lacks is trained.
    """
    asked: dict[tuple[str, float], fits.Settings] = {}
    for count in per_class:
        for method in (RANDOM, CROSS):  # the same fits for each number
            asked[method, count] = {"method": method, "per_class": 0, "smoothing": 0.0}
        for smoothing in map(float, smoothings):
            used = {"per_class": count, "smoothing": smoothing}
            asked[f"smoothing {smoothing:g}", count] = {"method": VALIDATED, **used}
    asked = {cell: settings | {"density": float(density)} for cell, settings in asked.items()}
    return _comparison("trust", case, asked, seeds, store)


Data = tuple[Floats, Ints]
Measure = Callable[[Case, Data, int, Sequence[fits.Settings]], Iterator[fits.Measured]]


def _comparison(
    experiment: str,
    case: Case,
    asked: Mapping[tuple[str, float], fits.Settings],
    seeds: int,
    store: Store,
) -> Comparison:
    """The records of what is asked for each method and density or number, seed by seed."""
    X, y, _ = load(case)
    shared = {"experiment": experiment, **case._asdict(), "inputs": fits.digest(X, y)}
    of_seeds = [
        fits.recorded(
            [shared | {"seed": seed} | each for each in asked.values()],
            partial(_MEASURES[experiment], case, (X, y), seed),
            store,
        )
        for seed in tqdm(range(seeds), desc=f"{experiment}: {case.data}", unit="split")
    ]
    found = Comparison({}, {})
    for (method, place), rows in zip(asked, zip(*of_seeds, strict=True), strict=True):
        kept = [sum(row["kept"]) / sum(row["class_sizes"]) for row in rows]
        found.recalls.setdefault(method, {})[place] = np.array([row["recalls"] for row in rows])
        found.kept.setdefault(method, {})[place] = np.array(kept)
    return found


def measure_again(record: Record) -> Callable[[], Record] | None:
    """What measures a stored fit anew; None where another fit would come of it."""
    try:
        fit = dict(record["fit"])
        case = Case(*map(fit.get, Case._fields))
        X, y, _ = load(case)
        fit["inputs"] = fits.digest(X, y)
        ((name, _),) = fits.described([fit])
        if name != record["key"]:
            return None
        measure = partial(_MEASURES[fit["experiment"]], case, (X, y), fit["seed"])
    except (KeyError, TypeError, ValueError, PackageNotFoundError):
        return None
    return lambda: fits.plain(*measure([fit]))


def _compared(
    case: Case, data: Data, seed: int, wanted: Sequence[fits.Settings]
) -> Iterator[fits.Measured]:
    X_train, X_test, y_train, y_test = halves(*data, seed)
    samplers = _samplers(case, X_train, y_train, seed)
    for fit in wanted:
        weights = {"class_weight": "balanced"} if fit["method"] == WEIGHTED else {}
        kept = samplers[fit["method"]](fit["density"])
        model = classifier(case.classifier, **weights).fit(*kept)
        yield _outcome(model, (X_train, y_train), kept, (X_test, y_test))


def _trusted(
    case: Case, data: Data, seed: int, wanted: Sequence[fits.Settings]
) -> Iterator[fits.Measured]:
    X_train, X_rest, y_train, y_rest = halves(*data, seed)
    X_val, X_test, y_val, y_test = halves(X_rest, y_rest, seed)
    fitted = classifier(case.classifier).fit(X_train, y_train)
    for fit in wanted:
        if fit["method"] == RANDOM:
            kept = _random(X_train, y_train, seed, fit["density"])
        else:
            source = {"estimator": classifier(case.classifier), "smoothing": 1.0}
            if fit["method"] == VALIDATED:
                few = first_of_each(y_val, fit["per_class"])
                source = {"estimator": fitted, "validation": (X_val[few], y_val[few])}
                source["smoothing"] = fit["smoothing"]
            sampler = DRoPSampler(fit["density"], minimum=0, random_state=seed, **source)
            kept = sampler.fit_resample(X_train, y_train)
        model = classifier(case.classifier).fit(*kept)
        yield _outcome(model, (X_train, y_train), kept, (X_test, y_test))


_MEASURES: dict[str, Measure] = {"compare": _compared, "trust": _trusted}


def _outcome(model: BaseEstimator, train: Data, kept: Data, test: Data) -> fits.Measured:
    """What is recorded of a fitted classifier: test recalls, and class sizes before and after."""
    sizes = np.bincount(train[1])
    return {
        "recalls": class_recalls(test[1], model.predict(test[0]), len(sizes)),
        "class_sizes": sizes,
        "kept": np.bincount(kept[1], minlength=len(sizes)),
    }


def first_of_each(labels: Ints, count: int) -> Ints:
    """Return the indices of the first `count` samples of every class 0 .. K-1."""
    return np.concatenate([np.flatnonzero(labels == k)[:count] for k in range(labels.max() + 1)])


def halves(X: Floats, y: Ints, seed: int) -> list:
    """Return X_train, X_test, y_train, y_test: stratified halves drawn by the seed."""
    return train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)


def _random(X: Floats, y: Ints, seed: int, density: float) -> Data:
    part = np.random.default_rng(seed).permutation(len(y))[: budget(len(y), density)]
    return X[part], y[part]


def _samplers(case: Case, X: Floats, y: Ints, seed: int) -> dict[str, Callable[[float], Data]]:
    """Return what keeps a part of the data at a density, by method; of two methods, all."""
    sizes = np.bincount(y)
    model = classifier(case.classifier)
    measured = DRoPSampler(estimator=model, random_state=seed).fit(X, y)

    def drop(density: float, smoothing: float = 10) -> Data:
        known = {"recalls": measured.recalls_, "below": "keep", "random_state": seed}
        return DRoPSampler(density, smoothing=smoothing, **known).fit_resample(X, y)

    def sampled(sampler: type, density: float, **settings: object) -> Data:
        counts = equal_counts(sizes, density)
        return sampler(sampling_strategy=counts, **settings).fit_resample(X, y)

    return {
        **dict.fromkeys((FULL, WEIGHTED), lambda density: (X, y)),
        RANDOM: partial(_random, X, y, seed),
        BALANCED: partial(sampled, RandomUnderSampler, random_state=seed),
        NEAR_MISS: partial(sampled, NearMiss),
        HARDNESS: partial(sampled, InstanceHardnessThreshold, estimator=model, random_state=seed),
        DROP: partial(drop, smoothing=1),
        DROP_10: drop,
    }
