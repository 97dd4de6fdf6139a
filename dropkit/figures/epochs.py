"""Recalls after every epoch of training on the full data: how steady a loss is, and where it ends.

Shapes: S seeds, E epochs, K classes.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from dropkit import metrics, training
from dropkit.datasets.loading import load
from dropkit.figures.curves import canvas
from dropkit.training.recipes import Recipe
from dropkit.training.stacks import Stack


def recall_curves(
    dataset: str, model: str, recipe: Recipe, seeds: Sequence[int]
) -> dict[str, np.ndarray]:
    """Train on the full data and return the recalls of "val" and "test", (S, E, K) each.

    The networks are those of the protocols "full" and "full+cdbw" for the same seeds; recalls are
    measured before ``recipe.select`` touches the weights.
    """
    sets = [load(dataset, seed) for seed in seeds]
    x, y, num_classes = sets[0].x, sets[0].y, sets[0].num_classes
    splits = {
        split: np.stack([getattr(data, split) for data in sets])
        for split in ("train", "val", "test")
    }
    seen: dict[str, list[np.ndarray]] = {"val": [], "test": []}

    def look(epoch: int, stack: Stack) -> None:
        for split, history in seen.items():
            predictions = training.predict(stack, x, splits[split]).argmax(-1)
            history.append(metrics.class_recalls(y[splits[split]], predictions, num_classes))

    # fmt: off
    training.train(
        model, x, y, splits["train"], recipe,
        seeds=seeds, num_classes=num_classes, val=splits["val"], after_epoch=look,
    )
    # fmt: on
    return {split: np.stack(history, axis=1) for split, history in seen.items()}


def phases(recipe: Recipe) -> list[slice]:
    """Epochs of equal learning rate, one slice a phase."""
    rates = [recipe.learning_rate(epoch) for epoch in range(recipe.epochs)]
    starts = [
        epoch for epoch in range(recipe.epochs) if epoch == 0 or rates[epoch] != rates[epoch - 1]
    ]
    return [slice(*ends) for ends in zip(starts, [*starts[1:], recipe.epochs], strict=True)]


def steadiness_rows(curves: Mapping[str, np.ndarray], recipe: Recipe) -> list[list]:
    """Rows for ``notebook.table`` under ``STEADINESS``: a loss and a phase each, means over seeds.

    `curves` has test recalls (S, E, K) by the name of the loss.
    """
    rows = []
    for name, recalls in curves.items():
        for phase in phases(recipe):
            part = 100 * recalls[:, phase]
            worst = part.min(axis=-1)
            change = np.abs(np.diff(part, axis=1)).mean() if part.shape[1] > 1 else 0.0
            rows.append(
                [
                    name,
                    f"{phase.start + 1} to {phase.stop}",
                    f"{recipe.learning_rate(phase.start):g}",
                    f"{worst.mean():.1f}",
                    f"{np.ptp(worst, axis=1).mean():.1f}",
                    f"{change:.1f}",
                ]
            )
    return rows


STEADINESS = [
    "loss",
    "epochs",
    "learning rate",
    "worst class (%)",
    "its range within a seed",
    "change of a class's recall from epoch to epoch",
]


def best_epochs(recalls: np.ndarray) -> np.ndarray:
    """The epoch of each seed with the highest worst class, of equals the latest: (S, E, K) to (S,).

    On validation recalls it is the epoch that ``Recipe(select="best")`` ends with.
    """
    worst = recalls.min(axis=-1)
    return worst.shape[1] - 1 - worst[:, ::-1].argmax(axis=1)


def worst_class_curves(
    curves: Mapping[str, np.ndarray], recipe: Recipe, *, shown: int = 4
) -> Figure:
    """Worst-class accuracy after every epoch, a panel a loss: the first seeds, and the mean of all.

    `curves` has test recalls (S, E, K) by the name of the loss; dotted lines are drops of the
    learning rate.
    """
    figure, axes = canvas(1, len(curves), width=8.4, height=3.0)
    for ax, (name, recalls) in zip(axes[0], curves.items(), strict=True):
        if ax is not axes[0, 0]:
            ax.sharey(axes[0, 0])  # before anything is drawn, so that all of it counts
        worst = 100 * recalls.min(axis=-1)
        epochs = np.arange(1, recipe.epochs + 1)
        for row in worst[:shown]:
            ax.plot(epochs, row, lw=0.8, alpha=0.8)
        ax.plot(epochs, worst.mean(axis=0), color="#000000", lw=1.8, label="mean of all seeds")
        for phase in phases(recipe)[1:]:
            ax.axvline(phase.start + 0.5, color="#707070", lw=1, ls=":")
        ax.set(xlabel="epoch", title=name)
    axes[0, 0].set_ylabel("worst-class accuracy (%)")
    axes[0, 0].legend(fontsize=8, loc="lower right")
    return figure
