"""Recipes of the data sets against Table 1, row by row."""

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
