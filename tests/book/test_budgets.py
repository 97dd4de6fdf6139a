"""Chapters stay short: what is on view when one is opened, folds closed and captions apart."""

import re

import pytest

from tests.book.test_pages import rendered

WORDS, FIGURES, TABLES, ROWS = 1000, 4, 2, 8
CHAPTERS = (
    "01-bias-study",
    "02-theory",
    "03-drop",
    "04-cdbw",
    "05-imbalance",
    "06-waterbirds",
    "07-query-length",
    "11-text",
    "13-open-questions",
)


def on_view(html: str):
    """Words of prose, figures, and rows of each table of a page; its last section apart."""
    soup = pytest.importorskip("bs4").BeautifulSoup(html, "html.parser")
    article = soup.find("article")
    for hidden in article.select("details, [id^=how-this-page]"):
        hidden.decompose()
    figures = len(article.find_all("figure"))
    rows = [len(table.select("tbody tr")) for table in article.find_all("table")]
    for other in article.select("figure, table, .math, .highlight, form, script, style"):
        other.decompose()
    return len(re.findall(r"\w[\w.,−%+-]*", article.get_text(" "))), figures, rows


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_read_in_ten_minutes(chapter):
    words, figures, rows = on_view(rendered(f"book/{chapter}").read_text(encoding="utf-8"))
    assert words <= WORDS
    assert figures <= FIGURES
    assert len(rows) <= TABLES and max(rows, default=0) <= ROWS


def test_what_is_folded_does_not_count():
    folded = "<details><p>seven words</p><figure></figure></details>"
    made = '<section id="how-this-page-was-made">more words</section>'
    shown = "<p>two words</p><figure>caption</figure><table><tbody><tr><td>1</table>"
    assert on_view(f"<article>{folded}{shown}{made}</article>") == (2, 1, [1])
