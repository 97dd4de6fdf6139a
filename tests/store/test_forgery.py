"""Records and arrays with valid checksums that no honest program wrote, and who asks for them."""

import hashlib
import io
import json
import os
import subprocess
import sys
from contextlib import closing
from itertools import product

import numpy as np
import pytest

from dropkit import study
from dropkit.commands import main
from dropkit.store import DamagedRecord, Store, StoreError
from dropkit.store.records import line
from dropkit.study import failures, fits
from tests.made_records import record
from tests.study.test_trials import grid
from tests.training.test_engine import TINY

TRIALS = grid(["random+drop", "el2n"], [0.5], 1, recipe=TINY)


def verified(folder, capsys):
    status = main(["store", "verify", "--store", str(folder), "--sample", "0"])
    return status, capsys.readouterr().err


class TestUnderAnothersKey:
    """A key names one configuration: what lies under it and is of another is served to nobody."""

    def test_of_no_trial_at_all(self, tmp_path, capsys):
        Store(tmp_path).add({"key": TRIALS[0].key, "recalls": [1.0]})
        with pytest.raises(StoreError, match="is not of the trial whose key it has"):
            study.run(TRIALS, store=Store(tmp_path))
        status, err = verified(tmp_path, capsys)
        assert status == 1 and f"{TRIALS[0].key} is not the key of what is in" in err

    def test_a_failure_of_another_trial(self, tmp_path, capsys):
        forged = failures.record(TRIALS[0], "it diverged", "cpu")
        Store(tmp_path).add(forged | {"key": failures.key_of(TRIALS[1])})
        with pytest.raises(StoreError, match="is not of the trial whose key it has"):
            study.run(TRIALS, store=Store(tmp_path))
        status, err = verified(tmp_path, capsys)
        assert status == 1 and f"{failures.key_of(TRIALS[1])} is not the key" in err

    def test_an_honest_failure(self, tmp_path, capsys):
        Store(tmp_path).add(failures.record(TRIALS[0], "it diverged", "cpu"))
        assert verified(tmp_path, capsys) == (0, "")

    def test_of_another_fit(self, tmp_path, capsys):
        wanted = {"data": "d", "classifier": "c", "method": "m", "density": 0.5, "seed": 0}
        ((name, config),) = fits.described([wanted])
        made = {name: record()[name] for name in ("recalls", "kept", "class_sizes", "seconds")}
        made |= {"key": name, "provenance": record()["provenance"]}
        Store(tmp_path).add(made | {"fit": config | {"density": 0.25}})
        with pytest.raises(StoreError, match="is not of the fit whose key it has"):
            fits.recorded([wanted], pytest.fail, Store(tmp_path))
        status, err = verified(tmp_path, capsys)
        assert status == 1 and f"{name} is not the key of the fit" in err

    def test_it_is_left_behind_by_merge_and_taken_away_by_repair(self, tmp_path, capsys):
        forged, honest = tmp_path / "forged", failures.record(TRIALS[0], "it diverged", "cpu")
        lines = [honest, record() | {"key": TRIALS[1].key}, {"key": "x"}]
        forged.mkdir()
        (forged / "a.jsonl").write_text("".join(line(json.dumps(each)) for each in lines))
        with open(forged / "a.jsonl", "a") as file:
            file.write(line('{"key":"y","trial":{}}') + line("[1]"))
        store = ["store", "merge", str(forged), "--store", str(tmp_path / "merged")]
        assert main(store) == 1
        assert f"left out: {TRIALS[1].key} is not the key of" in capsys.readouterr().err
        assert [each["key"] for each in Store(tmp_path / "merged")] == [honest["key"]]
        assert verified(tmp_path / "merged", capsys) == (0, "")
        repair = ["store", "repair", "--yes", "--store", str(forged)]
        assert main(repair) == 0 and "nothing to take away" in capsys.readouterr().out
        assert main([*repair, "--forged"]) == 0
        out = capsys.readouterr().out
        assert "line 2: under another's key" in out and "line 3: under another's key" in out
        assert "line 4: trial.dataset is missing" not in out and "line 4: " in out
        assert "line 5: no record of this version" in out
        assert verified(forged, capsys) == (0, "")
        assert [each["key"] for each in Store(forged)] == [honest["key"]]


def test_records_are_checked_without_what_trains(tmp_path):
    """As where dropkit is installed without its extras."""
    Store(tmp_path).add(failures.record(TRIALS[0], "it diverged", "cpu"))
    code = (
        "import sys\nfor name in ('torch', 'sklearn', 'matplotlib', 'PIL', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "from dropkit.commands import main\nsys.exit(main(sys.argv[1:]))"
    )
    for action in (["verify", "--sample", "0"], ["repair", "--forged"], ["gc"], ["ls"],
                   ["merge", str(tmp_path)]):  # fmt: skip
        arguments = ["store", *action, "--store", str(tmp_path)]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def signed(content):
    return content + hashlib.sha256(content).hexdigest()[:12].encode()


def npz(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def other_header(old, new):
    """Arrays whose header, and nothing else, was changed."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        raw = io.BytesIO()
        np.save(raw, np.zeros(3))
        archive.writestr("x.npy", raw.getvalue().replace(old, new))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with closing(Store(folder)) as store:
        study.run(TRIALS, store=store)
    return folder


class TestArrays:
    FORGED = {
        "no archive": b"PK\x05\x06 no archive",
        "nothing": b"",
        "one array": npz(lambda file, x: np.save(file, x), x=np.zeros(3)),
        "a bomb": npz(np.savez_compressed, x=np.zeros(10**7)),
        "shape is text": other_header(b"(3,)", b"'3' "),
        "shape is huge": other_header(b"(3,),", b"(" + b"9" * 14 + b",),"),
        "no header": other_header(b"{'descr'", b"{{descr'"),
        "objects": other_header(b"<f8", b"|O8"),
        "no name": npz(**{"arr": np.zeros(2)}),
        "cut member": npz(x=np.zeros(3))[:80] + npz(x=np.zeros(3))[90:],
    }

    @pytest.mark.parametrize("content", FORGED.values(), ids=FORGED)
    def test_they_are_left_out_or_computed_again(self, tmp_path, trained, content):
        """Whatever a file of arrays holds, a study gives the records that it gives without it."""
        (tmp_path / "queries").mkdir()
        name = TRIALS[0].recall_query.key
        (tmp_path / "queries" / f"{name}.npz").write_bytes(signed(content))
        with pytest.warns(DamagedRecord), closing(Store(tmp_path)) as store:
            records = study.run(TRIALS, store=store)
        honest = Store(trained)
        assert [r["recalls"] for r in records] == [honest[t.key]["recalls"] for t in TRIALS]

    # Outputs may be lacking: they are recorded only where a score needs them.
    KINDS = set(product(["shape", "type", "lacking"], ["recalls", "val_sizes", "probs"]))

    @pytest.mark.parametrize(("change", "name"), sorted(KINDS - {("lacking", "probs")}))
    def test_of_another_shape(self, tmp_path, trained, name, change):
        query = TRIALS[0].recall_query
        honest = Store(trained)
        arrays = honest.load_arrays(query.key)
        if change == "lacking":
            del arrays[name]
        else:
            arrays[name] = arrays[name].astype("U9") if change == "type" else arrays[name][..., :1]
        with closing(Store(tmp_path)) as store:
            store.save_arrays(query.key, arrays)
            with pytest.warns(DamagedRecord, match="are not what it records"):
                records = study.run(TRIALS, store=store)
        assert [r["recalls"] for r in records] == [honest[t.key]["recalls"] for t in TRIALS]


@pytest.mark.parametrize("numbers", ["1e999", "[0.5,-1e999]", '{"a":[{"b":1e999}]}'])
def test_infinity_in_one_record_blocks_no_export(tmp_path, numbers):
    folder = tmp_path / "store"
    folder.mkdir()
    forged = json.dumps(record() | {"key": "forged", "query": "HERE"}).replace('"HERE"', numbers)
    of_nothing = '{"key":"of nothing","x":HERE}'.replace("HERE", numbers)
    (folder / "a.jsonl").write_text("".join(map(line, (forged, json.dumps(record()), of_nothing))))
    arguments = ["store", "export", str(tmp_path / "out.jsonl"), "--store", str(folder)]
    assert main(arguments) == 0
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", " "])
def test_a_store_without_a_place_is_a_sentence(name, capsys, monkeypatch):
    assert main(["store", "ls", "--store", name]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"dropkit: error: the folder of the store is {name!r}: ")
    monkeypatch.setenv("DROPKIT_STORE", name)
    assert main(["store", "ls"]) == 2


def test_terminals_obey_no_name(tmp_path, capsys):
    """Names of files and fields that another machine sent."""
    own, other = tmp_path / "own", tmp_path / "other"
    for folder, value in ((own, 1), (other, 2)):
        Store(folder).add({"key": "k\x1b[2J", "a\x1b[2J": value})
    (other / "b\x1b[2J.jsonl").write_text("no record\n")
    old = own / "c\x1b[2J-1-01234567.jsonl"
    old.write_text("no record\n")
    os.utime(old, (0, 0))
    for arguments in (["merge", str(other)], ["verify", "--sample", "0"], ["repair"]):
        main(["store", *arguments, "--store", str(own)])
    out, err = capsys.readouterr()
    assert "\x1b" not in out and "\x1b" not in err
    assert "\\x1b[2J" in out and "\\x1b[2J" in err
