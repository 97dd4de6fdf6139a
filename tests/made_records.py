"""Made-up records of trials, as a store has them, for tests of what is read from records."""

import numpy as np

from dropkit.study.curves import arrange

RECIPE = {"epochs": 60, "loss": "ce", "select": "last", "budget": "epochs"}
EPOCHS = {"mini": 6, "vgg16": 160, "vgg19": 160}  # of other networks than the digits'


def record(protocol="random", density=0.5, seed=0, recalls=(0.5, 0.9), **given):
    """A stored trial as `study.run` writes it, as far as evidence reads it."""
    trial = {
        "dataset": "digits-2x4",
        "model": "mlp",
        "protocol": protocol,
        "density": density,
        "seed": seed,
        "recipe": RECIPE | {"epochs": EPOCHS.get(given.get("model"), 60)},
        "recall_query": None,
        "smoothing": 0.0,
        "rule": "densities",
        "imbalance": 1.0,
    }
    kept = given.pop("kept", [10] * len(recalls))
    time = given.pop("time", "2026-01-01")
    return {
        "key": f"{protocol}{density}{seed}{time}",
        "trial": trial | given,
        "recalls": list(recalls),
        "test_sizes": [20] * len(recalls),
        "kept": kept,
        "class_sizes": [20] * len(recalls),
        "provenance": {"time": time, "device": "made up", "commit": None, "torch": "2.9"},
        "seconds": 90.0,
    }


QUERY = {"recipe": {"epochs": 10}, "initialisations": 5, "val_share": 1.0, "val_noise": 0.0}


def grid(rows, protocol="random", density=0.5, **given):
    return [record(protocol, density, s, row, **given) for s, row in enumerate(rows)]


def random_rows(seed, n=12, low=0.3):
    return np.random.default_rng(seed).uniform(low, low + 0.4, (n, 3))


def shifted(rows, by, seed):
    """Rows whose every class is about `by` better."""
    return np.clip(rows + by + np.random.default_rng(seed).normal(0, 0.01, rows.shape), 0, 1)


def words(test, found):
    return [one and one.word for one in test.effects(found)]


def only(records):
    """The cells of the one setting that the records have."""
    (cells,) = arrange(records).values()
    return cells
