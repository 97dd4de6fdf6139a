"""Interactive pictures for a static page: HTML with inline SVG and a little script, no server."""

from decimal import ROUND_HALF_UP, Decimal
from html import escape
from importlib.resources import files
from math import isfinite

from dropkit._common.checks import check_density
from dropkit.figures.tables import number
from dropkit.theory.mixture import GaussianMixture

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
# The script replaces this; unlike <noscript> it also shows where a viewer blocks scripts.
WITHOUT_SCRIPT = "The sliders need JavaScript; the table shows where they start."


def mixture(start: GaussianMixture, density: float = 0.5, *, name: str = "mixture-explorer") -> str:
    """Return the mixture explorer as HTML: sliders, class densities, thresholds, risks, quotas.

    Parameters
    ----------
    start : GaussianMixture
        Where the sliders begin; its numbers are rounded to the sliders' steps. The means move
        apart symmetrically about their midpoint.
    density : float
        Overall density at the beginning, in (0, 1].
    name : str
        The id of the element, one for each explorer on a page.

    Raises
    ------
    ValueError
        If the density is outside (0, 1].
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
        escape(name, quote=True),
        "".join(slider(escape(name, quote=True), *each) for each in sliders),
        _table(_columns(centre, at)),
        f'data-centre="{centre!r}" data-range="{centre - reach!r} {centre + reach!r}"',
    )


def _columns(centre: float, at: dict[str, float]) -> dict[str, dict[str, float | None]]:
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


def slider(
    name: str, key: str, label: str, value: float, low: float, high: float, step: float
) -> str:
    """Return a labelled slider of the explorer called `name`, with its value beside it."""
    return (
        f'<div class="dk-slider"><label for="{name}-{key}">{label}</label>'
        f'<input type="range" id="{name}-{key}" name="{key}" min="{low}" max="{high:.2f}" '
        f'step="{step}" value="{value}"><output for="{name}-{key}">{value:.2f}</output></div>\n'
    )


def _table(columns: dict[str, dict[str, float | None]]) -> str:
    def key(name: str) -> str:  # the line that stands for this column in the picture
        return (
            '<svg class="dk-key" aria-hidden="true">'
            f'<line class="dk-{name}" x1="0" x2="100%" y1="5" y2="5"/></svg>'
        )

    head = "".join(f'<th scope="col">{label}{key(name)}</th>' for name, label in COLUMNS.items())
    body = ""
    for row, label in ROWS.items():
        cells = "".join(
            f'<td data-column="{name}" data-row="{row}">{_text(row, columns[name][row])}</td>'
            for name in COLUMNS
        )
        body += f'<tr><th scope="row">{label}</th>{cells}</tr>\n'
    return f"<thead><tr><td></td>{head}</tr></thead>\n<tbody>\n{body}</tbody>"


def _text(row: str, value: float | None) -> str:
    if value is None:
        return "–"
    if not isfinite(value):
        return "−∞" if value < 0 else "∞"
    # Halves away from zero, as JavaScript's toFixed.
    if row == "threshold":
        return number(Decimal(value).quantize(Decimal("0.001"), ROUND_HALF_UP), "f")
    return number(Decimal(100 * value).quantize(Decimal("0.1"), ROUND_HALF_UP), "f") + " %"


def _page(name: str, sliders: str, table: str, data: str) -> str:
    static = files("dropkit.figures") / "static"
    style = (static / "mixture.css").read_text(encoding="utf-8")
    script = (static / "mixture.js").read_text(encoding="utf-8")
    return f"""<div class="dropkit-mixture" id="{name}" {data}>
<style>
{style}</style>
<fieldset aria-label="Mixture and density">
{sliders}</fieldset>
<svg role="img" aria-label="Scaled densities of the two classes with thresholds"></svg>
<table aria-label="Densities, thresholds and risks">
{table}
</table>
<p class="dk-says" aria-live="polite">{WITHOUT_SCRIPT}</p>
<script>
(function () {{
{script}
startMixture(document.getElementById("{name}"));
}})();
</script>
</div>
"""
