"""Arguments that cannot be are named, with their value, in one sentence."""

import pytest

from dropkit._common.checks import check_labels


def test_labels_are_checked():
    for labels, error, message in [
        ([], ValueError, r"labels have shape \(0,\)"),
        ([[0, 1]], ValueError, r"labels have shape \(1, 2\)"),
        ([0.0, 1.0], TypeError, "labels are float64: they must be integers"),
        ([0, -2], ValueError, "label -2 is negative"),
    ]:
        with pytest.raises(error, match=message):
            check_labels(labels)
    with pytest.raises(ValueError, match="label 3 was never seen among the 3 classes"):
        check_labels([0, 3], num_classes=3)
