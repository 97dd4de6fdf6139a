"""ImageNet from small folders in the layout of torchvision's ImageFolder."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st
from PIL import Image
from torchvision import transforms
from torchvision.datasets import ImageFolder

from dropkit import datasets, training
from dropkit.datasets import Images, decode, imagenet
from dropkit.training import Recipe
from tests.folders import copied

KEYS = ["n01440764", "n01443537", "n02012849"]
SIZES = [(500, 375), (333, 500), (300, 257), (120, 90), (224, 224), (256, 640)]
COUNTS = {"CLASSES": 3, "TRAINING": 13, "VALIDATION": 12}  # in all

PUBLISHED = transforms.Compose(
    [transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()]
)


def write_image(file, seed, size=None):
    noise = np.random.default_rng(seed)
    coarse = Image.fromarray(noise.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    image = coarse.resize(size or SIZES[seed % len(SIZES)], Image.Resampling.BICUBIC)
    file.parent.mkdir(parents=True, exist_ok=True)
    # ILSVRC 2012 has grey images, some of other colours than RGB, and a PNG called JPEG.
    image = image.convert({4: "L", 5: "CMYK"}.get(seed % 7, "RGB"))
    image.save(file, "PNG" if seed == 6 else "JPEG")


def write(root):
    """Folders of classes, with fewer images than the published ones."""
    for i in range(COUNTS["TRAINING"]):
        key = KEYS[min(i % 4, 2)]  # classes of 4, 3 and 6 images
        write_image(root / "imagenet" / "train" / key / f"{key}_{i}.JPEG", i)
    for i in range(COUNTS["VALIDATION"]):
        name = f"ILSVRC2012_val_{i + 1:08}.JPEG"
        write_image(root / "imagenet" / "val" / KEYS[i % 3] / name, 50 + i)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    write(root)
    return root


@pytest.fixture
def root(published, tmp_path, monkeypatch):
    return copied(published, tmp_path, monkeypatch, imagenet, **COUNTS)


def load(root):
    return datasets.load("imagenet", root=str(root))


class TestLoad:
    def test_images_are_those_of_torchvision(self, root):
        """Its folders, its labels, its transform."""
        data, listing = load(root), imagenet.read(str(root))
        place = {name: i for i, name in enumerate(listing.names)}
        assert isinstance(data.x.pixels, np.memmap)
        for half in ("train", "val"):
            for file, label in ImageFolder(root / "imagenet" / half).samples:
                i = place.pop(file.removeprefix(str(root / "imagenet") + "/"))
                assert data.y[i] == label
                with Image.open(file) as image:
                    expected = PUBLISHED(image.convert("RGB")).numpy()
                np.testing.assert_array_equal(data.x[i], expected)
        assert not place

    @settings(max_examples=60)
    @given(st.integers(1, 700), st.integers(1, 700))
    def test_any_aspect(self, width, height):
        """By Pillow alone: the shorter side becomes 256 pixels, the square in the middle stays."""
        assume(max(width, height) <= 4 * min(width, height))  # others take long to resize
        image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
        image.save(file := io.BytesIO(), "PNG")
        size = [256 * side // min(image.size) for side in image.size]
        left, top = (round((side - 224) / 2) for side in size)
        square = (left, top, left + 224, top + 224)
        expected = image.resize(size, Image.Resampling.BILINEAR).crop(square)
        found = decode._decoded(file, [imagenet.SHORT], imagenet.SIDE)
        assert found == expected.tobytes()

    def test_names_of_classes(self, root):
        assert imagenet.read(str(root)).classes == tuple(KEYS)

    @pytest.mark.parametrize(
        ("file", "separator"), [("LOC_synset_mapping.txt", " "), ("words.txt", "\t")]
    )
    def test_names_of_classes_from_a_file(self, root, file, separator):
        lines = [
            f"{key}{separator}{words}\n"
            for key, words in zip(KEYS, ("tench, Tinca tinca", "goldfish", "crane"), strict=True)
        ]
        (root / "imagenet" / file).write_text("".join(lines))
        assert imagenet.read(str(root)).classes == ("tench", "goldfish", "crane")

    def test_numbers_of_the_published_set(self):
        # Russakovsky et al. (2015), Table 2: 1000 classes, 1,281,167 and 50,000 images.
        assert imagenet.CLASSES == 1000
        assert (imagenet.TRAINING, imagenet.VALIDATION) == (1_281_167, 50_000)


class TestDamage:
    @pytest.mark.parametrize("half", ["train", "val"])
    def test_no_folder(self, root, half):
        shutil.rmtree(root / "imagenet" / half)
        with pytest.raises(
            ValueError, match=f"classes of ImageNet are looked for in .*/{half}: No"
        ):
            load(root)

    def test_validation_images_without_folders(self, root):
        """As they are unpacked from the published archive."""
        for file in (root / "imagenet" / "val").glob("*/*"):
            file.rename(root / "imagenet" / "val" / file.name)
        for empty in (root / "imagenet" / "val").glob("n*"):
            empty.rmdir()
        with pytest.raises(ValueError, match="val has no folders: each class must have one of its"):
            load(root)

    def test_a_class_without_validation_images(self, root):
        shutil.rmtree(root / "imagenet" / "val" / KEYS[1])
        with pytest.raises(ValueError, match=f"images of {KEYS[1]} in only one of train and val"):
            load(root)

    def test_fewer_images_than_there_should_be(self, root):
        (root / "imagenet" / "train" / KEYS[0] / f"{KEYS[0]}_0.JPEG").unlink()
        message = "has 3 classes, 12 training and 12 validation images; ImageNet has 3, 13 and 12"
        with pytest.raises(ValueError, match=message):
            load(root)

    def test_the_whole_set_asks_for_its_space_first(self, tmp_path, monkeypatch):
        """1,331,167 images of 150,528 bytes, on a disk of 193 GB."""
        count = imagenet.TRAINING + imagenet.VALIDATION
        monkeypatch.setenv("DROPKIT_IMAGES", str(tmp_path / "cache"))
        monkeypatch.setattr("os.path.isfile", lambda file: True)
        monkeypatch.setattr(
            shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, 193 * 10**9)
        )
        with pytest.raises(
            ValueError, match="take 200 GB more and .* has 193 GB free: let DROPKIT"
        ):
            decode.decoded("x", tmp_path, ["x"] * count, None, 224)


def test_training_from_disk_is_that_from_memory(root):
    """Shifted and flipped images, a batch at a time, to the last bit."""
    data = load(root)
    held = Images(np.array(data.x.pixels), data.x.mean, data.x.std)
    recipe = Recipe(2, 5, 0.01, 1e-4, augment=True)
    networks = [
        training.train("mini", x, data.y, data.train, recipe, seeds=[3], num_classes=3)
        for x in (data.x, held)
    ]
    for one, other in zip(*(stack.parameters() for stack in networks), strict=True):
        assert torch.equal(one, other)


def test_the_page_says_how_much_disk_decoded_images_take():
    """Three bytes a pixel; Waterbirds has 11,788 images (Sagawa et al., 2020)."""
    sizes = {
        "TinyImageNet": (110_000, 64),
        "Waterbirds": (11_788, 224),
        "ImageNet": (1_331_167, 224),
    }
    page = Path(__file__).parents[2] / "book" / "howto" / "add-data.md"
    for name, (count, side) in sizes.items():
        gigabytes = 3 * count * side**2 / 1e9
        stated = f"{gigabytes:.0f}" if gigabytes > 10 else f"{gigabytes:.1f}"
        assert f"{stated} GB for {name}" in page.read_text()
