"""Estimates against counting by hand, published arithmetic, and a clock of our own."""

import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import ResNet50_Weights

from dropkit import study
from dropkit.commands import main
from dropkit.datasets import load_imbalanced
from dropkit.study import estimate, plan
from dropkit.study.estimate import Size
from dropkit.training import engine, recipes
from dropkit.training.recipes import DIGITS
from tests.fake_gpu import pretended

CPU = torch.device("cpu")


class TestCost:
    def test_by_hand(self):
        """CIFAR-100 at Table 1's epochs, which is not here: 50,000 images, 160 epochs."""
        recipe = recipes.replace(recipes.CIFAR100, budget="epochs")
        trials = study.grid(
            "cifar100", recipe=recipe, protocols=["full", "random+drop", "el2n", "forgetting"],
            densities=[0.5, 0.1], seeds=2,
        )  # fmt: skip
        found = estimate.cost(trials)
        assert found.trials == 14 and found.queries == 4
        assert found.trial_images == 2 * (50_000 + 3 * 25_000 + 3 * 5_000) * 160
        # Five short query models a seed, of 16 epochs, that EL2N and DRoP share; one long run.
        assert found.query_images == 2 * 50_000 * (5 * 16 + 160)
        assert found.images == found.trial_images + found.query_images

    def test_the_largest_record(self):
        """Of five networks the outputs for each class; of a long run two arrays and features."""
        for protocol, expected in (
            ("el2n", 5 * 50_000 * 100 * 4),
            ("coreset", 50_000 * (160 * (4 + 1) + 512 * 4)),
            ("random", 0),
        ):
            trials = study.grid("cifar100", protocols=[protocol], densities=[0.5], seeds=1)
            assert estimate.cost(trials).record == expected

    def test_a_trial_twice_is_trained_once(self):
        trials = study.grid("cifar10", protocols=["random"], densities=[0.5], seeds=1)
        assert estimate.cost(trials * 2) == estimate.cost(trials)

    @pytest.mark.parametrize("imbalance", [1.0, 2.5, 7.0])
    def test_of_data_that_are_here(self, imbalance):
        """What is counted of the loaded data of each seed."""
        trials = study.grid(
            "digits", protocols=["full", "random"], densities=[0.9, 0.25], seeds=3,
            imbalance=imbalance,
        )  # fmt: skip
        for trial in trials:
            # Class sizes of a split may differ by one between seeds, and the long tail with them.
            sizes = [len(load_imbalanced("digits", s, imbalance).train) for s in (0, trial.seed)]
            share = estimate.cost([trial]).trial_images * sizes[1] / sizes[0]
            assert share == pytest.approx(trial.images(sizes[1]), rel=0.01)

    def test_the_long_tail_of_cifar(self):
        """Cui et al. (2019): class k of 100 keeps 500 x 20 ** (-k / 99) images."""
        (trial,) = study.grid(
            "cifar100", protocols=["full"], densities=[1], seeds=1, imbalance=20,
            recipe=recipes.replace(recipes.CIFAR100, epochs=1),
        )  # fmt: skip
        expected = sum(int(500 * 20 ** (-k / 99) + 1e-9) for k in range(100))
        assert estimate.cost([trial]).images == expected

    def test_sizes_of_published_sets(self):
        sizes = {name: (s.train, s.classes, s.shape[1]) for name, s in estimate.PUBLISHED.items()}
        assert sizes == {
            "cifar10": (50_000, 10, 32),
            "cifar100": (50_000, 100, 32),
            "cifar100-coarse": (50_000, 20, 32),
            "tinyimagenet": (100_000, 200, 64),
            "imagenet": (1_281_167, 1000, 224),
        }


class TestFlops:
    def test_a_perceptron(self):
        """Each layer 2 operations a weight, forward, for its weights, and for what is before it."""
        size = Size(10, 1, 10, (1, 2, 4))
        assert estimate.flops("mlp", size) == 2 * (2 * 8 * 64 + 3 * 64 * 10)

    def test_resnet50(self):
        """torchvision states 4.09 billion multiplications forward; no gradient for the pixels."""
        forward = ResNet50_Weights.IMAGENET1K_V1.meta["_ops"] * 1e9
        stem = 112**2 * 64 * 3 * 7**2
        expected = 2 * (3 * forward - stem)
        for name in ("resnet50", "resnet50-imagenet"):  # of the latter no weights are here
            found = estimate.flops(name, estimate.PUBLISHED["imagenet"])
            assert found == pytest.approx(expected, rel=0.001)


class TestThroughput:
    @pytest.mark.parametrize(
        ("model", "size", "recipe", "images"),
        [
            ("mlp", Size(100, 10, 10, (1, 2, 4)), DIGITS, 60 * 32),  # of all networks of a stack
            ("mini", Size(100, 10, 10, (3, 32, 32)), recipes.MINI, 128),
            # As many pixels as 256 images of CIFAR.
            ("mini", Size(100, 10, 10, (3, 224, 224)), recipes.IMAGENET, 5),
        ],
    )
    def test_by_a_clock_on_which_a_step_takes_a_tenth(
        self, monkeypatch, model, size, recipe, images
    ):
        now = np.nditer(np.arange(0, 1000, 0.1))
        monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
        monkeypatch.setattr(estimate, "SECONDS", 0.45)
        found = estimate.throughput(model, size, recipe, CPU)
        assert found == pytest.approx(images / 0.1)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there, and not pretended")
    def test_waits_for_a_gpu_once_an_epoch(self, monkeypatch):
        now = np.nditer(np.arange(0, 1000, 0.1))
        monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
        monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)  # to be as it was after
        monkeypatch.setattr(estimate, "SECONDS", 0.15)
        recipe = recipes.replace(DIGITS, batch=512)
        with pretended(monkeypatch) as gpu:
            device = torch.device("cuda")
            found = estimate.throughput("cnn", Size(9, 1, 3, (1, 4, 4)), recipe, device)
        # Three epochs of 8 steps, the first to warm up; three steps were not from a graph.
        assert found == pytest.approx(engine.SIDE_BY_SIDE * 8 * 512 / 0.1)
        assert [graph.replays for graph in gpu.graphs] == [3 * 8 - 3]
        assert gpu.waits["_local_scalar_dense"] <= 3 + 1  # and for the number of classes

    def test_leaves_the_recipes_other_needs_aside(self, monkeypatch):
        """CDB-W and the best epoch want a validation split, which is no part of a step."""
        recipe = recipes.replace(DIGITS, loss="cdbw", select="best")
        monkeypatch.setattr(estimate, "SECONDS", 0)
        assert estimate.throughput("mlp", Size(9, 1, 3, (5,)), recipe, CPU) > 0


class TestCommand:
    def test_hours(self, capsys):
        assert main(["estimate", "imagenet-paper", "--images-per-second", "2000"]) == 0
        printed = capsys.readouterr().out
        cost = estimate.cost(sum(plan.read("imagenet-paper").steps(), []))
        assert f"on {cost.trial_images:,} images, counted each time" in printed
        assert f"{cost.images / 7.2e6:,.1f} hours of one device at 2,000 images/s" in printed

    def test_the_page_shows_what_is_printed(self, capsys):
        page = Path(__file__).parents[2] / "book" / "howto" / "scale.md"
        (shown,) = re.findall(r"```text\n(resnet50 on imagenet\n.*?)```", page.read_text(), re.S)
        command = "dropkit estimate imagenet-paper --images-per-second 2470"
        assert command in page.read_text()
        assert main(command.split()[1:]) == 0
        assert capsys.readouterr().out == shown

    def test_imagenet_costs_what_the_schedule_says(self):
        """In full trainings: nine protocols at five densities and one on all images, a seed."""
        released = sum(0.5 + 0.5 * d for d in (0.1, 0.3, 0.5, 0.7, 0.9))
        short = 5 * 10 / 90  # five initialisations of ten epochs
        expected = 3 * (1 + 9 * released + 1 + short)
        cost = estimate.cost(sum(plan.read("imagenet-paper").steps(), []))
        assert cost.images / (90 * 1_281_167) == pytest.approx(expected, rel=0.001)

    def test_measured(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(estimate, "throughput", lambda *given: 100.0)
        file = tmp_path / "plan.toml"
        file.write_text(
            'dataset = "digits"\nmodel = "mlp"\ndensities = [0.5]\nseeds = 2\n'
            '[[stage]]\nprotocols = ["random"]\n'
        )
        assert main(["estimate", str(file), "--device", "cpu", "--seeds", "4"]) == 0
        printed = capsys.readouterr().out
        assert "trials      1, on" in printed and "queries     0, on 0 images" in printed
        size = len(load_imbalanced("digits", 0, 1).train)
        hours = round(0.5 * size) * DIGITS.epochs / 100 / 3600
        assert "measured    100 images/s on cpu" in printed
        assert f"time        {hours:.1f} hours of one device at 100 images/s" in printed

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["nowhere"], "no plan nowhere"),
            (["cifar10-paper", "--images-per-second", "0"], "must be above 0, got 0"),
            (["cifar10-paper", "--images-per-second", "nan"], "must be above 0, got nan"),
            (["cifar10-paper", "--device", "cuda:99"], "device 'cuda:99' was asked for, and"),
            (["waterbirds-paper"], "let DROPKIT_DATA name the folder that has waterbird_compl"),
        ],
    )
    def test_errors(self, arguments, problem, capsys, monkeypatch):
        monkeypatch.delenv("DROPKIT_DATA", raising=False)
        assert main(["estimate", *arguments]) == 2
        answer = capsys.readouterr().err
        assert problem in answer and answer.count("\n") == 1


def test_a_set_is_loaded_once_for_all_its_networks(monkeypatch):
    loaded, load = [], estimate.datasets.load
    monkeypatch.setattr(estimate.datasets, "load", lambda name: loaded.append(name) or load(name))
    trials = study.grid("digits-2x4", protocols=["random"], densities=[0.3, 0.5], seeds=4)
    assert estimate.images(trials) == sum(estimate.images([trial]) for trial in trials)
    assert len(loaded) == 1 + len(trials)
