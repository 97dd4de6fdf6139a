"""CIFAR's loader on small sets in each of its forms; the real sets where a folder has them."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from dropkit import datasets
from dropkit._common.errors import UserError
from dropkit.commands import main
from dropkit.datasets import cifar

TRAIN, TEST, CLASSES = 60, 20, tuple("abcde")


@pytest.fixture
def raw():
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(TRAIN + TEST, 32, 32, 3), dtype=np.uint8)
    y = np.arange(TRAIN + TEST, dtype=np.uint8) % len(CLASSES)
    return x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:], CLASSES


def save(folder, raw):
    names = ("x_train", "y_train", "x_test", "y_test", "classes")
    np.savez(folder / "cifar10.npz", **dict(zip(names, raw, strict=True)))


@pytest.fixture
def folder(tmp_path, raw, monkeypatch):
    """A folder with a small set under CIFAR-10's name, and its checksum."""
    save(tmp_path, raw)
    # Independently of the loader: images as bytes, ordered by the digest of each.
    images, labels = [], []
    for x, y in (raw[:2], raw[2:4]):
        order = sorted(range(len(x)), key=lambda i: hashlib.sha256(x[i].tobytes()).hexdigest())
        images += [x[i].tobytes() for i in order]
        labels += [int(y[i]) for i in order]
    digest = hashlib.sha256(b"".join(images) + bytes(labels)).hexdigest()
    monkeypatch.setitem(cifar.CHECKSUMS, "cifar10", digest)
    cifar.read.cache_clear()
    yield tmp_path
    cifar.read.cache_clear()


class TestRead:
    def test_splits(self, folder, raw):
        data = datasets.load("cifar10", 3, str(folder))
        assert data.classes == CLASSES and data.in_shape == (3, 32, 32)
        assert data.train.tolist() == list(range(TRAIN))
        parts = np.concatenate([data.train, data.val, data.test])
        assert sorted(parts) == list(range(TRAIN + TEST))
        assert data.sizes("val").tolist() == data.sizes("test").tolist() == [2] * 5
        assert {x.tobytes() for x in data.x.pixels[data.train]} == {x.tobytes() for x in raw[0]}
        label_of = {x.tobytes(): y for x, y in zip(raw[2], raw[3], strict=True)}
        for i in [*data.val, *data.test]:
            assert data.y[i] == label_of[data.x.pixels[i].tobytes()]

    def test_order_does_not_depend_on_the_file(self, folder, raw):
        before = datasets.load("cifar10", 0, str(folder))
        order = np.random.default_rng(1).permutation(TRAIN)
        save(folder, (raw[0][order], raw[1][order], *raw[2:]))
        cifar.read.cache_clear()
        after = datasets.load("cifar10", 0, str(folder))
        np.testing.assert_array_equal(after.x.pixels, before.x.pixels)
        np.testing.assert_array_equal(after.y, before.y)

    @pytest.mark.parametrize("compressed", [False, True])
    @pytest.mark.parametrize("damage", ["half", "end", "flip", "pickle", "labels"])
    def test_a_broken_download_is_a_sentence(self, folder, raw, damage, compressed):
        file = folder / "cifar10.npz"
        if damage == "labels":
            raw = (raw[0], np.array(3), *raw[2:])
        names = ("x_train", "y_train", "x_test", "y_test", "classes")
        store = np.savez_compressed if compressed else np.savez
        store(file, **dict(zip(names, raw, strict=True)))
        content = bytearray(file.read_bytes())
        match damage:
            case "half":
                content = content[: len(content) // 2]
            case "end":
                content = content[:-100]
            case "flip":
                content[len(content) // 3] ^= 0xFF
            case "pickle":
                content = pickle.dumps({"x_train": 1})
        file.write_bytes(content)
        cifar.read.cache_clear()
        with pytest.raises(UserError, match=r"cifar10.npz (cannot be read|is damaged|holds)"):
            datasets.load("cifar10", 0, str(folder))

    def test_packed_parts(self, folder, raw):
        codec = pytest.importorskip("imagecodecs", reason="the packed form is JPEG XL")
        before = datasets.load("cifar10", 0, str(folder))
        (folder / "cifar10.npz").unlink()
        images = np.concatenate([raw[0], raw[2]])
        order = np.random.default_rng(2).permutation(len(images)).astype(np.uint16)
        # Two mosaics of 8 x 5 tiles; position t of the tiles is image order[t].
        mosaics = images[order].reshape(2, 8, 5, 32, 32, 3).swapaxes(2, 3).reshape(2, 256, 160, 3)
        blobs = [
            np.frombuffer(codec.jpegxl_encode(mosaic, lossless=True), np.uint8)
            for mosaic in np.ascontiguousarray(mosaics)
        ]
        labels = {"order": order, "y_train": raw[1], "y_test": raw[3], "classes": raw[4]}
        np.savez(folder / "cifar10_part0.npz", j00=blobs[0], **labels)
        np.savez(folder / "cifar10_part1.npz", j01=blobs[1])
        cifar.read.cache_clear()
        after = datasets.load("cifar10", 0, str(folder))
        np.testing.assert_array_equal(after.x.pixels, before.x.pixels)
        np.testing.assert_array_equal(after.y, before.y)


class TestErrors:
    @pytest.mark.parametrize("part", [0, 1])
    def test_one_pixel_or_label_changed(self, folder, raw, part):
        changed = raw[part].copy()
        changed.flat[7] += 1
        save(folder, (*raw[:part], changed, *raw[part + 1 :]))
        with pytest.raises(ValueError, match=r"cifar10.npz is damaged: its images are not those"):
            datasets.load("cifar10", 0, str(folder))

    def test_no_archive(self, folder):
        (folder / "cifar10.npz").write_bytes(b"PK but nothing else")
        with pytest.raises(ValueError, match=r"cifar10.npz cannot be read as CIFAR"):
            datasets.load("cifar10", 0, str(folder))

    def test_pickles_are_not_opened(self, folder, tmp_path):
        class Trap:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "trap"),))

        (folder / "cifar10.npz").write_bytes(pickle.dumps(Trap()))
        with pytest.raises(ValueError, match="cannot be read as CIFAR"):
            datasets.load("cifar10", 0, str(folder))
        assert not (tmp_path / "trap").exists()

    def test_other_images(self, folder, raw):
        save(folder, (raw[0][:, :28, :28], *raw[1:]))
        with pytest.raises(ValueError, match=r"uint8 \(60, 28, 28, 3\).*must be uint8 \(n, 32, 32"):
            datasets.load("cifar10", 0, str(folder))

    def test_neither_there_nor_to_be_had(self, folder, monkeypatch):
        def offline(*args, **kwargs):
            raise OSError("no route to host")

        (folder / "cifar10.npz").unlink()
        monkeypatch.setattr("torchvision.datasets.CIFAR10.download", offline)
        with pytest.raises(ValueError, match=r"cannot be downloaded there \(no route to host\)"):
            datasets.load("cifar10", 0, str(folder))


class TestWhereTheyAreLookedFor:
    """torchvision is asked only for a folder that is there, or for the default one."""

    @pytest.fixture(autouse=True)
    def downloads(self, monkeypatch, tmp_path):
        """The folders that torchvision was to download into; its servers are never reached."""
        asked = []

        def offline(cifar10):
            asked.append(Path(cifar10.root))
            raise OSError("no route to host")

        monkeypatch.setattr("torchvision.datasets.CIFAR10.download", offline)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("DROPKIT_DATA", raising=False)
        cifar.read.cache_clear()
        return asked

    @pytest.mark.parametrize("name", ["cifar10", "cifar100", "cifar100-coarse"])
    @pytest.mark.parametrize("way", ["argument", "environment"])
    def test_a_folder_that_is_not_there_is_not_made(
        self, downloads, tmp_path, monkeypatch, name, way
    ):
        typo = tmp_path / "dtaa"
        if way == "environment":
            monkeypatch.setenv("DROPKIT_DATA", str(typo))
        message = f"^there is no folder {typo}: let --data or DROPKIT_DATA name one that has {name}"
        with pytest.raises(ValueError, match=message.removesuffix("-coarse")):
            datasets.load(name, 0, str(typo) if way == "argument" else None)
        assert downloads == [] and not typo.exists()

    def test_a_file_is_no_folder(self, downloads, tmp_path):
        (tmp_path / "cifar10.npz").touch()
        with pytest.raises(ValueError, match=r"^there is no folder .*cifar10\.npz: let --data"):
            datasets.load("cifar10", 0, str(tmp_path / "cifar10.npz"))
        assert downloads == []

    def test_an_empty_folder_is_downloaded_into(self, downloads, tmp_path):
        (tmp_path / "data").mkdir()
        with pytest.raises(ValueError, match="cannot be downloaded there"):
            datasets.load("cifar10", 0, str(tmp_path / "data"))
        assert downloads == [tmp_path / "data"]

    def test_the_default_folder_need_not_be_there(self, downloads, tmp_path):
        with pytest.raises(ValueError, match="cannot be downloaded there"):
            datasets.load("cifar10")
        assert downloads == [tmp_path / "home" / ".cache" / "dropkit-data"]

    def test_on_the_command_line(self, downloads, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("DROPKIT_DATA", "set back by the test")
        folders = ["--data", str(tmp_path / "dtaa"), "--store", str(tmp_path / "store")]
        assert main(["run", "cifar10-mini", "--device", "cpu", *folders]) == 2
        device, error = capsys.readouterr().err.splitlines()
        assert device.startswith("cpu: ")
        assert error.startswith(
            f"dropkit: error: there is no folder {tmp_path / 'dtaa'}: let --data"
        )
        assert downloads == [] and not (tmp_path / "dtaa").exists()


def test_twenty_superclasses_of_five():
    members = [names.split() for names in cifar.SUPERCLASSES.values()]
    assert len(members) == 20 and all(len(names) == 5 for names in members)
    fine = tuple(sorted(name for names in members for name in names))
    assert len(set(fine)) == 100
    labels, classes = cifar.superclasses(np.arange(100), fine)
    assert np.bincount(labels).tolist() == [5] * 20
    for k, name in enumerate(fine):
        assert name in cifar.SUPERCLASSES[classes[labels[k]]].split()


REAL = os.environ.get("DROPKIT_DATA")


@pytest.mark.skipif(not REAL, reason="DROPKIT_DATA names no folder of data sets")
@pytest.mark.parametrize(("name", "classes"), [("cifar10", 10), ("cifar100", 100)])
def test_the_real_sets(name, classes):
    data = datasets.load(name)
    assert data.sizes("train").tolist() == [50_000 // classes] * classes
    assert data.sizes("test").tolist() == data.sizes("val").tolist() == [5_000 // classes] * classes
    scaled = data.x.pixels[data.train] / 255
    np.testing.assert_allclose(scaled.mean((0, 1, 2)), data.x.mean, atol=1e-4)
    np.testing.assert_allclose(scaled.std((0, 1, 2)), data.x.std, atol=1e-4)
