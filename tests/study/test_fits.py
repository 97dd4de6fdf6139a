"""A fit is measured once, and found again only where nothing that determines it has changed."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dropkit.commands import main
from dropkit.store import Store, key
from dropkit.study import fits, your_data
from tests.commands.test_store_commands import change

WINE = your_data.CASES["wine, logistic"]


@pytest.fixture
def counted(monkeypatch):
    """The fits of logistic regressions, as they happen."""
    happened, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *data: happened.append(1) or fit(self, *data)
    )
    return happened


def test_a_comparison_is_found_again_by_another_process(tmp_path, counted):
    first = your_data.compare(WINE, [0.5], 1, store=Store(tmp_path))
    assert counted
    counted.clear()
    again = your_data.compare(WINE, [0.5], 1, store=Store(tmp_path))
    assert not counted
    for method, by_density in first.recalls.items():
        for density, recalls in by_density.items():
            assert (again.recalls[method][density] == recalls).all()
            assert (again.kept[method][density] == first.kept[method][density]).all()


def test_only_a_new_density_and_a_new_seed_are_fitted(tmp_path):
    store = Store(tmp_path)
    whole, samplers = 2, len(your_data.SAMPLERS)
    your_data.compare(WINE, [0.5], 1, store=store)
    assert len(store) == whole + samplers
    your_data.compare(WINE, [0.3, 0.5], 1, store=store)
    assert len(store) == whole + 2 * samplers
    your_data.compare(WINE, [0.5], 2, store=store)
    assert len(store) == 2 * whole + 3 * samplers


def test_what_is_stored_first_does_not_change_what_comes_out(tmp_path):
    """Fits do not hang on each other: alone or with others, each gives the same."""
    together = your_data.compare(WINE, [0.3, 0.6], 2, store=Store(tmp_path / "a"))
    store = Store(tmp_path / "b")
    for density in (0.6, 0.3):
        alone = your_data.compare(WINE, [density], 2, store=store)
        for method in your_data.SAMPLERS:
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


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Stored fits of both experiments, one seed."""
    folder = tmp_path_factory.mktemp("measured")
    store = Store(folder)
    your_data.compare(WINE, [0.5], 1, store=store)
    your_data.trust(WINE, [2], [1.0], 0.5, 1, store=store)
    store.close()
    return folder


class TestVerify:
    @pytest.fixture
    def folder(self, measured, tmp_path):
        """A copy that a test may damage."""
        (file,) = measured.glob("*.jsonl")
        (tmp_path / file.name).write_bytes(file.read_bytes())
        return tmp_path

    def verified(self, folder, capsys, *options):
        """The exit status, and what is printed, of making all fits again."""
        status = main(["store", "verify", "--store", str(folder), "--sample", "50", *options])
        return status, capsys.readouterr().out.splitlines()

    def test_the_same_comes_out(self, folder, capsys, counted):
        status, lines = self.verified(folder, capsys, "--dataset", "wine")
        keys = [record["key"] for record in Store(folder)]
        assert len(keys) == 2 + len(your_data.SAMPLERS) + 3 and len(counted) > len(keys)
        assert status == 0 and lines[0] == f"0 trials, 11 fits and 0 query records in {folder}"
        assert {line.split()[1] for line in lines if line.startswith("same: ")} == set(keys)
        assert lines[-1] == (
            "run again: 0 trials, 11 fits, as the store has no more of this version; different: 0"
        )

    def test_the_packages_are_looked_up_once_a_fit(self, folder, capsys, monkeypatch):
        asked, version = [], fits.version
        monkeypatch.setattr(fits, "version", lambda name: asked.append(name) or version(name))
        status, lines = self.verified(folder, capsys)
        assert status == 0 and lines[0].startswith("0 trials, 11 fits and")
        assert sorted(asked) == sorted(11 * fits.PACKAGES)

    @pytest.mark.parametrize("field", ["recalls", "kept"])
    def test_another_result_is_found(self, folder, capsys, field):
        chosen = list(Store(folder))[4]
        first, *others = chosen[field]
        other = abs(first - 0.25) if field == "recalls" else first + 1
        change(folder, chosen["key"], **{field: [other, *others]})
        status, lines = self.verified(folder, capsys)
        (different,) = (line for line in lines if line.startswith("DIFFERENT: "))
        fit = chosen["fit"]
        what = f"{chosen['key']} wine logistic {fit['method']} {fit['density']:g} seed 0, "
        assert status == 1 and what in different
        share = 1 / chosen["class_sizes"][0]  # of the class of which another sample is kept
        assert different.endswith(
            "recalls within 0.25"
            if field == "recalls"
            else f"recalls within 0, kept shares of classes within {share:g}"
        )
        assert lines[-1].endswith("different: 1")

    @pytest.mark.parametrize(
        "changes",
        [
            {"version": 0},
            {"packages": {"scikit-learn": "0.1"}},
            {"inputs": "of other data"},
            {"experiment": "of a later version"},
            {"data": "iris"},
        ],
    )
    def test_fits_of_other_versions_are_passed_over(self, folder, capsys, changes):
        chosen = list(Store(folder))[4]
        fit = chosen["fit"] | changes
        other = key({"fit": fit})
        Store(folder).add(chosen | {"key": other, "fit": fit})
        status, lines = self.verified(folder, capsys)
        assert status == 0 and lines[0].startswith("0 trials, 12 fits and")
        assert lines[-1].startswith("run again: 0 trials, 11 fits, as the store has no more")
        (line,) = (line for line in lines if other in line)
        assert line.startswith(
            "of another version, and so never drawn: 0 trials, 1 fits; the first"
        )

    def test_without_the_packages_they_are_passed_over(self, folder, capsys, monkeypatch):
        monkeypatch.delattr("dropkit.study.your_data")
        monkeypatch.setitem(sys.modules, "dropkit.study.your_data", None)
        status, lines = self.verified(folder, capsys)
        assert status == 0 and lines[-1].startswith("run again: 0 trials, as the store has no more")
