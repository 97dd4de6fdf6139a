"""The command line for one's own data: tables, files, and one sentence for each mistake."""

import csv
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dropkit.commands import COMMANDS, main, parser
from dropkit.commands.scores import RECORDS
from dropkit.pruning import prune
from dropkit.scores import QueryRecord, el2n

NAMES = np.array(["ant", "bee", "cat", "dog"])
CODES = np.random.default_rng(0).integers(0, 4, 500)
GUESS = np.where(np.random.default_rng(1).random(500) < 0.4 + 0.15 * CODES, CODES, (CODES + 1) % 4)
RECALLS = np.array([(GUESS[k == CODES] == k).mean() for k in range(4)])


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("y.npy", CODES)
    np.save("p.npy", GUESS)
    np.save("r.npy", RECALLS)
    frame = pd.DataFrame({"id": np.arange(500), "label": NAMES[CODES], "guess": NAMES[GUESS]})
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet", index=False)


def prune_command(*arguments):
    return main(["prune", "--density", "0.5", "--out", "kept.npy", *arguments])


class TestPrune:
    @pytest.mark.parametrize(
        "labels, predictions",
        [
            ("y.npy", "p.npy"),
            ("t.csv:label", "t.csv:guess"),
            ("t.parquet:label", "t.parquet:guess"),
        ],
    )
    def test_indices_are_those_of_prune_whatever_the_file(self, labels, predictions):
        assert prune_command("--labels", labels, "--predictions", predictions, "--seed", "3") == 0
        kept = np.load("kept.npy")
        expected = prune("random+drop", CODES, 0.5, recalls=RECALLS, smoothing=10.0, seed=3)
        assert kept.tolist() == expected.tolist()

    def test_a_run_that_fails_on_the_way_leaves_the_file_as_it_was(self, monkeypatch):
        def failing(*arguments):
            yield np.arange(3)
            raise MemoryError

        before = Path("y.npy").read_bytes()
        Path("kept.npy").write_bytes(before)
        names = sorted(Path().iterdir())
        monkeypatch.setattr("dropkit.commands._chunks.kept_at_random", failing)
        assert prune_command("--labels", "y.npy", "--predictions", "p.npy") == 2
        assert Path("kept.npy").read_bytes() == before
        assert sorted(Path().iterdir()) == names

    def test_table(self, capsys):
        prune_command("--labels", "t.csv:label", "--predictions", "t.csv:guess")
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert lines[0] == ["class", "size", "recall", "density", "kept"]
        sizes, kept = np.bincount(CODES), np.bincount(CODES[np.load("kept.npy")])
        weights = ((1 - RECALLS) * sizes + 10) / (sizes + 20)  # no class is full here
        densities = 250 * weights / (sizes * weights).sum()
        assert densities.max() < 1
        for k, row in enumerate(lines[1:5]):
            assert row[0] == NAMES[k]
            assert [int(row[1]), int(row[4])] == [sizes[k], kept[k]]
            assert [float(row[2]), float(row[3])] == pytest.approx(
                [RECALLS[k], densities[k]], abs=5e-5
            )
        assert lines[5] == ["250", "of", "500", "samples", "kept", "in", "kept.npy"]

    def test_long_tables_show_the_lowest_recalls(self, capsys):
        prune_command("--labels", "y.npy", "--recalls", "r.npy", "--rows", "2")
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines[1:3]] == [str(k) for k in np.argsort(RECALLS)[:2]]
        assert lines[3] == "... and 2 classes of higher recall (--rows 0 prints all)"

    def test_recalls_measured_on_a_validation_set(self):
        np.save("yv.npy", np.repeat([0, 1, 2, 3], 10))
        np.save("pv.npy", np.r_[[0] * 9, [1] * 11, [2] * 5, [0] * 15])
        prune_command("--labels", "y.npy", "--predictions", "pv.npy", "--val-labels", "yv.npy")
        expected = prune(
            "random+drop", CODES, 0.5, recalls=[0.9, 1, 0.5, 0], smoothing=10, val_sizes=[10] * 4
        )
        assert np.load("kept.npy").tolist() == expected.tolist()

    def test_whole_numbers_written_as_fractions(self):
        write("float.csv", [["label"], *([f"{code}.0"] for code in CODES)])
        assert prune_command("--labels", "float.csv", "--predictions", "p.npy") == 0
        expected = prune("random+drop", CODES, 0.5, recalls=RECALLS, smoothing=10.0)
        assert np.load("kept.npy").tolist() == expected.tolist()
        write("half.csv", [["label"], ["0.5"], ["1.0"]])  # text, as it is no whole number
        np.save("two.npy", [0.5, 0.7])
        assert prune_command("--labels", "half.csv", "--recalls", "two.npy") == 0

    def test_predictions_of_which_some_are_no_class_are_warned_of(self, capsys):
        np.save("seven.npy", np.where(np.arange(500) % 5 == 0, 7, GUESS))
        assert prune_command("--labels", "y.npy", "--predictions", "seven.npy") == 0
        error = capsys.readouterr().err
        assert error.startswith("warning: 7 is predicted but is no class of the labels: such")

    def test_class_without_validation_samples_is_named(self, capsys):
        np.save("yv.npy", np.arange(3))
        prune_command("--labels", "y.npy", "--predictions", "yv.npy", "--val-labels", "yv.npy")
        error = capsys.readouterr().err
        assert error.startswith("warning: the validation data have no samples of class 3")

    def test_class_under_the_minimum(self, capsys):
        np.save("perfect.npy", [1, 1, 1, 0.5])
        choice = ["--labels", "y.npy", "--recalls", "perfect.npy", "--smoothing", "0"]
        small = ["--density", "0.1", "--minimum", "2"]
        assert prune_command(*choice, *small) == 0
        assert "warning: classes 0, 1, 2 would keep fewer than" in capsys.readouterr().err
        Path("kept.npy").unlink()
        assert prune_command(*choice, *small, "--below", "raise") == 2
        assert not Path("kept.npy").exists()
        assert prune_command(*choice, *small, "--below", "keep") == 0
        assert np.bincount(CODES[np.load("kept.npy")]).tolist() == [2, 2, 2, 44]


def test_quotas_at_several_densities(capsys):
    arguments = ["--labels", "y.npy", "--predictions", "p.npy", "--density", "0.25", "1"]
    assert main(["quotas", *arguments]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert sum(int(row[3]) for row in lines[1:]) == 125
    assert [int(row[4]) for row in lines[1:]] == np.bincount(CODES).tolist()


def test_quotas_of_no_sample(capsys):
    densities = ["--density", "0.25", "0.0009"]
    assert main(["quotas", "--labels", "y.npy", "--recalls", "r.npy", *densities]) == 2
    output = capsys.readouterr()
    assert output.err.endswith("of 500 samples that keeps none, so it must be at least 1/500\n")
    assert output.out == ""


class TestScores:
    def test_list_names_all_and_the_options_they_need(self, capsys):
        assert main(["scores"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert {"el2n", "grand", "forgetting", "dynunc", "coreset", "ssp"} <= {
            line.split()[0] for line in lines
        }
        assert next(line for line in lines if line.startswith("ssp")).endswith(
            "needs --features, --labels"
        )

    def test_options_are_the_fields_of_a_query_record(self):
        assert list(RECORDS) == [field.name for field in fields(QueryRecord)]

    def test_options_that_are_missing(self, capsys):
        assert main(["scores", "el2n", "--labels", "y.npy", "--out", "s.npy"]) == 2
        error = capsys.readouterr().err
        assert error == "dropkit: error: the score 'el2n' needs --probs FILE.npy\n"

    def test_compute(self):
        probs = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, 500))
        np.save("probs.npy", probs)
        arguments = ["el2n", "--probs", "probs.npy", "--labels", "y.npy", "--out", "s.npy"]
        assert main(["scores", *arguments]) == 0
        assert np.load("s.npy") == pytest.approx(el2n(probs, CODES))


def write(name, rows):
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ("--labels no.npy --recalls r.npy", "no.npy: No such file or directory"),
        ("--labels no.parquet --recalls r.npy", "no.parquet: No such file or directory"),
        ("--labels y.txt --recalls r.npy", "y.txt cannot be read: expected FILE.npy, FILE.csv"),
        ("--labels bad.npy --recalls r.npy", "bad.npy is no .npy file of numbers or text"),
        ("--labels bad.parquet --recalls r.npy", "bad.parquet is no parquet file"),
        ("--labels empty.npy --recalls r.npy", "empty.npy is empty"),
        ("--labels empty.csv --recalls r.npy", "empty.csv is empty"),
        ("--labels t.csv --recalls r.npy", "t.csv has several columns: add one of :id, :label"),
        ("--labels t.csv:x --recalls r.npy", "t.csv has no column 'x': add one of"),
        ("--labels bare.csv --recalls r.npy", "bare.csv begins with 7: its first row must name"),
        ("--labels gap.csv:y --recalls r.npy", "gap.csv, line 3: 'y' is missing"),
        ("--labels nan.npy --recalls r.npy", "labels[1] is nan: every sample needs a label"),
        ("--labels half.npy --recalls r.npy", "0.5 is among the labels: expected whole numbers"),
        ("--labels y.npy --predictions two.npy", "two.npy has shape (500, 2): expected (n,): take"),
        ("--labels y.npy --predictions r.npy", "there are 500 labels and 4 predictions"),
        ("--labels y.npy --predictions t.csv:guess", "labels are numbers such as "),
        ("--labels y.npy --recalls half.npy", "half.npy has 2 recalls and y.npy 4 classes"),
        ("--labels y.npy --recalls t.csv:label", "t.csv:label holds <U3: expected numbers"),
        ("--labels y.npy --recalls r.npy --val-labels y.npy", "--val-labels go with --predictions"),
        ("--labels half.npy --predictions p.npy --val-labels y.npy", "0.5 is among the labels"),
        ("--labels y.npy --recalls r.npy --density 2", "density is 2.0: it must lie in (0, 1]"),
        (
            "--labels y.npy --recalls r.npy --density 0.0009",
            "density is 0.0009: of 500 samples that ",
        ),
        ("--labels y.npy --recalls r.npy --smoothing -1", "smoothing is -1.0"),
        ("--labels y.npy --recalls r.npy --seed -1", "seed is -1"),
        ("--labels y.npy --recalls r.npy --rows -1", "--rows is -1"),
        ("--labels y.npy --recalls r.npy --minimum -1", "minimum is -1: it must be a whole number"),
        ("--labels y.npy --predictions far.npy", "10 is predicted but is no class of the labels, "),
        ("--labels t.csv:label --predictions upper.csv", "'ANT' is predicted but is no class of"),
        ("--labels y.npy --predictions p.npy --val-labels yo.npy", "yo.npy holds Python objects"),
        ("--labels latin.csv --recalls r.npy", "latin.csv is not in UTF-8, as it must be"),
        ("--labels y.npy --recalls r.npy --out kept.csv", "kept.csv cannot be written: the name"),
        ("--labels y.npy --recalls r.npy --out no/k.npy", "no/k.npy cannot be written: there is"),
    ],
)
def test_mistakes_are_one_sentence_and_status_2(arguments, message, capsys):
    for name in ("bad.npy", "bad.parquet", "empty.csv"):
        Path(name).write_text("" if name == "empty.csv" else "no such format")
    np.save("empty.npy", CODES[:0])
    np.save("far.npy", GUESS + 10)
    np.save("yo.npy", NAMES[CODES].astype(object))
    write("upper.csv", [["guess"], *([name.upper()] for name in NAMES[GUESS])])
    Path("latin.csv").write_bytes("a\nö\n".encode("latin-1"))
    np.save("nan.npy", [0, np.nan])
    np.save("half.npy", [0.5, 1])
    np.save("two.npy", np.zeros((500, 2)))
    write("bare.csv", [["7"], ["8"]])
    write("gap.csv", [["y", "z"], ["1", "2"], ["", "3"]])
    assert prune_command(*arguments.split()) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"dropkit: error: {message}")
    assert len(output.err.splitlines()) == 1
    assert output.out == ""
    assert not Path("kept.npy").exists()


class TestWhole:
    def test_module_runs_and_help_imports_nothing_heavy(self):
        code = (
            "import sys; from dropkit.commands import parser; parser().format_help();"
            "print([name for name in ('numpy', 'torch', 'sklearn') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.strip() == "[]", done.stderr
        done = subprocess.run(
            [sys.executable, "-m", "dropkit.commands"], capture_output=True, text=True
        )
        assert done.returncode == 2
        assert done.stderr.startswith("usage: dropkit")

    def test_every_command_has_help(self, capsys):
        for name in COMMANDS:
            with pytest.raises(SystemExit) as stop:
                main([name, "--help"])
            assert stop.value.code == 0
            assert capsys.readouterr().out.startswith(f"usage: dropkit {name}")

    def test_reader_that_stops_early_is_no_error(self):
        command = [sys.executable, "-m", "dropkit.commands", "scores"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 0
        running.stderr.close()

    def test_completion_script_completes(self, tmp_path):
        shtab = pytest.importorskip("shtab")
        script = tmp_path / "completion.bash"
        script.write_text(shtab.complete(parser(), shell="bash"))
        ask = f"source {script}; COMP_WORDS=(dropkit pr); COMP_CWORD=1; _shtab_dropkit; "
        done = subprocess.run(
            ["bash", "-c", ask + 'echo "${COMPREPLY[@]}"'], capture_output=True, text=True
        )
        assert done.stdout.split() == ["prune"]
