"""Selections during training: by recalls every few epochs, or by losses after each."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dropkit import pruning
from dropkit._common.ranking import random_keys
from dropkit.datasets.data import Data
from dropkit.pruning.by_losses import BY_LOSSES, Moment
from dropkit.study.preparation import Prepared, selected
from dropkit.training.recipes import Recipe

SELECTIONS = 12  # how often dynamic quotas are measured in a training
STREAM = 1_000_000  # keeps the seeds of the selections of one training apart


class ByRecalls:
    """Selects anew every few epochs; its `job` has the samples that were kept last."""

    observe = None

    def __init__(self, job: Sequence[Prepared], sets: Sequence[Data], recipe: Recipe):
        self.job, self.sets, self.every = list(job), sets, max(1, recipe.epochs // SELECTIONS)

    def __call__(self, epoch: int, recalls: np.ndarray) -> np.ndarray | None:
        number, rest = divmod(epoch + 1, self.every)
        if rest:
            return None
        each = zip(self.job, self.sets, recalls, strict=True)
        self.job = [
            one._replace(kept=reselected(one, data, own, number)) for one, data, own in each
        ]
        return np.stack([one.kept for one in self.job])


def reselected(one: Prepared, data: Data, recalls: np.ndarray, number: int) -> np.ndarray:
    """Return what a trial of dynamic quotas keeps from its selection of this number on, from 1.

    Parameters
    ----------
    one : Prepared
        The trial, with its scores if it ranks by any.
    data : Data
        Its data set.
    recalls : (G,) array
        On the validation split, now.
    number : int
        Each selection draws anew.
    """
    given = {"recalls": recalls, "val_sizes": data.sizes("val")}
    return selected(one.trial, data, one.scores, seed=one.trial.seed + STREAM * number, **given)


class ByLosses:
    """Selects anew after every epoch, by losses in training mode as they occur."""

    def __init__(self, job: Sequence[Prepared], sets: Sequence[Data], recipe: Recipe, device: str):
        self.job, self.sets, self.epochs = list(job), sets, recipe.epochs
        self.guess = float(np.log(sets[0].num_classes))
        self.y = torch.as_tensor(sets[0].y, device=device)
        self.losses = torch.full((len(job), len(self.y)), self.guess, device=device)
        self.rows = self._rows()

    def _rows(self) -> Tensor:
        return torch.as_tensor(np.stack([one.kept for one in self.job]), device=self.y.device)

    def observe(self, epoch: int, positions: Tensor, logits: Tensor) -> None:
        """Take the losses of a batch's positions (S, b) among the samples that are kept."""
        rows = self.rows.gather(1, positions)
        found = F.cross_entropy(logits.float().transpose(1, 2), self.y[rows], reduction="none")
        self.losses.scatter_(1, rows, found)

    def __call__(self, epoch: int, recalls: None) -> tuple[np.ndarray, np.ndarray] | None:
        if epoch + 1 == self.epochs:
            return None
        losses, done = self.losses.double().cpu().numpy(), (epoch + 1) / self.epochs
        weights = []
        for s, (one, data) in enumerate(zip(self.job, self.sets, strict=True)):
            before = np.flatnonzero(np.isin(data.train, one.kept))
            strata = data.strata[data.train]
            moment = Moment(losses[s, data.train], strata, before, self.guess, done)
            draw = random_keys(one.trial.seed + STREAM * (epoch + 1))
            found = BY_LOSSES[one.trial.protocol](moment, before.size, draw)
            self.job[s] = one._replace(kept=data.train[found.chosen])
            weights.append(found.weights)
        self.rows = self._rows()
        return self.rows.cpu().numpy(), np.stack(weights)


def selecting(
    job: Sequence[Prepared], sets: Sequence[Data], recipe: Recipe, device: str
) -> ByRecalls | ByLosses | None:
    """Return what selects for trials of one kind during their training; None where nothing does."""
    plan = pruning.parse(job[0].trial.protocol)
    if plan.by_losses:
        return ByLosses(job, sets, recipe, device)
    return ByRecalls(job, sets, recipe) if plan.dynamic else None
