"""Painted digits against windows found in the photographs, draws against the published shares."""

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_image

from dropkit.datasets import digits as backgrounds, load
from tests import elsewhere

FILES = ["china.jpg", "flower.jpg"]
SPLITS = ["train", "val", "test"]
DIGESTS = ["e701459344fd6979", "3202904ed246795b"]


@pytest.fixture(scope="module")
def data():
    return load("digits-on-photos")


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def block_sums(photo):
    """Sums of each colour over the 8 x 8 pixels from every corner, (H - 7, W - 7, 3) integers."""
    return np.lib.stride_tricks.sliding_window_view(photo, (8, 8), (0, 1)).sum((-1, -2), dtype=int)


def places(sums, crop):
    """Corners of the windows of a photograph whose 8 x 8 block sums are a crop's (3, 8, 8)."""
    height, width = sums.shape[0] - 56, sums.shape[1] - 56
    same = (sums[:height, :width] == crop[:, 0, 0]).all(-1)
    return [
        (r, c)
        for r, c in np.argwhere(same).tolist()
        if (sums[r : r + 57 : 8, c : c + 57 : 8] == np.moveaxis(crop, 0, -1)).all()
    ]


class TestPaint:
    def test_photographs_decode_as_they_did(self):
        # Their pixels are part of every record. A decoder that differs is found here.
        digests = [hashlib.sha256(p.tobytes()).hexdigest()[:16] for p in backgrounds.photographs()]
        assert digests == DIGESTS

    def test_crops_lie_somewhere_on_their_photograph(self):
        sums = [block_sums(load_sample_image(file)) for file in FILES]
        blank = backgrounds.paint(np.zeros((40, 8, 8))).reshape(40, 2, 4, 3, 8, 8)
        found = []
        for i, photo, c in [(0, 0, 0), (0, 0, 3), (0, 1, 0), (17, 0, 1), (39, 1, 2), (39, 1, 3)]:
            crop = (blank[i, photo, c] + 1) / 2 * 3 / 2 * 255 * 64
            assert abs(crop - crop.round()).max() < 1e-6
            where = places(sums[photo], crop.round().astype(int))
            assert where and not places(sums[1 - photo], crop.round().astype(int))
            found += where
        assert len(set(found)) == len(found)

    def test_crops_come_from_everywhere(self):
        # The mean over places of a window differs from the photograph's at its borders alone.
        blank = backgrounds.paint(np.zeros((1000, 8, 8))).reshape(1000, 2, 4, 3, 8, 8)
        for photo, file in enumerate(FILES):
            sums = block_sums(load_sample_image(file)) / (255 * 64)
            rows, columns = sums.shape[0] - 56, sums.shape[1] - 56
            for i in (0, 7):
                expected = sums[8 * i : 8 * i + rows, 8 * i : 8 * i + columns]
                crops = (blank[:, photo, :, :, i, i] + 1) / 2 * 3 / 2
                spread = expected.std((0, 1)) / np.sqrt(4000)
                assert (abs(crops.mean((0, 1)) - expected.mean((0, 1))) < 4.5 * spread).all()

    def test_one_third_is_ink(self):
        ink = np.random.default_rng(0).random((5, 8, 8))
        added = backgrounds.paint(ink) - backgrounds.paint(np.zeros((5, 8, 8)))
        expected = np.repeat(ink, 8, axis=0)[:, None] * np.ones((1, 3, 1, 1)) * 2 / 3
        np.testing.assert_allclose(added, expected, rtol=0, atol=1e-15)

    def test_range(self, data):
        assert data.x.shape == (1797 * 8, 3, 8, 8)
        assert data.x.dtype == np.float64
        assert data.x.min() >= -1 and data.x.max() <= 1


class TestGroups:
    def test_of_the_pool(self, data, digits):
        expected = [
            (label, photo)
            for label in (digits.target >= 5).astype(int).tolist()
            for photo in (0, 1)
            for _ in range(4)
        ]
        assert data.y.tolist() == [label for label, _ in expected]
        assert data.groups.tolist() == [2 * label + photo for label, photo in expected]
        assert data.classes == ("0–4", "5–9")
        assert data.group_names == (
            "0–4 on temple",
            "0–4 on flower",
            "5–9 on temple",
            "5–9 on flower",
        )

    def test_pool_is_the_same_for_every_seed(self, data):
        assert load("digits-on-photos", 5).x is data.x


@pytest.mark.parametrize("seed", [0, 1, 59])
class TestDraw:
    def test_shares(self, seed):
        data = load("digits-on-photos", seed)
        for split, share in zip(SPLITS, (0.05, 0.5, 0.5), strict=True):
            groups = data.groups[getattr(data, split)].tolist()
            for majority, minority in ((0, 1), (3, 2)):
                few = groups.count(minority)
                size = groups.count(majority) + few
                assert abs(few - share * size) <= 0.5

    def test_digits_are_split_as_without_photographs(self, seed):
        painted, plain = load("digits-on-photos", seed), load("digits", seed)
        for split in SPLITS:
            chosen = getattr(painted, split)
            assert (chosen // 8).tolist() == getattr(plain, split).tolist()

    def test_crops_are_chosen_evenly(self, seed):
        counts = np.bincount(load("digits-on-photos", seed).train % 4, minlength=4)
        assert (abs(counts - counts.sum() / 4) < 4.5 * np.sqrt(counts.sum() * 3 / 16)).all()


def test_seeds_draw_other_minorities():
    drawn = np.zeros(1797)
    for seed in range(60):
        data = load("digits-on-photos", seed)
        odd = np.isin(data.groups[data.train], (1, 2))
        drawn[data.train[odd] // 8] += 1
    # Each digit with chance .5 * .05 a seed: 22 % never, none of them ten times.
    assert 0.17 < (drawn == 0).mean() < 0.27
    assert drawn.max() < 10


def test_same_draw_whatever_the_generators_state():
    script = (
        "import json, sys, random, numpy as np; random.seed(9); np.random.seed(9)\n"
        "from dropkit.datasets import load; load('digits-on-photos', 8)\n"
        "data = load('digits-on-photos', 3)\n"
        "splits = [getattr(data, s).tolist() for s in ('train', 'val', 'test')]\n"
        "print(json.dumps([splits, data.x[::500].sum((1, 2, 3)).tolist()]))"
    )
    data = load("digits-on-photos", 3)
    here = [getattr(data, split).tolist() for split in SPLITS]
    assert elsewhere.printed(script) == [here, data.x[::500].sum((1, 2, 3)).tolist()]
