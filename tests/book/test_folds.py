"""Folds of code: one for the set-up, and each says what it is of."""

from book._ext.folds import labelled

GLUED = {"output_type": "display_data", "data": {"application/papermill.record/text/plain": "1"}}
SHOWN = {"output_type": "display_data", "data": {"text/plain": "1"}}


def code(source, *outputs, tags=("hide-input",), **mystnb):
    metadata = {"tags": list(tags)} | ({"mystnb": mystnb} if mystnb else {})
    return {"cell_type": "code", "source": [source], "outputs": [*outputs], "metadata": metadata}


def test_what_shows_nothing_is_one_fold_with_the_parameters():
    cells = [
        code("seeds = 2", tags=("parameters", "hide-input"), code_prompt_show="Parameters"),
        code("import numpy", GLUED),
        code("draw()", SHOWN, figure={"caption": "A figure."}),
    ]
    first, second = labelled(cells)
    assert first["source"] == "seeds = 2\n\nimport numpy" and first["outputs"] == [GLUED]
    assert first["metadata"]["mystnb"]["code_prompt_show"] == "Parameters and set-up"
    assert second["metadata"]["mystnb"]["code_prompt_show"] == "Code of this figure"


def test_what_is_named_or_in_view_stays_as_it_is():
    text = {"cell_type": "markdown", "source": ["words"], "metadata": {}}
    cells = [
        code("a", tags=()),
        code("b", SHOWN, code_prompt_show="My own"),
        text,
        code("c", {"output_type": "stream", "text": "printed"}),
    ]
    found = labelled(cells)
    assert [cell["source"] for cell in found] == [["a"], ["b"], ["words"], ["c"]]
    assert found[1]["metadata"]["mystnb"]["code_prompt_show"] == "My own"
    assert found[3]["metadata"]["mystnb"]["code_prompt_show"] == "Code of what follows"
