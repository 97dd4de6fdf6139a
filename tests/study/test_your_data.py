"""The guide's experiments: same budget for every method, honest pairing, fits as stated."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch.utils.data import DataLoader, Subset, TensorDataset

import dropkit
from dropkit import study
from dropkit._common.rounding import budget
from dropkit.figures import your_data as practice_figures
from dropkit.store import Store
from dropkit.study import your_data

WINE = your_data.CASES["wine, logistic"]
DENSITIES = [0.3, 0.6]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def wine(store):
    return your_data.compare(WINE, DENSITIES, seeds=3, store=store)


@pytest.fixture(scope="module")
def trust(store):
    return your_data.trust(WINE, [2, 10], [0.0, 1.0], 0.5, seeds=2, store=store)


@pytest.mark.parametrize("title", your_data.CASES)
def test_cases_are_the_data_sets_that_scikit_learn_ships(title):
    X, y, classes = your_data.load(your_data.CASES[title])
    expected = {"2": (1797, 8, 10), "8": (1797, 64, 10), "t": (569, 3, 2), "w": (178, 3, 3)}
    assert (*X.shape, len(classes)) == expected[title[0]]
    assert np.unique(y).tolist() == list(range(len(classes)))


@pytest.mark.parametrize(
    "sizes, density, expected",
    [([50, 50], 0.5, [25, 25]), ([10, 90], 0.5, [10, 40]), ([30, 20, 5], 0.6, [14, 14, 5])],
)
def test_equal_counts_as_far_as_the_classes_reach(sizes, density, expected):
    assert list(your_data.equal_counts(np.array(sizes), density).values()) == expected


def test_every_method_keeps_the_same_number_of_samples(wine):
    for method in (your_data.RANDOM, your_data.BALANCED, your_data.NEAR_MISS, your_data.DROP):
        for density in DENSITIES:
            assert wine.kept[method][density] == pytest.approx([budget(89, density) / 89] * 3)


def test_full_data_are_those_of_the_named_split(wine):
    X, y, _ = your_data.load(WINE)
    X_train, X_test, y_train, y_test = your_data.halves(X, y, seed=2)
    guess = your_data.classifier("logistic").fit(X_train, y_train).predict(X_test)
    expected = [(guess[y_test == k] == k).mean() for k in range(3)]
    assert wine.recalls[your_data.FULL][1.0][2] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("method", [your_data.RANDOM, your_data.HARDNESS, your_data.DROP])
def test_fits_are_as_many_as_the_tables_say(method, monkeypatch):
    X, y, _ = your_data.load(WINE)
    fits = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *data: fits.append(1) or fit(self, *data)
    )
    samplers = your_data._samplers(WINE, X, y, seed=0)
    measured = len(fits)  # once for all densities, by DRoP
    data = samplers[method](0.5)
    your_data.classifier("logistic").fit(*data)
    spent = len(fits) - (0 if method == your_data.DROP else measured)
    assert spent == your_data.FITS[method]


def test_differences_are_paired_by_seed(wine):
    found = study.compare(wine.recalls, your_data.DROP, your_data.FULL)[0.3]["worst"]
    a, b = (
        wine.recalls[your_data.DROP][0.3].min(axis=1),
        wine.recalls[your_data.FULL][1.0].min(axis=1),
    )
    interval = stats.ttest_rel(a, b).confidence_interval()
    assert found == pytest.approx((100 * (a - b).mean(), 100 * interval.low, 100 * interval.high))


def test_trust_uses_the_budget_and_needs_no_validation_where_it_cross_validates(trust):
    for by_count in trust.kept.values():
        for fractions in by_count.values():
            assert fractions == pytest.approx([budget(89, 0.5) / 89] * 2)
    # The shrinking validation set changes nothing where there is none.
    for method in (your_data.RANDOM, your_data.CROSS):
        assert (trust.recalls[method][2] == trust.recalls[method][10]).all()


def test_trust_measures_what_its_settings_say(trust):
    """The same by hand, for one seed, one number of validation samples and one smoothing."""
    X, y, _ = your_data.load(WINE)
    X_train, X_rest, y_train, y_rest = your_data.halves(X, y, seed=1)
    X_val, X_test, y_val, y_test = your_data.halves(X_rest, y_rest, seed=1)
    few = [i for i in range(len(y_val)) if (y_val[:i] == y_val[i]).sum() < 2]
    assert sorted(few) == sorted(your_data.first_of_each(y_val, 2).tolist())
    guess = your_data.classifier("logistic").fit(X_train, y_train).predict(X_val[few])
    errors = np.array([(guess[y_val[few] == k] != k).sum() for k in range(3)])
    recalls, sizes = 1 - errors / 2, [2, 2, 2]
    kept = dropkit.prune(
        "random+drop", y_train, 0.5, recalls=recalls, val_sizes=sizes, smoothing=1.0, seed=1
    )
    model = your_data.classifier("logistic").fit(X_train[kept], y_train[kept])
    expected = [(model.predict(X_test)[y_test == k] == k).mean() for k in range(3)]
    assert trust.recalls["smoothing 1"][2][1] == pytest.approx(expected, abs=1e-6)


def test_tables_of_the_guide(wine, trust):
    table = practice_figures.methods("wine", wine, 0.3)
    rows = {row[0]: row[1:] for row in table.rows}
    shown = [practice_figures.SHOWN.get(method, method) for method in wine.recalls]
    assert table.title == "Wine, density 0.3" and list(rows) == shown
    drop = wine.recalls[your_data.DROP][0.3]
    assert rows["DRoPSampler, smoothing=1"][1:3] == [
        f"{100 * drop.mean():.1f}",
        f"{100 * drop.min(1).mean():.1f}",
    ]
    assert rows[your_data.RANDOM][3:5] == ["", ""] and rows[your_data.FULL][0] == "100"
    by_rule = practice_figures.trust(trust.recalls).rows
    assert [row[0] for row in by_rule][-1] == your_data.CROSS
    assert {row[0] for row in by_rule} == set(trust.recalls) - {your_data.RANDOM}


def test_cases_are_named_where_the_interval_excludes_zero():
    low, high = np.full((3, 2), 0.3), np.full((3, 2), 0.6)
    methods = (*your_data.SAMPLERS, your_data.FULL)
    even = {method: {0.4: low} for method in methods}
    cases = {"a": even, "b": even | {your_data.DROP: {0.4: high}}}
    rows = {row[0]: row[1:] for row in practice_figures.decided(cases, 0.4).rows}
    assert rows["worst class higher than Random's"] == ["b", "none of the five"]
    assert rows["average lower than Random's"] == ["none of the five"] * 2
    assert rows["worst class lower than DRoP with smoothing 1's"] == ["–", "b"]


def test_figures_show_every_method_and_every_smoothing(wine, trust):
    methods = [your_data.RANDOM, your_data.DROP]
    figure = practice_figures.tradeoffs({"wine": wine.recalls}, methods)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(texts) == sorted(["Random", "DRoPSampler, smoothing=1", your_data.FULL])
    drawn = figure.axes[1].lines[0].get_ydata()
    expected = [100 * wine.recalls[your_data.RANDOM][d].min(axis=1).mean() for d in DENSITIES]
    assert drawn == pytest.approx(expected)
    figure = practice_figures.trusted(trust.recalls)
    texts = {text.get_text() for text in figure.legends[0].get_texts()}
    assert texts == {"smoothing 0", "smoothing 1", your_data.CROSS}


def test_recalls_are_drawn_with_exact_binomial_intervals():
    recalls, sizes = np.array([0.5, 1.0]), np.array([10, 4])
    figure = practice_figures.uncertain_recalls({"x": (recalls, sizes, recalls)}, ["a", "b"])
    segments = figure.axes[0].collections[0].get_segments()
    # Clopper and Pearson's ends are quantiles of beta distributions.
    low, high = 100 * stats.beta.ppf(0.025, 5, 6), 100 * stats.beta.ppf(0.975, 6, 5)
    assert segments[0][:, 1] == pytest.approx([low, high])
    assert segments[1][:, 1] == pytest.approx([100 * stats.beta.ppf(0.025, 4, 1), 100])


def test_indices_fit_whatever_selects_by_index():
    """A 1-D array of distinct integers within the data: what Subset and datasets' select take."""
    labels = np.repeat([0, 1, 2], [40, 30, 20])
    kept = dropkit.prune("random+drop", labels, 0.5, recalls=[0.9, 0.6, 0.5], smoothing=1)
    assert kept.ndim == 1 and kept.dtype == np.int64 and kept.flags.c_contiguous
    assert kept[0] >= 0 and kept[-1] < labels.size and (np.diff(kept) > 0).all()
    subset = Subset(TensorDataset(torch.from_numpy(labels)), kept)
    loaded = torch.cat([batch for (batch,) in DataLoader(subset, batch_size=16)])
    assert loaded.tolist() == labels[kept].tolist()
