"""Plans: what a file says is what runs, in its order, as far as time allows."""

import time
from dataclasses import replace

import pytest
from tqdm import tqdm

from dropkit import study
from dropkit.store import Store
from dropkit.study import estimate, plan
from dropkit.study.queries import Network
from dropkit.training import engine, recipes
from dropkit.training.recipes import DIGITS

SMALL = """
dataset = "digits-2x4"
model = "mlp"
densities = [0.5, 0.3]
seeds = 2

[recipe]
epochs = 2
drops = [0.5]

[[stage]]
protocols = ["full", "random"]

[[stage]]
protocols = ["random+drop"]
densities = [0.2]
smoothing = 1
"""


class Slow:
    """Training by a clock of our own, on which ten images take a second."""

    def __init__(self):
        self.images, self.seeds, self.calls, self.train = 0, [], 0, engine.train

    def __call__(self, model, x, y, kept, recipe, *, seeds, **others):
        self.images += recipe.epochs * kept.size
        self.seeds += seeds
        self.calls += 1
        return self.train(model, x, y, kept, recipe, seeds=seeds, **others)


@pytest.fixture
def slow(monkeypatch):
    clock = Slow()
    monkeypatch.setattr(engine, "train", clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock.images / 10)
    return clock


@pytest.fixture
def small(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


class TestRead:
    def test_trials_and_their_order(self, small):
        seen = [
            [(t.seed, t.protocol, t.density, t.smoothing) for t in step]
            for step in plan.read(small).steps()
        ]
        assert seen == [
            step
            for seed in (0, 1)
            for step in (
                [(seed, "full", 1, 0), (seed, "random", 0.5, 0), (seed, "random", 0.3, 0)],
                [(seed, "random+drop", 0.2, 1)],
            )
        ]
        trials = sum(plan.read(small).steps(), [])
        assert {(t.recipe.epochs, t.recipe.drops, t.recipe.lr) for t in trials} == {
            (2, (0.5,), DIGITS.lr)
        }

    def test_stages_may_come_before_seeds(self, tmp_path):
        file = tmp_path / "plan.toml"
        file.write_text(SMALL.replace("seeds = 2", 'seeds = 2\norder = "stages"'))
        seen = [[(t.seed, t.density) for t in step] for step in plan.read(file).steps()]
        first = [(seed, density) for seed in (0, 1) for density in (1, 0.5, 0.3)]
        assert seen == [first, [(0, 0.2), (1, 0.2)]]

    def test_a_stage_may_have_a_data_set_of_its_own(self, tmp_path):
        file = tmp_path / "plan.toml"
        file.write_text(SMALL.replace("smoothing = 1", 'dataset = "digits-3rows"'))
        seen = [{(t.dataset, t.protocol) for t in step} for step in plan.read(file).steps([0])]
        assert seen == [
            {("digits-2x4", "full"), ("digits-2x4", "random")},
            {("digits-3rows", "random+drop")},
        ]

    def test_queries_of_a_plan_and_of_a_stage(self, tmp_path):
        file = tmp_path / "plan.toml"
        drop = 'protocols = ["random+drop"]'
        text = SMALL.replace(drop, drop + "\nquery = { epochs = 7 }")
        text = text.replace('["full", "random"]', '["random+drop"]')
        for table, epochs in (("", 1), ("[query]\nepochs = 5\n\n", 5)):  # 1: a third of 2
            file.write_text(text.replace("[recipe]", table + "[recipe]"))
            steps = plan.read(file).steps([0])
            assert [step[0].recall_query.recipe.epochs for step in steps] == [epochs, 7]

    def test_chosen_seeds(self, small):
        assert [step[0].seed for step in plan.read(small).steps([7, 3])] == [7, 7, 3, 3]

    @pytest.mark.parametrize("name", plan.names())
    def test_plans_of_the_package(self, name, monkeypatch):
        monkeypatch.setattr("dropkit.datasets.loading.version", lambda name: "")
        found = plan.read(name)
        usual = recipes.defaults(found.dataset, found.model)[1]
        assert replace(found.recipe, epochs=usual.epochs) == usual
        assert len(sum(found.steps([0]), [])) > 1

    @pytest.mark.parametrize(
        ("name", "model", "figures"),
        [
            # Figures 10 to 12: all algorithms, and the variants of the strategies of Section 4.
            ("cifar10-paper", "vgg16", ["el2n"]),
            ("tinyimagenet-paper", "resnet18", ["grand", "forgetting"]),
            ("imagenet-paper", "resnet50", ["el2n"]),
        ],
    )
    def test_plans_of_table_1_have_the_protocols_of_its_figures(self, name, model, figures):
        found = plan.read(name)
        protocols = {protocol for stage in found.stages for protocol in stage["protocols"]}
        algorithms = {"full", "random", "el2n", "grand", "forgetting", "dynunc", "coreset"}
        variants = {f"{s}+drop" for s in figures} | {f"random+{s}q" for s in figures}
        assert found.model == model and found.seeds == 3
        assert protocols >= algorithms | variants | {"random+drop"}
        densities = {density for stage in found.stages for density in stage["densities"]}
        assert densities == {0.1, 0.3, 0.5, 0.7, 0.9}

    @pytest.mark.parametrize("name", [name for name in plan.names() if "long-tail" in name])
    def test_long_tails_have_the_imbalance_of_figure_8(self, name):
        stages = plan.read(name).stages
        for protocol in ("full", "full+cdbw", "random+drop", "el2n"):
            factors = {stage["imbalance"] for stage in stages if protocol in stage["protocols"]}
            assert factors == {2, 5, 20}

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("seeds = 2", "", "a plan needs seeds"),
            ("seeds = 2", "seeds = 0", "seeds is 0: it must be a whole number from 1 to 1,000,000"),
            ("seeds = 2", "seeds = true", "seeds is True: it must be a whole number"),
            ("seeds = 2", "seeds = 2\nseed = 1", "a plan has no 'seed'; it has dataset, model"),
            (
                "seeds = 2",
                'seeds = 2\norder = "size"',
                "order is 'size': it must be one of seeds, stages",
            ),
            ('"mlp"', '"vgg"', "unknown model 'vgg'; known are"),
            ('"digits-2x4"', '"mnist"', "unknown data set 'mnist'; known are"),
            ("smoothing = 1", 'dataset = "mnist"', "unknown data set 'mnist'; known are"),
            ("epochs = 2", "epoch = 2", "recipe has no 'epoch'; it has epochs, batch"),
            ("epochs = 2", 'epochs = "two"', "recipe.epochs is 'two': it must be a whole number"),
            (
                "epochs = 2",
                "epochs = 2\naugment = 1",
                "recipe.augment is 1: it must be true",
            ),
            ("[0.5, 0.3]", '["half"]', "densities\\[0\\] is 'half': it must be a number"),
            ("epochs = 2", "epochs = 0", "recipe.epochs is 0: it must be"),
            ('"random"', '"droop"', "protocol 'droop' is not known"),
            ("[0.2]", "[1.2]", r"stage\[1\].densities\[0\] is 1.2"),
            ("smoothing = 1", 'smoothing = "1"', "smoothing is '1': it must be a number"),
            ("smoothing = 1", "softening = 1", "stage\\[1\\] has no 'softening'"),
            ("dataset =", "dataset", "is no TOML file"),
        ],
    )
    def test_errors(self, small, old, new, message):
        assert old in SMALL
        small.write_text(SMALL.replace(old, new, 1))
        with pytest.raises(ValueError, match=message) as caught:
            plan.read(small)
        assert str(small) in str(caught.value)

    def test_no_such_plan(self):
        with pytest.raises(ValueError, match=r"no plan nowhere.toml \(No such file.*cifar10-mini"):
            plan.read("nowhere.toml")


class TestRun:
    def test_runs_what_is_missing(self, small, tmp_path):
        store = Store(tmp_path / "store")
        found = plan.read(small)
        assert plan.run(found, store=store, seeds=[1]) == (4, 4)
        assert plan.run(found, store=store) == (8, 8)
        trials = sum(found.steps(), [])
        assert {record["key"] for record in store} == {trial.key for trial in trials}

    def test_small_networks_are_stacked_as_by_a_study(self, small, tmp_path, slow):
        found = plan.read(small)
        study.run(sum(found.steps(), []), store=Store(tmp_path / "one"))
        of_a_study, slow.calls = slow.calls, 0
        plan.run(found, store=Store(tmp_path / "store"))
        assert slow.calls == of_a_study == 5  # the queries, full, and each density

    def test_begins_nothing_without_time(self, small, tmp_path):
        assert plan.run(plan.read(small), store=Store(tmp_path / "store"), minutes=0) == (0, 8)

    @pytest.mark.parametrize(
        ("minutes", "stack", "trials", "networks"),
        [
            # The full set takes 179 seconds, two random sets 144, the query's five networks 448.
            (4, 60, 1, 0),
            (8, 60, 3, 0),
            (8, 1, 3, 1),
            (15, 60, 4, 5),
        ],
    )
    def test_begins_what_ends_in_time(
        self, small, tmp_path, slow, monkeypatch, minutes, stack, trials, networks
    ):
        monkeypatch.setattr(engine, "STACK", stack)
        store = Store(tmp_path / "store")
        assert plan.run(plan.read(small), store=store, minutes=minutes) == (trials, 8)
        assert slow.images / 10 <= 60 * minutes
        queries = [seed for seed in slow.seeds if seed >= 10_000]
        assert len(queries) == networks
        assert plan.run(plan.read(small), store=store) == (8, 8)
        assert len(slow.seeds) == len(set(slow.seeds) - {0, 1}) + 8  # no query network twice

    def test_all_is_counted(self, small, tmp_path, slow, monkeypatch):
        bars = []

        def shown(**others):
            bars.append(tqdm(**others, disable=False))  # also where the tests run without bars
            return bars[0]

        monkeypatch.setattr(plan, "tqdm", shown)
        plan.run(plan.read(small), store=Store(tmp_path / "store"))
        assert bars[0].total == bars[0].n == slow.images

    def test_images_of_networks(self, small):
        (full, half, _), (drop,) = plan.read(small).steps([0])
        size = len(full.data.train)
        images = estimate.images
        assert images([full]) == 2 * size and images([half]) == 2 * round(size / 2)
        assert images([full, half]) == images([full]) + images([half])
        assert images([Network(drop.recall_query, 3)]) == size  # for one epoch

    def test_time_limits_need_the_local_executor(self, small, tmp_path):
        with pytest.raises(ValueError, match="a time limit needs executor 'local', got 'ray'"):
            plan.run(plan.read(small), store=Store(tmp_path), executor="ray", minutes=1)
