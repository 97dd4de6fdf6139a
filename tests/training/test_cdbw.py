"""CDB-W in a stack against one plain PyTorch loop a network with weighted cross-entropy."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dropkit import models
from dropkit.datasets import load
from dropkit.training import Recipe, predict, train
from dropkit.training.recipes import DIGITS

SEEDS = [3, 11]
RECIPE = replace(DIGITS, epochs=20, loss="cdbw")


def measured_weights(network, x, y, num_classes):
    """1 − recall of each class by counting; 1 for a class that has no samples."""
    network.eval()
    with torch.no_grad():
        answers = network(x).argmax(dim=1)
    network.train()
    weights = []
    for k in range(num_classes):
        of_class = answers[y == k]
        wrong = sum(int(answer) != k for answer in of_class)
        weights.append(wrong / len(of_class) if len(of_class) else 1.0)
    return torch.tensor(weights, dtype=x.dtype)


def plain_cdbw(x, y, kept, val, recipe: Recipe, seed: int, num_classes: int, scale: float = 1.0):
    """Train one MLP by PyTorch's own weighted mean, the weights times `scale`."""
    network = models.initialise(models.build("mlp", num_classes, x.shape[1:]).double(), seed)
    x, y = torch.from_numpy(x).double(), torch.from_numpy(y)
    generator = torch.Generator().manual_seed(2**32 + seed)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, weight_decay=recipe.weight_decay
    )
    n = len(kept)
    cuts = np.linspace(0, n, math.ceil(n / recipe.batch) + 1).astype(int)[1:-1].tolist()
    weights = torch.ones(num_classes, dtype=torch.float64)
    for epoch in range(recipe.epochs):
        passed = sum(epoch >= drop * recipe.epochs for drop in (0.5, 0.75))
        optimizer.param_groups[0]["lr"] = 0.1 * 0.2**passed
        for batch in torch.tensor_split(torch.randperm(n, generator=generator), cuts):
            labels, logits = y[kept[batch]], network(x[kept[batch]])
            if weights[labels].sum() > 0:
                loss = F.cross_entropy(logits, labels, weight=scale * weights)
            else:
                loss = 0 * logits.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        weights = measured_weights(network, x[val], y[val], num_classes)
    with torch.no_grad():
        return network.eval()(x).numpy(), weights.numpy()


def splits(without: int | None = None):
    """Pool, kept and validation samples of the seeds, a class of the latter left out on demand."""
    sets = [load("digits-2x4", seed) for seed in SEEDS]
    kept = np.stack([data.train[:400] for data in sets])
    vals = [data.val[data.y[data.val] != without] for data in sets]
    size = min(map(len, vals))
    return sets[0], kept, np.stack([val[:size] for val in vals])


def stack_logits(data, kept, val, recipe):
    stack = train("mlp", data.x, data.y, kept, recipe, seeds=SEEDS, num_classes=10, val=val)
    return predict(stack, data.x, np.arange(len(data.y)))


class TestAgainstThePlainLoop:
    @pytest.mark.parametrize("scale", [1.0, 10.0])  # a weighted mean: the scale cancels
    def test_same_networks(self, scale):
        data, kept, val = splits()
        found = stack_logits(data, kept, val, RECIPE)
        for s, seed in enumerate(SEEDS):
            expected, weights = plain_cdbw(data.x, data.y, kept[s], val[s], RECIPE, seed, 10, scale)
            assert len(set(weights)) > 3  # they did differ
            np.testing.assert_allclose(found[s], expected, rtol=0, atol=1e-9)

    def test_class_without_validation_samples(self):
        data, kept, val = splits(without=4)
        assert not (data.y[val] == 4).any()
        found = stack_logits(data, kept, val, RECIPE)
        for s, seed in enumerate(SEEDS):
            expected, weights = plain_cdbw(data.x, data.y, kept[s], val[s], RECIPE, seed, 10)
            assert weights[4] == 1
            np.testing.assert_allclose(found[s], expected, rtol=0, atol=1e-9)

    def test_it_is_not_plain_cross_entropy(self):
        data, kept, val = splits()
        weighted, plain = (
            stack_logits(data, kept, val, replace(RECIPE, epochs=3, loss=loss))
            for loss in ("cdbw", "ce")
        )
        assert abs(weighted - plain).max() > 0.1
        # The first epoch has equal weights.
        weighted, plain = (
            stack_logits(data, kept, val, replace(RECIPE, epochs=1, loss=loss))
            for loss in ("cdbw", "ce")
        )
        np.testing.assert_array_equal(weighted, plain)


class TestPerfectRecall:
    def separable(self):
        """Two classes far apart: every validation sample is right after the first epoch."""
        rng = np.random.default_rng(0)
        y = np.arange(120) % 2
        x = (rng.normal(size=(120, 1, 1, 3)) + 8 * (2 * y - 1)[:, None, None, None]).astype("f4")
        return x, y, np.arange(80), np.arange(80, 120)

    def test_no_nan_where_pytorch_has_one(self):
        x, y, kept, val = self.separable()
        recipe = replace(RECIPE, epochs=4)
        expected, weights = plain_cdbw(x, y, kept, val, recipe, 0, 2)
        assert not weights.any()
        logits, labels = torch.zeros(3, 2), torch.tensor([0, 1, 1])
        assert F.cross_entropy(logits, labels, weight=torch.zeros(2)).isnan()
        stack = train("mlp", x, y, kept, recipe, seeds=[0], num_classes=2, val=val[None])
        found = predict(stack, x, np.arange(120))[0]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)

    def test_perfect_class_waits(self):
        """One class of three is perfect: its samples get no gradient, the others decide."""
        x, y, kept, val = self.separable()
        y = np.where((np.arange(120) % 4) == 3, 2, y)  # half of class 1 is called 2: hard to tell
        recipe = replace(RECIPE, epochs=4)
        expected, weights = plain_cdbw(x, y, kept, val, recipe, 0, 3)
        assert weights[0] == 0 and weights[1:].any()
        stack = train("mlp", x, y, kept, recipe, seeds=[0], num_classes=3, val=val[None])
        found = predict(stack, x, np.arange(120))[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


class TestErrors:
    @pytest.mark.parametrize("field", [{"loss": "cdbw"}, {"select": "best"}])
    def test_no_validation_samples(self, field):
        data, kept, _ = splits()
        recipe = replace(DIGITS, epochs=1, **field)
        with pytest.raises(ValueError, match="measured on a validation split: pass val="):
            train("mlp", data.x, data.y, kept, recipe, seeds=SEEDS, num_classes=10)

    @pytest.mark.parametrize(
        ("field", "message"),
        [
            ({"loss": "focal"}, "loss is 'focal': it must be one of ce, cdbw"),
            ({"select": "first"}, "select is 'first': it must be one of last, best, averaged"),
        ],
    )
    def test_recipe(self, field, message):
        with pytest.raises(ValueError, match=message):
            replace(DIGITS, **field)
