"""Is pruning worth it on one's own data? What could be done, on paired folds, and a verdict."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.utils import _safe_indexing

from dropkit._common.checks import Floats, Ints, check_density, check_whole
from dropkit._common.labels import encode
from dropkit.pruning import prune
from dropkit.sampler.keeping import keep
from dropkit.sampler.recalls import default_estimator, measure_recalls
from dropkit.sampler.under_sampler import DRoPSampler

FULL, WEIGHTS = "full data", "class weighting"
RANDOM, BALANCE, DROP = "random pruning", "balancing", "DRoP"
_DRAWS, _LEVEL = 2000, 0.95
Cell = tuple[str, float]  # a method at a density


class Choice(NamedTuple):
    """A method at a density: accuracy and worst recall with intervals, and the paired gain of the
    worst class over the full data, all in [0, 1]; each triple is (value, low, high)."""

    method: str
    density: float
    average: tuple[float, float, float]
    worst: tuple[float, float, float]
    gain: tuple[float, float, float]


class Advice(NamedTuple):
    """A sentence, what it rests on, and the sampler it recommends, unfitted, or None."""

    verdict: str
    table: tuple[Choice, ...]
    sampler: Any


def advise(
    X: Any,
    y: ArrayLike,
    estimator: BaseEstimator | None = None,
    *,
    densities: Sequence[float] = (0.3, 0.5, 0.7),
    cv: int = 5,
    repeats: int = 2,
    seed: int = 0,
) -> Advice:
    """Compare pruning, balancing, DRoP and class weights on one's own data, and say what to do.

    Each is trained on the same folds and predicts the same samples. Intervals are of a bootstrap
    of these samples within classes, paired, at 95 % for all gains together (Bonferroni); they
    take the folds as they are.

    Parameters
    ----------
    X : array, data frame or sparse matrix of shape (n, ...)
        Samples.
    y : (n,) array_like
        Classes, each of at least 2·cv samples.
    estimator : classifier, optional
        What is going to be trained; by default a logistic regression on scaled features. Class
        weights are tried where it or a step of it has the parameter `class_weight`.
    densities : sequence of float
        Fractions to keep, in (0, 1).
    cv, repeats : int
        Folds, and how often they are drawn.
    seed : int
        Of the folds, the samples kept and the bootstrap.

    Returns
    -------
    Advice
        The simplest of weights, balancing and DRoP that raises the worst class above the full
        data's and is not worse than the best of them; or else than random pruning at its density.

    Raises
    ------
    ValueError
        For a class with too few samples, or a value out of its range.
    """
    classes, codes = encode(y, "y")
    for density in densities:
        check_density(density, zero=False)
    check_whole(cv, "cv", 2)
    check_whole(repeats, "repeats", 1)
    sizes = np.bincount(codes)
    if classes.size < 2 or sizes.min() < 2 * cv:
        few = classes[np.argmin(sizes)]
        raise ValueError(
            f"class {few} has {sizes.min()} samples and there are {classes.size} classes: expected "
            f"two classes or more, and {2 * cv} samples of each for cv={cv}"
        )
    estimator = default_estimator(X) if estimator is None else estimator
    right: dict[Cell, Floats] = {}
    folds = RepeatedStratifiedKFold(n_splits=cv, n_repeats=repeats, random_state=seed)
    for number, (train, test) in enumerate(folds.split(codes, codes)):
        X_test = _safe_indexing(X, test)
        data = (_safe_indexing(X, train), np.asarray(y)[train], codes[train])
        for cell, model in _trained(*data, classes, estimator, densities, cv, seed + number):
            hits = np.ravel(model.predict(X_test)) == np.asarray(y)[test]
            right.setdefault(cell, np.zeros(codes.size))[test] += hits / repeats
    drawn = _bootstrap(np.array(list(right.values())), codes, seed)
    compared = _Compared(dict(zip(right, drawn, strict=True)), sizes)
    found = compared.chosen()
    sampler = _sampler(found[0], classes, codes, estimator, seed) if found else None
    return Advice(compared.verdict(), compared.table(), sampler)


def _trained(
    X: Any,
    y: np.ndarray,
    codes: Ints,
    classes: np.ndarray,
    estimator: BaseEstimator,
    densities: Sequence[float],
    cv: int,
    seed: int,
) -> Iterator[tuple[Cell, BaseEstimator]]:
    """Yield what is compared, by method and density, fitted to a training fold."""
    yield (FULL, 1.0), clone(estimator).fit(X, y)
    weights = [name for name in estimator.get_params() if name.endswith("class_weight")]
    if weights:
        balanced = dict.fromkeys(weights, "balanced")
        yield (WEIGHTS, 1.0), clone(estimator).set_params(**balanced).fit(X, y)
    recalls, val_sizes = measure_recalls(
        estimator, X, y, codes, classes, groups=False, validation=None, cv=cv, seed=seed
    )
    for density in map(float, densities):
        with warnings.catch_warnings():  # folds may well be easy
            warnings.filterwarnings("ignore", "all recalls are 1")
            by_drop = keep(codes, density, recalls, val_sizes=val_sizes, below="keep", seed=seed)
        parts = {
            RANDOM: prune("random", codes, density, seed=seed),
            BALANCE: prune("random+balance", codes, density, seed=seed),
            DROP: by_drop.indices,
        }
        for method, part in parts.items():
            model = clone(estimator).fit(_safe_indexing(X, part), y[part])
            yield (method, density), model


def _bootstrap(right: Floats, codes: Ints, seed: int) -> Floats:
    """Return recalls (cells, 1 + draws, K), first as measured; one draw for all cells alike."""
    rng = np.random.default_rng(seed)
    found = np.empty((len(right), 1 + _DRAWS, codes.max() + 1))
    for k in range(codes.max() + 1):
        of_class = right[:, codes == k]
        found[:, 0, k] = of_class.mean(axis=1)
        for draw in range(1, 1 + _DRAWS):
            sample = rng.integers(of_class.shape[1], size=of_class.shape[1])
            times = np.bincount(sample, minlength=of_class.shape[1])
            found[:, draw, k] = of_class @ times / len(times)
    return found


def _triple(draws: Floats, comparisons: int = 1) -> tuple[float, float, float]:
    """The value as measured, and the ends of its interval."""
    tail = (1 - _LEVEL) / 2 / comparisons
    low, high = np.quantile(draws[1:], [tail, 1 - tail])
    return float(draws[0]), float(low), float(high)


class _Compared:
    """Recalls (1 + draws, K) by method and density, and intervals of what they say."""

    def __init__(self, recalls: dict[Cell, Floats], sizes: Ints) -> None:
        self.cells = list(recalls)
        self.worst = {cell: of_cell.min(axis=-1) for cell, of_cell in recalls.items()}
        self.average = {cell: of_cell @ sizes / sizes.sum() for cell, of_cell in recalls.items()}

    def over(self, cell: Cell, other: Cell) -> tuple[float, float, float]:
        """The gain in the worst class, as one of as many comparisons as there are cells."""
        return _triple(self.worst[cell] - self.worst[other], len(self.cells) - 1)

    def table(self) -> tuple[Choice, ...]:
        return tuple(
            Choice(
                *cell,
                _triple(self.average[cell]),
                _triple(self.worst[cell]),
                self.over(cell, (FULL, 1.0)),
            )
            for cell in self.cells
        )

    def chosen(self) -> tuple[Cell, Cell] | None:
        """What to do, and what it is better than; None where nothing is better than anything."""
        kinds = [WEIGHTS, BALANCE, DROP]  # the simplest first
        ours = [cell for cell in self.cells if cell[0] in kinds]
        better = {cell: (FULL, 1.0) for cell in ours if self.over(cell, (FULL, 1.0))[1] > 0}
        if not better:
            pairs = [(cell, (RANDOM, cell[1])) for cell in ours if cell[0] != WEIGHTS]
            better = {cell: other for cell, other in pairs if self.over(cell, other)[1] > 0}
        if not better:
            return None
        best = max(better, key=lambda cell: float(self.worst[cell][0]))
        as_good = [cell for cell in better if self.over(best, cell)[1] <= 0]
        one = min(as_good, key=lambda cell: (kinds.index(cell[0]), -self.worst[cell][0]))
        return one, better[one]

    def verdict(self) -> str:
        """The sentence, and one on DRoP where it is not chosen and does harm."""
        full, harm = (FULL, 1.0), ""
        harmed = [c for c in self.cells if c[0] == DROP and self.over(c, (RANDOM, c[1]))[2] < 0]
        if harmed:
            most = min(harmed, key=lambda cell: self.over(cell, (RANDOM, cell[1]))[0])
            loss = 100 * self.over(most, (RANDOM, most[1]))[0]
            harm = f" {_name(most)} changes the worst class by {loss:+.1f} points against random's."
        if (found := self.chosen()) is None:
            at = f"{self.worst[full][0]:.1%}"
            return (
                f"Leave the data as they are: nothing raises the worst class, {at}, above the full "
                f"data's, nor at any density above random pruning's.{harm}"
            )
        one, other = found
        value, low, high = (100 * each for each in self.over(one, other))
        cost = 100 * (self.average[one][0] - self.average[other][0])
        shrunk = (
            "Nothing raises the worst class above the full data's, but if they must shrink, "
            * (other != full)
        )
        said = (
            f"{shrunk}{_name(one)} raises the worst class by {value:.1f} points ({low:.1f} to "
            f"{high:.1f}) against {_name(other)}, to {self.worst[one][0]:.1%}, and changes the "
            f"average by {cost:+.1f}.{harm * (one[0] != DROP)}"
        )
        return said[0].upper() + said[1:]


def _name(cell: Cell) -> str:
    return cell[0] if cell[0] in (FULL, WEIGHTS) else f"{cell[0]} at density {cell[1]:g}"


def _sampler(
    cell: Cell, classes: np.ndarray, codes: Ints, estimator: BaseEstimator, seed: int
) -> Any:
    """The sampler that does what is chosen; None where all samples stay."""
    method, density = cell
    if method == DROP:
        return DRoPSampler(density, estimator=estimator, below="keep", random_state=seed)
    if method == WEIGHTS:
        return None
    counts = np.bincount(codes[prune("random+balance", codes, density)]).tolist()
    wanted = dict(zip(classes.tolist(), counts, strict=True))
    return RandomUnderSampler(sampling_strategy=wanted, random_state=seed)
