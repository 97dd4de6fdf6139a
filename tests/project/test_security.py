"""Nothing that is read is executed, and no name that is read leads out of its folder."""

import ast
import csv
import hashlib
import importlib.util
import io
import json
import pickle
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dropkit
from dropkit import datasets, models
from dropkit.commands import main
from dropkit.datasets import imagenet, tinyimagenet, waterbirds
from dropkit.store import DamagedRecord, Store, merging
from tests import made_records

SOURCES = sorted(Path(dropkit.__file__).parent.rglob("*.py"))


class Payload:
    """What a harmful pickle looks like: loading it makes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return open, (str(self.mark), "w")


@pytest.fixture
def mark(tmp_path):
    """A file that is there only if something harmful was executed."""
    file = tmp_path / "executed"
    yield file
    assert not file.exists()


def harmful_npy(mark):
    buffer = io.BytesIO()
    np.save(buffer, np.array([Payload(mark)], dtype=object))
    return buffer.getvalue()


def test_the_payload_would_have_run(tmp_path):
    for place, load in enumerate(
        (
            lambda: pickle.loads(pickle.dumps(Payload(tmp_path / "0"))),
            lambda: np.load(io.BytesIO(harmful_npy(tmp_path / "1")), allow_pickle=True)[0],
        )
    ):
        load().close()
        assert (tmp_path / str(place)).exists()


class TestStore:
    @pytest.mark.parametrize("form", ["pickle", "npy of objects", "npz of objects"])
    def test_query_arrays(self, tmp_path, mark, form):
        content = pickle.dumps(Payload(mark))
        if form == "npy of objects":
            content = harmful_npy(mark)
        if form == "npz of objects":
            buffer = io.BytesIO()
            np.savez(buffer, probs=np.array([Payload(mark)], dtype=object))
            content = buffer.getvalue()
        folder = tmp_path / "store" / "queries"
        folder.mkdir(parents=True)
        signed = content + hashlib.sha256(content).hexdigest()[:12].encode()
        (folder / "q.npz").write_bytes(signed)
        with pytest.warns(DamagedRecord, match="q.npz is damaged"):
            assert Store(tmp_path / "store").load_arrays("q") is None

    def test_a_record_is_text_however_it_reads(self, tmp_path, mark):
        code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
        record = made_records.record(inputs=code) | {"__class__": code}
        text = json.dumps(record, sort_keys=True, separators=(",", ":"))
        line = f"{hashlib.sha256(text.encode()).hexdigest()[:12]} {text}\n"
        (tmp_path / "a.jsonl").write_text(line)
        assert list(Store(tmp_path)) == [record]

    @pytest.mark.parametrize("name", ["../q", "/tmp/q", "a/b", "..", "", "a\\b", "q.npz"])
    def test_arrays_stay_in_the_folder(self, tmp_path, name):
        store = Store(tmp_path / "store")
        for use in (lambda: store.save_arrays(name, {}), lambda: store.load_arrays(name)):
            with pytest.raises(ValueError, match="arrays are kept under letters and digits"):
                use()
        assert list(tmp_path.iterdir()) == []

    def test_merging_takes_no_more_than_a_store_holds(self, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("of the reader's own")
        source = Store(tmp_path / "source")
        source.save_arrays("good", {"x": np.ones(2)})
        source.add({"key": "../../outside"})
        source.close()
        (tmp_path / "source" / "queries" / "link.npz").symlink_to(secret)
        (tmp_path / "source" / "queries" / "not a key.npz").write_text("")
        with (
            pytest.warns(DamagedRecord, match="link.npz"),
            closing(Store(tmp_path / "into")) as store,
        ):
            assert merging.merge(store, [tmp_path / "source"]) == 1
        found = [path.relative_to(tmp_path / "into") for path in (tmp_path / "into").rglob("*")]
        assert {str(path) for path in found if path.suffix == ".npz"} == {"queries/good.npz"}
        assert {len(path.parts) for path in found} == {1, 2}
        assert {path.name for path in tmp_path.iterdir()} == {"secret", "source", "into"}


class TestData:
    def published(self, root, name):
        """The table of Waterbirds with one image of this name."""
        folder = root / waterbirds.FOLDER
        folder.mkdir(parents=True)
        rows = [[i + 1, name if i == 0 else f"{i}.jpg", 0, i % 3, 0, "x"] for i in range(6)]
        with open(folder / "metadata.csv", "w", newline="") as file:
            csv.writer(file).writerows([waterbirds.COLUMNS, *rows])
        return folder

    @pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/passwd", "a/../../b", "C:\\x.jpg"])
    def test_images_stay_in_the_folder(self, tmp_path, name):
        self.published(tmp_path, name)
        with pytest.raises(ValueError, match="is no path inside the data set's folder"):
            datasets.load("waterbirds", root=str(tmp_path))

    def test_an_image_is_decoded_as_one(self, tmp_path, mark, monkeypatch):
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path / "cache"))
        folder = self.published(tmp_path, "0.jpg")
        for i in range(6):
            (folder / f"{i}.jpg").write_bytes(pickle.dumps(Payload(mark)))
        with pytest.raises(ValueError, match="0.jpg cannot be decoded"):
            waterbirds.images(waterbirds.read(tmp_path))

    def test_postscript_is_no_image(self, tmp_path, monkeypatch):
        """Pillow hands it to Ghostscript, a program's interpreter, unless formats are named."""
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path / "cache"))
        monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", pytest.fail)
        folder = self.published(tmp_path, "0.jpg")
        code = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n%%EOF\n"
        for i in range(6):
            (folder / f"{i}.jpg").write_bytes(code)
        with pytest.raises(ValueError, match="0.jpg cannot be decoded: cannot identify"):
            waterbirds.images(waterbirds.read(tmp_path))

    @pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (8_000, 8_000)])
    def test_small_files_of_huge_images(self, tmp_path, monkeypatch, size):
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path / "cache"))
        folder = self.published(tmp_path, "0.jpg")
        for i in range(6):
            Image.new("1", size if i == 0 else (9, 9)).save(folder / f"{i}.jpg", "PNG")
        message = f"0.jpg cannot be decoded: it has {size[0]} x {size[1]} pixels"
        with pytest.raises(ValueError, match=message):
            waterbirds.images(waterbirds.read(tmp_path))

    def test_decoded_images_are_bytes(self, tmp_path, mark, monkeypatch):
        folder = self.published(tmp_path, "0.jpg")
        for i in range(6):
            (folder / f"{i}.jpg").touch()
        table = waterbirds.read(tmp_path)
        cache = tmp_path / "cache"
        cache.mkdir()
        monkeypatch.setenv("DROPKIT_IMAGES", str(cache))
        (cache / f"waterbirds-{table.sha256[:16]}-224x224x3.npy").write_bytes(harmful_npy(mark))
        with pytest.raises(ValueError, match="are damaged"):
            waterbirds.images(table)

    @pytest.mark.parametrize(
        "name", ["../secret.JPEG", "/etc/passwd", "..", "a/../../b", "\\\\h\\s"]
    )
    @pytest.mark.parametrize("where", ["annotation", "class"])
    def test_lists_of_tinyimagenet_name_nothing_outside(self, tmp_path, name, where):
        folder = tmp_path / "data" / tinyimagenet.FOLDER
        for place in ("train/n01443537/images", "val/images"):
            (folder / place).mkdir(parents=True)
        (tmp_path / "data" / "secret.JPEG").write_text("of the reader's own")
        (folder / "wnids.txt").write_text(name if where == "class" else "n01443537")
        row = f"{name}\tn01443537\n" if where == "annotation" else ""
        (folder / "val" / "val_annotations.txt").write_text(row)
        problem = "there is no image" if where == "annotation" else "not one folder for each line"
        with pytest.raises(ValueError, match=problem):
            datasets.load("tinyimagenet", root=str(tmp_path / "data"))

    def test_a_file_of_a_class_folder_is_decoded_as_an_image(self, tmp_path, mark, monkeypatch):
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path / "cache"))
        for name, count in (("CLASSES", 1), ("TRAINING", 1), ("VALIDATION", 1)):
            monkeypatch.setattr(imagenet, name, count)
        for half in ("train", "val"):
            folder = tmp_path / imagenet.FOLDER / half / "n01440764"
            folder.mkdir(parents=True)
            (folder / f"{half}.JPEG").write_bytes(pickle.dumps(Payload(mark)))
        with pytest.raises(ValueError, match="train.JPEG cannot be decoded"):
            datasets.load("imagenet", root=str(tmp_path))

    def test_files_of_the_command_line(self, tmp_path, mark, capsys):
        (tmp_path / "labels.npy").write_bytes(harmful_npy(mark))
        arguments = ["--labels", str(tmp_path / "labels.npy"), "--recalls", "r.npy"]
        assert main(["quotas", *arguments, "--density", "0.5"]) == 2
        assert "labels.npy holds Python objects: save numbers or text" in capsys.readouterr().err


def test_weights(tmp_path, mark, monkeypatch):
    torch.save({"conv1.weight": Payload(mark)}, tmp_path / "weights.pth")
    monkeypatch.setenv("DROPKIT_RESNET50", str(tmp_path / "weights.pth"))
    with pytest.raises(ValueError, match="it is no state dict saved by PyTorch"):
        models.build("resnet50-imagenet", 2, (3, 64, 64))


@pytest.mark.skipif(not importlib.util.find_spec("dropkit.plan"), reason="there are no plans yet")
def test_a_plan_is_text(tmp_path, mark):
    from dropkit.study import plan

    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    for content in (
        f'dataset = "{code}"\nmodel = "mini"\ndensities = [0.5]\nseeds = 1\n[[stage]]\n'
        'protocols = ["random"]\n',
        f"seeds = {code}\n",
        "!!python/object/apply:os.system ['true']\n",
    ):
        (tmp_path / "plan.toml").write_text(content)
        with pytest.raises(ValueError):
            plan.read(tmp_path / "plan.toml")


@pytest.mark.parametrize("source", SOURCES, ids=lambda file: file.name)
def test_no_source_asks_for_it(source):
    """No pickle, no code from text, no weights but as weights."""
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
            taboo = {"pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"}
            assert not taboo & {name.split(".")[0] for name in names}
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        assert called not in ("eval", "exec", "compile", "yaml.load", "pandas.read_pickle")
        assert options.get("allow_pickle") != "True"
        assert options.get("shell") != "True"
        if called == "torch.load":
            assert options.get("weights_only") == "True"
