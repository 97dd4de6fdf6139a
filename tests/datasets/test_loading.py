"""The digits against scikit-learn's own arrays, and the splits against what a split must be."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dropkit.datasets import Data, corrupted, digits, load, load_imbalanced, loading
from tests import elsewhere

NAMES = ["digits", "digits-2x4", "digits-3rows"]
SPLITS = ["train", "val", "test"]


@pytest.fixture(scope="module")
def bunch():
    return load_digits()


def scaled(level):
    """A grey level 0..16 as a value in [-1, 1]."""
    return level / 8 - 1


class TestImages:
    def test_2x4_are_block_means(self, bunch):
        expected = np.empty((1797, 1, 2, 4))
        for i, image in enumerate(bunch.images.tolist()):
            for row in range(2):
                for column in range(4):
                    block = [
                        image[r][c]
                        for r in range(4 * row, 4 * row + 4)
                        for c in range(2 * column, 2 * column + 2)
                    ]
                    expected[i, 0, row, column] = scaled(sum(block) / 8)
        np.testing.assert_allclose(load("digits-2x4").x, expected, rtol=0, atol=1e-15)

    def test_three_rows_are_the_middle_ones(self, bunch):
        rows = [[scaled(np.array(image[r])) for r in (3, 4, 5)] for image in bunch.images]
        np.testing.assert_array_equal(load("digits-3rows").x[:, 0], rows)

    def test_clean_digits_are_whole(self, bunch):
        np.testing.assert_array_equal(load("digits").x[:, 0], scaled(bunch.images))

    @pytest.mark.parametrize("name", NAMES)
    def test_labels_and_classes(self, name, bunch):
        data = load(name)
        np.testing.assert_array_equal(data.y, bunch.target)
        assert data.classes == tuple(str(digit) for digit in bunch.target_names)
        assert data.num_classes == 10
        assert data.in_shape == data.x[0].shape
        assert data.y.dtype == np.int64

    def test_names(self):
        cifar = ["cifar10", "cifar100", "cifar100-coarse", "cifar100c"]
        texts = ["clinc150", "clinc150-balanced", "banking77"]
        others = ["digits-on-photos", "imagenet", "tinyimagenet", "waterbirds", *texts]
        seen = ["cifar10", "cifar100", *others[1:], *(f"{name}-tfidf" for name in texts)]
        seen += ["cifar100c", *(f"cifar100c-{kind}" for kind in corrupted.KINDS)]
        seen += [f"waterbirds-{network}" for network in ("lite1", "lite2", "resnet50")]
        features = [f"{name}-features" for name in seen]
        assert loading.names() == sorted([*cifar, *NAMES, *others, *features])


class TestSplits:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("seed", [0, 1, 59])
    def test_disjoint_and_complete(self, name, seed):
        data = load(name, seed)
        together = [index for split in SPLITS for index in getattr(data, split).tolist()]
        assert sorted(together) == list(range(1797))

    @pytest.mark.parametrize("seed", [0, 1, 59])
    def test_half_and_quarters_of_every_class(self, seed, bunch):
        data = load("digits-2x4", seed)
        for k in range(10):
            size = sum(label == k for label in bunch.target)
            parts = {
                split: sum(bunch.target[i] == k for i in getattr(data, split)) for split in SPLITS
            }
            assert abs(parts["train"] - size / 2) < 1
            assert abs(parts["val"] - size / 4) < 1
            assert abs(parts["test"] - size / 4) < 2
            assert parts == {split: data.sizes(split)[k] for split in SPLITS}
            assert parts["train"] == data.sizes()[k]

    def test_every_sample_is_trained_on_by_some_seed(self):
        # A split that never moves some samples would fail: 0.5 ** 40 per sample by chance.
        seen = np.zeros(1797, bool)
        for seed in range(40):
            seen[load("digits", seed).train] = True
        assert seen.all()

    def test_seeds_draw_other_splits(self):
        splits = {tuple(load("digits", seed).train) for seed in range(20)}
        assert len(splits) == 20

    def test_same_split_whatever_the_generators_state(self):
        script = (
            "import json, sys, random, numpy as np; random.seed(9); np.random.seed(9)\n"
            "from dropkit.datasets import load; data = load('digits-2x4', 3)\n"
            "print(json.dumps([getattr(data, s).tolist() for s in ('train', 'val', 'test')]))"
        )
        np.random.seed(1)
        here = [getattr(load("digits-2x4", 3), split).tolist() for split in SPLITS]
        assert elsewhere.printed(script) == here


def test_sizes_count_absent_classes():
    y = np.array([0, 2, 2, 0])
    indices = np.array([1, 2])
    data = Data(np.zeros((4, 3)), y, indices, np.array([0]), np.array([3]), ("a", "b", "c", "d"))
    assert data.sizes("train").tolist() == [0, 0, 2, 0]
    assert data.sizes("test").tolist() == [1, 0, 0, 0]
    assert data.in_shape == (3,)


def grouped(groups, y=(0, 1, 1, 0), names=("a left", "b left", "b right")):
    y = np.array(y)
    splits = np.array([0, 1, 1, 3]), np.array([2]), np.array([0])
    return Data(np.zeros((len(y), 3)), y, *splits, ("a", "b"), np.array(groups), names)


class TestGroups:
    def test_strata_are_groups(self):
        data = grouped([0, 2, 1, 0])
        assert data.strata.tolist() == [0, 2, 1, 0]
        assert data.strata_names == ("a left", "b left", "b right")
        assert data.num_strata == 3
        assert data.num_classes == 2
        assert data.sizes().tolist() == data.sizes("train").tolist() == [2, 0, 2]
        assert data.sizes("val").tolist() == [0, 1, 0]

    def test_without_groups_strata_are_classes(self):
        data = load("digits-2x4", 1)
        assert data.strata is data.y
        assert data.strata_names == data.classes
        assert data.num_strata == 10

    def test_must_refine_classes(self):
        message = "group 'b left' holds samples of class 'a' and of class 'b': groups must refine"
        with pytest.raises(ValueError, match=message):
            grouped([0, 1, 2, 1])

    @pytest.mark.parametrize("wrong", [-1, 3])
    def test_every_group_has_a_name(self, wrong):
        with pytest.raises(ValueError, match=f"group {wrong} has no name: expected 0..2"):
            grouped([0, 2, 1, wrong])

    @pytest.mark.parametrize("groups", [[0, 1, 1], [[0, 1, 1, 0]], [0.0, 1.0, 1.0, 0.0]])
    def test_must_be_integers_like_labels(self, groups):
        with pytest.raises(ValueError, match=r"they must be integers of the labels' shape \(4,\)"):
            grouped(groups)


class TestErrors:
    def test_unknown_name(self):
        with pytest.raises(ValueError, match="unknown data set 'mnist'; known are banking77, ba"):
            load("mnist")

    @pytest.mark.parametrize("seed", [-1, 0.5, None, "0"])
    def test_seed(self, seed):
        with pytest.raises(ValueError, match=f"seed is {seed!r}: it must be a whole number"):
            load("digits", seed)

    def test_without_scikit_learn(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
        digits._digit_images.cache_clear()
        loader = digits.seen(lambda images: images)
        monkeypatch.setitem(loading._LOADERS, "digits", loader)
        message = r"the data set 'digits' needs scikit-learn: pip install scikit-learn \("
        with pytest.raises(ImportError, match=message):
            load("digits")


class TestOfStudies:
    """A study asks for the data of a seed many times."""

    @pytest.fixture
    def loaded(self, monkeypatch):
        """The seeds for which a registered loader was called."""
        for table in ("_LOADERS", "_VERSIONS"):
            monkeypatch.setattr(loading, table, dict(getattr(loading, table)))
        return []

    def counted(self, seeds, classes):
        def loader(seed, root):
            seeds.append(seed)
            return Data(np.zeros((9, 2)), np.arange(9) % 3, *np.split(np.arange(9), 3), classes)

        return loader

    def test_the_data_of_a_seed_are_loaded_once(self, loaded):
        loading.register("thirds", self.counted(loaded, ("a", "b", "c")))
        first = load_imbalanced("thirds", 0, 1.0)
        assert load_imbalanced("thirds", 0, 1.0) is first
        load_imbalanced("thirds", 1, 1.0)
        assert loaded == [0, 1]
        assert first.sizes().tolist() == load("thirds", 0).sizes().tolist() == [1, 1, 1]

    def test_a_loader_that_is_registered_anew_is_asked_anew(self, loaded):
        for classes in (("a", "b", "c"), ("x", "y", "z")):
            loading.register("thirds", self.counted(loaded, classes), version="1")
            assert load_imbalanced("thirds", 0, 1.0).classes == classes
        assert loaded == [0, 0]

    def test_another_folder_is_read_anew(self, loaded, monkeypatch):
        loading.register("thirds", self.counted(loaded, ("a", "b", "c")))
        for folder in ("/one", "/other", "/one"):
            monkeypatch.setenv("DROPKIT_DATA", folder)
            load_imbalanced("thirds", 0, 1.0)
        assert loaded == [0, 0]
