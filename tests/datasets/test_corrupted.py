"""Corrupted test images, against the definitions of Hendrycks and Dietterich, image by image."""

import io

import numpy as np
import pytest
from PIL import Image

from dropkit import datasets
from dropkit.datasets import Data, cifar, corrupted
from dropkit.training import recipes

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(256, size=(3, 32, 32, 3), dtype=np.uint8)


def test_noise_has_its_deviation_and_is_the_same_each_time():
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    found = corrupted.noise(grey)
    assert (found.astype(float) / 255).std() == pytest.approx(0.1, rel=0.02)
    assert found.mean() == pytest.approx(127.5, abs=0.5)  # halves are cut off
    np.testing.assert_array_equal(found, corrupted.noise(grey))


def test_blur_is_a_sum_over_neighbours():
    offsets = np.arange(-4, 5)
    weights = np.exp(-(offsets**2) / 2)
    weights /= weights.sum()
    edge = np.pad(PIXELS[0] / 255, [(4, 4), (4, 4), (0, 0)], mode="edge")
    rows = sum(w * edge[4 + o : 36 + o] for w, o in zip(weights, offsets, strict=True))
    both = sum(w * rows[:, 4 + o : 36 + o] for w, o in zip(weights, offsets, strict=True))
    found = corrupted.blur(PIXELS)[0].astype(int)
    assert np.abs(found - np.floor(255 * both)).max() <= 1  # where rounding meets a whole number


def test_contrast_keeps_the_mean_and_a_part_of_the_rest():
    found = corrupted.contrast(PIXELS)
    for before, after in zip(PIXELS, found, strict=True):
        for channel in range(3):
            mean = before[..., channel].mean()
            wanted = mean + 0.15 * (before[..., channel] - mean)
            assert np.abs(after[..., channel] - wanted).max() < 1.001


def test_jpeg_is_what_a_reader_of_such_a_file_sees():
    file = io.BytesIO()
    Image.fromarray(PIXELS[1]).save(file, "JPEG", quality=40)
    np.testing.assert_array_equal(corrupted.jpeg(PIXELS)[1], np.asarray(Image.open(file)))


def test_pixelated_images_have_twenty_rows_and_columns():
    found = corrupted.pixelate(PIXELS)
    assert found.shape == PIXELS.shape
    for image in found:
        assert len(np.unique(image, axis=0)) == len(np.unique(image, axis=1)[0]) == 20


@pytest.fixture
def data(monkeypatch):
    rng = np.random.default_rng(1)
    pixels, y = rng.integers(256, size=(12, 32, 32, 3), dtype=np.uint8), np.arange(12) % 2
    splits = np.arange(6), np.array([6, 7, 10]), np.array([8, 9, 11])
    images = datasets.Images(pixels, *cifar.NORMALISATION["cifar100"])
    monkeypatch.setattr(cifar, "read", lambda name, root: (images, y, splits, ("a", "b")))
    return images, y, splits


def test_only_the_test_is_corrupted(data):
    images, y, (train, val, test) = data
    found = datasets.load("cifar100c")
    np.testing.assert_array_equal(found.x.pixels[found.train], images.pixels[train])
    np.testing.assert_array_equal(found.x.pixels[found.val], images.pixels[val])
    np.testing.assert_array_equal(found.y[found.val], y[val])
    for kind, corrupt in corrupted.KINDS.items():
        part = corrupted.only(kind, found)
        np.testing.assert_array_equal(part.x.pixels[part.test], corrupt(images.pixels[test]))
        np.testing.assert_array_equal(part.y[part.test], y[test])
    found.sound()


def test_features_are_tested_on_each_kind_alone(monkeypatch):
    rows = np.arange(13)
    whole = Data(rows[:, None] * 1.0, rows % 2, rows[:2], rows[2:3], rows[3:], ("a", "b"))
    monkeypatch.setattr("dropkit.datasets.features.load", lambda name, root: whole)
    tests = {kind: datasets.load(f"cifar100c-{kind}-features").test for kind in corrupted.KINDS}
    assert np.concatenate(list(tests.values())).tolist() == rows[3:].tolist()
    assert {len(test) for test in tests.values()} == {2}
    assert all(f"cifar100c-{kind}-features" in recipes.DEFAULTS for kind in tests)


def test_missing_features_say_how_they_are_made(tmp_path):
    with pytest.raises(ValueError, match="`dropkit features cifar100c`"):
        datasets.load("cifar100c-blur-features", root=str(tmp_path))
