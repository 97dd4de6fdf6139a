"""Grids: each trial once, under a key that differs exactly where what is trained differs."""

import json
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from dropkit import study
from dropkit.scores import registry
from dropkit.study import trials
from dropkit.study.queries import Query, short_recipe
from dropkit.training import Recipe, recipes
from tests.training.test_engine import TINY

SHORT = replace(TINY, epochs=1, batch=256)
# Appendix A: which query models each of the paper's scores comes from.
SCHEDULES = {
    "el2n": "short",
    "grand": "short",
    "forgetting": "long",
    "dynunc": "long",
    "coreset": "long",
    "ssp": "long",
}


def grid(protocols=("random",), densities=(0.5,), seeds=1, **options):
    defaults = {"recipe": SHORT, "initialisations": 2}
    common = {"protocols": protocols, "densities": densities, "seeds": seeds}
    return trials.grid("digits-2x4", **common, **defaults | options)


def test_study_offers_them():
    assert (study.Trial, study.grid) == (trials.Trial, trials.grid)
    assert study.chosen is trials.chosen


class TestGrid:
    def test_every_combination_once(self):
        found = grid(["random", "el2n"], [0.1, 0.5], 3)
        expected = [(p, d, s) for p in ("random", "el2n") for d in (0.1, 0.5) for s in range(3)]
        assert Counter((t.protocol, t.density, t.seed) for t in found) == Counter(expected)
        assert len({t.key for t in found}) == len(found)

    def test_full_is_one_trial_a_seed(self):
        found = grid(["full", "random", "cdbw+el2n+drop"], [0.5, 1.0, 1], 2, smoothing=1.0)
        full = [t for t in found if t.density == 1]
        assert [(t.protocol, t.seed) for t in full] == [("full", 0), ("full", 1)]
        assert full == grid(["full"], [0.3], 2)
        assert [t.key for t in full] == [t.key for t in grid(["full"], [0.3], 2)]
        assert all(t.queries == [] for t in full)

    def test_full_with_another_loss_is_another_trial(self):
        found = grid(["full+cdbw", "random+cdbw", "cdbw+ssp+cdbw", "full"], [1.0])
        assert [t.protocol for t in found] == ["full+cdbw", "full"]
        assert [t.recipe.loss for t in found] == ["cdbw", "ce"]
        assert found[0].key != found[1].key

    def test_what_a_protocol_does_not_use_is_left_out(self):
        options = {
            "smoothing": 1.0,
            "rule": "counts",
            "query": replace(SHORT, epochs=7),
            "initialisations": 3,
            "val_share": 0.5,
            "val_noise": 0.1,
        }
        short, recalls = {"query", "initialisations"}, set(options)
        for protocol, used in {
            "random": set(),
            "random+cdbw": set(),
            "el2n": short,
            "cdbw+grand": short,
            "random+el2nq": short,
            "coreset": set(),
            "random+forgettingq": set(),
            "random+drop": recalls,
            "el2n+drop": recalls,
            "ssp+drop": recalls,
        }.items():
            (plain,) = grid([protocol])
            for name, value in options.items():
                (other,) = grid([protocol], **{name: value})
                assert (other.key != plain.key) == (name in used), (protocol, name)

    def test_defaults_of_a_data_set(self):
        (trial,) = trials.grid("digits-2x4", protocols=["el2n"], densities=[0.5], seeds=[7])
        assert (trial.model, trial.recipe) == ("mlp", recipes.DIGITS)
        query = trial.score_query
        assert query.recipe == short_recipe(recipes.DIGITS)
        assert (trial.seed, query.seed, query.initialisations) == (7, 7, 5)
        assert (query.dataset, query.model) == ("digits-2x4", "mlp")
        assert (query.val_share, query.val_noise) == (1.0, 0.0)

    def test_iterators_and_numpy_values(self):
        lists = grid(["random", "random+drop"], [0.25, 0.5], [0, 1], smoothing=1.0, val_share=1.0)
        others = grid(
            iter(["random", "random+drop"]),
            np.array([0.25, 0.5]),
            np.arange(2),
            smoothing=1,
            val_share=np.int64(1),
            val_noise=0,
        )
        assert [t.key for t in others] == [t.key for t in lists]
        assert json.loads(json.dumps([t.config for t in others]))
        assert grid(seeds=np.int64(2)) == grid(seeds=range(2))

    def test_every_field_of_the_recipe_counts(self):
        other = {
            "epochs": 2,
            "batch": 128,
            "lr": 0.2,
            "weight_decay": 0.0,
            "momentum": 0.5,
            "drops": (),
            "drop_factor": 0.1,
            "budget": "steps",
            "precision": "float32",
            "select": "averaged",
            "augment": True,
            "anneal": "triangle",
            "label_smoothing": 0.1,
            "nesterov": True,
        }
        assert other.keys() == asdict(SHORT).keys() - {"loss"}  # which the protocol names
        keys = {
            grid(recipe=replace(SHORT, **{name: value}))[0].key for name, value in other.items()
        }
        assert len(keys | {grid()[0].key}) == len(other) + 1

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"protocols": ["droop"]}, "protocol 'droop' is not known"),
            ({"protocols": ["random+randomq"]}, "protocol 'random.randomq' is not known"),
            ({"protocols": ["cdbw+random"]}, "protocol 'cdbw.random' is not known"),
            ({"densities": [0.5, 0]}, r"density is 0: it must lie in \(0, 1\]"),
            ({"densities": [1.5]}, "density is 1.5"),
            ({"densities": [float("nan")]}, "density is nan"),
            ({"val_share": 0}, "val_share is 0: it must be a number above 0"),
            ({"seeds": [0.5]}, "seed is 0.5: it must be a whole number from 0"),
            ({"seeds": 10**18}, "seeds is 1000000000000000000: it must be a whole number from 0"),
            ({"smoothing": -1}, "smoothing is -1: it must be a number from 0"),
            ({"rule": "foo"}, "rule is 'foo': it must be one of densities, counts"),
            ({"initialisations": 101}, "initialisations is 101: it must be a whole number from 1"),
            ({"val_noise": 2}, r"val_noise is 2: it must be a number from 0 to 1"),
        ],
    )
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=message):
            grid(**options)

    def test_types(self):
        with pytest.raises(TypeError):
            grid(densities=["0.5"])

    def test_unknown_data_set(self):
        with pytest.raises(ValueError, match="'mnist'"):
            trials.grid("mnist", protocols=["random"], densities=[0.5], seeds=1)


class TestQueries:
    @pytest.mark.parametrize("strategy", SCHEDULES)
    @pytest.mark.parametrize("form", ["{}", "{}+drop", "random+{}q"])
    def test_schedules_are_the_papers(self, strategy, form):
        recipe = Recipe(200, 128, 0.2, 1e-4, budget="released")
        (trial,) = trials.grid(
            "digits-2x4",
            protocols=[form.format(strategy)],
            densities=[0.5],
            seeds=[3],
            recipe=recipe,
            val_share=0.5,
        )
        drop = "drop" in form
        short = Query("digits-2x4", "mlp", 3, short_recipe(recipe), "short", 5, 0.5)
        long = Query("digits-2x4", "mlp", 3, replace(recipe, budget="epochs"), "long", 1)
        unseen = short if drop else replace(short, val_share=1.0)
        assert trial.score_query == {"short": unseen, "long": long}[SCHEDULES[strategy]]
        assert trial.recall_query == (short if drop else None)
        assert set(trial.queries) == {trial.score_query} | ({short} if drop else set())

    def test_strategies_of_one_schedule_share_their_query(self):
        found = grid(["forgetting", "dynunc+drop", "random+coresetq", "ssp"], [0.2, 0.7])
        assert len({t.score_query.key for t in found}) == 1
        found = grid(["el2n", "grand", "random+grandq"], [0.2, 0.7])
        assert len({t.score_query.key for t in found}) == 1

    @pytest.mark.parametrize("base", ["random+drop", "el2n", "ssp+drop", "random+coresetq"])
    def test_losses(self, base):
        found = grid([base, f"{base}+cdbw", f"cdbw+{base}", f"cdbw+{base}+cdbw"])
        assert [t.recipe.loss for t in found] == ["ce", "cdbw", "ce", "cdbw"]
        losses = [{query.recipe.loss for query in t.queries} for t in found]
        assert losses == [{"ce"}, {"ce"}, {"cdbw"}, {"cdbw"}]
        assert len({t.key for t in found}) == 4
        assert found[0].queries == found[1].queries
        assert found[2].queries == found[3].queries
        # Nothing but the losses changes.
        for trial in found:
            assert replace(trial.recipe, loss="ce") == found[0].recipe
            for query, plain in zip(trial.queries, found[0].queries, strict=True):
                assert replace(query, recipe=replace(query.recipe, loss="ce")) == plain

    @pytest.mark.parametrize("given", ["recipe", "query"])
    def test_a_loss_is_the_protocols_to_name(self, given):
        with pytest.raises(ValueError, match="'cdbw': leave it 'ce' .* protocol"):
            grid(["random"], **{given: replace(SHORT, loss="cdbw")})

    def test_whole_numbers_are_the_same_recipe(self):
        whole = Recipe(8, 32, 1, 0, momentum=0, drops=[1], drop_factor=1)
        same = Recipe(8, 32, 1.0, 0.0, momentum=0.0, drops=(1.0,), drop_factor=1.0)
        assert grid(["full"], recipe=whole)[0].key == grid(["full"], recipe=same)[0].key


PROTOCOLS = ["full", "random", "random+drop", "el2n", "el2n+drop", "random+el2nq", "ssp+drop"]
FIELDS = {
    "base": st.sampled_from(PROTOCOLS),
    "density": st.sampled_from([0.1, 0.5, 1.0]),
    "loss": st.sampled_from(["ce", "cdbw"]),
    "query_loss": st.sampled_from(["ce", "cdbw"]),
    "seed": st.integers(0, 1),
    "smoothing": st.sampled_from([0.0, 1.0]),
    "rule": st.sampled_from(["densities", "counts"]),
    "model": st.sampled_from(["mlp", "cnn"]),
    "dataset": st.sampled_from(["digits", "digits-2x4"]),
    "imbalance": st.sampled_from([1.0, 5.0]),
    "epochs": st.integers(1, 2),
    "budget": st.sampled_from(["epochs", "steps"]),
    "query_epochs": st.integers(1, 2),
    "initialisations": st.integers(1, 2),
    "val_share": st.sampled_from([0.5, 1.0]),
    "val_noise": st.sampled_from([0.0, 0.1]),
}


def meaning(f):
    """What a trial depends on, by the definition of each protocol."""
    used = {"dataset", "model", "imbalance", "seed", "epochs", "budget", "loss"}
    base = f["base"]
    if base == "full" or f["density"] == 1:
        base = "full"
    else:
        used |= {"density"}
        if "el2n" in base or "drop" in base:
            used |= {"query_epochs", "initialisations", "query_loss"}
        if "drop" in base:
            used |= {"smoothing", "rule", "val_share", "val_noise"}
    return base, {name: f[name] for name in used}


def build(f):
    needs_query = f["base"] not in ("full", "random")
    before = "cdbw+" * (f["query_loss"] == "cdbw" and needs_query)
    plain = {"smoothing", "rule", "initialisations", "val_share", "val_noise", "imbalance", "model"}
    (trial,) = trials.grid(
        f["dataset"],
        protocols=[before + f["base"] + "+cdbw" * (f["loss"] == "cdbw")],
        densities=[f["density"]],
        seeds=[f["seed"]],
        recipe=replace(SHORT, epochs=f["epochs"], budget=f["budget"]),
        query=replace(SHORT, epochs=f["query_epochs"]),
        **{name: f[name] for name in plain},
    )
    return trial


@given(data=st.data())
def test_keys_differ_where_the_meaning_differs(data):
    first = {name: data.draw(values) for name, values in FIELDS.items()}
    changed = data.draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=3))
    second = first | {name: data.draw(FIELDS[name]) for name in sorted(changed)}
    a, b = build(first), build(second)
    assert (a.key == b.key) == (meaning(first) == meaning(second))
    assert (a == b) == (a.key == b.key)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        (("digits",), ("digits-2x4", "mlp")),
        (("mini",), ("cifar10", "mini")),
        (("features",), ("cifar100-features", "linear")),
        (("features", "waterbirds-features"), ("waterbirds-features", "linear")),
        (("paper",), ("cifar100", "vgg19")),
        (("mini", "cifar100"), ("cifar100", "mini")),
        (("paper", "cifar10"), ("cifar10", "vgg16")),
        (("paper", "waterbirds"), ("waterbirds", "resnet50-imagenet")),
        (("digits", "digits", "cnn"), ("digits", "cnn")),
        (("digits", "cifar10"), ("cifar10", "vgg16")),
    ],
)
def test_data_set_and_model_of_a_scale(named, expected):
    assert trials.chosen(*named) == expected


def test_an_unknown_scale():
    for dataset in ("", "digits"):
        with pytest.raises(
            ValueError, match="unknown scale 'huge'; known are digits, features, mini, paper"
        ):
            trials.chosen("huge", dataset)


def test_another_function_under_one_name_is_another_trial():
    """A reader who edits a score of their own must not be shown the old one's records."""
    before = dict(registry.SCORES)
    keys = []
    try:
        for sign in (1, -1, 1):
            exec(  # as a notebook cell: no source file to read
                f"def own(query):\n    return {sign} * query.probs.max(axis=-1).mean(axis=0)",
                names := {},
            )
            registry.register("own", needs=("probs",))(names["own"])
            (trial,) = grid(["own"])
            keys.append(trial.key)
    finally:
        registry.SCORES.clear()
        registry.SCORES.update(before)
    assert keys[0] == keys[2] != keys[1]


def test_a_long_query_is_one_run():
    with pytest.raises(ValueError, match="a long query is one run, got initialisations=2"):
        Query("digits-2x4", "mlp", 0, recipes.DIGITS, "long", 2)
