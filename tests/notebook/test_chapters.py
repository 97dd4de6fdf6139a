"""What chapters that train begin with: their data set, grid and store."""

import pytest

from dropkit import notebook, study
from dropkit.notebook import chapters, parameters
from dropkit.store import Store
from tests.made_records import record

CELL = """\
scale = "digits"
dataset = ""
model = ""
densities = [0.3, 0.5]
seeds = 2
store = {store!r}
executor = "local"
device = "cpu"
"""


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A function that begins a chapter whose parameters cell is followed by further assignments."""
    monkeypatch.setattr(chapters, "FOLDER", tmp_path / "published")
    # Another test may have left a shell of IPython's in this process.
    monkeypatch.setattr(parameters, "_set_up_kernel", lambda: None)

    def begin(injected="", **given):
        cell = CELL.format(store=str(tmp_path / "own"))
        namespace: dict = {"In": ["", cell, injected, "chapter("]}
        for code in (cell, injected):
            exec(code, namespace)
        return notebook.chapter(namespace, **given)

    return begin


def test_the_grid_is_that_of_the_parameters(begun):
    page = begun("densities = [0.4]")
    assert (page.dataset, page.model) == ("digits-2x4", "mlp")
    assert page.recipe == page.grid(protocols=["random"])[0].recipe
    expected = study.grid("digits-2x4", protocols=["random"], densities=[0.4], seeds=2)
    assert page.grid(protocols=["random"]) == expected
    other = study.grid("digits-2x4", protocols=["random"], densities=[0.9], seeds=1)
    assert page.grid(protocols=["random"], densities=[0.9], seeds=1) == other


def test_a_chapter_has_data_sets_of_its_own(begun):
    sets = {"digits": "digits-on-photos", "paper": "waterbirds"}
    assert begun(datasets=sets).dataset == "digits-on-photos"
    assert begun("dataset = 'digits'", datasets=sets).dataset == "digits"
    with pytest.raises(
        notebook.ParameterError, match="scale is 'mini': it must be one of digits, paper$"
    ):
        begun("scale = 'mini'", datasets=sets)


def test_stored_and_published_records_are_not_trained(begun, tmp_path):
    page = begun("seeds = 1\ndensities = [0.5]")
    ours, theirs = page.grid(protocols=["random", "full"])
    for folder, trial in (("own", ours), ("published", theirs)):
        with_key = record() | {"key": trial.key, "trial": trial.config}
        Store(tmp_path / folder).add(with_key)
    page = begun("seeds = 1\ndensities = [0.5]")
    assert [found["key"] for found in page.run([ours, theirs])] == [ours.key, theirs.key]
