"""Best and averaged weights against copies taken after every epoch."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from dropkit import study
from dropkit.datasets import load
from dropkit.training import predict, train
from dropkit.training.recipes import DIGITS

SEEDS = [5, 2, 8]


def splits(size: int):
    sets = [load("digits-2x4", seed) for seed in SEEDS]
    return (
        sets[0],
        np.stack([data.train[:size] for data in sets]),
        np.stack([data.val[:120] for data in sets]),
    )


def run(model, recipe, size=90, val=None, **hooks):
    data, kept, usual = splits(size)
    val = usual if val is None else val
    return train(model, data.x, data.y, kept, recipe, seeds=SEEDS, num_classes=10, val=val, **hooks)


def copies(model, recipe, size=90):
    """Plain copies of all networks after every epoch: [epoch][network]."""
    taken = []

    def copy(epoch, stack):
        assert epoch == len(taken) and not stack.training
        taken.append([deepcopy(stack.network(s)) for s in range(stack.size)])

    run(model, replace(recipe, select="last"), size, after_epoch=copy)
    return taken


def logits(network, x):
    with torch.no_grad():
        return network(torch.as_tensor(x).to(next(network.parameters()).dtype)).numpy()


def worst_recall(network, x, y):
    answers = logits(network, x).argmax(axis=1)
    return min(np.mean(answers[y == k] == k) for k in range(10) if (y == k).any())


each_stack = pytest.mark.parametrize(
    ("model", "precision", "epochs"),
    [("mlp", "float64", 9), ("mlp", "float32", 9), ("cnn", "float64", 5)],
)


def check_best(model, recipe, size, val):
    """Compare with a search through the copies; return worst recalls [network][epoch]."""
    data, _, _ = splits(size)
    taken = copies(model, recipe, size)
    found = predict(run(model, recipe, size, val=val), data.x, data.test)
    histories = []
    for s in range(len(SEEDS)):
        worsts = [worst_recall(nets[s], data.x[val[s]], data.y[val[s]]) for nets in taken]
        latest = max(e for e, worst in enumerate(worsts) if worst == max(worsts))
        expected = logits(taken[latest][s], data.x[data.test])
        np.testing.assert_allclose(found[s], expected, rtol=0, atol=1e-5)
        histories.append(worsts)
    return histories


# At a steady, high learning rate recalls go up and down.
RESTLESS = replace(DIGITS, select="best", drops=())


@each_stack
def test_best_is_the_epoch_of_the_highest_validation_worst_class(model, precision, epochs):
    recipe = replace(RESTLESS, epochs=epochs, precision=precision)
    size = 450 if model == "mlp" else 90
    histories = check_best(model, recipe, size, splits(size)[2])
    if model == "mlp":  # each network has an epoch of its own
        assert len({int(np.argmax(worsts)) for worsts in histories}) > 1


def test_class_without_validation_samples_has_no_say():
    data, _, val = splits(450)
    val = np.stack([row[data.y[row] != 4][:90] for row in val])
    histories = check_best("mlp", replace(RESTLESS, epochs=9), 450, val)
    assert any(worsts[-1] < max(worsts) for worsts in histories)


def test_of_equal_epochs_the_latest_is_best():
    # Seven samples of one class: few values, and sevenths are no exact numbers.
    data, _, _ = splits(450)
    val = np.stack([np.flatnonzero(data.y == 8)[7 * s : 7 * s + 7] for s in range(len(SEEDS))])
    histories = check_best("mlp", replace(RESTLESS, epochs=12), 450, val)
    tied = {max(worsts) for worsts in histories if worsts.count(max(worsts)) > 1}
    assert tied - {0.0, 1.0}


@each_stack
def test_averaged_is_the_mean_of_the_last_quarter(model, precision, epochs):
    recipe = replace(DIGITS, epochs=epochs, precision=precision, select="averaged")
    quarter = {9: 3, 5: 2}[epochs]  # rounded up
    data, _, _ = splits(90)
    taken = copies(model, recipe)
    found = predict(run(model, recipe), data.x, data.test)
    for s in range(len(SEEDS)):
        states = [nets[s].state_dict() for nets in taken[-quarter:]]
        mean = deepcopy(taken[-1][s])
        mean.load_state_dict(
            {
                name: torch.stack([state[name].double() for state in states]).mean(dim=0)
                for name in states[0]
            }
        )
        expected = logits(mean, data.x[data.test])
        np.testing.assert_allclose(
            found[s], expected, rtol=0, atol=1e-4 if "32" in precision else 1e-9
        )
        assert abs(logits(taken[-1][s], data.x[data.test]) - expected).max() > 1e-3


@pytest.mark.parametrize("select", ["best", "averaged"])
def test_a_single_epoch_leaves_nothing_to_select(select):
    recipe = replace(DIGITS, epochs=1)
    data, _, _ = splits(90)
    chosen, last = (
        predict(run("mlp", replace(recipe, select=how)), data.x, data.test)
        for how in (select, "last")
    )
    np.testing.assert_array_equal(chosen, last)


@pytest.mark.parametrize("loss", ["ce", "cdbw"])
def test_selecting_and_watching_leave_training_alone(loss):
    data, _, _ = splits(90)
    recipe = replace(DIGITS, epochs=6, loss=loss)
    histories = []
    for select in ("last", "best", "averaged"):
        seen = []
        run(
            "mlp",
            replace(recipe, select=select),
            after_epoch=lambda epoch, stack, seen=seen: seen.append(
                predict(stack, data.x, data.test)
            ),
        )
        histories.append(np.stack(seen))
    np.testing.assert_array_equal(histories[1], histories[0])
    np.testing.assert_array_equal(histories[2], histories[0])
    alone = predict(run("mlp", recipe), data.x, data.test)
    np.testing.assert_array_equal(histories[0][-1], alone)


def test_it_is_part_of_a_trials_key():
    keys = {
        trial.key
        for select in ("last", "best", "averaged")
        for trial in study.grid(
            "digits",
            protocols=["full"],
            densities=[1.0],
            seeds=1,
            recipe=replace(DIGITS, select=select),
        )
    }
    assert len(keys) == 3
