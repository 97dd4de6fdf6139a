"""Arguments that cannot be are named, with their value, in one sentence."""

import pytest

from dropkit._common.checks import check_labels


def test_labels_are_checked():
    for labels, message in [
        ([], r"labels have shape \(0,\)"),
        ([[0, 1]], r"labels have shape \(1, 2\)"),
        ([0.0, 1.0], "labels are float64: they must be integers 0..K-1"),
        ([0, -2], "label -2 is no class: labels must be integers 0..K-1"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_labels(labels)
    with pytest.raises(ValueError, match="label 3 is no class: labels must be integers 0..2"):
        check_labels([0, 3], num_classes=3)
