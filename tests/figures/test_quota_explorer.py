"""The quota explorer in a headless browser: the numbers of `dropkit.quotas`, and what it says."""

import csv
import io
from importlib.resources import files

import numpy as np
import pytest

from dropkit._common.rounding import budget
from dropkit.figures import explorers
from dropkit.quotas import class_counts, drop_densities
from tests.figures.test_explorers import browser, move, open_page  # noqa: F401

EXAMPLES = {
    "four classes": [(500, 0.95), (500, 0.9), (500, 0.7), (500, 0.45)],
    "a perfect class": [(120, 1.0), (80, 0.8), (40, 0.5)],
}
SCRIPT = (files("dropkit.figures") / "static" / "quotas.js").read_text(encoding="utf-8")


def write(page, text: str) -> None:
    page.locator("textarea").fill(text)


def rows(page) -> list[list[str]]:
    return page.eval_on_selector_all(
        "tbody tr", "lines => lines.map(l => [...l.children].map(c => c.textContent))"
    )


def instances(count: int):
    """Class sizes, recalls, density, smoothing and validation sizes of every awkward kind."""
    rng = np.random.default_rng(0)
    for i in range(count):
        classes = int(rng.integers(1, 40))
        sizes = rng.integers(0 if i % 3 else 1, 10 ** int(rng.integers(1, 6)), classes)
        sizes[0] += 1
        recalls = rng.random(classes)
        if i % 4 == 0:  # ties, and classes that are always or never right
            recalls = rng.choice([0.0, 0.5, 0.75, 1.0], classes)
        smoothing = float(rng.choice([0.0, 0.0, 0.5, 1.0, 5.0]))
        val = rng.integers(0 if smoothing else 1, 60, classes)
        density = float(rng.choice([rng.random(), 0.3, 0.145, 1.0]))
        yield sizes, recalls, density, smoothing, val


def test_numbers_are_those_of_the_python(open_page) -> None:  # noqa: F811
    page = open_page("")
    given, expected = [], []
    for sizes, recalls, density, smoothing, val in instances(1500):
        densities = drop_densities(sizes, recalls, density, smoothing, val)
        total = budget(int(sizes.sum()), density)
        expected.append((densities, class_counts(sizes, densities, total)))
        classes = [
            {"name": "x", "size": int(s), "recall": float(r), "val": int(v)}
            for s, r, v in zip(sizes, recalls, val, strict=True)
        ]
        given.append([classes, density, smoothing])
    found = page.evaluate(f"all => {{ {SCRIPT}; return all.map((one) => pruned(...one)); }}", given)
    for (densities, counts), one in zip(expected, found, strict=True):
        np.testing.assert_allclose(one["densities"], densities, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(one["counts"], counts)


def test_page_before_the_script_runs_is_the_one_after(open_page) -> None:  # noqa: F811
    html = explorers.quotas(EXAMPLES, 0.37)
    before = open_page(html, java_script_enabled=False)
    assert before.get_by_text("The sliders need JavaScript").is_visible()
    texts = [p.locator("tbody").all_inner_texts() for p in (before, open_page(html))]
    assert texts[0] == texts[1] and "0.9" in texts[0][0]


def test_sliders_examples_and_pasted_classes_move_the_table(open_page) -> None:  # noqa: F811
    page = open_page(explorers.quotas(EXAMPLES))
    assert [row[3] for row in rows(page)] == [
        f"{d:.3f}" for d in drop_densities([500] * 4, [0.95, 0.9, 0.7, 0.45], 0.3)
    ]
    move(page, density=0.5)
    assert page.get_by_label("or an example").input_value().startswith("500 0.95")
    page.get_by_label("or an example").select_option(label="a perfect class")
    counts = [int(row[4]) for row in rows(page)]
    assert (
        counts
        == class_counts(
            [120, 80, 40], drop_densities([120, 80, 40], [1, 0.8, 0.5], 0.5), 120
        ).tolist()
    )
    write(page, "cat, 300, 0.5, 10\ndog;100;0.9;40\n\n<b>bird</b>\t50 0 1")
    move(page, density=0.4, smoothing=1)
    densities = drop_densities([300, 100, 50], [0.5, 0.9, 0], 0.4, 1, [10, 40, 1])
    assert [row[0] for row in rows(page)] == ["cat", "dog", "<b>bird</b>"]
    assert [float(row[3]) for row in rows(page)] == pytest.approx(densities, abs=5e-4)
    assert page.get_by_label("or an example").input_value() == ""


def test_a_class_that_dies_is_warned_of_and_smoothing_revives_it(open_page) -> None:  # noqa: F811
    page = open_page(explorers.quotas(EXAMPLES, 0.2))
    warning = page.get_by_role("alert")
    assert warning.inner_text() == ""
    page.get_by_label("or an example").select_option(label="a perfect class")
    assert warning.inner_text().startswith("Class 0 loses all its samples")
    assert "Smoothing" in warning.inner_text()
    assert page.locator("svg .dk-dead").count() == 1
    move(page, smoothing=1)
    assert warning.inner_text() == "" and page.locator("svg .dk-dead").count() == 0
    write(page, "9000 0.1\n3 0.99\n3 0.99")
    move(page, smoothing=0)
    assert warning.inner_text().startswith("Class 1, 2 lose all their samples")


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("500", "Line 1 is “500”: it must be a size and a recall, such as 500 0.9."),
        ("500 0.9\n\n10 nine", "Line 3 is “10 nine”: it must be a size and a recall"),
        ("500 92", "Line 1: the recall is 92; it must lie between 0 and 1."),
        ("2.5 0.5", "Line 1: the size is 2.5; it must be a whole number, not below 0."),
        ("5 0.5 -1", "Line 1: -1 validation samples; there must be 0 or more."),
        ("a 5 0.5 0", "Class a has no validation samples, so its recall is unknown"),
        ("0 0.5", "There is nothing to prune"),
        ("", "There is nothing to prune"),
    ],
)
def test_bad_input_is_one_sentence(open_page, text: str, sentence: str) -> None:  # noqa: F811
    page = open_page(explorers.quotas(EXAMPLES))
    before = rows(page)
    write(page, text)
    assert page.get_by_role("alert").inner_text().startswith(sentence)
    assert page.get_by_role("button").is_disabled() and rows(page) == before
    write(page, "10 0.5")
    assert page.get_by_role("alert").inner_text() == "" and len(rows(page)) == 1


def test_download_is_the_table_at_full_precision(open_page) -> None:  # noqa: F811
    page = open_page(explorers.quotas(EXAMPLES))
    write(page, 'a"b 300 0.5\nc 100 0.9')
    with page.expect_download() as waiting:
        page.get_by_role("button").click()
    assert waiting.value.suggested_filename == "quotas.csv"
    table = list(csv.reader(io.StringIO(waiting.value.path().read_text())))
    densities = drop_densities([300, 100], [0.5, 0.9], 0.3)
    assert table[0] == list(explorers.QUOTA_HEADERS)
    assert [row[0] for row in table[1:]] == ['a"b', "c"]
    assert [float(row[3]) for row in table[1:]] == pytest.approx(densities, rel=1e-9)
    assert sum(int(row[4]) for row in table[1:]) == 120


def test_explorer_fits_a_phone_and_a_thousand_classes(open_page) -> None:  # noqa: F811
    page = open_page(explorers.quotas(EXAMPLES), width=360)
    lines = [f"averylongclassnamewithoutabreak{k} 1300 {k / 1000}" for k in range(1000)]
    page.eval_on_selector(  # as a paste: the browser types a thousand lines in a minute
        "textarea",
        "(text, value) => { text.value = value;"
        " text.dispatchEvent(new Event('input', {bubbles: true})); }",
        "\n".join(lines),
    )
    assert len(rows(page)) == 1000
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("svg rect").count() == 1000
    assert page.locator("svg").bounding_box()["width"] > 300


def test_page_is_reproducible_and_bad_starts_are_refused() -> None:
    html = explorers.quotas(EXAMPLES)
    assert html == explorers.quotas(EXAMPLES)
    assert "http" not in html and "url(" not in html
    with pytest.raises(ValueError, match=r"density is 0: it must lie in \(0, 1\]"):
        explorers.quotas(EXAMPLES, 0)
    with pytest.raises(ValueError, match="examples are none: the explorer must start with one"):
        explorers.quotas({})
    with pytest.raises(ValueError, match=r"recalls\[0\] is 1.5"):
        explorers.quotas(EXAMPLES | {"wrong": [(10, 1.5)]})
