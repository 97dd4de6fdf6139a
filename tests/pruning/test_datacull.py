"""What the published comparison with DataCull counts, where that package is installed."""

import json
from pathlib import Path

import pytest

PUBLISHED = json.loads((Path(__file__).parents[2] / "book/data/datacull.json").read_text())


def test_published_counts_are_whole():
    assert PUBLISHED["agree"] + PUBLISHED["short"] == PUBLISHED["instances"] == 2000
    assert PUBLISHED["all recalls 1"]["dropkit"] == 50  # of 100, at density 0.5
    assert PUBLISHED["made with"]["commit"]


def test_the_counts_come_out_again():
    pytest.importorskip("datacull")
    from tests.bench.datacull import compared

    found = compared(PUBLISHED["instances"])
    for name in ("agree", "short", "median short", "most short", "all recalls 1"):
        assert found[name] == PUBLISHED[name]
