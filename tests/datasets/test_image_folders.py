"""Image sets that come as folders: what holds of each of them, from files to records."""

import hashlib
import re

import numpy as np
import pytest

from dropkit import datasets, study
from dropkit.datasets import imagenet, tinyimagenet, waterbirds
from dropkit.store import Store
from dropkit.training import Recipe
from tests.datasets import test_imagenet, test_tinyimagenet
from tests.folders import copied

SETS = {"tinyimagenet": tinyimagenet, "imagenet": imagenet}
MADE = {"tinyimagenet": test_tinyimagenet, "imagenet": test_imagenet}
# Images a class in training, validation and test; of an odd number the test has one less.
SIZES = {
    "tinyimagenet": ([6, 6, 6, 6], [3, 3, 3, 3], [2, 2, 2, 2]),
    "imagenet": ([4, 3, 6], [2, 2, 2], [2, 2, 2]),
}


@pytest.fixture(scope="module", params=SETS)
def published(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("published")
    MADE[request.param].write(root)
    return request.param, root


@pytest.fixture
def name(published, tmp_path, monkeypatch):
    """The name of a set, a copy of which is there."""
    name, root = published
    copy = copied(root, tmp_path, monkeypatch, SETS[name], **MADE[name].COUNTS)
    monkeypatch.setenv("DROPKIT_DATA", str(copy))
    return name


@pytest.fixture
def listing(name, tmp_path):
    return SETS[name].read(str(tmp_path / "data"))


def test_splits(name, listing):
    data = datasets.load(name)
    assert tuple(data.sizes(s).tolist() for s in ("train", "val", "test")) == SIZES[name]
    together = np.concatenate([data.train, data.val, data.test])
    assert sorted(together.tolist()) == list(range(len(listing.names)))
    assert all(listing.names[i].startswith("train/") for i in data.train)
    assert all(listing.names[i].startswith("val/") for i in [*data.val, *data.test])


def test_the_order_is_that_of_digests_of_the_names(listing):
    names = [name.split("/")[-1] for name in listing.names]
    for part in (names[: listing.training], names[listing.training :]):
        assert part == sorted(part, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def test_one_object_for_all_seeds(name):
    """So that a GPU holds the set once."""
    assert datasets.load(name, 0).x is datasets.load(name, 1).x


def test_no_image(name, listing):
    file = listing.folder / listing.names[-1]
    file.write_bytes(b"<html>")
    problem = f"the image {re.escape(str(file))} cannot be decoded: cannot identify"
    with pytest.raises(ValueError, match=problem):
        datasets.load(name)


@pytest.mark.parametrize("setting", [None, ""])
@pytest.mark.parametrize("module", [tinyimagenet, imagenet, waterbirds], ids=lambda m: m.FOLDER)
def test_no_root(monkeypatch, module, setting):
    monkeypatch.delenv("DROPKIT_DATA", raising=False)
    name = module.__name__.removeprefix("dropkit.datasets.")
    with pytest.raises(ValueError) as caught:
        datasets.load(name, root=setting)
    assert str(caught.value) == (
        f"{name} is not bundled: let DROPKIT_DATA name the folder that has {module.FOLDER}"
    )


@pytest.mark.parametrize("module", [tinyimagenet, imagenet, waterbirds], ids=lambda m: m.FOLDER)
def test_a_root_that_is_not_there(tmp_path, module):
    root = tmp_path / "dtaa"
    with pytest.raises(ValueError) as caught:
        datasets.load(module.__name__.removeprefix("dropkit.datasets."), root=str(root))
    assert str(caught.value) == (
        f"there is no folder {root}: let --data or DROPKIT_DATA name one that has {module.FOLDER}"
    )
    assert not root.exists()


def test_a_study(name, tmp_path):
    """From JPEG files to records, shifted and flipped, with quotas of a query model."""
    trials = study.grid(
        name, model="mini", protocols=["random+drop"], densities=[0.6], seeds=[0],
        recipe=Recipe(1, 8, 0.01, 1e-4, augment=True), initialisations=1, smoothing=1.0,
    )  # fmt: skip
    (record,) = study.run(trials, store=Store(tmp_path / "store"))
    train, _, test = SIZES[name]
    assert record["class_sizes"] == train and record["test_sizes"] == test
    assert sum(record["kept"]) == {24: 14, 13: 8}[sum(train)]  # three fifths, to the nearest
    assert set(record["recalls"]) <= {0.0, 0.5, 1.0}
