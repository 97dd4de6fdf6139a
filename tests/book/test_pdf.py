"""The one-page book becomes a PDF, or one sentence says what is missing."""

from base64 import b64decode
from pathlib import Path

import pytest

from book._ext import pdf
from tests.book.test_browser import CHROMIUM

PIXEL = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)


@pytest.fixture
def page(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pdf.PAGE.parent.mkdir(parents=True)
    (pdf.PAGE.parents[1] / "one.png").write_bytes(PIXEL)
    pdf.PAGE.write_text(
        '<html><h1>A book</h1><p>Words.</p><img src="one.png" alt="a dot">'
        '<p style="height: 99999px"><img src="one.png" alt="a late dot" loading="lazy"></html>'
    )
    return pdf.PAGE


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_is_printed_or_its_missing_picture_named(page: Path) -> None:
    assert pdf.main(["book.pdf"]) == 0
    assert Path("book.pdf").read_bytes().startswith(b"%PDF")
    (page.parents[1] / "one.png").unlink()
    with pytest.raises(ValueError, match="2 pictures of .* are missing"):
        pdf.main(["book.pdf"])


@pytest.mark.parametrize(
    "break_it, words",
    [
        (lambda page, patch: patch.setenv("PATH", ""), "a PDF needs one of chromium"),
        (lambda page, patch: page.unlink(), "there is no _build/singlehtml"),
    ],
)
def test_what_is_missing_is_said(page: Path, monkeypatch, capsys, break_it, words: str) -> None:
    if CHROMIUM is None and "PDF" not in words:
        pytest.skip("no Chromium on this machine")
    break_it(page, monkeypatch)
    with pytest.raises(SystemExit):
        pdf.main([])
    assert words in capsys.readouterr().err
