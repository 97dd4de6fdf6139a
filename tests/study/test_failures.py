"""A training that diverges is a failed trial, never a result; the others go on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dropkit import datasets, models, study
from dropkit.commands import main
from dropkit.store import Store
from dropkit.study.failures import FailedTrials
from dropkit.training import engine
from tests.study.test_trials import SHORT, grid


@pytest.fixture
def spoilt(monkeypatch):
    """Networks of these seeds start from weights that are not finite."""
    seeds, initialise = set(), models.initialise

    def spoiling(network, seed):
        found = initialise(network, seed)
        if seed in seeds:
            with torch.no_grad():
                next(found.parameters()).fill_(torch.inf)
        return found

    monkeypatch.setattr(models, "initialise", spoiling)
    return seeds


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_a_rate_that_bursts_and_since_when(model):
    data = datasets.load("digits-2x4", 0)
    # Weights that each step multiplies by 1 - 1,000.
    for changes, expected in (({"lr": 1e3, "weight_decay": 1.0}, {0: 0, 1: 0}), ({}, {})):
        recipe = replace(SHORT, batch=2, precision="float32", **changes)
        stack = engine.train(
            model, data.x, data.y, np.stack([data.train] * 2), recipe, seeds=[0, 1], num_classes=10
        )
        assert stack.diverged == expected


def test_neighbours_of_one_that_bursts_are_as_without_it(spoilt, tmp_path):
    trials = grid(["random"], seeds=3)
    alone = study.run(trials, store=Store(tmp_path / "alone"))
    spoilt.add(1)
    store = Store(tmp_path / "store")
    with pytest.raises(FailedTrials) as caught:
        study.run(trials, store=store)
    assert str(caught.value).startswith(
        "1 trials failed; the first is random at density 0.5, seed 1, of digits-2x4: its weights "
        "are not finite after epoch 1 of "
    )
    for s in (0, 2):
        assert store[trials[s].key]["recalls"] == alone[s]["recalls"]
    assert trials[1].key not in Store(tmp_path / "store")


def test_it_is_no_result_and_is_tried_again_on_demand(spoilt, calls, tmp_path):
    trials = grid(["random"], seeds=2)
    spoilt.add(1)
    with pytest.raises(FailedTrials):
        study.run(trials, store=Store(tmp_path))
    assert study.arrange(Store(tmp_path)).popitem()[1]["random"][0.5].keys() == {0}
    del calls[:]
    with pytest.raises(FailedTrials, match="retry=True"):
        study.run(trials, store=Store(tmp_path))
    assert calls == []
    spoilt.clear()
    records = study.run(trials, store=Store(tmp_path), retry=True)
    assert list(map(len, calls)) == [1] and len(records) == 2
    assert study.run(trials, store=Store(tmp_path)) == records


def test_a_query_that_bursts_fails_its_own_trials_alone(spoilt, tmp_path):
    trials = grid(["random", "random+drop"], seeds=2)
    (first, _) = (trial.recall_query.networks[0].seed for trial in trials if trial.recall_query)
    spoilt.add(first)
    with pytest.raises(FailedTrials, match="1 trials failed; .* a query model diverged: its weigh"):
        study.run(trials, store=Store(tmp_path))
    there = [trial for trial in trials if trial.key in Store(tmp_path)]
    assert {(trial.protocol, trial.seed) for trial in trials} - {
        (trial.protocol, trial.seed) for trial in there
    } == {("random+drop", 0)}
    with pytest.raises(ValueError, match="a query of seed 0 diverged"):
        study.scores_of([t for t in grid(["el2n"]) if t.seed == 0], Store(tmp_path / "other"))


def test_a_plan_goes_on_says_it_and_exits_with_1(spoilt, tmp_path, capsys):
    spoilt.add(1)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'dataset = "digits-2x4"\nmodel = "mlp"\ndensities = [0.5]\nseeds = 2\n'
        '[[stage]]\nprotocols = ["full"]\n[[stage]]\nprotocols = ["random"]\n'
    )
    command = ["run", str(plan), "--store", str(tmp_path / "s"), "--device", "cpu"]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert "2 of 4 trials are in" in out and "2 failed, --retry tries them again" in out
    for trial in ("full at density 1", "random at density 0.5"):
        assert f"failed: {trial}, seed 1, of digits-2x4: its weights are not finite" in err
    assert main(["store", "verify", "--store", str(tmp_path / "s"), "--sample", "0"]) == 0
    spoilt.clear()
    assert main(command) == 1 and main([*command, "--retry"]) == 0
    assert "4 of 4 trials are in" in capsys.readouterr().out
