"""Drawings are the same on every processor; `test_weight` looks at what a browser makes of them."""

import re

import matplotlib
import numpy as np
import pytest
from IPython.core.pylabtools import print_figure
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book._ext import pictures
from book._ext.pictures import SVG, lighten
from dropkit import figures

SEEDS = np.random.default_rng(0).uniform(0.2, 0.9, (4, 5, 3))
CURVES = {
    "full": {1.0: SEEDS[0]},
    "random": {0.1: SEEDS[1], 0.5: SEEDS[2]},
    "random+drop": {0.1: SEEDS[3], 0.5: SEEDS[0]},
}


def alike() -> Figure:
    """Six panels that name their clips equally often, with markers."""
    figure, axes = figures.canvas(2, 3)
    for ax in axes.flat:
        ax.plot([0.1, 1 / 3, 0.9], [1e-3, 0.1, 2.0], "o-")
        ax.set_yscale("log")
    return figure


FIGURES = {
    "alike": alike,
    "tradeoffs": lambda: figures.tradeoffs({"a": CURVES, "b": CURVES}, ["density", "worst"]),
    "pooled": lambda: figures.pooled(CURVES),
}


def drawn(figure: Figure) -> str:
    """The figure as a notebook shows it."""
    with matplotlib.rc_context(figures.STYLE):
        return print_figure(figure, fmt="svg", metadata={"Date": None})


def light(svg: str) -> str:
    """The drawing as a page has it."""
    cell = new_code_cell(outputs=[new_output("display_data", {SVG: svg})])
    lighten(new_notebook(cells=[cell]))
    return cell.outputs[0].data[SVG]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
@pytest.mark.parametrize("seed", range(3))
def test_the_last_bits_of_a_layout_do_not_show(draw, seed, monkeypatch) -> None:
    """Layouts of another processor, pretended: each corner of each panel off by one last bit."""
    straight = drawn(draw())
    place, draws = Axes._set_position, np.random.default_rng(seed)

    def nudged(axes: Axes, position: Bbox, which: str = "both") -> None:
        corners = position.get_points()
        ends = np.where(draws.random(corners.shape) < 0.5, -np.inf, np.inf)
        place(axes, Bbox(np.nextafter(corners, ends)), which)

    monkeypatch.setattr(Axes, "_set_position", nudged)
    other = drawn(draw())
    assert other != straight
    assert light(other) == light(straight)


@pytest.mark.parametrize("low, high", [(0.251, 0.349), (-3.049, -2.951)])
def test_equal_numbers_have_one_shade(low, high) -> None:
    """So that the last bits, in which processors differ, do not show; a shade is 0.09 points."""
    full = np.full((1, 2), 0.5)
    pictures = []
    for value in (low, high):
        curves = {"full": {1.0: full}, "random": {0.1: full + value / 100}}
        pictures.append(light(drawn(figures.strips(curves, ["random"], measures=["average"]))))
    assert pictures[0] == pictures[1]


def test_markers_stay_where_they_are() -> None:
    before = drawn(alike())
    places = [
        np.array(re.findall(r'<use [^>]*x="([-\d.]+)" y="([-\d.]+)"', svg), float)
        for svg in (before, light(before))
    ]
    assert len(places[0]) > 3 and places[1] == pytest.approx(places[0], abs=0.005)


def test_known_drawings_are_not_made_again(monkeypatch) -> None:
    def page(*drawings: str):
        outputs = [new_output("display_data", {SVG: each}) for each in drawings]
        return new_notebook(cells=[new_code_cell(outputs=outputs)])

    def of(page) -> list[str]:
        return [output.data[SVG] for output in page.cells[0].outputs]

    first, other = (drawn(figure) for figure in (FIGURES["pooled"](), alike()))
    made = page(first, other)
    known = lighten(made)
    monkeypatch.setattr(pictures, "_lighter", lambda svg, prefix: "made anew")
    later = page(other, first.replace("</metadata>", "<!-- of today --></metadata>"))
    assert set(lighten(later, known)) == set(known)
    assert of(later) == of(made)[::-1]
    changed = page(first.replace("<path ", '<path class="a" ', 1))
    lighten(changed, known)
    assert of(changed) == ["made anew"]
