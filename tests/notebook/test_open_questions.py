"""Where gains begin, against cases that can be seen by eye."""

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_rel

from dropkit.datasets.data import Data
from dropkit.metrics import Difference
from dropkit.notebook import open_questions as questions
from dropkit.study.curves import Setting
from dropkit.training import recipes


def test_a_straight_line_crosses_where_it_does():
    """In log2 of the count, gains -1, 0.5: zero two thirds of the way from 2 to 4."""
    found = questions.crossing([2, 4, 8], [-1.0, 0.5, 1.0])
    assert found == pytest.approx(2 ** (1 + 2 / 3))


@pytest.mark.parametrize(
    ("gains", "place"),
    [([1, -1, 1], 10**1.5), ([1, 1, 1], 1), ([1, 1, -1], np.inf), ([-1, 0, 1], 10)],
)
def test_the_last_crossing_counts(gains, place):
    assert questions.crossing([1, 10, 100], gains) == pytest.approx(place)


def record(protocol, seed, level, *, smoothing=0.0, val=5):
    trial = {"protocol": protocol, "seed": seed, "smoothing": smoothing}
    return {"trial": trial, "query": {"val_sizes": [val, val]}, "recalls": [level, 0.9]}


RECORDS = [record("random", seed, 0.5 + seed / 100) for seed in range(4)] + [
    record("random+drop", seed, 0.5 + seed / 100 + gain, val=val, smoothing=smoothing)
    for seed in range(4)
    for smoothing in (0.0, 10.0)
    for val, gain in ((1, -0.1 if smoothing == 0 else 0.1), (16, 0.1))
]


def test_records_by_their_validation_samples():
    curves = questions.by_validation(reversed(RECORDS))
    assert list(curves) == ["as printed", "pseudo-count 10", "random"]
    assert list(curves["as printed"]) == [1, 16]
    np.testing.assert_allclose(curves["as printed"][16][:, 0], 0.6 + np.arange(4) / 100)
    more = [record("random", seed, 0.9) for seed in range(4, 7)]  # which no other has
    again = questions.by_validation(more + RECORDS)
    np.testing.assert_array_equal(again["random"][1], curves["random"][1])


def test_enough_samples():
    curves = questions.by_validation(RECORDS)
    assert questions.enough(curves, "as printed", "worst") == pytest.approx((4, 4, 4))
    assert questions.told(questions.enough(curves, "as printed", "worst"), [1, 16]) == (
        "from 4 on [4, 4]"
    )
    always = questions.enough(curves, "pseudo-count 10", "worst")
    assert questions.told(always, [1, 16]) == "from 1, the least, on [1, 1]"
    wave = [record("random+drop", s, 0.5 + s / 100 + g) for s, g in enumerate((0.1, -0.1) * 2)]
    unsure = questions.enough(questions.by_validation(RECORDS[:4] + wave), "as printed", "worst")
    assert unsure.low == 5 and unsure.high == np.inf
    assert questions.told((np.inf, 5, np.inf), [1, 16]) == "not even with 16"


def gain(value):
    return Difference(value, value - 1, value + 1)


def test_the_safest_rule_is_chosen_on_the_others():
    gains = {
        "a": {"bold": gain(9), "safe": gain(2), "rare": gain(99)},
        "b": {"bold": gain(-5), "safe": gain(1)},
        "c": {"bold": gain(8), "safe": gain(3)},
    }
    assert questions.safest(gains, ["a", "c"]) == "bold"
    assert questions.safest(gains, ["a", "b"]) == "safe"


def test_averages_are_equal_where_the_hard_classes_are_so_much_of_the_test():
    rng = np.random.default_rng(0)
    minus, hard = rng.uniform(0.3, 0.6, (12, 5)), np.array([1, 0, 0, 0, 0], bool)
    plus = minus + np.where(hard, 0.3, -0.1)
    found = questions.break_even(plus, minus, hard)
    assert found == pytest.approx((0.25, 0.25, 0.25))
    weights = np.where(hard, found.value, (1 - found.value) / 4)
    assert ((plus - minus) @ weights).mean() == pytest.approx(0)
    assert questions.break_even(minus - 0.1, minus, hard).value == 1
    assert questions.break_even(minus + 0.1 + 0.1 * hard, minus, hard).value == 0


def test_spreads_of_a_square():
    """Two classes of two points: half a side about their means, the means three apart."""
    x = np.array([[0, 0], [0, 1], [3, 0], [3, 1], [9, 9], [9, 9]], float)
    y, train = np.array([0, 0, 1, 1, 0, 1]), np.arange(4)
    own, apart = questions.spreads(Data(x, y, train, np.array([4]), np.array([5]), ("a", "b")))
    np.testing.assert_allclose(own, 0.5)
    np.testing.assert_allclose(apart, 3)


def test_rank_correlation_as_in_scipy():
    rng = np.random.default_rng(1)
    x = rng.normal(size=60).round(1)
    y = x + rng.normal(size=60)
    found = questions.rank_correlation(x, y)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert found.low < found.value < found.high < 1


def test_shares_of_groups_are_exchanged_within_their_class():
    """Two classes on two backgrounds: 6 and 2 samples of the one, 1 and 3 of the other."""
    groups = np.repeat([0, 1, 2, 3], [6, 2, 1, 3])
    data = Data(
        np.zeros((12, 1)), groups // 2, np.arange(12), np.arange(12), np.arange(12),
        ("a", "b"), groups, tuple("wxyz"),
    )  # fmt: skip
    found = questions.mixes(data)
    np.testing.assert_allclose(12 * found["train"], [6, 2, 1, 3])
    np.testing.assert_allclose(12 * found["swapped"], [2, 6, 3, 1])
    np.testing.assert_allclose(found["even"], 0.25)


def test_what_is_kept_of_a_class_with_wrong_labels_and_what_that_moves():
    recalls = {"random": np.array([[0.5, 0.7], [0.6, 0.8]])}
    recalls["random+drop"] = recalls["random"] + 0.1
    own = {"random": np.array([0.5, 0.6]), "random+drop": np.array([0.8, 0.8])}
    kept = {"random": np.array([10, 20]), "random+drop": np.array([20, 40])}
    plain, drop = questions.noise_table(questions.Noisy(recalls, own, kept), "random").rows
    assert plain == ["Random", "1.0", "", "", ""]
    assert drop[:2] == ["Random+DRoP", "2.0"]
    assert [cell.split(" ")[0] for cell in drop[2:]] == ["+25.0", "+10.0", "+10.0"]
    low, high = ttest_rel(100 * own["random+drop"], 100 * own["random"]).confidence_interval()
    assert questions.gained(own, "random+drop", "random") == pytest.approx((25, low, high))


def test_each_class_has_wrong_labels_in_turn():
    asked = []

    def run(trials):
        k = len(asked)
        asked.append({trial.dataset for trial in trials})
        recalls = np.full(10, 0.5)
        recalls[k] = 0.1 * k
        kept = np.arange(10) + k
        trial = {"protocol": "random", "density": 0.3, "seed": 0, "dataset": "x", "model": "mlp"}
        trial |= {"recipe": {}, "recall_query": None}
        return [{"key": "a", "trial": trial, "recalls": recalls, "kept": kept}]

    model, recipe = recipes.defaults("digits")
    how = {"protocols": ["random"], "seeds": 1, "model": model, "recipe": recipe}
    noisy = questions.with_wrong_labels(run, "digits", 0.25, 0.3, **how)
    assert asked == [{f"digits-swapped-{k}-0.25"} for k in range(10)]
    np.testing.assert_allclose(noisy.own["random"], 0.1 * np.arange(10))
    np.testing.assert_array_equal(noisy.kept["random"], 2 * np.arange(10))
    assert noisy.recalls["random"].shape == (10, 10)


def test_a_rule_is_tested_where_it_was_not_chosen():
    random, good = np.full((3, 4), 0.5), np.full((3, 4), 0.6)
    bad = np.full((3, 4), 0.3)
    rules = {"random": random, "a": good, "b": bad, "pseudo-count 1": random}
    cases = {"one": rules, "two": rules | {"a": bad, "b": good}, "three": rules}
    gains = {
        case: {rule: Difference(*[100 * (of[rule] - random).mean()] * 3) for rule in "ab"}
        for case, of in cases.items()
    }
    found = {each.case: each for each in questions.tested(cases, gains, cases)}
    assert found["two"].rule == "a" and found["two"].tenth.value == pytest.approx(-20)
    assert found["two"].average.value == pytest.approx(-20)
    assert found["two"].on_one.value == pytest.approx(-20)


def test_numbers_of_validation_samples_are_cases():
    curves = questions.by_validation(RECORDS)
    cases = questions.by_count(curves, "X")
    assert list(cases) == ["X, 16 a class", "X, 1 a class"]
    assert set(cases["X, 1 a class"]) == {"random", "DRoP as printed", "pseudo-count 10"}
    np.testing.assert_array_equal(cases["X, 16 a class"]["random"], curves["random"][1])


def setting(dataset):
    return Setting(dataset, "linear", 1.0, "{}")


def cells(**levels):
    """Cells of four seeds at density 0.3: two classes, of which the worse one is at a level."""
    wave = (0.0, 0.01, -0.01, 0.0)
    return {
        label: {0.3: {s: {"recalls": [level + w, 0.9]} for s, w in enumerate(wave)}}
        for label, level in levels.items()
    }


def test_gains_over_several_tests_are_means_of_each_seed():
    found = {
        setting("cifar100c-blur-features"): cells(random=0.3, drop=0.5),
        setting("cifar100c-jpeg-features"): cells(random=0.4, drop=0.5),
    }
    found[setting("cifar100c-jpeg-features")]["drop"][0.3][9] = {"recalls": [0.0, 0.0]}
    assert questions.over_shifts(found, "drop", 0.3, "worst") == pytest.approx((15, 15, 15))
    worse = np.array([True, False])
    assert questions.over_shifts(found, "drop", 0.3, "average", worse).value == pytest.approx(15)
    assert questions.over_shifts(found, "drop", 0.3, "average", ~worse).value == pytest.approx(0)


def test_each_test_has_a_line():
    found = {setting("cifar100c-blur-features"): cells(random=0.3, drop=0.5, full=0.6)}
    (of,) = found.values()
    of["full"] = {1.0: of["full"][0.3]}
    ((test, level, low, *gains, still),) = questions.by_test(
        found, "drop", 0.3, np.array([False, True])
    ).rows
    assert (test, level, low, still) == ("blur", "75.0", "30.0", "0 of 1")
    assert [gain.split(" ")[0] for gain in gains] == ["+20.0", "+10.0", "+0.0"]


def test_the_hardest_tenth():
    recalls = np.tile(np.linspace(0.9, 0.1, 20), (3, 1))
    assert np.flatnonzero(questions.hardest(recalls)).tolist() == [18, 19]


def test_no_class_keeps_more_than_the_cap_times_the_density():
    rng = np.random.default_rng(2)
    sizes, val = rng.integers(50, 500, 8).astype(float), np.full(8, 40.0)
    recalls = rng.uniform(0.1, 1, 8)
    errors = ((1 - recalls) * val + 10) / (val + 20)
    for cap in (1.1, 1.5, 9.0):
        found = questions.capped(cap, 10)(sizes, recalls, val)
        mean = (sizes @ found) / sizes.sum()
        assert found.max() <= cap * mean * (1 + 1e-6)
        below = found < errors - 1e-12
        np.testing.assert_allclose(found[below], cap * mean, rtol=1e-6)
    np.testing.assert_array_equal(found, errors)
