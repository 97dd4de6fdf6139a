"""DRoP for scikit-learn: an under-sampler with imbalanced-learn's interface."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from imblearn.base import BaseSampler
from imblearn.utils import check_target_type
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, check_array, check_consistent_length, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_memory, validate_data

from dropkit._common.labels import check_complete, encode
from dropkit._common.ranking import random_keys, top_in_class
from dropkit.pruning import Below
from dropkit.sampler.keeping import by_class, notice_perfect, smoothed_table
from dropkit.sampler.recalls import measure_recalls
from dropkit.sampler.shrinkage import intervals


def _is_frame(X: Any) -> bool:
    """Whether X has named columns: of pandas, polars or Arrow."""
    return any(hasattr(X, name) for name in ("iloc", "__dataframe__", "__arrow_c_stream__"))


class DRoPSampler(BaseSampler):
    """Under-sample at random, keeping more of the classes that are hard to predict (Algorithm 1).

    Class k keeps the fraction min(1, λ w_k) of its samples, where w_k is its validation error
    with pseudo-counts (`smoothing`) and λ is such that `density` of all samples stay.

    Parameters
    ----------
    density : float in (0, 1], default=0.5
        Fraction of all samples to keep.
    recalls : array-like of shape (n_classes,), dict or Series, default=None
        Validation recalls, in the order of the sorted class labels or, of a dict or a pandas
        Series, by class label. None measures them with `estimator`.
    val_sizes : array-like of shape (n_classes,), dict or Series, default=None
        Validation samples behind each of `recalls`, for the smoothing; by default as many as the
        class has in `y`.
    estimator : classifier, default=None
        What measures the recalls, by cross-validation on the data to be pruned unless there is
        `validation`. Best is the classifier that is going to be trained. None is a logistic
        regression on scaled features, which takes numbers and no missing values.
    validation : (X, y) or (X, y, groups), default=None
        Data to measure the recalls on. A fitted `estimator` is used as it is, another is fitted to
        the data to be pruned first. `clone`, and with it `GridSearchCV`, undoes a fit unless the
        estimator is in a `sklearn.frozen.FrozenEstimator`.
    cv : int or cross-validation generator, default=5
        Folds; a number means shuffled folds stratified by class.
    smoothing : float ≥ 0 or "auto", default=10.0
        Pseudo-count: 1 is Laplace's rule, 0 the paper's, which may delete a class whose
        recall is 1. "auto" draws the recalls towards their mean by as much as the noise of so few
        samples explains (empirical Bayes).
    minimum : int ≥ 0, default=1
        Fewest samples that a class should keep; smaller classes should keep all they have.
    below : {"warn", "raise", "keep"}, default="warn"
        What to do with a class that would fall below the minimum; "keep" holds the minimum.
    memory : str or joblib.Memory, default=None
        Where measured recalls are kept: a grid search over densities and smoothings then measures
        each fold once, if `random_state` is a number.
    n_jobs : int, default=None
        Folds that are trained at once.
    random_state : int, RandomState instance or None, default=None
        Determines the samples drawn and the shuffling of the folds.

    Attributes
    ----------
    sampling_strategy_ : dict
        Number of samples kept of each class, or of each group.
    sample_indices_ : ndarray of shape (n_new_samples,)
        Indices of the samples kept, in increasing order.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels, or group labels; the order of the arrays below.
    recalls_ : ndarray of shape (n_classes,)
        Recalls as measured or given.
    val_sizes_ : ndarray of shape (n_classes,)
        Samples that each recall rests on.
    recall_intervals_ : ndarray of shape (n_classes, 2)
        Clopper and Pearson's 95 % intervals of the recalls.
    densities_ : ndarray of shape (n_classes,)
        Fractions to keep, before rounding to whole samples.
    n_features_in_ : int
        Number of features; there is `feature_names_in_` too if X has names.

    Notes
    -----
    With `recalls` given, X is only indexed, and may hold anything: images of any shape, text, names
    of files. `dropkit.prune` gives the indices to keep of what is no array, as a PyTorch Dataset.

    A weight that was used here is that of the samples kept too: ``w[sampler.sample_indices_]``.
    `DRoPClassifier` passes it on.

    ``pipeline.fit(X, y, groups=groups)`` reaches the sampler when scikit-learn's metadata routing
    is on (``sklearn.set_config(enable_metadata_routing=True)``) and the step is
    ``DRoPSampler().set_fit_resample_request(groups=True)``. Without routing, imbalanced-learn's
    pipeline drops ``step__groups=groups`` and says nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from dropkit.sampler import DRoPSampler
    >>> X, y = np.arange(200).reshape(-1, 1), np.repeat(["easy", "hard"], 100)
    >>> sampler = DRoPSampler(0.5, recalls={"easy": 0.95, "hard": 0.65}, random_state=0)
    >>> X_kept, y_kept = sampler.fit_resample(X, y)
    >>> sampler.sampling_strategy_
    {'easy': 25, 'hard': 75}
    """

    _sampling_type = "bypass"
    # Not a parameter: the base class asks for it, and the quotas take its place.
    sampling_strategy = "auto"

    _parameter_constraints: ClassVar[dict] = {
        "density": [Interval(Real, 0, 1, closed="right")],
        "recalls": ["array-like", dict, None],
        "val_sizes": ["array-like", dict, None],
        "estimator": [HasMethods(["fit", "predict"]), None],
        "validation": [tuple, list, None],
        "cv": ["cv_object"],
        "smoothing": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "minimum": [Interval(Integral, 0, None, closed="left")],
        "below": [StrOptions({"raise", "warn", "keep"})],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        density: float = 0.5,
        *,
        recalls: ArrayLike | Mapping[Any, float] | None = None,
        val_sizes: ArrayLike | Mapping[Any, int] | None = None,
        estimator: BaseEstimator | None = None,
        validation: tuple | None = None,
        cv: Any = 5,
        smoothing: float | str = 10.0,
        minimum: int = 1,
        below: Below = "warn",
        memory: Any = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.density = density
        self.recalls = recalls
        self.val_sizes = val_sizes
        self.estimator = estimator
        self.validation = validation
        self.cv = cv
        self.smoothing = smoothing
        self.minimum = minimum
        self.below = below
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, **params: Any) -> "DRoPSampler":
        """Decide what to keep, as `fit_resample` does, and return the sampler itself."""
        self.fit_resample(X, y, **params)
        return self

    def fit_resample(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        cv_groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> tuple:
        """Return the samples kept, (X_resampled, y_resampled), in the types that came in.

        Parameters
        ----------
        X : array, data frame or sparse matrix of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Labels, numbers or text.
        groups : array-like of shape (n_samples,), default=None
            Labels that take the place of the classes in the quotas, such as label × attribute; a
            group's recall is the accuracy within it.
        cv_groups : array-like of shape (n_samples,), default=None
            What must not be in the training and in the test part of a fold, such as patients.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the fits that the recalls are measured with.

        Returns
        -------
        X_resampled, y_resampled
            As many samples as `density` keeps.

        Raises
        ------
        ValueError
            In one sentence, for parameters out of range, missing or single labels, and lengths
            that differ.
        """
        check_complete(y, "y")
        if _is_frame(X) and not hasattr(X, "iloc"):  # imbalanced-learn would make pandas' of it
            self._validate_params()
            labels = self._check_X_y(X, np.asarray(y))[1]
            self._fit_resample(X, labels, groups, cv_groups, sample_weight)
            return tuple(_safe_indexing(each, self.sample_indices_) for each in (X, y))
        try:
            return super().fit_resample(
                X, y, groups=groups, cv_groups=cv_groups, sample_weight=sample_weight
            )
        except TypeError:
            if np.ndim(y) == 1:
                encode(y, "y")  # raises for labels of several types, which nothing can sort
            raise

    def _check_X_y(self, X: Any, y: Any) -> tuple:
        y, binarized = check_target_type(y, indicate_one_vs_all=True)
        if not _is_frame(X):  # which keeps its types
            if not (isinstance(X, list | tuple) or hasattr(X, "shape") or hasattr(X, "__array__")):
                raise ValueError(
                    f"X is of type {type(X).__name__}: expected an array, a data frame, a sparse "
                    "matrix or a list; of a PyTorch Dataset, dropkit.prune gives the indices"
                )
            X = check_array(
                X,
                dtype=None,
                accept_sparse=["csr", "csc"],
                ensure_all_finite=False,
                ensure_2d=self.recalls is None,
                allow_nd=True,
            )
        X, y = validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        check_consistent_length(X, y)
        return X, y, binarized

    def _fit_resample(
        self,
        X: Any,
        y: np.ndarray,
        groups: ArrayLike | None = None,
        cv_groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> tuple:
        check_consistent_length(X, y, groups, cv_groups, sample_weight)
        classes, codes = encode(y, "y") if groups is None else encode(groups, "groups")
        sizes = np.bincount(codes)
        seed = self.random_state  # the same as `prune`'s where it is a number
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(2**31 - 1)
        if self.recalls is None and self.val_sizes is not None:
            raise ValueError("val_sizes are given without recalls, which they belong to: pass both")
        if self.recalls is None:
            recalls, val_sizes = check_memory(self.memory).cache(
                measure_recalls, ignore=["n_jobs"]
            )(
                self.estimator,
                X,
                y,
                codes,
                classes,
                groups=groups is not None,
                validation=self.validation,
                cv=self.cv,
                seed=seed,
                cv_groups=None if cv_groups is None else np.asarray(cv_groups),
                sample_weight=None if sample_weight is None else np.asarray(sample_weight),
                n_jobs=self.n_jobs,
            )
        elif self.estimator is not None or self.validation is not None:
            raise ValueError("recalls and an estimator or validation data are given: pass one")
        else:
            recalls = by_class(self.recalls, classes, "recalls")
            given = self.val_sizes
            val_sizes = sizes if given is None else by_class(given, classes, "val_sizes")
        if self.recalls is not None or self.validation is not None:  # not of folds
            notice_perfect(recalls)
        table = smoothed_table(
            classes,
            sizes,
            recalls,
            self.density,
            smoothing=self.smoothing,
            val_sizes=val_sizes,
            minimum=self.minimum,
            below=self.below,
        )
        kept = top_in_class(random_keys(seed)(codes.size), codes, table.counts)
        self.classes_, self.recalls_, self.val_sizes_ = classes, table.recalls, val_sizes
        self.densities_ = table.densities
        self.recall_intervals_ = intervals(table.recalls, val_sizes)
        self.sampling_strategy_ = dict(zip(classes.tolist(), table.counts.tolist(), strict=True))
        self.sample_indices_ = kept
        return _safe_indexing(X, kept), _safe_indexing(y, kept)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.sampler_tags.sample_indices = True
        return tags
