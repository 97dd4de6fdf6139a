"""Intervals of recalls, recalls drawn together, and what sampler and classifier do with them."""

import numpy as np
import pytest
import sklearn
from imblearn.pipeline import Pipeline
from scipy import optimize, stats
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import dropkit
from dropkit import DRoPClassifier, DRoPSampler
from dropkit.metrics import class_recalls
from dropkit.sampler.shrinkage import Recalls, intervals, shrunk

X, Y = make_classification(
    600, n_classes=3, n_informative=4, weights=[0.6, 0.3, 0.1], random_state=0
)
PLAIN = LogisticRegression(max_iter=500)


class TestIntervals:
    def test_are_those_of_binomial_tests(self):
        found = intervals([0.7, 0.0, 1.0, np.nan], [10, 5, 8, 0])
        for (low, high), (right, n) in zip(found, [(7, 10), (0, 5), (8, 8)], strict=False):
            expected = stats.binomtest(right, n).proportion_ci(0.95, method="exact")
            assert (low, high) == pytest.approx((expected.low, expected.high))
        assert found[3].tolist() == [0, 1]

    def test_the_samplers_are_those_of_its_recalls(self):
        sampler = DRoPSampler(0.5, estimator=PLAIN, random_state=0).fit(X, Y)
        expected = Recalls(sampler.recalls_, sampler.val_sizes_).intervals()
        np.testing.assert_array_equal(sampler.recall_intervals_, expected)
        assert (expected[:, 0] <= sampler.recalls_).all()


class TestShrunk:
    @pytest.mark.parametrize("seed", range(3))
    def test_maximises_the_likelihood_and_takes_the_posterior_mean(self, seed):
        """Against SciPy's beta-binomial and a search that knows nothing of ours."""
        rng = np.random.default_rng(seed)
        n = rng.integers(20, 200, size=12)
        wrong = rng.binomial(n, rng.beta(2, 6, size=12))

        def likelihood(a, b):
            return stats.betabinom.logpmf(wrong, n, a, b).sum()

        ranges = [(0.01, 0.99), (np.log(0.1), np.log(1e4))]
        best = optimize.differential_evolution(
            lambda p: -likelihood(p[0] * np.exp(p[1]), (1 - p[0]) * np.exp(p[1])), ranges, seed=0
        )
        mean, precision = best.x[0], np.exp(best.x[1])
        expected = 1 - (wrong + mean * precision) / (n + precision)
        assert shrunk(1 - wrong / n, n) == pytest.approx(expected, abs=2e-3)

    def test_is_nearer_to_the_truth_than_what_was_measured(self):
        rng = np.random.default_rng(0)
        raw, drawn = [], []
        for _ in range(40):
            truth = rng.beta(8, 2, size=20)
            recalls = rng.binomial(15, truth) / 15
            raw.append(((recalls - truth) ** 2).mean())
            drawn.append(((shrunk(recalls, np.full(20, 15)) - truth) ** 2).mean())
        assert np.mean(drawn) < 0.8 * np.mean(raw)

    def test_noise_alone_leaves_nothing_of_the_spread(self):
        recalls = np.array([27, 28, 27, 28, 27, 28]) / 30  # less than binomial
        assert np.ptp(shrunk(recalls, np.full(6, 30))) < 1e-3

    def test_many_samples_leave_the_recalls_as_they_are(self):
        recalls = np.array([0.5, 0.8, 0.95])
        assert shrunk(recalls, np.full(3, 10**6)) == pytest.approx(recalls, abs=1e-4)

    def test_a_class_without_samples_has_the_mean(self):
        found = shrunk([0.9, 0.6, np.nan], [1000, 1000, 0])
        assert 0.65 < found[2] < 0.85 and found[:2] == pytest.approx([0.9, 0.6], abs=0.01)

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_all_alike(self, value):
        assert np.ptp(shrunk([value] * 4, [10, 20, 30, 40])) < 1e-3


class TestAuto:
    def test_counts_are_those_of_the_shrunk_recalls(self):
        labels, recalls, seen = np.repeat([0, 1, 2], 300), [1.0, 0.7, 0.4], [10, 10, 10]
        kept = dropkit.keep(labels, 0.3, recalls, val_sizes=seen, smoothing="auto")
        weights = 1 - shrunk(recalls, seen)
        assert kept.table.counts == pytest.approx(270 * weights / weights.sum(), abs=1)
        assert kept.table.recalls.tolist() == recalls
        sampler = DRoPSampler(0.3, recalls=recalls, val_sizes=seen, smoothing="auto")
        sampler.fit(np.zeros((900, 1)), labels)
        assert list(sampler.sampling_strategy_.values()) == kept.table.counts.tolist()

    def test_another_word(self):
        with pytest.raises(ValueError, match="smoothing must be one of|smoothing is 'best'"):
            dropkit.keep([0, 1], 0.5, [0.5, 0.5], smoothing="best")


def test_recalls_that_are_all_1_are_noticed():
    with pytest.warns(UserWarning, match="all recalls are 1, as where they are measured on train"):
        dropkit.keep([0, 1] * 9, 0.5, [1, 1])


class Counting(ClassifierMixin, BaseEstimator):
    """Counts its fits, and remembers the weights it was given."""

    fits, weights = 0, None

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        type(self).weights = sample_weight
        self.model_ = PLAIN.fit(X, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)


class TestMeasuring:
    @pytest.fixture(autouse=True)
    def anew(self):
        Counting.fits, Counting.weights = 0, None

    def test_a_grid_measures_each_fold_once(self, tmp_path):
        sampler = DRoPSampler(estimator=Counting(), cv=3, memory=str(tmp_path), random_state=0)
        pipeline = Pipeline([("drop", sampler), ("model", LogisticRegression(max_iter=500))])
        grid = {"drop__density": [0.3, 0.5, 0.7], "drop__smoothing": [0.5, 1.0, "auto"]}
        GridSearchCV(pipeline, grid, cv=2, refit=False).fit(X, Y)
        assert Counting.fits == 2 * 3  # not 2 * 3 * 9

    def test_weights_reach_the_fits(self):
        weights = np.random.default_rng(0).random(Y.size)
        sampler = DRoPSampler(0.5, estimator=Counting(), cv=3, random_state=0)
        sampler.fit_resample(X, Y, sample_weight=weights)
        assert np.isin(Counting.weights, weights).all() and len(Counting.weights) == 400
        scaled = make_pipeline(StandardScaler(), PLAIN)
        given = [1.0, 50.0][1] * (Y == 2) + 1.0
        found = [
            DRoPSampler(0.5, estimator=scaled, random_state=0).fit(X, Y, sample_weight=w).recalls_
            for w in (None, given)
        ]
        assert found[1][2] > found[0][2]

    def test_groups_of_folds_stay_together(self):
        """A model that remembers its samples knows the patients, unless folds keep them apart."""
        rng = np.random.default_rng(0)
        patients = np.repeat(np.arange(60), 10)
        labels = rng.integers(0, 3, 60)[patients]
        features = rng.normal(size=(60, 20))[patients] + rng.normal(size=(600, 20)) / 10
        found, nearest = {}, KNeighborsClassifier(1)
        for cv in (5, GroupKFold(5)):
            for groups in (None, patients):
                if groups is not None or cv == 5:
                    sampler = DRoPSampler(0.5, estimator=nearest, cv=cv, random_state=0)
                    sampler.fit_resample(features, labels, cv_groups=groups)
                    found[str(cv), groups is None] = sampler.recalls_
        folds = GroupKFold(5).split(features, labels, patients)
        expected = cross_val_predict(nearest, features, labels, cv=list(folds))
        by_hand = class_recalls(labels, expected, 3)
        np.testing.assert_array_equal(found[str(GroupKFold(5)), False], by_hand)
        assert found["5", True].min() > 0.8 > found["5", False].max()

    def test_routing(self):
        patients = np.arange(Y.size) // 10
        with sklearn.config_context(enable_metadata_routing=True):
            sampler = DRoPSampler(0.5, estimator=PLAIN, cv=GroupKFold(3), random_state=0)
            sampler.set_fit_resample_request(cv_groups="patients")
            pipeline = Pipeline([("drop", sampler), ("model", clone(PLAIN))])
            pipeline.fit(X, Y, patients=patients)
        expected = DRoPSampler(0.5, estimator=PLAIN, cv=GroupKFold(3), random_state=0)
        expected.fit_resample(X, Y, cv_groups=patients)
        assert pipeline["drop"].recalls_.tolist() == expected.recalls_.tolist()


class TestClassifier:
    @parametrize_with_checks(
        [DRoPClassifier(PLAIN, 0.8, cv=2, random_state=0)],
        expected_failed_checks=lambda estimator: {
            f"check_sample_weight_equivalence_on_{kind}_data": "one of two equal samples may go"
            for kind in ("dense", "sparse")
        },
    )
    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")
    def test_checks(self, estimator, check):
        check(estimator)

    def test_is_the_sampler_and_then_the_classifier(self):
        weights = 1 + np.arange(Y.size) / Y.size
        model = DRoPClassifier(PLAIN, 0.4, smoothing="auto", random_state=3)
        model.fit(X, Y, sample_weight=weights)
        sampler = DRoPSampler(0.4, estimator=PLAIN, smoothing="auto", random_state=3)
        kept = sampler.fit(X, Y, sample_weight=weights).sample_indices_
        by_hand = clone(PLAIN).fit(X[kept], Y[kept], weights[kept])
        np.testing.assert_array_equal(model.sampler_.sample_indices_, kept)
        np.testing.assert_allclose(model.predict_proba(X), by_hand.predict_proba(X))
        assert model.score(X, Y) == by_hand.score(X, Y)
        assert hasattr(model, "decision_function")
        assert not hasattr(DRoPClassifier(Counting()), "predict_proba")

    def test_without_an_estimator(self):
        model = DRoPClassifier(density=0.9, random_state=0).fit(X, Y)
        assert model.predict(X[:5]).shape == (5,)
