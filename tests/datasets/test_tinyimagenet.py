"""TinyImageNet from small folders in the published format."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dropkit import datasets
from dropkit.datasets import decode, tinyimagenet
from tests.folders import copied

WORDS = {
    "n02124075": "Egyptian cat",
    "n01443537": "goldfish, Carassius auratus",
    "n02012849": "crane",
    "n03126707": "crane",
}
KEYS = list(WORDS)  # not in their order
COUNTS = {"CLASSES": 4, "TRAINING": 6, "VALIDATION": 5}
TRAINING = COUNTS["TRAINING"]


def write_image(file, number, size=(64, 64)):
    """A JPEG file of one colour, so that decoding changes it by little; every fourth is grey."""
    colour = (40 * (number % 6), 30 * (number % 7), 25 * (number % 9))
    image = Image.new("RGB", size, colour)
    file.parent.mkdir(parents=True, exist_ok=True)
    (image.convert("L") if number % 4 == 0 else image).save(file, quality=95)


def expected_colour(number):
    red, green, blue = 40 * (number % 6), 30 * (number % 7), 25 * (number % 9)
    if number % 4:
        return red, green, blue
    return (0.299 * red + 0.587 * green + 0.114 * blue,) * 3  # ITU-R 601


def training_number(k, i):
    return 100 * k + i


def write(root):
    """The published folder, with less in it."""
    folder = root / "tiny-imagenet-200"
    for k, key in enumerate(KEYS):
        boxes = []
        for i in range(TRAINING):
            write_image(
                folder / "train" / key / "images" / f"{key}_{i}.JPEG", training_number(k, i)
            )
            boxes.append(f"{key}_{i}.JPEG\t0\t10\t63\t58\n")
        (folder / "train" / key / f"{key}_boxes.txt").write_text("".join(boxes))
    rows = []
    for i in range(COUNTS["VALIDATION"] * len(KEYS)):
        write_image(folder / "val" / "images" / f"val_{i}.JPEG", i)
        rows.append(f"val_{i}.JPEG\t{KEYS[i % len(KEYS)]}\t0\t32\t44\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(rows))
    write_image(folder / "test" / "images" / "test_0.JPEG", 0)
    (folder / "wnids.txt").write_text("\n".join(KEYS))
    words = {"n00001740": "entity"} | WORDS
    (folder / "words.txt").write_text("".join(f"{key}\t{name}\n" for key, name in words.items()))


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    write(root)
    return root


@pytest.fixture
def root(published, tmp_path, monkeypatch):
    return copied(published, tmp_path, monkeypatch, tinyimagenet, **COUNTS)


@pytest.fixture
def folder(root):
    return root / "tiny-imagenet-200"


def load(root):
    return datasets.load("tinyimagenet", root=str(root))


class TestLoad:
    def test_every_image_has_its_label_and_its_pixels(self, root):
        data = load(root)
        listing = tinyimagenet.read(str(root))
        assert data.x.shape == (44, 3, 64, 64) and data.in_shape == (3, 64, 64)
        for name, label, image in zip(listing.names, data.y, data.x[:], strict=True):
            number = int(name.rpartition("_")[2].removesuffix(".JPEG"))
            key = KEYS[number % 4]
            if name.startswith("train"):
                key = name.split("/")[1]
                number = training_number(KEYS.index(key), number)
            assert data.classes[label].startswith(WORDS[key].split(",")[0])
            for channel, value in zip(image, expected_colour(number), strict=True):
                assert np.abs(channel.astype(float) - value).max() <= 3  # JPEG

    def test_class_names_are_first_words_and_tell_classes_apart(self, root):
        names = ("goldfish", "crane (n02012849)", "Egyptian cat", "crane (n03126707)")
        assert load(root).classes == names  # in the order of the identifiers

    def test_classes_without_words_keep_their_identifiers(self, root, folder):
        (folder / "words.txt").write_text("n02012849\tcrane\n")
        assert load(root).classes == ("n01443537", "crane", "n02124075", "n03126707")

    def test_hidden_files_are_no_images(self, root, folder):
        (folder / "train" / KEYS[0] / "images" / f"._{KEYS[0]}_0.JPEG").write_bytes(b"AppleDouble")
        assert load(root).sizes("train").tolist() == [TRAINING] * 4

    def test_numbers_of_the_published_set(self):
        # Le & Yang (2015): 200 classes of 500 training and 50 validation images.
        assert (tinyimagenet.CLASSES, tinyimagenet.TRAINING) == (200, 500)
        assert tinyimagenet.VALIDATION == 50


def replaced(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


class TestDamage:
    def test_no_folder(self, tmp_path):
        with pytest.raises(ValueError, match="classes of TinyImageNet are looked for in .*train: "):
            load(tmp_path)

    @pytest.mark.parametrize(
        ("gone", "problem"),
        [
            ("wnids.txt", "wnids.txt cannot be read: No such file"),
            ("val/val_annotations.txt", "val_annotations.txt cannot be read: No such file"),
            ("val/images", "validation images are looked for in .*val/images: No such file"),
            (f"train/{KEYS[2]}", f"not one folder for each line of wnids.txt, see '{KEYS[2]}'"),
            (f"train/{KEYS[2]}/images", f"training images are looked for in .*{KEYS[2]}/images: "),
            (
                f"train/{KEYS[2]}/images/{KEYS[2]}_3.JPEG",
                f"has 5 training images of {KEYS[2]}, TinyImageNet has 6: unpack",
            ),
            (
                "val/images/val_7.JPEG",
                "val_annotations.txt, line 8: there is no image 'val_7.JPEG'",
            ),
        ],
    )
    def test_missing(self, root, folder, gone, problem):
        path = folder / gone
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        with pytest.raises(ValueError, match=problem):
            load(root)

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("val_3.JPEG\tn03126707", "val_3.JPEG\tn09999999", "line 4: 'n09999999' is no class"),
            ("val_3.JPEG\tn03126707", "val_3.JPEG\tgoldfish", "line 4: 'goldfish' is no class of"),
            ("val_3.JPEG\t", "val_3.JPEG ", "line 4: '0' is no class of wnids.txt"),
            ("val_3.JPEG\tn03126707\t0\t32\t44\t62", "val_3.JPEG", "line 4: expected 2 fields"),
            ("val_3.JPEG\t", "\t", "line 4: expected 2 fields or more"),
            ("val_3.JPEG", "../../../secret.JPEG", "line 4: there is no image '../../../secret"),
            ("val_3.JPEG", "/etc/passwd", "line 4: there is no image '/etc/passwd'"),
            ("val_3.JPEG", "val_2.JPEG", "line 4: 'val_2.JPEG' is named twice"),
            ("val_3.JPEG\tn03126707", "val_3.JPEG\tn02012849", "has 6 validation images of n020"),
        ],
    )
    def test_bad_annotation(self, root, folder, old, new, problem):
        replaced(folder / "val" / "val_annotations.txt", old, new)
        with pytest.raises(ValueError, match=problem):
            load(root)

    def test_annotations_cut_short(self, root, folder):
        file = folder / "val" / "val_annotations.txt"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
        with pytest.raises(
            ValueError, match="has 4 validation images of n03126707, TinyImageNet h"
        ):
            load(root)

    @pytest.mark.parametrize("name", ["wnids.txt", "val/val_annotations.txt"])
    @pytest.mark.parametrize(
        ("content", "problem"), [(b"", "is empty: unpack"), (b"\xff\xfe", "is no text in UTF-8")]
    )
    def test_lists_of_nothing(self, root, folder, name, content, problem):
        (folder / name).write_bytes(content)
        with pytest.raises(ValueError, match=problem):
            load(root)

    def test_words_that_are_no_text(self, root, folder):
        (folder / "words.txt").write_bytes(b"\xff\xfe")
        with pytest.raises(ValueError, match="words.txt is no text in UTF-8"):
            load(root)

    @pytest.mark.parametrize("line", ["n01443537", "n00001740", "../../secret"])
    def test_class_list(self, root, folder, line):
        """A class twice, one without a folder, and a way out of the folder."""
        replaced(folder / "wnids.txt", "n02124075", line)
        with pytest.raises(ValueError, match="has not one folder for each line of wnids.txt, see"):
            load(root)

    def test_another_number_of_classes(self, root, monkeypatch):
        monkeypatch.setattr(tinyimagenet, "CLASSES", 200)
        with pytest.raises(ValueError, match="has 4 classes, TinyImageNet has 200"):
            load(root)

    def test_another_size(self, root, folder):
        write_image(folder / "val" / "images" / "val_5.JPEG", 5, size=(64, 48))
        with pytest.raises(ValueError, match="val_5.JPEG has 64 x 48 pixels, not 64 x 64"):
            load(root)


class TestCache:
    def test_too_little_space_is_said_before_anything_is_decoded(self, root, tmp_path, monkeypatch):
        usage = shutil._ntuple_diskusage(10**9, 10**9 - 500_000, 500_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
        monkeypatch.setattr(decode, "_decoded", None)
        message = (
            f"decoded images take 0.000541 GB more and {tmp_path / 'cache'} has 0.0005 GB free: "
            "let DROPKIT_IMAGES name a folder on a larger disk"
        )
        with pytest.raises(ValueError) as caught:  # 44 images of 64 x 64 x 3 bytes
            load(root)
        assert str(caught.value) == message

    def test_space_for_what_is_left_is_enough(self, root, monkeypatch):
        monkeypatch.setattr(decode, "_BATCH", 4)
        inner, seen = decode._decoded, []

        def some(file, *how):
            if len(seen) == 40:
                raise KeyboardInterrupt
            seen.append(file)
            return inner(file, *how)

        monkeypatch.setattr(decode, "_decoded", some)
        with pytest.raises(KeyboardInterrupt):
            load(root)
        free = shutil._ntuple_diskusage(10**9, 10**9, 4 * 64 * 64 * 3)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
        monkeypatch.setattr(decode, "_decoded", inner)
        assert len(load(root).x) == 44

    def test_other_names_are_another_cache(self, root, folder, tmp_path):
        load(root)
        file = folder / "val" / "images" / "val_3.JPEG"
        file.rename(file.with_name("val_99.JPEG"))
        replaced(folder / "val" / "val_annotations.txt", "val_3.JPEG", "val_99.JPEG")
        tinyimagenet.read.cache_clear()
        load(root)
        assert len(list((tmp_path / "cache").glob("*.npy"))) == 2
