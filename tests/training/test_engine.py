"""Stacks against one plain PyTorch loop a network, schedules against Table 1 and hand sums."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st
from torch.nn import functional as F

from dropkit import models
from dropkit.datasets import load
from dropkit.training import Recipe, predict, recipes, train
from dropkit.training.recipes import DIGITS

TINY = Recipe(epochs=2, batch=32, lr=0.1, weight_decay=5e-4, precision="float64")

# Table 1: epochs, the epochs where the rate drops, and the rate.
TABLE_1 = {
    "VGG-16 on CIFAR-10": (160, [80, 120], 0.1),
    "VGG-19 on CIFAR-100": (160, [80, 120], 0.1),
    "ResNet-18 on TinyImageNet": (200, [100, 150], 0.2),
    "ResNet-50 on ImageNet": (90, [30, 60], 0.2),
    "ResNet-50 on Waterbirds": (300, [], 0.0001),
}


def table_1_recipe(row):
    epochs, drops, lr = TABLE_1[row]
    return Recipe(epochs, 128, lr, 1e-4, drops=tuple(drop / epochs for drop in drops))


def plain_loop(model, x, y, kept, recipe, seed, num_classes, **sgd):
    """Train one network as any PyTorch tutorial does; returns it in evaluation mode."""
    dtype = getattr(torch, recipe.precision)
    network = models.initialise(models.build(model, num_classes, x.shape[1:]).to(dtype), seed)
    samples = torch.from_numpy(x[kept]).to(dtype)
    labels = torch.from_numpy(y[kept])
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        **sgd,
    )
    generator = torch.Generator().manual_seed(2**32 + seed)
    n = len(kept)
    cuts = np.linspace(0, n, math.ceil(n / recipe.batch) + 1).astype(int)[1:-1].tolist()
    network.train()
    for epoch in range(recipe.epochs):
        rate = recipe.lr
        for drop in recipe.drops:
            if epoch >= drop * recipe.epochs:
                rate *= recipe.drop_factor
        for group in optimizer.param_groups:
            group["lr"] = rate
        for batch in torch.tensor_split(torch.randperm(n, generator=generator), cuts):
            optimizer.zero_grad()
            F.cross_entropy(network(samples[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval()


def plain_logits(model, data, kept, recipe, seed):
    network = plain_loop(model, data.x, data.y, kept, recipe, seed, data.num_classes)
    with torch.no_grad():
        return network(torch.from_numpy(data.x).to(next(network.parameters()).dtype)).numpy()


def digits(seeds, density=1.0):
    """The pool, and each seed's training samples thinned to a density."""
    data = load("digits-2x4")
    rng = np.random.default_rng(0)
    size = round(density * len(data.train))
    kept = [rng.choice(load("digits-2x4", seed).train, size, replace=False) for seed in seeds]
    return data, np.stack(kept)


def stack_logits(data, kept, recipe, seeds, model="mlp"):
    stack = train(model, data.x, data.y, kept, recipe, seeds=seeds, num_classes=10)
    return predict(stack, data.x, np.arange(len(data.y)))


class TestAgainstThePlainLoop:
    def test_full_recipe(self):
        seeds = [0, 7, 3]
        data, kept = digits(seeds, 0.7)
        found = stack_logits(data, kept, DIGITS, seeds)
        for s in (0, 2):
            expected = plain_logits("mlp", data, kept[s], DIGITS, seeds[s])
            np.testing.assert_allclose(found[s], expected, rtol=0, atol=1e-9)

    @pytest.mark.parametrize("model", ["mlp", "cnn"])
    @pytest.mark.parametrize(("precision", "error"), [("float64", 1e-11), ("float32", 1e-5)])
    def test_every_model_and_precision(self, model, precision, error):
        seeds = [2, 5]
        data, kept = digits(seeds, 0.3)
        recipe = replace(TINY, precision=precision, drops=(0.5,), momentum=0.8)
        found = stack_logits(data, kept, recipe, seeds, model)
        assert found.dtype == precision
        for s, seed in enumerate(seeds):
            expected = plain_logits(model, data, kept[s], recipe, seed)
            np.testing.assert_allclose(found[s], expected, rtol=0, atol=error)

    def test_it_learns(self):
        # The plain nearest class mean is what eight pixels give without training.
        data, kept = digits([0])
        x, y = data.x.reshape(len(data.y), -1), data.y
        means = np.stack([x[kept[0]][y[kept[0]] == k].mean(axis=0) for k in range(10)])
        baseline = ((x[data.test, None] - means) ** 2).sum(axis=-1).argmin(axis=-1)
        found = stack_logits(data, kept, replace(DIGITS, epochs=20), [0])[0, data.test].argmax(-1)
        assert (found == y[data.test]).mean() > (baseline == y[data.test]).mean() + 0.02


class TestIndependence:
    def test_neighbours_and_place_do_not_matter(self):
        seeds = [4, 1, 9, 6]
        data, kept = digits(seeds, 0.5)
        recipe = replace(TINY, epochs=6)
        together = stack_logits(data, kept, recipe, seeds)
        for chosen in ([0], [3, 1], [2, 2]):
            others = stack_logits(data, kept[chosen], recipe, [seeds[s] for s in chosen])
            np.testing.assert_allclose(others, together[chosen], rtol=0, atol=1e-11)

    def test_global_generators_do_not_matter(self):
        data, kept = digits([0, 1], 0.2)
        runs = []
        for state in (1, 2):
            torch.manual_seed(state)
            np.random.seed(state)
            runs.append(stack_logits(data, kept, TINY, [0, 1]))
        np.testing.assert_array_equal(*runs)

    def test_seeds_matter(self):
        data, kept = digits([0])
        a, b = (stack_logits(data, kept, TINY, [seed]) for seed in (0, 1))
        assert abs(a - b).max() > 0.1

    def test_same_predictions_on_other_processors(self, tmp_path):
        """Without vector instructions, and with the arithmetic that all processors share."""
        data, kept = digits(range(4))
        recipe = replace(DIGITS, epochs=10)
        np.savez(tmp_path / "in.npz", x=data.x, y=data.y, kept=kept)
        script = (
            "import sys, numpy as np, torch\n"
            "from dropkit.training import Recipe, predict, train\n"
            "given = np.load(sys.argv[1])\n"
            "assert torch.backends.cpu.get_cpu_capability() == 'DEFAULT'\n"
            "x, y, kept = given['x'], given['y'], given['kept']\n"
            f"recipe = {recipe!r}\n"
            "stack = train('mlp', x, y, kept, recipe, seeds=range(4), num_classes=10)\n"
            "np.save(sys.argv[2], predict(stack, x, np.arange(len(y))))\n"
        )
        subprocess.run(
            [sys.executable, "-c", script, tmp_path / "in.npz", tmp_path / "out.npy"],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"},
            check=True,
        )
        here, there = stack_logits(data, kept, recipe, range(4)), np.load(tmp_path / "out.npy")
        np.testing.assert_array_equal(there.argmax(axis=-1), here.argmax(axis=-1))
        np.testing.assert_allclose(there, here, rtol=0, atol=1e-9)


class TestSchedule:
    @pytest.mark.parametrize("row", TABLE_1)
    def test_table_1(self, row):
        epochs, drops, lr = TABLE_1[row]
        recipe = table_1_recipe(row)
        edges = [0, *drops, epochs]
        for passed, (first, after) in enumerate(zip(edges, edges[1:], strict=False)):
            for epoch in (first, after - 1):
                assert recipe.learning_rate(epoch) == pytest.approx(lr * 0.2**passed, rel=1e-12)

    @given(st.integers(1, 400), st.integers(1, 99))
    @example(20, 55)  # 0.55 * 20 > 11 in floating point
    def test_drops_at_the_first_epoch_past_the_fraction(self, epochs, percent):
        recipe = replace(TINY, epochs=epochs, drops=(percent / 100,), drop_factor=0.5)
        first = math.ceil(Fraction(percent, 100) * epochs)
        rates = [recipe.learning_rate(epoch) for epoch in range(epochs)]
        assert rates == [0.1] * first + [0.05] * (epochs - first)

    @pytest.mark.parametrize(
        ("row", "density", "epochs", "released", "steps"),
        [
            # E (0.5 + 0.5 d) / d and E / d by hand.
            ("VGG-16 on CIFAR-10", 1.0, 160, 160, 160),
            ("VGG-16 on CIFAR-10", 0.5, 160, 240, 320),
            ("VGG-16 on CIFAR-10", 0.1, 160, 880, 1600),
            ("ResNet-18 on TinyImageNet", 0.8, 200, 225, 250),
            ("ResNet-18 on TinyImageNet", 0.25, 200, 500, 800),
            ("ResNet-50 on ImageNet", 0.3, 90, 195, 300),
            ("ResNet-50 on Waterbirds", 0.6, 300, 400, 500),
        ],
    )
    def test_budgets(self, row, density, epochs, released, steps):
        recipe = table_1_recipe(row)
        expected = {"epochs": epochs, "released": released, "steps": steps}
        assert set(recipes.BUDGETS) == set(expected)
        for budget, wanted in expected.items():
            granted = replace(recipe, budget=budget).at_density(density)
            assert granted == replace(recipe, budget=budget, epochs=wanted)

    @given(st.integers(5, 100).map(lambda percent: percent / 100))
    def test_released_budget_halves_the_steps_at_most(self, density):
        full = table_1_recipe("VGG-16 on CIFAR-10")
        epochs = replace(full, budget="released").at_density(density).epochs
        assert 0.5 <= epochs * density / full.epochs <= 1 + 0.5 / full.epochs
        assert replace(full, budget="steps").at_density(density).epochs >= epochs

    def test_drops_move_with_the_budget(self):
        recipe = replace(table_1_recipe("VGG-16 on CIFAR-10"), budget="steps").at_density(0.5)
        assert recipe.learning_rate(159) == pytest.approx(0.1)
        assert recipe.learning_rate(160) == pytest.approx(0.02)


class TestObserve:
    @pytest.mark.parametrize("model", ["mlp", "cnn"])
    def test_every_step_in_order(self, model):
        seeds = [3, 8]
        data, kept = digits(seeds, 0.1)
        seen = []
        train(
            model,
            data.x,
            data.y,
            kept,
            TINY,
            seeds=seeds,
            num_classes=10,
            observe=lambda *step: seen.append(step),
        )
        n = kept.shape[1]
        per_epoch = math.ceil(n / 32)
        assert [epoch for epoch, _, _ in seen] == [0] * per_epoch + [1] * per_epoch
        for epoch in range(2):
            positions = torch.cat([p for e, p, _ in seen if e == epoch], dim=1)
            assert positions.sort(dim=1).values.tolist() == [list(range(n))] * 2
        for _, positions, logits in seen:
            assert logits.shape == (*positions.shape, 10)
            assert not logits.requires_grad
        # The first step's logits are the untrained networks', in training mode.
        _, positions, logits = seen[0]
        for s, seed in enumerate(seeds):
            network = models.initialise(models.build(model, 10, data.in_shape).double(), seed)
            samples = torch.from_numpy(data.x[kept[s][positions[s]]])
            np.testing.assert_allclose(logits[s], network(samples).detach(), rtol=0, atol=1e-12)

    def test_watching_changes_nothing(self):
        data, kept = digits([0], 0.1)
        common = {"seeds": [0], "num_classes": 10}
        watched, alone = (
            predict(train("mlp", data.x, data.y, kept, TINY, **common, **extra), data.x, data.test)
            for extra in ({"observe": lambda *step: None}, {})
        )
        np.testing.assert_array_equal(watched, alone)

    @pytest.mark.parametrize(
        ("size", "batch", "expected"),
        [
            (64, 32, [32, 32]),
            (65, 32, [21, 22, 22]),
            (33, 32, [16, 17]),
            (20, 32, [20]),
            (7, 3, [2, 2, 3]),
            # Batch norm needs two samples, so that an odd one joins another batch.
            (2, 2, [2]),
            (3, 2, [3]),
            (5, 2, [2, 3]),
        ],
    )
    def test_batches_are_nearly_equal(self, size, batch, expected):
        data = load("digits-2x4")
        seen = []
        train(
            "mlp",
            data.x,
            data.y,
            data.train[None, :size],
            replace(TINY, epochs=1, batch=batch),
            seeds=[0],
            num_classes=10,
            observe=lambda epoch, positions, logits: seen.append(positions.shape[1]),
        )
        assert sorted(seen) == expected


class TestPredict:
    def test_own_or_common_samples(self):
        data, kept = digits([0, 1], 0.1)
        stack = train("mlp", data.x, data.y, kept, TINY, seeds=[0, 1], num_classes=10)
        assert not stack.training
        everything = predict(stack, data.x, np.arange(len(data.y)))
        own = np.array([[5, 3, 900], [1, 1, 2]])
        found = predict(stack, data.x, own)
        assert found.shape == (2, 3, 10)
        for s in range(2):
            np.testing.assert_allclose(found[s], everything[s, own[s]], rtol=0, atol=1e-12)

    def test_one_set_of_samples_may_be_flat(self):
        data, kept = digits([0], 0.1)
        flat, nested = (stack_logits(data, samples, TINY, [0]) for samples in (kept[0], kept))
        np.testing.assert_array_equal(flat, nested)


class TestErrors:
    def test_too_few_samples(self):
        data = load("digits-2x4")
        with pytest.raises(ValueError, match="at least 2 samples, 1 were kept"):
            train("mlp", data.x, data.y, data.train[:1], TINY, seeds=[0], num_classes=10)

    def test_seeds_and_sets_differ_in_number(self):
        data, kept = digits([0, 1])
        with pytest.raises(ValueError, match="2 sets of samples need as many seeds, got 3"):
            train("mlp", data.x, data.y, kept, TINY, seeds=[0, 1, 2], num_classes=10)

    def test_unknown_model(self):
        data, kept = digits([0])
        with pytest.raises(ValueError, match="unknown model 'lenet'"):
            train("lenet", data.x, data.y, kept, TINY, seeds=[0], num_classes=10)

    @pytest.mark.parametrize(
        ("field", "message"),
        [
            ({"budget": "halved"}, "budget is 'halved': it must be one of epochs, released, steps"),
            ({"precision": "bf16"}, "precision is 'bf16': it must be one of float32, "),
            ({"epochs": 0}, "epochs is 0: it must be a whole number from 1"),
            ({"batch": 1}, "batch is 1: it must be a whole number from 2"),
        ],
    )
    def test_recipe(self, field, message):
        with pytest.raises(ValueError, match=message):
            replace(TINY, **field)

    def test_data_set_without_defaults(self):
        with pytest.raises(ValueError, match="no default model for data set 'mnist'"):
            recipes.defaults("mnist")

    def test_defaults_exist_for_what_can_be_loaded(self):
        for name in ("digits", "digits-2x4", "digits-3rows"):
            model, recipe = recipes.defaults(name)
            assert model in models.names()
            assert recipe.precision == "float64"
