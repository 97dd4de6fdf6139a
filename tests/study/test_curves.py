"""Records in the order that comparisons and figures take them in."""

import pytest

from dropkit.study import curves
from tests.made_records import QUERY, RECIPE, grid, only, random_rows, record


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "random+drop"),
        ({"smoothing": 1.0}, "random+drop (smoothed)"),
        ({"smoothing": 10.0}, "random+drop (smoothed), pseudo-count 10"),
        ({"rule": "counts"}, "random+drop, by counts"),
        ({"recall_query": QUERY | {"recipe": {"epochs": 1}}}, "random+drop, query of 1 epoch"),
        ({"recall_query": QUERY | {"val_share": 0.1}}, "random+drop, 0.1 of validation"),
        ({"recall_query": QUERY | {"val_noise": 0.4}}, "random+drop, validation noise 0.4"),
        ({"recall_query": QUERY | {"initialisations": 1}}, "random+drop, 1 query model"),
        ({"recipe": RECIPE | {"select": "best"}}, "random+drop, best"),
    ],
)
def test_the_label_says_what_sets_a_trial_apart(given, expected):
    trial = record("random+drop", recall_query=QUERY, **{})["trial"] | given
    assert curves.label(trial) == expected


def test_the_usual_query_is_a_tenth_of_the_schedule_ten_epochs_or_a_third():
    for epochs, tenth in ((160, 16), (200, 20), (60, 10), (90, 10), (6, 2)):
        trial = record("random+drop", recipe=RECIPE | {"epochs": epochs})["trial"]
        trial["recall_query"] = QUERY | {"recipe": {"epochs": tenth}}
        assert curves.label(trial) == "random+drop"


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
    found = curves.arrange(records)
    assert sorted(setting.name for setting in found) == [
        "a user's own, mlp",
        "digits-2x4, mlp",
        "digits-2x4, mlp, I = 5",
        "digits-2x4, mlp, budget released",
        "digits-2x4, mlp, epochs 30, lr 0.05",
    ]
    assert set(found[min(found, key=lambda s: (s.dataset != "digits-2x4", s.name))]) == {
        "random",
        "random, best",
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
    found = curves.from_largest(only(records), ["full", "random", "el2n"], 0.5)
    assert set(found) == {"full", "random"}
    for rows in found.values():  # the two of one size in their order
        assert rows.tolist() == [[0.1, 0.3, 0.2], [0.5, 0.4, 0.6]]
    assert curves.from_largest(only(records), ["random"], 0.7) == {}


@pytest.mark.parametrize(
    ("dataset", "model", "expected"),
    [
        ("digits-on-photos", "mlp", "digits"),
        ("cifar10", "mini", "mini"),
        ("cifar10", "vgg16", "paper"),
        ("cifar10-features", "linear", "features"),
    ],
)
def test_scales(dataset, model, expected):
    (setting,) = curves.arrange([record(dataset=dataset, model=model)])
    assert setting.scale == expected


def test_the_newest_of_two_runs_counts():
    runs = [
        record(recalls=(0.1, 0.1), time="2026-01-01"),
        record(recalls=(0.2, 0.2), time="2026-01-02"),
    ]
    for order in (runs, runs[::-1]):
        assert only(order)["random"][0.5][0]["recalls"] == [0.2, 0.2]


def test_densities_with_most_seeds():
    rows = random_rows(0)
    records = [
        r
        for density, n in ((0.1, 12), (0.2, 5), (0.3, 12))
        for protocol in ("random", "el2n")
        for r in grid(rows[:n], protocol, density)
    ]
    cells = only(records + grid(rows, "full", 1.0))
    assert curves.shared_densities(cells, "random", "el2n") == [0.1, 0.3]
    assert curves.shared_densities(cells, "el2n", "full") == [0.1, 0.3]
    assert curves.shared_densities(cells, "el2n", "grand") == []
    assert curves.shared_densities(cells, "random", "el2n", each=True) == [0.1, 0.2, 0.3]


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
    assert curves.shared_densities(cells, "random", "el2n") == mean
    assert curves.shared_densities(cells, "random", "el2n", each=True) == each


class TestByProtocol:
    RECORDS = [
        record("random", 0.5, 2, (0.2, 1.0), kept=[2, 7]),
        record("random+drop", 0.5, 0, (0.9, 1.0), recall_query=QUERY, smoothing=1.0, time="2027"),
        record("random", 0.1, 0, (0.3, 1.0)),
        record("random", 0.5, 0, (0.4, 1.0), kept=[0, 7]),
        record("random+drop", 0.5, 0, (0.6, 1.0), recall_query=QUERY),
    ]

    def test_arrangement(self):
        found = curves.by_protocol(self.RECORDS)
        assert found.keys() == {"random", "random+drop", "random+drop (smoothed)"}
        assert list(found["random"]) == [0.1, 0.5]
        assert found["random"][0.5].tolist() == [[0.4, 1.0], [0.2, 1.0]]
        assert found["random+drop"][0.5].tolist() == [[0.6, 1.0]]
        assert found["random+drop (smoothed)"][0.5].tolist() == [[0.9, 1.0]]
        kept = curves.by_protocol(self.RECORDS, "kept")
        assert kept["random"][0.5].tolist() == [[0, 7], [2, 7]]

    def test_the_same_record_twice_counts_once(self):
        found = curves.by_protocol([record("full", 1.0), record("full", 1.0)])
        assert found["full"][1.0].tolist() == [[0.5, 0.9]]
        assert curves.by_protocol([]) == {}

    def test_two_trials_of_a_label(self):
        both = [record("el2n", 0.5, 3), record("el2n", 0.5, 3, time="of another query")]
        with pytest.raises(ValueError, match=r"2 records of el2n at density 0\.5 have seed 3"):
            curves.by_protocol(both)

    def test_two_settings(self):
        both = [record(), record(imbalance=5.0, time="2026-01-02")]
        with pytest.raises(ValueError, match="of digits-2x4, mlp; digits-2x4, mlp, I = 5: they"):
            curves.by_protocol(both)
