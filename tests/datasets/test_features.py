"""Features: what a frozen network made of samples, kept in one file and read as a data set."""

import hashlib
import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dropkit import datasets
from dropkit.commands import main
from dropkit.datasets import Data, Images, extraction, features, loading
from dropkit.models.frozen import Frozen, Sentences

IMAGES = 100
WIDTH = 6
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (IMAGES, 4, 4, 3), dtype=np.uint8)
WEIGHTS = RNG.normal(size=(3, WIDTH)) * np.linspace(1, 3, WIDTH)
Y = np.arange(IMAGES) % 2
SET = Data(
    Images(PIXELS, (0.5,) * 3, (0.5,) * 3), Y, np.arange(60), np.arange(60, 80),
    np.arange(80, 100), ("ant", "bee"), 2 * Y + (np.arange(IMAGES) % 3 == 0), tuple("abcd"),
)  # fmt: skip
# Means of the channels, times fixed weights: what the network below makes of the images.
VECTORS = (PIXELS / 255).mean(axis=(1, 2)) @ WEIGHTS
CENTRED = VECTORS - VECTORS[:60].mean(axis=0)
SCALED = CENTRED / np.sqrt((CENTRED[:60] ** 2).sum(axis=1).mean())


class Means(nn.Module):
    """Counts the images that it sees, and fails at one if it is told to."""

    seen, fails_at = 0, None

    def __init__(self):
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(WEIGHTS, dtype=torch.float32))

    def forward(self, images):
        Means.seen += len(images)
        if self.fails_at is not None and Means.seen > self.fails_at:
            raise KeyboardInterrupt
        return images.mean(dim=(2, 3)) @ self.weights


@pytest.fixture(autouse=True)
def network(monkeypatch):
    monkeypatch.setattr(Means, "seen", 0)
    monkeypatch.setattr(Means, "fails_at", None)
    monkeypatch.setattr("dropkit.models.frozen.ENLARGED", 1)
    see = Frozen(Means(), "0123456789abcdef", (0, 0, 0), (1, 1, 1))
    monkeypatch.setattr(extraction, "frozen", lambda name, device: see)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "waterbirds-features.npz"


def load(file):
    return datasets.load(file.stem, root=str(file.parent))


def test_vectors_are_centred_and_scaled_by_the_training_set(file):
    extraction.extract("waterbirds", SET, "lite0", file)
    data = load(file)
    np.testing.assert_allclose(data.x, SCALED, atol=5e-3)  # of half precision, twice
    for name in ("y", "train", "val", "test", "groups"):
        np.testing.assert_array_equal(getattr(data, name), getattr(SET, name))
    assert (data.classes, data.group_names) == (SET.classes, SET.group_names)
    assert list(file.parent.iterdir()) == [file]


def test_components_keep_what_the_best_projection_keeps(file):
    """Against the singular value decomposition, up to half a step of each byte."""
    extraction.extract("waterbirds", SET, "lite0", file, components=3)
    x = load(file).x
    step = float(np.load(file)["step"])
    basis = np.linalg.svd(SCALED[:60], full_matrices=False)[2][:3]
    best = SCALED @ basis.T
    best *= np.sign((best * x).sum(axis=0))
    np.testing.assert_allclose(x, best, atol=step / 2 + 5e-3)
    assert np.load(file)["features"].dtype == np.int8
    # Three channels span three directions: nothing but rounding is lost.
    lengths = np.linalg.norm(x, axis=1)
    np.testing.assert_allclose(lengths, np.linalg.norm(SCALED, axis=1), atol=2 * step)


def test_an_interrupted_run_goes_on(file, monkeypatch):
    monkeypatch.setattr(Means, "fails_at", 2 * extraction.BATCH + 1)  # and one to learn the width
    with pytest.raises(KeyboardInterrupt):
        extraction.extract("waterbirds", SET, "lite0", file)
    assert not file.exists()
    monkeypatch.setattr(Means, "fails_at", None)
    monkeypatch.setattr(Means, "seen", 0)
    extraction.extract("waterbirds", SET, "lite0", file)
    assert Means.seen == IMAGES - 2 * extraction.BATCH + 1
    np.testing.assert_allclose(load(file).x, SCALED, atol=5e-3)


def test_other_images_do_not_go_on_where_these_stopped(file, monkeypatch):
    monkeypatch.setattr(Means, "fails_at", 2 * extraction.BATCH + 1)
    with pytest.raises(KeyboardInterrupt):
        extraction.extract("waterbirds", SET, "lite0", file)
    monkeypatch.setattr(Means, "fails_at", None)
    other = replace(SET, x=Images(PIXELS[::-1].copy(), SET.x.mean, SET.x.std))
    extraction.extract("waterbirds", other, "lite0", file)
    assert not np.allclose(load(file).x, SCALED, atol=5e-3)


def test_the_version_names_images_and_weights(file):
    extraction.extract("waterbirds", SET, "lite0", file, components=3)
    digest = hashlib.sha256(PIXELS.tobytes()).hexdigest()[:16]
    expected = f"lite0 0123456789abcdef, images {digest}, 3 components"
    assert features.version(file.stem, str(file.parent)) == expected


def test_products_in_bfloat16_are_of_other_weights(file):
    extraction.extract("waterbirds", SET, "lite0", file, bfloat16=True)
    assert "0123456789abcdef-bfloat16," in features.version(file.stem, str(file.parent))
    means = torch.as_tensor((PIXELS / 255).mean(axis=(1, 2)), dtype=torch.float32)
    exact = means.bfloat16().double() @ torch.as_tensor(WEIGHTS).bfloat16().double()
    rounded = exact.to(torch.bfloat16).double().numpy()
    centred = rounded - rounded[:60].mean(axis=0)
    scaled = centred / np.sqrt((centred[:60] ** 2).sum(axis=1).mean())
    apart = np.abs(load(file).x - scaled).max()
    assert apart < 0.3 * np.abs(SCALED - scaled).max()  # nearer than those of float32


def rewritten(file, **changes):
    """The file with some of its arrays changed, or taken away where they are None."""
    extraction.extract("waterbirds", SET, "lite0", file)
    arrays = dict(np.load(file)) | changes
    np.savez(file, **{name: values for name, values in arrays.items() if values is not None})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"y": Y[:-1]}, "its features, labels and splits differ in number"),
        ({"features": VECTORS[:, 0]}, "its features, labels and splits differ in number"),
        ({"features": np.full_like(VECTORS, np.nan)}, "its features are not all finite"),
        ({"header": None}, "header"),
        ({"header": np.array(json.dumps({"dataset": "waterbirds"}))}, "its header does not say of"),
        ({"header": np.array("{")}, "Expecting property name"),
        ({"y": Y + 1}, "2"),
        ({"split": np.zeros(IMAGES)}, "the val split must be a list of indices"),
        ({"features": np.array([{}])}, "allow_pickle=False"),
    ],
)
def test_files_that_are_no_features(file, changes, reason):
    rewritten(file, **changes)
    with pytest.raises(ValueError, match=f"^{re.escape(str(file))} holds no feat.*{reason}"):
        load(file)


def test_a_file_that_is_cut_off(file):
    extraction.extract("waterbirds", SET, "lite0", file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="holds no features as dropkit writes them"):
        load(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="needs cifar100-features.npz .* `dropkit features cifar1"):
        datasets.load("cifar100-features", root=str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["digits", "--out", "x.npz"], "lite0 makes vectors of images: digits has numbers"),
        (["nowhere", "--out", "x.npz"], "unknown data set 'nowhere'"),
        (["digits", "--out", "x.npy"], "--out must end in .npz, got x.npy"),
        (["digits", "--out", "no/x.npz"], "there is no folder no for --out"),
        (["digits", "--components", "-1"], "--components must be 0 or more, got -1"),
        (["digits", "--threads", "0"], "--threads is 0: it must be a whole number from 1"),
    ],
)
def test_mistakes_on_the_command_line(arguments, reason, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["features", "--device", "cpu", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"dropkit: error: {reason}")


def test_of_another_network_the_name_says_so(file, monkeypatch, capsys):
    monkeypatch.setitem(loading._LOADERS, "waterbirds", lambda seed, root: SET)
    data = ["--data", str(file.parent), "--device", "cpu"]
    assert main(["features", "waterbirds", "--network", "lite2", *data]) == 0
    assert "waterbirds-lite2-features.npz" in capsys.readouterr().out
    data = datasets.load("waterbirds-lite2-features", root=str(file.parent))
    np.testing.assert_allclose(data.x, SCALED, atol=5e-3)
    with pytest.raises(ValueError, match="`dropkit features waterbirds --network lite1`"):
        datasets.load("waterbirds-lite1-features", root=str(file.parent))


def test_more_components_than_features(file):
    with pytest.raises(ValueError, match="lite0 has 6 features, not 7"):
        extraction.extract("waterbirds", SET, "lite0", file, components=7)


def test_the_command_writes_what_is_loaded(file, monkeypatch, capsys):
    for table in (loading._LOADERS, loading._VERSIONS):  # set back by the test
        monkeypatch.setitem(table, "photos", None)
    datasets.register("photos", lambda seed, root: SET)
    assert main(["features", "photos", "--device", "cpu", "--out", str(file)]) == 0
    assert f"100 images are in {file}" in capsys.readouterr().out
    np.testing.assert_allclose(load(file).x, SCALED, atol=5e-3)


class TestTexts:
    """A model that counts the letters of a text and its words."""

    TEXTS = np.array([f"{'a ' * (i % 7)}{'b' * (i % 5)} c" for i in range(IMAGES)])
    VECTORS = np.array([[len(text.replace(" ", "")), len(text.split())] for text in TEXTS])

    @pytest.fixture(autouse=True)
    def model(self, monkeypatch):
        counts = dict(zip(self.TEXTS, self.VECTORS, strict=True))
        see = Sentences(
            lambda texts: np.array([counts[each] for each in texts]), "fedcba9876543210"
        )
        monkeypatch.setattr(extraction, "frozen", lambda name, device: see)

    def test_vectors_and_version(self, file):
        extraction.extract("waterbirds", replace(SET, x=self.TEXTS), "minilm", file)
        centred = self.VECTORS - self.VECTORS[:60].mean(axis=0)
        scaled = centred / np.sqrt((centred[:60] ** 2).sum(axis=1).mean())
        np.testing.assert_allclose(load(file).x, scaled, atol=5e-3)
        digest = hashlib.sha256("\n".join(self.TEXTS).encode()).hexdigest()[:16]
        expected = f"minilm fedcba9876543210, texts {digest}"
        assert features.version(file.stem, str(file.parent)) == expected

    @pytest.mark.parametrize("text", ["", " \n", None, np.nan, 3])
    def test_texts_without_words(self, file, text):
        """As columns of tables have them."""
        x = self.TEXTS.astype(object)
        x[17] = text
        sentence = re.escape(f"sample 17 of mine is {text!r}: it must be a text with words")
        with pytest.raises(ValueError, match=sentence):
            extraction.extract("mine", replace(SET, x=x), "minilm", file)

    @pytest.mark.parametrize(
        ("x", "network", "reason"),
        [
            (TEXTS, "lite0", "lite0 makes vectors of images: mine has texts"),
            (SET.x, "minilm", "minilm makes vectors of texts: mine has images"),
            (VECTORS, "minilm", "minilm makes vectors of texts: mine has numbers"),
        ],
    )
    def test_a_network_of_other_samples(self, file, x, network, reason):
        with pytest.raises(ValueError, match=reason):
            extraction.extract("mine", replace(SET, x=x), network, file)


WORDS = ["card", "cash", "fee", "lost", "My", "pin", "top-up", "where", "the", "refund"]


class TestTfidf:
    """Against the definition that scikit-learn's documentation gives, written out."""

    TEXTS = np.array([" ".join(RNG.choice(WORDS, size=2 + i % 5)) for i in range(IMAGES)])

    @staticmethod
    def words(text):
        return re.findall(r"\w\w+", text.lower())

    def test_vectors(self, file):
        texts = self.TEXTS.copy()
        texts[90] = "a sentence of unknown words, 1 pin"
        extraction.extract("waterbirds", replace(SET, x=texts), "tfidf", file)
        listed = [self.words(text) for text in texts]
        known = sorted({word for words in listed[:60] for word in words})
        frequency = [sum(word in words for words in listed[:60]) for word in known]
        idf = np.log(61 / (1 + np.array(frequency))) + 1
        weighed = np.array([[words.count(word) for word in known] for words in listed]) * idf
        weighed /= np.linalg.norm(weighed, axis=1, keepdims=True)
        directions = np.linalg.svd(weighed[:60])[2][: len(known) - 1]  # ARPACK finds no more
        vectors = weighed @ directions.T
        centred = vectors - vectors[:60].mean(axis=0)
        scaled = centred / np.sqrt((centred[:60] ** 2).sum(axis=1).mean())
        x = load(file).x  # up to the directions' signs
        np.testing.assert_allclose(x @ x.T, scaled @ scaled.T, atol=1e-2)

    def test_the_version_is_that_of_the_words(self, file):
        def version(texts):
            extraction.extract("waterbirds", replace(SET, x=texts), "tfidf", file)
            return features.version(file.stem, str(file.parent)).split(",")[0]

        other = self.TEXTS.copy()
        other[0] += " another"
        assert version(self.TEXTS) == version(self.TEXTS) != version(other)

    @pytest.mark.parametrize("texts", [["a b", "c"], ["one", "one one"]])
    def test_texts_of_too_few_words(self, file, texts):
        x = np.array(texts)[np.arange(IMAGES) % 2]
        with pytest.raises(ValueError, match="^TF-IDF needs texts with different words: "):
            extraction.extract("mine", replace(SET, x=x), "tfidf", file)

    def test_images_have_no_words(self, file):
        with pytest.raises(ValueError, match="tfidf makes vectors of texts: mine has images"):
            extraction.extract("mine", SET, "tfidf", file)

    def test_on_the_command_line(self, monkeypatch, tmp_path, capsys):
        for table in (loading._LOADERS, loading._VERSIONS):  # set back by the test
            monkeypatch.setitem(table, "banking", None)
        datasets.register("banking", lambda seed, root: replace(SET, x=self.TEXTS))
        arguments = ["banking", "--data", str(tmp_path), "--network", "tfidf", "--device", "cpu"]
        assert main(["features", *arguments, "--components", "4"]) == 0
        assert "100 texts are in" in capsys.readouterr().out
        assert [file.name for file in tmp_path.iterdir()] == ["banking-tfidf-features.npz"]
        assert main(["features", *arguments, "--components", "40"]) == 2
        assert re.search("tfidf has 1. features, not 40", capsys.readouterr().err)

    @pytest.mark.parametrize("entry", ["", None])
    def test_a_column_of_ones_own_with_a_gap(self, monkeypatch, tmp_path, capsys, entry):
        monkeypatch.chdir(tmp_path)
        monkeypatch.delitem(sys.modules, "my_texts", raising=False)
        for table in (loading._LOADERS, loading._VERSIONS):
            monkeypatch.setitem(table, "tickets", None)
        (tmp_path / "my_texts.py").write_text(
            "import numpy as np\n"
            "from dropkit import datasets\n"
            "def load(seed, root):\n"
            f"    texts = np.array(['lost card', 'send cash', {entry!r}, 'pin'], object)\n"
            "    parts = np.arange(2), np.array([2]), np.array([3])\n"
            "    return datasets.Data(texts, np.array([0, 1, 0, 1]), *parts, ('a', 'b'))\n"
            "datasets.register('tickets', load)\n"
        )
        arguments = ["tickets", "--import", "my_texts.py", "--network", "tfidf"]
        assert main(["features", *arguments, "--out", "tickets-features.npz"]) == 2
        expected = f"sample 2 of tickets is {entry!r}: it must be a text with words"
        assert capsys.readouterr().err == f"dropkit: error: {expected}\n"
        assert not list(tmp_path.glob("*.npz*"))


class TestWaterbirds:
    """The file in the repository, against what is published of the data."""

    def test_sizes(self):
        """Sagawa et al. (2020), Appendix C.1."""
        data = datasets.load("waterbirds-features")
        assert data.sizes("train").tolist() == [3498, 184, 56, 1057]
        assert data.sizes("val").tolist() == [467, 466, 133, 133]
        assert data.sizes("test").tolist() == [2255, 2255, 642, 642]
        assert data.classes == ("landbird", "waterbird")
        assert data.group_names[1] == "landbird on water"


class TestClinc150:
    """The file in the repository, against what is published of the data."""

    def test_sizes(self):
        """Larson et al. (2019), Section 2.3, "imbalanced": 25, 50, 75 or 100 requests an intent."""
        data = datasets.load("clinc150-features")
        sizes, intents = np.unique(data.sizes(), return_counts=True)
        assert dict(zip(sizes.tolist(), intents.tolist(), strict=True)) == {
            25: 30,
            50: 30,
            75: 29,
            100: 61,
        }
        assert set(data.sizes("val")) == {20}
        assert set(data.sizes("test")) == {30}
        assert "pto_balance" in data.classes

    def test_words_are_of_the_same_requests(self):
        data, words = (datasets.load(f"clinc150{by}-features") for by in ("", "-tfidf"))
        np.testing.assert_array_equal(data.y, words.y)
        np.testing.assert_array_equal(data.test, words.test)

    def test_the_twin_is_balanced(self):
        """Section 2.3, "full"; the same requests are for validation and the test."""
        data = datasets.load("clinc150-balanced-features")
        assert [set(data.sizes(part).tolist()) for part in ("train", "val", "test")] == [
            {100},
            {20},
            {30},
        ]
        assert data.classes == datasets.load("clinc150-features").classes


class TestBanking77:
    """The files in the repository, against what is published of the data."""

    @pytest.mark.parametrize("name", ["banking77-features", "banking77-tfidf-features"])
    def test_sizes(self, name):
        """Casanueva et al. (2020), Table 1, and the smallest and largest intents of the table."""
        data = datasets.load(name)
        together = data.sizes() + data.sizes("val")
        assert (together.sum(), len(data.test), data.num_classes) == (10_003, 3_080, 77)
        sizes = dict(zip(data.classes, together.tolist(), strict=True))
        assert min(sizes, key=sizes.get) == "contactless_not_working"
        assert (together.min(), np.median(together), together.max()) == (35, 127, 187)
        assert set(data.sizes("test").tolist()) == {40}
        np.testing.assert_array_equal(data.sizes("val"), together // 5)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("clinc150", 0.85),
        ("clinc150-balanced", 0.85),
        ("clinc150-tfidf", 0.6),
        ("banking77", 0.8),
        ("banking77-tfidf", 0.6),
    ],
)
def test_neighbours_share_intents(name, least):
    """What the vectors are for: the nearest training request mostly has the same intent."""
    data = datasets.load(f"{name}-features")
    unit = data.x / np.linalg.norm(data.x, axis=1, keepdims=True)
    nearest = data.train[(unit[data.test] @ unit[data.train].T).argmax(axis=1)]
    assert (data.y[nearest] == data.y[data.test]).mean() > least


TEXTS = ("clinc150", "clinc150-balanced", "clinc150-tfidf", "banking77", "banking77-tfidf")


@pytest.mark.parametrize(("name", "size"), [("waterbirds", 1.5e6), *((n, 2e6) for n in TEXTS)])
def test_bundled_files_are_small_and_as_their_page_says(name, size):
    content = (features.BUNDLED / f"{name}-features.npz").read_bytes()
    assert len(content) <= size
    assert hashlib.sha256(content).hexdigest() in (features.BUNDLED / "README.txt").read_text()
    assert {file.suffix for file in features.BUNDLED.iterdir()} == {".json", ".npz", ".txt"}
