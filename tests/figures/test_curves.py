"""What the figures show: the numbers drawn are those of the recalls, and names are the paper's."""

import numpy as np
import pytest
from scipy import stats

from dropkit import figures
from dropkit.datasets import Data
from dropkit.figures import agreement, classes as class_figures
from dropkit.figures.agreement import Pair
from dropkit.pruning import SMOOTHED

RECALLS = {
    "full": {1.0: np.array([[0.9, 0.6], [0.8, 0.7]])},
    "random": {0.3: np.array([[0.5, 0.4], [0.2, 0.7]]), 0.6: np.array([[0.8, 0.5], [0.8, 0.5]])},
    "random+drop": {0.3: np.array([[0.6, 0.5], [0.6, 0.5]])},
}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("full", "Full data"),
        ("random+drop", "Random+DRoP"),
        ("random+el2nq", "Random+EL2NQ"),
        ("dynunc", "Dynamic Uncertainty"),
        ("cdbw+el2n", "CDB-W+EL2N"),
        ("random+drop" + SMOOTHED, "Random+DRoP (smoothed)"),
        (figures.BY_COUNTS, "Random+DRoP, by counts"),
        ("el2n+drop" + SMOOTHED + ", by counts", "EL2N+DRoP (smoothed), by counts"),
    ],
)
def test_names_are_the_papers(protocol, expected):
    assert figures.name(protocol) == expected


def test_every_protocol_looks_different():
    bases = ["random", "el2n", "grand", "forgetting", "dynunc", "coreset"]
    protocols = [*bases, *(f"{b}+drop" for b in bases), *(f"random+{b}q" for b in bases[1:])]
    protocols += ["random+drop" + SMOOTHED, "full+cdbw", "el2n+cdbw"]
    looks = [tuple(str(v) for v in figures.look(p).values()) for p in protocols]
    assert len({look[:3] for look in looks}) == len(protocols)


def lines(ax) -> dict:
    return {line.get_label(): line.get_xydata() for line in ax.get_lines()}


def test_tradeoff_draws_means_over_seeds():
    density, worst = figures.tradeoff(RECALLS, ["density", "worst"]).axes[:2]
    assert lines(density)["Random"] == pytest.approx(np.array([[0.3, 45], [0.6, 65]]))
    assert lines(density)["Full data"][:, 1] == pytest.approx([75, 75])
    assert lines(worst)["Random"] == pytest.approx(np.array([[30, 45], [50, 65]]))
    assert lines(worst)["Full data"] == pytest.approx(np.array([[65, 75]]))


def test_four_panels_stand_two_by_two_and_gap_and_std_are_drawn():
    axes = figures.tradeoff(RECALLS, ["density", "worst", "gap", "std"]).axes
    corners = {tuple(np.round(ax.get_subplotspec().get_position(ax.figure).p0, 3)) for ax in axes}
    assert len({x for x, _ in corners}) == len({y for _, y in corners}) == 2
    # Random at 0.3 has gaps of 10 and 50 points and deviations of 5 and 25, an average of 45.
    assert lines(axes[2])["Random"][0] == pytest.approx([30, 45])
    assert lines(axes[3])["Random"][0] == pytest.approx([15, 45])


def test_tradeoffs_have_a_row_a_strategy_and_one_legend():
    rows = {"GraNd": RECALLS, "EL2N": {"el2n": RECALLS["random"]}}
    figure = figures.tradeoffs(rows, ["density", "worst"])
    grand, _, el2n, worst = figure.axes
    assert grand.get_title(loc="left") == "GraNd"
    assert set(lines(grand)) == {"Random", "Random+DRoP", "Full data"}
    assert lines(el2n)["EL2N"] == pytest.approx(lines(grand)["Random"])
    assert lines(worst)["EL2N"] == pytest.approx(np.array([[30, 45], [50, 65]]))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == ["EL2N", "Full data", "Random", "Random+DRoP"]


def test_tail_tradeoff_has_a_line_a_protocol_and_factor():
    by_factor = {2.0: RECALLS, 20.0: {"random+drop": RECALLS["random"]}}
    figure = figures.tail_tradeoff(by_factor, ["density", "worst", "gap", "std"])
    density, worst, *_ = figure.axes
    assert set(lines(density)) == {
        "Random+DRoP, I = 2", "Random+DRoP, I = 20", "Full data, I = 2",
    }  # fmt: skip
    assert lines(worst)["Random+DRoP, I = 20"] == pytest.approx(np.array([[30, 45], [50, 65]]))
    assert lines(worst)["Full data, I = 2"] == pytest.approx(np.array([[65, 75]]))
    assert lines(density)["Full data, I = 2"] == pytest.approx(np.array([[1, 75]]))


def test_tails_have_a_row_a_factor_and_a_column_a_measure():
    by_factor = {2.0: RECALLS, 20.0: {"random+drop": RECALLS["random"]}}
    shown = ["full", "random+drop"]
    figure = figures.tails_against_density(by_factor, ["average", "worst"], shown)
    assert [ax.get_title() for ax in figure.axes] == ["I = 2"] * 2 + ["I = 20"] * 2
    average, _, _, worst = figure.axes
    assert set(lines(average)) == {"Full data", "Random+DRoP"}
    assert lines(worst)["Random+DRoP"] == pytest.approx(np.array([[0.3, 30], [0.6, 50]]))


def test_data_sets_stand_side_by_side_and_groups_are_called_so():
    other = {"random": {0.3: np.array([[0.9, 0.8]])}}
    figure = figures.sets_against_density({"birds": RECALLS, "digits": other}, "worst", "group")
    birds, digits = figure.axes[:2]
    assert [ax.get_title(loc="left") for ax in (birds, digits)] == ["birds", "digits"]
    assert lines(birds)["Random"] == pytest.approx(np.array([[0.3, 30], [0.6, 50]]))
    assert lines(digits)["Random"] == pytest.approx(np.array([[0.3, 80]]))
    assert birds.get_ylabel() == "worst-group accuracy (%)"


def test_bands_are_t_intervals_of_the_mean():
    ax = figures.against_density(RECALLS, ["worst"]).axes[0]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    low, high = stats.t.interval(0.95, 1, loc=30, scale=stats.sem([40, 20]))
    assert band.min() == pytest.approx(low)
    assert band.max() == pytest.approx(high)


def test_the_interval_at_a_single_density_is_a_bar():
    single = {"random": {0.3: RECALLS["random"][0.3]}}
    ax = figures.against_density(single, ["worst"]).axes[0]
    (bar,) = ax.collections[0].get_segments()
    low, high = stats.t.interval(0.95, 1, loc=30, scale=stats.sem([40, 20]))
    assert bar == pytest.approx(np.array([[0.3, low], [0.3, high]]))


def test_densities_may_have_other_numbers_of_seeds():
    uneven = {"random": {0.3: RECALLS["random"][0.3], 0.6: np.array([[0.8, 0.5]])}}
    ax = figures.against_density(uneven, ["worst"]).axes[0]
    assert lines(ax)["Random"].tolist() == [[0.3, pytest.approx(30)], [0.6, pytest.approx(50)]]
    ends = ax.collections[0].get_paths()[0].vertices
    assert ends[ends[:, 0] == 0.6, 1] == pytest.approx(50)  # a single seed has no band


def test_pooled_averages_before_the_minimum():
    per_seed, pooled = figures.pooled(RECALLS).axes[:2]
    assert lines(per_seed)["Random"][0, 1] == pytest.approx(30)
    assert lines(pooled)["Random"][0, 1] == pytest.approx(35)
    assert lines(pooled)["Random+DRoP"][0, 1] == pytest.approx(50)


def drawn_intervals(ax) -> list:
    """Ends of what is drawn at a density: bands of curves at 0.3, bars, and level bands."""
    found = []
    for shape in ax.collections:
        ends = np.concatenate([path.vertices for path in shape.get_paths()])
        found.append(np.unique(ends[ends[:, 0] == 0.3, 1].round(9)))
    return [*found, *(patch.get_corners()[[0, 2], 1] for patch in ax.patches)]


def test_pooled_bands_of_two_seeds_are_a_jackknifes():
    random, drop, full = drawn_intervals(figures.pooled(RECALLS).axes[1])
    # Of two seeds a pseudo-value is twice the worst class of both less that of the other.
    for ends, both, alone in ((random, 35, (20, 40)), (full, 65, (70, 60))):
        low, high = stats.t.interval(0.95, 1, both, stats.sem([2 * both - one for one in alone]))
        assert ends == pytest.approx([low, high])
    assert drop == pytest.approx([50])


@pytest.mark.filterwarnings("error")
def test_pooled_of_a_single_seed_has_no_bands():
    single = {p: {d: r[:1] for d, r in by.items()} for p, by in RECALLS.items()}
    figure = figures.pooled(single)
    figure.draw_without_rendering()
    ax = figure.axes[1]
    drawn = {label: points[0, 1] for label, points in lines(ax).items()}
    assert drawn == {"Full data": 60, "Random": 40, "Random+DRoP": 50}
    random, drop, full = drawn_intervals(ax)
    assert (random.tolist(), drop.tolist()) == ([40], [50]) and np.isnan(full).all()
    assert np.isfinite(ax.get_ylim()).all()


@pytest.mark.parametrize(
    "classes",
    [
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
        [f"non-insect invertebrates {k}" for k in range(20)],
        [f"class {k}" for k in range(100)],
    ],
)
@pytest.mark.parametrize("seeds", [1, 3])
def test_names_of_classes_do_not_run_into_each_other(classes, seeds):
    recalls = np.random.default_rng(0).uniform(size=(seeds, len(classes)))
    figure = class_figures.class_recalls(recalls, classes)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(100 * recalls.mean(axis=0))
    spans = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert all(one.x1 <= other.x0 for one, other in zip(spans, spans[1:], strict=False))
    drawn = [ends[:, 1] for ends in ax.collections[0].get_segments() if len(ends)]
    if seeds == 1:
        assert drawn == []
    else:
        oracle = stats.t.interval(0.95, 2, recalls.mean(axis=0), stats.sem(recalls))
        np.testing.assert_allclose(drawn, 100 * np.transpose(oracle))


def test_density_correlation_is_averaged_over_densities():
    kept = {0.2: np.array([[1, 2, 3]]), 0.4: np.array([[3, 2, 7]])}
    sizes, recalls = np.array([10, 10, 10]), np.array([0.9, 0.6, 0.5])
    expected = np.mean([np.corrcoef(k[0], recalls)[0, 1] for k in kept.values()])
    assert class_figures.density_correlation(kept, sizes, recalls) == pytest.approx(expected)
    even = {0.5: np.array([[5, 5, 5]])}
    assert np.isnan(class_figures.density_correlation(even, sizes, recalls))


def test_class_densities_sorts_classes_and_counts_the_smallest():
    kept = {0.3: np.array([[1, 5], [2, 4]]), 0.6: np.array([[4, 8], [4, 8]])}
    figure = class_figures.class_densities(kept, np.array([10, 10]), np.array([[0.9, 0.5]]))
    left = figure.axes[0]
    assert left.get_title() == "min SPC at d = 0.3: 1"
    assert left.get_lines()[0].get_ydata() == pytest.approx([0.45, 0.15])


def test_score_correlations_draws_the_means_of_both_kinds():
    parts = {"between": np.zeros(2), "common": np.zeros(2)}
    pairs = [
        Pair("el2n", "grand", np.array([0.5, 0.9]), within=np.array([0.2, 0.4]), **parts),
        Pair("el2n", "ssp", np.array([-0.3, -0.1]), within=np.array([np.nan] * 2), **parts),
        Pair("grand", "ssp", np.array([0.1, -0.1]), within=np.array([-0.5, -0.7]), **parts),
    ]
    above, below = agreement.score_correlations(pairs).axes
    drawn = [ax.get_images()[0].get_array().filled(np.nan) for ax in (above, below)]
    assert drawn[0] == pytest.approx(np.array([[1, 0.7, -0.2], [0.7, 1, 0], [-0.2, 0, 1]]))
    expected = np.array([[1, 0.3, np.nan], [0.3, 1, -0.6], [np.nan, -0.6, 1]])
    assert drawn[1] == pytest.approx(expected, nan_ok=True)
    assert [text.get_text() for text in below.texts[:3]] == ["1.00", "0.30", "–"]
    assert [text.get_text() for text in above.texts[5:8]] == ["0.00", "−0.20", "0.00"]
    assert [label.get_text() for label in below.get_yticklabels()] == ["EL2N", "GraNd", "SSP"]


def test_too_few_scores_are_no_error():
    for figure, reason in (
        (
            agreement.score_correlations([]),
            "rank correlations need two scores among the protocols",
        ),
        (
            class_figures.lowest_and_highest(np.zeros((6, 1, 2, 2)), {}),
            "no scores among the protocols",
        ),
    ):
        (text,) = figure.axes[0].texts
        assert text.get_text() == reason


def test_lowest_and_highest_shows_the_extremes(monkeypatch):
    monkeypatch.setattr(class_figures, "EXTREMES", 2)
    images = np.arange(6.0).reshape(6, 1, 1, 1) * np.ones((6, 1, 2, 2))
    scores = {"el2n": np.array([5, 0, 3, 1, 4, 2])}
    figure = class_figures.lowest_and_highest(images, scores)
    (row,) = figure.axes
    shown = [image.get_array().max() for image in row.get_images()]
    assert shown == [1, 3, 0, 4]  # lowest 0, 1 at indices 1, 3; highest 5, 4 at indices 0, 4


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_group_examples_show_each_group(monkeypatch, dtype):
    monkeypatch.setattr(class_figures, "EXAMPLES", 3)
    # One shade a group, as pixels; group 1 has two training samples, group 2 none.
    groups = np.repeat([0, 1, 2], [1500, 2, 4])
    shades = np.array([0.2, 0.6, 1.0])[groups]
    x = shades * 255 if dtype == np.uint8 else 2 * shades - 1
    x = (x[:, None, None, None] * np.ones((1, 3, 2, 2))).round(6).astype(dtype)
    names = ("land", "water", "air")
    train, test = np.arange(1502), np.arange(1502, 1506)
    data = Data(x, groups, train, test, test, names, groups, names)
    rows = class_figures.group_examples(data).axes
    titles = [row.get_title(loc="left") for row in rows]
    assert titles == ["land, 1,500 in training", "water, 2 in training", "air, 0 in training"]
    assert len({row.get_xlim() for row in rows}) == 1  # images of one size in each row
    for row, shade, count in zip(rows, (0.2, 0.6, None), (3, 2, 0), strict=True):
        shown = [image.get_array() for image in row.get_images()]
        assert len(shown) == count
        for picture in shown:
            np.testing.assert_allclose(picture, np.full((2, 2, 3), shade), atol=1e-6)


# Two protocols, two densities, two seeds, three classes of 10, 20 and 40 samples.
SIZES = np.array([10, 20, 40])
KEPT = {
    "el2n": {
        0.6: np.array([[8, 10, 24], [6, 14, 22]]),
        0.2: np.array([[1, 3, 10], [2, 4, 8]]),
    },
    "random+drop": {
        0.6: np.array([[10, 12, 20], [10, 10, 22]]),
        0.2: np.array([[5, 4, 5], [4, 6, 4]]),
    },
}


def by_density(ax) -> dict:
    return {float(line.get_label()): line.get_xydata() for line in ax.get_lines()}


def test_tail_recalls_are_drawn_from_the_largest_class():
    panels = {"I = 2": {p: RECALLS[p][0.3] for p in ("random", "random+drop")}, "I = 20": {}}
    figure = class_figures.recalls_from_largest(panels)
    first, second = figure.axes
    drawn = {line.get_label(): line for line in first.lines}
    np.testing.assert_allclose(drawn["Random"].get_ydata(), [35, 55])
    np.testing.assert_allclose(drawn["Random+DRoP"].get_ydata(), [60, 50])
    assert list(drawn["Random"].get_xdata()) == [1, 2]
    # Student's t of two seeds: 12.706 times the standard error, half their difference.
    (band, _) = first.collections
    ends = band.get_datalim(first.transData).get_points()[:, 1]
    np.testing.assert_allclose(ends, [35 - 12.706 * 15, 55 + 12.706 * 15], rtol=1e-3)
    assert (first.get_title(), second.get_title()) == ("I = 2", "I = 20")
    assert class_figures.recalls_from_largest({}).axes[0].texts[0].get_text() == "no records yet"


def test_sorted_densities_draws_each_protocols_densities():
    el2n, drop = class_figures.sorted_densities(KEPT, SIZES).axes
    # Shares of el2n at 0.2: .1 .15 .25 and .2 .2 .2; sorted, then averaged over seeds.
    assert by_density(el2n)[0.2] == pytest.approx(np.array([[1, 0.225], [2, 0.175], [3, 0.15]]))
    assert by_density(el2n)[0.6] == pytest.approx(np.array([[1, 0.75], [2, 0.6], [3, 0.525]]))
    # Random+DRoP at 0.2: .5 .2 .125 and .4 .3 .1.
    assert by_density(drop)[0.2] == pytest.approx(np.array([[1, 0.45], [2, 0.25], [3, 0.1125]]))
    assert el2n.get_title() == "EL2N\nmin SPC at d = 0.2: 1"
    assert drop.get_title() == "Random+DRoP\nmin SPC at d = 0.2: 4"


def test_nothing_kept_is_said():
    full = np.array([0.9, 0.8])
    for figure in (
        class_figures.class_densities({}, SIZES, full),
        class_figures.sorted_densities({}, SIZES),
        class_figures.accuracy_against_density({}, SIZES, full),
    ):
        assert figure.axes[0].texts[0].get_text() == class_figures.UNPRUNED


def test_sorted_densities_shades_the_range_over_seeds():
    el2n = class_figures.sorted_densities(KEPT, SIZES).axes[0]
    heights = [band.get_paths()[0].vertices[:, 1] for band in el2n.collections]
    # From the emptiest class of any seed to the fullest, at 0.2 and at 0.6.
    ranges = np.array([[height.min(), height.max()] for height in heights])
    assert ranges == pytest.approx(np.array([[0.1, 0.25], [0.5, 0.8]]))


def test_accuracy_against_density_draws_a_point_a_class():
    recalls = np.array([[0.9, 0.6, 0.5], [0.7, 0.8, 0.5]])
    el2n, drop = class_figures.accuracy_against_density(KEPT, SIZES, recalls).axes
    assert by_density(el2n)[0.2] == pytest.approx(np.array([[0.15, 80], [0.175, 70], [0.225, 50]]))
    assert by_density(drop)[0.6] == pytest.approx(np.array([[1, 80], [0.55, 70], [0.525, 50]]))
    averaged = stats.pearsonr([0.15, 0.175, 0.225], [80, 70, 50]).statistic
    averaged += stats.pearsonr([0.7, 0.6, 0.575], [80, 70, 50]).statistic
    assert el2n.get_title() == f"EL2N\ncorrelation {averaged / 2:.2f}"


@pytest.mark.parametrize("count", [1, 4, 5])
def test_a_panel_a_protocol_and_one_legend(count):
    protocols = ["random", "el2n", "grand", "forgetting", "dynunc"][:count]
    kept = dict.fromkeys(protocols, KEPT["el2n"])
    for figure in (
        class_figures.sorted_densities(kept, SIZES),
        class_figures.accuracy_against_density(kept, SIZES, np.array([0.9, 0.6, 0.5])),
    ):
        titles = [ax.get_title().split("\n")[0] for ax in figure.axes]
        assert titles == [figures.name(protocol) for protocol in protocols]
        assert len({ax.get_xlim() + ax.get_ylim() for ax in figure.axes}) == 1
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == ["0.2", "0.6"]


def test_without_rows_there_is_a_sentence_in_place_of_a_figure():
    (ax,) = figures.tradeoffs({}, ["density", "worst"]).axes
    assert [text.get_text() for text in ax.texts] == ["no strategies to compare"]


def test_correlations_have_a_row_a_protocol():
    recalls = np.array([[0.9, 0.6, 0.5]])
    table = class_figures.correlations(KEPT, SIZES, recalls)
    el2n, drop = table.rows
    at_lowest = np.corrcoef([0.15, 0.175, 0.225], recalls[0])[0, 1]
    assert el2n[0] == "EL2N" and el2n[2] == f"{at_lowest:.2f}".replace("-", "−")
    spread = np.mean([np.std([0.1, 0.15, 0.25]), 0.0])
    assert el2n[3] == f"{spread:.3f}"
    assert table.headers[2:] == ["at d = 0.2", "std of class densities at d = 0.2"]
    assert class_figures.correlations({}, SIZES, recalls).rows == []


def test_axes_of_percentages_stay_between_0_and_100():
    """The interval of two seeds whose worst classes are 2 and 60 % reaches far below zero."""
    few = np.array([[0.02, 1.0], [0.6, 1.0]])
    figure = figures.against_density({"random": {0.3: few, 0.5: few}}, ["worst", "average"])
    for ax in figure.axes:
        low, high = ax.get_ylim()
        assert 0 <= low < high <= 100
