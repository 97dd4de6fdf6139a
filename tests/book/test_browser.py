"""Every page in a real browser, wide and narrow, light and dark: nothing fails, everything is seen
and can be read, all fits, axe-core has no serious complaint, and no page is heavy."""

import csv
import shutil
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from matplotlib.figure import Figure
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.book.test_budgets import CHAPTERS
from tests.book.test_pages import each_entry, rendered

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
PATIENCE = 300_000  # milliseconds, with a page on a busy machine


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        # A container's root has no sandbox to give.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


LEGIBLE = 8  # pixels of the smallest text in any drawing, but for sub- and superscripts
HEAVIEST = 1_500_000  # bytes of a page with all it loads, downloads apart
# axe-core calls these moderate; the book holds them all the same.
HEADINGS = {"heading-order", "empty-heading", "page-has-heading-one"}


def opened(browser, path: Path, width: int, colours: str) -> tuple[Page, list[str], dict[str, int]]:
    """The page, loaded, what went wrong while it loaded, and the bytes of all that it loaded."""
    problems: list[str] = []
    loaded: dict[str, int] = {}
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme=colours, reduced_motion="reduce"
    )
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("requestfailed", lambda request: problems.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            request.url.startswith(("file:", "data:", "blob:"))
            or problems.append(f"outside: {request.url}")
        ),
    )
    page.on("requestfinished", lambda request: loaded.update({request.url: size(request.url)}))
    page.goto(path.as_uri(), wait_until="load")
    return page, problems, loaded


def size(url: str) -> int:
    return Path(unquote(urlsplit(url).path)).stat().st_size if url.startswith("file:") else 0


def text_sizes(tab: Page, svg: str) -> list[float]:
    """Font sizes in a drawing of matplotlib's, in its own units, sub- and superscripts apart.

    It writes text as groups of letters of height 100, scaled to the font size; a letter's outline
    is 64 times as large.
    """
    sizes = tab.evaluate(
        """(svg) => {
            document.body.innerHTML = svg;
            const drawing = document.querySelector("svg");
            for (const side of ["width", "height"])
                drawing.setAttribute(side, drawing.viewBox.baseVal[side]);
            const letters = new Set([...drawing.querySelectorAll("path[transform]")]
                .filter((path) => path.transform.baseVal.consolidate().matrix.a === 1 / 64)
                .map((path) => "#" + path.id));
            return [...drawing.querySelectorAll("use")]
                .filter((use) => letters.has(use.href.baseVal))
                .map((use) => use.parentNode.getScreenCTM())
                .map((m) => 100 * Math.sqrt(Math.abs(m.a * m.d - m.b * m.c)));
        }""",
        svg[svg.index("<svg") :],
    )
    return sorted({round(size, 2) for size in sizes})


def smallest_text(page: Page, tab: Page) -> dict[str, float]:
    """Pixels of the smallest text in each of the page's drawings, as they are shown."""
    shown = page.evaluate(
        """() => [...document.querySelectorAll("main img:not(.sd-card-img-top)")]
            .filter((e) => e.checkVisibility() && /\\.svg$/.test(e.src))
            .map((e) => [e.src, e.alt, e.getBoundingClientRect().width
                - 2 * parseFloat(getComputedStyle(e).paddingLeft)])"""
    )
    smallest = {}
    for address, described, width in shown:
        svg = Path(unquote(urlsplit(address).path)).read_text(encoding="utf-8")
        sizes = text_sizes(tab, svg)
        scale = width / tab.evaluate("document.querySelector('svg').viewBox.baseVal.width")
        if sizes:
            smallest[described] = scale * sizes[0]
    # The explorers' drawings hold text as text.
    return smallest | page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("main svg text")]
            .filter((e) => e.checkVisibility()).map((e) => {
                const m = e.getScreenCTM(), scale = Math.sqrt(Math.abs(m.a * m.d - m.b * m.c));
                return [e.textContent, scale * parseFloat(getComputedStyle(e).fontSize)];
            }))"""
    )


def complaints(page: Page) -> list[str]:
    """What axe-core holds against the page, one line a rule."""
    # Formulas have the ink of their text, and thousands of elements that would be looked at.
    found = Axe().run(page, context={"exclude": [[".katex"]]}, options={"resultTypes": []})
    return [
        f"{rule['impact']}: {rule['help']}: {[node['html'] for node in rule['nodes'][:3]]}"
        for rule in found.response["violations"]
        if rule["impact"] in ("serious", "critical") or rule["id"] in HEADINGS
    ]


@each_entry
@pytest.mark.parametrize("width, colours", [(1280, "light"), (390, "dark")])
def test_page_is_whole(browser, entry: str, width: int, colours: str) -> None:
    page, problems, loaded = opened(browser, rendered(entry), width, colours)
    assert problems == []
    heavy = sorted(loaded.items(), key=lambda item: -item[1])[:5]
    assert rendered(entry).stat().st_size < sum(loaded.values()) <= HEAVIEST, heavy
    # Thumbnails load when they come into view; they lead to the pictures that are read.
    page.evaluate(
        """() => Promise.all([...document.querySelectorAll("img[loading=lazy]")].map((e) => {
            e.loading = "eager";
            return e.decode();
        }))"""
    )
    # A picture without a size did not load; one inside folded code is not on view.
    unseen = page.evaluate(
        """() => [...document.querySelectorAll("main img, main svg")]
            .filter((e) => e.checkVisibility() && !e.closest("button, a.headerlink, summary"))
            .filter((e) => !(e.naturalWidth ?? e.getBoundingClientRect().width))
            .map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert unseen == []
    undrawn = page.evaluate(
        """() => [...document.querySelectorAll("main .math")]
            .filter((e) => e.querySelector(".katex-error")
                || (e.checkVisibility() && !e.querySelector(".katex-html")?.offsetWidth))
            .map((e) => e.textContent)"""
    )
    assert undrawn == []
    over = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert over <= 0, f"the page scrolls {over} pixels sideways"
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("main img")]
            .filter((e) => !/\\w+ \\w+/.test(e.alt)).map((e) => e.outerHTML.slice(0, 200))"""
    )
    assert nameless == [], "pictures without a text that describes them"
    tab = browser.new_page()
    sizes = smallest_text(page, tab)
    assert {name: size for name, size in sizes.items() if size < LEGIBLE - 0.05} == {}
    if width == 1280:
        assert page.locator(".drawing.scrolls").count() == 0
    assert complaints(page) == []
    tab.close()
    page.close()


def test_text_of_a_drawing_is_measured(browser) -> None:
    figure = Figure(figsize=(3, 2))
    figure.text(0.1, 0.1, "seven", size=7)
    figure.text(0.5, 0.1, "twelve", size=12, rotation=90)
    figure.text(0.1, 0.5, "$x^2$", size=10)
    figure.savefig(drawn := BytesIO(), format="svg")
    tab = browser.new_page()
    assert text_sizes(tab, drawn.getvalue().decode()) == [7, 10, 12]
    tab.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_drawing_wider_than_a_phone_scrolls_by_the_keyboard_and_says_so(
    browser, colours: str
) -> None:
    page, _, _ = opened(browser, rendered("book/02-theory"), 390, colours)
    drawing = page.locator(".drawing").first
    look = "(e, side) => getComputedStyle(e, side)[side ? 'content' : 'maskImage']"
    assert "sideways" in drawing.evaluate(look, "::after")
    assert "gradient" in drawing.evaluate(look)
    drawing.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    drawing.evaluate("(e) => e.scrollTo(e.scrollWidth, 0)")
    page.wait_for_function("getComputedStyle(document.activeElement).maskImage === 'none'")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function("!document.querySelector('.drawing').hasAttribute('tabindex')")
    assert drawing.evaluate(look, "::after") == "none"
    page.close()


def test_icons_are_drawn_by_the_font_that_is_left(browser) -> None:
    page, _, loaded = opened(browser, rendered("book/intro"), 1280, "light")
    page.evaluate("document.fonts.ready")
    assert [url for url in loaded if "webfonts" in url and "used.woff" not in url] == []
    assert any("used.woff" in url for url in loaded)
    drawn = page.locator("i.fa-solid:visible, i.fas:visible").evaluate_all(
        "all => all.map(e => getComputedStyle(e, '::before').content)"
    )
    assert len(drawn) >= 3 and not {"none", "normal", ""} & set(drawn)
    page.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_figures_are_seen_against_the_page(browser, colours: str) -> None:
    # The pictures are drawn in dark ink, so their ground must be light in either mode.
    page, _, _ = opened(browser, rendered("book/03-drop"), 1280, colours)
    ground = page.locator("main figure img").first.screenshot()
    with Image.open(BytesIO(ground)) as image:
        grey = image.convert("L")
        histogram = grey.histogram()
    common = max(range(256), key=histogram.__getitem__)
    darkest = next(level for level in range(256) if sum(histogram[: level + 1]) > 50)
    assert abs(common - darkest) > 128
    page.close()


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("density", ""),  # of many
        ("glossary", "glossary.html"),
        ("figure 5", "figures.html"),
        ("does drop work", "intro.html"),
        ("metriq", "glossary.html"),
    ],
)
def test_search_leads_to_the_page_without_a_server(browser, query: str, page: str) -> None:
    # Its excerpts need a server and are left out without one; the list of pages is there.
    tab = browser.new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(rendered("search").as_uri() + f"?q={query}")
    first = tab.locator("#search-results li a").first
    first.wait_for()
    assert page in first.get_attribute("href")
    tab.close()


def test_claims_are_chosen_linked_to_and_handed_out(browser, tmp_path: Path) -> None:
    path = rendered("book/09-claims")
    page, problems, _ = opened(browser, path, 1280, "light")
    every = page.locator(".claim")
    words = {each: every.nth(each).get_attribute("data-words") for each in range(every.count())}
    page.select_option("select[name=scale]", "mini")
    page.select_option("select[name=verdict]", "not supported")
    wanted = sum("mini:not supported" in each.split(";") for each in words.values())
    assert page.locator(".claim:visible").count() == wanted > 0
    assert page.inner_text("#claims-filter output") == f"{wanted} of {len(words)} claims"
    page.evaluate("location.hash = '#claim-D4'")  # which that filter hides
    page.wait_for_selector("#claim-D4 tbody tr:visible")
    with page.expect_download() as download:
        page.click("[data-csv]")
    download.value.save_as(tmp_path / "claims.csv")
    with open(tmp_path / "claims.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == page.locator(".claim tbody tr").count() > 1000
    assert {row["reading"] for row in rows} == {"holds", "open", "contradicted"}
    assert all(float(row["low"]) <= float(row["high"]) for row in rows if row["low"] not in "–")
    assert not problems
    page.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_eight_screens(browser, chapter: str) -> None:
    page, _, _ = opened(browser, rendered(f"book/{chapter}"), 1280, "light")
    height = page.evaluate(
        "document.documentElement.scrollHeight"
        " - document.querySelector('#how-this-page-was-made').getBoundingClientRect().height"
    )
    assert height <= 8 * 800
    page.close()
