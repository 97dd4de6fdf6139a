"""Interactive pictures for a static page: HTML with inline SVG and a little script, no server.

Each shows before its script runs what the script computes then: rounded halves away from zero, as
JavaScript's toFixed does. What it says where no script runs is text that the script replaces, for
unlike <noscript> it also shows where a viewer blocks scripts.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from importlib.resources import files
from math import isfinite
from string import Template

from dropkit._common.checks import check_density
from dropkit._common.rounding import budget
from dropkit.figures.tables import number
from dropkit.quotas import class_counts, drop_densities
from dropkit.theory.mixture import GaussianMixture

Classes = Sequence[tuple[int, float]]  # size and recall of each class

COLUMNS = {
    "full": "full data, t*",
    "optimal": "Eq. 5 quotas",
    "drop": "DRoP quotas",
    "best": "worst-class optimum, t̂",
}
ROWS = {
    "d0": "density of class 0",
    "d1": "density of class 1",
    "threshold": "threshold",
    "risk0": "risk of class 0",
    "risk1": "risk of class 1",
    "worst": "worst-class risk",
    "average": "average risk",
}
QUOTA_HEADERS = ("class", "size", "recall", "density", "kept")


def mixture(start: GaussianMixture, density: float = 0.5) -> str:
    """Return the mixture explorer as HTML: sliders, class densities, thresholds, risks, quotas.

    The sliders begin at `start`, rounded to their steps, and at an overall density in (0, 1]. The
    means move apart symmetrically about their midpoint.
    """
    check_density(density, zero=False)
    centre = (start.mu0 + start.mu1) / 2
    gap, widest = start.mu1 - start.mu0, max(start.sigma0, start.sigma1)
    # Ranges grow with the mixture, on the grid; narrower classes would never err.
    top_gap, top_sigma = _on_grid(max(4.0, 2 * gap)), _on_grid(max(2.0, 2 * widest))
    low_sigma = _on_grid(min(top_gap / 20, start.sigma0, start.sigma1))
    sliders = [  # name, label, value, lowest, highest, step
        ("sigma0", "deviation σ₀", start.sigma0, low_sigma, top_sigma, 0.05),
        ("sigma1", "deviation σ₁", start.sigma1, low_sigma, top_sigma, 0.05),
        ("separation", "separation μ₁ − μ₀", gap, 0.05, top_gap, 0.05),
        ("phi0", "prior φ₀", start.phi0, 0.01, 0.99, 0.01),
        ("density", "density d", density, 0.01, 1.0, 0.01),
    ]
    sliders = [
        (key, label, min(max(_on_grid(value, step), low), high), low, high, step)
        for key, label, value, low, high, step in sliders
    ]
    at = {key: value for key, _, value, *_ in sliders}
    reach = top_gap / 2 + 1.5 * top_sigma
    return _page(
        "mixture",
        centre=repr(centre),
        reach=f"{centre - reach!r} {centre + reach!r}",
        sliders="".join(_slider("mixture", *each) for each in sliders),
        table=_mixture_table(_mixture_columns(centre, at)),
    )


def _mixture_columns(centre: float, at: dict[str, float]) -> dict[str, dict[str, float | None]]:
    """Return the table that the script computes, from `dropkit.theory`."""
    half = at["separation"] / 2
    model = GaussianMixture(centre - half, centre + half, at["sigma0"], at["sigma1"], at["phi0"])
    densities = {
        "full": (1.0, 1.0),
        "optimal": model.optimal_densities(at["density"]),
        "drop": model.drop_densities(at["density"]),
    }
    thresholds = {name: model.pruned_minimizer(*kept) for name, kept in densities.items()}
    thresholds["best"] = model.worst_class_minimizer()
    columns = {}
    for name, t in thresholds.items():
        d0, d1 = densities.get(name, (None, None))
        risk0, risk1 = map(float, model.risks(t))
        values = (d0, d1, t, risk0, risk1, max(risk0, risk1), float(model.average_risk(t)))
        columns[name] = dict(zip(ROWS, values, strict=True))
    return columns


def _on_grid(value: float, step: float = 0.05) -> float:
    return max(step, round(round(value / step) * step, 2))


def _slider(
    explorer: str, key: str, label: str, value: float, low: float, high: float, step: float
) -> str:
    name = f"{explorer}-explorer-{key}"
    return (
        f'<div class="dk-slider"><label for="{name}">{label}</label>'
        f'<input type="range" id="{name}" name="{key}" min="{low}" max="{high:.2f}" '
        f'step="{step}" value="{value}"><output for="{name}">{value:.2f}</output></div>\n'
    )


def _mixture_table(columns: dict[str, dict[str, float | None]]) -> str:
    def key(name: str) -> str:  # the line that stands for this column in the picture
        return (
            '<svg class="dk-key" aria-hidden="true">'
            f'<line class="dk-{name}" x1="0" x2="100%" y1="5" y2="5"/></svg>'
        )

    head = "".join(f'<th scope="col">{label}{key(name)}</th>' for name, label in COLUMNS.items())
    body = ""
    for row, label in ROWS.items():
        cells = "".join(
            f'<td data-column="{name}" data-row="{row}">{_mixture_text(row, column[row])}</td>'
            for name, column in columns.items()
        )
        body += f'<tr><th scope="row">{label}</th>{cells}</tr>\n'
    return f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{body}</tbody>"


def _mixture_text(row: str, value: float | None) -> str:
    if value is None:
        return "–"
    if not isfinite(value):
        return "−∞" if value < 0 else "∞"
    if row == "threshold":
        return number(_rounded(value, "0.001"), "f")
    return number(_rounded(100 * value, "0.1"), "f") + " %"


def _rounded(value: float, to: str) -> Decimal:
    return Decimal(float(value)).quantize(Decimal(to), ROUND_HALF_UP)


def _page(explorer: str, **parts: str) -> str:
    """The explorer's own HTML, style and script with these parts in their places."""
    html, style, script = (
        (files("dropkit.figures") / "static" / f"{explorer}.{kind}").read_text(encoding="utf-8")
        for kind in ("html", "css", "js")
    )
    return Template(html).substitute(style=style, script=script, **parts)


def quotas(examples: Mapping[str, Classes], density: float = 0.3) -> str:
    """Return the quota explorer as HTML: class sizes and recalls in, densities and counts out.

    It begins with the first of the examples, which are named to choose from, and at an overall
    density in (0, 1], rounded to the slider's hundredths.
    """
    check_density(density, zero=False)
    if not examples:
        raise ValueError("examples are none: the explorer must start with one")
    density = max(0.01, round(float(density), 2))
    rows = [_quota_rows(classes, density) for classes in examples.values()][0]
    texts = ["\n".join(f"{size} {r:g}" for size, r in classes) for classes in examples.values()]
    options = [
        f'<option value="{escape(text)}">{escape(label)}</option>'.replace("\n", "&#10;")
        for label, text in zip(examples, texts, strict=True)
    ]
    sliders = _slider("quota", "density", "density d", density, 0.01, 1.0, 0.01)
    sliders += _slider("quota", "smoothing", "smoothing α", 0.0, 0.0, 5.0, 0.05)
    return _page(
        "quotas",
        start=escape(texts[0]),
        options="".join(options).replace("<option ", "<option selected ", 1),
        sliders=sliders,
        head="".join(f'<th scope="col">{header}</th>' for header in QUOTA_HEADERS),
        body="\n".join(rows),
    )


def _quota_rows(classes: Classes, density: float) -> list[str]:
    """The rows that the script computes, from `dropkit.quotas`."""
    sizes, recalls = zip(*classes, strict=True)
    densities = drop_densities(sizes, recalls, density)
    counts = class_counts(sizes, densities, budget(sum(sizes), density))
    rows = []
    for k, (size, recall, kept, count) in enumerate(
        zip(sizes, recalls, densities, counts, strict=True)
    ):
        cells = size, f"{recall:g}", _rounded(kept, "0.001"), count
        rows.append(f'<tr><th scope="row">{k}</th>{"".join(f"<td>{c}</td>" for c in cells)}</tr>')
    return rows
