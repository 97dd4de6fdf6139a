"""The first page: each sentence stands on the records, and falls with them."""

from copy import deepcopy

import numpy as np
import pytest
from scipy import stats

from dropkit.metrics import Difference
from dropkit.notebook import cards, landing, larger_scales
from dropkit.notebook.guarded import Unsupported, stated

LABELS = ["full", "full+cdbw", "random", "random+drop", "el2n", "dynunc"]


@pytest.fixture(scope="module")
def published():
    return larger_scales.published(LABELS)


@pytest.fixture
def sets(published):
    return deepcopy(landing.real_sets(published))


def as_if(label: str, other: str, *names: str):
    """Records in which a label's networks recall what another label's do."""

    def change(sets) -> None:
        for name in names:
            for density, rows in sets[name][label].items():
                source = sets[name][other]
                like = source.get(density) or source[max(source)]  # the full data stand at 1
                for seed, record in rows.items():
                    record["recalls"] = like[seed]["recalls"]

    return change


ALL = tuple(landing.SETS)
FALSE = {  # each sentence, and records of which it is not true
    "pruning": [
        as_if("random+drop", "random", landing.HUNDRED),
        as_if("random+drop", "el2n", landing.TEN),
    ],
    "full": [
        as_if("random+drop", "full", landing.TWENTY),
        as_if("random+drop", "el2n", landing.HUNDRED),
    ],
    "weights": [
        as_if("full+cdbw", "full", landing.TEN),
        as_if("random+drop", "el2n", landing.TWENTY),
    ],
    "tenth": [
        as_if("random+drop", "random", landing.TEN),
        as_if("random", "random+drop", landing.TEN),
    ],
    "average": [
        as_if("dynunc", "random", landing.TEN),
        as_if("dynunc", "el2n", landing.TWENTY),
    ],
}


def test_every_sentence_is_made_false_here() -> None:
    assert FALSE.keys() == landing.SENTENCES.keys()


@pytest.mark.parametrize("name", landing.SENTENCES)
def test_sentence_stands_on_the_published_records(sets, name: str) -> None:
    assert len(landing.SENTENCES[name](sets)) > 50


@pytest.mark.parametrize(
    ("name", "change"), [(name, change) for name, changes in FALSE.items() for change in changes]
)
def test_sentence_falls_with_its_records(sets, name: str, change) -> None:
    first_words = landing.SENTENCES[name](sets)[:30]
    change(sets)
    with pytest.raises(Unsupported, match="do not support") as error:
        landing.SENTENCES[name](sets)
    assert first_words in str(error.value)


def test_many_classes_fall_with_their_records() -> None:
    found = deepcopy(larger_scales.published(["random", "random+drop"], scales=["features"]))
    assert "lowest tenth of a hundred, +" in landing.through_a_frozen_network(found)
    (two,) = [cells for one, cells in found.items() if one.dataset == "tinyimagenet-features"]
    for density, rows in two["random+drop"].items():
        for seed, record in rows.items():
            record["recalls"] = two["random"][density][seed]["recalls"]
    with pytest.raises(Unsupported, match="above random pruning; a price in average"):
        landing.through_a_frozen_network(found)
    with pytest.raises(Unsupported, match="both have records"):
        landing.through_a_frozen_network({})


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "vgg19"), ("dataset", "tinyimagenet"), ("imbalance", 20.0)],
)
def test_what_is_untested_is_no_longer_said_once_it_has_records(published, field, value) -> None:
    setting = next(each for each in published if each.dataset == "cifar100")
    assert "ImageNet" in landing.untested(published)
    more = {**published, setting._replace(**{field: value}): {"random": {}}}
    with pytest.raises(Unsupported, match="ImageNet; TinyImageNet"):
        landing.untested(more)


def test_numbers_are_those_of_the_records(sets) -> None:
    def worst(label, density):
        rows = sets[landing.HUNDRED][label][density]
        return np.array([100 * min(rows[seed]["recalls"]) for seed in sorted(rows)])

    apart = worst("random+drop", 0.5) - worst("full", 1.0)
    ends = stats.t.interval(0.95, len(apart) - 1, apart.mean(), stats.sem(apart))
    said = landing.SENTENCES["full"](sets)
    assert f"{apart.mean():+.1f} [{ends[0]:+.1f}, {ends[1]:+.1f}]".replace("-", "−") in said
    assert f"{worst('random+drop', 0.5).mean():.1f} against {worst('full', 1.0).mean():.1f}" in said


def test_a_sentence_needs_a_condition_and_names_those_that_fail() -> None:
    with pytest.raises(ValueError, match="no condition"):
        stated("All is well.")
    with pytest.raises(Unsupported, match="'All is well.': not so: it is good; it is true$"):
        stated("All is well.", it_is_good=False, fine=True, it_is_true=False)


UP, DOWN, BOTH = Difference(2, 1, 3), Difference(-2, -3, -1), Difference(0.5, -1, 2)


@pytest.mark.parametrize(
    ("found", "least", "word"),
    [
        ([UP, UP], 0, "holds"),
        ([UP, BOTH], 0, "partly"),
        ([UP, DOWN], 0, "partly"),
        ([BOTH, BOTH], 0, "undecided"),
        ([BOTH, DOWN], 0, "contradicted"),
        ([None, UP], 0, "holds"),
        ([None], 0, "not run"),
        ([DOWN], -6, "holds"),
        ([DOWN], -2, "undecided"),
        ([DOWN], 0.5, "contradicted"),
    ],
)
def test_word_of_a_card(found, least, word: str) -> None:
    assert cards.verdict(found, least) == word


def test_cards_change_with_the_records(sets) -> None:
    def shown() -> str:
        return cards.cards(sets, {}, sets[landing.TEN], {})

    assert shown().count("<li>") == len(cards.CARDS) == 6
    assert shown().count("dk-not-run") == 2  # long tails, of which none were given
    before = shown().count("dk-contradicted")
    as_if("random+drop", "el2n", *ALL)(sets)
    assert shown().count("dk-contradicted") > before
