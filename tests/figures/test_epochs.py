"""Recalls over epochs against stored trials and hand-made histories."""

from dataclasses import replace

import numpy as np
import pytest

from dropkit import study
from dropkit.figures import epochs as learning_curves
from dropkit.store import Store
from dropkit.training.recipes import DIGITS

RECIPE = replace(DIGITS, epochs=8)


@pytest.mark.parametrize("protocol", ["full", "full+cdbw"])
def test_curves_are_those_of_the_stored_trials(tmp_path, protocol):
    loss = "cdbw" if "cdbw" in protocol else "ce"
    curves = learning_curves.recall_curves(
        "digits-2x4", "mlp", replace(RECIPE, loss=loss), [0, 1, 2]
    )
    assert curves["val"].shape == curves["test"].shape == (3, 8, 10)
    ends = {
        "last": np.full(3, 7),
        "best": learning_curves.best_epochs(curves["val"]),
    }
    for select, epochs in ends.items():
        records = study.run(
            study.grid(
                "digits-2x4",
                protocols=[protocol],
                densities=[1.0],
                seeds=3,
                recipe=replace(RECIPE, select=select),
            ),
            store=Store(tmp_path),
        )
        stored = np.array([record["recalls"] for record in records])
        found = curves["test"][np.arange(3), epochs]
        np.testing.assert_allclose(found, stored, rtol=0, atol=1e-6)


def test_best_epochs_are_the_latest_of_equals():
    recalls = np.array(
        [
            [[0.1, 0.9], [0.5, 0.6], [0.5, 0.5], [0.2, 1.0]],
            [[0.7, 0.8], [0.9, 0.1], [0.6, 0.7], [0.0, 0.0]],
        ]
    )
    assert learning_curves.best_epochs(recalls).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("epochs", "drops", "expected"),
    [
        (60, (0.5, 0.75), [(0, 30), (30, 45), (45, 60)]),
        (10, (), [(0, 10)]),
        (5, (0.5,), [(0, 3), (3, 5)]),
    ],
)
def test_phases(epochs, drops, expected):
    found = learning_curves.phases(replace(DIGITS, epochs=epochs, drops=drops))
    assert [(phase.start, phase.stop) for phase in found] == expected


def test_steadiness_by_hand():
    recipe = replace(DIGITS, epochs=5, drops=(0.6,), lr=0.1, drop_factor=0.5)
    # One seed, two classes: three epochs at 0.1, two at 0.05.
    recalls = np.array([[[0.2, 0.5], [0.4, 0.3], [0.6, 0.7], [0.5, 0.5], [0.5, 0.6]]])
    rows, headers, _ = learning_curves.steadiness({"loss": recalls}, recipe)
    assert rows == [
        # Worst 20, 30, 60; changes 20, 20, 20, 40.
        ["loss", "1 to 3", "0.1", "36.7", "40.0", "25.0"],
        # Worst 50, 50; changes 0, 10.
        ["loss", "4 to 5", "0.05", "50.0", "0.0", "5.0"],
    ]
    assert len(rows[0]) == len(headers)
    changes = learning_curves.changes({"loss": recalls}, recipe)
    np.testing.assert_allclose(changes, [[25, 5, np.nan]])


def test_the_optimism_of_the_best_epoch_by_hand():
    val = np.array([[[0.9, 0.6], [0.7, 0.8]], [[0.5, 0.4], [0.3, 0.2]]])  # best: the second, first
    test = np.array([[[0.1, 0.2], [0.5, 0.6]], [[0.4, 0.3], [0.9, 0.9]]])
    table = learning_curves.optimism({"loss": {"val": val, "test": test}})
    assert table.rows == [["loss", "1.5 (1 to 2)", "55.0", "40.0"]]


def test_what_runs_end_with_is_compared_with_the_last_epoch():
    last = np.array([[0.5, 0.9], [0.7, 0.7]])
    curves = {"full": {1.0: last}, "full, best": {1.0: last + 0.1}}
    assert learning_curves.selections(curves).rows == [
        ["Full data", "70.0", "60.0", "50.0", "60.0"],
        ["Full data, best", "80.0", "70.0", "60.0", "70.0"],
    ]
    (row,) = learning_curves.selection_gains(curves).rows
    assert row == ["Full data, best", *["+10.0 [+10.0,\xa0+10.0]"] * 3]


def test_figure_has_a_panel_a_loss_and_the_mean_of_all_seeds():
    rng = np.random.default_rng(0)
    recipe = replace(DIGITS, epochs=8)
    curves = {name: rng.uniform(size=(6, 8, 3)) for name in ("one", "other")}
    figure = learning_curves.worst_class_curves(curves, recipe)
    assert [ax.get_title() for ax in figure.axes] == ["one", "other"]
    for ax, recalls in zip(figure.axes, curves.values(), strict=True):
        lines = [line for line in ax.lines if len(line.get_xdata()) == 8]
        assert len(lines) == 4 + 1
        expected = 100 * recalls.min(axis=2).mean(axis=0)
        np.testing.assert_allclose(lines[-1].get_ydata(), expected)
        drops = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
        assert drops == [4.5, 6.5]


def test_panels_share_an_axis_that_holds_the_curves_of_all():
    low, high = np.full((3, 8, 2), 0.1), np.full((3, 8, 2), 0.9)
    middle = np.full((3, 8, 2), 0.5)
    recipe = replace(DIGITS, epochs=8)
    figure = learning_curves.worst_class_curves({"a": middle, "b": low, "c": high}, recipe)
    for ax in figure.axes:
        bottom, top = ax.get_ylim()
        assert bottom < 10 and top > 90
