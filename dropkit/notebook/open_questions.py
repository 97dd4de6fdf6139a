"""What the chapter on open questions computes from records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from dropkit import datasets
from dropkit.datasets.data import Data
from dropkit.datasets.swapped import swapped
from dropkit.figures.names import name
from dropkit.figures.tables import Table, number, points, with_interval
from dropkit.metrics import Difference, over_seeds, student
from dropkit.notebook import larger_scales
from dropkit.store.folder import Store
from dropkit.store.records import Record
from dropkit.study.curves import (
    TITLES,
    Cells,
    Curves,
    Setting,
    by_protocol,
    shared_seeds,
    stacked,
)
from dropkit.study.measures import between, compare, difference, gain
from dropkit.study.trials import Trial, grid
from dropkit.theory import shapes

RANDOM = "random"
FROZEN = "cifar100-features"
Run = Callable[[Sequence[Trial]], Iterable[Record]]
Gains = Mapping[str, Mapping[str, Difference]]  # by case and rule


def by_validation(records: Iterable[Record]) -> dict[str, dict[float, np.ndarray]]:
    """Return recalls (S, K) of random pruning, and of DRoP by its validation samples a class.

    Of one data set and density, and of the seeds that all have; labels name the pseudo-count, 0 the
    rule as printed.

    Parameters
    ----------
    records : iterable of Record
        Trials of Random and Random+DRoP.
    """
    found: dict[str, dict[float, dict[int, list[float]]]] = {}
    for record in records:
        trial = record["trial"]
        count, name = 1.0, RANDOM  # stands at every number
        if trial["protocol"] != RANDOM:
            count = round(float(np.mean(record["query"]["val_sizes"])))
            name = f"pseudo-count {trial['smoothing']:g}" if trial["smoothing"] else "as printed"
        found.setdefault(name, {}).setdefault(count, {})[trial["seed"]] = record["recalls"]
    shared = set.intersection(*(set(rows) for of in found.values() for rows in of.values()))
    return {
        name: {
            count: np.array([rows[seed] for seed in sorted(shared)])
            for count, rows in sorted(counts.items())
        }
        for name, counts in sorted(found.items())
    }


def enough(curves: Curves, label: str, measure: str) -> Difference:
    """Return from how many validation samples a class on a label gains on random pruning.

    Where the mean gain crosses 0 for the last time, interpolated in the logarithm of the number;
    its ends are where those of the gain's interval, paired by seed, do. The least number measured
    stands for gains throughout, infinity for a loss with the most.

    Parameters
    ----------
    curves : Curves
        From `by_validation`.
    label : str
        One of them.
    measure : str
        A key of ``study.MEASURES``.
    """
    found = compare(curves, label, RANDOM, [measure])
    value, low, high = np.array([each[measure] for each in found.values()]).T
    return Difference(*(crossing(list(found), gains) for gains in (value, high, low)))


def crossing(counts: Sequence[float], gains: Sequence[float]) -> float:
    """Return where gains (N,) at rising counts (N,) cross 0 for the last time, upwards."""
    logs, gains = np.log(counts), np.asarray(gains)
    if gains[-1] <= 0:
        return np.inf
    if (gains > 0).all():
        return float(counts[0])
    left = np.flatnonzero(gains <= 0)[-1]
    here, there = gains[left : left + 2]
    return float(np.exp(logs[left] + np.diff(logs)[left] * here / (here - there)))


def told(found: Difference, counts: Iterable[float]) -> str:
    """Say from how many samples a class on there is a gain, in words that the numbers choose."""
    least, most = min(counts), max(counts)
    value, low, high = found
    if value > most:
        return f"not even with {most:g}"
    start = (
        f"from {least:g}, the least, on" if value <= least else f"from {number(value, '.0f')} on"
    )
    ends = (number(min(max(end, least), most), ".0f") for end in (low, high))
    return f"{start} [{', '.join(ends)}]"


def safest(gains: Mapping[str, Mapping[str, Difference]], others: Iterable[str]) -> str:
    """Return the rule whose least gain over some cases is highest.

    Parameters
    ----------
    gains : mapping of str to mapping of str to Difference
        By case and rule; rules that lack a case anywhere are left out.
    others : iterable of str
        Cases to choose on.
    """
    rules = [
        rule for rule in next(iter(gains.values())) if all(rule in of for of in gains.values())
    ]
    cases = list(others)
    return max(rules, key=lambda rule: min(gains[case][rule].value for case in cases))


def break_even(plus: np.ndarray, minus: np.ndarray, hard: np.ndarray) -> Difference:
    """Return how much of a test its hard classes must be for two averages to be equal.

    In [0, 1] with an interval over seeds, classes alike within the hard and within the others; of
    rules that gain on the hard classes.

    Parameters
    ----------
    plus, minus : (S, K) array
        Recalls with the same seeds.
    hard : (K,) array of bool
        Which classes.
    """
    moved = plus - minus
    ends = np.stack([moved[:, hard].mean(axis=1), moved[:, ~hard].mean(axis=1)])

    def share(weights: np.ndarray) -> np.ndarray:
        gain, loss = weights @ ends[0], weights @ ends[1]
        return np.clip(
            np.where(gain > loss, -loss / np.where(gain > loss, gain - loss, 1), 1), 0, 1
        )

    return over_seeds(share, len(moved))


def spreads(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return each class's deviation about its mean, and the distance to the nearest other mean.

    (K,) each, of the training samples' vectors; the deviation is the root of the mean squared
    distance.

    Parameters
    ----------
    data : Data
        Of a frozen network, with samples (N, d).
    """
    x, y = data.x[data.train], data.y[data.train]
    means = np.stack([x[y == k].mean(axis=0) for k in range(data.num_classes)])
    own = [((x[y == k] - mean) ** 2).sum(axis=1).mean() ** 0.5 for k, mean in enumerate(means)]
    apart = np.linalg.norm(means[:, None] - means, axis=2) + np.diag(np.full(len(means), np.inf))
    return np.array(own), apart.min(axis=1)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> Difference:
    """Return Spearman's correlation of two numbers of each class, with a bootstrap over classes."""
    ranks = np.stack([rankdata(x), rankdata(y)])

    def correlation(weights: np.ndarray) -> np.ndarray:
        first, second = weights @ ranks[0], weights @ ranks[1]
        products = [weights @ (ranks[i] * ranks[j]) for i, j in ((0, 1), (0, 0), (1, 1))]
        joint, one, two = products[0] - first * second, products[1] - first**2, products[2]
        return joint / np.sqrt(one * (two - second**2))

    return over_seeds(correlation, len(x))


def on_cifar100(density: float) -> list[Record]:
    """Return the published records of Random and Random+DRoP on CIFAR-100's hundred classes."""
    asked = {"dataset": FROZEN, "density": density, "imbalance": 1.0, "rule": "densities"}

    def wanted(record: Record) -> bool:
        trial = record.get("trial", {})
        return asked.items() <= trial.items() and trial["protocol"] in (RANDOM, "random+drop")

    return list(Store(larger_scales.FOLDER).select(wanted))


def hardest(recalls: np.ndarray) -> np.ndarray:
    """Return which classes are the tenth of lowest mean recall, (K,) bool, of recalls (S, K)."""
    level = recalls.mean(axis=0)
    return level <= np.sort(level)[max(1, round(0.1 * level.size)) - 1]


def over_shifts(
    found: Mapping[Setting, Cells], label: str, density: float, measure: str, classes: Any = ...
) -> Difference:
    """Return what a label gains on random pruning in the mean of several tests, paired by seed.

    Of all classes, or of those that a (K,) array of bool names.
    """
    places = [(each, density) for each in (label, RANDOM)]
    seeds = sorted(set.intersection(*({*shared_seeds(of, places)} for of in found.values())))
    sides = (
        [
            np.array([of[each][at][seed]["recalls"] for seed in seeds])[:, classes]
            for of in found.values()
        ]
        for each, at in places
    )
    return difference(*sides, measure)


def by_test(
    found: Mapping[Setting, Cells], label: str, density: float, classes: np.ndarray
) -> Table:
    """Return of each test where all data and Random stand, and what a label gains on Random.

    In the lowest tenth, the average, and the average of the classes (K,) named by an array of bool;
    last, how many of these are among the hardest tenth of that test for all data.
    """
    rows = []
    for setting, cells in found.items():
        full = stacked({"full": cells["full"]})["full"][1.0]
        low = gain(cells, RANDOM, measure="tenth", densities=[density])
        asked = ("tenth", ...), ("average", ...), ("average", classes)
        gains = [over_shifts({setting: cells}, label, density, *each) for each in asked]
        levels = [f"{level:.1f}" for level in (100 * full.mean(), low.value if low else np.nan)]
        still = f"{(hardest(full) & classes).sum()} of {classes.sum()}"
        rows.append([TITLES[setting.dataset], *levels, *map(points, gains), still])
    headers = ["test", "all data: average (%)", "Random: lowest tenth (%)", "gain: lowest tenth"]
    return Table(rows, [*headers, "average", "hardest when clean", "still hardest"])


def capped(cap: float, pseudo: float) -> Callable[..., np.ndarray]:
    """Return a quota's weights: DRoP's smoothed errors, none above `cap` times their mean.

    The mean is over samples, so that no class keeps more than `cap` times the density.
    """

    def weights(sizes: np.ndarray, recalls: np.ndarray, val_sizes: np.ndarray) -> np.ndarray:
        errors = found = ((1 - recalls) * val_sizes + pseudo) / (val_sizes + 2 * pseudo)
        for _ in range(50):
            found = np.minimum(errors, cap * (sizes @ found) / sizes.sum())
        return found

    return weights


class Noisy(NamedTuple):
    """With wrong labels in one class, each in turn: recalls, those of that class, its samples kept.

    By label; (N, K), (N,) and (N,), over classes and seeds.
    """

    recalls: dict[str, np.ndarray]
    own: dict[str, np.ndarray]
    kept: dict[str, np.ndarray]


def with_wrong_labels(run: Run, dataset: str, share: float, density: float, **asked: Any) -> Noisy:
    """Train with a share of wrong labels in one class, each in turn; of the grid that is asked."""
    found: tuple[dict[str, list], ...] = {}, {}, {}
    for k in range(datasets.load(dataset).num_classes):
        known = f"{dataset}-swapped-{k}-{share:g}"
        datasets.register(known, swapped(dataset, k, share), version=f"{k}-{share:g}")
        records = run(grid(known, densities=[density], **asked))
        kept = by_protocol(records, "kept")
        for label, recalls in by_protocol(records).items():
            rows = recalls[density], recalls[density][:, k], kept[label][density][:, k]
            for part, each in zip(found, rows, strict=True):
                part.setdefault(label, []).extend(each)
    return Noisy(*({label: np.array(rows) for label, rows in part.items()} for part in found))


def noise_table(noisy: Noisy, against: str) -> Table:
    """Return what each label keeps of the class with wrong labels, and what that moves."""
    rows = []
    for label, recalls in noisy.recalls.items():
        both = between(recalls, noisy.recalls[against], ["worst", "average"])
        moved = [gained(noisy.own, label, against), both["worst"], both["average"]]
        times = f"{(noisy.kept[label] / noisy.kept[against]).mean():.1f}"
        rows.append([name(label), times, *(map(points, moved) if label != against else [""] * 3)])
    headers = ["points less Random's", "class kept, times Random's", "its recall", "worst class"]
    return Table(rows, [*headers, "average"])


def gained(numbers: Mapping[str, np.ndarray], label: str, other: str) -> Difference:
    """Return how many points a label's numbers in [0, 1] are above another's, paired by seed."""
    return Difference(*(100 * np.array(student(numbers[label] - numbers[other]))))


def tilts(found: Mapping[Setting, Cells], density: float) -> Iterator[str]:
    """Say of each setting from which share of the hardest tenth of the classes on DRoP is ahead."""
    for setting, cells in found.items():
        curves = stacked(cells)
        plus, minus = (curves[label][density] for label in ("random+drop", RANDOM))
        hard = hardest(curves["full"][1.0])
        shared = min(len(plus), len(minus))
        ends = 100 * np.array(break_even(plus[:shared], minus[:shared], hard))
        yield f"{with_interval(ends, '.0f')} % on {setting.title}"


def mixes(data: Data) -> dict[str, np.ndarray]:
    """Return tests by their shares of groups (G,): as in training, even, and classes' swapped."""
    sizes = data.sizes()
    of_class = np.array([data.y[data.groups == g][0] for g in range(len(sizes))])
    other = [np.flatnonzero(of_class == k)[::-1] for k in range(data.num_classes)]
    found = {"train": sizes, "even": np.ones(len(sizes)), "swapped": sizes[np.concatenate(other)]}
    return {name: mix / mix.sum() for name, mix in found.items()}


def by_count(curves: Curves, title: str) -> dict[str, dict[str, np.ndarray]]:
    """Return recalls by number of validation samples, the most first, and by rule."""
    return {
        f"{title}, {count} a class": {
            "DRoP as printed" if label == "as printed" else label: at[count]
            for label, at in curves.items()
            if count in at
        }
        | {RANDOM: curves[RANDOM][1.0]}
        for count in sorted(curves["as printed"], reverse=True)
    }


class Tested(NamedTuple):
    """The rule that is safest on other data sets, and what it gains on one: over random pruning.

    In the lowest tenth of the classes and the average; `on_one` is the tenth over one pseudo-count.
    """

    case: str
    rule: str
    tenth: Difference
    average: Difference
    on_one: Difference


def tested(
    cases: Mapping[str, Mapping[str, np.ndarray]], gains: Gains, held: Iterable[str]
) -> Iterator[Tested]:
    """Choose a rule without the cases of one data set, for each of these, and test it there."""
    for data in held:
        own = [case for case in cases if case.startswith(data)]
        rule = safest(gains, [case for case in cases if case not in own])
        of = cases[own[0]]
        yield Tested(
            own[0],
            rule,
            gains[own[0]][rule],
            difference([of[rule]], [of[RANDOM]], "average"),
            difference([of[rule]], [of["pseudo-count 1"]], "tenth"),
        )


def reached(gap: float, sigma0: float, sigma1: float) -> Iterator[tuple[str, str]]:
    """Say how far from two Gaussians sizes by deviations are right, by the way of leaving them."""
    ways = list(shapes.families(gap, sigma0, sigma1).values())
    sides = {"heavy": (0, 1), "left": (1, -1), "right": (1, 1), "modes": (2, 1), "noise": (3, 1)}
    for short, (place, side) in sides.items():
        amounts, classes = ways[place]
        amounts = amounts[side * amounts >= 0][::side]
        far = shapes.reach(amounts, classes, "by deviations")
        shown = f"{number(100 * far, '.0f')} %" if short == "noise" else number(far, ".2f")
        yield short, f"from {shown} on" if far != amounts[-1] else f"nowhere up to {shown}"


def nearer(gap: float, sigma0: float, sigma1: float) -> str:
    """Say in how many pairs of classes sizes by errors are nearer to the best than deviations'."""
    found = []
    for amounts, classes in shapes.families(gap, sigma0, sigma1).values():
        for two in map(classes, amounts):
            ideal = np.log(two.optimal_ratio())
            rules = "by errors (DRoP)", "by deviations"
            errors, deviations = (abs(np.log(shapes.RATIOS[r](two)) - ideal) for r in rules)
            found.append(errors < deviations)
    return f"{sum(found)} of {len(found)}"
