"""What is cut from pictures and styles is what nobody sees."""

import shutil
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
import pydata_sphinx_theme
import pytest
import tinycss2
from fontTools.ttLib import TTFont
from matplotlib.figure import Figure
from PIL import Image

from book._ext import pictures, weight

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"


@pytest.mark.parametrize(
    "style, expected",
    [
        (".a{color:red}.b{color:blue}", [".a"]),
        (".a,.b{color:red}", [".a"]),
        (".a .b{color:red}.a > p.c:hover{color:red}", [".a > p.c:hover"]),
        ("p{color:red}[data-x=b]{color:red}#b{color:red}", ["p", "[data-x=b]", "#b"]),
        # A class inside :not(...) or :is(...) need not be on any element.
        (".a:not(.b){color:red}p:is(.b,.c){color:red}", [".a:not(.b)", "p:is(.b,.c)"]),
        ("@media print{.a{color:red}.b{color:red}}@media screen{.b{color:red}}", ["print", ".a"]),
        (".sd\\:x{color:red}.bs-tooltip-top{color:red}", [".bs-tooltip-top"]),
        ("@font-face{font-family:b}/* .a{} */", ["@font-face"]),
    ],
)
def test_selectors_that_no_page_can_meet_go(style: str, expected: list[str]) -> None:
    left = weight.cut_style(style, {"a", "c", "top"})
    found = []
    for rule in tinycss2.parse_stylesheet(left, True, True):
        if rule.type == "at-rule":
            found.append(tinycss2.serialize(rule.prelude).strip() or f"@{rule.at_keyword}")
            if rule.at_keyword == "media":
                inner = tinycss2.parse_rule_list(rule.content, True, True)
                found += [tinycss2.serialize(each.prelude) for each in inner]
        else:
            found.append(tinycss2.serialize(rule.prelude))
    assert found == expected


def test_the_fonts_icons_are_those_that_the_pages_name(tmp_path: Path) -> None:
    for name in ("styles", "vendor", "scripts"):
        shutil.copytree(THEME / name, tmp_path / "_static" / name)
    (tmp_path / "index.html").write_text('<i class="fa-solid fa-moon"></i><i class="fas fa-bars">')
    weight.thin(tmp_path)
    with TTFont(tmp_path / weight.FONTS / "used.woff") as font:
        points = set(font.getBestCmap())
    # Font Awesome's own numbers; of the 1,400 others only those that rules show without a name,
    # such as the bell of an admonition, which they take from a variable.
    assert {0xF186, 0xF0C9, 0xF0F3} <= points and len(points) < 50
    assert 0xF135 not in points  # a rocket
    style = (tmp_path / "_static" / weight.STYLES[0]).read_text()
    assert "fa-moon" in style and "fa-rocket" not in style and "fa-solid-900" not in style
    assert style.count("@font-face") == 1 and "used.woff" in style
    assert not list(tmp_path.rglob("fontawesome.js*"))


def test_light_pictures_look_the_same(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    from tests.book.test_browser import CHROMIUM

    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    figure = Figure(figsize=(4, 3))
    left, right = figure.subplots(1, 2)
    left.plot([0, 1, 2], [3, 1, 2], "o--", label="a curve")
    left.legend()
    right.imshow(np.arange(12).reshape(3, 4) / 12, cmap="gray")
    figure.savefig(drawn := BytesIO(), format="svg")
    heavy = drawn.getvalue().decode()
    output = nbformat.v4.new_output("display_data", data={pictures.SVG: heavy})
    cell = nbformat.v4.new_code_cell(
        "figure", outputs=[output], id="fig", metadata={"tags": ["picture"]}
    )
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("text"), cell])
    pictures.lighten(page)
    [(name, light)] = pictures.pictures(page)
    assert name == "fig.svg" and len(light) < 0.7 * len(heavy)
    pixels = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for svg in (heavy, light):
            tab = browser.new_page(viewport={"width": 400, "height": 320})
            tab.set_default_timeout(300_000)  # milliseconds: a busy machine is waited for
            tab.set_content(
                f'<img src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}">'
            )
            tab.wait_for_function("document.images[0].naturalWidth > 0")
            with Image.open(BytesIO(tab.screenshot())) as shot:
                pixels.append(np.asarray(shot.convert("L"), dtype=float))
        browser.close()
    assert pixels[0].std() > 10  # not an empty page
    assert np.abs(pixels[0] - pixels[1]).mean() < 0.5
