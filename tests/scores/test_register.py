"""Data sets of one's own: what `register` takes, and what it says of what it cannot take."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dropkit.datasets import Data, load, loading


def bars(seed, root):
    """Four samples of two classes, as numbers of small types and as lists."""
    x = np.arange(12.0).reshape(6, 2)
    return Data(x, np.array([0, 1, 0, 1, 0, 1], np.uint8), [0, 1], [2, 3], [4, 5], ("a", "b"))


@pytest.fixture
def nothing_is_left_behind():
    before = dict(loading._LOADERS), dict(loading._VERSIONS)
    yield
    loading._LOADERS, loading._VERSIONS = before


@pytest.mark.usefixtures("nothing_is_left_behind")
class TestRegister:
    def test_loads_and_lists_it(self):
        loading.register("bars", bars)
        data = load("bars", 3, root="here")
        assert "bars" in loading.names()
        assert data.y.tolist() == [0, 1, 0, 1, 0, 1] and data.y.dtype == np.int64
        assert data.sizes("val").tolist() == [1, 1] and data.test.tolist() == [4, 5]

    def test_the_loader_gets_seed_and_folder(self, monkeypatch):
        seen = []
        loading.register("bars", lambda *given: seen.append(given) or bars(*given))
        load("bars", 3, root="here")
        monkeypatch.setenv("DROPKIT_DATA", "there")
        load("bars")
        assert seen == [(3, "here"), (0, "there")]

    def test_an_edited_loader_makes_other_trials(self):
        def other(seed, root):
            return bars(seed + 1, root)

        versions = []
        for loader in (bars, other, bars):
            loading.register("bars", loader)
            versions.append(loading.version("bars"))
        assert versions[0] == versions[2] != versions[1] and all(versions)

    def test_a_version_of_ones_own(self):
        loading.register("bars", bars, version="of May")
        assert loading.version("bars") == "of May"

    @pytest.mark.parametrize("name", ["digits", "imagenet", "", "My set", "a/b", "../a", "a,b"])
    def test_names_that_cannot_be_used(self, name):
        with pytest.raises(ValueError, match=f"data set name {name!r} cannot be used: it must be"):
            loading.register(name, bars)
        assert load("digits").num_classes == 10

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"x": [[1.0]] * 6}, "samples are list: they must be an array or Images"),
            (
                {"y": np.array([0, 1, 0])},
                r"labels have shape \(3,\): expected \(6,\), one a sample",
            ),
            ({"y": np.array([0.0] * 6)}, r"labels are float64: they must be integers 0..1"),
            ({"y": np.array([0, 1, 2, 1, 0, 1])}, "label 2 is no class: .* integers 0..1"),
            ({"y": np.array([0, 1, -1, 1, 0, 1])}, "label -1 is no class: .* integers 0..1"),
            ({"train": [0, 6]}, "the train split has index 6: expected 0..5"),
            ({"val": [-1]}, "the val split has index -1: expected 0..5"),
            ({"val": []}, "the val split must be a list of indices, got"),
            ({"test": np.zeros(6, bool)}, "the test split must be a list of indices, got"),
            ({"train": [1, 1]}, "the train split has sample 1 twice"),
            ({"test": [4, 3]}, "sample 3 is in the val split and in the test split"),
            ({"test": [0, 5]}, "sample 0 is in the train split and in the test split"),
        ],
    )
    def test_unsound_data(self, changes, problem):
        loading.register("bars", lambda seed, root: replace(bars(seed, root), **changes))
        with pytest.raises(ValueError, match=f"the loader of 'bars': {problem}"):
            load("bars")

    def test_no_data(self):
        loading.register("bars", lambda seed, root: np.zeros(3))
        with pytest.raises(ValueError, match="the loader of 'bars' returned ndarray, not Data"):
            load("bars")

    def test_a_script_is_known_to_its_worker_processes(self, tmp_path):
        """They read the script that was started, where it registers the data set."""
        script = tmp_path / "script.py"
        script.write_text(SCRIPT)
        answer = subprocess.run(
            [sys.executable, str(script)],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"DROPKIT_STORE": str(tmp_path / "store")},
            capture_output=True,
            text=True,
        )
        assert answer.stdout.split() == ["2", "bars"], answer.stderr


SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, ".")
from dropkit import datasets, study
from dropkit._common import machine
from dropkit.training import recipes
from dropkit.store import Store

def bars(seed, root):
    x = np.random.default_rng(seed).normal(size=(40, 3))
    parts = np.split(np.arange(40), [20, 30])
    return datasets.Data(x, np.arange(40) % 2, *parts, ("a", "b"))

datasets.register("bars", bars)
recipes.DEFAULTS["bars"] = {"mlp": recipes.Recipe(1, 8, 0.1, 0.0)}

if __name__ == "__main__":
    machine.cores = lambda: 2
    trials = study.grid("bars", protocols=["random"], densities=[0.5, 0.7], seeds=1)
    records = study.run(trials, store=Store(), executor="processes")
    print(len(records), records[0]["trial"]["dataset"])
"""
