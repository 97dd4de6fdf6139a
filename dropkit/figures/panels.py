"""Worst-class accuracy against density in panels that stack on a phone, lines named directly."""

from collections.abc import Mapping, Sequence
from html import escape
from io import StringIO

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dropkit.figures.style import STYLE, curve, look
from dropkit.study.curves import Curves
from dropkit.study.measures import MEASURES, levels

INK = "#010203"  # stands for the colour of the page's text
SIZE = (2.55, 2.6)  # inches of a panel
GAP = 0.085  # least distance of two names, of the height of a panel
SHORT = {"Dynamic Uncertainty": "Dyn. Unc."}  # names that a panel has no room for


def worst_panels(sets: Mapping[str, Curves], protocols: Sequence[str]) -> str:
    """Return panels as HTML with inline SVG: worst class against density, with 95 % intervals.

    Parameters
    ----------
    sets : mapping of str to Curves
        Recalls by label and density, by the panels' titles.
    protocols : sequence of str
        Labels, drawn where a set has them; "full" is a level.
    """
    panels = "".join(
        f'<div role="img" aria-label="{escape(_told(title, curves, protocols))}">'
        f"{_inline(_panel(title, curves, protocols))}</div>"
        for title, curves in sets.items()
    )
    return f'<div class="dk-panels">{panels}</div>'


def _panel(title: str, curves: Curves, protocols: Sequence[str]) -> Figure:
    ink = {"text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK}
    ink |= {"xtick.color": INK, "ytick.color": INK, "svg.fonttype": "none"}
    with matplotlib.rc_context(STYLE | ink):
        figure = Figure(figsize=SIZE, layout="constrained")
        ax = figure.subplots()
        ends = {}
        for label in protocols:
            if not (found := levels(curves.get(label, {}), "worst")):
                continue
            style = look(label)
            if label == "full":
                style["color"] = INK
                ax.plot([0, 0.92], [found[1.0].value] * 2, lw=1.2, ls=":", color=INK)
            else:
                curve(ax, list(found), list(found.values()), style)
            ends[style["label"]] = (found[max(found)].value, style["color"])
        ax.set(xlim=(0, 1.5), xticks=[0.1, 0.3, 0.5, 0.7, 0.9], xlabel="share of the data kept")
        ax.set_ylim(0, min(ax.get_ylim()[1], 100))
        ax.set_title(title, loc="left", fontsize=9)
        ax.set_ylabel(MEASURES["worst"].axis)
        _name(ax, ends)
    return figure


def _name(ax: Axes, ends: Mapping[str, tuple[float, str]]) -> None:
    """Write each line's name at its right end, moved apart where they would touch."""
    low, high = ax.get_ylim()
    places = sorted((value, name, colour) for name, (value, colour) in ends.items())
    heights = [value for value, *_ in places]
    gap = GAP * (high - low)
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + gap)
    # Half of what was pushed up is taken back, so that names stand about their lines.
    shift = (sum(heights) - sum(value for value, *_ in places)) / max(len(places), 1)
    for height, (_, name, colour) in zip(heights, places, strict=True):
        ax.text(0.94, height - shift, SHORT.get(name, name), color=colour, va="center", fontsize=8)


def _told(title: str, curves: Curves, protocols: Sequence[str]) -> str:
    """What the panel shows, for those who do not see it."""
    parts = []
    for label in protocols:
        found = [
            f"{level.value:.1f} at {density:g}"
            for density, level in levels(curves.get(label, {}), "worst").items()
        ]
        if found:
            parts.append(f"{look(label)['label']} {', '.join(found)}")
    return f"{title}, {MEASURES['worst'].axis} by the share of the data kept: {'; '.join(parts)}."


def _inline(figure: Figure) -> str:
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "dropkit"}):
        figure.savefig(drawn := StringIO(), format="svg", transparent=True, metadata={"Date": None})
    text = drawn.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor").strip()
