"""DRoP's quotas to play with on a static page: HTML with inline SVG and a script, no server."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from importlib.resources import files

from dropkit._common.checks import check_density
from dropkit.figures.explorers import slider
from dropkit.quotas import budget, class_counts, drop_densities

Classes = Sequence[tuple[int, float]]  # size and recall of each class

# The script replaces this; unlike <noscript> it also shows where a viewer blocks scripts.
WITHOUT_SCRIPT = "The sliders need JavaScript; the table shows where they start."
HEADERS = ("class", "size", "recall", "density", "kept")


def quotas(
    examples: Mapping[str, Classes], density: float = 0.3, *, name: str = "quota-explorer"
) -> str:
    """Return the quota explorer as HTML: class sizes and recalls in, densities and counts out.

    Parameters
    ----------
    examples : names to choose from, each with (size, recall) per class; the first is the start.
    density : overall density at the beginning, in (0, 1], rounded to the slider's hundredths.
    name : the id of the element, one for each explorer on a page.

    Raises
    ------
    ValueError, TypeError
        If the density is outside (0, 1], an example's sizes or recalls are none, or there is none.
    """
    check_density(density, zero=False)
    if not examples:
        raise ValueError("examples is empty: the explorer must start with one")
    density = max(0.01, round(float(density), 2))
    rows = [_rows(classes, density) for classes in examples.values()][0]
    texts = {label: _text(classes) for label, classes in examples.items()}
    mark = escape(name, quote=True)
    return _page(mark, texts, rows, density)


def _rows(classes: Classes, density: float) -> list[tuple[str, ...]]:
    """Return the table that the script computes, from `dropkit.quotas`."""
    sizes, recalls = zip(*classes, strict=True)
    densities = drop_densities(sizes, recalls, density)
    counts = class_counts(sizes, densities, budget(sum(sizes), density))
    return [
        (str(k), str(size), f"{recall:g}", _three(kept), str(count))
        for k, (size, recall, kept, count) in enumerate(
            zip(sizes, recalls, densities, counts, strict=True)
        )
    ]


def _three(value: float) -> str:
    # Halves away from zero, as JavaScript's toFixed.
    return str(Decimal(float(value)).quantize(Decimal("0.001"), ROUND_HALF_UP))


def _text(classes: Classes) -> str:
    return "\n".join(f"{size} {recall:g}" for size, recall in classes)


def _page(
    name: str, texts: Mapping[str, str], rows: Sequence[Sequence[str]], density: float
) -> str:
    static = files("dropkit.figures") / "static"
    style = (static / "quotas.css").read_text(encoding="utf-8")
    script = (static / "quotas.js").read_text(encoding="utf-8")
    options = "".join(
        f'<option value="{escape(text, quote=True)}">{escape(label)}</option>'
        for label, text in texts.items()
    ).replace("\n", "&#10;")
    options = options.replace("<option ", "<option selected ", 1)
    sliders = slider(name, "density", "density d", density, 0.01, 1.0, 0.01)
    sliders += slider(name, "smoothing", "smoothing α", 0.0, 0.0, 5.0, 0.05)
    head = "".join(f'<th scope="col">{header}</th>' for header in HEADERS)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    start = escape(next(iter(texts.values())))
    return f"""<div class="dropkit-quotas" id="{name}">
<style>
{style}</style>
<fieldset aria-label="Classes, density and smoothing">
<div class="dk-classes"><label for="{name}-classes">classes, one a line: size and recall (before
them a name, after them the validation samples, if you like)</label>
<textarea id="{name}-classes" spellcheck="false">{start}</textarea></div>
<div><div class="dk-classes"><label for="{name}-choice">or an example</label>
<select id="{name}-choice"><option value="">your own</option>{options}</select></div>
{sliders}<button type="button">Download as CSV</button></div></fieldset>
<p>Density of each class; the dashed line is the overall density.</p>
<svg role="img" aria-label="Density of each class"></svg>
<p class="dk-warning" role="alert"></p>
<p class="dk-says" aria-live="polite">{WITHOUT_SCRIPT}</p>
<div class="dk-rows" tabindex="0" role="region" aria-label="Densities and counts">
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table></div>
<script>
(function () {{
{script}
startQuotas(document.getElementById("{name}"));
}})();
</script>
</div>
"""
