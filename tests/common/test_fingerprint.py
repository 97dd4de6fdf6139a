"""Functions that differ in what they compute have other fingerprints; equal ones have the same."""

import functools
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from dropkit._common.errors import UserError
from dropkit._common.fingerprint import fingerprint

ROOT = Path(__file__).parents[2]


def closing_over(value):
    def function(query):
        return value

    return function


def by_default(value):
    def function(query, known=value):
        return known

    return function


class Callable:
    def __init__(self, value):
        self.value = value

    def __call__(self, query):
        return self.value

    def method(self, query):
        return self.value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value


def two(query, value):
    return value


def wrapped(value):
    @functools.wraps(two)
    def function(query):
        return value

    return function


MAKERS = {
    "closure": closing_over,
    "default": by_default,
    "partial": lambda value: functools.partial(two, value=value),
    "object": Callable,
    "method": lambda value: Callable(value).method,
    "helper": lambda value: closing_over(by_default(value)),
    "wraps": wrapped,
    "cached": lambda value: functools.cache(closing_over(value)),
    "slots": lambda value: closing_over(Slotted(value)),
}
VALUES = {
    "number": lambda: (1.0, -1.0),
    "kind": lambda: (1, 1.0),
    "list": lambda: ([1, [2]], [1, [3]]),
    "dict": lambda: ({"a": 1}, {"a": 2}),
    "set": lambda: ({"a", "b"}, {"a", "c"}),
    "array": lambda: (np.arange(9.0), np.arange(9.0) + (np.arange(9) == 8)),
    "objects": lambda: (np.array(["a", 1], object), np.array(["b", 1], object)),
    "tensor": lambda: (torch.arange(4), torch.arange(4).flip(0)),
    "frame": lambda: (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1, 3]})),
    "estimator": lambda: (LogisticRegression(C=1), LogisticRegression(C=2)),
    "module": lambda: (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
    "function": lambda: (np.sort, np.argsort),
}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("maker", MAKERS)
def test_values_tell_functions_apart(maker, kind):
    make, (first, second) = MAKERS[maker], VALUES[kind]()
    assert fingerprint(make(first)) != fingerprint(make(second))
    assert fingerprint(make(first)) == fingerprint(make(first))


@pytest.mark.parametrize(
    "kind", [kind for kind in VALUES if kind != "module"]
)  # whose weights are drawn
def test_equal_values_are_the_same(kind):
    (first, _), (again, _) = VALUES[kind](), VALUES[kind]()
    assert fingerprint(closing_over(first)) == fingerprint(closing_over(again))


MODULE = """
import numpy as np
import settings
SIGN = 1
def helper(values):
    return SIGN * values
def by_constant(query):
    return SIGN * query
def by_helper(query):
    return [helper(each) for each in query]
def by_module(query):
    return settings.SIGN * query
def by_library(query):
    return np.sort(query)
lambdas = [lambda query: query, lambda query: -query]
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "settings.py").write_text("SIGN = 1\n")
    (tmp_path / "own_scores.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import own_scores

    yield own_scores
    for name in ("own_scores", "settings"):
        del sys.modules[name]


@pytest.mark.parametrize("name", ["by_constant", "by_helper"])
def test_globals_are_seen_as_they_are_now(module, name):
    before = fingerprint(getattr(module, name))
    module.SIGN = -1
    assert fingerprint(getattr(module, name)) != before
    module.SIGN = 1
    assert fingerprint(getattr(module, name)) == before


def test_attributes_of_a_module_of_ones_own(module):
    before = fingerprint(module.by_module)
    module.settings.SIGN = -1
    assert fingerprint(module.by_module) != before


def test_two_lambdas_of_one_line(module):
    assert len({fingerprint(each) for each in module.lambdas}) == 2


def test_functions_without_a_source():
    made = [{}, {}, {}]
    for known, sign in zip(made, "+-+", strict=True):
        exec(f"def f(query): return [{sign}each for each in query]", known)
    first, second, again = (fingerprint(known["f"]) for known in made)
    assert first == again != second


def test_recursion_ends():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n > 0 and even(n - 1)

    assert fingerprint(even) == fingerprint(even)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (np.random.default_rng(0), "numpy.random"),
        (random.Random(0), "random.Random"),
        (threading.Lock(), "lock"),
        ((each for each in "ab"), "generator"),
        ([open(os.devnull)], "TextIOWrapper"),  # noqa: SIM115
    ],
)
def test_what_no_value_tells_apart_is_refused(value, kind):
    with pytest.raises(UserError, match=f"the score 'x' depends on .*{kind}.* with version="):
        fingerprint(closing_over(value), "the score 'x'")


def test_fingerprints_are_the_same_in_another_process(module, tmp_path):
    code = (
        "import own_scores as m; from dropkit._common.fingerprint import fingerprint as f\n"
        "m.words = {'a', 'b', 'c', 'd'}\n"
        "def g(query): return m.words, m.by_helper\n"
        "print(f(m.by_helper), f(m.lambdas[1]), f(g))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert answers.pop().split()[:2] == [
        fingerprint(module.by_helper),
        fingerprint(module.lambdas[1]),
    ]


def test_a_plain_function_has_the_digest_of_its_source(module):
    """As before there were values: records of such functions stay what they are."""
    import hashlib
    import inspect

    text = inspect.getsource(module.by_library)
    assert fingerprint(module.by_library) == hashlib.sha256(text.encode()).hexdigest()[:8]
