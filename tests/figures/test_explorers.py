"""The explorer in a headless browser: the numbers of `dropkit.theory`, keyboard, phone width."""

import math
import shutil
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr

from dropkit.figures import explorers
from dropkit.theory import GaussianMixture

START = GaussianMixture(mu0=-1, mu1=1, sigma0=0.5, sigma1=1, phi0=0.5)  # Figure 3
PAGE = """<!DOCTYPE html><html lang="en"><head><title>Explorer</title><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body>{body}</body>"""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        found = shutil.which("chromium") or shutil.which("google-chrome")
        try:
            browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium to open pages with: {error}")
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """Open an explorer; any message on the console or uncaught error fails the test."""
    contexts, complaints = [], []

    def opened(html, *, width=1000, **settings):
        context = browser.new_context(viewport={"width": width, "height": 800}, **settings)
        context.set_default_timeout(300_000)  # milliseconds: a busy machine is waited for
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        file = tmp_path / f"{len(contexts)}.html"
        file.write_text(PAGE.format(body=html), encoding="utf-8")
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def move(page, **values):
    """Move the sliders as a reader does, an input event for each."""
    for name, value in values.items():
        page.eval_on_selector(
            f'input[name="{name}"]',
            "(slider, value) => { slider.value = value;"
            " slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            str(value),
        )


def table(page):
    """The numbers behind the table's cells by (column, row), infinities included."""
    cells = page.eval_on_selector_all(
        "td[data-row]",
        "cells => cells.map(c => [c.dataset.column, c.dataset.row, c.dataset.value])",
    )
    return {
        (column, row): float(value.replace("Infinity", "inf"))
        for column, row, value in cells
        if value != "null"
    }


def after(m, densities):
    """The threshold after random pruning; with one class left, everything is called that class."""
    if 0 in densities:
        return -math.inf if densities[0] == 0 else math.inf
    return m.pruned(*densities).average_minimizer()


SETTINGS = [
    {"sigma0": 0.5, "sigma1": 1, "separation": 2, "phi0": 0.5, "density": 0.5},
    {"sigma0": 0.5, "sigma1": 1, "separation": 2, "phi0": 0.5, "density": 0.75},  # class 1 full
    {"sigma0": 1.5, "sigma1": 0.4, "separation": 3, "phi0": 0.3, "density": 0.6},
    {"sigma0": 0.8, "sigma1": 0.8, "separation": 1, "phi0": 0.7, "density": 0.2},
    {"sigma0": 0.2, "sigma1": 0.25, "separation": 4, "phi0": 0.5, "density": 0.4},  # hardly errs
    {"sigma0": 0.5, "sigma1": 2, "separation": 0.5, "phi0": 0.1, "density": 0.5},  # t* = -inf
    {"sigma0": 2, "sigma1": 0.5, "separation": 0.5, "phi0": 0.95, "density": 0.9},  # t* = inf
    {"sigma0": 0.5, "sigma1": 2, "separation": 1, "phi0": 0.5, "density": 1},
    {"sigma0": 0.2, "sigma1": 2, "separation": 0.05, "phi0": 0.99, "density": 0.01},
]


def test_table_is_the_theorys(open_page):
    page = open_page(explorers.mixture(START))
    for setting in SETTINGS:
        move(page, **setting)
        half = setting["separation"] / 2
        m = GaussianMixture(-half, half, setting["sigma0"], setting["sigma1"], setting["phi0"])
        kept = {
            "full": (1, 1),
            "optimal": m.optimal_densities(setting["density"]),
            "drop": m.drop_densities(setting["density"]),
        }
        thresholds = {name: after(m, densities) for name, densities in kept.items()}
        thresholds["best"] = m.worst_class_minimizer()
        expected = {}
        for name, t in thresholds.items():
            risks = m.risks(t)
            expected |= {
                (name, "threshold"): t,
                (name, "risk0"): risks[0],
                (name, "risk1"): risks[1],
                (name, "worst"): max(risks),
                (name, "average"): m.average_risk(t),
            }
            for k, density in enumerate(kept.get(name, ())):
                expected[name, f"d{k}"] = density
        shown = table(page)
        assert shown.keys() == expected.keys()
        for key, value in expected.items():
            assert shown[key] == pytest.approx(value, rel=1e-7, abs=1e-9), (setting, key)


def test_distribution_function_is_accurate_in_both_tails(open_page):
    page = open_page("")
    script = (files("dropkit.figures") / "static" / "mixture.js").read_text(encoding="utf-8")
    x = np.linspace(-37, 37, 2961)
    computed = page.evaluate(f"x => {{ {script}; return x.map(normalCdf); }}", x.tolist())
    np.testing.assert_allclose(computed, ndtr(x), rtol=1e-12)
    np.testing.assert_allclose(np.log(computed), log_ndtr(x), rtol=1e-12, atol=1e-15)


def test_table_before_the_script_runs_is_the_one_after(open_page):
    for start, density in ((START, 0.5), (GaussianMixture(0, 3, 2, 0.7, 0.2), 0.33)):
        html = explorers.mixture(start, density)
        before = open_page(html, java_script_enabled=False)
        assert before.get_by_text("The sliders need JavaScript").is_visible()
        texts = [
            page.locator("td[data-row]").all_inner_texts() for page in (before, open_page(html))
        ]
        assert texts[0] == texts[1] and len(texts[0]) == 28


def test_sliders_have_labels_and_take_the_keyboard(open_page):
    page = open_page(explorers.mixture(START))
    for label in ("deviation σ₀", "deviation σ₁", "separation", "prior φ₀", "density d"):
        slider = page.get_by_label(label, exact=False).and_(page.locator("input"))
        assert slider.count() == 1 and slider.get_attribute("type") == "range"
    before = table(page)
    page.locator('input[name="sigma0"]').focus()
    page.keyboard.press("ArrowRight")
    assert page.locator('output[for="mixture-explorer-sigma0"]').inner_text() == "0.55"
    expected = GaussianMixture(-1, 1, 0.55, 1, 0.5).average_minimizer()
    assert table(page)["full", "threshold"] == pytest.approx(expected, abs=1e-9)
    assert table(page)["full", "threshold"] != before["full", "threshold"]


def test_picture_follows_the_thresholds(open_page):
    page = open_page(explorers.mixture(START))

    def place(name):
        return float(page.locator(f'svg[role="img"] .dk-{name}').get_attribute("x1"))

    assert place("best") < place("full")  # t-hat is left of t* at equal priors (Section 3)
    picture = page.locator('svg[role="img"]')
    assert "full data −0.170" in picture.get_attribute("aria-label")
    apart = place("full") - place("best")
    move(page, sigma0=1)  # equal deviations and priors: one threshold in the middle
    assert place("full") == pytest.approx(place("best"), abs=0.2) and apart > 5
    move(page, sigma0=0.5, sigma1=2, separation=0.5, phi0=0.1)  # t* = -inf leaves the picture
    assert page.locator('svg[role="img"] .dk-full').count() == 0
    assert "everything is called class 1" in page.locator(".dk-says").inner_text()


@pytest.mark.parametrize("start", [START, GaussianMixture(-100, 100, 30, 80.5, 0.2)])
def test_explorer_fits_a_phone(open_page, start):
    page = open_page(explorers.mixture(start), width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator('svg[role="img"]').bounding_box()["width"] > 300


def test_colours_follow_the_page_theme(open_page):
    def ink(page):
        curve = page.locator('svg[role="img"] path.dk-class0')
        return curve.evaluate("curve => getComputedStyle(curve).stroke")

    light = open_page(explorers.mixture(START), color_scheme="light")
    dark = open_page(explorers.mixture(START), color_scheme="dark")
    assert ink(light) != ink(dark)
    # The page's own switch, where there is one, wins over the system's.
    dark.evaluate("document.documentElement.dataset.theme = 'light'")
    assert ink(dark) == ink(light)


def test_page_needs_nothing_from_outside_and_is_reproducible():
    class Links(HTMLParser):
        outside: list = []

        def handle_starttag(self, tag, attrs):
            self.outside += [value for name, value in attrs if name in ("src", "href")]

    html = explorers.mixture(START, 0.4)
    links = Links()
    links.feed(html)
    assert links.outside == [] and "@import" not in html and "url(" not in html
    assert html == explorers.mixture(START, 0.4)


def test_bad_density_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"density is 0: it must lie in \(0, 1\]"):
        explorers.mixture(START, 0)
