"""What `dropkit store` says and does, on stores of a few trials that were really run."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from dropkit import study
from dropkit.commands import main
from dropkit.store import DamagedRecord, Store, StoreError
from dropkit.store.records import key
from tests.study.test_trials import grid

OTHER_TRIALS = [{"colour": "red"}, {"density": 0.25}, {"protocol": "later"}]
TRIALS = grid(["full", "random", "random+drop", "el2n"], [0.5], 2)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    study.run(TRIALS, store=Store(folder))
    return folder


@pytest.fixture
def folder(ran, tmp_path):
    """A copy that a test may damage."""
    return copy(ran, tmp_path / "store")


def copy(source, target):
    target.mkdir()
    for file in source.glob("*.jsonl"):
        (target / file.name).write_bytes(file.read_bytes())
    return target


def called(*arguments):
    return main(["store", *map(str, arguments)])


def signed(record):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return f"{hashlib.sha256(text.encode()).hexdigest()[:12]} {text}\n"


def change(folder, chosen, **changes):
    """Put other values into one record, with a checksum that fits."""
    (file,) = folder.glob("*.jsonl")
    records = [json.loads(line.split(" ", 1)[1]) for line in file.read_text().splitlines()]
    records = [r | changes if r["key"] == chosen else r for r in records]
    file.write_text("".join(map(signed, records)))


class TestLs:
    def test_one_line_a_protocol(self, folder, capsys):
        assert called("ls", "--store", folder) == 0
        lines = capsys.readouterr().out.splitlines()
        found = [line.split()[:6] for line in lines[1:-1]]
        protocols = ("el2n", "full", "random", "random+drop")
        # data set, model, protocol, trials, densities, seeds
        assert found == [["digits-2x4", "mlp", name, "2", "1", "2"] for name in protocols]
        assert lines[-1] == f"8 trials in {folder}"

    def test_environment_names_the_store(self, folder, capsys, monkeypatch):
        monkeypatch.setenv("DROPKIT_STORE", str(folder))
        assert called("ls") == 0
        assert f"8 trials in {folder}" in capsys.readouterr().out

    def test_damage_is_said_in_a_sentence(self, folder, capsys):
        (file,) = folder.glob("*.jsonl")
        file.write_bytes(file.read_bytes()[:-9])
        assert called("ls", "--store", folder) == 0
        out, err = capsys.readouterr()
        assert "7 trials in" in out
        message = f"warning: line 8 of {file}: damaged and left out; the trials will run again\n"
        assert err == message

    def test_a_store_of_a_later_form_is_one_sentence(self, folder, capsys):
        (folder / "form").write_text("2\n")
        assert called("ls", "--store", folder) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"the store {folder} is of form '2'" in line and "use a later version" in line

    @pytest.mark.parametrize("arguments", [["ls"], ["verify"], ["export", "x.csv"], ["show", "a"]])
    def test_no_such_store(self, tmp_path, capsys, arguments):
        assert called(*arguments, "--store", tmp_path / "absent") == 2
        assert capsys.readouterr().err == (
            f"dropkit: error: there is no store {tmp_path}/absent: name a folder that holds one\n"
        )
        assert not (tmp_path / "absent").exists()

    def test_unknown_data_set(self, folder, capsys):
        assert called("ls", "--store", folder, "--dataset", "cifar10") == 2
        assert capsys.readouterr().err == (
            f"dropkit: error: no trial on data set 'cifar10' in {folder}; it has digits-2x4\n"
        )


class TestShow:
    def test_whole_record(self, folder, capsys):
        key = TRIALS[0].key
        assert called("show", key[:12], "--store", folder) == 0
        assert json.loads(capsys.readouterr().out) == Store(folder)[key]

    def test_unknown_and_ambiguous(self, folder, capsys):
        assert called("show", "xyz", "--store", folder) == 2
        assert "no keys in the store" in capsys.readouterr().err
        assert called("show", "", "--store", folder) == 2
        assert "8 keys in the store" in capsys.readouterr().err


class TestVerify:
    def test_the_same_comes_out(self, folder, capsys):
        assert called("verify", "--store", folder, "--sample", 20) == 0
        lines = capsys.readouterr().out.splitlines()
        assert {line.split()[1] for line in lines if line.startswith("same: ")} == {
            trial.key for trial in TRIALS
        }
        assert lines[0] == f"8 trials and 0 query records in {folder}"
        assert lines[-1] == (
            "run again: 8 trials, as the store has no more of this version; different: 0"
        )

    def test_a_sample_is_drawn_by_its_seed(self, folder, capsys):
        drawn = []
        for seed in (0, 0, 1, 2, 3):
            assert called("verify", "--store", folder, "--sample", 2, "--seed", seed) == 0
            out = capsys.readouterr().out
            drawn.append([line.split()[1] for line in out.splitlines() if "same: " in line])
        assert drawn[0] == drawn[1]
        assert len(set(map(frozenset, drawn))) > 1
        assert all(len(set(keys)) == 2 for keys in drawn)

    def test_another_result_is_found(self, folder, capsys):
        store = Store(folder)
        wrong = store[TRIALS[2].key]["recalls"]
        wrong = [wrong[0] - 0.01 if wrong[0] > 0.5 else wrong[0] + 0.01, *wrong[1:]]
        change(folder, TRIALS[2].key, recalls=wrong)
        arguments = ["verify", "--store", folder, "--sample", 20]
        assert called(*arguments) == 1
        out = capsys.readouterr().out
        assert f"DIFFERENT: {TRIALS[2].key}" in out and "recalls within 0.01" in out
        assert "different: 1" in out
        assert called(*arguments, "--tolerance", 0.02) == 0

    def test_other_samples_kept_are_found(self, folder, capsys):
        kept = Store(folder)[TRIALS[2].key]["kept"]
        change(folder, TRIALS[2].key, kept=[kept[0] + 1, kept[1] - 1, *kept[2:]])
        share = 1 / Store(folder)[TRIALS[2].key]["class_sizes"][0]
        for tolerance, status in ((0, 1), (share / 2, 1), (2 * share, 0)):
            found = called("verify", "--store", folder, "--sample", 20, "--tolerance", tolerance)
            assert found == status
        assert "kept shares of classes within" in capsys.readouterr().out

    @pytest.mark.parametrize("changes", OTHER_TRIALS)
    def test_trials_of_other_versions_are_passed_over_and_counted(self, folder, capsys, changes):
        old = TRIALS[0].key
        trial = Store(folder)[old]["trial"] | changes
        new = key({"engine": 1, "trial": trial})
        change(folder, old, trial=trial, key=new)
        assert called("verify", "--store", folder, "--sample", 20) == 0
        out = capsys.readouterr().out
        assert "run again: 7 trials" in out and old not in out
        assert f"of another version, and so never drawn: 1 trials; the first: {new} " in out

    @pytest.mark.parametrize("changes", OTHER_TRIALS)
    def test_a_record_under_another_trials_key_is_named(self, folder, capsys, changes):
        forged = TRIALS[0].key
        trial = Store(folder)[forged]["trial"] | changes
        change(folder, forged, trial=trial, recalls=[1.0] * 10)
        assert called("verify", "--store", folder, "--sample", 0) == 1
        out, err = capsys.readouterr()
        assert "keys of another trial or fit: 1" in out
        assert f"{forged} is not the key of the trial in its record" in err
        with pytest.raises(StoreError, match=f"{forged} in .* is not of the trial whose key"):
            study.run(TRIALS, store=Store(folder))

    def test_damage_alone(self, folder, capsys):
        (file,) = folder.glob("*.jsonl")
        file.write_bytes(file.read_bytes().replace(b"recalls", b"recallz", 1))
        assert called("verify", "--store", folder, "--sample", 0) == 1
        out, err = capsys.readouterr()
        assert "damaged or foreign parts: 1" in out
        assert f"line 1 of {file}: damaged" in err

    def test_damaged_query_arrays(self, folder, capsys):
        Store(folder).save_arrays("q", {"x": np.zeros(3)})
        file = folder / "queries" / "q.npz"
        file.write_bytes(file.read_bytes()[:-1])
        assert called("verify", "--store", folder, "--sample", 0) == 1
        assert "q.npz is damaged" in capsys.readouterr().err

    @pytest.mark.parametrize("option", ["--sample", "--tolerance"])
    def test_below_0(self, folder, capsys, option):
        assert called("verify", "--store", folder, option, -1) == 2
        assert f"{option} must be 0 or more, got -1" in capsys.readouterr().err

    def test_unknown_executor(self, folder, capsys):
        assert called("verify", "--store", folder, "--executor", "dask") == 2
        assert "executor must be one of local, processes, ray" in capsys.readouterr().err


class TestExport:
    def test_text_form_is_a_store(self, folder, tmp_path, capsys):
        assert called("export", tmp_path / "out" / "all.jsonl", "--store", folder) == 0
        found = list(Store(tmp_path / "out"))
        assert [r["key"] for r in found] == sorted(trial.key for trial in TRIALS)
        assert {r["key"]: r for r in found} == {r["key"]: r for r in Store(folder)}
        assert capsys.readouterr().out == f"8 trials of {folder} in {tmp_path}/out/all.jsonl\n"

    def test_tidy_table(self, folder, tmp_path):
        assert called("export", tmp_path / "all.csv", "--store", folder) == 0
        with open(tmp_path / "all.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 8 * 10
        store = Store(folder)
        for place, row in enumerate(rows):
            record, k = store[row["key"]], int(row["stratum"])
            assert k == place % 10
            assert float(row["recall"]) == record["recalls"][k]
            for column, name in (
                ("test_size", "test_sizes"),
                ("class_size", "class_sizes"),
                ("kept", "kept"),
            ):
                assert int(row[column]) == record[name][k]
            trial = record["trial"]
            assert (row["protocol"], float(row["density"])) == (trial["protocol"], trial["density"])
            assert row["recipe.drops"] == "0.5 0.75"
            assert row["torch"] == record["provenance"]["torch"]
            query = trial["recall_query"]
            assert row["recall_query.seed"] == ("" if query is None else str(query["seed"]))

    def test_pandas_reads_the_table(self, folder, tmp_path):
        pandas = pytest.importorskip("pandas")
        called("export", tmp_path / "all.csv", "--store", folder)
        table = pandas.read_csv(tmp_path / "all.csv")
        average = table.groupby("key").recall.mean()
        for record in Store(folder):
            assert average[record["key"]] == pytest.approx(np.mean(record["recalls"]))

    def test_one_data_set(self, folder, tmp_path):
        record = Store(folder)[TRIALS[0].key]
        Store(folder).add(
            record | {"key": "other", "trial": record["trial"] | {"dataset": "cifar10"}}
        )
        file = tmp_path / "out" / "x.jsonl"
        assert called("export", file, "--store", folder, "--dataset", "cifar10") == 0
        assert [r["key"] for r in Store(tmp_path / "out")] == ["other"]

    def test_unknown_form(self, folder, tmp_path, capsys):
        assert called("export", tmp_path / "x.xlsx", "--store", folder) == 2
        assert "must end in .jsonl or .csv, got" in capsys.readouterr().err


class TestMerge:
    def test_all_that_either_holds(self, folder, tmp_path, capsys):
        (file,) = folder.glob("*.jsonl")
        lines = file.read_text().splitlines(keepends=True)
        for name, part in (("one", lines[:5]), ("two", lines[3:])):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.jsonl").write_text("".join(part))
            Store(tmp_path / name).save_arrays(name, {"x": np.full(2, len(part))})
        sources = [tmp_path / "one", tmp_path / "two"]
        assert called("merge", *sources, "--store", tmp_path / "all") == 0
        assert "8 trials added" in capsys.readouterr().out
        both = Store(tmp_path / "all")
        assert {r["key"]: r for r in both} == {r["key"]: r for r in Store(folder)}
        assert both.load_arrays("one")["x"].tolist() == [5, 5]
        assert both.load_arrays("two")["x"].tolist() == [5, 5]
        # Once more changes nothing.
        assert called("merge", *sources, "--store", tmp_path / "all") == 0
        assert "0 trials added" in capsys.readouterr().out

    def test_conflicts_are_named_and_the_own_result_is_kept(self, folder, tmp_path, capsys):
        other = copy(folder, tmp_path / "other")
        key, (file,) = TRIALS[1].key, other.glob("*.jsonl")
        change(other, key, recalls=[0.0] * 10)
        change(other, TRIALS[0].key, seconds=7.0)  # no other result
        before = Store(folder)[key]
        assert called("merge", other, "--store", folder) == 1
        out, err = capsys.readouterr()
        assert err == (
            f"conflict: {key}: recalls differ between {folder / file.name} and {file}, "
            "whose result is left out\n"
        )
        assert "0 trials added" in out and "1 conflicts" in out
        assert Store(folder)[key] == before

    def test_damaged_records_are_left_behind(self, folder, tmp_path, capsys):
        (file,) = folder.glob("*.jsonl")
        file.write_bytes(file.read_bytes()[:-5])
        assert called("merge", folder, "--store", tmp_path / "all") == 0
        assert "line 8 of" in capsys.readouterr().err
        with warnings.catch_warnings(action="error", category=DamagedRecord):
            assert len(Store(tmp_path / "all")) == 7

    def test_no_such_source(self, folder, tmp_path, capsys):
        assert called("merge", folder, tmp_path / "absent", "--store", tmp_path / "all") == 2
        assert f"there is no store {tmp_path}/absent" in capsys.readouterr().err
        assert not (tmp_path / "all").exists()


def test_help_does_not_load_pytorch():
    code = (
        "import sys\nfrom dropkit.commands import parser\nparser()\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


class TestTidying:
    """What a killed run leaves behind can be listed and taken away, and nothing else is."""

    @pytest.fixture
    def left(self, folder):
        """Torn and flipped lines, an empty file, an old spare one, and damaged arrays."""
        (file,) = folder.glob("*.jsonl")
        dead = file.rename(folder / "elsewhere-1-0123abcd.jsonl")
        content = bytearray(dead.read_bytes())
        content[200] ^= 1
        dead.write_bytes(content[:-9])
        (folder / "elsewhere-2-0123abcd.jsonl").touch()
        with warnings.catch_warnings(action="ignore"):
            store = Store(folder)
        for name in ("q", "whole"):
            store.save_arrays(name, {"x": np.zeros(3)})
        arrays = folder / "queries" / "q.npz"
        arrays.write_bytes(arrays.read_bytes()[:-1])
        (folder / "queries" / f".w.npz.{'0' * 32}").write_bytes(b"half")
        for each in [*folder.glob("*.jsonl"), *folder.glob("queries/.*")]:
            os.utime(each, (0, 0))
        return folder

    def test_listed_and_left_without_a_yes(self, left, capsys):
        before = {file: file.read_bytes() for file in left.rglob("*") if file.is_file()}
        assert called("repair", "--store", left) == 1
        out = capsys.readouterr().out
        for what in ("line 1 is damaged", "line 8 is damaged", ": empty", "was being written"):
            assert what in out
        assert "q.npz: damaged" in out and "--yes takes them away" in out
        assert before == {file: file.read_bytes() for file in left.rglob("*") if file.is_file()}

    def test_verify_is_content_after_it(self, left, capsys):
        assert called("verify", "--store", left, "--sample", 0) == 1
        with warnings.catch_warnings(action="ignore"):
            records = list(Store(left))
        assert called("repair", "--store", left, "--yes") == 0
        assert called("verify", "--store", left, "--sample", 0) == 0
        assert list(Store(left)) == records and len(records) == 6
        names = sorted(file.name for file in left.rglob("*") if file.is_file())
        assert names == ["elsewhere-1-0123abcd.jsonl", "whole.npz"]
        assert called("repair", "--store", left) == 0
        assert "nothing to take away" in capsys.readouterr().out

    def test_files_that_may_be_written_to_are_left_alone(self, folder):
        mine = Store(folder)
        mine.open()  # as a run does before its first trial
        code = "import sys; from dropkit.commands import main; sys.exit(main(sys.argv[1:]))"
        repair = [sys.executable, "-c", code, "store", "repair", "--yes", "--store", str(folder)]
        assert subprocess.run(repair, capture_output=True).returncode == 0
        record = Store(folder)[TRIALS[0].key] | {"key": "later"}
        mine.add(record)
        assert "later" in Store(folder)
        (folder / "elsewhere-3-0123abcd.jsonl").touch()  # on another machine, just now
        assert called("repair", "--store", folder, "--yes") == 0
        assert (folder / "elsewhere-3-0123abcd.jsonl").exists()

    def test_a_file_of_something_else_is_left_alone(self, folder):
        (folder / "train.jsonl").write_text('{"label": 1}\n')
        os.utime(folder / "train.jsonl", (0, 0))
        assert called("repair", "--store", folder, "--yes") == 0
        assert (folder / "train.jsonl").read_text() == '{"label": 1}\n'

    def test_gc_takes_what_no_record_was_made_from(self, folder, capsys):
        store = Store(folder)
        used = next(trial.recall_query.key for trial in TRIALS if trial.recall_query)
        for name in (used, "other", "fresh"):
            store.save_arrays(name, {"x": np.zeros(3)})
        for name in (used, "other"):
            os.utime(folder / "queries" / f"{name}.npz", (0, 0))
        assert called("gc", "--store", folder) == 1
        assert called("gc", "--store", folder, "--yes") == 0
        assert store.array_names() == sorted([used, "fresh"])
        assert "other.npz: of no record here" in capsys.readouterr().out


@pytest.mark.parametrize("start", "=+-@")
def test_no_cell_of_a_table_is_a_formula(folder, tmp_path, start):
    trial = Store(folder)[TRIALS[0].key]["trial"] | {"inputs": f"{start}cmd|' /C calc'!A0"}
    change(folder, TRIALS[0].key, trial=trial)
    assert called("export", tmp_path / "all.csv", "--store", folder) == 0
    with open(tmp_path / "all.csv", newline="") as file:
        texts = {row["inputs"] for row in csv.DictReader(file)}
    assert f"'{trial['inputs']}" in texts and not any(text[:1] in tuple("=+-@") for text in texts)
