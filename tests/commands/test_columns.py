"""Files of labels as users have them: separators, missing values, kinds, and no input lost."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dropkit.commands import main

LABELS = np.repeat(["ant", "bee", "cat"], 40)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prune_command(*arguments):
    return main(["prune", "--density", "0.5", "--out", "kept.npy", *arguments])


def sentence(capsys) -> str:
    """What one mistake printed, which is one line."""
    (line,) = capsys.readouterr().err.splitlines()
    return line.removeprefix("dropkit: error: ")


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("column", ["", ":label"])
def test_another_separator_than_a_comma_is_no_class_of_its_own(separator, column, capsys):
    frame = pd.DataFrame({"label": LABELS, "guess": LABELS})
    frame.to_csv("t.csv", index=False, sep=separator)
    assert prune_command("--labels", f"t.csv{column}", "--predictions", f"t.csv{column}") == 2
    assert sentence(capsys) == f"t.csv separates its columns by {separator!r}: expected commas"


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ([5], "t.parquet, row 5: 'label' is missing"),
        ([7, 9], "t.parquet, row 7: 'label' is missing, the first of 2 missing values"),
    ],
)
def test_values_missing_from_parquet(missing, message, capsys):
    labels = pd.Series(LABELS, dtype=object)
    labels[missing] = None
    pd.DataFrame({"label": labels, "guess": LABELS}).to_parquet("t.parquet")
    arguments = ["--labels", "t.parquet:label", "--predictions", "t.parquet:guess"]
    assert prune_command(*arguments) == 2
    assert sentence(capsys) == message


def test_what_makes_text_of_a_column_of_numbers_is_shown(capsys):
    codes = np.repeat(["0", "1.0", "2"], 40)
    pd.DataFrame({"label": np.where(np.arange(120) == 50, "n/a", codes)}).to_csv("t.csv")
    np.save("p.npy", np.repeat([0, 1, 2], 40))
    assert prune_command("--labels", "t.csv:label", "--predictions", "p.npy") == 2
    assert sentence(capsys) == (
        "labels are text such as 'n/a' but predictions are numbers such as 0: "
        "expected numbers for both or text for both"
    )


class TestRecallsByName:
    """No class is lent the recall of another, whatever the order of a table."""

    RECALLS = {"cat": 0.9, "ant": 0.5, "bee": 0.75}  # not sorted

    @pytest.fixture(autouse=True)
    def labels(self):
        np.save("y.npy", LABELS)

    def quotas(self, capsys, reference) -> dict[str, float]:
        arguments = ["--labels", "y.npy", "--recalls", reference, "--density", "0.5", "--json"]
        assert main(["quotas", *arguments]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert sum(row["kept_at_0.5"] for row in rows) == 60
        return {row["class"]: row["recall"] for row in rows}

    @pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl", "tsv.gz"])
    @pytest.mark.parametrize("column", ["recall", "name:recall"])
    def test_of_a_table(self, suffix, column, capsys):
        frame = pd.DataFrame(self.RECALLS.items(), columns=["name", "recall"]).assign(
            rank=[1, 2, 3]
        )
        save(frame, f"r.{suffix}")
        assert self.quotas(capsys, f"r.{suffix}:{column}") == self.RECALLS

    def test_of_a_bare_list_they_go_by_order(self, capsys):
        save(pd.DataFrame({"recall": sorted(self.RECALLS.values())}), "r.csv")
        assert self.quotas(capsys, "r.csv") == {"ant": 0.5, "bee": 0.75, "cat": 0.9}

    def test_what_quotas_prints_is_read_back(self, capsys):
        save(pd.DataFrame(self.RECALLS.items(), columns=["name", "recall"]), "r.csv")
        choice = ["--labels", "y.npy", "--density", "0.5", "--json", "--recalls"]
        assert main(["quotas", *choice, "r.csv:recall"]) == 0
        printed = capsys.readouterr().out.splitlines()
        Path("q.jsonl").write_text("\n".join(printed[::-1]))
        assert self.quotas(capsys, "q.jsonl:class:recall") == self.RECALLS

    def test_a_table_of_more_classes_names_its_column(self, capsys):
        save(pd.DataFrame({"name": ["emu", *self.RECALLS], "recall": [0, 0.9, 0.5, 0.75]}), "r.csv")
        assert self.quotas(capsys, "r.csv:name:recall") == self.RECALLS

    @pytest.mark.parametrize(
        ("names", "column", "message"),
        [
            (
                "ant bee Cat",
                "recall",
                "'recall', of which none names the classes of the labels: sa",
            ),
            ("ant bee Cat", "name:recall", "r.csv has no recall of class cat, by its 'name'"),
            (
                "ant bee bee",
                "recall",
                "'recall', of which none names the classes of the labels: sa",
            ),
            ("ant bee bee", "name:recall", "r.csv has class bee more than once in 'name'"),
            (
                "ant bee cat",
                "names:recall",
                "r.csv has no column 'names': add one of :name, :recall",
            ),
            ("ant bee cat", "name:rec", "r.csv has no column 'rec': add one of :name, :recall"),
        ],
    )
    def test_where_the_names_do_not_fit(self, names, column, message, capsys):
        save(pd.DataFrame({"name": names.split(), "recall": [0.5, 0.75, 0.9]}), "r.csv")
        assert prune_command("--labels", "y.npy", "--recalls", f"r.csv:{column}") == 2
        assert message in sentence(capsys)
        assert not Path("kept.npy").exists()

    def test_two_columns_of_names(self, capsys):
        frame = pd.DataFrame({"a": ["ant", "bee", "cat"], "b": ["bee", "ant", "cat"], "r": 0.5})
        save(frame, "r.csv")
        assert prune_command("--labels", "y.npy", "--recalls", "r.csv:r") == 2
        assert "'a' and 'b' name the classes of the labels: say which" in sentence(capsys)


class TestFormats:
    FRAME = pd.DataFrame({"label": LABELS, "guess": np.roll(LABELS, 7)})

    def expected(self) -> list[int]:
        np.save("y.npy", self.FRAME.label.to_numpy(str))
        np.save("p.npy", self.FRAME.guess.to_numpy(str))
        assert prune_command("--labels", "y.npy", "--predictions", "p.npy") == 0
        return np.load("kept.npy").tolist()

    @pytest.mark.parametrize("name", ["T.CSV", "t.tsv", "t.jsonl", "t.csv.gz", "t.JSONL.gz"])
    def test_whatever_the_file(self, name):
        expected = self.expected()
        save(self.FRAME, name)
        assert prune_command("--labels", f"{name}:label", "--predictions", f"{name}:guess") == 0
        assert np.load("kept.npy").tolist() == expected

    @pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl", "t.csv.gz"])
    def test_standard_input_and_output(self, name):
        expected = self.expected()
        save(self.FRAME, name)
        choice = ["--labels", "-:label", "--predictions", "-:guess", "--density=0.5", "--out=-"]
        done = piped("prune", *choice, "--json", input=Path(name).read_bytes())
        assert [int(index) for index in done.stdout.split()] == expected
        rows = [json.loads(line) for line in done.stderr.splitlines()]
        assert [row["class"] for row in rows] == ["ant", "bee", "cat"]
        assert sum(row["kept"] for row in rows) == len(expected)

    def test_npy_from_standard_input(self):
        expected = self.expected()
        choice = ["--labels=-", "--predictions=p.npy", "--density=0.5", "--out=-"]
        done = piped("prune", *choice, input=Path("y.npy").read_bytes())
        assert [int(index) for index in done.stdout.split()] == expected
        assert b"60 of 120 samples kept in standard output" in done.stderr

    def test_names_that_the_terminal_lacks_end_no_run(self):
        np.save("y.npy", np.where(LABELS == "ant", "Käse", LABELS))
        choice = ["--labels=y.npy", "--predictions=y.npy", "--density=0.5", "--out=kept.npy"]
        done = piped("prune", *choice, environment={"PYTHONIOENCODING": "ascii"})
        assert rb"K\xe4se" in done.stdout

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("t.jsonl", b'{"y": 1}\n[2]\n', "t.jsonl, line 2: expected an object of JSON"),
            ("t.jsonl", b'{"y": 1}\n{"z": 2}\n', "t.jsonl, line 2: 'y' is missing"),
            ("t.tsv", b"a,y\n1,2\n", "t.tsv separates its columns by ',': expected tabs"),
            ("t.csv.gz", gzip.compress(b"y\n1\n2\n", mtime=0)[:-9], "t.csv.gz is damaged: gzip"),
        ],
    )
    def test_damaged(self, name, content, message, capsys):
        Path(name).write_bytes(content)
        assert prune_command("--labels", name, "--predictions", name) == 2
        assert sentence(capsys).startswith(message)


def save(frame: pd.DataFrame, name: str) -> None:
    """Write a table in the format of its name."""
    kind = name.lower().removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        frame.to_parquet(name)
    elif kind == "jsonl":
        frame.to_json(name, orient="records", lines=True, force_ascii=False)
    else:
        frame.to_csv(name, index=False, sep={"csv": ",", "tsv": "\t"}[kind])


def piped(*arguments: str, input: bytes = b"", environment=None) -> subprocess.CompletedProcess:
    """A command that ends well, in a process of its own."""
    command = [sys.executable, "-m", "dropkit.commands", *arguments]
    settings = os.environ | (environment or {})
    return subprocess.run(command, input=input, env=settings, capture_output=True, check=True)


class TestInputs:
    """A file that is read is not written over, under whatever name."""

    def test_of_prune(self, tmp_path, capsys):
        np.save("y.npy", LABELS)
        before = (tmp_path / "y.npy").read_bytes()
        for out in ("y.npy", "./y.npy", str(tmp_path / "y.npy")):
            assert prune_command("--labels", "y.npy", "--predictions", "y.npy", "--out", out) == 2
            assert sentence(capsys).endswith("it is one of the files that are read")
        assert (tmp_path / "y.npy").read_bytes() == before
        assert prune_command("--labels", "y.npy", "--predictions", "y.npy") == 0
        assert prune_command("--labels", "y.npy", "--predictions", "y.npy") == 0  # again, over it

    def test_of_scores(self, tmp_path, capsys):
        np.save("norms.npy", np.ones((2, 3)))
        before = (tmp_path / "norms.npy").read_bytes()
        command = ["scores", "grand", "--grad-norms", "norms.npy", "--out"]
        assert main([*command, "norms.npy"]) == 2
        assert sentence(capsys).endswith("it is one of the files that are read")
        assert (tmp_path / "norms.npy").read_bytes() == before
        assert main([*command, "grand.npy"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("el2n --probs probs.npy --labels text.npy", "labels are <U3: they must be integers 0..2"),
        ("grand --grad-norms codes.npy", "grad_norms have shape (120,): expected 2 dimensions"),
    ],
)
def test_records_that_no_score_can_read(arguments, message, capsys):
    np.save("probs.npy", np.full((120, 3), 1 / 3))
    np.save("text.npy", LABELS)
    np.save("codes.npy", np.arange(120))
    assert main(["scores", *arguments.split(), "--out", "s.npy"]) == 2
    assert sentence(capsys).startswith(message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run cifar10-mini --threads 0", "--threads is 0: it must be a whole number from 1"),
        ("estimate cifar10-mini --threads -1", "--threads is -1: it must be a whole number from 1"),
        ("run cifar10-mini --minutes -5", "--minutes must be 0 or more, got -5"),
        ("run cifar10-mini --minutes nan", "--minutes must be 0 or more, got nan"),
        ("estimate cifar10-mini --device gpu", "device must be auto, cpu, cuda, cuda:N or mps, go"),
    ],
)
def test_numbers_and_devices_are_looked_at_before_a_plan(arguments, message, capsys):
    assert main(arguments.split()) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"dropkit: error: {message}")
    assert output.out == ""
