"""Networks trained one by one in a plain loop, with the seeds that queries give theirs."""

import math
from types import SimpleNamespace

import numpy as np
import torch
from torch.nn import functional as F

from dropkit import models
from dropkit.study import executors, query_models


def network_seeds(q):
    """The seeds of a query's networks; others would be other numbers under the same keys."""
    return [10_000 + 100 * q.seed + r for r in range(q.initialisations)]


def alone(model, data, kept, recipe, seed):
    """Train one network in a plain loop; returns it, and its outputs on each sample as they were.

    `target_probs`, `margins` and `correct` are (E, n), from training mode, before the step that
    they led to.
    """
    network = models.build(model, data.num_classes, data.in_shape).double()
    models.initialise(network, seed).train()
    samples, labels = torch.from_numpy(data.x[kept]), torch.from_numpy(data.y[kept])
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay
    )
    generator = torch.Generator().manual_seed(2**32 + seed)
    n, weights = len(kept), None
    cuts = np.linspace(0, n, math.ceil(n / recipe.batch) + 1).astype(int)[1:-1].tolist()
    target_probs, margins, correct = torch.zeros(3, recipe.epochs, n, dtype=torch.float64)
    for epoch in range(recipe.epochs):
        passed = sum(epoch >= drop * recipe.epochs for drop in recipe.drops)
        optimizer.param_groups[0]["lr"] = recipe.lr * recipe.drop_factor**passed
        for batch in torch.tensor_split(torch.randperm(n, generator=generator), cuts):
            logits, truth = network(samples[batch]), labels[batch]
            for i, row, label in zip(batch, logits.detach().softmax(dim=1), truth, strict=True):
                target_probs[epoch, i] = row[label]
                others = [p for k, p in enumerate(row.tolist()) if k != label]
                margins[epoch, i] = row[label] - max(others)
                correct[epoch, i] = row.argmax() == label
            optimizer.zero_grad()
            F.cross_entropy(logits, truth, weight=weights).backward()
            optimizer.step()
        if recipe.loss == "cdbw":
            recalls = plain_recalls(network.eval(), data, data.val, data.y[data.val])
            weights = 1 - torch.tensor(recalls)
            network.train()
    return SimpleNamespace(
        network=network.eval(),
        target_probs=target_probs.numpy(),
        margins=margins.numpy(),
        correct=correct.numpy() == 1,
    )


def outputs(network, data, indices):
    with torch.no_grad():
        return network(torch.from_numpy(data.x[indices])).numpy()


def plain_recalls(network, data, indices, labels):
    guesses = outputs(network, data, indices).argmax(axis=1)
    return [(guesses[labels == k] == k).mean() for k in range(data.num_classes)]


def recorded_by(queries, store, device="cpu"):
    """What each of the queries recorded, by query; trained in this process."""
    with executors.local(device) as workers:
        return dict(query_models.run(queries, store, workers))
