"""Queries that cannot be, and the length of a short one by Appendix A."""

from dataclasses import replace

import pytest

from dropkit.study.queries import short_recipe
from tests.training.test_engine import TINY, table_1_recipe


class TestShortRecipe:
    @pytest.mark.parametrize(
        ("row", "epochs"),
        [
            # Appendix A: a tenth of the full length, and no less than ten epochs.
            ("VGG-16 on CIFAR-10", 16),
            ("VGG-19 on CIFAR-100", 16),
            ("ResNet-18 on TinyImageNet", 20),
            ("ResNet-50 on Waterbirds", 30),
            ("ResNet-50 on ImageNet", 10),
        ],
    )
    def test_a_tenth_of_table_1(self, row, epochs):
        full = table_1_recipe(row)
        short = short_recipe(full)
        assert short.epochs == epochs
        # As training starts: the rate has not dropped yet.
        assert {short.learning_rate(epoch) for epoch in range(epochs)} == {full.lr}
        assert short == replace(full, epochs=epochs, drops=())

    @pytest.mark.parametrize(("full", "short"), [(60, 10), (30, 10), (9, 3), (1, 1), (104, 10)])
    def test_ten_epochs_or_a_third(self, full, short):
        assert short_recipe(replace(TINY, epochs=full)).epochs == short

    def test_budget_of_pruned_sets_makes_no_other_query(self):
        released = replace(TINY, epochs=60, budget="released")
        assert short_recipe(released) == short_recipe(replace(released, budget="epochs"))
