"""Whatever stands in a plan is a plan or one sentence that names the field, never a traceback."""

import json
import math
import re
from dataclasses import asdict

import pytest
from hypothesis import example, given, strategies as st

from dropkit.commands import main
from dropkit.study import plan

HEAD = {"dataset": '"digits-2x4"', "model": '"mlp"', "densities": "[0.5]", "seeds": "1"}
LONG = 300  # characters that a sentence may have beside the name of its file


def text(changed=None, recipe="", stage="", protocols='["random+drop"]'):
    """A plan in TOML, its own lines changed, and lines added to its recipe and its stage."""
    head = "\n".join(f"{name} = {value}" for name, value in (HEAD | (changed or {})).items())
    return f"{head}\n[recipe]\n{recipe}\n[[stage]]\nprotocols = {protocols}\n{stage}\n"


def refused(content, folder):
    """The sentence of a plan that is none, without the name of its file."""
    file = folder / "p.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError) as caught:
        plan.read(file)
    sentence = str(caught.value)
    assert sentence.isprintable() and len(sentence) < LONG + len(str(file))
    return sentence.replace(str(file), "")


DATE = "2024-05-01"
NESTED = f"{'[' * 40}1{']' * 40}"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        *(({"changed": {"densities": v}}, "densities") for v in ("[]", f"[{DATE}]", "[[0.5]]")),
        *(({"changed": {"densities": v}}, "densities") for v in ("[true]", "[0.0]", "[nan]", "1")),
        ({"changed": {"densities": "[" + "0.5," * 20_000 + "]"}}, "densities"),
        *(({"changed": {"seeds": v}}, "seeds") for v in ("1" + "0" * 18, "2.0", "-1")),
        ({"changed": {"seeds": "1_000_000", "densities": "[0.5, 0.3]"}}, "seeds"),
        ({"changed": {"seeds": "0x" + "f" * 9000}}, "seeds"),
        ({"changed": {"dataset": '"' + "x" * 9000 + '"'}}, "dataset"),
        ({"changed": {"dataset": NESTED}}, "dataset"),
        ({"changed": {"stage": "[5]"}}, ""),  # the file has it twice, as TOML may not
        *(({"protocols": v}, "stage[0].protocols") for v in ("[]", "[5]", '"full"', "5", NESTED)),
        *(({"recipe": f"epochs = {v}"}, "recipe.epochs") for v in ('"6"', "1.5", "true", "0")),
        *(({"recipe": f"batch = {v}"}, "recipe.batch") for v in ("2.5", "1", "1" + "0" * 18)),
        *(
            ({"recipe": f"lr = {v}"}, "recipe.lr")
            for v in ("[1]", "-1", "0", "nan", "inf", "1e308")
        ),
        *(({"recipe": f"drops = {v}"}, "recipe.drops") for v in ("5", '["a"]', "[2.0]")),
        *(({"recipe": f"momentum = {v}"}, "recipe.momentum") for v in ("2", "1", "-0.1")),
        ({"recipe": "weight_decay = -5"}, "recipe.weight_decay"),
        ({"recipe": 'budget = "more"'}, "recipe.budget"),
        ({"recipe": f'"{"y" * 9000}" = 1'}, "recipe"),
        ({"stage": "smoothing = -1"}, "stage[0].smoothing"),
        ({"stage": 'rule = "foo"'}, "stage[0].rule"),
        ({"stage": "initialisations = 0"}, "stage[0].initialisations"),
        ({"stage": "imbalance = 0.5"}, "stage[0].imbalance"),
        ({"stage": "query = 3"}, "stage[0].query"),
        ({"stage": "query = {lr = -1}"}, "query.lr"),
    ],
)
def test_each_field_is_named(changes, field, tmp_path):
    assert field in refused(text(**changes), tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (text() + "#" * 10_000_000, "more than 100,000 bytes"),
        ("x = " + "[" * 1000 + "]" * 1000, "nest|recursion"),
        ("x = " + "{a = " * 9000, "nest|recursion"),
        ("a" + ".a" * 49_000 + " = 1", "a name of more than 20 parts"),
        ("[a" + " . 'a b'" * 12_000 + "]", "a name of more than 20 parts"),
        ("a" * 99_000, "TOML"),
        (text({"seeds": "1" + "0" * 5000}), "digits"),
        (b"\xff\xfe", "decode"),
        (b"", "needs dataset"),
        ("stage = [5]\n" + "\n".join(f"{n} = {v}" for n, v in HEAD.items()), r"stage\[0\] is 5"),
    ],
    ids=[
        "10MB",
        "brackets",
        "tables",
        "dots",
        "parts",
        "word",
        "digits",
        "bytes",
        "empty",
        "stage",
    ],
)
def test_what_is_too_large_or_no_plan(content, words, tmp_path):
    assert re.search(words, refused(content, tmp_path))


def test_the_command_line_says_it_too(tmp_path, capsys):
    for options in (["--seeds", "-1"], ["--threads", "1" + "0" * 18], ["--minutes", "nan"]):
        file = tmp_path / "p.toml"
        file.write_text(text())
        store = ["--store", str(tmp_path / "s"), "--device", "cpu"]
        assert main(["run", str(file), *store, *options]) == 2
        (sentence,) = capsys.readouterr().err.splitlines()[-1:]
        assert sentence.startswith("dropkit: error: ") and options[0].strip("-s") in sentence


# What each field of a recipe takes, from Table 1's columns: kind, and a test of the range.
RATE = (int, float), lambda v: 0 < v <= 1000
PART = (int, float), lambda v: 0 <= v <= 1
BELOW = (int, float), lambda v: 0 <= v < 1
TAKES = {
    "epochs": ((int,), lambda v: 1 <= v <= 10**9),
    "batch": ((int,), lambda v: 2 <= v <= 10**6),
    "lr": RATE,
    "weight_decay": PART,
    "momentum": BELOW,
    "label_smoothing": BELOW,
    "drop_factor": ((int, float), lambda v: 0 < v <= 1),
    "augment": ((bool,), lambda v: True),
    "nesterov": ((bool,), lambda v: True),
    "precision": ((str,), lambda v: v in ("float32", "float64", "bfloat16")),
    "anneal": ((str,), lambda v: v in ("steps", "triangle")),
    "select": ((str,), lambda v: v in ("last", "best", "averaged")),
}
WHOLE = st.integers(-3, 300) | st.integers(-(2**63), 2**63 - 1)
NAMES = st.sampled_from(["float64", "triangle", "best", "6", ""]) | st.text("ab<`{é ", max_size=9)
PLAIN = st.booleans() | WHOLE | st.floats() | st.floats(0, 2) | NAMES
VALUES = st.recursive(
    PLAIN, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.just("a"), v), max_leaves=4
)


def toml(value):
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


@given(field=st.sampled_from(sorted(TAKES)), value=VALUES)
@example(field="lr", value=math.nan)
@example(field="epochs", value=True)
def test_a_recipe_is_what_its_plan_says_or_refused_by_name(field, value, tmp_path_factory):
    kinds, fits = TAKES[field]
    folder = tmp_path_factory.mktemp("plan")
    content = text(recipe=f"{field} = {toml(value)}")
    if type(value) in kinds and fits(value):
        (folder / "p.toml").write_text(content)
        assert asdict(plan.read(folder / "p.toml").recipe)[field] == value
    else:
        assert refused(content, folder).startswith(f"plan : recipe.{field} is ")


@given(
    field=st.sampled_from(["densities", "seeds", "dataset", "order", "recipe", "query"]),
    value=VALUES,
)
def test_any_value_of_a_plan_is_read_or_refused_by_name(field, value, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    content = text({field: toml(value)}).replace(
        "[recipe]", "" if field == "recipe" else "[recipe]"
    )
    (folder / "p.toml").write_text(content)
    try:
        found = plan.read(folder / "p.toml")
    except ValueError:
        words = {"dataset": "data set"}.get(field, field)
        sentence = refused(content, folder)
        assert words in sentence or field in sentence
    else:
        assert len(sum(found.steps([0]), [])) > 0
        if field == "densities":
            assert all(0 < density <= 1 for density in value)
