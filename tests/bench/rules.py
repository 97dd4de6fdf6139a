"""Later scores and rules beside their authors' way of computing them: time, and agreement.

That way is written out here from the publications and from what their programs do, in plain NumPy
and PyTorch: an epoch or a class at a time, draws by NumPy's choice without replacement.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from scipy import stats
from sklearn.cluster import KMeans

from dropkit import scores
from dropkit.pruning.by_losses import Moment, infobatch, rcap
from dropkit.pruning.rules import RULES, beta, ccs, moderate
from dropkit.quotas import class_counts, hardness_densities
from tests.bench import Row, one_thread
from tests.bench.scores import _seconds

N, K, E, D = 50_000, 100, 60, 64
CHOSEN = 15_000


def rows() -> Iterator[Row]:
    """Yield for each score and rule how much faster it is, and how far the two agree."""
    rng = np.random.default_rng(0)
    with one_thread():
        for what, theirs, ours, agreement in (*_scores(rng), *_rules(rng)):
            slow, fast = _seconds(3, theirs, ours)
            ratio, same = slow / fast, 100 * agreement(theirs(), ours())
            least = 0.1 if what == "InfoBatch" else 0.5  # milliseconds an epoch
            yield Row(
                f"{what}: against the authors' way", ratio, "×", f"≥ {least} ×", ratio >= least
            )
            yield Row(f"{what}: agreement", same, "%", "≥ 99.9 %", same >= 99.9)


Case = tuple[str, Callable, Callable, Callable]


def _scores(rng: np.random.Generator) -> Iterator[Case]:
    logits = torch.from_numpy(rng.normal(size=(6, N // 10, K))).float()  # fewer: all are in memory
    labels = torch.from_numpy(rng.integers(K, size=N // 10))
    probs = logits.softmax(-1)
    target = probs.gather(2, labels.expand(6, -1)[..., None])[..., 0]
    others = probs.scatter(2, labels.expand(6, -1)[..., None], -1).amax(-1)
    margins = (target - others).numpy()

    def area() -> np.ndarray:  # epoch by epoch, from logits, sample by sample within
        total = np.zeros(len(labels))
        for outputs in logits:
            for i, (own, row) in enumerate(zip(labels.tolist(), outputs.softmax(-1), strict=True)):
                rest = row.clone()
                rest[own] = -1
                total[i] += float(row[own] - rest.max())
        return -total

    yield "AUM, 5,000 samples, 6 epochs", area, lambda: scores.aum(margins), _close
    history = rng.random((E, N))

    def windows() -> np.ndarray:
        parts = [history[e : e + 10] for e in range(E - 9)]
        deviations = [np.std(part, axis=0, ddof=1) for part in parts]
        means = [np.mean(part, axis=0) for part in parts]
        return np.mean([s * (1 - m) for s, m in zip(deviations, means, strict=True)], axis=0)

    yield "DUAL, 60 epochs", windows, lambda: scores.dual(history, 10), _close
    features = rng.normal(size=(N, D)).astype(np.float32)
    classes = rng.integers(K, size=N)

    def medians() -> np.ndarray:
        found = np.empty(N)
        for k in range(K):
            members = np.flatnonzero(classes == k)
            centre = np.median(features[members].astype(float), axis=0)
            for i in members:
                found[i] = np.sqrt(((features[i] - centre) ** 2).sum())
        return found

    ours = lambda: scores.supervised_prototypes(features, classes)  # noqa: E731
    yield "prototypes, 64 numbers", medians, ours, _close
    few = features[: N // 5]

    def centres() -> np.ndarray:
        found = KMeans(K, n_init=1, random_state=0).fit(few)
        chunks = np.array_split(few, 50)
        parts = [np.linalg.norm(c[:, None] - found.cluster_centers_, axis=2) for c in chunks]
        return np.concatenate(parts).min(axis=1)

    yield "k-means prototypes", centres, lambda: scores.kmeans_prototypes(few, K), _close


def _rules(rng: np.random.Generator) -> Iterator[Case]:
    score, labels = rng.random(N), np.zeros(N, dtype=int)
    counts, draw = np.array([CHOSEN]), np.random.default_rng(1).random

    def strata() -> np.ndarray:
        """Cut, strata of equal width, budgets from the smallest up, choice inside."""
        rest = np.argsort(score)[: N - int(0.2 * N)]
        edges = np.linspace(score[rest].min(), score[rest].max() * 1.0001, 51)
        pools = [rest[(score[rest] >= a) & (score[rest] < b)] for a, b in pairwise(edges)]
        left, chosen = CHOSEN, []
        for done, pool in enumerate(sorted(pools, key=len)):
            take = min(len(pool), left // (50 - done))
            chosen.append(np.random.default_rng(done).choice(pool, take, replace=False))
            left -= take
        return np.concatenate(chosen)

    ours = lambda: ccs(score, labels, counts, draw, hard_cut=0.2)  # noqa: E731
    bins = np.linspace(score.min(), np.sort(score)[N - int(0.2 * N) - 1], 51)
    yield (
        "CCS",
        strata,
        ours,
        lambda a, b: _overlap(*(np.histogram(score[x], bins)[0] for x in (a, b))),
    )

    def middle() -> np.ndarray:
        order = np.argsort(score, kind="stable")
        return np.sort(order[(N - CHOSEN) // 2 : (N - CHOSEN) // 2 + CHOSEN])

    yield "Moderate", middle, lambda: moderate(score, labels, counts, draw), _same
    ends = lambda: np.sort(np.argsort(score, kind="stable")[:CHOSEN])  # noqa: E731
    yield "easiest", ends, lambda: RULES["easy"](score, labels, counts, draw), _same

    def halfway() -> np.ndarray:
        distance = np.abs(score - np.median(score))
        return np.sort(np.argsort(distance, kind="stable")[:CHOSEN])

    yield "median", halfway, lambda: RULES["median"](score, labels, counts, draw), _same
    mean = np.clip(rng.beta(2, 2, N), 0.01, 0.99)

    def weighted() -> np.ndarray:
        anchor = mean[np.argsort(score)[-10:]].mean()
        b = 15 * (1 - anchor) * (1 - (1 - CHOSEN / N) ** 5.5)
        weights = stats.beta.pdf(mean, 16 - b, b) * score
        return np.random.default_rng(2).choice(N, CHOSEN, False, weights / weights.sum())

    ours = lambda: beta(np.array([score, mean]), labels, counts, draw)  # noqa: E731
    yield "DUAL with Beta", weighted, ours, lambda a, b: _alike(mean[a], mean[b])
    classes = rng.integers(K, size=N)
    hard = score + classes / K

    def shares() -> np.ndarray:
        means = np.array([hard[classes == k].mean() for k in range(K)])
        return np.round(CHOSEN * means / means.sum())

    def ours() -> np.ndarray:
        densities = hardness_densities(classes, hard, CHOSEN / N)
        return class_counts(np.bincount(classes), densities, CHOSEN)

    yield "hardness quotas", shares, ours, _overlap
    losses = rng.exponential(size=N) * (1 + classes / K)
    moment = Moment(losses, classes, np.arange(N), np.log(K), 0.5)

    def informed() -> np.ndarray:
        learned = losses < losses.mean()
        keep = CHOSEN_MORE - int((~learned).sum())
        own = np.random.default_rng(3).choice(np.flatnonzero(learned), keep, replace=False)
        return np.concatenate([np.flatnonzero(~learned), own])

    ours = lambda: infobatch(moment, CHOSEN_MORE, draw).chosen  # noqa: E731
    yield "InfoBatch", informed, ours, lambda a, b: _alike(losses[a], losses[b])

    def by_class() -> np.ndarray:
        sizes, masses = np.bincount(classes), np.zeros(N)
        for k in range(K):
            exps = np.exp(np.clip(losses[classes == k], 0, np.log(K)))
            masses[classes == k] = exps / exps.sum()
        mass = np.array([masses[classes == k].sum() for k in range(K)])
        share = np.sqrt(mass * sizes / N)
        wanted = np.ceil(share / share.sum() * CHOSEN).astype(int)
        draws = np.random.default_rng(4)
        chosen = []
        for k in range(K):
            members = np.flatnonzero(classes == k)
            p = masses[members] / masses[members].sum()
            chosen.append(draws.choice(members, wanted[k], replace=False, p=p))
        return np.concatenate(chosen)

    ours = lambda: rcap(moment, CHOSEN, draw).chosen  # noqa: E731
    yield "RCAP", by_class, ours, lambda a, b: _overlap(*(np.bincount(classes[x]) for x in (a, b)))


CHOSEN_MORE = 35_000  # all above the mean fit


def _close(theirs: np.ndarray, ours: np.ndarray) -> float:
    return float(np.isclose(theirs, ours, rtol=1e-4, atol=1e-5).mean())


def _same(theirs: np.ndarray, ours: np.ndarray) -> float:
    return float(np.isin(theirs, ours).mean())


def _overlap(theirs: np.ndarray, ours: np.ndarray) -> float:
    """How far two histograms cover each other: a stratum or class may differ by rounding."""
    return 1 - max(0.0, float((np.abs(theirs - ours) - 1).clip(0).sum() / theirs.sum()))


def _alike(theirs: np.ndarray, ours: np.ndarray) -> float:
    """Agreement of two random draws: 1 where a Kolmogorov-Smirnov test tells nothing apart."""
    return float(stats.ks_2samp(theirs, ours).pvalue > 1e-4)
