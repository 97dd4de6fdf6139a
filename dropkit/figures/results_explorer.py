"""The results explorer: records of every setting in one page that needs no server.

Its script (static/results.js) computes from the runs' right answers what ``study.difference`` does,
and Observable Plot draws it.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import stdtrit

from dropkit.figures.explorers import _page
from dropkit.figures.names import name
from dropkit.figures.style import look
from dropkit.store.records import Record
from dropkit.study.curves import Cells, Setting

START = ("full", "random", "random+drop", "el2n")  # labels that are ticked at first
HEADERS = ("protocol", "kept", "seeds", "average", "estimate", "difference")


def results(found: Mapping[Setting, Cells]) -> str:
    """Return the results explorer as HTML.

    Parameters
    ----------
    found : mapping of Setting to Cells
        What can be chosen, in this order.

    Raises
    ------
    ValueError
        If there are no records.
    """
    if not found:
        raise ValueError("found has no setting: the explorer must have one to show")
    text = json.dumps(results_data(found), ensure_ascii=False, separators=(",", ":"))
    head = "".join(f'<th scope="col">{header}</th>' for header in HEADERS)
    return _page("results", head=head, data=text.replace("</", "<\\/"))


def results_data(found: Mapping[Setting, Cells]) -> dict[str, Any]:
    """Return what the script reads: right answers by seed and class, shares kept, names, colours.

    Parameters
    ----------
    found : mapping of Setting to Cells
        As for ``results``.
    """
    labels = sorted({label for cells in found.values() for label in cells})
    most = max(
        len(rows) for cells in found.values() for at in cells.values() for rows in at.values()
    )
    return {
        "sets": [_set(setting, cells) for setting, cells in found.items()],
        "names": {label: name(label) for label in labels},
        "colours": {
            label: "currentColor" if label.startswith("full") else look(label)["color"]
            for label in labels
        },
        "quantiles": {n: round(float(stdtrit(n - 1, 0.975)), 10) for n in range(2, most + 1)},
        "start": [label for label in START if label in labels],
    }


def _set(setting: Setting, cells: Cells) -> dict[str, Any]:
    order = {label: i for i, label in enumerate(START)}
    tail = f"I{setting.imbalance:g}" * (setting.imbalance != 1)
    listed = sorted(cells, key=lambda label: (order.get(label, len(order)), label))
    return {
        "id": "-".join(filter(None, (setting.dataset, setting.model, tail))),
        "title": f"{setting.title} ({setting.scale})",
        "note": _note(cells),
        "scale": setting.scale,
        "dataset": setting.dataset,
        "model": setting.model,
        "imbalance": setting.imbalance,
        "tests": _tests(cells),
        "cells": [
            _cell(label, density, cells[label][density])
            for label in listed
            for density in sorted(cells[label])
        ],
    }


def _note(cells: Cells) -> str:
    seeds = [len(rows) for by_density in cells.values() for rows in by_density.values()]
    if max(seeds) >= 10:
        return (
            "Intervals of the pooled worst class are drawn by bootstrap: in the chapters, not here."
        )
    return ""


def _tests(cells: Cells) -> list[list[int]]:
    """Test samples of each class, by seed; once where all seeds have the same."""
    by_seed: dict[int, list[int]] = {}
    for by_density in cells.values():
        for rows in by_density.values():
            by_seed |= {seed: list(record["test_sizes"]) for seed, record in rows.items()}
    sizes = [by_seed.get(seed, []) for seed in range(max(by_seed) + 1)]
    return sizes[:1] if all(each == sizes[0] for each in sizes) else sizes


def _cell(label: str, density: float, rows: Mapping[int, Record]) -> dict[str, Any]:
    seeds = sorted(rows)
    records = [rows[seed] for seed in seeds]
    right = [np.rint(np.multiply(r["recalls"], r["test_sizes"])).astype(int) for r in records]
    shares = [np.divide(r["kept"], np.maximum(r["class_sizes"], 1)) for r in records]
    return {
        "label": label,
        "density": density,
        "plain": all(record["trial"]["protocol"] == label for record in records),
        "seeds": seeds,
        "right": [each.tolist() for each in right],
        "kept": np.rint(1000 * np.mean(shares, axis=0)).astype(int).tolist(),
    }
