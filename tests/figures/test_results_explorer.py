"""The results explorer in a headless browser: `dropkit`'s numbers, address, CSV, command."""

import csv
import io
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml

from dropkit import metrics, study
from dropkit.figures import results_explorer
from dropkit.figures.tables import POINTS, number
from dropkit.metrics import Difference
from dropkit.notebook import larger_scales
from dropkit.store import Store
from dropkit.study.curves import density_of
from dropkit.study.measures import contrast, difference
from tests.figures.test_explorers import browser, open_page  # noqa: F401

BOOK = Path(larger_scales.FOLDER).parent
SCRIPT = (files("dropkit.figures") / "static" / "results.js").read_text(encoding="utf-8")
MEASURES = ("average", "worst", "pooled", "tenth", "gap", "std")


@pytest.fixture(scope="module")
def found():
    return larger_scales.explored()


@pytest.fixture(scope="module")
def html(found):
    root = f"<script>document.documentElement.dataset.content_root = '{BOOK.as_uri()}/'</script>"
    return root + results_explorer.results(found)


def ready(page):
    page.wait_for_selector(".dk-ready")
    return page


def choose(page, **values):
    for name, value in values.items():
        page.locator(f"select[name={name}]").select_option(value)


def rows(page) -> dict[str, list[str]]:
    lines = page.eval_on_selector_all(
        "tbody tr", "lines => lines.map(l => [...l.children].map(c => c.textContent))"
    )
    return {name: cells for name, *cells in lines}


def shown(found, form: str) -> str:
    value, low, high = (number(each, form) for each in found)
    return value if np.isnan(found[1]) else f"{value} [{low}, {high}]"


def drawn(found: Difference, measure: str, seeds: int) -> Difference:
    """What the page shows of it: no bootstrap interval, as its sentence says."""
    few = measure != "pooled" or seeds < metrics.FEW
    return found if few else Difference(found.value, np.nan, np.nan)


def test_estimates_are_those_of_the_python(open_page) -> None:  # noqa: F811
    page = open_page("")
    rng = np.random.default_rng(0)
    quantiles = results_explorer.results_data(larger_scales.explored())["quantiles"]
    given, expected = [], []
    for seeds in range(2, max(quantiles) + 1):
        for classes in (1, 2, 10, 11, 37):
            pair = rng.integers(0, 51, (2, seeds, classes)) / 50
            for measure in MEASURES:
                given.append([pair[0].tolist(), pair[1].tolist(), measure])
                expected.append([*drawn(difference([pair[0]], [pair[1]], measure), measure, seeds)])
                given.append([pair[0].tolist(), None, measure])
                expected.append([*drawn(difference([pair[0]], [], measure), measure, seeds)])
    computed = page.evaluate(
        f"""([cases, quantiles]) => {{ {SCRIPT}
        return cases.map((each) => Object.values(difference(...each, quantiles))); }}""",
        [given, quantiles],
    )
    np.testing.assert_allclose(computed, expected, atol=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_table_has_the_numbers_of_study_contrast(open_page, html, found, measure) -> None:  # noqa: F811
    page = ready(open_page(html))
    for setting, cells in found.items():
        tail = f"-I{setting.imbalance:g}" * (setting.imbalance != 1)
        choose(page, set=f"{setting.dataset}-{setting.model}{tail}", measure=measure, density="0.3")
        choose(page, against="random")
        listed = rows(page)
        for label, name in {"full": "Full data", "random+drop": "Random+DRoP"}.items():
            place = (label, density_of(label, 0.3))
            value, seeds = contrast(cells, [place], [], measure)
            apart, both = contrast(cells, [place], [("random", 0.3)], measure)
            value, apart = drawn(value, measure, seeds), drawn(apart, measure, both)
            _, count, _, estimate, minus = listed[name]
            assert (count, estimate) == (str(seeds), shown(value, ".1f"))
            if label != "full":  # which is level: it stands beside no single density
                assert minus == shown(apart, POINTS)


def test_address_brings_the_same_view_back(open_page, html) -> None:  # noqa: F811
    page = ready(open_page(html))
    choose(page, set="cifar10-mini", measure="gap", density="0.1", against="el2n", one="dynunc")
    page.locator("input[value=coreset]").check()
    before = rows(page), page.locator(".dk-command").text_content()
    address = page.url
    assert "#" in address
    page.goto("about:blank")
    page.goto(address)
    ready(page)
    assert (rows(page), page.locator(".dk-command").text_content()) == before
    assert page.locator("select[name=one]").input_value() == "dynunc"


def test_address_that_names_nothing_known_shows_the_start(open_page, html) -> None:  # noqa: F811
    page = open_page(html)
    page.goto(page.url + "#set=imagenet&measure=luck&density=7&labels=x")
    page.reload()
    ready(page)
    assert page.locator("select[name=measure]").input_value() == "worst"
    assert page.locator("select[name=density]").input_value() == "0.5"


def test_download_has_every_density_of_the_selection(open_page, html, found) -> None:  # noqa: F811
    page = ready(open_page(html))
    choose(page, set="cifar100-coarse-mini", measure="tenth")
    with page.expect_download() as download:
        page.locator(".dk-csv").click()
    lines = [*csv.reader(io.StringIO(Path(download.value.path()).read_text()))]
    (cells,) = (c for s, c in found.items() if s.dataset == "cifar100-coarse")
    labels = ("full", "random", "random+drop", "el2n")
    assert len(lines) == 1 + sum(len(cells[label]) for label in labels)
    for line in lines[1:]:
        value, _ = contrast(cells, [(line[1], float(line[2]))], [], "tenth")
        np.testing.assert_allclose([float(each) for each in line[5:8]], value, atol=1e-4)


@pytest.mark.parametrize("chosen", ["cifar100-fast", "cifar10-mini", "cifar100-coarse-mini"])
def test_command_asks_for_stored_trials_alone(open_page, html, chosen: str) -> None:  # noqa: F811
    page = ready(open_page(html))
    choose(page, set=chosen)
    command = page.locator(".dk-command").text_content()
    given = yaml.safe_load(re.search(r'-y "(.*)"', command)[1])
    assert given.pop("strategies") == [] and given.pop("smoothing") == 0
    assert given.pop("scale") in ("mini", "paper")
    trials = study.grid(given.pop("dataset"), **given)
    stored = {record["key"] for record in Store(larger_scales.FOLDER)}
    assert trials and {trial.key for trial in trials} <= stored


def test_works_by_keyboard_and_fits_a_phone(open_page, html) -> None:  # noqa: F811
    page = ready(open_page(html, width=390, color_scheme="dark"))
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(over) <= 0
    page.locator("select[name=measure]").focus()
    before = rows(page)
    page.keyboard.press("ArrowDown")
    assert page.locator("select[name=measure]").input_value() == "pooled"
    assert rows(page) != before
    page.locator("input[value=el2n]").focus()
    page.keyboard.press("Space")
    assert "EL2N" not in rows(page)
    assert page.locator(".dk-plane svg[aria-label]").count() == 1


def test_a_value_is_shown_under_the_pointer(open_page, html) -> None:  # noqa: F811
    page = ready(open_page(html))
    page.locator(".dk-plane svg").scroll_into_view_if_needed()
    page.locator(".dk-plane [aria-label=dot] circle").first.hover(force=True)
    assert "seeds" in page.locator(".dk-plane [aria-label=tip]").text_content()


def test_data_are_compact_and_need_something_to_show(found) -> None:
    assert len(results_explorer.results(found).encode()) < 350_000
    with pytest.raises(ValueError, match="no setting"):
        results_explorer.results({})
