"""Recalls after every epoch of training on the full data: how steady a loss is, and where it ends.

Shapes: S seeds, E epochs, K classes.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

from dropkit import metrics, training
from dropkit.datasets.loading import load
from dropkit.figures.names import name
from dropkit.figures.style import canvas
from dropkit.figures.tables import Table, measure_names, points, summary
from dropkit.study.curves import Curves
from dropkit.study.measures import COMPARED, compare
from dropkit.training.recipes import Recipe
from dropkit.training.stacks import Stack

FIRST = 4  # seeds whose own curves are drawn


def recall_curves(
    dataset: str, model: str, recipe: Recipe, seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """Train the networks of "full" or "full+cdbw"; return recalls of "val" and "test", (S, E, K).

    They are measured before ``recipe.select`` touches the weights.
    """
    sets = [load(dataset, seed) for seed in seeds]
    x, y, num_classes = sets[0].x, sets[0].y, sets[0].num_classes
    splits = {
        each: np.stack([getattr(data, each) for data in sets]) for each in ("train", "val", "test")
    }
    seen: dict[str, list[np.ndarray]] = {"val": [], "test": []}

    def look(epoch: int, stack: Stack) -> None:
        for split, history in seen.items():
            predictions = training.predict(stack, x, splits[split]).argmax(-1)
            history.append(metrics.class_recalls(y[splits[split]], predictions, num_classes))

    options = {"seeds": seeds, "num_classes": num_classes, "val": splits["val"]}
    training.train(model, x, y, splits["train"], recipe, after_epoch=look, **options)
    return {split: np.stack(history, axis=1) for split, history in seen.items()}


def phases(recipe: Recipe) -> list[slice]:
    """Return the epochs of equal learning rate, one slice a phase."""
    rates = [recipe.learning_rate(epoch) for epoch in range(recipe.epochs)]
    drops = np.flatnonzero(np.diff(rates)) + 1
    return [slice(*ends) for ends in pairwise([0, *map(int, drops), recipe.epochs])]


def steadiness(curves: Mapping[str, np.ndarray], recipe: Recipe) -> Table:
    """Return how much test recalls (S, E, K) of losses move in each phase, means over seeds."""
    rows = []
    for loss, recalls in curves.items():
        for phase in phases(recipe):
            part = 100 * recalls[:, phase]
            worst = part.min(axis=-1)
            found = worst.mean(), np.ptp(worst, axis=1).mean(), _change(part)
            epochs = f"{phase.start + 1} to {phase.stop}"
            rate = f"{recipe.learning_rate(phase.start):g}"
            rows.append([loss, epochs, rate, *(f"{value:.1f}" for value in found)])
    headers = ["loss", "epochs", "learning rate", "worst class (%)", "its range within a seed"]
    return Table(rows, [*headers, "change of a class's recall from epoch to epoch"])


def changes(curves: Mapping[str, np.ndarray], recipe: Recipe) -> np.ndarray:
    """Return mean changes of recalls in points, by loss and phase, and a last phase of NaN."""
    found = [
        [_change(100 * recalls[:, phase]) for phase in phases(recipe)]
        for recalls in curves.values()
    ]
    return np.pad(found, ((0, 0), (0, 1)), constant_values=np.nan)


def _change(recalls: np.ndarray) -> float:
    return np.abs(np.diff(recalls, axis=1)).mean() if recalls.shape[1] > 1 else 0.0


def best_epochs(recalls: np.ndarray) -> np.ndarray:
    """Return each seed's last epoch of the highest worst class: recalls (S, E, K) to (S,)."""
    worst = recalls.min(axis=-1)
    return worst.shape[1] - 1 - worst[:, ::-1].argmax(axis=1)


def selections(curves: Curves) -> Table:
    """Return levels of full-data runs by the epoch or mean of epochs that they end with."""
    rows = []
    for label, found in curves.items():
        average, worst, pooled = summary(found[1.0], COMPARED)
        lowest = f"{100 * metrics.worst(found[1.0]).min():.1f}"
        rows.append([name(label), average, worst, lowest, pooled])
    average, worst, pooled = (f"{each} (%)" for each in measure_names())
    return Table(rows, ["weights, the last unless said", average, worst, "its lowest seed", pooled])


def selection_gains(curves: Curves) -> Table:
    """Return the differences of the same runs from those that end with the last epoch."""
    rows = [
        [name(label), *map(points, compare(curves, label, plain)[1.0].values())]
        for label in curves
        if (plain := label.partition(", ")[0]) != label
    ]
    return Table(rows, ["minus last", *measure_names()])


def optimism(histories: Mapping[str, Mapping[str, np.ndarray]]) -> Table:
    """Return the `best_epochs` of each loss, and their worst class on validation and on test."""
    rows = []
    for loss, history in histories.items():
        chosen = best_epochs(history["val"])
        ends = [f"{100 * worst_at(history[split], chosen).mean():.1f}" for split in ("val", "test")]
        span = f"{np.median(chosen) + 1:g} ({chosen.min() + 1} to {chosen.max() + 1})"
        rows.append([loss, span, *ends])
    headers = ["loss", "best epoch, median (range)", "its worst class on validation (%)"]
    return Table(rows, [*headers, "on test (%)"])


def worst_at(recalls: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """Return the worst class of each seed at its epoch: (S, E, K) and (S,) to (S,)."""
    return recalls[np.arange(len(epochs)), epochs].min(axis=-1)


def worst_class_curves(curves: Mapping[str, np.ndarray], recipe: Recipe) -> Figure:
    """Draw worst classes by epoch: the first seeds, the mean of all, drops of the learning rate."""
    figure, axes = canvas(1, len(curves), width=8.4, height=3.0)
    for ax, (loss, recalls) in zip(axes[0], curves.items(), strict=True):
        if ax is not axes[0, 0]:
            ax.sharey(axes[0, 0])  # before anything is drawn, so that all of it counts
        worst = 100 * recalls.min(axis=-1)
        epochs = np.arange(1, recipe.epochs + 1)
        for row in worst[:FIRST]:
            ax.plot(epochs, row, lw=0.8, alpha=0.8)
        ax.plot(epochs, worst.mean(axis=0), color="#000000", lw=1.8, label="mean of all seeds")
        for phase in phases(recipe)[1:]:
            ax.axvline(phase.start + 0.5, color="#707070", lw=1, ls=":")
        ax.set(xlabel="epoch", title=loss)
    axes[0, 0].set_ylabel("worst-class accuracy (%)")
    axes[0, 0].legend(fontsize=8, loc="lower right")
    return figure
