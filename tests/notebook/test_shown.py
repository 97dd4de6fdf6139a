"""What glued numbers and tables become."""

import math
import re

import numpy as np
import pytest
from IPython.utils.capture import capture_output
from markdown_it import MarkdownIt
from myst_nb.core.variables import format_plain_text

from dropkit.notebook import shown


def glued(function, *args, **kwargs):
    with capture_output() as captured:
        function(*args, **kwargs)
    [output] = captured.outputs
    return output.data, output.metadata


@pytest.mark.parametrize("value", [0.25, 7, "seven"])
def test_glue_writes_what_the_books_own_glue_writes(shell, value) -> None:
    from myst_nb import glue

    ours = glued(shown.glue, "theory-x", value)
    theirs = glued(glue, "theory-x", value, display=False)
    assert ours == theirs


def test_glue_unwraps_numpy(shell) -> None:
    data, _ = glued(shown.glue, "x", np.float64(-1 / 3))
    assert data == {"application/papermill.record/text/plain": "-0.333333333333"}
    data, _ = glued(shown.glue, "x", np.int64(1_234_567))
    assert data == {"application/papermill.record/text/plain": "1234567"}


def test_several_are_glued_by_their_names(shell) -> None:
    with capture_output() as captured:
        shown.glue_all("bias", {"most": 12.5, "least": "none"})
    written = [
        (each.metadata["scrapbook"]["name"], *each.data.values()) for each in captured.outputs
    ]
    assert written == [("bias-most", "12.5"), ("bias-least", "'none'")]


@pytest.mark.parametrize(("value", "form"), [(12.4951, ".2f"), (49.55048, ".1f"), (0.12345, ".3g")])
def test_a_number_is_rounded_once(shell, value, form) -> None:
    """By the prose, which says what a table of the same number says."""
    data, _ = glued(shown.glue, "x", value)
    (plain,) = data.values()
    assert format_plain_text(plain, form) == f"{value:{form}}"


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(0.456, ".2f", "0.46"), (-0.5, ".1f", "−0.5"), (math.nan, ".1f", "–"), (1234, ",d", "1,234")],
)
def test_glue_in_a_form_is_the_text_of_the_prose(shell, value, form, text) -> None:
    data, _ = glued(shown.glue, "x", value, form)
    (plain,) = data.values()
    assert format_plain_text(plain, "s") == text  # what the role without a format makes of it


def test_table_reads_back_as_its_rows(shell) -> None:
    rows = [["a|b", 0.25, "-3.10"], ["c", 10, "+4.5 [4, 5]"]]
    data, _ = glued(shown.table, rows, headers=["name", "share", "n"])
    html = MarkdownIt("commonmark").enable("table").render(data["text/markdown"])
    cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", html)
    assert cells == ["name", "share", "n", "a|b", "0.25", "−3.10", "c", "10", "+4.5 [4, 5]"]
    assert html.count("right") == 2 * 3  # the two columns of numbers, header and rows


def test_a_table_writes_signs_as_minus_and_leaves_hyphens(shell) -> None:
    cells = ["CIFAR-10", "-0.5 [-1, .2]", "2026-11-23", "d-0", "[-.5]", "a - b"]
    data, _ = glued(shown.table, [cells], headers=list("abcdef"))
    cells = data["text/markdown"].splitlines()[-1].strip("| ").split(" | ")
    assert cells == ["CIFAR-10", "−0.5 [−1, .2]", "2026-11-23", "d-0", "[−.5]", "a - b"]


def test_table_without_rows_is_a_sentence(shell) -> None:
    data, _ = glued(shown.table, [], headers=["name", "value"], title="Gains")
    text = data["text/markdown"]
    assert text.startswith("**Gains**\n\nNothing to show") and "|" not in text


def test_table_of_a_wrong_width_names_the_row() -> None:
    with pytest.raises(ValueError, match=r"\['a', 1, 2\]: it must have 2 cells"):
        shown.table([["a", 1, 2]], headers=["name", "value"])
