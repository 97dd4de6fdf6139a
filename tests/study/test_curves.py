"""Arranged records and contrasts against what hand and scipy make of them."""

import numpy as np
import pytest
from scipy import stats

from dropkit.study import curves as evidence
from tests.made_records import QUERY, RECIPE, grid, random_rows, record


def only(records):
    """The cells of the one setting that the records have."""
    (cells,) = evidence.arrange(records).values()
    return cells


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "random+drop"),
        ({"smoothing": 1.0}, "random+drop (smoothed)"),
        ({"rule": "counts"}, "random+drop, by counts"),
        ({"recall_query": QUERY | {"recipe": {"epochs": 1}}}, "random+drop, query of 1 epoch"),
        ({"recall_query": QUERY | {"val_share": 0.1}}, "random+drop, 0.1 of validation"),
        ({"recall_query": QUERY | {"val_noise": 0.4}}, "random+drop, validation noise 0.4"),
        ({"recall_query": QUERY | {"initialisations": 1}}, "random+drop, 1 query model"),
    ],
)
def test_the_label_says_what_sets_a_trial_apart(given, expected):
    trial = record("random+drop", recall_query=QUERY, **{})["trial"] | given
    assert evidence.label(trial) == expected


def test_the_usual_query_is_a_tenth_of_the_schedule_ten_epochs_or_a_third():
    for epochs, tenth in ((160, 16), (200, 20), (60, 10), (90, 10), (6, 2)):
        trial = record("random+drop", recipe=RECIPE | {"epochs": epochs})["trial"]
        trial["recall_query"] = QUERY | {"recipe": {"epochs": tenth}}
        assert evidence.label(trial) == "random+drop"


def test_settings_are_kept_apart_and_losses_are_not():
    records = [
        record(),
        record("full+cdbw", 1.0, recipe=RECIPE | {"loss": "cdbw"}),
        record(imbalance=5.0),
        record(recipe=RECIPE | {"budget": "released"}),
        record(recipe=RECIPE | {"select": "best"}),
        record(recipe=RECIPE | {"epochs": 30, "lr": 0.05}),
        record(dataset="a user's own", recipe=RECIPE | {"epochs": 30}),
        {"key": "another kind of record"},
    ]
    found = evidence.arrange(records)
    assert sorted(setting.name for setting in found) == [
        "a user's own, mlp",
        "digits-2x4, mlp",
        "digits-2x4, mlp, I = 5",
        "digits-2x4, mlp, budget released",
        "digits-2x4, mlp, epochs 30, lr 0.05",
    ]
    assert set(found[min(found, key=lambda s: (s.dataset != "digits-2x4", s.name))]) == {
        "random",
        "full+cdbw",
    }


def test_from_largest_follows_each_seeds_own_sizes():
    sizes = {0: [30, 10, 20], 1: [10, 30, 10]}
    recalls = {0: (0.1, 0.2, 0.3), 1: (0.4, 0.5, 0.6)}
    records = [
        record(protocol, density, seed, recalls[seed]) | {"class_sizes": sizes[seed]}
        for protocol, density in (("random", 0.5), ("random", 0.2), ("full", 1.0))
        for seed in (1, 0)
    ]
    found = evidence.from_largest(only(records), ["full", "random", "el2n"], 0.5)
    assert set(found) == {"full", "random"}
    for rows in found.values():  # the two of one size in their order
        assert rows.tolist() == [[0.1, 0.3, 0.2], [0.5, 0.4, 0.6]]
    assert evidence.from_largest(only(records), ["random"], 0.7) == {}


@pytest.mark.parametrize(
    ("dataset", "model", "expected"),
    [
        ("digits-on-photos", "mlp", "digits"),
        ("cifar10", "mini", "mini"),
        ("cifar10", "vgg16", "paper"),
    ],
)
def test_scales(dataset, model, expected):
    (setting,) = evidence.arrange([record(dataset=dataset, model=model)])
    assert setting.scale == expected


def test_the_newest_of_two_runs_counts():
    runs = [
        record(recalls=(0.1, 0.1), time="2026-01-01"),
        record(recalls=(0.2, 0.2), time="2026-01-02"),
    ]
    for order in (runs, runs[::-1]):
        assert only(order)["random"][0.5][0]["recalls"] == [0.2, 0.2]


def test_seeds_are_paired_where_both_have_them():
    a, b = random_rows(0), random_rows(1)
    records = grid(a, "el2n") + grid(b)[2:9]
    found, seeds = evidence.contrast(only(records), [("el2n", 0.5)], [("random", 0.5)], "worst")
    oracle = stats.ttest_rel(100 * a[2:9].min(1), 100 * b[2:9].min(1)).confidence_interval()
    assert seeds == 7
    assert found[1:] == pytest.approx((oracle.low, oracle.high))
    assert found.value == pytest.approx(100 * (a[2:9].min(1) - b[2:9].min(1)).mean())


def test_the_mean_over_densities_pairs_within_seeds():
    a, b, c = (random_rows(seed) for seed in range(3))
    records = grid(a, "el2n", 0.3) + grid(b, "el2n", 0.7) + grid(c, "full", 1.0)
    plus, minus = [("el2n", 0.3), ("el2n", 0.7)], [("full", 1.0)] * 2
    found, _ = evidence.contrast(only(records), plus, minus, "average")
    values = 100 * (0.5 * a.mean(1) + 0.5 * b.mean(1) - c.mean(1))
    oracle = stats.ttest_1samp(values, 0).confidence_interval()
    assert found == pytest.approx((values.mean(), oracle.low, oracle.high))


def test_many_seeds_have_a_bootstrap_that_draws_the_same_seeds_of_all():
    a, b, c = (random_rows(seed, 30) for seed in range(3))

    def gain(seeds):
        first, second, third = (rows[seeds].mean(axis=0).min() for rows in (a, b, c))
        return (first - second + first - third) / 2

    seeds = np.arange(30)
    oracle = stats.bootstrap(
        (seeds,), gain, vectorized=False, method="percentile", rng=np.random.default_rng(4)
    ).confidence_interval
    value, *ends = evidence.pooled([(a, b), (a, c)])
    assert value == pytest.approx(gain(seeds))
    assert ends == pytest.approx(list(oracle), abs=0.05 * (oracle.high - oracle.low))


def test_the_pooled_worst_class_is_a_minimum_of_means():
    a, b = np.array([[0.2, 0.6], [1.0, 0.4]]), np.full((2, 2), 0.3)
    assert evidence.pooled([(a, b)]).value == pytest.approx(0.5 - 0.3)


@pytest.mark.parametrize("seeds", [2, 20])
def test_pairing_removes_what_seeds_share(seeds):
    shared = np.random.default_rng(6).uniform(0.2, 0.8, (seeds, 1))
    found = evidence.pooled([(shared + [0.1, 0.15], shared + [0.0, 0.05])])
    assert found == pytest.approx((0.1, 0.1, 0.1))


def test_few_seeds_have_a_jackknife_which_is_students_where_one_class_is_always_worst():
    """The minimum is then a mean over seeds, and the jackknife of a mean is its t interval."""
    a, b = random_rows(0, 4), random_rows(1, 4)
    a[:, 0] -= 0.3
    b[:, 2] -= 0.3
    oracle = stats.ttest_rel(a[:, 0], b[:, 2]).confidence_interval()
    assert evidence.pooled([(a, b)])[1:] == pytest.approx((oracle.low, oracle.high))


def test_one_seed_has_no_interval():
    rows = random_rows(0, 1)
    for found in (evidence.pooled([(rows, rows)]), evidence.student(rows.mean(1))):
        assert np.isnan(found[1:]).all()


def test_lacking_records_give_nothing():
    cells = only(grid(random_rows(0)))
    assert evidence.contrast(cells, [("random", 0.5)], [("el2n", 0.5)], "worst") is None
    assert evidence.contrast(cells, [("random", 0.5)], [], "spares") is None  # no full data
    assert evidence.contrast(cells, [], [], "worst") is None


def test_densities_with_most_seeds():
    rows = random_rows(0)
    records = [
        r
        for density, n in ((0.1, 12), (0.2, 5), (0.3, 12))
        for protocol in ("random", "el2n")
        for r in grid(rows[:n], protocol, density)
    ]
    cells = only(records + grid(rows, "full", 1.0))
    assert evidence.shared_densities(cells, "random", "el2n") == [0.1, 0.3]
    assert evidence.shared_densities(cells, "el2n", "full") == [0.1, 0.3]
    assert evidence.shared_densities(cells, "el2n", "grand") == []
    assert evidence.shared_densities(cells, "random", "el2n", each=True) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("counts", "mean", "each"),
    [
        ((3, 2, 1), [0.1, 0.2], [0.1, 0.2]),
        ((2, 1, 1), [0.1], [0.1]),
        ((1, 1, 1), [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]),
    ],
)
def test_a_run_that_is_not_finished_is_compared_where_seeds_allow(counts, mean, each):
    """Seeds at densities 0.1, 0.2 and 0.3: no single seed may cost the others their interval."""
    rows = random_rows(0)
    records = [
        r
        for density, n in zip((0.1, 0.2, 0.3), counts, strict=True)
        for protocol in ("random", "el2n")
        for r in grid(rows[:n], protocol, density)
    ]
    cells = only(records)
    assert evidence.shared_densities(cells, "random", "el2n") == mean
    assert evidence.shared_densities(cells, "random", "el2n", each=True) == each


def test_correlation_of_class_density_and_accuracy():
    full = [record("full", 1.0, s, (0.9, 0.8, 0.5)) for s in range(3)]
    hard_kept = [record("el2n", 0.5, s, (0.9, 0.8, 0.5), kept=[4, 6, 12]) for s in range(3)]
    even = [record("random", 0.5, s, (0.9, 0.8, 0.5), kept=[7, 7, 7]) for s in range(3)]
    cells = only(full + hard_kept + even)
    found, _ = evidence.contrast(cells, [("el2n", 0.5)], [], "spares")
    oracle = stats.pearsonr([4, 6, 12], [0.9, 0.8, 0.5]).statistic
    assert found.value == pytest.approx(oracle)
    assert evidence.contrast(cells, [("random", 0.5)], [], "spares")[0].value == 0
    uneven, _ = evidence.contrast(cells, [("el2n", 0.5)], [("random", 0.5)], "uneven")
    assert uneven.value == pytest.approx(100 * np.std([0.2, 0.3, 0.6]))
