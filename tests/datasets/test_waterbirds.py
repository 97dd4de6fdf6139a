"""Waterbirds from small folders in the published format, against torchvision's own transform."""

import csv
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.models import resnet50

from dropkit import study
from dropkit.datasets import decode, load, version, waterbirds
from dropkit.store import Store
from dropkit.training import Recipe
from tests.folders import copied

FOLDER = "waterbird_complete95_forest2water2"
HEADER = ["img_id", "img_filename", "y", "split", "place", "place_filename"]
# Label, split and place of each row; every group in every split, one of them twice.
CODES = [(y, split, place) for split in (2, 0, 1) for y in (1, 0) for place in (0, 1)] + [(1, 0, 1)]
SIZES = [(500, 375), (300, 451), (120, 160), (224, 224), (257, 640)]


def row(i, code):
    y, split, place = code
    background = ["/b/bamboo_forest/00001.jpg", "/l/lake/natural/00002.jpg"][place]
    return [f"{i + 1}", f"{i % 2 + 1:03}.Some_Bird/Bird_{i:04}.jpg", y, split, place, background]


def write_table(root, rows, header=HEADER):
    with open(root / FOLDER / "metadata.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def write_image(file, seed):
    noise = np.random.default_rng(seed)
    mode, shape = ("L", (12, 16)) if seed % 5 == 4 else ("RGB", (12, 16, 3))
    coarse = Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8), mode=None)
    assert coarse.mode == mode
    file.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize(SIZES[seed % len(SIZES)], Image.Resampling.BICUBIC).save(file)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    rows = [row(i, code) for i, code in enumerate(CODES)]
    for i, fields in enumerate(rows):
        write_image(root / FOLDER / fields[1], i)
    write_table(root, rows)
    return root


@pytest.fixture
def root(published, tmp_path, monkeypatch):
    return copied(published, tmp_path, monkeypatch, waterbirds)


def expected_images(root):
    steps = [transforms.Resize((256, 256)), transforms.CenterCrop(224), transforms.PILToTensor()]
    transform = transforms.Compose(steps)
    images = []
    for i, code in enumerate(CODES):
        with Image.open(root / FOLDER / row(i, code)[1]) as image:
            images.append(transform(image.convert("RGB")).numpy())
    return np.stack(images)


class Decoder:
    """The decoder, counting the files it is asked for."""

    def __init__(self, monkeypatch):
        self.files, self.inner = [], decode._decoded
        monkeypatch.setattr(decode, "_decoded", self)

    def __call__(self, file, *how):
        self.files.append(file.name)
        return self.inner(file, *how)


class TestLoad:
    def test_images_are_those_of_the_published_transform(self, root):
        data = load("waterbirds", root=str(root))
        assert isinstance(data.x.pixels, np.memmap)
        np.testing.assert_array_equal(data.x[:], expected_images(root))

    def test_labels_groups_and_splits(self, root):
        data = load("waterbirds", root=str(root))
        names = {
            (0, 0): "landbird on land",
            (0, 1): "landbird on water",
            (1, 0): "waterbird on land",
            (1, 1): "waterbird on water",
        }
        assert [data.classes[k] for k in data.y] == [
            ["landbird", "waterbird"][y] for y, _, _ in CODES
        ]
        assert [data.group_names[g] for g in data.groups] == [names[y, p] for y, _, p in CODES]
        for code, split in enumerate((data.train, data.val, data.test)):
            assert split.tolist() == [i for i, (_, s, _) in enumerate(CODES) if s == code]
        assert data.sizes("train").tolist() == [1, 1, 1, 2]

    def test_columns_may_be_in_any_order(self, root):
        order = [3, 5, 1, 0, 4, 2]
        rows = [row(i, code) for i, code in enumerate(CODES)]
        before = load("waterbirds", root=str(root))
        write_table(root, [[r[c] for c in order] for r in rows], [HEADER[c] for c in order])
        after = load("waterbirds", root=str(root))
        assert after.groups.tolist() == before.groups.tolist()
        assert after.test.tolist() == before.test.tolist()

    def test_version_is_the_checksum_of_the_table(self, root):
        content = (root / FOLDER / "metadata.csv").read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        assert version("waterbirds", root=str(root)) == f"metadata.csv {digest[:16]}"

    def test_root_from_the_environment(self, root, monkeypatch):
        monkeypatch.setenv("DROPKIT_DATA", str(root))
        assert len(load("waterbirds").y) == len(CODES)


class TestCache:
    def test_images_are_decoded_once(self, root, monkeypatch):
        first = load("waterbirds", root=str(root)).x[:]
        decoder = Decoder(monkeypatch)
        for fields in map(row, range(len(CODES)), CODES):
            (root / FOLDER / fields[1]).unlink()
        np.testing.assert_array_equal(load("waterbirds", root=str(root)).x[:], first)
        assert not decoder.files

    def test_another_table_has_a_cache_of_its_own(self, root, tmp_path):
        load("waterbirds", root=str(root))
        write_table(root, [row(i, code) for i, code in enumerate(CODES)][::-1])
        np.testing.assert_array_equal(
            load("waterbirds", root=str(root)).x[:], expected_images(root)[::-1]
        )
        assert len(list((tmp_path / "cache").glob("*.npy"))) == 2

    @pytest.mark.parametrize("torn", [0, 1, 1000])
    def test_an_interrupted_run_goes_on(self, root, tmp_path, monkeypatch, torn):
        monkeypatch.setattr(decode, "_BATCH", 3)
        expected = expected_images(root)
        bad = root / FOLDER / row(7, CODES[7])[1]
        kept = bad.read_bytes()
        bad.write_bytes(kept[:500])
        with pytest.raises(ValueError, match="Bird_0007.jpg cannot be decoded"):
            load("waterbirds", root=str(root))
        bad.write_bytes(kept)
        (part,) = (tmp_path / "cache").glob("*.part")
        os.truncate(part, part.stat().st_size - torn)
        decoder = Decoder(monkeypatch)
        np.testing.assert_array_equal(load("waterbirds", root=str(root)).x[:], expected)
        names = [Path(row(i, code)[1]).name for i, code in enumerate(CODES)]
        assert decoder.files == [names[7], *[names[-1]] * (torn > 0)]
        assert not list((tmp_path / "cache").glob("*.count"))

    def test_all_that_cannot_be_decoded_is_named_and_the_rest_decoded(self, root, monkeypatch):
        monkeypatch.setattr(decode, "_BATCH", 3)
        expected = expected_images(root)
        files = [root / FOLDER / row(i, code)[1] for i, code in enumerate(CODES)]
        kept = {file: file.read_bytes() for file in (files[1], files[7])}
        for file in kept:
            file.write_bytes(b"<html>")
        sentence = f"2 of {len(CODES)} images cannot be decoded, the others are: .*0001.*; .*0007"
        with pytest.raises(ValueError, match=sentence):
            load("waterbirds", root=str(root))
        files[7].write_bytes(kept[files[7]])
        decoder = Decoder(monkeypatch)
        with pytest.raises(ValueError, match=r"^the image .*0001.jpg cannot be decoded"):
            load("waterbirds", root=str(root))
        files[1].write_bytes(kept[files[1]])
        np.testing.assert_array_equal(load("waterbirds", root=str(root)).x[:], expected)
        assert decoder.files == [files[1].name, files[7].name, files[1].name]

    def test_what_another_program_left_is_not_continued(self, root, tmp_path):
        table = waterbirds.read(root)
        cache = tmp_path / "cache"
        cache.mkdir()
        size = 5 * 3 * 224 * 224
        (cache / f"waterbirds-{table.sha256[:16]}-224x224x3.part").write_bytes(bytes(size))
        np.testing.assert_array_equal(waterbirds.images(table)[:], expected_images(root))

    @pytest.mark.parametrize("counted", [None, "3", "", "x"])
    def test_zeros_of_a_loss_of_power_are_no_images(self, root, tmp_path, monkeypatch, counted):
        """A file may have its length, and zeros where what was written had not reached the disk."""
        table, cache = waterbirds.read(root), tmp_path / "cache"
        expected, size = expected_images(root), 3 * 224 * 224
        waterbirds.images(table)
        (whole,) = cache.glob("*.npy")
        part, content = whole.with_suffix(".part"), bytearray(whole.read_bytes())
        start = len(content) - len(CODES) * size + 3 * size
        content[start:] = bytes(len(content) - start)
        whole.unlink()
        part.write_bytes(content)
        if counted is not None:
            part.with_suffix(".count").write_text(counted)
        decoder = Decoder(monkeypatch)
        np.testing.assert_array_equal(waterbirds.images(table)[:], expected)
        assert len(decoder.files) == len(CODES) - (3 if counted == "3" else 0)

    def test_of_several_at_once_one_decodes(self, root, monkeypatch):
        monkeypatch.setattr(decode, "_BATCH", 2)
        table, decoder = waterbirds.read(root), Decoder(monkeypatch)
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda _: waterbirds.images(table), range(3)))
        assert len(decoder.files) == len(CODES)
        for each in found:
            np.testing.assert_array_equal(each[:], expected_images(root))

    def test_default(self, monkeypatch, tmp_path):
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path))
        assert decode.default_cache() == tmp_path
        monkeypatch.delenv("DROPKIT_IMAGES")
        assert decode.default_cache() == Path.home() / ".cache" / "dropkit-images"

    @pytest.mark.parametrize("content", [b"", b"no numbers", None])
    def test_damaged(self, root, tmp_path, content):
        load("waterbirds", root=str(root))
        (file,) = (tmp_path / "cache").glob("*.npy")
        file.write_bytes(file.read_bytes()[:-1] if content is None else content)
        with pytest.raises(ValueError, match=r"waterbirds-\w+-224x224x3.npy are damaged: d"):
            load("waterbirds", root=str(root))

    def test_other_images(self, root, tmp_path):
        load("waterbirds", root=str(root))
        (file,) = (tmp_path / "cache").glob("*.npy")
        np.save(file, np.zeros((2, 3, 4, 4)))
        with pytest.raises(ValueError, match=r"other images \(float64 \(2, 3, 4, 4\)\): delete it"):
            load("waterbirds", root=str(root))

    def test_cannot_be_written(self, root, tmp_path, monkeypatch):
        (tmp_path / "file").touch()
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path / "file"))
        with pytest.raises(ValueError, match="decoded images cannot be kept in"):
            load("waterbirds", root=str(root))


def changed(column, value, line=5):
    """The published rows with one field changed, and the table's header."""
    rows = [[str(field) for field in row(i, code)] for i, code in enumerate(CODES)]
    rows[line - 2][HEADER.index(column)] = value
    return HEADER, rows


class TestTable:
    @pytest.mark.parametrize(
        ("column", "value", "problem"),
        [
            ("y", "2", "line 5: y is '2', expected 0 or 1"),
            ("y", "", "line 5: y is '', expected 0 or 1"),
            ("y", "0.0", "line 5: y is '0.0', expected 0 or 1"),
            ("place", "-1", "line 5: place is '-1', expected 0 or 1"),
            ("place", "01", "line 5: place is '01', expected 0 or 1"),
            ("split", "3", "line 5: split is '3', expected 0 or 1 or 2"),
            ("split", "train", "line 5: split is 'train', expected 0 or 1 or 2"),
            ("img_filename", "../a.jpg", "line 5: img_filename '../a.jpg' is no path inside"),
            ("img_filename", "b/../../a.jpg", "line 5: img_filename 'b/../../a.jpg' is no path"),
            ("img_filename", "/etc/passwd", "line 5: img_filename '/etc/passwd' is no path"),
            ("img_filename", r"C:\a.jpg", r"line 5: img_filename 'C:\\a.jpg' is no path"),
            ("img_filename", r"..\a.jpg", r"line 5: img_filename '..\\a.jpg' is no path"),
            ("img_filename", "", "line 5: img_filename '' is no path inside"),
        ],
    )
    def test_bad_value(self, root, column, value, problem):
        header, rows = changed(column, value)
        write_table(root, rows, header)
        with pytest.raises(ValueError) as caught:
            load("waterbirds", root=str(root))
        assert problem in str(caught.value)

    def test_a_picture_twice(self, root):
        header, rows = changed("split", "2")
        rows[3][HEADER.index("img_filename")] = rows[0][HEADER.index("img_filename")]
        write_table(root, rows, header)
        with pytest.raises(ValueError, match=r"line 5: '.*' is in line 2 too"):
            load("waterbirds", root=str(root))

    @pytest.mark.parametrize(
        "header",
        [HEADER[:-1], [*HEADER, "species"], [*HEADER[:-1], "background"], [*HEADER[:-1], "y"], []],
    )
    def test_other_columns(self, root, header):
        write_table(root, [], header)
        named = ", ".join(header) or r"\(none\)"
        with pytest.raises(ValueError, match=f"has the columns {named}: they must be img_id, img_"):
            load("waterbirds", root=str(root))

    def test_short_row(self, root):
        header, rows = changed("y", "0")
        rows[3].pop()
        write_table(root, rows, header)
        with pytest.raises(ValueError, match="line 5: 5 fields, expected 6"):
            load("waterbirds", root=str(root))

    @pytest.mark.parametrize(
        ("split", "name"), [(0, "training"), (1, "validation"), (2, "test"), (None, "training")]
    )
    def test_split_without_rows(self, root, split, name):
        rows = [row(i, code) for i, code in enumerate(CODES) if split not in (code[1], None)]
        write_table(root, rows)
        with pytest.raises(ValueError, match=f"no row with split {split or 0}, so no {name} samp"):
            load("waterbirds", root=str(root))

    def test_no_text(self, root):
        (root / FOLDER / "metadata.csv").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match="metadata.csv is no table of comma-separated text"):
            load("waterbirds", root=str(root))

    def test_empty_file(self, root):
        (root / FOLDER / "metadata.csv").write_bytes(b"")
        with pytest.raises(ValueError, match=r"has the columns \(none\): they must be"):
            load("waterbirds", root=str(root))

    def test_no_folder(self, tmp_path):
        with pytest.raises(ValueError, match=f"waterbirds needs .*{FOLDER}/metadata.csv: No such"):
            load("waterbirds", root=str(tmp_path))


class TestImages:
    def test_missing(self, root, tmp_path):
        (root / FOLDER / row(4, CODES[4])[1]).unlink()
        with pytest.raises(ValueError, match="the image .*Bird_0004.jpg is missing"):
            load("waterbirds", root=str(root))
        assert not list((tmp_path / "cache").glob("*.part"))  # found before anything is decoded

    def test_truncated(self, root):
        file = root / FOLDER / row(4, CODES[4])[1]
        file.write_bytes(file.read_bytes()[:-200])
        with pytest.raises(ValueError, match=r"Bird_0004.jpg cannot be decoded: .*trunc"):
            load("waterbirds", root=str(root))

    @pytest.mark.parametrize("content", [b"", b"GIF89a", b"<html>"])
    def test_no_image(self, root, content):
        (root / FOLDER / row(0, CODES[0])[1]).write_bytes(content)
        with pytest.raises(ValueError, match="the image .*Bird_0000.jpg cannot be decoded"):
            load("waterbirds", root=str(root))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file in the form of torchvision's pretrained ResNet-50."""
    torch.manual_seed(0)
    file = tmp_path / "resnet50.pth"
    torch.save(resnet50().state_dict(), file)
    monkeypatch.setenv("DROPKIT_RESNET50", str(file))
    return file


def test_a_study_on_the_folder(root, weights, tmp_path, monkeypatch):
    """From JPEG files to records of four groups: query, quotas, ResNet-50, test split."""
    monkeypatch.setenv("DROPKIT_DATA", str(root))

    def grid():
        return study.grid(
            "waterbirds", protocols=["random+drop", "full+cdbw"], densities=[0.8], seeds=[0],
            recipe=Recipe(1, 4, 1e-4, 1e-4, drops=()), initialisations=1, smoothing=1.0,
        )  # fmt: skip

    digests = [
        hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for file in (root / FOLDER / "metadata.csv", weights)
    ]
    records = study.run(grid(), store=Store(tmp_path / "store"))
    for record, kept in zip(records, (4, 5), strict=True):
        assert record["trial"]["model"] == "resnet50-imagenet"
        assert record["trial"]["inputs"] == "metadata.csv {}; weights {}".format(*digests)
        assert record["class_sizes"] == [1, 1, 1, 2] and record["test_sizes"] == [1, 1, 1, 1]
        assert sum(record["kept"]) == kept
        assert set(record["recalls"]) <= {0.0, 1.0}  # of one test image a group
    # Another draw of the data, or other weights, are other trials.
    before = {trial.key for trial in grid()}
    write_table(root, [row(i, code) for i, code in enumerate(CODES)][::-1])
    assert before.isdisjoint(trial.key for trial in grid())
