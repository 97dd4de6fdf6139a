"""Public functions say in numpydoc's form what they take: each parameter, its type, its meaning."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest
from numpydoc.validate import validate

import dropkit

MODULES = [
    "dropkit.metrics",
    "dropkit.pruning",
    "dropkit.quotas",
    "dropkit.sampler.pytorch",
]  # public, and no packages
WRONG = {
    "GL06",  # a section that numpydoc does not know
    "GL07",  # sections in another order
    "GL08",  # no docstring
    "SS03",  # a summary that is no sentence
    "PR01",  # a parameter that is not there
    "PR02",  # one that the function does not take
    "PR03",  # another order
    "PR04",  # no type
    "PR07",  # no description
    "PR10",  # "name: type"
}


def public() -> Iterator[str]:
    """Functions and classes in the faces of packages and in public modules, by where they are."""
    packages = [found.name for found in pkgutil.walk_packages(dropkit.__path__, "dropkit.")]
    for name in ["dropkit", *packages]:
        if name.endswith("__main__"):
            continue
        module = import_module(name)
        for thing in (getattr(module, each) for each in _names(module, name)):
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{thing.__module__}.{thing.__qualname__}"


def _names(module, name: str) -> list[str]:
    if hasattr(module, "__path__"):
        return list(getattr(module, "__all__", ()))
    own = [each for each, thing in vars(module).items() if getattr(thing, "__module__", "") == name]
    return [each for each in own if name in MODULES and not each.startswith("_")]


@pytest.mark.parametrize("name", sorted(set(public())))
def test_public_docstrings_are_numpydoc(name: str) -> None:
    module, _, thing = name.rpartition(".")
    thing = getattr(import_module(module), thing)
    # The fields of a named tuple are read, not given.
    fields = {"PR01"} if inspect.isclass(thing) and issubclass(thing, tuple) else set()
    assert [text for code, text in validate(name)["errors"] if code in WRONG - fields] == []


def test_a_docstring_in_another_form_is_found() -> None:
    """As docstrings here once were."""
    codes = {code for code, _ in validate(f"{__name__}._old")["errors"]}
    assert {"PR01", "PR07"} & codes & WRONG


def _old(n: int, m: int) -> int:
    """Return a sum.

    Parameters
    ----------
    n : how many, all told
    """
    return n + m
