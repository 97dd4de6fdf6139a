"""`keep` is the sampler without X, whatever labels and recalls are made of."""

import numpy as np
import pandas as pd
import pytest
import torch

import dropkit

NAMES = np.array(["ant", "bee", "cat"])
CODES = np.random.default_rng(0).integers(0, 3, 600)
RECALLS = [0.9, 0.6, 0.2]
EXPECTED = dropkit.prune("random+drop", CODES, 0.5, recalls=RECALLS, smoothing=10.0, seed=3)


@pytest.mark.parametrize(
    "labels",
    [CODES, NAMES[CODES], NAMES[CODES].tolist(), pd.Series(NAMES[CODES]).astype("category")],
)
def test_labels_of_any_kind(labels):
    assert dropkit.keep(labels, 0.5, RECALLS, seed=3).indices.tolist() == EXPECTED.tolist()


def test_labels_of_torch():
    kept = dropkit.keep(torch.tensor(CODES), 0.5, RECALLS, seed=3)
    assert kept.indices.tolist() == EXPECTED.tolist()


def test_recalls_by_class():
    by_class = {"cat": 0.2, "ant": 0.9, "bee": 0.6}
    for recalls in (by_class, pd.Series(by_class)):
        kept = dropkit.keep(NAMES[CODES], 0.5, recalls, seed=3)
        assert kept.indices.tolist() == EXPECTED.tolist()
    sizes = {"cat": 7, "ant": 5, "bee": 6}
    kept = dropkit.keep(NAMES[CODES], 0.5, by_class, val_sizes=sizes)
    few = {"recalls": RECALLS, "val_sizes": [5, 6, 7], "smoothing": 10.0}
    assert kept.indices.tolist() == dropkit.prune("random+drop", CODES, 0.5, **few).tolist()


def test_it_keeps_what_the_sampler_keeps():
    sampler = dropkit.DRoPSampler(0.3, recalls=RECALLS, random_state=7)
    sampler.fit_resample(np.zeros((600, 1)), NAMES[CODES])
    kept = dropkit.keep(NAMES[CODES], 0.3, RECALLS, seed=7)
    assert kept.indices.tolist() == sampler.sample_indices_.tolist()
    assert dict(zip(NAMES, kept.table.counts, strict=True)) == sampler.sampling_strategy_


def test_the_highest_scores_of_each_class_stay():
    scores = np.random.default_rng(1).random(600)
    kept = dropkit.keep(CODES, 0.4, RECALLS, scores=scores)
    gone = np.setdiff1d(np.arange(600), kept.indices)
    for k in range(3):
        stay, go = kept.indices[CODES[kept.indices] == k], gone[CODES[gone] == k]
        assert scores[stay].min() > scores[go].max()


def test_a_class_that_goes_is_warned_of():
    with pytest.warns(UserWarning, match="class ant would keep fewer than the minimum of 1"):
        dropkit.keep(NAMES[CODES], 0.2, [1.0, 0.5, 0.5], smoothing=0)
    kept = dropkit.keep(NAMES[CODES], 0.2, [1.0, 0.5, 0.5], smoothing=0, below="keep")
    assert kept.table.counts[0] == 1


@pytest.mark.parametrize(
    ("recalls", "message"),
    [
        ({"ant": 1, "bee": 1}, "recalls must have one entry a class, but 'cat' is missing"),
        ([1, 1], r"recalls have shape \(2,\): expected \(3,\), one for each class"),
    ],
)
def test_recalls_that_do_not_fit(recalls, message):
    with pytest.raises(ValueError, match=message):
        dropkit.keep(NAMES[CODES], 0.5, recalls)
