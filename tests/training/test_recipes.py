"""Recipes of the data sets against Table 1, row by row."""

from dataclasses import asdict, replace

import pytest

from dropkit.training import recipes

# Table 1: model, epochs, the epochs where the rate drops, batch, rate, decay.
TABLE_1 = {
    "cifar10": ("vgg16", 160, (80, 120), 128, 0.1, 1e-4),
    "cifar100": ("vgg19", 160, (80, 120), 128, 0.1, 5e-4),
    "tinyimagenet": ("resnet18", 200, (100, 150), 256, 0.2, 1e-4),
    "imagenet": ("resnet50", 90, (30, 60), 512, 0.2, 1e-4),
    "waterbirds": ("resnet50-imagenet", 300, (), 128, 1e-4, 1e-4),
}


@pytest.mark.parametrize("dataset", TABLE_1)
def test_defaults_are_those_of_table_1(dataset):
    network, epochs, drops, batch, rate, decay = TABLE_1[dataset]
    model, recipe = recipes.defaults(dataset)
    assert (model, recipe.epochs, recipe.batch) == (network, epochs, batch)
    assert (recipe.weight_decay, recipe.momentum) == (decay, 0.9)
    # 0.2 x at each drop, and not an epoch sooner.
    expected = [rate * 0.2 ** sum(epoch >= drop for drop in drops) for epoch in range(epochs)]
    assert [recipe.learning_rate(epoch) for epoch in range(epochs)] == pytest.approx(expected)
    # Appendix A: shifts and flips, but none on Waterbirds.
    assert recipe.augment == (dataset != "waterbirds")


def test_a_triangle():
    """Linear to the peak after a fifth, linear to nothing; its mean is half the peak."""
    recipe = replace(recipes.FAST, epochs=10, lr=0.5)
    shares = [(epoch, step / 100) for epoch in range(10) for step in range(100)]
    rates = [recipe.learning_rate(*share) for share in shares]
    assert recipe.learning_rate(0) == 0 and recipe.learning_rate(9, 1) == pytest.approx(0)
    assert max(rates) == recipe.learning_rate(2) == pytest.approx(0.5)
    assert recipe.learning_rate(1) == recipe.learning_rate(6) == pytest.approx(0.25)
    assert sum(rates) / len(rates) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "changes", [{"anneal": "cosine"}, {"label_smoothing": 1.0}, {"label_smoothing": -0.1}]
)
def test_what_no_recipe_has(changes):
    (name,) = changes
    with pytest.raises(ValueError, match=f"^{name} is .*: it must be"):
        replace(recipes.MINI, **changes)


def test_later_fields_are_recorded_where_they_are_used():
    assert recipes.as_recorded(recipes.FAST) == asdict(recipes.FAST)
    before = recipes.as_recorded(recipes.CIFAR100)
    own = {field: recipes.LATER[field] for field in recipes.LATER.keys() & asdict(recipes.FAST)}
    assert len(own) >= 3 and asdict(recipes.CIFAR100) == before | own
    assert not before.keys() & recipes.LATER.keys()
