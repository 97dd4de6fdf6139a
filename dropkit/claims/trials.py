"""The trials that the chapters train live and that decide the claims; no others."""

from dataclasses import replace

from dropkit import study
from dropkit.study.trials import Trial
from dropkit.training import recipes

SCORES = ("el2n", "grand", "forgetting", "dynunc", "coreset")
DENSITIES = (0.1, 0.3, 0.5, 0.7, 0.9)
GROUPED = ("digits-on-photos", "waterbirds-features")


def live_trials(seeds: int, score_seeds: int) -> list[Trial]:
    """Return the trials that decide claims, with `seeds` for the chapter on DRoP's comparisons."""
    few = {"dataset": study.chosen("digits")[0], "densities": DENSITIES, "seeds": score_seeds}
    many = few | {"seeds": seeds}
    compared = ["full", "random", "random+drop", "el2n", "el2n+drop", "random+el2nq"]
    mixed = [f"{s}+drop" for s in SCORES] + [f"random+{s}q" for s in SCORES[:3]]
    rows = [f"{s}+drop" for s in SCORES[1:3]] + [f"random+{s}q" for s in SCORES[1:3]]
    weighted = ["full+cdbw", "el2n+cdbw", "cdbw+el2n"]
    groups = ["full", "full+cdbw", "random", "random+drop", "el2n", "el2n+drop", "random+balance"]
    grids = [
        study.grid(protocols=["random", "random+drop", *SCORES], **few | {"densities": [0.2]}),
        study.grid(protocols=SCORES, **few),
        study.grid(protocols=mixed, **few | {"densities": DENSITIES[:3]}),
        study.grid(protocols=rows, **few),
        study.grid(protocols=compared, **many),
        study.grid(protocols=["random+drop"], smoothing=1.0, **many),
        study.grid(protocols=weighted, **few),
        *(study.grid(protocols=groups, **few | {"dataset": name}) for name in GROUPED),
        *_tails(few),
        *_queries(few | {"densities": [0.4, 0.5, 0.8]}),
    ]
    return list(dict.fromkeys(trial for grid in grids for trial in grid))


def _tails(common: dict) -> list[list[Trial]]:
    protocols = ["full", "full+cdbw", "random+drop", "el2n", "random+balance"]
    grids = []
    for factor in (2.0, 5.0, 20.0):
        tail = common | {"imbalance": factor}
        grids.append(study.grid(protocols=protocols, **tail))
        grids.append(study.grid(protocols=["random+drop"], rule="counts", **tail))
    return grids


def _queries(common: dict) -> list[list[Trial]]:
    recipe = recipes.defaults(common["dataset"])[1]
    drop = common | {"protocols": ["random+drop"]}
    lengths = [replace(recipe, epochs=epochs, drops=()) for epochs in (1, 20, 40)]
    noisy = study.grid(val_noise=0.4, **drop | {"densities": [0.5]})
    return [*(study.grid(query=query, **drop) for query in lengths), noisy, study.grid(**drop)]
