"""A record that no honest program wrote is left out with a sentence, whatever its checksum."""

import copy
import json
import warnings

import pytest
from hypothesis import given, strategies

from dropkit.store import ForeignRecord, Store
from dropkit.store.forms import fault, plain
from dropkit.store.records import line
from tests.made_records import QUERY, record

GOOD = record(recall_query=QUERY)
SCRIPT = "<script>alert(1)</script>"
NOT_PLAIN = "not one plain line of at most 200 characters"
HARMFUL = [
    SCRIPT,
    "a\n\n```{literalinclude} /../secret.txt\n```",
    "\x1b[2J",
    "{eval}`1`",
    "x" * 201,
]


def changed(path, value):
    """The good record with another value in a place, without it where the value is ``...``."""
    found = copy.deepcopy(GOOD)
    *outer, last = path
    place = found
    for name in outer:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return found


def test_an_honest_one():
    assert fault(GOOD) == "" and fault({"key": "of something else", "x": SCRIPT}) == ""


@pytest.mark.parametrize("text", HARMFUL)
@pytest.mark.parametrize(
    "path",
    [("key",), ("provenance", "time"), ("provenance", "device"), ("trial", "protocol"),
     ("trial", "dataset"), ("trial", "other"), ("trial", "recipe", "loss")],
)  # fmt: skip
def test_text_that_is_more_than_text(path, text):
    assert fault(changed(path, text)) == "a text is not one plain line of at most 200 characters"
    assert "is not one plain line" in fault(changed(("trial", text), 1))


FORGED = [
    (("trial",), {}, "trial.dataset is missing"),
    (("trial",), [], "trial is of another type or range"),
    (("recalls",), ..., "recalls is missing"),
    (("recalls",), [0.5, 1.5], "recalls is of another type or range"),
    (("recalls",), [True, True], "recalls is of another type or range"),
    (("recalls",), [0.5], "recalls, kept, class_sizes and test_sizes differ in length"),
    (("test_sizes",), ..., "test_sizes is missing"),
    (("test_sizes",), [1], "recalls, kept, class_sizes and test_sizes differ in length"),
    (("query",), {"recalls": [10**400]}, "recalls is of another type or range"),
    (("query",), {"recalls": [1e308]}, "recalls is of another type or range"),
    (("seconds",), 10**400, "seconds is of another type or range"),
    (("recalls",), [], "recalls is of another type or range"),
    (("kept",), [1, -1], "kept is of another type or range"),
    (("class_sizes",), [1, 2**63], "class_sizes is of another type or range"),
    (("seconds",), "9", "seconds is of another type or range"),
    (("seconds",), -1.0, "seconds is of another type or range"),
    (("provenance",), None, "provenance is of another type or range"),
    (("provenance", "time"), None, "provenance.time is of another type or range"),
    (("provenance", "device"), 5, "provenance.device is of another type or range"),
    (("provenance", "device"), ..., "provenance.device is missing"),
    (("provenance", "commit"), ..., "provenance.commit is missing"),
    (("provenance", "torch"), ..., "provenance has neither torch nor scikit-learn"),
    (("provenance", "scipy"), 5, "provenance is not of texts"),
    (("trial", "protocol"), "![x](//evil.example/x.png)", "protocol is not a name"),
    (("trial", "protocol"), "=cmd|' /C calc'!A0", "protocol is not a name"),
    (("trial", "recipe", "select"), "[x](javascript:alert(1))", "select is not a name"),
    (("trial", "recipe", "drops"), [1, "[x](y)"], "drops is not a name"),
    (("trial", "recipe", "drops"), [1, SCRIPT], f"a text is {NOT_PLAIN}"),
    (("trial", "inputs"), SCRIPT, f"a text is {NOT_PLAIN}"),
    (("trial", "recipe", "epochs"), 0, "trial.recipe.epochs is of another type or range"),
    (("trial", "protocol"), [], "trial.protocol is of another type or range"),
    (("trial", "density"), "a", "trial.density is of another type or range"),
    (("trial", "density"), 2, "trial.density is of another type or range"),
    (("trial", "seed"), 1.5, "trial.seed is of another type or range"),
    (("trial", "recipe"), None, "trial.recipe is of another type or range"),
    (("trial", "recipe", "epochs"), ..., "trial.recipe.epochs is missing"),
    (("trial", "recall_query"), [], "trial.recall_query is of another type or range"),
    (("trial", "recall_query"), {}, "trial.recall_query.recipe is missing"),
]


@pytest.mark.parametrize(("path", "value", "message"), FORGED)
def test_a_forged_one_is_named_and_its_neighbours_are_read(tmp_path, path, value, message):
    forged = line(json.dumps(changed(path, value)))
    (tmp_path / "a.jsonl").write_text(forged + line(json.dumps(GOOD)))
    with pytest.warns(ForeignRecord) as caught:
        assert list(Store(tmp_path)) == [GOOD]
    assert [str(each.message) for each in caught] == [
        f"line 1 of {tmp_path}/a.jsonl: {message}; it is left out"
    ]


def test_no_number_blocks_nothing(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        line(json.dumps(changed(("recalls",), [float("nan"), 0.5]))) + line(json.dumps(GOOD))
    )
    with pytest.warns(ForeignRecord, match="line 1 of .*: no record of this version"):
        store = Store(tmp_path)
    store.export(tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_text().count("\n") == 1


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text()
    | strategies.floats(allow_nan=False, allow_infinity=False),
    lambda inner: strategies.lists(inner, max_size=3)
    | strategies.dictionaries(strategies.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
PLACES = [(name,) for name in GOOD] + [
    (outer, name) for outer in ("trial", "provenance") for name in GOOD[outer]
]


@given(strategies.sampled_from(PLACES), JSON)
def test_any_value_anywhere_is_judged_and_what_passes_can_be_read(path, value):
    from dropkit.study.curves import arrange

    found = changed(path, value)
    if not fault(found):
        arrange([found])


@given(strategies.text(max_size=300))
def test_plain_text_can_break_out_of_nothing(text):
    if plain(text):
        assert len(text.splitlines()) <= 1 and not any(c in text for c in "<`{\x1b\n\r\t")


def test_deep_nesting_is_a_sentence(tmp_path):
    deep = '{"key":"k","trial":' + '{"a":' * 900 + "1" + "}" * 901
    (tmp_path / "a.jsonl").write_text(line(deep))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(Store(tmp_path)) == 0
    assert "it is left out" in str(caught[0].message) or "left out" in str(caught[0].message)
