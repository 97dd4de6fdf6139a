"""`dropkit prune` by scores and by groups, and what every command prints for programs to read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dropkit.commands import main
from dropkit.metrics import group_recalls
from dropkit.pruning import prune
from tests.commands.test_commands import CODES, GUESS, NAMES, RECALLS

SCORES = np.random.default_rng(2).normal(size=500)
GROUPS = np.random.default_rng(3).integers(0, 2, 500)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = {"y": CODES, "p": GUESS, "r": RECALLS, "s": SCORES, "g": GROUPS, "names": NAMES[CODES]}
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)


def pruned(*arguments) -> list[int]:
    arguments = ["--labels", "y.npy", "--density", "0.4", "--out", "kept.npy", *arguments]
    assert main(["prune", *arguments]) == 0
    return np.load("kept.npy").tolist()


@pytest.mark.parametrize(
    "protocol",
    ["el2n", "el2n+drop", "el2n+balance", "random+el2nq", "mine+drop", "random+mineq"]
    + ["ccs:mine", "ccs:mine+drop", "moderate+balance", "random+hardness:el2n"],
)
def test_protocols_are_those_of_prune(protocol):
    given = ["--scores", "s.npy", "--protocol", protocol, "--predictions", "p.npy", "--seed", "4"]
    known = {"recalls": RECALLS, "scores": SCORES, "smoothing": 10.0, "seed": 4}
    assert pruned(*given) == prune(protocol, CODES, 0.4, **known).tolist()


def test_without_a_protocol_scores_rank_inside_the_classes_of_drop():
    kept = pruned("--scores", "s.npy", "--recalls", "r.npy")
    assert kept == pruned("--scores", "s.npy", "--recalls", "r.npy", "--protocol", "el2n+drop")
    for k in range(4):  # the highest scores of each class
        stay = np.isin(np.arange(500), kept)[k == CODES]
        assert SCORES[k == CODES][stay].min() > SCORES[k == CODES][~stay].max()


def test_balance_needs_no_recalls(capsys):
    kept = pruned("--protocol", "random+balance")
    assert np.bincount(CODES[kept]).tolist() == [50] * 4
    assert capsys.readouterr().out.split()[:3] == ["class", "size", "kept"]


def test_what_scores_writes_prune_reads():
    probs = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, 500))
    np.save("probs.npy", probs)
    main(["scores", "el2n", "--probs", "probs.npy", "--labels", "y.npy", "--out", "e.npy"])
    kept = pruned("--scores", "e.npy", "--protocol", "el2n")
    error = np.linalg.norm(probs - np.eye(4)[CODES], axis=-1).mean(axis=0)
    assert kept == np.sort(np.argsort(-error, kind="stable")[:200]).tolist()


def test_quotas_go_by_groups():
    accuracy = group_recalls(GROUPS, CODES, GUESS, 2)
    kept = pruned("--predictions", "p.npy", "--groups", "g.npy")
    assert kept == prune("random+drop", GROUPS, 0.4, recalls=accuracy, smoothing=10.0).tolist()
    validation = ["--val-labels", "yv.npy", "--predictions", "pv.npy", "--val-groups", "gv.npy"]
    for name, array in {"yv": CODES[:90], "pv": GUESS[:90], "gv": GROUPS[:90]}.items():
        np.save(f"{name}.npy", array)
    seen = {"recalls": group_recalls(GROUPS[:90], CODES[:90], GUESS[:90], 2), "smoothing": 10.0}
    seen["val_sizes"] = np.bincount(GROUPS[:90])
    kept = pruned("--groups", "g.npy", *validation)
    assert kept == prune("random+drop", GROUPS, 0.4, **seen).tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--protocol el2n --predictions p.npy", "the protocol 'el2n' needs --scores"),
        ("--scores s.npy --protocol random", "the protocol 'random' takes no --scores"),
        ("--scores s.npy", "the protocol 'scores+drop' needs --predictions or --recalls"),
        ("", "the protocol 'random+drop' needs --predictions or --recalls"),
        ("--protocol el3n+drop --recalls r.npy", "protocol 'el3n+drop' is not known: use full"),
        ("--scores r.npy --protocol el2n", "scores have shape (4,): expected (500,)"),
        (
            "--scores s.npy --protocol beta+drop",
            "the protocol 'beta+drop' needs several scores: use",
        ),
        ("--protocol infobatch", "the protocol 'infobatch' selects during training: use dropkit"),
        (
            "--protocol random+dynamicdrop --recalls r.npy",
            "the protocol 'random+dynamicdrop' selects during training",
        ),
        ("--protocol random --below keep", "the protocol 'random' sets no class counts"),
        ("--groups r.npy --predictions p.npy", "there are 500 labels and 4 groups: expected one"),
        ("--groups g.npy --val-labels y.npy --predictions p.npy", "--groups and --val-labels are"),
        ("--val-groups g.npy --predictions p.npy", "--val-groups go with --groups and"),
        ("--groups g.npy --recalls r.npy", "r.npy has 4 recalls and g.npy 2 classes"),
    ],
)
def test_mistakes(arguments, message, capsys):
    given = ["prune", "--labels", "y.npy", "--density", "0.4", "--out", "kept.npy"]
    assert main([*given, *arguments.split()]) == 2
    assert capsys.readouterr().err.startswith(f"dropkit: error: {message}")
    assert not Path("kept.npy").exists()


def test_a_class_that_scores_delete_is_warned_of(capsys):
    np.save("low.npy", np.where(CODES == 2, -9.0, SCORES))
    pruned("--scores", "low.npy", "--protocol", "el2n")
    assert "warning: class 2 would keep fewer" in capsys.readouterr().err


class TestPrinted:
    """What programs read, on a plan that needs no download."""

    @pytest.fixture
    def plan(self):
        Path("plan.toml").write_text(
            'dataset = "digits-2x4"\nmodel = "mlp"\ndensities = [0.3]\nseeds = 1\n'
            '[recipe]\nepochs = 1\n[[stage]]\nprotocols = ["full", "random"]\n'
        )
        return "plan.toml"

    def answer(self, capsys, *arguments):
        assert main([*arguments, "--json"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        return json.loads(line)

    def test_json_of_studies_and_stores(self, plan, capsys):
        given = ["--images-per-second", "1000"]
        estimated = self.answer(capsys, "estimate", plan, *given)
        done = self.answer(capsys, "run", plan, "--store", "a")
        assert done == {"done": 2, "trials": 2, "store": "a", "failed": []}
        (first, second) = self.answer(capsys, "store", "ls", "--store", "a")["protocols"]
        assert (first["protocol"], second["protocol"]) == ("full", "random")
        assert estimated["trials"] == first["trials"] + second["trials"]
        assert estimated["hours"] == pytest.approx(estimated["trial_images"] / 3.6e6)
        verified = self.answer(capsys, "store", "verify", "--store", "a", "--sample", "2")
        assert [each["same"] for each in verified["again"]] == [True, True]
        assert self.answer(capsys, "store", "merge", "a", "--store", "b")["added"] == 2
        assert self.answer(capsys, "store", "export", "a.jsonl", "--store", "a")["trials"] == 2
        assert self.answer(capsys, "store", "repair", "--store", "a")["found"] == []

    def test_json_of_scores(self, capsys):
        found = {each["score"]: each["needs"] for each in self.answer(capsys, "scores")}
        assert found["ssp"] == ["features", "labels"]

    def test_quiet_is_silent(self, plan, tmp_path):
        command = [sys.executable, "-m", "dropkit.commands"]
        for arguments in (
            ["run", plan, "--store", "a"],
            ["prune", "--labels=y.npy", "--recalls=r.npy", "--density=0.4", "--out=kept.npy"],
        ):
            done = subprocess.run(
                [*command, *arguments, "--quiet"], capture_output=True, text=True, env=os.environ
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_recalls_that_are_all_perfect_are_noticed(tmp_path, capsys):
    """As where the predictions are of the samples that the model was trained on."""
    table = tmp_path / "t.csv"
    table.write_text("label\n" + "cat\ndog\n" * 20)
    data = ["--labels", f"{table}:label", "--predictions", f"{table}:label", "--density", "0.5"]
    for command in (["prune", "--out", str(tmp_path / "kept.npy")], ["quotas"]):
        assert main([command[0], *data, *command[1:]]) == 0
        assert "warning: all recalls are 1" in capsys.readouterr().err


def test_a_list_in_place_of_a_name_is_not_printed_whole():
    with pytest.raises(TypeError) as error:
        prune(list(range(60_000)), "random+drop", 0.5)
    assert len(str(error.value)) < 200
