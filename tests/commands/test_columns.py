"""Files of labels as users have them: separators, missing values, kinds, and no input lost."""

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
        ("run cifar10-mini --threads 0", "--threads must be at least 1, got 0"),
        ("estimate cifar10-mini --threads -1", "--threads must be at least 1, got -1"),
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
