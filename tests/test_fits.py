"""A fit is measured once, and found again only where nothing that determines it has changed."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dropkit import fits, practice
from dropkit.store import Store

WINE = practice.CASES["wine, logistic"]


@pytest.fixture
def counted(monkeypatch):
    """The fits of logistic regressions, as they happen."""
    happened, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *data: happened.append(1) or fit(self, *data)
    )
    return happened


def test_a_comparison_is_found_again_by_another_process(tmp_path, counted):
    first = practice.compare(WINE, [0.5], 1, store=Store(tmp_path))
    assert counted
    counted.clear()
    again = practice.compare(WINE, [0.5], 1, store=Store(tmp_path))
    assert not counted
    for method, by_density in first.recalls.items():
        for density, recalls in by_density.items():
            assert (again.recalls[method][density] == recalls).all()
            assert (again.kept[method][density] == first.kept[method][density]).all()


def test_only_a_new_density_and_a_new_seed_are_fitted(tmp_path):
    store = Store(tmp_path)
    whole, samplers = 2, len(practice.SAMPLERS)
    practice.compare(WINE, [0.5], 1, store=store)
    assert len(store) == whole + samplers
    practice.compare(WINE, [0.3, 0.5], 1, store=store)
    assert len(store) == whole + 2 * samplers
    practice.compare(WINE, [0.5], 2, store=store)
    assert len(store) == 2 * whole + 3 * samplers


def test_what_is_stored_first_does_not_change_what_comes_out(tmp_path):
    """Fits do not hang on each other: alone or with others, each gives the same."""
    together = practice.compare(WINE, [0.3, 0.6], 2, store=Store(tmp_path / "a"))
    store = Store(tmp_path / "b")
    for density in (0.6, 0.3):
        alone = practice.compare(WINE, [density], 2, store=store)
        for method in practice.SAMPLERS:
            expected = together.recalls[method][density]
            assert (alone.recalls[method][density] == expected).all(), method


@pytest.mark.parametrize("changed", ["data", "package", "version", "setting"])
def test_whatever_determines_a_fit_is_in_its_key(tmp_path, monkeypatch, changed):
    X, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 1])
    settings = {"method": "a", "seed": 0, "inputs": fits.digest(X, y)}
    store, measured = Store(tmp_path), []

    def measure(wanted):
        measured.extend(wanted)
        return [{"recalls": np.array([0.5, 1 / 3])} for _ in wanted]

    (record,) = fits.recorded([settings], measure, store)
    assert record["recalls"] == [0.5, 0.333333]
    assert "torch" not in record["provenance"] and "scikit-learn" in record["provenance"]
    assert fits.recorded([settings], measure, store) == [record] and len(measured) == 1
    if changed == "data":
        settings["inputs"] = fits.digest(X + [[0, 1e-12]], y)
    elif changed == "package":
        monkeypatch.setattr(fits, "version", lambda name: "0.0")
    elif changed == "version":
        monkeypatch.setattr(fits, "VERSION", -1)
    else:
        settings["seed"] = 1
    fits.recorded([settings], measure, store)
    assert len(measured) == 2


def test_data_of_the_same_bytes_in_another_shape_or_type_are_other_data():
    y = np.zeros(4, int)
    X = np.zeros((4, 2))
    others = [X.reshape(2, 4), X.astype(np.int64), X[:2]]
    assert len({fits.digest(each, y) for each in [X, *others]}) == 4
    assert fits.digest(X, y) != fits.digest(X, y.astype(np.int32))
    assert fits.digest(np.asfortranarray(X), y) == fits.digest(X, y)
