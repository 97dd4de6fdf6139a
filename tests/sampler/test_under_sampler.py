"""DRoPSampler against Algorithm 1 in fractions, scikit-learn's own folds, and both libraries'
estimator checks."""

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import sklearn
from imblearn.pipeline import Pipeline
from imblearn.utils import estimator_checks as imblearn_checks
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks as sklearn_checks
from sklearn.utils.validation import check_is_fitted

import dropkit
from dropkit.sampler import DRoPSampler

X, Y = make_classification(
    600, n_classes=3, n_informative=4, weights=[0.6, 0.3, 0.1], random_state=0
)
SIZES = np.bincount(Y)
RECALLS = [0.9, 0.6, 0.2]
GROUPS = np.random.default_rng(0).integers(0, 2, Y.size) * 3 + Y
NAMES = np.array(["a", "b", "c"])
PLAIN = LogisticRegression(max_iter=500)


class Parrot(ClassifierMixin, BaseEstimator):
    """Predicts the first feature, so that the recalls are those its data were made with."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        check_is_fitted(self)
        return np.asarray(X)[:, 0].astype(self.classes_.dtype)


class Probabilities(Parrot):
    def predict(self, X):
        return np.full((len(X), 3), 1 / 3)


def smoothed_shares(sizes, recalls, density, val_sizes=None, smoothing=10):
    """Exact N_k d_k of Algorithm 1 with smoothed weights, by filling one class after another."""
    val_sizes = sizes if val_sizes is None else val_sizes
    pairs = zip(map(float, recalls), map(int, val_sizes), strict=True)
    errors = [(Fraction((1 - r) * n).limit_denominator(1000), n) for r, n in pairs]
    weights = [(wrong + smoothing) / (n + 2 * smoothing) for wrong, n in errors]
    left, open_ = Fraction(density).limit_denominator(100) * int(sum(sizes)), set(range(len(sizes)))
    shares = [Fraction(0)] * len(sizes)
    while True:
        level = left / sum(int(sizes[k]) * weights[k] for k in open_)
        full = {k for k in open_ if level * weights[k] > 1}
        if not full:
            for k in open_:
                shares[k] = int(sizes[k]) * weights[k] * level
            return shares
        for k in full:
            shares[k] = Fraction(int(sizes[k]))
            left -= shares[k]
        open_ -= full


def assert_rounded(counts, shares):
    assert sum(counts) == round(sum(shares))
    assert all(abs(count - share) < 1 for count, share in zip(counts, shares, strict=True))


# No check is excepted: should one stop to apply, it is named in expected_failed_checks.
@sklearn_checks.parametrize_with_checks([DRoPSampler(random_state=0)])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "estimator, check",
    [
        pytest.param(*pair, id=pair[1].func.__name__)
        for pair in imblearn_checks.estimator_checks_generator(DRoPSampler(random_state=0))
    ],
)
def test_imbalanced_learn_checks(estimator, check):
    check(estimator)


def test_imbalanced_learn_parameter_and_column_checks():
    imblearn_checks.check_param_validation("DRoPSampler", DRoPSampler())
    imblearn_checks.check_dataframe_column_names_consistency("DRoPSampler", DRoPSampler())


class TestQuotas:
    @pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
    def test_counts_are_algorithm_1_with_smoothed_weights(self, density):
        sampler = DRoPSampler(density, recalls=RECALLS, random_state=0)
        X_kept, y_kept = sampler.fit_resample(X, Y)
        kept = np.bincount(y_kept, minlength=3)
        assert_rounded(kept, smoothed_shares(SIZES, RECALLS, density))
        assert sampler.sampling_strategy_ == dict(enumerate(kept))
        assert (X_kept == X[sampler.sample_indices_]).all()
        assert (np.diff(sampler.sample_indices_) > 0).all()

    def test_smoothing_is_on_by_default_and_can_be_turned_off(self):
        perfect = DRoPSampler(0.1, recalls=[1, 1, 0.5], random_state=0).fit(X, Y)
        assert min(perfect.sampling_strategy_.values()) > 0
        with pytest.warns(UserWarning, match="classes 0, 1 would keep fewer than the minimum of 1"):
            literal = clone(perfect).set_params(smoothing=0).fit(X, Y)
        assert literal.sampling_strategy_ == {0: 0, 1: 0, 2: 60}

    def test_val_sizes_say_how_far_recalls_are_trusted(self):
        few = DRoPSampler(recalls=RECALLS, val_sizes=[10, 10, 10]).fit(X, Y)
        assert_rounded(
            few.sampling_strategy_.values(), smoothed_shares(SIZES, RECALLS, 0.5, [10, 10, 10])
        )

    def test_dictionaries_are_read_by_class_label(self):
        names = np.array(["c", "a", "b"])[Y]
        by_name = DRoPSampler(recalls={"a": 0.6, "b": 0.2, "c": 0.9}, random_state=0).fit(X, names)
        by_order = DRoPSampler(recalls=RECALLS, random_state=0).fit(X, Y)
        assert (by_name.sample_indices_ == by_order.sample_indices_).all()
        assert by_name.classes_.tolist() == ["a", "b", "c"]

    def test_series_are_read_by_class_label(self):
        by_value = pd.Series(RECALLS, index=["c", "a", "b"]).sort_values()
        counted = pd.Series(["b"] * 30 + ["c"] * 20 + ["a"] * 10).value_counts()
        assert counted.index.tolist() == ["b", "c", "a"]
        names = np.array(["c", "a", "b"])[Y]
        sampler = DRoPSampler(recalls=by_value, val_sizes=counted, random_state=0).fit(X, names)
        assert sampler.recalls_.tolist() == [0.6, 0.2, 0.9]
        assert sampler.val_sizes_.tolist() == [10, 30, 20]

    def test_same_indices_as_prune(self):
        sampler = DRoPSampler(0.3, recalls=RECALLS, random_state=7).fit(X, Y)
        kept = dropkit.prune("random+drop", Y, 0.3, recalls=RECALLS, smoothing=10.0, seed=7)
        assert (sampler.sample_indices_ == kept).all()

    def test_random_state_instance_moves_on(self):
        state = np.random.RandomState(0)
        sampler = DRoPSampler(recalls=RECALLS, random_state=state)
        first = sampler.fit(X, Y).sample_indices_
        assert (sampler.fit(X, Y).sample_indices_ != first).any()


class TestWhereRecallsComeFrom:
    def test_cross_validation_is_that_of_a_loop_over_the_folds(self):
        folds = StratifiedKFold(3, shuffle=True, random_state=5)
        guess = np.empty_like(Y)
        for train, test in folds.split(X, Y):
            guess[test] = clone(PLAIN).fit(X[train], Y[train]).predict(X[test])
        expected = [(guess[k == Y] == k).mean() for k in range(3)]
        sampler = DRoPSampler(estimator=PLAIN, cv=folds).fit(X, Y)
        assert sampler.recalls_ == pytest.approx(expected)
        assert sampler.val_sizes_.tolist() == SIZES.tolist()
        with pytest.raises(NotFittedError):  # the caller's own estimator is left alone
            check_is_fitted(PLAIN)

    def test_default_estimator_takes_dense_and_sparse_alike(self):
        shifted = X + 0  # values only: scaling does not centre
        dense = DRoPSampler(random_state=0).fit(shifted, Y)
        thin = DRoPSampler(random_state=0).fit(sparse.csr_matrix(shifted), Y)
        assert (dense.sample_indices_ == thin.sample_indices_).all()

    def test_fitted_classifier_and_validation_data(self):
        y_val = np.repeat([0, 1, 2], [10, 20, 5])
        guess = np.r_[
            np.repeat([0, 1], [9, 1]), np.repeat([1, 0], [12, 8]), np.repeat([2, 0], [1, 4])
        ]
        parrot = Parrot().fit(X, Y)
        sampler = DRoPSampler(estimator=parrot, validation=(guess[:, None], y_val)).fit(X, Y)
        assert sampler.recalls_.tolist() == [0.9, 0.6, 0.2]
        assert sampler.val_sizes_.tolist() == [10, 20, 5]
        assert_rounded(
            sampler.sampling_strategy_.values(),
            smoothed_shares(SIZES, RECALLS, 0.5, [10, 20, 5]),
        )

    def test_unfitted_classifier_is_fitted_to_the_data_to_be_pruned(self):
        half = np.arange(Y.size) % 2 == 0
        sampler = DRoPSampler(estimator=PLAIN, validation=(X[half], Y[half])).fit(
            X[~half], Y[~half]
        )
        guess = clone(PLAIN).fit(X[~half], Y[~half]).predict(X[half])
        expected = [(guess[Y[half] == k] == k).mean() for k in range(3)]
        assert sampler.recalls_ == pytest.approx(expected)

    def test_frozen_classifier_survives_a_clone(self):
        parrot = FrozenEstimator(Parrot().fit(X, Y))
        sampler = clone(DRoPSampler(estimator=parrot, validation=(Y[:, None], Y)))
        with pytest.warns(UserWarning, match="all recalls are 1"):
            sampler.fit(X, Y)
        assert sampler.recalls_.tolist() == [1, 1, 1]

    def test_predictions_may_come_as_a_column(self):
        class Column(Parrot):
            def predict(self, X):
                return super().predict(X)[:, None]

        features = np.c_[np.where(np.arange(Y.size) % 4 == 0, 0, Y), Y]
        plain = DRoPSampler(estimator=Parrot()).fit(features, Y)
        column = DRoPSampler(estimator=Column()).fit(features, Y)
        expected = [(features[k == Y, 0] == k).mean() for k in range(3)]
        assert column.recalls_ == pytest.approx(expected)
        assert plain.recalls_.tolist() == column.recalls_.tolist()

    def test_some_predictions_that_are_no_class_are_warned_of(self):
        data = (np.where(np.arange(Y.size) % 2 == 0, 7, Y)[:, None], Y)
        sampler = DRoPSampler(estimator=Parrot().fit(X, Y), validation=data)
        with pytest.warns(UserWarning, match="^7 is predicted but is no class of the labels: such"):
            sampler.fit(X, Y)
        assert sampler.recalls_ == pytest.approx(
            [(np.flatnonzero(k == Y) % 2 == 1).mean() for k in range(3)]
        )

    def test_class_without_validation_samples_is_named_and_gets_the_prior(self):
        data = (Y[Y < 2][:, None], Y[Y < 2])
        sampler = DRoPSampler(estimator=Parrot().fit(X, Y), validation=data)
        with pytest.warns(UserWarning, match="no samples of class 2"):
            sampler.fit(X, Y)
        assert np.isnan(sampler.recalls_[2])
        shares = smoothed_shares(SIZES, [1, 1, 0.5], 0.5, [*np.bincount(Y[Y < 2]), 0])
        assert_rounded(sampler.sampling_strategy_.values(), shares)
        with pytest.raises(ValueError, match="no samples of class 2.*smoothing above 0"):
            sampler.set_params(smoothing=0).fit(X, Y)


class TestGroups:
    def test_groups_take_the_place_of_classes(self):
        accuracy = np.linspace(0.3, 0.9, 6)
        sampler = DRoPSampler(recalls=accuracy, random_state=0)
        sampler.fit_resample(X, Y, groups=GROUPS)
        kept = np.bincount(GROUPS[sampler.sample_indices_])
        assert_rounded(kept, smoothed_shares(np.bincount(GROUPS), accuracy, 0.5))

    def test_accuracy_within_each_group_is_measured(self):
        guess = np.where(np.arange(Y.size) % 3 == 0, (Y + 1) % 3, Y)
        data = (guess[:, None], Y, GROUPS)
        sampler = DRoPSampler(estimator=Parrot().fit(X, Y), validation=data)
        sampler.fit_resample(X, Y, groups=GROUPS)
        expected = [(guess == Y)[g == GROUPS].mean() for g in range(6)]
        assert sampler.recalls_ == pytest.approx(expected)
        with pytest.raises(ValueError, match=r"3 entries: expected \(X, y\)"):
            sampler.fit_resample(X, Y)

    def test_groups_reach_the_sampler_through_a_search_over_a_pipeline(self):
        with sklearn.config_context(enable_metadata_routing=True):
            step = DRoPSampler(random_state=0).set_fit_resample_request(groups=True)
            search = GridSearchCV(
                Pipeline([("drop", step), ("clf", PLAIN)]), {"drop__density": [0.4]}
            )
            search.fit(X, Y, groups=GROUPS)
            assert search.best_estimator_["drop"].classes_.tolist() == list(range(6))


class Dataset:
    def __len__(self):
        return Y.size

    def __getitem__(self, i):
        return X[i], Y[i]


class TestInputs:
    def test_data_frames_keep_index_types_and_names(self):
        frame = pd.DataFrame(
            {"x": X[:, 0], "where": pd.Categorical(np.array(["sea", "land"])[Y % 2])},
            index=np.arange(Y.size) + 1000,
        )
        target = pd.Series(np.array(["a", "b", "c"])[Y], name="what", index=frame.index)
        sampler = DRoPSampler(recalls=RECALLS, random_state=0)
        X_kept, y_kept = sampler.fit_resample(frame, target)
        pd.testing.assert_frame_equal(X_kept, frame.iloc[sampler.sample_indices_])
        pd.testing.assert_series_equal(y_kept, target.iloc[sampler.sample_indices_])

    def test_sparse_and_images_are_only_indexed(self):
        sampler = DRoPSampler(recalls=RECALLS, random_state=0)
        thin, _ = sampler.fit_resample(sparse.csr_matrix(X), Y)
        assert (thin.toarray() == X[sampler.sample_indices_]).all()
        images = np.arange(Y.size * 12, dtype=np.float32).reshape(-1, 3, 2, 2)
        kept, _ = sampler.fit_resample(images, Y)
        assert (kept == images[sampler.sample_indices_]).all()
        missing = np.where(X > 1, np.nan, X)
        kept, _ = sampler.fit_resample(missing, Y)
        np.testing.assert_array_equal(kept, missing[sampler.sample_indices_])

    def test_names_of_files_are_only_indexed(self):
        files = [f"{i}.png" for i in range(Y.size)]
        sampler = DRoPSampler(recalls=RECALLS, random_state=0)
        kept, _ = sampler.fit_resample(files, Y)
        assert kept == [files[i] for i in sampler.sample_indices_]
        series = pd.Series(files, index=np.arange(Y.size) + 1000)
        kept, _ = sampler.fit_resample(series, Y)
        pd.testing.assert_series_equal(kept, series.iloc[sampler.sample_indices_])

    def test_search_over_density_in_a_pipeline_with_scaling(self):
        steps = [("scale", StandardScaler()), ("drop", DRoPSampler(random_state=0)), ("clf", PLAIN)]
        search = GridSearchCV(Pipeline(steps), {"drop__density": [0.25, 1.0]}, cv=3).fit(X, Y)
        kept = [
            clone(search.best_estimator_).set_params(drop__density=d).fit(X, Y)["drop"]
            for d in (0.25, 1.0)
        ]
        assert [len(step.sample_indices_) for step in kept] == [150, 600]
        assert search.predict(X).shape == Y.shape  # nothing is dropped from what is predicted


def labels_with(missing):
    names = np.array(["a", "b", "c"], dtype=object)[Y]
    names[4] = missing
    return names


@pytest.mark.parametrize(
    "settings, data, message",
    [
        ({}, (X, Y[:-1]), "inconsistent numbers of samples"),
        ({}, (X[:0], Y[:0]), "0 sample"),
        ({}, (X, np.zeros(Y.size)), "more than 1 class"),
        ({}, (X, labels_with(None)), r"y\[4\] is None: every sample needs a label"),
        ({}, (X, labels_with(np.nan)), r"y\[4\] is nan: every sample needs a label"),
        ({}, (X, labels_with(pd.NA)), r"y\[4\] is <NA>: every sample needs a label"),
        ({}, (X, np.where(Y == 1, np.nan, Y)), r"y\[\d+\] is nan: every sample needs a label"),
        ({"density": 0}, (X, Y), r"'density' .* must be a float in the range \(0.0, 1.0\]"),
        ({"recalls": [0.5, 0.5]}, (X, Y), r"recalls have shape \(2,\): expected \(3,\)"),
        ({"recalls": {0: 1, 1: 1}}, (X, Y), "one entry a class, but 2 is missing"),
        ({"recalls": {0: 1, 1: 1, 2: 1, 3: 1}}, (X, Y), "but 3 is no class of the labels"),
        ({"recalls": [0.5, 0.5, 2]}, (X, Y), r"recalls\[2\] is 2.0: it must lie in \[0, 1\]"),
        ({"recalls": RECALLS, "estimator": PLAIN}, (X, Y), "pass one"),
        ({"val_sizes": [9, 9, 9]}, (X, Y), "val_sizes are given without recalls"),
        ({"recalls": RECALLS}, (Dataset(), Y), "X is of type Dataset: expected an array"),
        ({}, (np.where(X > 1, np.nan, X), Y), r"default estimator.*contains NaN\): pass the class"),
        ({}, (pd.DataFrame({"x": ["a"] * Y.size}), Y), "default estimator, .*'a'.: pass the class"),
        (
            {"estimator": Parrot().fit(X, Y), "validation": (Y[:, None], NAMES[Y])},
            (X, NAMES[Y]),
            "0 is predicted but is no class of the labels, and neither is any other prediction",
        ),
        (
            {"estimator": Probabilities().fit(X, Y), "validation": (X, Y)},
            (X, Y),
            r"the estimator predicts an array of shape \(600, 3\): expected \(600,\), the class",
        ),
        (
            {"recalls": RECALLS, "density": 0.0005, "below": "keep"},
            (X, Y),
            "^density is 0.0005: of 600 samples that keeps none, so it must be at least 1/600$",
        ),
        ({"minimum": 1.5, "recalls": RECALLS}, (X, Y), "'minimum' parameter"),
        ({"validation": (X,)}, (X, Y), r"1 entries: expected \(X, y\)"),
        ({"validation": (X, Y[1:])}, (X, Y), "inconsistent numbers of samples"),
        ({"validation": (X, Y + 1)}, (X, Y), "3 is in the validation data but not in"),
        (
            {"recalls": [1, 1, 0.2], "smoothing": 0, "density": 0.05, "below": "raise"},
            (X, Y),
            "classes 0, 1 would keep fewer than the minimum of 1 at density 0.05",
        ),
        (
            {"recalls": RECALLS, "minimum": 20, "density": 0.05, "below": "keep"},
            (X, Y),
            "at least 20 samples of each class are 60 in all, but 30 are to be kept",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(settings, data, message):
    with pytest.raises(ValueError, match=message) as error:
        DRoPSampler(**settings).fit_resample(*data)
    assert len(str(error.value).splitlines()) == 1


def test_groups_of_two_columns():
    pairs = np.c_[GROUPS, Y]
    with pytest.raises(ValueError, match=r"groups have shape \(600, 2\).* such as 'cat, indoors'"):
        DRoPSampler(recalls=RECALLS).fit_resample(X, Y, groups=pairs)


def test_groups_of_another_length():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DRoPSampler(recalls=RECALLS).fit_resample(X, Y, groups=GROUPS[1:])


def test_below_keep_holds_the_minimum_and_the_total():
    sampler = DRoPSampler(0.1, recalls=[1, 1, 0.2], smoothing=0, minimum=3, below="keep")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler.fit(X, Y)
    assert sampler.sampling_strategy_ == {0: 3, 1: 3, 2: 54}
    assert np.bincount(Y[sampler.sample_indices_]).tolist() == [3, 3, 54]
