"""A package made for the test: its face shows what it lists, and says what it lacks."""

import importlib
import sys

import pytest

from dropkit._common.errors import MissingExtra

FACE = """
from typing import TYPE_CHECKING

from dropkit._common.faces import attach

if TYPE_CHECKING:
    import json
    from facade import plain as plain
    from facade.plain import area as area, area as surface
    from facade.lazy import train as train
    from facade.broken import nothing as nothing

__getattr__, __dir__, __all__ = attach(__name__, __file__)
"""
FILES = {
    "__init__": FACE,
    "plain": "def area(side): return side**2",
    "lazy": "import torch_of_the_test\ndef train(): pass",
    "broken": "import a_module_that_no_extra_has",
    "nested": "from facade import lazy",
}


@pytest.fixture
def facade(tmp_path, monkeypatch):
    """The package; its module ``torch_of_the_test`` stands for one that an extra brings."""
    (tmp_path / "facade").mkdir()
    for name, text in FILES.items():
        (tmp_path / "facade" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(
        sys.modules["dropkit._common.errors"].EXTRAS, "torch_of_the_test", ("tot", "train")
    )
    yield importlib.import_module("facade")
    for name in [each for each in sys.modules if each.partition(".")[0] == "facade"]:
        del sys.modules[name]


def test_names_are_found_and_files_load_when_they_are_used(facade):
    assert "facade.plain" not in sys.modules
    assert facade.area(3) == facade.surface(3) == 9
    assert dir(facade) == facade.__all__ == ["area", "nothing", "plain", "surface", "train"]


def test_a_name_is_looked_up_anew_each_time(facade, monkeypatch):
    before = facade.area
    monkeypatch.setattr("facade.plain.area", lambda side: -1)
    assert facade.area(3) == -1 and before(3) == 9


def test_files_are_found_without_an_import_of_their_own(facade):
    assert facade.plain.area(2) == 4


def test_what_an_extra_brings_is_said_in_one_sentence(facade):
    for ask in (
        lambda: facade.train,
        lambda: importlib.import_module("facade").train,
        lambda: exec("from facade import train", {}),
    ):
        with pytest.raises(MissingExtra) as caught:
            ask()
        assert (
            str(caught.value)
            == "facade.train needs tot: pip install tot (or dropkit's extra train)"
        )
        assert caught.value.name == "torch_of_the_test"
        assert caught.value.__suppress_context__


def test_the_sentence_is_about_what_was_asked_for(facade):
    with pytest.raises(MissingExtra, match=r"^facade\.nested needs tot"):
        facade.nested  # noqa: B018


def test_what_no_extra_brings_is_an_error_as_it_is(facade):
    with pytest.raises(ModuleNotFoundError, match="No module named 'a_module_that_no_extra_has'"):
        facade.nothing  # noqa: B018


@pytest.mark.parametrize("name", ["absent", "_private", "__wrapped__"])
def test_other_names_are_no_attributes(facade, name):
    with pytest.raises(AttributeError, match=f"module 'facade' has no attribute '{name}'"):
        getattr(facade, name)
    with pytest.raises(ImportError, match=f"cannot import name '{name}'"):
        exec(f"from facade import {name}", {})
