"""The first page says what it says within three screens, and leads everywhere."""

import pytest

from tests.book.test_browser import CHROMIUM, browser, opened  # noqa: F401
from tests.book.test_pages import rendered

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
WORDS, SCREEN, SCREENS = 450, 900, 3
# What the page says before it says how it was made: text that is on view, and where it ends.
MEASURE = """() => {
  const made = document.querySelector("#how-this-page-was-made");
  const inside = (e) => [...e.querySelectorAll(".dk-panels")].map((p) => p.innerText ?? "");
  const words = [...made.parentElement.children].filter((e) => e !== made)
    .map((e) => inside(e).reduce((text, panel) => text.replace(panel, " "), e.innerText)).join(" ");
  return [words.split(/\\s+/).filter((w) => /[a-z]{2}/i.test(w)).length,
          made.getBoundingClientRect().top + scrollY];
}"""


def test_answer_is_on_the_first_three_screens(browser) -> None:  # noqa: F811
    page, _, _ = opened(browser, rendered("book/intro"), 1280, "light")
    words, end = page.evaluate(MEASURE)
    assert 150 < words <= WORDS
    assert end <= SCREENS * SCREEN
    assert page.locator(".answer li").count() == 3
    assert page.locator(".answer").bounding_box()["y"] < SCREEN
    assert page.locator(".dk-cards > li").count() == 6
    assert page.locator(".dk-panels svg").count() == 3
    page.close()


def test_panels_stack_on_a_phone(browser) -> None:  # noqa: F811
    page, _, _ = opened(browser, rendered("book/intro"), 390, "dark")
    boxes = [page.locator(".dk-panels svg").nth(i).bounding_box() for i in range(3)]
    assert len({box["x"] for box in boxes}) == 1
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    page.close()
