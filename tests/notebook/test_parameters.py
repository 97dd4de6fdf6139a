"""What a notebook's parameters become."""

import math
from types import SimpleNamespace

import nbformat
import pytest
from IPython.utils.capture import capture_output
from nbclient import NotebookClient

from dropkit.notebook import parameters

CELL = """\
scale = "digits"          # the data
densities = [0.1, 0.5]    # fractions
protocols = ["random", "random+drop"]
strategies = ["grand"]
seeds = 60
separation = 2.0
separations = [2.0]
store = ""
executor = "local"
device = "cpu"
literal = True
"""


def run(injected: str = "", cell: str = CELL) -> SimpleNamespace:
    """What settings() returns in a notebook with this parameters cell and injected cell."""
    namespace: dict = {}
    cells = ["", cell, *([injected] if injected else []), "settings = notebook.settings(globals())"]
    for code in cells[:-1]:
        exec(code, namespace)
    namespace["In"] = cells
    return parameters.settings(namespace)


def test_defaults_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPKIT_STORE", "/somewhere/store")
    assert vars(run()) == {
        "scale": "digits",
        "densities": [0.1, 0.5],
        "protocols": ["random", "random+drop"],
        "strategies": ["grand"],
        "seeds": 60,
        "separation": 2.0,
        "separations": [2.0],
        "store": "/somewhere/store",
        "executor": "local",
        "device": "cpu",
        "literal": True,
    }


@pytest.mark.parametrize(
    "injected, name, expected",
    [
        ("separations = [1]", "separations", [1.0]),
        ("densities = (0.2, 0.3)", "densities", [0.2, 0.3]),
        ("separation = 3", "separation", 3.0),
        ("densities = [0.5, 0.1, 0.5, 0.25]", "densities", [0.1, 0.25, 0.5]),
        ("protocols = ['random', 'el2n', 'random']", "protocols", ["random", "el2n"]),
        ("seeds = 2", "seeds", 2),
        ("literal = False", "literal", False),
        ("strategies = []", "strategies", []),
        ("store = 'here'", "store", "here"),
        ("device = 'cuda:1'", "device", "cuda:1"),
    ],
)
def test_injected_value_wins_in_the_type_of_the_default(injected, name, expected) -> None:
    value = getattr(run(injected), name)
    assert value == expected
    assert type(value) is type(expected)
    if isinstance(value, list):
        assert [type(item) for item in value] == [type(item) for item in expected]


@pytest.mark.parametrize(
    "injected, words",
    [
        (
            "density = 2",
            ["parameter density is unknown", "takes scale, densities", "mean densities"],
        ),
        ("zzz = 1", ["parameter zzz is unknown: "]),
        ("density = 2\nsed = 1", ["parameters density, sed are unknown", "mean densities, seeds"]),
        (
            "densities = '0.3'",
            ["densities is ", "must be a list of numbers such as [0.1, 0.5]", "'0.3'"],
        ),
        ("densities = 0.3", ["densities is ", "must be a list of numbers", "is 0.3: "]),
        (
            "densities = [0.1, '0.3']",
            ["densities is ", "must be a list of numbers", "[0.1, '0.3']"],
        ),
        ("densities = [True]", ["densities is ", "must be a list of numbers", "[True]"]),
        ("densities = [0.5, 1.5, 0]", ["densities", "above 0 and below 1", "[1] is 1.5"]),
        ("densities = [float('nan')]", ["densities", "above 0 and below 1", "nan"]),
        ("densities = []", ["densities", "0 items"]),
        ("protocols = 'random'", ["protocols is ", "must be a list of texts", "the text 'random'"]),
        ("protocols = ['droop']", ["protocol 'droop'"]),
        ("protocols = []", ["protocols", "0 items"]),
        ("strategies = ['el2n', 'hope']", ["strategies is ", "hope: each must be one of", "el2n"]),
        ("strategies = 'el2n'", ["strategies is ", "must be a list of texts", "the text 'el2n'"]),
        ("seeds = [0, 1]", ["seeds is ", "must be a whole number such as 60", "[0, 1]"]),
        ("seeds = 2.5", ["seeds is ", "must be a whole number", "2.5"]),
        ("seeds = True", ["seeds is ", "must be a whole number", "True"]),
        ("seeds = 0", ["seeds is 0", "a whole number from 1"]),
        ("seeds = 10**18", ["seeds is 1000000000000000000: ", "a whole number from 1"]),
        ("scale = 'huge'", ["scale is ", "must be one of digits, features, mini, paper", "'huge'"]),
        ("executor = 'dask'", ["executor is ", "must be one of", "local", "processes", "'dask'"]),
        ("device = 'gpu'", ["device", "cuda", "'gpu'"]),
        ("store = 3", ["store is ", "must be a text", "3"]),
        ("literal = 1", ["literal is ", "must be True or False", "is 1: "]),
    ],
)
def test_wrong_parameter_stops_with_one_sentence(injected, words) -> None:
    with pytest.raises(parameters.ParameterError) as caught:
        run(injected)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert caught.value._render_traceback_() == [f"ParameterError: {message}"]


@pytest.mark.parametrize(
    ("injected", "told"),
    [
        ("", []),
        ("store = 'here'\nexecutor = 'processes'\ndevice = 'auto'", []),  # no other numbers
        ("seeds = 60", []),
        ("seeds = 3", ["`seeds = 3` (the page has `60`)"]),
        ("separations = [1]\nscale = 'mini'", ["`separations = [1.0]`", "`scale = 'mini'`"]),
    ],
)
def test_a_run_with_other_parameters_says_that_the_prose_is_not_about_it(
    shell, monkeypatch, injected, told
) -> None:
    monkeypatch.setattr(parameters, "_set_up_kernel", lambda: None)  # of the figures, not the words
    with capture_output() as captured:
        run(injected)
    texts = [output.data["text/markdown"] for output in captured.outputs]
    assert len(texts) == bool(told)
    assert all(words in texts[0] for words in told)


MENDABLE = {
    "Store('file')": "StoreError: the store file is a file; a store is a folder",
    "datasets.load('cifar10', root='none')": "UserError: there is no folder none: let --data or ",
    "study.chosen('digits', 'cifar11')": "UserError: no default model for data set 'cifar11'; ",
    "study.run(trials, store=Store('new'))": "UserError: density 1e-05 keeps 0 of the ",
}
BUGS = ["metrics.pooled_worst([0.5])", "study.grid('digits', 3)", "np.zeros(2) + np.zeros(3)"]
SETUP = """\
import numpy as np
from dropkit.notebook import parameters
from dropkit import datasets, metrics, study
from dropkit.store import Store
trials = study.grid("digits-2x4", protocols=["random"], densities=[1e-5], seeds=1)
"""


def test_a_kernel_shows_what_its_user_can_mend_as_a_sentence_and_bugs_with_their_frames(tmp_path):
    (tmp_path / "file").touch()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, *MENDABLE, *BUGS)]
    page = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    client = NotebookClient(page, allow_errors=True, resources={"metadata": {"path": tmp_path}})
    setup, *cells = client.execute().cells
    assert not setup.outputs
    shown = {cell.source: "\n".join(cell.outputs[-1].traceback) for cell in cells}
    for source, words in MENDABLE.items():
        assert shown[source].startswith(words) and "\n" not in shown[source]
    for source in BUGS:
        assert "Traceback (most recent call last)" in shown[source]


def test_names_of_the_notebooks_own_cells_are_no_parameters() -> None:
    # A reader who runs the settings cell again has every later name of the notebook around.
    namespace: dict = {}
    exec(CELL, namespace)
    call = "settings = notebook.settings(globals())"
    namespace |= {"In": ["", CELL, "import math", call, "width = 3", call], "width": 3}
    assert "width" not in vars(parameters.settings(namespace))


def test_a_scale_that_the_notebook_lacks_is_refused_with_those_it_has() -> None:
    namespace: dict = {}
    exec(CELL, namespace)
    namespace["In"] = ["", CELL, "settings(...)"]
    assert parameters.settings(namespace, scales=["digits", "paper"]).scale == "digits"
    with pytest.raises(
        parameters.ParameterError, match=r"'mini': it must be one of digits, paper$"
    ):
        parameters.settings(namespace | {"scale": "mini"}, scales=["digits", "paper"])


def test_without_a_parameters_cell_it_says_what_to_run() -> None:
    with pytest.raises(parameters.ParameterError, match="run the notebook's parameters cell"):
        parameters.settings({"In": ["", "import math"]})


def test_a_kernel_without_history_takes_the_names_that_are_there() -> None:
    namespace = {"__name__": "__main__", "In": [""], "Out": {}, "math": math, "exit": print}
    exec("densities = [0.1]\nseeds = 3", namespace)
    assert vars(parameters.settings(namespace)) == {"densities": [0.1], "seeds": 3}
    with pytest.raises(parameters.ParameterError, match="densities"):
        parameters.settings(namespace | {"densities": [2.0]})
