"""A study in a file: which trials in which order, so that it can stop anywhere and go on later.

A plan is a TOML file::

    dataset = "cifar10"
    model = "mini"
    densities = [0.5, 0.3]
    seeds = 5

    [[stage]]
    protocols = ["full", "random", "random+drop"]

Each stage may have a data set and densities of its own, and `smoothing`, `rule` and `imbalance` as
in ``study.grid``; ``[recipe]`` changes fields of the model's recipe, and ``[query]``, of the plan
or of a stage, those of the short queries' recipe. One seed of every stage comes before the next
seed, or with ``order = "stages"`` all seeds of a stage before the next stage, as a GPU likes that
trains several networks side by side.
"""

import re
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from dropkit import datasets, models
from dropkit._common.fields import SHARE, TABLE, TEXT, check_table, choice, many, whole
from dropkit.store.folder import Store
from dropkit.study import estimate, queries, query_models, runner
from dropkit.study.preparation import Prepared
from dropkit.study.queries import Network
from dropkit.study.trials import OPTIONS, Trial, grid
from dropkit.training import recipes
from dropkit.training.engine import stack_size
from dropkit.training.recipes import Recipe

FOLDER = Path(__file__).parent / "plans"
MARGIN = 1.15  # how much longer than estimated a network may take

LARGEST = 100_000  # bytes of a file
MOST = 1_000_000  # trials

# Names of so many parts take tomllib minutes.
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
_MANY_PARTS = re.compile(rf"(?<![\w-])(?:{_PART}){{20}}")

_NEEDED = ("dataset", "model", "densities", "seeds", "stage")
_STAGE = OPTIONS | {
    **{"dataset": TEXT, "protocols": many(TEXT), "densities": many(SHARE), "query": TABLE}
}
_PLAN = {
    **{"dataset": TEXT, "model": TEXT, "densities": many(SHARE), "seeds": whole(1)},
    **{"stage": many(TABLE), "recipe": TABLE, "query": TABLE, "order": choice(("seeds", "stages"))},
}


@dataclass(frozen=True)
class Plan:
    """What ``read`` found: each stage is the arguments of ``study.grid`` less the seed."""

    dataset: str
    model: str
    recipe: Recipe
    seeds: int
    stages: tuple[dict, ...]
    order: str = "seeds"

    def steps(self, seeds: Iterable[int] | None = None) -> list[list[Trial]]:
        """The trials of one stage, at one seed or at all, in the order in which they run."""
        wanted = list(range(self.seeds) if seeds is None else seeds)
        common = {"model": self.model, "recipe": self.recipe}
        at_once = [wanted] if self.order == "stages" else [[seed] for seed in wanted]
        return [grid(**common, **stage, seeds=some) for some in at_once for stage in self.stages]


def names() -> list[str]:
    """The plans that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def read(name: str | Path) -> Plan:
    """Read a plan from a file, or one of ``names()``; ValueError for what is no sound plan."""
    file = FOLDER / f"{name}.toml" if str(name) in names() else Path(name)
    try:
        content = _parsed(file)
    except OSError as error:
        known = ", ".join(names())
        raise ValueError(f"no plan {name} ({error.strerror}); dropkit has {known}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no TOML file of a plan: {error}") from error
    try:
        return _plan(content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"plan {file}: {error}") from error


def _parsed(file: Path) -> dict:
    with file.open("rb") as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    text = content.decode()
    if _MANY_PARTS.search(text):
        raise ValueError("it has a name of more than 20 parts")
    return tomllib.loads(text)


def _plan(content: dict) -> Plan:
    check_table(content, _PLAN, "a plan", _NEEDED)
    dataset, model, seeds = content["dataset"], content["model"], content["seeds"]
    _check_known("data set", dataset, datasets.names())
    _check_known("model", model, models.names())
    if dataset in recipes.DEFAULTS:
        recipe = _changed(recipes.defaults(dataset, model)[1], content, "recipe")
    else:  # a data set of one's own
        given = content.get("recipe", {})
        check_table(given, recipes.FIELDS, "recipe", ("epochs", "batch", "lr", "weight_decay"))
        recipe = Recipe(**given)
    common = {key: content[key] for key in ("dataset", "densities")}
    common["query"] = content.get("query", {})
    stages = []
    for number, given in enumerate(content["stage"]):
        check_table(given, _STAGE, f"stage[{number}]", ["protocols"])
        stage = common | given
        _check_known("data set", stage["dataset"], datasets.names())
        query = _changed(queries.short_recipe(recipe), stage, "query")
        stages.append(stage | {"query": query})
        # Finds what only a grid sees; one density stands for all.
        some = stages[-1] | {"densities": stage["densities"][:1]}
        grid(model=model, recipe=recipe, **some, seeds=[0])
    trials = seeds * sum(len(stage["protocols"]) * len(stage["densities"]) for stage in stages)
    if trials > MOST:
        raise ValueError(
            f"seeds is {seeds:,}: with its protocols and densities the plan would have {trials:,} "
            f"trials, it may have {MOST:,}"
        )
    return Plan(dataset, model, recipe, seeds, tuple(stages), content.get("order", "seeds"))


def _check_known(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}; known are {', '.join(known)}")


def _changed(recipe: Recipe, table: dict, name: str) -> Recipe:
    changes = table.get(name, {})
    check_table(changes, recipes.FIELDS, name)
    return replace(recipe, **changes)


def run(
    plan: Plan,
    *,
    store: Store,
    executor: str = "local",
    device: str = "cpu",
    seeds: Sequence[int] | None = None,
    minutes: float | None = None,
    retry: bool = False,
) -> tuple[int, int]:
    """Run what the store lacks of a plan; return how many of its trials are done, and of how many.

    In `minutes`, which need the executor "local", no network is begun that those before it say
    would not be trained in time. Trials that failed before are tried again if `retry`. Raises
    ValueError and OSError as ``study.run`` does.
    """
    if minutes is not None and executor != "local":
        raise ValueError(f"a time limit needs executor 'local', got {executor!r}")
    steps = plan.steps(seeds)
    if executor != "local" or (minutes is None and stack_size(plan.model) > 1):
        steps = [sum(steps, [])]  # workers start once; stacks hold all seeds
    todo = [runner.missing(step, store, retry=retry) for step in steps]
    trials = sum(todo, [])
    networks = query_models.lacking([query for t in trials for query in t.queries], store)
    images = estimate.images([*networks, *trials])
    with tqdm(total=images, unit="image", unit_scale=True) as bar:
        progress = _Progress(bar, minutes)
        train = partial(runner.run, store=store, executor=executor, device=device, watch=progress)
        for step in todo:
            if step and progress.may_start(step[:1]):  # else nothing is read or computed for it
                train(step, wait=False, retry=retry)
        if minutes is None and (left := runner.missing(trials, store)):
            bar.write(f"waiting for another run, which has {len(left):,} trials", file=sys.stderr)
            train(left)  # what it does not end
    names = {trial.key for step in steps for trial in step}
    return len([name for name in names if name in store]), len(names)


class _Progress:
    """A ``Watch`` that shows how far a plan is, and says whether there is time for more."""

    def __init__(self, bar: tqdm, minutes: float | None):
        self.bar = bar
        self.end = None if minutes is None else time.monotonic() + 60 * minutes
        self.images, self.seconds, self.began = 0, 0.0, 0.0

    def may_start(self, job: Sequence[Trial | Prepared | Network]) -> bool:
        self.began = time.monotonic()
        if self.end is None:
            return True
        per_image = MARGIN * self.seconds / self.images if self.images else 0.0
        networks = [each.trial if isinstance(each, Prepared) else each for each in job]
        return self.began + per_image * estimate.images(networks) < self.end

    def finished(self, networks: Sequence[Trial | Network]) -> None:
        images = estimate.images(networks)
        self.images += images
        self.seconds += time.monotonic() - self.began
        self.bar.update(images)
