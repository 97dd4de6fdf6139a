"""Recalls of a scikit-learn classifier, on validation data or by cross-validation."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
    cross_val_predict,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted

from dropkit._common.checks import Floats, Ints
from dropkit._common.labels import check_predictions, encode
from dropkit.metrics import group_recalls


def measure_recalls(
    estimator: BaseEstimator | None,
    X: Any,
    y: np.ndarray,
    codes: Ints,
    classes: np.ndarray,
    *,
    groups: bool,
    validation: tuple | None,
    cv: Any,
    seed: int,
    cv_groups: np.ndarray | None = None,
    sample_weight: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> tuple[Floats, Ints]:
    """Return the recall of each of K classes, and the samples that it was measured on, (K,) both.

    `codes` (n,) are indices into `classes` (K,) or, where quotas go by `groups`, into these. No
    group of `cv_groups` (n,) is in the training and in the test part of a fold.
    """
    estimator = default_estimator(X) if estimator is None else estimator
    known = np.unique(y)
    if validation is not None:
        estimator = _fitted(estimator, X, y, sample_weight)
        X_val, y, codes = _validation(validation, classes, groups)
        predictions = estimator.predict(X_val)
    else:
        if isinstance(cv, Integral):
            if (most := np.bincount(codes).max()) < cv:
                raise ValueError(
                    f"no class has more than {most} samples, too few for cv={cv} folds: lower cv, "
                    "or pass validation data or recalls"
                )
            kind = StratifiedKFold if cv_groups is None else StratifiedGroupKFold
            folds = kind(int(cv), shuffle=True, random_state=seed % 2**32)
            cv = list(folds.split(codes, codes, cv_groups))
        else:
            cv = list(check_cv(cv, y, classifier=True).split(X, y, cv_groups))
        params = weighted(estimator, sample_weight)
        predictions = cross_val_predict(estimator, X, y, cv=cv, n_jobs=n_jobs, params=params)
    predictions = np.asarray(predictions)
    if predictions.shape not in [(y.size,), (y.size, 1)]:
        raise ValueError(
            f"the estimator predicts an array of shape {predictions.shape}: expected "
            f"({y.size},), the class of each sample"
        )
    predictions = predictions.ravel()
    check_predictions(predictions, known)
    sizes = np.bincount(codes, minlength=classes.size)
    return group_recalls(codes, y, predictions, classes.size), sizes


def default_estimator(X: Any) -> BaseEstimator:
    try:
        check_array(X, accept_sparse=["csr", "csc"])
    except ValueError as error:
        reason = str(error).splitlines()[0].rstrip(".:")
        raise ValueError(
            f"the default estimator, a logistic regression, cannot use X ({reason}): pass the "
            "classifier that is going to be trained as estimator"
        ) from error
    scaler = StandardScaler(with_mean=False)  # centring would fill a sparse matrix
    return make_pipeline(scaler, LogisticRegression(max_iter=1000))


def weighted(estimator: BaseEstimator, sample_weight: np.ndarray | None) -> dict[str, Any]:
    """Return what `fit` of an estimator, or of a pipeline, takes as sample weights; {} of None."""
    if sample_weight is None:
        return {}
    routed = get_config()["enable_metadata_routing"]
    step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) and not routed else ""
    return {f"{step}sample_weight": sample_weight}


def _fitted(
    estimator: BaseEstimator, X: Any, y: np.ndarray, sample_weight: np.ndarray | None
) -> BaseEstimator:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return clone(estimator).fit(X, y, **weighted(estimator, sample_weight))
    return estimator


def _validation(data: tuple, classes: np.ndarray, groups: bool) -> tuple[Any, np.ndarray, Ints]:
    """Return validation samples, their labels, and the indices of their classes or groups."""
    if len(data) != 2 + groups:
        expected = "(X, y, groups), since groups are given" if groups else "(X, y)"
        raise ValueError(f"validation has {len(data)} entries: expected {expected}")
    check_consistent_length(*data)
    y = np.asarray(data[1])
    present, codes = encode(data[-1], "validation groups" if groups else "validation labels")
    places = {name: k for k, name in enumerate(classes.tolist())}
    unknown = [name for name in present.tolist() if name not in places]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is in the validation data but not in the data to be pruned: "
            f"expected only {', '.join(map(repr, classes[:10].tolist()))}"
            + (", ..." if classes.size > 10 else "")
        )
    return data[0], y, np.array([places[name] for name in present.tolist()])[codes]
