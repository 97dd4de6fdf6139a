"""What users register: other code is another trial; known to commands and workers, or named."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dropkit import datasets, models, quotas, scores, study
from dropkit._common import own_code
from dropkit.commands import main
from dropkit.datasets import Data
from dropkit.models import architectures
from dropkit.pruning import parse, prune, version
from dropkit.store import Store
from dropkit.study import plan
from dropkit.study.rerun import lacking, trial_of
from dropkit.training import Recipe
from tests.study.test_trials import grid

ROOT = Path(__file__).parents[2]
SHORT = Recipe(2, 8, 0.1, 0.0)


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch):
    path = list(sys.path)
    monkeypatch.setenv(own_code.VARIABLE, "")
    yield
    sys.path[:] = path
    sys.modules.pop("my_study", None)


def first_feature(query, sign):
    return sign * query.probs[0, :, 0]


def some(seed, root, *, scale=1.0):
    x = np.random.default_rng(0).normal(size=(60, 3)) * scale
    y = np.arange(60) % 3
    return Data(x + np.eye(3)[y], y, *np.split(np.arange(60), [30, 45]), ("a", "b", "c"))


class TestAnotherTrial:
    def keys(self, **changes):
        given = {"protocols": ["own"], "densities": [0.5], "seeds": 1}
        return {trial.key for trial in study.grid("digits-2x4", **given | changes)}

    def test_scores_that_differ_by_a_partial(self):
        found = []
        for sign in (1, -1, 1):
            scores.register("own", needs=("probs",))(partial(first_feature, sign=sign))
            found.append(self.keys())
        assert found[0] == found[2] != found[1]

    def test_a_global_that_changed_is_refused_until_registered_again(self):
        known = {}
        exec("SIGN = 1\ndef own(query): return SIGN * query.probs[0, :, 0]", known)
        scores.register("own", needs=("probs",))(known["own"])
        before = self.keys()
        known["SIGN"] = -1
        with pytest.raises(ValueError, match="the score 'own' depends on values that changed"):
            self.keys()
        scores.register("own", needs=("probs",))(known["own"])
        assert self.keys() != before

    def test_a_version_of_ones_own(self):
        draw = np.random.default_rng(0)
        with pytest.raises(ValueError, match="the score 'own' depends on an object of numpy"):
            scores.register("own", needs=("labels",))(lambda query: draw.random(query.labels.size))
        take = scores.register("own", needs=("labels",), version="1")
        take(lambda query: draw.random(query.labels.size))
        assert version("own+drop") == "1"
        with pytest.raises(ValueError, match="version is 'of May': it must be at most 40 letters"):
            scores.register("own", needs=("labels",), version="of May")

    def test_loaders_models_and_quotas(self):
        given = {"model": "own", "recipe": SHORT, "protocols": ["random+own"]}
        networks = architectures._BUILDERS["linear"], architectures._BUILDERS["mlp"]
        keys = []
        for scale, network, power in ((1, 0, 1), (2, 0, 1), (1, 1, 1), (1, 0, 2), (1, 0, 1)):
            datasets.register("own", partial(some, scale=scale))
            models.register(
                "own", partial(lambda build, *shapes: build(*shapes), networks[network])
            )
            rule = partial(lambda power, sizes, recalls: (1 - recalls) ** power, power)
            quotas.register("own")(rule)
            (trial,) = study.grid("own", densities=[0.5], seeds=1, **given)
            keys.append(trial.key)
        assert len(set(keys)) == 4 and keys[0] == keys[-1]

    def test_trials_of_code_that_is_replaced_do_not_run(self, tmp_path):
        scores.register("own", needs=("probs",))(partial(first_feature, sign=1))
        trials = study.grid("digits-2x4", protocols=["own"], densities=[0.5], seeds=1)
        scores.register("own", needs=("probs",))(partial(first_feature, sign=-1))
        with pytest.raises(
            ValueError, match="protocol 'own' is not what the trials were made with"
        ):
            study.run(trials, store=Store(tmp_path))


class TestQuotas:
    def test_it_is_drop_where_its_weights_are(self):
        quotas.register("errors", needs=("recalls",))(lambda sizes, recalls: 1 - recalls)
        labels, recalls = np.arange(200) % 3, [0.9, 0.5, 0.7]
        for ours, papers in (("random+errors", "random+drop"), ("el2n+errors", "el2n+drop")):
            given = {"recalls": recalls, "scores": np.sin(labels * 7.0), "seed": 3}
            assert (
                prune(ours, labels, 0.4, **given).tolist()
                == prune(papers, labels, 0.4, **given).tolist()
            )

    def test_needs(self):
        quotas.register("seen", needs=("val_sizes",))(lambda sizes, val_sizes: 1 / val_sizes)
        quotas.register("equal", needs=())(lambda sizes: 1 / sizes)
        assert parse("random+seen").needs_recalls and not parse("random+equal").needs_recalls
        labels = np.repeat([0, 1], [90, 30])
        equal = prune("random+equal", labels, 0.25, seed=1)
        assert equal.tolist() == prune("random+balance", labels, 0.25, seed=1).tolist()
        given = {"recalls": [0.5, 0.5], "val_sizes": [10, 30]}
        kept = prune("random+seen", labels, 0.5, **given)
        assert np.bincount(labels[kept]).tolist() == [54, 6]  # 90 w + 30 w/3 = 60
        with pytest.raises(ValueError, match="needs val_sizes: pass val_sizes="):
            prune("random+seen", labels, 0.5, recalls=[0.5, 0.5])

    @pytest.mark.parametrize("name", ["drop", "el2n", "rootq", "My", "a-b", 3])
    def test_names_that_cannot_be_used(self, name):
        with pytest.raises(ValueError, match="quota name .* cannot be used"):
            quotas.register(name)

    def test_weights_that_are_none(self):
        quotas.register("bad", needs=())(lambda sizes: -sizes)
        with pytest.raises(ValueError, match="bad weights"):
            prune("random+bad", [0, 1], 0.5)

    def test_no_score_takes_its_name(self):
        quotas.register("rule")(lambda sizes, recalls: recalls)
        with pytest.raises(ValueError, match="score name 'rule' cannot be used"):
            scores.register("rule", needs=())


class TestModels:
    def test_must_end_in_a_linear_layer(self):
        models.register("own", lambda classes, shape: architectures._BUILDERS["mlp"](3, shape))
        assert models.build("own", 3, (4,))[-1].out_features == 3
        with pytest.raises(ValueError, match="the model 'own' is or ends in Linear: it must be"):
            models.build("own", 5, (4,))

    @pytest.mark.parametrize("name", ["mlp", "My", "a b"])
    def test_names_that_cannot_be_used(self, name):
        with pytest.raises(ValueError, match=f"the model name {name!r} cannot be used"):
            models.register(name, print)


MY_STUDY = """
import numpy as np
from torch import nn
from dropkit import datasets, models, quotas, scores
from dropkit.datasets import Data

SIGN = 1

def bars(seed, root):
    x = np.random.default_rng(seed).normal(size=(60, 3))
    y = np.arange(60) % 3
    return Data(x + np.eye(3)[y], y, *np.split(np.arange(60), [30, 45]), ("a", "b", "c"))

datasets.register("bars", bars)
models.register("flat", lambda classes, shape: nn.Sequential(nn.Flatten(), nn.Linear(3, classes)))

@scores.register("first", needs=("probs",))
def first(query):
    return SIGN * query.probs[0, :, 0]

@quotas.register("root")
def root(sizes, recalls):
    return (1 - recalls) ** 0.5
"""
PLAN = """
dataset = "bars"
model = "flat"
densities = [0.5]
seeds = 2
[recipe]
epochs = 2
batch = 8
lr = 0.1
weight_decay = 0.0
[[stage]]
protocols = ["random", "first+root", "random+firstq"]
"""


class TestImport:
    @pytest.fixture(autouse=True)
    def files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("my_study.py").write_text(MY_STUDY)
        Path("plan.toml").write_text(PLAN)

    def dropkit(self, *arguments):
        answer = subprocess.run(
            [sys.executable, "-m", "dropkit.commands", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        return answer.returncode, answer.stdout + answer.stderr

    def test_run_with_workers_verify_and_what_it_is_not_told(self):
        given = ["plan.toml", "--store", "s", "--executor", "processes", "--quiet"]
        assert self.dropkit("run", *given, "--import", "my_study.py") == (0, "")
        assert len(Store("s")) == 6
        verify = ["store", "verify", "--store", "s", "--sample", "6"]
        status, said = self.dropkit(*verify, "--import", "my_study.py")
        assert status == 0 and said.count("same: ") == 6
        status, said = self.dropkit(*verify)
        assert status == 0 and "6 trials cannot be made here: data set 'bars' is not reg" in said
        Path("my_study.py").write_text(MY_STUDY.replace("SIGN = 1", "SIGN = -1"))
        status, said = self.dropkit(*verify, "--import", "my_study.py")
        assert status == 0 and said.count("same: ") == 2  # those of random pruning
        assert "2 trials cannot be made here: protocol 'first+root' is of another version" in said

    def test_estimate_and_scores(self, capsys):
        given = ["estimate", "plan.toml", "--images-per-second", "9", "--json"]
        assert main([*given, "--import", "my_study.py"]) == 0
        assert json.loads(capsys.readouterr().out)["trials"] == 6
        assert main(["scores", "--import", "my_study.py"]) == 0  # once, though named again
        assert "first" in capsys.readouterr().out

    def test_mistakes(self, capsys):
        Path("bad.py").write_text("1 / 0")
        for file, message in (
            ("no.py", "no.py cannot be imported: expected a file of Python, NAME.py"),
            ("plan.toml", "plan.toml cannot be imported: expected a file of Python"),
            ("bad.py", "bad.py cannot be imported: ZeroDivisionError: division by zero"),
            ("json.py", "json.py cannot be imported: there is a module 'json', rename it"),
        ):
            assert main(["run", "digits", "--import", file]) == 2
            assert message in capsys.readouterr().err


def test_records_of_the_package_lack_nothing():
    (trial,) = grid(["random+drop"], [0.5], 1)
    record = {"key": trial.key, "trial": json.loads(json.dumps(trial.config))}
    assert lacking(record) == "" and trial_of(record) == trial
    record["trial"]["model"] = "other"
    assert lacking(record) == "model 'other' is not registered" and trial_of(record) is None


def test_a_plan_of_ones_own_data_needs_a_recipe(tmp_path):
    datasets.register("own", some)
    file = tmp_path / "plan.toml"
    text = PLAN.replace("bars", "own").replace("flat", "mlp").replace("first", "el2n")
    file.write_text(text.replace("+root", ""))
    assert plan.read(file).recipe == SHORT
    file.write_text(text.replace("epochs = 2\n", ""))
    with pytest.raises(ValueError, match="recipe needs epochs"):
        plan.read(file)
