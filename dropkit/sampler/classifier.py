"""A classifier that prunes its training data by DRoP first."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import _safe_indexing, column_or_1d, get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from dropkit.pruning import Below
from dropkit.sampler.recalls import default_estimator, weighted
from dropkit.sampler.under_sampler import DRoPSampler


def _fitted_has(name: str) -> Any:
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), name)


class DRoPClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Measure the recalls of a classifier by cross-validation, prune by DRoP, and train it.

    Parameters
    ----------
    estimator : classifier, default=None
        What is trained; None is a logistic regression on scaled features.
    density, smoothing, minimum, below, cv, memory, n_jobs, random_state : as in `DRoPSampler`
        Of the sampler.

    Attributes
    ----------
    estimator_ : classifier
        Fitted to the samples kept.
    sampler_ : DRoPSampler
        What chose them, with `sample_indices_`, `recalls_` and `recall_intervals_`.
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> X, y = load_wine(return_X_y=True)
    >>> model = DRoPClassifier(density=0.5, random_state=0).fit(X, y)
    >>> model.sampler_.sample_indices_.size
    89
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        **{
            name: DRoPSampler._parameter_constraints[name]
            for name in ("density", "smoothing", "minimum", "below", "cv", "memory", "n_jobs")
        },
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        density: float = 0.5,
        *,
        smoothing: float | str = 10.0,
        minimum: int = 1,
        below: Below = "warn",
        cv: Any = 5,
        memory: Any = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.estimator = estimator
        self.density = density
        self.smoothing = smoothing
        self.minimum = minimum
        self.below = below
        self.cv = cv
        self.memory = memory
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        cv_groups: ArrayLike | None = None,
    ) -> "DRoPClassifier":
        """Prune and train.

        Parameters
        ----------
        X, y : as in `DRoPSampler.fit_resample`
            Samples and labels.
        sample_weight, groups, cv_groups : array-like of shape (n_samples,), default=None
            As there; the weights of the samples kept reach the classifier too.
        """
        self._validate_params()
        options = self.get_params(deep=False)
        given = options.pop("estimator")
        y = column_or_1d(y, warn=True)
        self.sampler_ = DRoPSampler(estimator=given, **options)
        X_kept, y_kept = self.sampler_.fit_resample(
            X, y, groups=groups, cv_groups=cv_groups, sample_weight=sample_weight
        )
        estimator = clone(default_estimator(X) if given is None else given)
        kept = self.sampler_.sample_indices_
        weights = None if sample_weight is None else _safe_indexing(np.asarray(sample_weight), kept)
        self.estimator_ = estimator.fit(X_kept, y_kept, **weighted(estimator, weights))
        self.classes_ = self.estimator_.classes_
        self.n_features_in_ = self.sampler_.n_features_in_
        if hasattr(self.sampler_, "feature_names_in_"):
            self.feature_names_in_ = self.sampler_.feature_names_in_
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = (
            self.estimator is None or get_tags(self.estimator).input_tags.sparse
        )
        return tags

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the predicted classes of samples X."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_fitted_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the classes' probabilities for samples X."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_fitted_has("decision_function"))
    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the decision function of samples X."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)
